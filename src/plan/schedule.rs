//! Time as specs write it: durations, cron expressions, windows that open and periods that are on.
//!
//! All of it is a function of (spec, now): nothing is remembered.

use std::time::Duration;

use cronexpr::{Crontab, MakeTimestamp};
use jiff::Timestamp;

use crate::api::fleet::{DesiredState, PowerPeriod, Window};

/// What is wrong with a schedule, in a sentence that names the field.
pub type Wrong = String;

/// How far ahead a cron expression must come true to count as one that ever does: the longest gap of a 5-field
/// expression is 29 February across a century year, eight years.
const EVER: Duration = Duration::from_secs(60 * 60 * 24 * 366 * 8);

/// Parses a Go-style duration made of hours, minutes and seconds (`1h30m`).
pub fn duration(field: &str, text: &str) -> Result<Duration, Wrong> {
    let wrong = || format!("{field}: `{text}` is not a duration such as 1h30m");
    let mut total = Duration::ZERO;
    let mut rest = text;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let n: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = match rest[digits..].chars().next() {
            Some('h') => 3600,
            Some('m') => 60,
            Some('s') => 1,
            Some(_) | None => return Err(wrong()),
        };
        total = n.checked_mul(unit).map(Duration::from_secs).and_then(|d| total.checked_add(d)).ok_or_else(wrong)?;
        rest = &rest[digits + 1..];
    }
    Ok(total)
}

fn cron(field: &str, expression: &str, zone: Option<&str>) -> Result<Crontab, Wrong> {
    if expression.split_whitespace().count() != 5 {
        return Err(format!("{field}: `{expression}` is not a cron expression of five fields"));
    }
    let zone = zone.unwrap_or("UTC");
    jiff::tz::TimeZone::get(zone).map_err(|_| format!("{field}: `{zone}` is not an IANA time zone"))?;
    cronexpr::parse_crontab(&format!("{expression} {zone}"))
        .map_err(|_| format!("{field}: `{expression}` is not a cron expression of five fields"))
}

fn next(cron: &Crontab, after: Timestamp) -> Option<Timestamp> {
    let from = |at: Timestamp| cron.find_next(MakeTimestamp(at)).ok().map(|found| found.timestamp());
    // One search ends after some years: the second begins four years later, before any leap day that the first has not seen.
    let at = from(after).or_else(|| from(after.checked_add(hours(24 * 365 * 4)).ok()?))?;
    (at.duration_since(after).unsigned_abs() <= EVER).then_some(at)
}

/// Whether a stop may be made now, as far as windows go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowsNow {
    /// No windows are given: at any time.
    Always,
    /// A window is open.
    Open,
    /// None is open.
    Closed {
        /// When the next one opens.
        next: Timestamp,
    },
}

/// Looks at every window.
pub fn windows(all: Option<&[Window]>, now: Timestamp) -> Result<WindowsNow, Wrong> {
    let Some(all) = all.filter(|all| !all.is_empty()) else { return Ok(WindowsNow::Always) };
    let (mut open, mut opens) = (false, None::<Timestamp>);
    for window in all {
        let field = format!("disruption.windows[{}]", window.name);
        let start = cron(&format!("{field}.start"), &window.start, window.time_zone.as_deref())?;
        let length = duration(&format!("{field}.duration"), &window.duration)?;
        if length.is_zero() {
            return Err(format!("{field}.duration: a window of no length never opens"));
        }
        let next_start =
            next(&start, now).ok_or_else(|| format!("{field}.start: `{}` never comes true", window.start))?;
        // Open while it began less than its length ago.
        let earliest = now.checked_sub(length).unwrap_or(Timestamp::MIN);
        open |= next(&start, earliest).is_some_and(|begun| begun <= now);
        opens = Some(opens.map_or(next_start, |o| o.min(next_start)));
    }
    Ok(match opens {
        Some(_) if open => WindowsNow::Open,
        Some(next) => WindowsNow::Closed { next },
        None => WindowsNow::Always,
    })
}

/// The power state that a schedule asks for now, and when that changes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerNow {
    /// On if any entry is on.
    pub state: DesiredState,
    /// When it changes next, if ever.
    pub changes: Option<Timestamp>,
}

/// Looks at every period: one is on if its last start came after its last stop. Where both fall on one moment, the stop
/// counts.
pub fn power(all: &[PowerPeriod], now: Timestamp) -> Result<PowerNow, Wrong> {
    let mut entries = Vec::with_capacity(all.len());
    for period in all {
        let field = format!("powerSchedule[{}]", period.name);
        let zone = period.time_zone.as_deref();
        let start = cron(&format!("{field}.start"), &period.start, zone)?;
        let stop = cron(&format!("{field}.stop"), &period.stop, zone)?;
        let never = |field: &str, text: &str| format!("{field}: `{text}` never comes true");
        let starts = next(&start, now).ok_or_else(|| never(&format!("{field}.start"), &period.start))?;
        let stops = next(&stop, now).ok_or_else(|| never(&format!("{field}.stop"), &period.stop))?;
        entries.push(Entry { on: last(&start, now) > last(&stop, now), start, starts, stop, stops });
    }
    let state = |entries: &[Entry]| entries.iter().any(|entry| entry.on);
    let on = state(&entries);
    // The state can only change where some entry starts or stops; sixteen such moments for each entry, a week of daily ones,
    // are looked through. What comes later is seen later.
    let mut changes = None;
    for _ in 0..(16 * entries.len()) {
        let Some(event) = entries.iter().map(|entry| entry.starts.min(entry.stops)).min() else { break };
        for entry in &mut entries {
            entry.pass(event);
        }
        if state(&entries) != on {
            changes = Some(event);
            break;
        }
    }
    let word = |on| if on { DesiredState::Running } else { DesiredState::Stopped };
    Ok(PowerNow { state: word(on), changes })
}

/// A period at some moment.
struct Entry {
    on: bool,
    start: Crontab,
    starts: Timestamp,
    stop: Crontab,
    stops: Timestamp,
}

impl Entry {
    /// Goes on to a moment, which is not after the next start or stop.
    fn pass(&mut self, event: Timestamp) {
        let (starts, stops) = (self.starts == event, self.stops == event);
        if starts {
            self.starts = next(&self.start, event).unwrap_or(Timestamp::MAX);
        }
        if stops {
            self.stops = next(&self.stop, event).unwrap_or(Timestamp::MAX);
        }
        self.on = (self.on || starts) && !stops;
    }
}

/// When the expression came true last, now included; `None` if not within [`EVER`].
fn last(cron: &Crontab, now: Timestamp) -> Option<Timestamp> {
    // From near to far, so that few moments are gone through however often or seldom it comes true.
    const LOOK_BACK: [Duration; 5] = [hours(1), hours(25), hours(24 * 8), hours(24 * 367), EVER];
    LOOK_BACK.into_iter().find_map(|back| {
        let mut latest = None;
        let mut at = now.checked_sub(back).unwrap_or(Timestamp::MIN);
        while let Some(then) = next(cron, at).filter(|then| *then <= now) {
            (latest, at) = (Some(then), then);
        }
        latest
    })
}

const fn hours(n: u64) -> Duration {
    Duration::from_secs(3600 * n)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "schedule_tests.rs"]
mod tests;
