//! How a pass ended, and when the object is due again.

use std::time::Duration;

use crate::plan::Class;
use crate::telemetry::labels::PassOutcome;

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// For the metrics.
    pub what: PassOutcome,
    /// When the object is due again.
    pub again: Again,
}

/// When an object is due again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// At once, in the same lane: something was just done.
    Now,
    /// After this long.
    After(Duration),
    /// At the next resync, or after this long if that is sooner.
    Resync {
        /// The latest.
        at_latest: Option<Duration>,
    },
    /// When an event says so.
    Never,
}

impl Outcome {
    /// Due again after a while.
    pub fn after(what: PassOutcome, wait: Duration) -> Self {
        Self { what, again: Again::After(wait) }
    }

    /// Due when an event says so.
    pub fn never(what: PassOutcome) -> Self {
        Self { what, again: Again::Never }
    }

    /// Due again at once.
    pub fn now(what: PassOutcome) -> Self {
        Self { what, again: Again::Now }
    }
}

/// How long AWS is left alone after the nth failure in a row (from 1). `chance` in 0..1 spreads objects that failed together.
pub fn backoff(class: Class, nth: u32, chance: f64) -> Duration {
    // (first, longest): what AWS throttles or could not answer is tried soon; what a person must mend is tried slowly.
    let (first, longest) = match class {
        Class::NotSent => (1.0, 10.0),
        Class::InUse | Class::AlreadyExists => (1.0, 30.0),
        // The gate has slowed down already: each object waits little more.
        Class::Throttled => (1.0, 10.0),
        Class::Unavailable => (1.0, 60.0),
        // AWS documents "wait a few minutes"; other tools wait 10 to 30 s.
        Class::Busy => (5.0, 60.0),
        Class::NotFound => (2.0, 60.0),
        Class::Rejected => (1.0, 300.0),
        Class::QuotaExceeded | Class::AccessDenied => (10.0, 300.0),
        // AWS's own work on the account takes minutes to hours.
        Class::AccountPending => (30.0, 300.0),
    };
    let grown = f64::min(longest, first * f64::from(2u32.saturating_pow(nth.saturating_sub(1).min(16))));
    // Full value to three quarters of it: enough to spread, never much sooner than meant.
    Duration::from_secs_f64(grown * (1.0 - 0.25 * chance.clamp(0.0, 1.0)))
}

/// How long an object whose pass panicked is left alone: a minute, doubled up to an hour.
pub fn quarantine(panics: u32) -> Duration {
    Duration::from_secs(60 * 2u64.saturating_pow(panics.saturating_sub(1).min(6))).min(Duration::from_secs(3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_bound_and_jitter_only_shortens_it_a_little() {
        let seconds = |nth, chance| backoff(Class::Throttled, nth, chance).as_secs_f64();
        assert_eq!([seconds(1, 0.0), seconds(2, 0.0), seconds(4, 0.0), seconds(40, 0.0)], [1.0, 2.0, 8.0, 10.0]);
        assert_eq!(seconds(40, 1.0), 7.5);
    }

    #[test]
    fn a_panicking_object_is_left_alone_for_longer_each_time_up_to_an_hour() {
        assert_eq!([1, 2, 7, 99].map(|n| quarantine(n).as_secs()), [60, 120, 3600, 3600]);
    }
}
