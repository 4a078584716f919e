//! A write that AWS answered and yet never shows: it is not made for ever.

use std::time::Duration;

use crate::api::RECONCILE_REQUESTED_AT;
use crate::plan::{Answered, Class, Failure, Input, Next, Plan, Seen};
use kube::ResourceExt;

use super::diff::Field;
use super::report;
use super::{FleetCall, FleetKind, FleetPatch};

/// How long after its answer an update may be missing from reads: AWS publishes no lag; tools that poll AppStream use 10 to
/// 30 s, and the engine itself holds the same write back for 15 s.
const SHOWN: Duration = Duration::from_secs(20);
/// How soon to look again until then.
const AGAIN: Duration = Duration::from_secs(2);

/// The plan; where it would make the very update that AWS has answered, that update counts as refused.
pub fn plan(input: &Input<'_, FleetKind>) -> Plan<FleetKind> {
    let plan = super::decide(input);
    let (Next::Send(FleetCall::Update(patch)), Some(answered), Seen::Found(state)) =
        (&plan.next, input.answered, input.seen)
    else {
        return plan;
    };
    if !repeats(input, &plan, patch, answered) {
        return plan;
    }
    if state.began <= answered.at.checked_add(SHOWN).unwrap_or(answered.at) {
        return Plan { next: Next::Wait(AGAIN), news: Vec::new(), ..plan };
    }
    let failure = Failure {
        call: Some(answered.call.clone()),
        operation: "UpdateFleet".into(),
        class: Class::Rejected,
        code: "NoEffect".into(),
        message: "AWS accepted the update, yet does not show it".into(),
        generation: input.object.metadata.generation.unwrap_or_default(),
        since: answered.at,
        at: input.now,
    };
    let plan = super::decide(&Input { failure: Some(&failure), ..*input });
    match &plan.next {
        // Nothing else can be done about it; a person may edit the spec or ask for another try.
        Next::Send(call) if *call == answered.call => {
            Plan { next: Next::Wait(super::AWHILE), news: Vec::new(), ..plan }
        }
        Next::Send(_) | Next::Look(_) | Next::Wait(_) | Next::Settled(_) | Next::Release => plan,
    }
}

/// Whether this update is the answered one again, for a difference that has been there since before it. One that came later
/// is drift, and is mended.
fn repeats(
    input: &Input<'_, FleetKind>,
    plan: &Plan<FleetKind>,
    patch: &FleetPatch,
    answered: &Answered<FleetKind>,
) -> bool {
    let asked = input.object.annotations().get(RECONCILE_REQUESTED_AT);
    let asked_again = asked.is_some() && asked != report::earlier(input.object).last_handled_reconcile_at.as_ref();
    let same = matches!(&answered.call, FleetCall::Update(sent) if **sent == *patch);
    let drain =
        patch.set.compute_capacity.as_ref().is_some_and(|c| c.desired_instances.or(c.desired_sessions) == Some(0));
    let sends = |path: &str| {
        Field::ALL.into_iter().any(|f| {
            f.path() == path
                && (f.value(&patch.set).is_some() || f.clearing().is_some_and(|c| patch.clear.contains(&c)))
        })
    };
    let known = plan.status.pending_changes.iter().any(|c| c.since <= answered.at && sends(&c.field));
    same && !asked_again && (drain || known)
}
