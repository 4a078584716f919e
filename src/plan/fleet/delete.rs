//! Letting a fleet go: stopped by the rules, deleted, seen to be gone; only then is the object released.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::common::{DeletionPolicy, ManagementPolicy};
use crate::plan::ownership::{self, Owner, PREFIX};
use crate::plan::reason::{Stall, Verdict, Waiting};
use crate::plan::{Class, Input, News, Next, Plan, Scope, Seen, UNCERTAINTY};

use super::report::{self, Known, Report};
use super::run::done;
use super::state::{AssociatedStack, FleetFacts, FleetLook, FleetState, Power, Tagged};
use super::stop::{self, Gate};
use super::wanted::{Policies, Wanted};
use super::{FleetCall, FleetKind, believed, look, moved, stalled, waiting};

/// What every message that waits on a deletion says.
const WAY_OUT: &str = " (deletionPolicy: Retain lets the object go and leaves the fleet)";

/// Decides for an object that is being deleted since then.
pub fn plan(input: &Input<'_, FleetKind>, since: Timestamp) -> Plan<FleetKind> {
    let policies = Policies::read(&input.object.spec);
    let stamps = report::earlier(input.object);
    if stamps.arn.is_none() && stamps.internal.intent.is_none() {
        return release(input, "nothing was made in AWS");
    }
    match (policies.deletion, policies.management, policies.protected) {
        (DeletionPolicy::Retain, ManagementPolicy::Manage, _) => return retain(input, since),
        (DeletionPolicy::Delete | DeletionPolicy::Retain, ManagementPolicy::Observe, _) => {
            return release(input, "managementPolicy is Observe: the fleet is left as it is");
        }
        (DeletionPolicy::Delete, ManagementPolicy::Manage, true) => {
            let text = format!("deletionProtection is true: nothing is deleted in AWS{WAY_OUT}");
            let verdict = Verdict::Working(Waiting::DeletionProtected, text);
            return waiting(input, None, Known::Nothing, verdict, super::AWHILE);
        }
        (DeletionPolicy::Delete, ManagementPolicy::Manage, false) => {}
    }
    match (input.seen, input.scope) {
        (Seen::NotLooked, _) => look(input, BTreeSet::new()),
        (Seen::NotAllowed(text), _) => {
            stalled(input, None, Known::Nothing, Stall::NotAllowed, format!("{text}{WAY_OUT}"))
        }
        (Seen::Unknown, _) | (Seen::Found(_), None) => unseen(input),
        (Seen::Found(state), Some(scope)) => match (moved(input.object, scope), &state.fleet) {
            (Some(text), _) => stalled(input, None, Known::Nothing, Stall::AccountMoved, format!("{text}{WAY_OUT}")),
            (None, None) => gone(input, since, state),
            (None, Some(facts)) => there(input, since, scope, state, facts),
        },
    }
}

fn release(input: &Input<'_, FleetKind>, why: &str) -> Plan<FleetKind> {
    let note = done("Released", "Release", format!("let the object go: {why}"));
    Plan { next: Next::Release, status: report::earlier(input.object).clone(), news: vec![note] }
}

fn unseen(input: &Input<'_, FleetKind>) -> Plan<FleetKind> {
    let status = report::unseen(input, None, WAY_OUT);
    Plan { next: Next::Wait(super::AWHILE), status, news: Vec::new() }
}

/// `Retain` always lets go; our tags are taken off as best we can: what passes by itself is waited out for a minute.
fn retain(input: &Input<'_, FleetKind>, since: Timestamp) -> Plan<FleetKind> {
    let left = "deletionPolicy is Retain: the fleet stays in AWS";
    let passing = input.failure.is_some_and(|f| match f.class {
        Class::Throttled | Class::Busy | Class::Unavailable | Class::InUse | Class::NotSent => true,
        Class::NotFound | Class::AlreadyExists | Class::QuotaExceeded | Class::AccessDenied | Class::Rejected => false,
    });
    let patient = passing && report::elapsed(since, input.now) < UNCERTAINTY;
    match (input.seen, input.scope) {
        (Seen::NotLooked, _) => look(input, [FleetLook::Tags].into()),
        (Seen::Unknown, _) if patient => unseen(input),
        (Seen::Found(state), Some(scope)) => {
            let tried = input.failure.is_some_and(|f| matches!(f.call, Some(FleetCall::Untag { .. })));
            let (Some(facts), Some(tagged)) = (&state.fleet, &state.tags) else { return release(input, left) };
            if tagged.began < input.now {
                return look(input, [FleetLook::Tags].into());
            }
            match ownership::owner::<FleetKind>(scope, input.object, &tagged.tags) {
                Owner::Ours if !tried || patient => {
                    let keys = tagged.tags.keys().filter(|key| key.starts_with(PREFIX)).cloned().collect();
                    let call = FleetCall::Untag { arn: facts.arn.clone(), keys };
                    send(input, facts, call, "taking the ownership tags off the fleet", None)
                }
                Owner::Ours | Owner::Nobody | Owner::Restored | Owner::Other => release(input, left),
            }
        }
        (Seen::Found(_), None) | (Seen::NotAllowed(_) | Seen::Unknown, _) => release(input, left),
    }
}

/// No such fleet: believed only from a read that began long enough after anything that could still bring one about.
fn gone(input: &Input<'_, FleetKind>, since: Timestamp, state: &FleetState) -> Plan<FleetKind> {
    let intent = report::earlier(input.object).internal.intent.as_ref().map_or(since, |i| i.at);
    match believed(state.began, input.quiet_since.max(since).max(intent)) {
        Ok(()) => {
            let note = done("Deleted", "Delete", "the fleet is gone from AWS".into());
            Plan { next: Next::Release, status: report::earlier(input.object).clone(), news: vec![note] }
        }
        Err(rest) => {
            let verdict = Verdict::Working(Waiting::Deleting, format!("making sure that the fleet is gone{WAY_OUT}"));
            waiting(input, None, Known::Absent, verdict, rest.min(Duration::from_secs(15)))
        }
    }
}

fn there(
    input: &Input<'_, FleetKind>,
    since: Timestamp,
    scope: &Scope,
    state: &FleetState,
    facts: &FleetFacts,
) -> Plan<FleetKind> {
    let known = Known::Fleet(facts);
    let Some(tagged) = state.tags.as_ref().filter(|t| t.began >= input.now) else {
        return look(input, [FleetLook::Tags, FleetLook::Stacks].into());
    };
    match ownership::owner::<FleetKind>(scope, input.object, &tagged.tags) {
        Owner::Ours => {}
        owner @ (Owner::Nobody | Owner::Restored | Owner::Other) => {
            return not_ours(input, since, state, facts, (owner, tagged));
        }
    }
    let Some(stacks) = &state.stacks else {
        return look(input, [FleetLook::Tags, FleetLook::Stacks].into());
    };
    // The stop comes first: sessions can only be listed by a stack that the fleet is associated with.
    let joined = joined(stacks);
    match &facts.power {
        Power::Stopped if !stacks.is_empty() => {
            let text = format!("the fleet {joined}: take it out first{WAY_OUT}");
            let verdict = Verdict::Working(Waiting::DependencyNotReady, text);
            waiting(input, None, known, verdict, Duration::from_secs(15))
        }
        Power::Stopped => {
            let call = FleetCall::Delete(facts.name.clone());
            let news = done("Deleting", "Delete", format!("deleted fleet {}", facts.name));
            send(input, facts, call, "deleting the fleet", Some(news))
        }
        Power::Stopping => {
            let verdict = Verdict::Working(Waiting::Deleting, format!("AWS is stopping the fleet{WAY_OUT}"));
            waiting(input, None, known, verdict, Duration::from_secs(5))
        }
        Power::Unrecognised(word) => {
            let verdict = Verdict::Working(Waiting::UnknownState, format!("AWS reports the state {word}{WAY_OUT}"));
            waiting(input, None, known, verdict, super::AWHILE)
        }
        Power::Starting | Power::Running => match Wanted::leaving(input.object, facts.name.clone(), input.now) {
            Err((why, text)) => stalled(input, None, known, why, format!("{text}{WAY_OUT}")),
            Ok(wanted) => stop(input, since, &wanted, state, facts, &hint(stacks, &joined)),
        },
    }
}

fn joined(stacks: &[AssociatedStack]) -> String {
    let names: Vec<&str> = stacks.iter().map(|s| s.name.as_str()).collect();
    format!("is associated with stack {}", names.join(", "))
}

fn hint(stacks: &[AssociatedStack], joined: &str) -> String {
    match stacks {
        [] => WAY_OUT.to_owned(),
        [..] => format!("; the fleet {joined}, which must let it go before it is deleted{WAY_OUT}"),
    }
}

/// A fleet of that name without our tags. One that was never ours, or another under the old name, is left alone; one that
/// was ours and lost its tags is not deleted by guess.
fn not_ours(
    input: &Input<'_, FleetKind>,
    since: Timestamp,
    state: &FleetState,
    facts: &FleetFacts,
    (owner, tagged): (Owner, &Tagged),
) -> Plan<FleetKind> {
    let stamps = report::earlier(input.object);
    let intent = stamps.internal.intent.as_ref().map_or(since, |i| i.at);
    let another = stamps.created_time.is_some() && stamps.created_time != facts.created_time;
    let lost = || {
        let text = format!("fleet {} has lost its ownership tags, so it is not deleted{WAY_OUT}", facts.name);
        stalled(input, None, Known::Foreign, Stall::NotOwned, text)
    };
    match (owner, stamps.arn.is_some() && !another) {
        // Another cluster's id beside our own uid: the operator's id was changed, or somebody wrote the tag.
        (Owner::Other, _) if ownership::has_uid_of::<FleetKind>(input.object, &tagged.tags) => lost(),
        (Owner::Nobody, true) if super::just_made(input, facts, tagged).is_some() => {
            let text = format!("AWS does not show the tags of the new fleet yet{WAY_OUT}");
            let verdict = Verdict::Working(Waiting::Deleting, text);
            waiting(input, None, Known::Foreign, verdict, Duration::from_secs(2))
        }
        // Names are unique: if somebody else has it, then we do not, once nothing of ours can be under way.
        (Owner::Other, _) | (Owner::Nobody | Owner::Restored, false) => {
            match believed(state.began, input.quiet_since.max(since).max(intent)) {
                Ok(()) => release(input, "the fleet of that name is not ours"),
                Err(rest) => {
                    let text = format!("making sure that the fleet of that name is not ours{WAY_OUT}");
                    let verdict = Verdict::Working(Waiting::Deleting, text);
                    waiting(input, None, Known::Foreign, verdict, rest.min(Duration::from_secs(15)))
                }
            }
        }
        (Owner::Nobody | Owner::Restored, true) => lost(),
        (Owner::Ours, _) => look(input, [FleetLook::Tags].into()),
    }
}

fn stop(
    input: &Input<'_, FleetKind>,
    since: Timestamp,
    wanted: &Wanted<'_>,
    state: &FleetState,
    facts: &FleetFacts,
    hint: &str,
) -> Plan<FleetKind> {
    let name = facts.name.clone();
    match stop::gate(wanted, state, facts, input, since) {
        Gate::Look(what) => look(input, [what, FleetLook::Tags, FleetLook::Stacks].into()),
        Gate::Open => {
            let news = done("Stopped", "Stop", format!("stopped fleet {name} to delete it"));
            send_hinting(input, facts, FleetCall::Stop(name), "stopping the fleet", Some(news), hint)
        }
        Gate::Drain(call) | Gate::Held { drain: Some(call), .. } => {
            let news = done("Draining", "Update", format!("set the capacity of fleet {name} to 0 to delete it"));
            send_hinting(input, facts, call, "keeping new users out", Some(news), hint)
        }
        Gate::Draining => {
            let verdict = Verdict::Working(Waiting::Deleting, format!("waiting for unused instances to go{hint}"));
            waiting(input, None, Known::Fleet(facts), verdict, Duration::from_secs(5))
        }
        Gate::Held { why, message, sessions, drain: None, closed: _, again } => {
            let verdict = Verdict::Working(why, format!("{message} before the fleet is deleted{hint}"));
            let news = report::news(input, "Delete", &verdict);
            let report = Report { sessions, ..Report::new(input, Known::Fleet(facts), verdict) };
            Plan { next: Next::Wait(again), status: report.status(), news }
        }
    }
}

fn send(
    input: &Input<'_, FleetKind>,
    facts: &FleetFacts,
    call: FleetCall,
    text: &str,
    news: Option<News>,
) -> Plan<FleetKind> {
    send_hinting(input, facts, call, text, news, WAY_OUT)
}

fn send_hinting(
    input: &Input<'_, FleetKind>,
    facts: &FleetFacts,
    call: FleetCall,
    text: &str,
    news: Option<News>,
    hint: &str,
) -> Plan<FleetKind> {
    let failed = input.failure.filter(|f| f.call.as_ref() == Some(&call) && report::of_now(f, input));
    let shown = failed.and_then(|f| report::trouble(f, input.now));
    let verdict = shown.unwrap_or_else(|| Verdict::Working(Waiting::Deleting, text.to_owned())).hinting(hint);
    let status = Report::new(input, Known::Fleet(facts), verdict).status();
    Plan { next: Next::Send(call), status, news: news.into_iter().collect() }
}
