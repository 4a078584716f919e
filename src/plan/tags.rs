//! Tags: what was read, and what is to be written.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::conditions::bounded;
use super::life::Life;
use super::ownership::PREFIX;
use super::report::SHORT;
use super::{Input, unshown};

/// Tags, and when the read of them began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// When the read began.
    pub began: Timestamp,
    /// Key and value.
    pub tags: BTreeMap<String, String>,
}

/// A write beside the resource itself: no user notices it, and it may be made in any state.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<C> {
    /// The write.
    pub call: C,
    /// The spec path that it is for.
    pub field: &'static str,
    /// What goes or is replaced: keys, ARNs.
    pub from: String,
    /// What comes: keys, ARNs.
    pub to: String,
    /// What it does, in words.
    pub text: &'static str,
}

/// The keys of these tags that are not the operator's own: once written, they are ours to take off again.
pub fn of_user(tags: &BTreeMap<String, String>) -> impl Iterator<Item = String> {
    tags.keys().filter(|key| !key.starts_with(PREFIX)).cloned()
}

/// Tags that are missing, different, or ours (`applied`) and no longer wanted; also those that AWS has taken a moment ago
/// and does not show yet.
pub fn step<K: Life>(
    input: &Input<'_, K>,
    facts: &K::Facts,
    wanted: &BTreeMap<String, String>,
    tagged: &Tagged,
    applied: &BTreeSet<String>,
) -> Option<Step<K::Call>> {
    let seen = &tagged.tags;
    let lately: Vec<_> = unshown::lately(input, tagged.began).filter_map(K::tags_in).collect();
    let there = |key: &String| seen.contains_key(key) || lately.iter().any(|tags| tags.contains_key(key));
    let set: BTreeMap<String, String> = wanted
        .iter()
        .filter(|(key, value)| seen.get(*key) != Some(value))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let gone: BTreeSet<String> = applied
        .iter()
        .filter(|key| !key.starts_with(PREFIX) && !wanted.contains_key(*key) && there(key))
        .cloned()
        .collect();
    // First away with the old ones: AWS allows 50 in all.
    let keys = |keys: Vec<&String>| bounded(&keys.into_iter().cloned().collect::<Vec<_>>().join(","), SHORT);
    let from = keys(gone.iter().chain(set.keys().filter(|key| seen.contains_key(*key))).collect());
    let to = keys(set.keys().collect());
    let call = match (gone.is_empty(), set.is_empty()) {
        (false, _) => K::untag(facts, gone),
        (true, false) => K::tag(facts, set),
        (true, true) => return None,
    };
    Some(Step { call, field: "tags", from, to, text: "changing tags" })
}
