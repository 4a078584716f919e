//! Tags: what was read, and what is to be written.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::conditions::bounded;
use super::life::Life;
use super::ownership::PREFIX;
use super::report::SHORT;

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

/// Tags that are missing, different, or ours (`applied`) and no longer wanted.
pub fn step<K: Life>(
    facts: &K::Facts,
    wanted: &BTreeMap<String, String>,
    seen: &BTreeMap<String, String>,
    applied: &BTreeSet<String>,
) -> Option<Step<K::Call>> {
    let set: BTreeMap<String, String> = wanted
        .iter()
        .filter(|(key, value)| seen.get(*key) != Some(value))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let gone: BTreeSet<String> = applied
        .iter()
        .filter(|key| !key.starts_with(PREFIX) && !wanted.contains_key(*key) && seen.contains_key(*key))
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
