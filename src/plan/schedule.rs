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
    let at = cron.find_next(MakeTimestamp(after)).ok()?.timestamp();
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

/// Looks at every period: one is on while its next stop comes before its next start.
pub fn power(all: &[PowerPeriod], now: Timestamp) -> Result<PowerNow, Wrong> {
    let mut entries = Vec::with_capacity(all.len());
    for period in all {
        let field = format!("powerSchedule[{}]", period.name);
        let zone = period.time_zone.as_deref();
        let start = cron(&format!("{field}.start"), &period.start, zone)?;
        let stop = cron(&format!("{field}.stop"), &period.stop, zone)?;
        let never = |field: &str, text: &str| format!("{field}: `{text}` never comes true");
        next(&start, now).ok_or_else(|| never(&format!("{field}.start"), &period.start))?;
        next(&stop, now).ok_or_else(|| never(&format!("{field}.stop"), &period.stop))?;
        entries.push((start, stop));
    }
    let state_at = |at: Timestamp| {
        let on = entries.iter().any(|(start, stop)| match (next(start, at), next(stop, at)) {
            (Some(start), Some(stop)) => stop < start,
            (Some(_) | None, None) | (None, Some(_)) => false,
        });
        if on { DesiredState::Running } else { DesiredState::Stopped }
    };
    let state = state_at(now);
    // The state can only change where some entry starts or stops; a week of daily entries is looked through.
    let mut at = now;
    let mut changes = None;
    for _ in 0..(16 * entries.len().max(1)) {
        let Some(event) = entries.iter().flat_map(|(a, b)| [next(a, at), next(b, at)]).flatten().min() else { break };
        if state_at(event) != state {
            changes = Some(event);
            break;
        }
        at = event;
    }
    Ok(PowerNow { state, changes })
}
