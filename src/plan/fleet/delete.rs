//! Letting a fleet go: stopped by the rules, out of its stacks, deleted.

use std::time::Duration;

use crate::api::common::{Impact, PendingChange};
use crate::plan::leave::{Going, way_out};
use crate::plan::life::{self, look, stalled};
use crate::plan::looked::Looked;
use crate::plan::reason::{Verdict, Waiting};
use crate::plan::report::{self, Known, Report};
use crate::plan::{News, Next, Plan};

use super::report::Shown;
use super::state::{AssociatedStack, FleetFacts, FleetLook, Power};
use super::stop::{self, Gate};
use super::wanted::Wanted;
use super::{FleetCall, FleetKind};

/// Decides for a fleet of ours that is to go.
pub fn leave(going: &Going<'_, FleetKind>) -> Plan<FleetKind> {
    let (input, state) = (going.input, going.state);
    let (Some(stacks), Some(facts)) = (&state.stacks, &state.fleet) else {
        return look(input, [FleetLook::Tags, FleetLook::Stacks].into());
    };
    let stacks = match (stacks, &facts.power) {
        (Looked::Found(stacks), _) => stacks.as_slice(),
        (Looked::Refused(refusal), Power::Stopped) => {
            return going.wait(Waiting::AccessDenied, &refusal.text(), life::AWHILE);
        }
        // Whether it may be stopped is told by the look at sessions.
        (Looked::Refused(_), Power::Starting | Power::Running | Power::Stopping | Power::Unrecognised(_)) => &[],
    };
    // The stop comes first: sessions can only be listed by a stack that the fleet is associated with.
    let joined = joined(stacks);
    match &facts.power {
        Power::Stopped if !stacks.is_empty() => {
            let text = format!("the fleet {joined}: take it out first");
            going.wait(Waiting::DependencyNotReady, &text, Duration::from_secs(15))
        }
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
            Ok(wanted) => stop(going, &wanted, facts, &hint(stacks, &joined)),
        },
    }
}

fn joined(stacks: &[AssociatedStack]) -> String {
    let names: Vec<&str> = stacks.iter().map(|s| s.name.as_str()).collect();
    format!("is associated with stack {}", names.join(", "))
}

fn hint(stacks: &[AssociatedStack], joined: &str) -> String {
    let way_out = way_out::<FleetKind>();
    match stacks {
        [] => way_out,
        [..] => format!("; the fleet {joined}, which must let it go before it is deleted{way_out}"),
    }
}

/// What a deletion is called in `pendingChanges`: its `since` is what `forceAfter` counts from, and a pause, or a policy that
/// forbids the stop, begins it anew.
const DELETION: &str = "metadata.deletionTimestamp";

fn deletion(going: &Going<'_, FleetKind>, facts: &FleetFacts, waits: &str) -> PendingChange {
    report::pending(going.input, DELETION, facts.power.as_str(), "Deleted", Impact::None, Some(waits.to_owned()))
}

fn stop(going: &Going<'_, FleetKind>, wanted: &Wanted<'_>, facts: &FleetFacts, hint: &str) -> Plan<FleetKind> {
    let (input, name) = (going.input, facts.name.clone());
    let since = report::since(input, DELETION, "Deleted", false);
    match stop::gate(wanted, going.state, facts, input, since) {
        Gate::Look(what) => look(input, [what, FleetLook::Tags, FleetLook::Stacks].into()),
        Gate::Open => {
            let news = News::done("Stopped", "Stop", format!("stopped fleet {name} to delete it"));
            going.send_hinting(FleetCall::Stop(name), "stopping the fleet", Some(news), hint)
        }
        Gate::Drain(call) | Gate::Held { drain: Some(call), .. } => {
            let news = News::done("Draining", "Update", format!("set the capacity of fleet {name} to 0 to delete it"));
            let plan = going.send_hinting(call, "keeping new users out", Some(news), hint);
            waited_for(plan, deletion(going, facts, "keeping new users out"))
        }
        Gate::Draining => {
            let verdict = Verdict::Working(Waiting::Deleting, format!("waiting for unused instances to go{hint}"));
            let changes = vec![deletion(going, facts, "waiting for unused instances to go")];
            let report = Report { changes, ..Report::new(input, Known::There(facts), verdict) };
            Plan { next: Next::Wait(Duration::from_secs(5)), status: report.status(), news: Vec::new() }
        }
        Gate::Held { why, message, sessions, drain: None, closed: _, again } => {
            let changes = vec![deletion(going, facts, &message)];
            let verdict = Verdict::Working(why, format!("{message} before the fleet is deleted{hint}"));
            let news = report::news(input, "Delete", &verdict);
            let shown = Shown { sessions, ..Shown::default() };
            let report = Report { shown, changes, ..Report::new(input, Known::There(facts), verdict) };
            Plan { next: Next::Wait(again), status: report.status(), news }
        }
    }
}

fn waited_for(mut plan: Plan<FleetKind>, change: PendingChange) -> Plan<FleetKind> {
    plan.status.pending_changes = vec![change];
    plan
}
