//! The world's clock: moved by hand, or following somebody else's.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

type Source = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// The one clock of a world. It never runs by itself: it is either moved by [`Clock::advance`] or reads a source.
pub(crate) struct Clock {
    start: Timestamp,
    source: Option<Source>,
    advanced: Duration,
}

impl Clock {
    pub(crate) fn new(start: Timestamp) -> Self {
        Self { start, source: None, advanced: Duration::ZERO }
    }

    /// What it shows: the source (or the start), plus everything it was advanced by.
    pub(crate) fn now(&self) -> Timestamp {
        let base = self.source.as_ref().map_or(self.start, |read| read());
        later(base, self.advanced)
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.advanced = self.advanced.saturating_add(by);
    }

    pub(crate) fn follow(&mut self, source: Source) {
        self.source = Some(source);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).finish()
    }
}

/// `at` plus `by`, ending at the last instant that jiff knows instead of overflowing.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// `at` minus `by`, ending at the first instant that jiff knows instead of overflowing.
pub(crate) fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
