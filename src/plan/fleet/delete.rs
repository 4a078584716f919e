//! Letting a fleet go: out of its stacks, stopped by the rules, deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::api::common::{Impact, PendingChange};
use crate::api::fleet::{ComputeCapacity, FleetSettings};
use crate::plan::leave::{DELETION, Going, way_out};
use crate::plan::life::{self, look, stalled};
use crate::plan::looked::Looked;
use crate::plan::reason::{Verdict, Waiting};
use crate::plan::report::{self, Known, Report};
use crate::plan::{Input, News, Next, Plan};

use super::draft::{CLOSING, EMPTYING};
use super::report::Shown;
use super::state::{AssociatedStack, FleetFacts, FleetLook, Power};
use super::stop::{self, Gate};
use super::wanted::Wanted;
use super::{FleetCall, FleetKind, FleetPatch};

/// Decides for a fleet of ours that is to go.
pub fn leave(going: &Going<'_, FleetKind>) -> Plan<FleetKind> {
    let (input, state) = (going.input, going.state);
    let (Some(stacks), Some(facts)) = (&state.stacks, &state.fleet) else {
        return look(input, [FleetLook::Tags, FleetLook::Stacks].into());
    };
    // Stacks come first: while one uses the fleet its users can come, and a deletion by mistake must not cut them off.
    match stacks {
        Looked::Refused(refusal) => return going.held(refusal.verdict(input.now), life::AWHILE),
        Looked::Found(stacks) if !stacks.is_empty() => {
            let text = format!("the fleet {}: take it out first", joined(stacks));
            return going.wait(Waiting::DependencyNotReady, &text, Duration::from_secs(15));
        }
        Looked::Found(_) => {}
    }
    match &facts.power {
        Power::Stopped => {
            let call = FleetCall::Delete(facts.name.clone());
            let news = News::done("Deleting", "Delete", format!("deleted fleet {}", facts.name));
            going.send(call, "deleting the fleet", Some(news))
        }
        Power::Stopping => going.wait(Waiting::Deleting, "AWS is stopping the fleet", Duration::from_secs(5)),
        Power::Unrecognised(word) => {
            going.wait(Waiting::UnknownState, &format!("AWS reports the state {word}"), life::AWHILE)
        }
        Power::Starting | Power::Running => match Wanted::leaving(input.object, facts.name.clone(), input.now) {
            Err((why, text)) => {
                let text = format!("{text}{}", way_out::<FleetKind>());
                stalled(input, Shown::default(), Known::There(facts), why, text)
            }
            Ok(wanted) => stop(going, &wanted, facts),
        },
    }
}

fn joined(stacks: &[AssociatedStack]) -> String {
    let names: Vec<&str> = stacks.iter().map(|s| s.name.as_str()).collect();
    format!("is associated with stack {}", names.join(", "))
}

fn deletion(going: &Going<'_, FleetKind>, facts: &FleetFacts, waits: &str) -> PendingChange {
    report::pending(going.input, DELETION, facts.power.as_str(), "Deleted", Impact::None, Some(waits.to_owned()))
}

fn stop(going: &Going<'_, FleetKind>, wanted: &Wanted<'_>, facts: &FleetFacts) -> Plan<FleetKind> {
    let (input, name, hint) = (going.input, facts.name.clone(), way_out::<FleetKind>());
    let since = report::since(input, DELETION, "Deleted", false);
    match stop::gate(wanted, going.state, facts, input, since) {
        Gate::Look(what) => look(input, [what, FleetLook::Tags, FleetLook::Stacks].into()),
        Gate::Open => {
            let news = News::done("Stopped", "Stop", format!("stopped fleet {name} to delete it"));
            going.send(FleetCall::Stop(name), "stopping the fleet", Some(news))
        }
        Gate::Drain(call) | Gate::Held { drain: Some(call), .. } => {
            let news = News::done("Draining", "Update", format!("set the capacity of fleet {name} to 0 to delete it"));
            let plan = going.send(call, "keeping new users out", Some(news));
            draining(plan, deletion(going, facts, CLOSING), facts)
        }
        Gate::Draining => {
            let verdict = Verdict::Working(Waiting::Deleting, format!("waiting for unused instances to go{hint}"));
            let changes = vec![deletion(going, facts, EMPTYING)];
            let report = Report { changes, ..Report::new(input, Known::There(facts), verdict) };
            Plan { next: Next::Wait(Duration::from_secs(5)), status: report.status(), news: Vec::new() }
        }
        Gate::Held { verdict, sessions, drain: None, closed: _, again } => {
            let changes = vec![deletion(going, facts, verdict.message())];
            let verdict = verdict.hinting(&format!(" before the fleet is deleted{hint}"));
            let news = report::news(input, "Delete", &verdict);
            let shown = Shown { sessions, ..Shown::default() };
            let report = Report { shown, changes, ..Report::new(input, Known::There(facts), verdict) };
            Plan { next: Next::Wait(again), status: report.status(), news }
        }
    }
}

fn draining(mut plan: Plan<FleetKind>, change: PendingChange, facts: &FleetFacts) -> Plan<FleetKind> {
    plan.status.pending_changes = vec![change];
    // What is taken away is given back if the fleet is to stay after all.
    let from = Some(stop::desired(facts)).filter(|n| *n > 0);
    plan.status.internal.drained_from = from.or(plan.status.internal.drained_from);
    plan
}

/// The write that gives back what a drain took, before a fleet is left to itself.
pub fn give_back(input: &Input<'_, FleetKind>, facts: &FleetFacts) -> Option<FleetCall> {
    let from = super::report::earlier(input.object).internal.drained_from?;
    let capacity = match stop::shared(facts) {
        true => ComputeCapacity { desired_sessions: Some(from), desired_instances: None },
        false => ComputeCapacity { desired_instances: Some(from), desired_sessions: None },
    };
    let set = FleetSettings { compute_capacity: Some(capacity), ..FleetSettings::default() };
    let settled = matches!(facts.power, Power::Running | Power::Stopped);
    (settled && stop::desired(facts) == 0)
        .then(|| FleetCall::Update(Box::new(FleetPatch { name: facts.name.clone(), set, clear: BTreeSet::new() })))
}
