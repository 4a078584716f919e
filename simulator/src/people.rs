//! What people and AWS itself do in a world: open sessions, change fleets behind the operator's back, share images.
//!
//! None of it is audited or judged. A fleet is found by its name in the home account and region first, then anywhere.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Map;

use crate::appstream::capacity::Capacity;
use crate::appstream::fleet::{Fleet, FleetSettings, FleetState};
use crate::appstream::image::ImageSeed;
use crate::appstream::session::{AuthenticationType, Connection};
use crate::place::{Place, PlaceKey, arn};
use crate::world::{State, World};

/// A fleet as an inspector sees it, without any lag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FleetView {
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Name.
    pub name: String,
    /// ARN.
    pub arn: String,
    /// State.
    pub state: FleetState,
    /// Since when.
    pub state_since: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
    /// Settings, with what AWS filled in.
    pub settings: FleetSettings,
    /// Counts.
    pub capacity: Capacity,
    /// Codes of FleetErrors.
    pub errors: Vec<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Stacks that it is associated with.
    pub stacks: Vec<String>,
    /// Applications that it is associated with, by ARN.
    pub applications: Vec<String>,
    /// Its live sessions.
    pub sessions: Vec<SessionView>,
    /// Sessions that StopFleet ended, ever.
    pub sessions_killed: usize,
}

/// A live session as an inspector sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionView {
    /// Id.
    pub id: SessionId,
    /// User.
    pub user: String,
    /// Stack.
    pub stack: String,
    /// How the user proved who they are.
    pub authentication: AuthenticationType,
    /// Whether the user is connected.
    pub connected: bool,
    /// Since when.
    pub started_at: Timestamp,
}

/// Id of a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SessionId(pub String);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an out-of-band change may touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetEdit {
    /// Settings; no rule of UpdateFleet holds here.
    pub settings: FleetSettings,
    /// Desired instances; the fleet scales to it.
    pub desired_instances: i64,
    /// Desired sessions of a multi-session fleet (echoed; the instances are yours to set).
    pub desired_sessions: Option<i64>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// Why the world could not do what a helper asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// AWS's code.
    pub code: String,
    /// AWS's words.
    pub message: String,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Denied {}

impl World {
    /// Puts an image into every place that the seed is meant for, now and later; the same ARN is replaced.
    pub fn put_image(&self, seed: ImageSeed) {
        let mut state = self.lock();
        let keys: Vec<PlaceKey> = state.timelines.keys().cloned().collect();
        let now = state.clock.now();
        for key in keys {
            state.change(&key).put_image(&seed, now);
        }
        state.images.retain(|old| (&old.name, &old.account, &old.region) != (&seed.name, &seed.account, &seed.region));
        state.images.push(seed);
    }

    /// A fleet, or `None`.
    #[must_use]
    pub fn fleet(&self, account: &str, region: &str, name: &str) -> Option<FleetView> {
        self.fleets()
            .into_iter()
            .find(|fleet| (&*fleet.account, &*fleet.region, &*fleet.name) == (account, region, name))
    }

    /// Every fleet, by account, region and name.
    #[must_use]
    pub fn fleets(&self) -> Vec<FleetView> {
        let state = self.lock();
        let now = state.clock.now();
        let look = |place: &Place| place.fleets.values().map(|fleet| view(place, fleet, now)).collect::<Vec<_>>();
        state.timelines.values().flat_map(|timeline| look(timeline.peek())).collect()
    }

    /// Changes a fleet as a console user or an autoscaler would. False: there is no such fleet.
    pub fn edit_fleet(&self, name: &str, change: impl FnOnce(&mut FleetEdit)) -> bool {
        self.on_fleet(name, |fleet, now| {
            let mut edit = FleetEdit {
                settings: fleet.settings.clone(),
                desired_instances: fleet.desired_instances,
                desired_sessions: fleet.desired_sessions,
                tags: fleet.tags.clone(),
            };
            change(&mut edit);
            fleet.settings = edit.settings;
            fleet.desired_instances = edit.desired_instances;
            fleet.desired_sessions = edit.desired_sessions;
            fleet.tags = edit.tags;
            fleet.rescale(now);
        })
        .is_some()
    }

    /// Starts a fleet as a console user would. False: it is not there or not stopped.
    pub fn start_fleet_out_of_band(&self, name: &str) -> bool {
        let start = |fleet: &mut Fleet, now| {
            let stopped = fleet.state == FleetState::Stopped;
            if stopped {
                fleet.begin_start(now);
            }
            stopped
        };
        self.on_fleet(name, start).unwrap_or(false)
    }

    /// Stops a fleet as a console user would, ending its sessions. False: it is not there or not up.
    pub fn stop_fleet_out_of_band(&self, name: &str) -> bool {
        let stop = |fleet: &mut Fleet, now| {
            let up = matches!(fleet.state, FleetState::Starting | FleetState::Running);
            if up {
                fleet.begin_stop(now);
            }
            up
        };
        self.on_fleet(name, stop).unwrap_or(false)
    }

    /// Removes a fleet in whatever state, with its associations. False: there is no such fleet.
    pub fn delete_fleet_out_of_band(&self, name: &str) -> bool {
        let mut state = self.lock();
        let Some(key) = state.place_of(name) else {
            return false;
        };
        let place = state.change(&key);
        place.associations.retain(|(fleet, _)| fleet != name);
        place.application_associations.retain(|(fleet, _)| fleet != name);
        place.fleets.remove(name).is_some()
    }

    /// Gives a fleet these FleetErrors. While it has any it never leaves STARTING, now or at a later start; none lets
    /// it go on. False: there is no such fleet.
    pub fn fleet_errors(&self, name: &str, codes: &[&str]) -> bool {
        let codes = codes.iter().map(|code| (*code).to_owned()).collect();
        self.on_fleet(name, |fleet, now| fleet.set_trouble(codes, now)).is_some()
    }

    /// Makes a stack in the home account and region, as a console user would; one that exists stays.
    pub fn put_stack(&self, name: &str) {
        let home = self.lock().home();
        self.put_stack_in(&home.0, &home.1, name, BTreeMap::new());
    }

    /// Makes a stack with tags; one that exists stays.
    pub fn put_stack_in(&self, account: &str, region: &str, name: &str, tags: BTreeMap<String, String>) {
        let mut state = self.lock();
        let now = state.clock.now();
        let place = state.change(&(account.to_owned(), region.to_owned()));
        if !place.stacks.contains_key(name) {
            place.put_stack(name, Map::new(), tags, now);
        }
    }

    /// Associates a fleet with a stack, which is made if it is not there. False: there is no such fleet.
    pub fn associate(&self, fleet: &str, stack: &str) -> bool {
        let mut state = self.lock();
        let Some(key) = state.place_of(fleet) else {
            return false;
        };
        let now = state.clock.now();
        let place = state.change(&key);
        if !place.stacks.contains_key(stack) {
            place.put_stack(stack, Map::new(), BTreeMap::new(), now);
        }
        place.associations.insert((fleet.to_owned(), stack.to_owned()));
        true
    }

    /// Cuts an association. False: there was none.
    pub fn disassociate(&self, fleet: &str, stack: &str) -> bool {
        let mut state = self.lock();
        let Some(key) = state.place_of(fleet) else {
            return false;
        };
        state.change(&key).associations.remove(&(fleet.to_owned(), stack.to_owned()))
    }

    /// Makes an application for ELASTIC fleets in the home account and region; returns its ARN.
    pub fn put_application(&self, name: &str) -> String {
        let mut state = self.lock();
        let home = state.home();
        let arn = arn("appstream", &home.1, &home.0, &format!("application/{name}"));
        state.change(&home).applications.insert(arn.clone(), name.to_owned());
        arn
    }

    /// Signs a user in. The fleet must be RUNNING, associated with the stack, and have a free slot.
    ///
    /// # Errors
    /// What AWS would tell the user.
    pub fn open_session(
        &self,
        stack: &str,
        fleet: &str,
        user: &str,
        authentication: AuthenticationType,
    ) -> Result<SessionId, Denied> {
        let mut state = self.lock();
        let now = state.clock.now();
        let key = state.place_of(fleet).unwrap_or_else(|| state.home());
        let opened = state.change(&key).open_session(stack, fleet, user, authentication, now);
        opened.map(SessionId).map_err(|refusal| Denied { code: refusal.code, message: refusal.message })
    }

    /// Follows a streaming URL, which opens the session that CreateStreamingURL was asked for. A URL works once.
    ///
    /// # Errors
    /// The URL is unknown, used or expired, or there is no room.
    pub fn follow_streaming_url(&self, url: &str) -> Result<SessionId, Denied> {
        let mut state = self.lock();
        let now = state.clock.now();
        let token = url.rsplit('/').next().unwrap_or_default();
        let stream = state.streams.remove(token).filter(|stream| stream.expires_at > now);
        let Some(stream) = stream else {
            let message = "the streaming url is unknown, used or expired".to_owned();
            return Err(Denied { code: "AccessDenied".to_owned(), message });
        };
        let place = state.change(&stream.place);
        let opened = place.open_session(&stream.stack, &stream.fleet, &stream.user, AuthenticationType::Api, now);
        opened.map(SessionId).map_err(|refusal| Denied { code: refusal.code, message: refusal.message })
    }

    /// Ends a session, as its user would. False: it is not live.
    pub fn end_session(&self, id: &SessionId) -> bool {
        self.on_session(id, |fleet, now| fleet.end_session(&id.0, now)).unwrap_or(false)
    }

    /// The user's connection breaks; the session ends after the fleet's disconnect timeout. False: it is not live.
    pub fn disconnect_session(&self, id: &SessionId) -> bool {
        let disconnect = |fleet: &mut Fleet, now| {
            for session in fleet.sessions.iter_mut().filter(|session| session.id == id.0) {
                session.connection = Connection::NotConnected;
                session.disconnected_at = Some(now);
            }
            fleet.plan_next(now);
        };
        self.on_session(id, disconnect).is_some()
    }

    fn on_fleet<T>(&self, name: &str, change: impl FnOnce(&mut Fleet, Timestamp) -> T) -> Option<T> {
        let mut state = self.lock();
        let key = state.place_of(name)?;
        let now = state.clock.now();
        state.change(&key).fleets.get_mut(name).map(|fleet| change(fleet, now))
    }

    fn on_session<T>(&self, id: &SessionId, change: impl FnOnce(&mut Fleet, Timestamp) -> T) -> Option<T> {
        let mut state = self.lock();
        let now = state.clock.now();
        let keys: Vec<PlaceKey> = state.timelines.keys().cloned().collect();
        let key = keys.into_iter().find(|key| state.timeline(key).now(now).fleet_of_session(&id.0).is_some())?;
        let place = state.change(&key);
        let name = place.fleet_of_session(&id.0)?;
        place.fleets.get_mut(&name).map(|fleet| change(fleet, now))
    }
}

impl State {
    /// Where a fleet of this name is: at home first.
    fn place_of(&self, fleet: &str) -> Option<PlaceKey> {
        let home = self.home();
        let has = |key: &PlaceKey| self.timelines.get(key).is_some_and(|line| line.peek().fleets.contains_key(fleet));
        if has(&home) {
            return Some(home);
        }
        self.timelines.keys().find(|key| has(key)).cloned()
    }
}

fn view(place: &Place, fleet: &Fleet, now: Timestamp) -> FleetView {
    let mut fleet = fleet.clone();
    fleet.settle(now);
    let applications = place.application_associations.iter().filter(|(name, _)| *name == fleet.name);
    let live = fleet.sessions.iter().filter(|session| session.ended_at.is_none());
    FleetView {
        account: place.account.clone(),
        region: place.region.clone(),
        stacks: place.stacks_of(&fleet.name),
        applications: applications.map(|(_, arn)| arn.clone()).collect(),
        sessions: live
            .map(|session| SessionView {
                id: SessionId(session.id.clone()),
                user: session.user.clone(),
                stack: session.stack.clone(),
                authentication: session.authentication,
                connected: session.connection == Connection::Connected,
                started_at: session.started_at,
            })
            .collect(),
        capacity: fleet.capacity(now),
        name: fleet.name,
        arn: fleet.arn,
        state: fleet.state,
        state_since: fleet.state_since,
        created_at: fleet.created_at,
        settings: fleet.settings,
        errors: fleet.trouble,
        tags: fleet.tags,
        sessions_killed: fleet.sessions_killed,
    }
}
