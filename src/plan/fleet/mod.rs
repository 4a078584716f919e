//! The rules of a Fleet: what is wanted against what AWS says, one write at a time.
//!
//! While RUNNING only `displayName` and `computeCapacity` are sent (or AWS's documented list, where the spec opts in).
//! Everything else needs a STOPPED fleet, and every stop goes through [`stop::gate`].

pub mod beside;
pub mod call;
pub mod delete;
pub mod diff;
mod draft;
pub mod image;
pub mod report;
pub mod run;
pub mod state;
pub mod stop;
mod unreadable;
mod unshown;
pub mod wanted;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use crate::api::common::{AdoptionPolicy, ManagementPolicy, PendingChange, RecreatePolicy};
use crate::api::fleet::{Applied, Fleet, FleetStatus, FleetType};
use crate::api::{Arn, Intent, PAUSED};

use super::conditions::{self, to_the_second};
use super::ownership::{self, Owner};
use super::reason::{Stall, Verdict, Waiting};
use super::{Class, Face, Input, Kind, Next, Plan, Reply, Scope, Seen, Status, UNCERTAINTY};

pub use call::{AttributeToDelete, FleetCall, FleetCreate, FleetPatch};
pub use state::{
    AssociatedStack, FleetFacts, FleetLook, FleetState, ImageFacts, ImageRef, Power, SessionFacts, Tagged,
};

use report::{Known, Report};
use wanted::{Policies, Wanted};

/// The kind Fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetKind;

impl Kind for FleetKind {
    const NAME: &'static str = "Fleet.appstream.windlass.dev";
    type Object = Fleet;
    type Status = FleetStatus;
    type State = FleetState;
    type Look = FleetLook;
    type Call = FleetCall;

    fn plan(input: &Input<'_, Self>) -> Plan<Self> {
        unshown::plan(input)
    }

    fn after(status: &FleetStatus, call: &FleetCall, reply: &Reply) -> Option<FleetStatus> {
        match call {
            FleetCall::Create(_) => {
                let arn = reply.arn.clone()?;
                Some(FleetStatus { arn: Some(arn), ..status.clone() })
            }
            // AWS may put a value of its own where one was cleared (a default security group): it is not ours to clear again.
            FleetCall::Update(patch) if !patch.clear.is_empty() => {
                let mut status = status.clone();
                let cleared = |path: &String| {
                    diff::Field::ALL
                        .into_iter()
                        .any(|f| f.path() == path && f.clearing().is_some_and(|c| patch.clear.contains(&c)))
                        // The whole takes its part with it.
                        || path == diff::Field::SecurityGroupIds.path()
                            && patch.clear.contains(&AttributeToDelete::VpcConfiguration)
                };
                status.internal.applied.fields.retain(|path| !cleared(path));
                Some(status)
            }
            FleetCall::Update(_)
            | FleetCall::Start(_)
            | FleetCall::Stop(_)
            | FleetCall::Delete(_)
            | FleetCall::Tag { .. }
            | FleetCall::Untag { .. }
            | FleetCall::AssociateApplication { .. }
            | FleetCall::DisassociateApplication { .. } => None,
        }
    }

    fn face(object: &Fleet) -> Face {
        let status = report::earlier(object);
        Face {
            uid: object.uid().unwrap_or_default(),
            aws_name: object.spec.name.as_ref().map_or_else(|| object.name_any(), ToString::to_string),
            arn: status.arn.clone(),
            address: None,
            available: conditions::find(&status.conditions, "Available").is_some_and(|c| c.status == "True"),
            deleting: object.metadata.deletion_timestamp.is_some(),
        }
    }
}

/// One plan from what is seen, taken at its word.
fn decide(input: &Input<'_, FleetKind>) -> Plan<FleetKind> {
    let object = input.object;
    if object.annotations().get(PAUSED).is_some_and(|value| value == "true") {
        return paused(input);
    }
    if let Some(since) = wanted::deleting(object) {
        return delete::plan(input, since);
    }
    let wanted = match Wanted::read(object, input.now) {
        Ok(wanted) => wanted,
        Err((why, text)) => return unreadable::plan(input, why, text),
    };
    match (input.seen, input.scope) {
        (Seen::NotLooked, _) => look(input, BTreeSet::new()),
        (Seen::NotAllowed(text), _) => stalled(input, Some(&wanted), Known::Nothing, Stall::NotAllowed, text.clone()),
        (Seen::Unknown, _) | (Seen::Found(_), None) => unseen(input, &wanted),
        (Seen::Found(state), Some(scope)) => match (moved(object, scope), &state.fleet) {
            (Some(text), _) => stalled(input, Some(&wanted), Known::Nothing, Stall::AccountMoved, text),
            (None, None) => absent(input, &wanted, scope, state),
            (None, Some(facts)) => present(input, &wanted, scope, state, facts),
        },
    }
}

impl Status for FleetStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
    fn arn(&self) -> Option<&Arn> {
        self.arn.as_ref()
    }
    fn intent(&self) -> Option<&Intent> {
        self.internal.intent.as_ref()
    }
    fn pending_changes(&self) -> &[PendingChange] {
        &self.pending_changes
    }
    fn same_stamps(&self, other: &Self) -> bool {
        self.internal == other.internal && self.arn == other.arn
    }
    fn with_counts_of(mut self, other: &Self) -> Self {
        if let (Some(mine), Some(theirs)) = (&mut self.capacity, &other.capacity)
            && mine.desired == theirs.desired
            && mine.desired_user_sessions == theirs.desired_user_sessions
        {
            mine.clone_from(theirs);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.sessions, &other.sessions) {
            mine.clone_from(theirs);
        }
        self
    }
    fn with_last_handled(mut self, value: Option<String>) -> Self {
        self.last_handled_reconcile_at = value;
        self
    }
}

fn paused(input: &Input<'_, FleetKind>) -> Plan<FleetKind> {
    let mut status = report::earlier(input.object).clone();
    let generation = input.object.metadata.generation.unwrap_or_default();
    if status.conditions.is_empty() {
        status.observed_generation = generation;
    }
    status.conditions = conditions::paused(&status.conditions, generation, input.now);
    Plan { next: Next::Settled(None), status, news: Vec::new() }
}

fn look(input: &Input<'_, FleetKind>, looks: BTreeSet<FleetLook>) -> Plan<FleetKind> {
    Plan { next: Next::Look(looks), status: report::earlier(input.object).clone(), news: Vec::new() }
}

fn stalled(
    input: &Input<'_, FleetKind>,
    wanted: Option<&Wanted<'_>>,
    known: Known<'_>,
    why: Stall,
    text: String,
) -> Plan<FleetKind> {
    let verdict = Verdict::Stalled(why, text);
    let news = report::news(input, "Reconcile", &verdict);
    let status = Report { wanted, ..Report::new(input, known, verdict) }.status();
    Plan { next: Next::Settled(None), status, news }
}

fn waiting(
    input: &Input<'_, FleetKind>,
    wanted: Option<&Wanted<'_>>,
    known: Known<'_>,
    verdict: Verdict,
    again: Duration,
) -> Plan<FleetKind> {
    let news = report::news(input, "Reconcile", &verdict);
    let status = Report { wanted, ..Report::new(input, known, verdict) }.status();
    Plan { next: Next::Wait(again), status, news }
}

fn unseen(input: &Input<'_, FleetKind>, wanted: &Wanted<'_>) -> Plan<FleetKind> {
    Plan { next: Next::Wait(SOON), status: report::unseen(input, Some(wanted), ""), news: Vec::new() }
}

/// How soon to look again after AWS could not be read: the backoff of the failure is what really counts.
const SOON: Duration = Duration::from_secs(1);

/// How long to leave AWS alone where nothing is expected to change soon; the backoff of a failure may be longer.
pub const AWHILE: Duration = Duration::from_secs(30);

/// A sentence if the object's resource lives elsewhere than the object says now.
pub fn moved(object: &Fleet, scope: &Scope) -> Option<String> {
    let arn = object.status.as_ref()?.arn.as_ref()?;
    let (was, now) = ((arn.account(), arn.region()), (scope.account.as_str(), scope.region.as_str()));
    (was != now).then(|| {
        format!(
            "the fleet lives in account {} in {}, but this object now says account {} in {}: set them back, or delete this object with deletionPolicy: Retain and create another",
            was.0, was.1, now.0, now.1
        )
    })
}

/// Whether "there is none" can be believed, `since` being the latest thing that could still bring one about. Otherwise
/// how long to wait.
pub fn believed(began: Timestamp, since: Timestamp) -> Result<(), Duration> {
    let sure = since.checked_add(UNCERTAINTY).unwrap_or(Timestamp::MAX);
    if began >= sure { Ok(()) } else { Err(sure.duration_since(began).unsigned_abs()) }
}

/// There is no fleet of that name.
fn absent(input: &Input<'_, FleetKind>, wanted: &Wanted<'_>, scope: &Scope, state: &FleetState) -> Plan<FleetKind> {
    let policies = Policies::read(wanted.spec());
    let stamps = report::earlier(input.object);
    // A create that AWS refused left nothing behind.
    let intent = stamps.internal.intent.as_ref().map(|i| i.at).filter(|at| !refused_since(input, *at));
    let since = intent.map_or(input.quiet_since, |at| at.max(input.quiet_since));
    let believed = believed(state.began, since);
    match (policies.management, &stamps.arn, intent, believed, policies.recreate) {
        (ManagementPolicy::Observe, _, _, _, _) => {
            let verdict = Verdict::Working(Waiting::DependencyNotReady, format!("there is no fleet {}", wanted.name));
            waiting(input, Some(wanted), Known::Absent, verdict, AWHILE)
        }
        // The first create waits for nothing; a second one for certainty that the first left nothing behind.
        (ManagementPolicy::Manage, None, None, _, _) | (ManagementPolicy::Manage, None, Some(_), Ok(()), _) => {
            create(input, wanted, scope, state)
        }
        (ManagementPolicy::Manage, Some(_), _, Ok(()), RecreatePolicy::Always) => create(input, wanted, scope, state),
        (ManagementPolicy::Manage, Some(_), _, Ok(()), RecreatePolicy::Never) => {
            let text = "the fleet was deleted in AWS and recreatePolicy is Never".into();
            stalled(input, Some(wanted), Known::Absent, Stall::DeletedOutOfBand, text)
        }
        (ManagementPolicy::Manage, arn, intent, Err(rest), _) => {
            let text = match (arn, intent) {
                (_, Some(_)) => "AWS does not show the new fleet yet",
                (Some(_) | None, None) => "AWS does not show the fleet any more: making sure that it is gone",
            };
            let verdict = Verdict::Working(Waiting::Creating, text.into());
            // What a lost answer left behind shows up soon: look often, not only at the end.
            waiting(input, Some(wanted), Known::Absent, verdict, rest.min(Duration::from_secs(5)))
        }
    }
}

/// Whether AWS refused a create after that: then it did not happen.
fn refused_since(input: &Input<'_, FleetKind>, at: Timestamp) -> bool {
    input.failure.is_some_and(|f| {
        let refused = match f.class {
            Class::Rejected
            | Class::QuotaExceeded
            | Class::AccessDenied
            | Class::NotFound
            | Class::InUse
            | Class::Throttled
            | Class::Busy
            | Class::NotSent => true,
            Class::AlreadyExists | Class::Unavailable => false,
        };
        matches!(f.call, Some(FleetCall::Create(_))) && refused && f.at >= at
    })
}

fn create(input: &Input<'_, FleetKind>, wanted: &Wanted<'_>, scope: &Scope, state: &FleetState) -> Plan<FleetKind> {
    if let Some(text) = forbidden_role(wanted, scope) {
        return stalled(input, Some(wanted), Known::Absent, Stall::NotAllowed, text);
    }
    match image::image_usable(wanted, state) {
        image::ImageUse::Look => return look(input, [FleetLook::Image].into()),
        image::ImageUse::Not(text) => {
            let plan = stalled(input, Some(wanted), Known::Absent, Stall::ImageNotUsable, text);
            return Plan { next: Next::Wait(AWHILE), ..plan };
        }
        image::ImageUse::NotYet(text) => {
            let verdict = Verdict::Working(Waiting::DependencyNotReady, text);
            return waiting(input, Some(wanted), Known::Absent, verdict, AWHILE);
        }
        image::ImageUse::Usable => {}
    }
    let generation = input.object.metadata.generation.unwrap_or_default();
    let failed = input.failure.filter(|f| f.operation == "CreateFleet");
    let verdict = failed
        .filter(|f| f.generation == generation)
        .and_then(|f| report::trouble(f, input.now))
        .unwrap_or_else(|| Verdict::Working(Waiting::Creating, "creating the fleet".into()));
    let news = report::news(input, "Create", &verdict);
    let mut report = Report { wanted: Some(wanted), ..Report::new(input, Known::Absent, verdict) };
    match failed.map(|f| f.class) {
        // Refused for good: the same request would be refused again. A person may mend it outside, so it is tried once in a while.
        Some(Class::Rejected) if failed.is_some_and(|f| f.generation == generation && !old(f.at, input.now)) => {
            // Often enough to see that somebody else has made it.
            return Plan { next: Next::Wait(AWHILE), status: report.status(), news };
        }
        // The name is taken, yet not shown: by a create of ours whose answer was lost, or by somebody.
        Some(Class::AlreadyExists) if failed.is_some_and(|f| state.began <= f.at) => {
            return Plan { next: Next::Wait(Duration::from_secs(2)), status: report.status(), news };
        }
        Some(_) | None => {}
    }
    let at = to_the_second(input.now);
    report.internal.intent = Some(Intent { name: wanted.name.to_string(), at });
    // What was remembered of the fleet that is gone says nothing about the new one.
    report.internal.applied = Applied::default();
    report.internal.rejected = None;
    let mut settings = wanted.settings().clone();
    settings.compute_capacity = match wanted.spec().fleet_type {
        FleetType::Elastic => None,
        FleetType::AlwaysOn | FleetType::OnDemand => {
            settings.compute_capacity.or_else(|| Some(diff::first_capacity(wanted.settings())))
        }
    };
    let call = FleetCall::Create(Box::new(FleetCreate {
        name: wanted.name.clone(),
        fleet_type: wanted.spec().fleet_type,
        settings,
        tags: wanted.tags(scope),
    }));
    let text = format!("created fleet {}", wanted.name);
    Plan { next: Next::Send(call), status: report.status(), news: vec![run::done("Created", "Create", text)] }
}

fn old(at: Timestamp, now: Timestamp) -> bool {
    report::elapsed(at, now) >= report::TEN_MINUTES
}

/// A role may be passed only where an Account allows it.
fn forbidden_role(wanted: &Wanted<'_>, scope: &Scope) -> Option<String> {
    let role = wanted.settings().iam_role_arn.as_ref()?;
    let allowed = scope.allow.pass_roles.iter().any(|pattern| matches(pattern, role.as_str()));
    (!allowed).then(|| format!("iamRoleArn: no Account allows this namespace to pass {role}"))
}

/// Whether a pattern with `*` for any text matches.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(before) = last.replace(part) {
            let before: &str = before;
            let Some(at) = rest.find(before) else { return false };
            rest = &rest[at + before.len()..];
        }
    }
    match last {
        Some(end) => rest.ends_with(end),
        None => rest.is_empty(),
    }
}

/// There is a fleet of that name: whose?
fn present(
    input: &Input<'_, FleetKind>,
    wanted: &Wanted<'_>,
    scope: &Scope,
    state: &FleetState,
    facts: &FleetFacts,
) -> Plan<FleetKind> {
    let policies = Policies::read(wanted.spec());
    if policies.management == ManagementPolicy::Observe {
        return run::observe(input, wanted, state, facts);
    }
    let Some(tagged) = state.tags.as_ref().filter(|t| fresh(t, input)) else {
        return look(input, [FleetLook::Tags].into());
    };
    let owner = ownership::owner::<FleetKind>(scope, input.object, &tagged.tags);
    let known = Known::Foreign;
    match owner {
        Owner::Ours => return run::plan(input, wanted, scope, state, facts, tagged),
        // Whose it is not is said by a read of this pass alone.
        Owner::Nobody | Owner::Restored | Owner::Other if tagged.began < input.now => {
            return look(input, [FleetLook::Tags].into());
        }
        Owner::Nobody if policies.adoption == AdoptionPolicy::Never || !scope.allow.adoption => {
            if let Some(rest) = just_made(input, facts, tagged) {
                let text = "AWS does not show the tags of the new fleet yet".to_owned();
                let verdict = Verdict::Working(Waiting::Creating, text);
                return waiting(input, Some(wanted), Known::Nothing, verdict, rest);
            }
        }
        Owner::Nobody | Owner::Restored | Owner::Other => {}
    }
    match (owner, policies.adoption, scope.allow.adoption) {
        (Owner::Ours, _, _) => look(input, [FleetLook::Tags].into()),
        (Owner::Nobody | Owner::Restored, AdoptionPolicy::IfExists, true) => {
            beside::adopt(input, wanted, scope, state, facts, tagged)
        }
        (Owner::Nobody | Owner::Restored, AdoptionPolicy::IfExists, false) => {
            let text = format!("a fleet {} exists, and no Account allows this namespace to take it over", wanted.name);
            stalled(input, Some(wanted), known, Stall::NotAllowed, text)
        }
        (Owner::Nobody | Owner::Restored, AdoptionPolicy::Never, _) => {
            let text = format!(
                "a fleet {} exists without this object's ownership tags: choose another name, or adoptionPolicy: IfExists",
                wanted.name
            );
            stalled(input, Some(wanted), known, Stall::NotOwned, text)
        }
        (Owner::Other, _, _) => {
            let text = format!("fleet {} belongs to another object: choose another name", wanted.name);
            stalled(input, Some(wanted), known, Stall::NotOwned, text)
        }
    }
}

/// How soon to look again, if this fleet without any tag of ours may be the one that we have just made: AWS's tags may
/// show later than the fleet.
fn just_made(input: &Input<'_, FleetKind>, facts: &FleetFacts, tagged: &Tagged) -> Option<Duration> {
    let stamps = report::earlier(input.object);
    let intent = stamps.internal.intent.as_ref().map(|i| i.at);
    let ours = intent.is_some() || stamps.arn.as_ref() == Some(&facts.arn);
    let since = intent.map_or(input.quiet_since, |at| at.max(input.quiet_since));
    (ours && believed(tagged.began, since).is_err()).then_some(Duration::from_secs(2))
}

/// Whether tags are new enough to go by: an hour, moved by up to a quarter per object so that many fleets do not ask at once.
fn fresh(tagged: &Tagged, input: &Input<'_, FleetKind>) -> bool {
    let spread: u32 = input.object.uid().unwrap_or_default().bytes().map(u32::from).sum();
    let life = Duration::from_secs(3600 - u64::from(spread % 900));
    input.now.duration_since(tagged.began).unsigned_abs() < life
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
