//! When a fleet may be stopped: never under a user whom the spec protects.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::fleet::{ComputeCapacity, DisruptionPolicy, FleetSettings, FleetType, SessionsStatus};
use crate::plan::looked::Looked;
use crate::plan::reason::{Verdict, Waiting};
use crate::plan::report::{FOR_SESSIONS, FOR_WINDOW, NEVER, elapsed, lasting};
use crate::plan::schedule::WindowsNow;
use crate::plan::{Class, Input};

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
        /// Why, in words without counts.
        verdict: Verdict,
        /// The sessions that it waits for.
        sessions: Option<SessionsStatus>,
        /// The write that refuses new users meanwhile, if it is to be made and not made yet.
        drain: Option<FleetCall>,
        /// Whether the capacity stays at 0 meanwhile.
        closed: bool,
        /// When to look again at the latest.
        again: Duration,
    },
}

/// What a stop waits for while AWS does not say whether anybody streams.
pub const NO_COUNTS: &str = "AWS gives no counts of users for this fleet";

/// Decides whether the fleet may be stopped. `since` is when the stop was first wanted.
pub fn gate(
    wanted: &Wanted<'_>,
    state: &FleetState,
    facts: &FleetFacts,
    input: &Input<'_, FleetKind>,
    since: Timestamp,
) -> Gate {
    let waited = elapsed(since, input.now);
    let forced = wanted.stops.force_after.is_some_and(|limit| waited >= limit);
    match (wanted.stops.policy, &wanted.stops.windows) {
        (DisruptionPolicy::Never, WindowsNow::Always | WindowsNow::Open | WindowsNow::Closed { .. }) => {
            held(Waiting::DisruptionNever, NEVER, LONGEST)
        }
        (DisruptionPolicy::Immediate | DisruptionPolicy::WhenIdle, WindowsNow::Closed { next }) => {
            let opens = elapsed(input.now, *next);
            held(Waiting::WaitingForWindow, FOR_WINDOW, opens)
        }
        (DisruptionPolicy::Immediate, WindowsNow::Always | WindowsNow::Open) => Gate::Open,
        (DisruptionPolicy::WhenIdle, WindowsNow::Always | WindowsNow::Open) if forced => Gate::Open,
        (DisruptionPolicy::WhenIdle, WindowsNow::Always | WindowsNow::Open) => {
            when_idle(wanted, state, facts, input, waited)
        }
    }
}

/// How long one wait may be at most: what holds a stop back may end without an event, and AWS may change meanwhile. The
/// default resync.
const LONGEST: Duration = Duration::from_secs(60);

/// How long instances are waited for to go after the capacity was set to 0: as long as one is there a user may still come. No
/// figure is published for it (a start takes AWS some minutes); one that will not go must not keep a fleet from its update
/// for ever, and the look right before the stop still finds who is there.
const EMPTYING: Duration = Duration::from_secs(300);
/// How long a refusal of capacity 0 must last, where it may pass by itself: a second try lies between.
const REFUSED: Duration = Duration::from_secs(10);

fn when_idle(
    wanted: &Wanted<'_>,
    state: &FleetState,
    facts: &FleetFacts,
    input: &Input<'_, FleetKind>,
    waited: Duration,
) -> Gate {
    let sessions = match &state.sessions {
        None => return Gate::Look(FleetLook::Sessions),
        // Who may not see users does not know that there are none.
        Some(Looked::Refused(refusal)) => return held_by(refusal.verdict(input.now), LONGEST),
        Some(Looked::Found(sessions)) => sessions,
    };
    let close = closing(wanted, facts, input);
    let count = counted(wanted, facts);
    let live = i32::try_from(sessions.len()).unwrap_or(i32::MAX).max(match count {
        Count::Users(n) => n,
        Count::Unknown => 0,
    });
    let patience = (waited / 4).clamp(Duration::from_secs(2), Duration::from_secs(30));
    match (count, live > 0, close) {
        (Count::Unknown, false, _) => held(Waiting::WaitingForSessions, NO_COUNTS, patience),
        (Count::Users(_) | Count::Unknown, true, close) => Gate::Held {
            verdict: Verdict::Working(Waiting::WaitingForSessions, FOR_SESSIONS.into()),
            sessions: Some(SessionsStatus { count: live, oldest: sessions.iter().filter_map(|s| s.started).min() }),
            drain: match close {
                Closing::Send(call) if wanted.stops.drain => Some(call),
                Closing::Send(_) | Closing::Impossible | Closing::Emptying | Closing::Closed => None,
            },
            closed: wanted.stops.drain,
            again: patience,
        },
        (Count::Users(_), false, Closing::Send(call)) => Gate::Drain(call),
        // Instances that will not go keep nobody in: the look above has found no user.
        (Count::Users(_), false, Closing::Emptying) if elapsed(input.quiet_since, input.now) < EMPTYING => {
            Gate::Draining
        }
        // Where capacity cannot be set to 0, a race of one request is left: a user who comes between this look and the stop.
        (Count::Users(_), false, Closing::Emptying | Closing::Closed | Closing::Impossible) => Gate::Open,
    }
}

/// What AWS's own counts say of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    Users(i32),
    Unknown,
}

/// Absent is not zero, except where the fleet has no counts at all: ELASTIC fleets, and any fleet before it is RUNNING.
fn counted(wanted: &Wanted<'_>, facts: &FleetFacts) -> Count {
    let capacity = &facts.capacity;
    let fleet_type = facts.fleet_type.unwrap_or(wanted.spec().fleet_type);
    let users = capacity.in_use.unwrap_or(0).max(capacity.active_user_sessions.unwrap_or(0));
    // AWS leaves a count of zero out beside the others; where it gives none at all, nothing is known.
    let there = capacity.running.is_some() || capacity.available.is_some();
    let known = match (fleet_type, &facts.power) {
        (FleetType::Elastic, _) => true,
        (FleetType::AlwaysOn | FleetType::OnDemand, Power::Running) => match shared(facts) {
            true => capacity.active_user_sessions.is_some() || capacity.in_use.is_some() || there,
            false => capacity.in_use.is_some() || there,
        },
        (
            FleetType::AlwaysOn | FleetType::OnDemand,
            Power::Stopped | Power::Starting | Power::Stopping | Power::Unrecognised(_),
        ) => true,
    };
    if known || users > 0 { Count::Users(users) } else { Count::Unknown }
}

/// Whether an update sets the capacity to 0.
pub fn drains(patch: &FleetPatch) -> bool {
    patch.set.compute_capacity.as_ref().is_some_and(|c| c.desired_instances.or(c.desired_sessions) == Some(0))
}

/// The capacity that AWS is asked for now, in the fleet's unit.
pub fn desired(facts: &FleetFacts) -> i32 {
    match shared(facts) {
        // Where AWS counts no sessions, the instances tell.
        true => facts.capacity.desired_user_sessions.unwrap_or(facts.capacity.desired),
        false => facts.capacity.desired,
    }
}

/// Whether several sessions share an instance.
pub fn shared(facts: &FleetFacts) -> bool {
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

fn closing(wanted: &Wanted<'_>, facts: &FleetFacts, input: &Input<'_, FleetKind>) -> Closing {
    let Some(zero) = drained(wanted, facts) else { return Closing::Impossible };
    match facts.power {
        Power::Running => {}
        Power::Stopped | Power::Starting | Power::Stopping | Power::Unrecognised(_) => return Closing::Impossible,
    }
    let call = FleetCall::Update(Box::new(FleetPatch {
        name: facts.name.clone(),
        set: FleetSettings { compute_capacity: Some(zero.clone()), ..FleetSettings::default() },
        clear: Default::default(),
    }));
    let refused = input.failure.filter(|f| f.call.as_ref() == Some(&call)).is_some_and(|f| match f.class {
        Class::Rejected => true,
        Class::NotFound | Class::AlreadyExists | Class::InUse | Class::QuotaExceeded | Class::AccessDenied => {
            f.at > f.since || elapsed(f.since, input.now) >= REFUSED
        }
        Class::Throttled | Class::Busy | Class::AccountPending | Class::Unavailable | Class::NotSent => lasting(f),
    });
    let capacity = &facts.capacity;
    let free = match zero.desired_sessions {
        Some(_) => capacity.available_user_sessions,
        None => capacity.available,
    };
    match (desired(facts), free.or(capacity.running)) {
        _ if refused => Closing::Impossible,
        (0, Some(0) | None) => Closing::Closed,
        (0, Some(_)) => Closing::Emptying,
        (_, _) => Closing::Send(call),
    }
}

/// The capacity 0 in the unit that the fleet has now; `None` where the capacity is not ours to set.
fn drained(wanted: &Wanted<'_>, facts: &FleetFacts) -> Option<ComputeCapacity> {
    wanted.settings().compute_capacity.as_ref()?;
    match (wanted.spec().fleet_type, shared(facts)) {
        (FleetType::Elastic, _) => None,
        (FleetType::AlwaysOn | FleetType::OnDemand, true) => {
            Some(ComputeCapacity { desired_sessions: Some(0), desired_instances: None })
        }
        (FleetType::AlwaysOn | FleetType::OnDemand, false) => {
            Some(ComputeCapacity { desired_instances: Some(0), desired_sessions: None })
        }
    }
}

fn held(why: Waiting, message: &str, again: Duration) -> Gate {
    held_by(Verdict::Working(why, message.to_owned()), again)
}

fn held_by(verdict: Verdict, again: Duration) -> Gate {
    let again = again.clamp(Duration::from_secs(1), LONGEST);
    Gate::Held { verdict, sessions: None, drain: None, closed: false, again }
}
