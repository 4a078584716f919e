//! What a fleet does as time passes: its state, its instances and the sessions on them.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::fleet::{Fleet, FleetState};
use super::fleet_rules::MOST_INSTANCES;
use super::session::{Connection, Session};
use crate::clock::later;
use crate::place::mix;

/// How long an ended session is still listed as EXPIRED. Nobody has written this down; a reader must not count them.
const EXPIRED_LISTED_FOR: Duration = Duration::from_secs(300);

/// One streaming instance of a fleet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Instance {
    pub(crate) id: String,
    /// When it is (or was) first available.
    pub(crate) ready_at: Timestamp,
    /// When it goes, if nobody uses it by then: it is more than what is desired.
    pub(crate) leaves_at: Option<Timestamp>,
    /// Takes no new session (DrainSessionInstance) and is replaced when the last one has ended.
    pub(crate) draining: bool,
}

/// The counts of ComputeCapacityStatus. Absent where the fleet's type has no such count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Capacity {
    /// Instances that the fleet should have.
    pub desired: i64,
    /// Instances that are up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<i64>,
    /// Instances with a live session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_use: Option<i64>,
    /// Instances that a user could get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<i64>,
    /// Multi-session: session slots that the fleet should have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_user_sessions: Option<i64>,
    /// Multi-session: slots that a user could get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_user_sessions: Option<i64>,
    /// Multi-session: live sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_user_sessions: Option<i64>,
    /// Multi-session: slots that are up, used or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual_user_sessions: Option<i64>,
    /// Multi-session: instances that take no new session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draining: Option<i64>,
    /// Multi-session: live sessions on such instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_mode_active_user_sessions: Option<i64>,
    /// Multi-session: unused slots on such instances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_mode_unused_user_sessions: Option<i64>,
}

impl Fleet {
    /// Does everything whose time has come, in its order.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        while self.due <= now {
            let at = self.due;
            self.step(at);
            self.plan_next(at);
        }
    }

    /// STOPPED → STARTING.
    pub(crate) fn begin_start(&mut self, now: Timestamp) {
        self.enter(FleetState::Starting, now);
        self.until = Some(later(now, self.pace.start_fleet));
        self.plan_next(now);
    }

    /// → STOPPING. Returns how many live sessions that ends.
    pub(crate) fn begin_stop(&mut self, now: Timestamp) -> usize {
        let killed = self.live_sessions();
        for session in self.sessions.iter_mut().filter(|session| session.ended_at.is_none()) {
            session.end(now);
        }
        self.sessions_killed += killed;
        self.instances.clear();
        self.enter(FleetState::Stopping, now);
        self.until = Some(later(now, self.pace.stop_fleet));
        self.plan_next(now);
        killed
    }

    /// Lets the number of instances follow what is desired, from now on.
    pub(crate) fn rescale(&mut self, now: Timestamp) {
        if self.state == FleetState::Running && !self.is_elastic() {
            self.grow_or_shrink(now);
        }
        self.plan_next(now);
    }

    /// Errors that keep the fleet from starting; empty lets a waiting start begin anew.
    pub(crate) fn set_trouble(&mut self, codes: Vec<String>, now: Timestamp) {
        self.trouble = codes;
        if self.state == FleetState::Starting {
            self.until = Some(later(now, self.pace.start_fleet));
        }
        self.plan_next(now);
    }

    /// Live sessions: neither ended nor expired.
    pub(crate) fn live_sessions(&self) -> usize {
        self.sessions.iter().filter(|session| session.ended_at.is_none()).count()
    }

    /// Puts a session on an instance with a free slot. `None`: no streaming resources are available.
    pub(crate) fn seat(&mut self, now: Timestamp) -> Option<String> {
        if self.is_elastic() {
            let limit = usize::try_from(self.settings.max_concurrent_sessions.unwrap_or(0)).unwrap_or(0);
            self.serial += 1;
            return (self.live_sessions() < limit).then(|| self.name_instance());
        }
        let slots = self.slots_per_instance();
        // Instances about to leave come last, but AWS still offers them: a reader must not take a lower desired
        // capacity for "nobody can come any more" before Available says so.
        let mut free: Vec<(bool, usize)> = (0..self.instances.len())
            .filter(|&index| {
                let instance = &self.instances[index];
                instance.ready_at <= now && !instance.draining && self.sessions_on(&instance.id) < slots
            })
            .map(|index| (self.instances[index].leaves_at.is_some(), index))
            .collect();
        free.sort_unstable();
        let (_, index) = *free.first()?;
        self.instances[index].leaves_at = None;
        Some(self.instances[index].id.clone())
    }

    /// Ends a live session at `at`; its instance is replaced (single-session) or waits for the next user.
    pub(crate) fn end_session(&mut self, id: &str, at: Timestamp) -> bool {
        let Some(session) = self.sessions.iter_mut().find(|one| one.id == id && one.ended_at.is_none()) else {
            return false;
        };
        session.end(at);
        let instance = session.instance_id.clone();
        let multi = self.settings.max_sessions_per_instance.is_some();
        let emptied = self.sessions_on(&instance) == 0;
        let draining = self.instances.iter().any(|one| one.id == instance && one.draining);
        if emptied && (!multi || draining) {
            self.instances.retain(|one| one.id != instance);
        }
        self.rescale(at);
        true
    }

    /// Sets an instance to drain mode; an empty one goes at once.
    pub(crate) fn drain(&mut self, instance: &str, now: Timestamp) {
        for one in self.instances.iter_mut().filter(|one| one.id == instance) {
            one.draining = true;
        }
        self.rescale(now);
    }

    /// The counts at the fleet's present.
    pub(crate) fn capacity(&self, now: Timestamp) -> Capacity {
        if self.is_elastic() {
            return Capacity::default();
        }
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let up: Vec<&Instance> = self.instances.iter().filter(|one| one.ready_at <= now).collect();
        let up = if self.state == FleetState::Running { up } else { Vec::new() };
        let in_use = up.iter().filter(|one| self.sessions_on(&one.id) > 0).count();
        let mut capacity = Capacity {
            desired: self.desired_instances,
            running: Some(count(up.len())),
            in_use: Some(count(in_use)),
            available: Some(count(up.len() - in_use)),
            ..Capacity::default()
        };
        if let Some(per_instance) = self.settings.max_sessions_per_instance {
            let drained: Vec<&&Instance> = up.iter().filter(|one| one.draining).collect();
            let drained_sessions = count(drained.iter().map(|one| self.sessions_on(&one.id)).sum());
            let active = count(self.live_sessions());
            let slots = count(up.len()) * per_instance;
            let drained_slots = count(drained.len()) * per_instance;
            capacity.desired_user_sessions =
                Some(self.desired_sessions.unwrap_or(self.desired_instances * per_instance));
            capacity.actual_user_sessions = Some(slots);
            capacity.active_user_sessions = Some(active);
            capacity.available_user_sessions = Some(slots - active - (drained_slots - drained_sessions));
            capacity.draining = Some(count(drained.len()));
            capacity.drain_mode_active_user_sessions = Some(drained_sessions);
            capacity.drain_mode_unused_user_sessions = Some(drained_slots - drained_sessions);
        }
        capacity
    }

    pub(crate) fn sessions_on(&self, instance: &str) -> usize {
        self.sessions.iter().filter(|one| one.ended_at.is_none() && one.instance_id == instance).count()
    }

    fn slots_per_instance(&self) -> usize {
        self.settings.max_sessions_per_instance.map_or(1, |slots| usize::try_from(slots).unwrap_or(1))
    }

    pub(crate) fn enter(&mut self, state: FleetState, at: Timestamp) {
        self.state = state;
        self.state_since = at;
        self.until = None;
    }

    /// What happens at `at`, which is `due`.
    fn step(&mut self, at: Timestamp) {
        if self.until.is_some_and(|until| until <= at) {
            match self.state {
                FleetState::Starting => {
                    self.enter(FleetState::Running, at);
                    self.fill(at, Duration::ZERO);
                }
                FleetState::Stopping => self.enter(FleetState::Stopped, at),
                FleetState::Running | FleetState::Stopped => self.until = None,
            }
        }
        let over: Vec<String> = self
            .sessions
            .iter()
            .filter(|one| one.ends_by(self.settings.disconnect_timeout()) <= at)
            .map(|one| one.id.clone())
            .collect();
        for id in over {
            self.end_session(&id, at);
        }
        let busy: Vec<bool> = self.instances.iter().map(|one| self.sessions_on(&one.id) > 0).collect();
        let mut busy = busy.into_iter();
        self.instances.retain(|one| busy.next() == Some(true) || one.leaves_at.is_none_or(|leaves| leaves > at));
        self.sessions.retain(|one| one.ended_at.is_none_or(|ended| later(ended, EXPIRED_LISTED_FOR) > at));
    }

    /// Recomputes `due`, the next instant at which anything happens by itself.
    pub(crate) fn plan_next(&mut self, now: Timestamp) {
        let stuck = self.state == FleetState::Starting && !self.trouble.is_empty();
        let change = self.until.filter(|_| !stuck);
        let leaving = self.instances.iter().filter_map(|one| one.leaves_at);
        let timeout = self.settings.disconnect_timeout();
        let ending = self.sessions.iter().map(|one| match one.ended_at {
            Some(ended) => later(ended, EXPIRED_LISTED_FOR),
            None => one.ends_by(timeout),
        });
        let next = change.into_iter().chain(leaving).chain(ending).min();
        // Never before the present: what is overdue (a shortened timeout) happens now.
        self.due = next.map_or(Timestamp::MAX, |next| next.max(now));
    }

    fn grow_or_shrink(&mut self, at: Timestamp) {
        let desired = usize::try_from(self.desired_instances.min(MOST_INSTANCES)).unwrap_or(0);
        let empty_draining: Vec<String> = self
            .instances
            .iter()
            .filter(|one| one.draining && self.sessions_on(&one.id) == 0)
            .map(|one| one.id.clone())
            .collect();
        self.instances.retain(|one| !empty_draining.contains(&one.id));
        // Wanted again: those that have not left stay.
        for index in 0..self.instances.len() {
            let staying = self.instances.iter().filter(|one| one.leaves_at.is_none()).count();
            if staying < desired && self.instances[index].leaves_at.is_some() {
                self.instances[index].leaves_at = None;
            }
        }
        self.fill(at, self.pace.scale);
        let staying = self.instances.iter().filter(|one| one.leaves_at.is_none()).count();
        let mut surplus = staying.saturating_sub(desired);
        // Those that are not up yet go first and at once; idle ones go after a while; used ones never.
        for index in (0..self.instances.len()).rev() {
            if surplus == 0 {
                break;
            }
            if self.instances[index].ready_at > at {
                self.instances.remove(index);
                surplus -= 1;
            }
        }
        for index in (0..self.instances.len()).rev() {
            let idle = self.instances[index].leaves_at.is_none() && self.sessions_on(&self.instances[index].id) == 0;
            if surplus > 0 && idle {
                self.instances[index].leaves_at = Some(later(at, self.pace.scale_in));
                surplus -= 1;
            }
        }
    }

    /// Adds what is missing, ready after `delay`.
    fn fill(&mut self, at: Timestamp, delay: Duration) {
        if self.is_elastic() {
            return;
        }
        let desired = usize::try_from(self.desired_instances.min(MOST_INSTANCES)).unwrap_or(0);
        while self.instances.len() < desired {
            self.serial += 1;
            let id = self.name_instance();
            self.instances.push(Instance { id, ready_at: later(at, delay), leaves_at: None, draining: false });
        }
    }

    fn name_instance(&self) -> String {
        format!("i-0{:016x}", mix(self.ids ^ self.serial))
    }
}

impl Session {
    /// When it ends by itself: its hard end, or the disconnect timeout of a user who is not connected.
    fn ends_by(&self, disconnect_timeout: Duration) -> Timestamp {
        match (self.ended_at, self.connection, self.disconnected_at) {
            (Some(_), _, _) => Timestamp::MAX,
            (None, Connection::NotConnected, Some(since)) => self.expires_at.min(later(since, disconnect_timeout)),
            (None, _, _) => self.expires_at,
        }
    }
}
