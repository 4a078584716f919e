//! The rules of a Fleet: what is wanted against what AWS says, one write at a time.
//!
//! While RUNNING only `displayName` and `computeCapacity` are sent (or AWS's documented list, where the spec opts in).
//! Everything else needs a STOPPED fleet, and every stop goes through [`stop::gate`].

pub mod beside;
pub mod call;
mod create;
pub mod delete;
pub mod diff;
mod draft;
pub mod image;
pub mod report;
pub mod run;
pub mod state;
pub mod stop;
mod unreadable;
pub mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::api::common::{Common, RecreatePolicy};
use crate::api::fleet::{Applied, CapacityStatus, Fleet, FleetStatus, Internal};
use crate::api::{AccountName, Intent, Region};

use super::figures::{Figures, Instances, Sessions};
use super::leave::Going;
use super::life::{self, Absent, Creation, Found, Life, Stamps, There};
use super::reason::Stall;
use super::report::{FOR_SESSIONS, FOR_WINDOW, Report};
use super::shared_status::shared_status;
use super::unshown::{self, Changes};
use super::{Face, Input, Kind, Plan, Reply, Status};

pub use super::tags::Tagged;
pub use call::{AttributeToDelete, FleetCall, FleetCreate, FleetPatch};
pub use report::Shown;
pub use state::{AssociatedStack, FleetFacts, FleetLook, FleetState, ImageFacts, ImageRef, Power, SessionFacts};

use draft::{BEING_STOPPED, CLOSING, DRAINED, EMPTYING};
use stop::NO_COUNTS;
use wanted::Wanted;

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

    fn place(object: &Fleet) -> (Option<&AccountName>, Option<&Region>) {
        object.spec.common.place()
    }

    fn face(object: &Fleet) -> Face {
        let status = report::earlier(object);
        // A fleet that is gone, or somebody else's by now, vouches for nothing.
        let arn = status.arn.clone().filter(|_| status.name.is_some());
        Face { arn, ..life::face::<Self>(object) }
    }
}

impl Life for FleetKind {
    const NOUN: &'static str = "fleet";
    // A fleet holds no data of its own: what somebody deleted comes back.
    const RECREATE: RecreatePolicy = RecreatePolicy::Always;
    const TAGS: FleetLook = FleetLook::Tags;
    const LEAVING: &'static [FleetLook] = &[FleetLook::Stacks];

    type Wanted<'a> = Wanted<'a>;
    type Facts = FleetFacts;
    type Stamps = Internal;
    type Shown = Shown;

    fn common(object: &Fleet) -> &Common {
        &object.spec.common
    }

    fn earlier(object: &Fleet) -> &FleetStatus {
        report::earlier(object)
    }

    fn stamps(status: &FleetStatus) -> &Internal {
        &status.internal
    }

    fn name(object: &Fleet) -> Result<String, String> {
        wanted::name(object).map(|name| name.to_string())
    }

    fn read(object: &Fleet, now: Timestamp) -> Result<Wanted<'_>, (Stall, String)> {
        Wanted::read(object, now)
    }

    fn shown(wanted: &Wanted<'_>) -> Shown {
        Shown { power: Some(wanted.power), next: wanted.next.clone(), sessions: None }
    }

    fn found(state: &FleetState) -> Found<'_, FleetFacts> {
        Found { began: state.began, facts: state.fleet.as_ref(), tags: state.tags.as_ref() }
    }

    fn creation(absent: &Absent<'_, '_, Self>) -> Creation<Self> {
        create::creation(absent.wanted, absent.scope, absent.state)
    }

    fn immutable(there: &There<'_, '_, Self>) -> Option<String> {
        beside::immutable(there.wanted, there.facts)
    }

    fn keep(there: &There<'_, '_, Self>) -> Plan<Self> {
        run::keep(there)
    }

    fn observe(there: &There<'_, '_, Self>) -> Plan<Self> {
        run::observe(there)
    }

    fn leave(going: &Going<'_, Self>) -> Plan<Self> {
        delete::leave(going)
    }

    // An image that is not ready yet keeps nobody waiting: only what a stop waits for counts.
    fn counts(wait: &str) -> bool {
        [FOR_SESSIONS, FOR_WINDOW, NO_COUNTS, CLOSING, EMPTYING, BEING_STOPPED, DRAINED].contains(&wait)
    }

    fn give_back(input: &Input<'_, Self>, facts: &FleetFacts) -> Option<FleetCall> {
        delete::give_back(input, facts)
    }

    fn unreadable(input: &Input<'_, Self>, why: Stall, text: String) -> Plan<Self> {
        unreadable::plan(input, why, text)
    }

    fn changes(call: &FleetCall) -> Changes {
        match call {
            FleetCall::Update(patch) if stop::drains(patch) => Changes::Itself,
            FleetCall::Update(patch) => Changes::Fields(diff::paths(patch)),
            FleetCall::Create(_)
            | FleetCall::Start(_)
            | FleetCall::Stop(_)
            | FleetCall::Delete(_)
            | FleetCall::Tag { .. }
            | FleetCall::Untag { .. }
            | FleetCall::AssociateApplication { .. }
            | FleetCall::DisassociateApplication { .. } => Changes::Nothing,
        }
    }

    fn tag(facts: &FleetFacts, tags: BTreeMap<String, String>) -> FleetCall {
        FleetCall::Tag { arn: facts.arn.clone(), tags }
    }

    fn untag(facts: &FleetFacts, keys: BTreeSet<String>) -> FleetCall {
        FleetCall::Untag { arn: facts.arn.clone(), keys }
    }

    fn status(report: Report<'_, Self>) -> FleetStatus {
        report::status(report)
    }
}

impl Stamps for Internal {
    fn intent(&self) -> Option<&Intent> {
        self.intent.as_ref()
    }
    fn intend(&mut self, intent: Option<Intent>) {
        self.intent = intent;
    }
    fn begin_anew(&mut self) {
        (self.applied, self.rejected) = (Applied::default(), None);
    }
}

impl Status for FleetStatus {
    shared_status!();

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

    fn figures(&self) -> Figures {
        let counts = self.capacity.as_ref();
        let sessions = |counts: &CapacityStatus| Sessions {
            desired: counts.desired_user_sessions,
            actual: counts.actual_user_sessions,
            active: counts.active_user_sessions,
            available: counts.available_user_sessions,
        };
        Figures {
            instances: counts.map(|counts| Instances {
                desired: counts.desired,
                running: counts.running,
                in_use: counts.in_use,
                available: counts.available,
            }),
            sessions: counts.map(sessions).filter(|sessions| *sessions != Sessions::default()),
            awaited_sessions: self.sessions.as_ref().map(|awaited| awaited.count),
            ends_at: None,
            errors: self.fleet_errors.len(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
