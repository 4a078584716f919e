//! A write that AWS answered and yet never shows: it is not made for ever.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::life::{AWHILE, Life, decide, look};
use super::report;
use super::{Answered, Call, Class, Failure, Input, Kind, Next, Plan, Seen, Status};

/// How long after its answer an update may be missing from reads: AWS publishes no lag; tools that poll AppStream use 10 to
/// 30 s, and the engine itself holds the same write back for 15 s.
const SHOWN: Duration = Duration::from_secs(20);

/// The last write of each operation that AWS answered, newest first, where a read that began then may not show it yet.
pub fn lately<'a, K: Kind>(input: &Input<'a, K>, began: Timestamp) -> impl Iterator<Item = &'a K::Call> {
    input.answered.iter().filter(move |answered| may_lag(answered, began)).map(|answered| &answered.call)
}

/// Whether a read that began then may not show it yet.
pub fn may_lag<K: Kind>(answered: &Answered<K>, began: Timestamp) -> bool {
    began <= shown_at(answered)
}

/// When reads show it, if they ever will.
fn shown_at<K: Kind>(answered: &Answered<K>) -> Timestamp {
    answered.at.checked_add(SHOWN).unwrap_or(answered.at)
}

/// How soon to look again until then.
const AGAIN: Duration = Duration::from_secs(2);

/// What a call changes of what is there, for the question whether AWS shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// Nothing that a look would show: the call is made again when it is needed again.
    Nothing,
    /// These spec paths; a difference that came after the answer is drift, and is mended.
    Fields(Vec<&'static str>),
    /// What no spec path says: the same call again is a repetition, unless another came between.
    Itself,
}

/// What became of a write that AWS answered and does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate<L> {
    /// Not known yet: look.
    Look(BTreeSet<L>),
    /// AWS could not carry it out, in AWS's words; it may be tried again after this long.
    Failed {
        /// AWS's code.
        code: String,
        /// AWS's words.
        message: String,
        /// How long it is until another try.
        again: Duration,
    },
    /// AWS does not say.
    Untold,
}

/// The plan; where it would make the very write that AWS has answered, what became of that comes first: one that AWS could
/// not carry out is said and waited for, and an update of which AWS says nothing counts as refused.
pub fn plan<K: Life>(input: &Input<'_, K>) -> Plan<K> {
    let plan = decide(input);
    let (Next::Send(call), Seen::Found(state)) = (&plan.next, input.seen) else { return plan };
    let asked_again = report::asked_again::<K>(input.object, K::earlier(input.object).last_handled());
    let answered = input.answered.iter().find(|answered| answered.call == *call && !call.creates() && !asked_again);
    let Some(answered) = answered else { return plan };
    let newest = input.answered.first() == Some(answered);
    let repeats = repeats(&plan, call, answered.at, newest);
    if may_lag(answered, K::found(state).began) {
        return if repeats { Plan { next: Next::Wait(AGAIN), news: Vec::new(), ..plan } } else { plan };
    }
    let failed = |class, code: String, message: String| Failure {
        call: Some(answered.call.clone()),
        operation: answered.call.operation().into(),
        class,
        code,
        message,
        generation: report::generation(input.object),
        since: answered.at,
        at: input.now,
    };
    let (failure, again) = match K::fate(state, answered, input.now) {
        Fate::Look(looks) => return look(input, looks),
        Fate::Failed { code, message, again } => (failed(Class::Busy, code, message), again),
        Fate::Untold if repeats => {
            let message = "AWS accepted the update, yet does not show it".into();
            (failed(Class::Rejected, "NoEffect".into(), message), AWHILE)
        }
        Fate::Untold => return plan,
    };
    let plan = decide(&Input { failure: Some(&failure), ..*input });
    match &plan.next {
        // Nothing else can be done about it for now; a person may edit the spec or ask for another try.
        Next::Send(call) if *call == answered.call && !again.is_zero() => {
            Plan { next: Next::Wait(again.clamp(AGAIN, AWHILE)), news: Vec::new(), ..plan }
        }
        Next::Send(_) | Next::Keep(_) | Next::Look(_) | Next::Wait(_) | Next::Settled(_) | Next::Release => plan,
    }
}

/// Whether this update is the answered one again, for a difference that has been there since before it.
fn repeats<K: Life>(plan: &Plan<K>, call: &K::Call, answered: Timestamp, newest: bool) -> bool {
    match K::changes(call) {
        Changes::Nothing => false,
        Changes::Itself => newest,
        Changes::Fields(paths) => plan
            .status
            .pending_changes()
            .iter()
            .any(|change| change.since <= answered && paths.contains(&change.field.as_str())),
    }
}
