//! The time of a grant, and the names in it: pure functions of the object.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use crate::api::AccessGrant;
use crate::api::access_grant::AccessProtocol;
use crate::plan::conditions::{bounded, to_the_second};

/// The bound of `status.target`.
const TARGET: usize = 1600;
/// How long credentials stay as they are that AWS names no expiry of. Those of a compute are of STS's kind, which live an hour
/// at least by default: a quarter of that.
pub const INTERVAL: Duration = Duration::from_secs(15 * 60);

/// From when to when a grant lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Its beginning.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
}

impl Term {
    /// That of an object.
    ///
    /// # Errors
    /// A sentence, when its duration cannot be read.
    pub fn of(object: &AccessGrant) -> Result<Self, String> {
        let created = object.creation_timestamp().map(|time| time.0);
        let start = object.spec.starts_at.or(created).map(to_the_second);
        let Some(start) = start else { return Err("the object has no time of creation".into()) };
        let lasts =
            length(&object.spec.duration).ok_or_else(|| format!("duration {} cannot be read", object.spec.duration))?;
        Ok(Self { start, end: start.checked_add(lasts).unwrap_or(Timestamp::MAX) })
    }
}

/// A length of time as the schema lets it be written: hours, minutes, seconds.
pub fn length(text: &str) -> Option<Duration> {
    let read: SignedDuration = text.parse().ok()?;
    Duration::try_from(read).ok().filter(|length| !length.is_zero())
}

/// The longest that credentials stay as they are.
pub fn interval(object: &AccessGrant) -> Option<Duration> {
    object.spec.refresh.as_ref()?.interval.as_deref().and_then(length)
}

/// The name of the Secret.
pub fn secret_name(object: &AccessGrant) -> String {
    let given = object.spec.secret.as_ref().and_then(|secret| secret.name.clone());
    given.unwrap_or_else(|| object.name_any())
}

/// What a person calls the target.
pub fn target(object: &AccessGrant) -> String {
    let spec = &object.spec;
    let text = match (&spec.lightsail_instance, &spec.game_lift_instance, &spec.game_lift_compute) {
        (Some(target), _, _) => {
            let how = match target.protocol {
                AccessProtocol::Ssh => "ssh",
                AccessProtocol::Rdp => "rdp",
            };
            match (&target.instance_ref, &target.name) {
                (Some(reference), _) => format!("Instance {} ({how})", reference.name),
                (None, Some(name)) => format!("lightsail {name} ({how})"),
                (None, None) => format!("lightsail ({how})"),
            }
        }
        (None, Some(target), _) => format!("gamelift {}/{}", target.fleet_id, target.instance_id),
        (None, None, Some(target)) => format!("gamelift {}/{} (ssm)", target.fleet_id, target.compute_name),
        (None, None, None) => "nothing".into(),
    };
    bounded(&text, TARGET)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_length_that_the_schema_takes_is_read() {
        let rows =
            [("1m", 60), ("1h30m", 5400), ("90s", 90), ("8760h", 31_536_000), ("0h1m0s", 60), ("999999s", 999_999)];
        for (text, seconds) in rows {
            assert_eq!(length(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0s", "-1h", "h", "one hour", "1h1h1h"] {
            assert_eq!(length(text), None, "{text}");
        }
    }
}
