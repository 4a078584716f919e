//! What a pass shows: the whole status of a Fleet.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::common::{Impact, PendingChange};
use crate::api::fleet::{DesiredState, FleetStatus, Internal, SessionsStatus};
use crate::api::{Arn, Fleet};
use crate::plan::conditions::{self, Fact, bounded, to_the_second};
use crate::plan::reason::{Stall, Verdict, Waiting};
use crate::plan::{Class, Failure, Input, News};

use super::FleetKind;
use super::state::{FleetFacts, Power};
use super::wanted::Wanted;

/// How long AWS's errors, or its refusal of our identity, must last to count as something that only a person can mend.
pub const TEN_MINUTES: Duration = Duration::from_secs(600);
/// How long AWS may be unreadable before a fleet that was Ready is no longer called so: shorter troubles pass unseen.
const UNSEEN: Duration = Duration::from_secs(300);

/// What is known of AWS for a report.
#[derive(Debug, Clone, Copy)]
pub enum Known<'a> {
    /// Nothing new: what the status said stays.
    Nothing,
    /// There is no such fleet of ours.
    Absent,
    /// This.
    Fleet(&'a FleetFacts),
}

/// Everything that goes into a status.
#[derive(Debug)]
pub struct Report<'a> {
    /// The pass.
    pub input: &'a Input<'a, FleetKind>,
    /// What the object asks for; `None` when that cannot be told.
    pub wanted: Option<&'a Wanted<'a>>,
    /// What is known of AWS.
    pub known: Known<'a>,
    /// The differences.
    pub changes: Vec<PendingChange>,
    /// The sessions that a stop waits for.
    pub sessions: Option<SessionsStatus>,
    /// The stamps to keep.
    pub internal: Internal,
    /// The ARN to keep.
    pub arn: Option<Arn>,
    /// The outcome.
    pub verdict: Verdict,
}

impl<'a> Report<'a> {
    /// A report that keeps the stamps as they are.
    pub fn new(input: &'a Input<'a, FleetKind>, known: Known<'a>, verdict: Verdict) -> Self {
        let earlier = earlier(input.object);
        Self {
            input,
            wanted: None,
            known,
            changes: Vec::new(),
            sessions: None,
            internal: earlier.internal,
            arn: earlier.arn,
            verdict,
        }
    }

    /// The status.
    pub fn status(self) -> FleetStatus {
        let (now, object) = (self.input.now, self.input.object);
        let earlier = earlier(object);
        let generation = object.metadata.generation.unwrap_or_default();
        let mut status = FleetStatus {
            observed_generation: generation,
            last_handled_reconcile_at: earlier.last_handled_reconcile_at.clone(),
            arn: self.arn,
            selector: object.uid().map(|uid| format!("windlass.dev/uid={uid}")),
            sessions: self.sessions,
            next_transition: self.wanted.and_then(|w| w.next.clone()),
            internal: self.internal,
            ..facts(&self.known, &earlier)
        };
        if let Known::Fleet(facts) = self.known
            && (earlier.state.as_deref() != Some(facts.power.as_str()) || earlier.fleet_errors != facts.errors)
        {
            status.internal.state_since = Some(to_the_second(now));
        }
        let synced = synced(&self.known, &self.changes, &self.verdict);
        let available = available(self.wanted, &self.known, &earlier, &self.verdict);
        status.conditions =
            conditions::conditions(&earlier.conditions, generation, now, &self.verdict, available, synced);
        status.pending_changes = self.changes;
        status
    }
}

/// The status as the object has it.
pub fn earlier(object: &Fleet) -> FleetStatus {
    object.status.clone().unwrap_or_default()
}

fn facts(known: &Known<'_>, earlier: &FleetStatus) -> FleetStatus {
    match known {
        Known::Nothing => earlier.clone(),
        Known::Absent => FleetStatus::default(),
        Known::Fleet(facts) => FleetStatus {
            name: Some(facts.name.to_string()),
            state: Some(facts.power.as_str().to_owned()),
            instance_type: facts.settings.instance_type.clone(),
            image_name: facts.settings.image_name.as_ref().map(ToString::to_string),
            image_arn: facts.settings.image_arn.as_ref().map(ToString::to_string),
            platform: facts.settings.platform.clone(),
            created_time: facts.created_time,
            capacity: Some(facts.capacity.clone()),
            fleet_errors: facts.errors.clone(),
            ..FleetStatus::default()
        },
    }
}

fn available(wanted: Option<&Wanted<'_>>, known: &Known<'_>, earlier: &FleetStatus, verdict: &Verdict) -> Fact {
    let (reason, message) = (verdict.reason(), verdict.message());
    match (known, wanted.map(|w| w.power)) {
        (Known::Nothing, _) | (Known::Fleet(_), None) => match conditions::find(&earlier.conditions, "Available") {
            Some(before) if before.status == "True" => Fact::yes(before.reason.clone(), before.message.clone()),
            Some(_) | None => Fact::no(reason, message),
        },
        (Known::Absent, _) => Fact::no(reason, message),
        (Known::Fleet(facts), Some(power)) => match (power, &facts.power) {
            (DesiredState::Running, Power::Running) if without_capacity(facts) => {
                Fact::no(Waiting::FleetErrors.to_string(), errors(facts))
            }
            (DesiredState::Running, Power::Running) => Fact::yes("Running", "the fleet is RUNNING"),
            (DesiredState::Stopped, Power::Stopped) => Fact::yes("Stopped", "the fleet is STOPPED, as wanted"),
            (
                DesiredState::Running | DesiredState::Stopped,
                Power::Running | Power::Stopped | Power::Starting | Power::Stopping | Power::Unrecognised(_),
            ) => Fact::no(reason, message),
        },
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

fn synced(known: &Known<'_>, changes: &[PendingChange], verdict: &Verdict) -> Fact {
    match (known, changes) {
        (Known::Fleet(_), []) => match verdict {
            Verdict::Stalled(
                why @ (Stall::InvalidSpec
                | Stall::NotOwned
                | Stall::NotAllowed
                | Stall::AccountMoved
                | Stall::ImmutableDiffers),
                text,
            ) => Fact::no(why.to_string(), text.clone()),
            Verdict::Ready(_) | Verdict::Working(..) | Verdict::Stalled(..) => {
                Fact::yes("Synced", "AWS equals the spec")
            }
        },
        (Known::Fleet(_), changes) => {
            let mut waits: Vec<&str> = changes.iter().filter_map(|c| c.waiting_for.as_deref()).collect();
            waits.dedup();
            let fields: Vec<&str> = changes.iter().map(|c| c.field.as_str()).collect();
            let wait = if waits.is_empty() { String::new() } else { format!(": {}", waits.join("; ")) };
            Fact::no("Differs", format!("{}{wait}", fields.join(", ")))
        }
        (Known::Absent | Known::Nothing, _) => Fact::no(verdict.reason(), verdict.message()),
    }
}

/// What a failure says, if it is worth showing.
pub fn trouble(failure: &Failure<FleetKind>, now: Timestamp) -> Option<Verdict> {
    let words = bounded(&format!("{}: {}: {}", failure.operation, failure.code, failure.message), 1024);
    let lasting = now.duration_since(failure.since).unsigned_abs() >= TEN_MINUTES;
    match failure.class {
        Class::Throttled => Some(Verdict::Working(Waiting::Throttled, words)),
        Class::Busy => Some(Verdict::Working(Waiting::AwsBusy, words)),
        Class::QuotaExceeded => Some(Verdict::Working(Waiting::QuotaExceeded, words)),
        Class::AccessDenied if lasting => Some(Verdict::Stalled(Stall::AccessDenied, words)),
        Class::AccessDenied => Some(Verdict::Working(Waiting::AccessDenied, words)),
        Class::Rejected => Some(Verdict::Stalled(Stall::Rejected, words)),
        Class::Unavailable => Some(Verdict::Working(Waiting::AwsUnavailable, words)),
        Class::NotFound => Some(Verdict::Working(Waiting::DependencyNotReady, words)),
        Class::AlreadyExists | Class::InUse | Class::NotSent => None,
    }
}

/// The status while AWS cannot be read: what was Ready stays so for five minutes.
pub fn unseen(input: &Input<'_, FleetKind>, wanted: Option<&Wanted<'_>>) -> FleetStatus {
    let before = earlier(input.object);
    let failure = input.failure;
    let since = failure.map_or(input.now, |f| f.since);
    let ready = conditions::find(&before.conditions, "Ready");
    let was_ready =
        ready.is_some_and(|c| c.status == "True" && c.observed_generation == input.object.metadata.generation);
    if was_ready && input.now.duration_since(since).unsigned_abs() < UNSEEN {
        return before;
    }
    let quiet = || Verdict::Working(Waiting::AwsUnavailable, "AWS could not be read".into());
    let verdict = failure.and_then(|f| trouble(f, input.now)).unwrap_or_else(quiet);
    Report { wanted, changes: before.pending_changes.clone(), ..Report::new(input, Known::Nothing, verdict) }.status()
}

/// One pending change, first seen now or earlier.
pub fn pending(
    input: &Input<'_, FleetKind>,
    field: &str,
    from: &str,
    to: &str,
    impact: Impact,
    waiting_for: Option<String>,
) -> PendingChange {
    PendingChange {
        field: field.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        impact,
        waiting_for,
        since: since(input, field, to),
    }
}

/// Since when a difference is known.
pub fn since(input: &Input<'_, FleetKind>, field: &str, to: &str) -> Timestamp {
    let before = input.object.status.as_ref().map(|s| s.pending_changes.as_slice()).unwrap_or_default();
    before.iter().find(|c| c.field == field && c.to == to).map_or_else(|| to_the_second(input.now), |c| c.since)
}

/// News, unless the status already said so.
pub fn news(input: &Input<'_, FleetKind>, action: &'static str, verdict: &Verdict) -> Vec<News> {
    let earlier = input.object.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    let said = conditions::find(earlier, "Ready")
        .is_some_and(|c| c.reason == verdict.reason() && c.message == verdict.message());
    let (reason, warning) = match verdict {
        Verdict::Ready(_) => return Vec::new(),
        Verdict::Working(
            Waiting::QuotaExceeded
            | Waiting::AccessDenied
            | Waiting::FleetErrors
            | Waiting::DeletionProtected
            | Waiting::DependencyNotReady
            | Waiting::UnknownState,
            _,
        )
        | Verdict::Stalled(..) => (verdict.reason(), true),
        Verdict::Working(Waiting::WaitingForSessions | Waiting::WaitingForWindow | Waiting::DisruptionNever, _) => {
            (verdict.reason(), false)
        }
        Verdict::Working(
            Waiting::Creating
            | Waiting::Starting
            | Waiting::Stopping
            | Waiting::Updating
            | Waiting::Deleting
            | Waiting::Throttled
            | Waiting::AwsUnavailable
            | Waiting::AwsBusy,
            _,
        ) => return Vec::new(),
    };
    if said { Vec::new() } else { vec![News { reason, action, warning, note: bounded(verdict.message(), 1024) }] }
}
