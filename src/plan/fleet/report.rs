//! What a pass shows: the whole status of a Fleet.

use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::common::{Impact, PendingChange};
use crate::api::fleet::{DesiredState, FleetError, FleetStatus, Internal, SessionsStatus};
use crate::api::{Arn, Fleet};
use crate::plan::conditions::{self, Fact, bounded, to_the_second};
use crate::plan::reason::{Stall, Verdict, Waiting};
use crate::plan::{Class, Failure, Input, News};

use super::FleetKind;
use super::diff;
use super::draft::{DRAINED, OBSERVED, ON_STOP};
use super::state::{FleetFacts, Power};
use super::stop::NEVER;
use super::wanted::Wanted;

/// How long AWS's errors, or its refusal of our identity, must last to count as something that only a person can mend.
pub const TEN_MINUTES: Duration = Duration::from_secs(600);
/// How long AWS may be unreadable before a fleet that was Ready is no longer called so: shorter troubles pass unseen.
const UNSEEN: Duration = Duration::from_secs(300);
/// The same for a fleet that was not Ready: the reason why does not give way to a passing one.
const NOT_READY_UNSEEN: Duration = Duration::from_secs(30);

/// What is known of AWS for a report.
#[derive(Debug, Clone, Copy)]
pub enum Known<'a> {
    /// Nothing new: what the status said stays.
    Nothing,
    /// There is no such fleet.
    Absent,
    /// There is one of that name, and it is not ours.
    Foreign,
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
            internal: earlier.internal.clone(),
            arn: earlier.arn.clone(),
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
            ..facts(&self.known, earlier)
        };
        if let Known::Fleet(facts) = self.known
            && !same_answer(earlier, facts)
        {
            status.internal.state_since = Some(to_the_second(now));
        }
        let synced = match object.metadata.deletion_timestamp {
            // Nothing is compared any more.
            Some(_) => Fact::no(self.verdict.reason(), self.verdict.message()),
            None => synced(&self.known, &self.changes, &self.verdict),
        };
        let drained = self.changes.iter().any(|c| c.waiting_for.as_deref() == Some(DRAINED));
        let available = match drained {
            true => Fact::no(self.verdict.reason(), format!("the capacity is {DRAINED}")),
            false => available(self.wanted, &self.known, earlier, &self.verdict),
        };
        status.conditions =
            conditions::conditions(&earlier.conditions, generation, now, &self.verdict, available, synced);
        status.pending_changes = self.changes;
        status
    }
}

/// The status as the object has it.
pub fn earlier(object: &Fleet) -> &FleetStatus {
    static NONE: LazyLock<FleetStatus> = LazyLock::new(FleetStatus::default);
    object.status.as_ref().unwrap_or_else(|| &NONE)
}

fn facts(known: &Known<'_>, earlier: &FleetStatus) -> FleetStatus {
    match known {
        Known::Nothing => earlier.clone(),
        // When ours was created tells it from another that comes under its name.
        Known::Absent | Known::Foreign => FleetStatus { created_time: earlier.created_time, ..FleetStatus::default() },
        Known::Fleet(facts) => FleetStatus {
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

/// How long ago something was; nothing for what is still to come.
pub fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or(Duration::ZERO)
}

fn available(wanted: Option<&Wanted<'_>>, known: &Known<'_>, earlier: &FleetStatus, verdict: &Verdict) -> Fact {
    let (reason, message) = (verdict.reason(), verdict.message());
    let as_before = || match conditions::find(&earlier.conditions, "Available") {
        Some(before) if before.status == "True" => Fact::yes(before.reason.clone(), before.message.clone()),
        Some(_) | None => Fact::no(reason.clone(), message),
    };
    match (known, wanted.map(|w| w.power)) {
        (Known::Nothing, _) => as_before(),
        (Known::Absent | Known::Foreign, _) => Fact::no(reason, message),
        (Known::Fleet(facts), None) => match usable(DesiredState::Running, facts) {
            true => as_before(),
            false => Fact::no(reason, message),
        },
        (Known::Fleet(facts), Some(power)) => match (usable(power, facts), power) {
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
        (Known::Absent | Known::Foreign | Known::Nothing, _) => Fact::no(verdict.reason(), verdict.message()),
    }
}

/// The longest that AWS's words are shown at: a status has three places for them, and an object has 1.5 MiB in all.
pub const WORDS: usize = 1024;

/// Whether the same operation has failed in the same way for ten minutes.
pub fn lasting(failure: &Failure<FleetKind>) -> bool {
    elapsed(failure.since, failure.at) >= TEN_MINUTES
}

/// Whether a failure is of the generation that is carried out now: an older one says nothing of what was mended.
pub fn of_now(failure: &Failure<FleetKind>, input: &Input<'_, FleetKind>) -> bool {
    failure.generation == input.object.metadata.generation.unwrap_or_default()
}

/// What a failure says, if it is worth showing.
pub fn trouble(failure: &Failure<FleetKind>, now: Timestamp) -> Option<Verdict> {
    let words = bounded(&format!("{}: {}: {}", failure.operation, failure.code, failure.message), WORDS);
    let lasting = elapsed(failure.since, now) >= TEN_MINUTES;
    match failure.class {
        Class::Throttled => Some(Verdict::Working(Waiting::Throttled, words)),
        Class::Busy => Some(Verdict::Working(Waiting::AwsBusy, words)),
        Class::QuotaExceeded => Some(Verdict::Working(Waiting::QuotaExceeded, words)),
        Class::AccessDenied if lasting => Some(Verdict::Stalled(Stall::AccessDenied, words)),
        Class::AccessDenied => Some(Verdict::Working(Waiting::AccessDenied, words)),
        // No edit of the spec mends a read.
        Class::Rejected if failure.call.is_none() => Some(Verdict::Working(Waiting::AwsUnavailable, words)),
        Class::Rejected => Some(Verdict::Stalled(Stall::Rejected, words)),
        Class::Unavailable => Some(Verdict::Working(Waiting::AwsUnavailable, words)),
        Class::NotFound => Some(Verdict::Working(Waiting::DependencyNotReady, words)),
        // In the ordinary case the next look tells; what lasts is worth knowing.
        Class::AlreadyExists | Class::InUse if lasting => Some(Verdict::Working(Waiting::AwsBusy, words)),
        Class::AlreadyExists | Class::InUse | Class::NotSent => None,
    }
}

/// The status while AWS cannot be read: what was said of this generation stays for a while, longer if it was Ready.
pub fn unseen(input: &Input<'_, FleetKind>, wanted: Option<&Wanted<'_>>, hint: &str) -> FleetStatus {
    let before = earlier(input.object);
    let failure = input.failure;
    let age = failure.map_or(Duration::ZERO, |f| elapsed(f.since, input.now));
    let ready = conditions::find(&before.conditions, "Ready")
        .filter(|c| c.observed_generation == input.object.metadata.generation);
    let patience = match ready {
        Some(ready) if ready.status == "True" => UNSEEN,
        Some(_) => NOT_READY_UNSEEN,
        None => Duration::ZERO,
    };
    let paused = conditions::find(&before.conditions, "Paused").is_some();
    if age < patience && !paused {
        return before.clone();
    }
    let quiet = || Verdict::Working(Waiting::AwsUnavailable, "AWS could not be read".into());
    let verdict = failure.and_then(|f| trouble(f, input.now)).unwrap_or_else(quiet).hinting(hint);
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
    let waiting_for = waiting_for.map(|text| bounded(&text, WORDS));
    let left = left_alone(impact, waiting_for.as_deref());
    PendingChange {
        field: field.to_owned(),
        from: bounded(from, diff::SHORT),
        to: bounded(to, diff::SHORT),
        impact,
        waiting_for,
        since: since(input, field, to, left),
    }
}

/// Since when a difference is known, or, if it was `left` alone at first, since when it is to be carried out: `forceAfter`
/// must not count the time in which nobody was asked to leave.
pub fn since(input: &Input<'_, FleetKind>, field: &str, to: &str, left: bool) -> Timestamp {
    let before = input.object.status.as_ref().map(|s| s.pending_changes.as_slice()).unwrap_or_default();
    let paused = conditions::find(&earlier(input.object).conditions, "Paused").is_some();
    before
        .iter()
        .find(|c| {
            !paused && c.field == field && c.to == to && (left || !left_alone(c.impact, c.waiting_for.as_deref()))
        })
        .map_or_else(|| to_the_second(input.now), |c| c.since)
}

fn left_alone(impact: Impact, waiting_for: Option<&str>) -> bool {
    impact == Impact::Refused || waiting_for.is_some_and(|wait| [ON_STOP, OBSERVED, NEVER].contains(&wait))
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
