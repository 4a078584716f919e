//! How the credentials stand: whether what the Secret has is good, for how long, and when it is renewed. Said by the Secret's
//! own stamps, so that nothing has to be remembered.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::contents::Contents;
use super::state::TargetFacts;
use super::term::INTERVAL;
use crate::plan::Face;
use crate::plan::conditions::to_the_second;
use crate::plan::report::elapsed;
use crate::plan::secret::SecretFacts;

/// Credentials with an expiry are renewed when this share of their time is over at the soonest, and [`LATEST`] at the latest:
/// between the two by chance, so that a thousand grants that began together do not renew together.
const SOONEST: f64 = 0.3;
/// See [`SOONEST`]: what reads the Secret from a mounted volume sees a change up to two minutes late, of ten.
const LATEST: f64 = 0.6;
/// The same for credentials without an expiry, of the interval: that is the longest that they stay.
const INTERVAL_SOONEST: f64 = 0.5;
/// After so many intervals without a renewal nobody claims that credentials without an expiry still work.
const UNPROVEN: u32 = 2;
/// The soonest that anything is renewed, whatever AWS says of an expiry.
const FLOOR: Duration = Duration::from_secs(5);

const EXPIRES_AT: &str = "expires-at";
const ISSUED_AT: &str = "issued-at";
const RENEW_AT: &str = "renew-at";
const TARGET: &str = "target";
const ADDRESS: &str = "address";

/// What the address was that the object of the machine showed, if it did: AWS may know another one sooner.
fn shown(face: Option<&Face>) -> Option<&str> {
    face.and_then(|face| face.address.as_deref())
}

/// How credentials in a Secret of ours stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There are none.
    None,
    /// Good until then at least; nothing is to be done before.
    Good(Timestamp),
    /// Good, and to be renewed.
    Due,
    /// Not what they should be: the sentence says why.
    Broken(&'static str),
}

impl Standing {
    /// Whether somebody can log in with them.
    pub fn works(&self) -> bool {
        match self {
            Self::Good(_) | Self::Due => true,
            Self::None | Self::Broken(_) => false,
        }
    }
}

/// How a Secret of ours stands, for the machine that is remembered and the face of its object.
pub fn standing(
    facts: &SecretFacts,
    id: Option<&str>,
    face: Option<&Face>,
    interval: Option<Duration>,
    now: Timestamp,
) -> Standing {
    let time = |key| facts.stamps.get(key).and_then(|text: &String| text.parse::<Timestamp>().ok());
    let stamped = |key| facts.stamps.get(key).map(String::as_str);
    let expired = match expires_at(facts) {
        Some(at) => at <= now,
        None => age(facts, now) >= interval.unwrap_or(INTERVAL) * UNPROVEN,
    };
    let another = id.is_some() && stamped(TARGET) != id;
    let moved = face.is_some() && stamped(ADDRESS) != shown(face);
    match (facts.deleting, facts.edited, facts.owned, expired, another, moved, time(RENEW_AT)) {
        (true, ..) => Standing::Broken("somebody is deleting the Secret"),
        (_, true, ..) => Standing::Broken("somebody has edited the Secret"),
        (_, _, false, ..) => Standing::Broken("the Secret has lost its owner"),
        (_, _, _, true, ..) => {
            Standing::Broken("the credentials have expired, or nobody knows whether they still work")
        }
        (_, _, _, _, true, ..) => Standing::Broken("the credentials are for another machine"),
        (.., true, _) => Standing::Broken("the machine has another address"),
        (.., None) => Standing::Broken("the Secret has lost its annotations"),
        (.., Some(renew)) if renew <= now => Standing::Due,
        (.., Some(renew)) => Standing::Good(renew),
    }
}

/// When the credentials in a Secret expire, if they do.
pub fn expires_at(facts: &SecretFacts) -> Option<Timestamp> {
    facts.stamps.get(EXPIRES_AT)?.parse().ok()
}

/// How long the credentials in a Secret have been there; long, where that cannot be told.
pub fn age(facts: &SecretFacts, now: Timestamp) -> Duration {
    let issued = facts.stamps.get(ISSUED_AT).and_then(|text| text.parse::<Timestamp>().ok());
    issued.map_or(Duration::MAX, |at| elapsed(at, now))
}

/// The stamps of new credentials. Nothing in them is secret.
pub fn stamps(
    contents: &Contents,
    target: &TargetFacts,
    face: Option<&Face>,
    interval: Option<Duration>,
    uid: &str,
    now: Timestamp,
) -> BTreeMap<String, String> {
    let renew = renew_at(contents.expires, interval, uid, now);
    let mut stamps = BTreeMap::from([
        (ISSUED_AT.to_owned(), to_the_second(now).to_string()),
        (RENEW_AT.to_owned(), to_the_second(renew).to_string()),
        (TARGET.to_owned(), target.id.clone()),
    ]);
    if let Some(expires) = contents.expires {
        stamps.insert(EXPIRES_AT.to_owned(), to_the_second(expires).to_string());
    }
    if let Some(address) = shown(face) {
        stamps.insert(ADDRESS.to_owned(), address.to_owned());
    }
    stamps
}

/// When credentials that were given now are renewed.
pub fn renew_at(expires: Option<Timestamp>, interval: Option<Duration>, uid: &str, now: Timestamp) -> Timestamp {
    let chance = chance(uid, now);
    let life = expires.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
    let by_expiry = life.map(|life| life.mul_f64(SOONEST + (LATEST - SOONEST) * chance));
    let share = INTERVAL_SOONEST + (1.0 - INTERVAL_SOONEST) * chance;
    let wait = match (by_expiry, interval) {
        (Some(wait), Some(interval)) => wait.min(interval.mul_f64(share)),
        (Some(wait), None) => wait,
        (None, interval) => interval.unwrap_or(INTERVAL).mul_f64(share),
    };
    now.checked_add(wait.max(FLOOR)).unwrap_or(Timestamp::MAX)
}

/// A number between 0 and 1 that is another one for each object and each time, and always the same for both (FNV-1a).
fn chance(uid: &str, now: Timestamp) -> f64 {
    let bytes = uid.bytes().chain(now.as_second().to_le_bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // The upper bits of FNV mix well; 53 of them are what an f64 holds.
    let mixed = hash ^ (hash >> 32);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
