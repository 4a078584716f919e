//! A spec that cannot be read, over a fleet that we were restarting: it is brought back up as it is, and nothing else is done.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::api::common::ManagementPolicy;
use crate::api::fleet::{ComputeCapacity, DesiredState, FleetSettings};
use crate::plan::life::{AWHILE, Policies, look, moved, stalled};
use crate::plan::ownership::{self, Owner};
use crate::plan::reason::{Stall, Verdict};
use crate::plan::report::{Known, Report, failed};
use crate::plan::{Input, News, Next, Plan, Seen};

use super::draft::{BEING_STOPPED, CLOSING, DRAINED, EMPTYING};
use super::report::{self as shown, Shown};
use super::state::{FleetFacts, FleetLook, Power};
use super::stop::{desired, shared};
use super::{FleetCall, FleetKind, FleetPatch, diff};

/// Stalled by what is wrong with the spec; a fleet that was being restarted is started first.
pub fn plan(input: &Input<'_, FleetKind>, why: Stall, text: String) -> Plan<FleetKind> {
    let nothing = |text| stalled(input, Shown::default(), Known::Nothing, why, text);
    if !restarting(input) {
        return nothing(text);
    }
    let (state, scope) = match (input.seen, input.scope) {
        (Seen::NotLooked, _) => return look(input, [FleetLook::Tags].into()),
        (Seen::Found(state), Some(scope)) if moved(input, scope).is_none() => (state, scope),
        (Seen::Unknown, _) => return kept(input, Known::Nothing, why, text, Next::Wait(AWHILE)),
        (Seen::Found(_) | Seen::NotAllowed(_), _) => return nothing(text),
    };
    let Some(facts) = &state.fleet else { return nothing(text) };
    let Some(tagged) = state.tags.as_ref().filter(|t| t.began >= input.now) else {
        return look(input, [FleetLook::Tags].into());
    };
    match ownership::owner::<FleetKind>(scope, input.object, &tagged.tags) {
        Owner::Ours => back_up(input, facts, why, text),
        Owner::Nobody | Owner::Restored | Owner::Other => nothing(text),
    }
}

/// Whether the earlier passes were restarting the fleet, not turning it off.
fn restarting(input: &Input<'_, FleetKind>) -> bool {
    let spec = &input.object.spec;
    let changes = &shown::earlier(input.object).pending_changes;
    let power = |to: &str| changes.iter().any(|c| c.field == "desiredState" && c.to == to);
    let stops = [BEING_STOPPED, CLOSING, EMPTYING, DRAINED];
    let stopping = changes.iter().any(|c| c.waiting_for.as_deref().is_some_and(|wait| stops.contains(&wait)));
    spec.desired_state == DesiredState::Running
        && Policies::of::<FleetKind>(input.object).management == ManagementPolicy::Manage
        && (power("Running") || stopping && !power("Stopped"))
}

fn back_up(input: &Input<'_, FleetKind>, facts: &FleetFacts, why: Stall, text: String) -> Plan<FleetKind> {
    let start = FleetCall::Start(facts.name.clone());
    let capacity = capacity(input, facts).filter(|call| !failed(input, call));
    let (next, news) = match (&facts.power, capacity) {
        (Power::Stopped | Power::Running, Some(call)) => {
            let note = format!("gave fleet {} its capacity back", facts.name);
            (Next::Send(call), vec![News::done("Updated", "Update", note)])
        }
        (Power::Stopped, None) => {
            let note = format!("started fleet {}", facts.name);
            (Next::Send(start), vec![News::done("Started", "Start", note)])
        }
        (Power::Starting | Power::Stopping, _) => (Next::Wait(Duration::from_secs(5)), Vec::new()),
        (Power::Running | Power::Unrecognised(_), _) => {
            return stalled(input, Shown::default(), Known::There(facts), why, text);
        }
    };
    Plan { news, ..kept(input, Known::There(facts), why, text, next) }
}

/// Stalled, with the changes as they were: until the fleet is up they say that it was being restarted.
fn kept(
    input: &Input<'_, FleetKind>,
    known: Known<'_, FleetFacts>,
    why: Stall,
    text: String,
    next: Next<FleetKind>,
) -> Plan<FleetKind> {
    let changes = shown::earlier(input.object).pending_changes.clone();
    let status = Report { changes, ..Report::new(input, known, Verdict::Stalled(why, text)) }.status();
    Plan { next, status, news: Vec::new() }
}

/// The update that gives back what a drain took.
fn capacity(input: &Input<'_, FleetKind>, facts: &FleetFacts) -> Option<FleetCall> {
    let wish = input.object.spec.settings.compute_capacity.clone()?;
    let back = match (shared(facts), wish.desired_instances, wish.desired_sessions) {
        (_, Some(0), _) | (_, _, Some(0)) => return None,
        (false, Some(n), _) => ComputeCapacity { desired_instances: Some(n), desired_sessions: None },
        (true, _, Some(n)) => ComputeCapacity { desired_instances: None, desired_sessions: Some(n) },
        (false, None, _) | (true, _, None) => diff::first_capacity(&facts.settings),
    };
    let set = FleetSettings { compute_capacity: Some(back), ..FleetSettings::default() };
    let patch = FleetPatch { name: facts.name.clone(), set, clear: BTreeSet::new() };
    (desired(facts) == 0).then(|| FleetCall::Update(Box::new(patch)))
}
