//! What a pass shows of a fleet: AWS's facts, and whether users can use it.

use std::sync::LazyLock;

use kube::ResourceExt;

use crate::api::Fleet;
use crate::api::fleet::{DesiredState, FleetError, FleetStatus, NextTransition, SessionsStatus};
use crate::plan::conditions::{Fact, bounded, to_the_second};
use crate::plan::reason::Waiting;
use crate::plan::report::{self, Known, WORDS};

use super::FleetKind;
use super::draft::DRAINED;
use super::state::{FleetFacts, Power};

type Report<'a> = report::Report<'a, FleetKind>;

/// What the status shows besides facts and changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shown {
    /// The power state that is wanted; `None` when that cannot be told.
    pub power: Option<DesiredState>,
    /// When the schedule changes it next.
    pub next: Option<NextTransition>,
    /// The sessions that a stop waits for.
    pub sessions: Option<SessionsStatus>,
}

/// The status.
pub fn status(report: Report<'_>) -> FleetStatus {
    let (now, object) = (report.input.now, report.input.object);
    let earlier = earlier(object);
    let drained = report.changes.iter().any(|c| c.waiting_for.as_deref() == Some(DRAINED));
    let available = match drained {
        true => Fact::no(report.verdict.reason(), format!("the capacity is {DRAINED}")),
        false => available(&report),
    };
    let mut status = FleetStatus {
        observed_generation: report::generation(object),
        last_handled_reconcile_at: earlier.last_handled_reconcile_at.clone(),
        conditions: report.conditions(available),
        arn: report.arn,
        selector: object.uid().map(|uid| format!("windlass.dev/uid={uid}")),
        pending_changes: report.changes,
        sessions: report.shown.sessions,
        next_transition: report.shown.next,
        internal: report.stamps,
        ..facts(&report.known, earlier)
    };
    if let Known::There(facts) = report.known
        && !same_answer(earlier, facts)
    {
        status.internal.state_since = Some(to_the_second(now));
    }
    status
}

/// The status as the object has it.
pub fn earlier(object: &Fleet) -> &FleetStatus {
    static NONE: LazyLock<FleetStatus> = LazyLock::new(FleetStatus::default);
    object.status.as_ref().unwrap_or_else(|| &NONE)
}

fn facts(known: &Known<'_, FleetFacts>, earlier: &FleetStatus) -> FleetStatus {
    match known {
        Known::Nothing => earlier.clone(),
        // When ours was created tells it from another that comes under its name.
        Known::Absent | Known::Foreign => FleetStatus { created_time: earlier.created_time, ..FleetStatus::default() },
        Known::There(facts) => FleetStatus {
            name: Some(facts.name.to_string()),
            state: Some(state(facts)),
            instance_type: facts.settings.instance_type.as_deref().map(|text| bounded(text, 256)),
            image_name: facts.settings.image_name.as_ref().map(ToString::to_string),
            image_arn: facts.settings.image_arn.as_ref().map(ToString::to_string),
            platform: facts.settings.platform.as_deref().map(|text| bounded(text, 128)),
            created_time: facts.created_time,
            capacity: Some(facts.capacity.clone()),
            fleet_errors: fleet_errors(facts),
            ..FleetStatus::default()
        },
    }
}

/// AWS's state within the bound of `status.state`.
fn state(facts: &FleetFacts) -> String {
    bounded(facts.power.as_str(), 64)
}

/// AWS's errors within the bounds of `status.fleetErrors`; far shorter ones in truth, since a status has its own bound.
fn fleet_errors(facts: &FleetFacts) -> Vec<FleetError> {
    let short = |e: &FleetError| FleetError { code: bounded(&e.code, 256), message: bounded(&e.message, WORDS) };
    facts.errors.iter().take(100).map(short).collect()
}

/// Whether AWS says of the fleet what the status said already, in state and errors.
pub fn same_answer(earlier: &FleetStatus, facts: &FleetFacts) -> bool {
    earlier.state.as_ref() == Some(&state(facts)) && earlier.fleet_errors == fleet_errors(facts)
}

fn available(report: &Report<'_>) -> Fact {
    let (reason, message) = (report.verdict.reason(), report.verdict.message());
    match (&report.known, report.shown.power) {
        (Known::Nothing, _) => report.available_as_before(),
        (Known::Absent | Known::Foreign, _) => Fact::no(reason, message),
        (Known::There(facts), None) => match usable(DesiredState::Running, facts) {
            true => report.available_as_before(),
            false => Fact::no(reason, message),
        },
        (Known::There(facts), Some(power)) => match (usable(power, facts), power) {
            (true, DesiredState::Running) => Fact::yes("Running", "the fleet is RUNNING"),
            (true, DesiredState::Stopped) => Fact::yes("Stopped", "the fleet is STOPPED, as wanted"),
            (false, DesiredState::Running) if without_capacity(facts) => {
                Fact::no(Waiting::FleetErrors.to_string(), errors(facts))
            }
            (false, DesiredState::Running | DesiredState::Stopped) => Fact::no(reason, message),
        },
    }
}

/// Whether the fleet is in the power state that is wanted, and users can use it if that is on.
pub fn usable(power: DesiredState, facts: &FleetFacts) -> bool {
    match (power, &facts.power) {
        (DesiredState::Running, Power::Running) => !without_capacity(facts),
        (DesiredState::Stopped, Power::Stopped) => true,
        (DesiredState::Running, Power::Stopped | Power::Starting | Power::Stopping | Power::Unrecognised(_))
        | (DesiredState::Stopped, Power::Running | Power::Starting | Power::Stopping | Power::Unrecognised(_)) => false,
    }
}

/// RUNNING, yet AWS reports errors and no instance: nobody can use it.
pub fn without_capacity(facts: &FleetFacts) -> bool {
    !facts.errors.is_empty() && facts.capacity.desired > 0 && facts.capacity.running == Some(0)
}

/// AWS's errors in one line.
pub fn errors(facts: &FleetFacts) -> String {
    let all: Vec<String> = facts.errors.iter().map(|e| format!("{}: {}", e.code, e.message)).collect();
    format!("AWS reports {}", bounded(&all.join("; "), 2048))
}
