//! A write that AWS answered and yet never shows: it is not made for ever.

use std::time::Duration;

use super::life::{AWHILE, Life, decide};
use super::report;
use super::{Answered, Call, Class, Failure, Input, Next, Plan, Seen, Status};

/// How long after its answer an update may be missing from reads: AWS publishes no lag; tools that poll AppStream use 10 to
/// 30 s, and the engine itself holds the same write back for 15 s.
const SHOWN: Duration = Duration::from_secs(20);
/// How soon to look again until then.
const AGAIN: Duration = Duration::from_secs(2);

/// What a call changes of what is there, for the question whether AWS shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// Nothing that a look would show: the call is made again when it is needed again.
    Nothing,
    /// These spec paths; a difference that came after the answer is drift, and is mended.
    Fields(Vec<&'static str>),
    /// What no spec path says: the same call again is always a repetition.
    Itself,
}

/// The plan; where it would make the very update that AWS has answered, that update counts as refused.
pub fn plan<K: Life>(input: &Input<'_, K>) -> Plan<K> {
    let plan = decide(input);
    let (Next::Send(call), Some(answered), Seen::Found(state)) = (&plan.next, input.answered, input.seen) else {
        return plan;
    };
    if !repeats(input, &plan, call, answered) {
        return plan;
    }
    if K::found(state).began <= answered.at.checked_add(SHOWN).unwrap_or(answered.at) {
        return Plan { next: Next::Wait(AGAIN), news: Vec::new(), ..plan };
    }
    let failure = Failure {
        call: Some(answered.call.clone()),
        operation: answered.call.operation().into(),
        class: Class::Rejected,
        code: "NoEffect".into(),
        message: "AWS accepted the update, yet does not show it".into(),
        generation: report::generation(input.object),
        since: answered.at,
        at: input.now,
    };
    let plan = decide(&Input { failure: Some(&failure), ..*input });
    match &plan.next {
        // Nothing else can be done about it; a person may edit the spec or ask for another try.
        Next::Send(call) if *call == answered.call => Plan { next: Next::Wait(AWHILE), news: Vec::new(), ..plan },
        Next::Send(_) | Next::Keep(_) | Next::Look(_) | Next::Wait(_) | Next::Settled(_) | Next::Release => plan,
    }
}

/// Whether this update is the answered one again, for a difference that has been there since before it.
fn repeats<K: Life>(input: &Input<'_, K>, plan: &Plan<K>, call: &K::Call, answered: &Answered<K>) -> bool {
    if *call != answered.call || report::asked_again::<K>(input.object, K::earlier(input.object).last_handled()) {
        return false;
    }
    match K::changes(call) {
        Changes::Nothing => false,
        Changes::Itself => true,
        Changes::Fields(paths) => plan
            .status
            .pending_changes()
            .iter()
            .any(|change| change.since <= answered.at && paths.contains(&change.field.as_str())),
    }
}
