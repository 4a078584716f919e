//! Conditions from a verdict: never two of Ready, Reconciling and Stalled true at once, and no flapping.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::reason::Verdict;

/// One condition before it is stamped: its status word, reason and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// True, False or Unknown.
    pub status: &'static str,
    /// A CamelCase word.
    pub reason: String,
    /// A sentence without timestamps or counters.
    pub message: String,
}

impl Fact {
    /// A condition that holds.
    pub fn yes(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status: "True", reason: reason.into(), message: message.into() }
    }

    /// A condition that nobody has looked into.
    pub fn unknown(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status: "Unknown", reason: reason.into(), message: message.into() }
    }

    /// A condition that does not hold.
    pub fn no(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status: "False", reason: reason.into(), message: message.into() }
    }
}

/// The conditions of an object that is not paused. `lastTransitionTime` moves only when the status word flips.
pub fn conditions(
    earlier: &[Condition],
    generation: i64,
    now: Timestamp,
    verdict: &Verdict,
    available: Fact,
    synced: Fact,
) -> Vec<Condition> {
    let (reason, message) = (verdict.reason(), verdict.message().to_owned());
    let mut facts = Vec::with_capacity(4);
    match verdict {
        Verdict::Ready(_) => facts.push(("Ready", Fact::yes(reason, message))),
        Verdict::Working(..) => {
            facts.push(("Ready", Fact::no(reason.clone(), message.clone())));
            facts.push(("Reconciling", Fact::yes(reason, message)));
        }
        Verdict::Stalled(..) => {
            facts.push(("Ready", Fact::no(reason.clone(), message.clone())));
            facts.push(("Stalled", Fact::yes(reason, message)));
        }
    }
    facts.push(("Available", available));
    facts.push(("Synced", synced));
    facts.into_iter().map(|(name, fact)| condition(earlier, name, fact, generation, now)).collect()
}

/// The earlier conditions with `Paused` added; they stay as they are otherwise.
pub fn paused(earlier: &[Condition], generation: i64, now: Timestamp) -> Vec<Condition> {
    let mut all: Vec<Condition> = earlier.iter().filter(|c| c.type_ != "Paused").cloned().collect();
    let fact = Fact::yes("Annotation", "the annotation windlass.dev/paused holds everything, deletion too");
    if !all.iter().any(|c| c.type_ == "Ready") {
        const HELD: &str = "held before anything was looked at";
        all.push(condition(earlier, "Ready", Fact::no("Paused", HELD), generation, now));
        for name in ["Available", "Synced"] {
            all.push(condition(earlier, name, Fact::unknown("Paused", HELD), generation, now));
        }
    }
    all.push(condition(earlier, "Paused", fact, generation, now));
    all
}

/// The conditions of what is over: that alone, so that nothing calls it ready and nothing waits for it.
pub fn ended(earlier: &[Condition], generation: i64, now: Timestamp, fact: Fact) -> Vec<Condition> {
    vec![condition(earlier, "Ended", fact, generation, now)]
}

/// The condition of that type, if it is there.
pub fn find<'a>(all: &'a [Condition], name: &str) -> Option<&'a Condition> {
    all.iter().find(|c| c.type_ == name)
}

/// Whether the condition of that type is True.
pub fn holds(all: &[Condition], name: &str) -> bool {
    find(all, name).is_some_and(|c| c.status == "True")
}

/// A condition with its stamps.
pub(in crate::plan) fn condition(
    earlier: &[Condition],
    name: &str,
    fact: Fact,
    generation: i64,
    now: Timestamp,
) -> Condition {
    let since = find(earlier, name)
        .filter(|c| c.status == fact.status)
        .map_or_else(|| Time(to_the_second(now)), |c| c.last_transition_time.clone());
    Condition {
        type_: name.to_owned(),
        status: fact.status.to_owned(),
        reason: fact.reason,
        message: bounded(&fact.message, MESSAGE),
        observed_generation: Some(generation),
        last_transition_time: since,
    }
}

/// The API server keeps seconds in `lastTransitionTime`; more would never compare equal with what was read back.
pub fn to_the_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The bound of `message` in meta/v1 Condition.
const MESSAGE: usize = 32_768;

/// A text cut to at most `bytes` bytes, at a character.
pub fn bounded(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
