//! When a fleet may be stopped: never under a user whom the spec protects.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::fleet::{ComputeCapacity, DisruptionPolicy, FleetSettings, FleetType, SessionsStatus};
use crate::plan::Failure;
use crate::plan::reason::Waiting;
use crate::plan::schedule::WindowsNow;

use super::FleetKind;
use super::call::{FleetCall, FleetPatch};
use super::state::{FleetFacts, FleetLook, FleetState, Power};
use super::wanted::Wanted;

/// Whether a stop may be made now.
#[derive(Debug, Clone, PartialEq)]
pub enum Gate {
    /// Yes.
    Open,
    /// Not known yet: look.
    Look(FleetLook),
    /// First set the capacity to 0, so that nobody comes between the look and the stop.
    Drain(FleetCall),
    /// Capacity is 0; instances are still there.
    Draining,
    /// Not now.
    Held {
        /// Why.
        why: Waiting,
        /// In words, without counts.
        message: String,
        /// The sessions that it waits for.
        sessions: Option<SessionsStatus>,
        /// Whether new users are refused meanwhile.
        drain: Option<FleetCall>,
        /// When to look again at the latest.
        again: Duration,
    },
}

/// Decides whether the fleet may be stopped. `since` is when the stop was first wanted.
pub fn gate(
    wanted: &Wanted<'_>,
    state: &FleetState,
    facts: &FleetFacts,
    failure: Option<&Failure<FleetKind>>,
    since: Timestamp,
    now: Timestamp,
) -> Gate {
    let waited = now.duration_since(since).unsigned_abs();
    let forced = wanted.stops.force_after.is_some_and(|limit| waited >= limit);
    match (wanted.stops.policy, &wanted.stops.windows) {
        (DisruptionPolicy::Never, _) => held(Waiting::DisruptionNever, "disruption.policy is Never", HOUR),
        (DisruptionPolicy::Immediate | DisruptionPolicy::WhenIdle, WindowsNow::Closed { next }) => {
            let opens = next.duration_since(now).unsigned_abs();
            held(Waiting::WaitingForWindow, "waiting for a window of disruption.windows to open", opens)
        }
        (DisruptionPolicy::Immediate, WindowsNow::Always | WindowsNow::Open) => Gate::Open,
        (DisruptionPolicy::WhenIdle, WindowsNow::Always | WindowsNow::Open) if forced => Gate::Open,
        (DisruptionPolicy::WhenIdle, WindowsNow::Always | WindowsNow::Open) => {
            when_idle(wanted, state, facts, failure, waited)
        }
    }
}

/// How long one look ahead may be at most: what is waited for may change without an event.
const HOUR: Duration = Duration::from_secs(3600);

fn when_idle(
    wanted: &Wanted<'_>,
    state: &FleetState,
    facts: &FleetFacts,
    failure: Option<&Failure<FleetKind>>,
    waited: Duration,
) -> Gate {
    let Some(sessions) = &state.sessions else { return Gate::Look(FleetLook::Sessions) };
    let close = closing(wanted, facts, failure);
    let count = counted(facts);
    let live = i32::try_from(sessions.len()).unwrap_or(i32::MAX).max(match count {
        Count::Users(n) => n,
        Count::Unknown => 0,
    });
    let patience = (waited / 4).clamp(Duration::from_secs(2), Duration::from_secs(30));
    match (count, live > 0, close) {
        (Count::Unknown, false, _) => {
            held(Waiting::WaitingForSessions, "AWS gives no counts of users for this fleet", patience)
        }
        (Count::Users(_) | Count::Unknown, true, close) => Gate::Held {
            why: Waiting::WaitingForSessions,
            message: "waiting for user sessions to end".into(),
            sessions: Some(SessionsStatus { count: live, oldest: sessions.iter().filter_map(|s| s.started).min() }),
            drain: match close {
                Closing::Send(call) if wanted.stops.drain => Some(call),
                Closing::Send(_) | Closing::Impossible | Closing::Emptying | Closing::Closed => None,
            },
            again: patience,
        },
        (Count::Users(_), false, Closing::Send(call)) => Gate::Drain(call),
        (Count::Users(_), false, Closing::Emptying) => Gate::Draining,
        // Where capacity cannot be set to 0, a race of one request is left: a user who comes between this look and the stop.
        (Count::Users(_), false, Closing::Closed | Closing::Impossible) => Gate::Open,
    }
}

/// What AWS's own counts say of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    Users(i32),
    Unknown,
}

/// Absent is not zero, except where the fleet has no counts at all: ELASTIC fleets, and any fleet before it is RUNNING.
fn counted(facts: &FleetFacts) -> Count {
    let capacity = &facts.capacity;
    let users = capacity.in_use.unwrap_or(0).max(capacity.active_user_sessions.unwrap_or(0));
    let known = match (facts.fleet_type, &facts.power) {
        (Some(FleetType::Elastic), _) => true,
        (Some(FleetType::AlwaysOn | FleetType::OnDemand) | None, Power::Running) if shared(facts) => {
            capacity.active_user_sessions.is_some()
        }
        (Some(FleetType::AlwaysOn | FleetType::OnDemand) | None, Power::Running) => capacity.in_use.is_some(),
        (_, Power::Stopped | Power::Starting | Power::Stopping | Power::Unrecognised(_)) => true,
    };
    if known || users > 0 { Count::Users(users) } else { Count::Unknown }
}

fn shared(facts: &FleetFacts) -> bool {
    facts.settings.max_sessions_per_instance.is_some() || facts.capacity.desired_user_sessions.is_some()
}

/// How far new users are kept out.
#[derive(Debug, Clone, PartialEq)]
enum Closing {
    Send(FleetCall),
    Emptying,
    Closed,
    Impossible,
}

fn closing(wanted: &Wanted<'_>, facts: &FleetFacts, failure: Option<&Failure<FleetKind>>) -> Closing {
    let Some(zero) = drained(wanted) else { return Closing::Impossible };
    match facts.power {
        Power::Running => {}
        Power::Stopped | Power::Starting | Power::Stopping | Power::Unrecognised(_) => return Closing::Impossible,
    }
    let call = FleetCall::Update(Box::new(FleetPatch {
        name: facts.name.clone(),
        set: FleetSettings { compute_capacity: Some(zero.clone()), ..FleetSettings::default() },
        clear: Default::default(),
    }));
    let refused = failure.is_some_and(|f| f.call.as_ref() == Some(&call) && f.class.is_final());
    let capacity = &facts.capacity;
    let (desired, free) = match zero.desired_sessions {
        Some(_) => (capacity.desired_user_sessions, capacity.available_user_sessions),
        None => (Some(capacity.desired), capacity.available),
    };
    match (desired, free.or(capacity.running)) {
        _ if refused => Closing::Impossible,
        (Some(0), Some(0) | None) => Closing::Closed,
        (Some(0), Some(_)) => Closing::Emptying,
        (Some(_) | None, _) => Closing::Send(call),
    }
}

/// The capacity 0 in the spec's own dimension; `None` where the capacity is not ours to set.
pub fn drained(wanted: &Wanted<'_>) -> Option<ComputeCapacity> {
    let capacity = wanted.settings().compute_capacity.as_ref()?;
    match (wanted.spec().fleet_type, capacity.desired_sessions) {
        (FleetType::Elastic, _) => None,
        (FleetType::AlwaysOn | FleetType::OnDemand, Some(_)) => {
            Some(ComputeCapacity { desired_sessions: Some(0), desired_instances: None })
        }
        (FleetType::AlwaysOn | FleetType::OnDemand, None) => {
            Some(ComputeCapacity { desired_instances: Some(0), desired_sessions: None })
        }
    }
}

fn held(why: Waiting, message: &str, again: Duration) -> Gate {
    Gate::Held { why, message: message.into(), sessions: None, drain: None, again: again.min(HOUR) }
}
