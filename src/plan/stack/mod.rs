//! The rules of a Stack: what is wanted against what AWS says, one write at a time.
//!
//! A stack has no state: everything but its association may be changed at any time. The association is the Stack's: it
//! joins, and it cuts, by the rules of `disruption` ([`cut::gate`]).

pub mod call;
pub mod cut;
pub mod diff;
mod report;
mod run;
pub mod state;
pub mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::api::common::{Common, RecreatePolicy};
use crate::api::stack::{Stack, StackApplied, StackInternal, StackStatus};
use crate::api::{AccountName, Arn, Intent, Region};

use super::figures::Figures;
use super::leave::Going;
use super::life::{self, Absent, Creation, Facts, Found, Life, Stamps, There, wanted_tags};
use super::reason::Stall;
use super::report::{FOR_SESSIONS, FOR_WINDOW, Report};
use super::shared_status::shared_status;
use super::unshown::{self, Changes};
use super::{Face, Input, Kind, Neighbour, Plan, Reply, Status};

pub use call::{StackAttribute, StackCall, StackCreate, StackPatch};
pub use report::Shown;
pub use state::{Joined, NamedFleet, StackFacts, StackLook, StackState};

use wanted::Wanted;

/// The kind Stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StackKind;

impl Kind for StackKind {
    const NAME: &'static str = "Stack.appstream.windlass.dev";
    type Object = Stack;
    type Status = StackStatus;
    type State = StackState;
    type Look = StackLook;
    type Call = StackCall;

    fn plan(input: &Input<'_, Self>) -> Plan<Self> {
        unshown::plan(input)
    }

    fn after(status: &StackStatus, call: &StackCall, reply: &Reply) -> Option<StackStatus> {
        match call {
            StackCall::Create(_) => {
                let arn = reply.arn.clone()?;
                Some(StackStatus { arn: Some(arn), ..status.clone() })
            }
            // AWS puts values of its own where some were cleared (user settings, a protocol): not ours to clear again.
            StackCall::Update(patch) if !patch.clear.is_empty() => {
                let mut status = status.clone();
                let cleared = |path: &String| {
                    diff::Field::ALL
                        .into_iter()
                        .any(|f| f.path() == path && f.clearing().is_some_and(|c| patch.clear.contains(&c)))
                };
                status.internal.applied.fields.retain(|path| !cleared(path));
                Some(status)
            }
            StackCall::Update(_)
            | StackCall::Delete(_)
            | StackCall::Associate { .. }
            | StackCall::Disassociate { .. }
            | StackCall::Tag { .. }
            | StackCall::Untag { .. } => None,
        }
    }

    fn place(object: &Stack) -> (Option<&AccountName>, Option<&Region>) {
        object.spec.common.place()
    }

    fn face(object: &Stack) -> Face {
        life::face::<Self>(object)
    }

    fn rests_on(object: &Stack) -> Vec<Neighbour> {
        wanted::neighbour(object).into_iter().collect()
    }
}

impl Life for StackKind {
    const NOUN: &'static str = "stack";
    // A stack holds no data of its own: what somebody deleted comes back.
    const RECREATE: RecreatePolicy = RecreatePolicy::Always;
    const TAGS: StackLook = StackLook::Tags;
    const LEAVING: &'static [StackLook] = &[StackLook::Fleets];

    type Wanted<'a> = Wanted<'a>;
    type Facts = StackFacts;
    type Stamps = StackInternal;
    type Shown = Shown;

    // A fleet that is not there yet keeps nobody waiting: only what a cut waits for counts.
    fn counts(wait: &str) -> bool {
        [FOR_SESSIONS, FOR_WINDOW].contains(&wait)
    }

    fn common(object: &Stack) -> &Common {
        &object.spec.common
    }

    fn earlier(object: &Stack) -> &StackStatus {
        report::earlier(object)
    }

    fn stamps(status: &StackStatus) -> &StackInternal {
        &status.internal
    }

    fn name(object: &Stack) -> Result<String, String> {
        wanted::name(object).map(|name| name.to_string())
    }

    fn read(object: &Stack, now: Timestamp) -> Result<Wanted<'_>, (Stall, String)> {
        Wanted::read(object, now)
    }

    fn shown(_wanted: &Wanted<'_>) -> Shown {
        Shown::default()
    }

    fn found(state: &StackState) -> Found<'_, StackFacts> {
        Found { began: state.began, facts: state.stack.as_ref(), tags: state.tags.as_ref() }
    }

    fn creation(absent: &Absent<'_, '_, Self>) -> Creation<Self> {
        let wanted = absent.wanted;
        Creation::By(StackCall::Create(Box::new(StackCreate {
            name: wanted.name.clone(),
            settings: wanted.settings().clone(),
            tags: wanted_tags::<Self>(absent.scope, wanted.object),
        })))
    }

    fn immutable(_there: &There<'_, '_, Self>) -> Option<String> {
        // AWS can change everything of a stack but its name, by which it was found.
        None
    }

    fn keep(there: &There<'_, '_, Self>) -> Plan<Self> {
        run::keep(there)
    }

    fn observe(there: &There<'_, '_, Self>) -> Plan<Self> {
        run::observe(there)
    }

    fn leave(going: &Going<'_, Self>) -> Plan<Self> {
        run::leave(going)
    }

    fn changes(call: &StackCall) -> Changes {
        match call {
            StackCall::Update(patch) => Changes::Fields(diff::paths(patch)),
            StackCall::Associate { .. } | StackCall::Disassociate { .. } => {
                Changes::Fields(vec!["fleetRef", "fleetName"])
            }
            StackCall::Create(_) | StackCall::Delete(_) | StackCall::Tag { .. } | StackCall::Untag { .. } => {
                Changes::Nothing
            }
        }
    }

    fn tag(facts: &StackFacts, tags: BTreeMap<String, String>) -> StackCall {
        StackCall::Tag { arn: facts.arn.clone(), tags }
    }

    fn untag(facts: &StackFacts, keys: BTreeSet<String>) -> StackCall {
        StackCall::Untag { arn: facts.arn.clone(), keys }
    }

    fn status(report: Report<'_, Self>) -> StackStatus {
        report::status(report)
    }
}

impl Facts for StackFacts {
    fn arn(&self) -> &Arn {
        &self.arn
    }
    fn name(&self) -> &str {
        self.name.as_str()
    }
    fn created_time(&self) -> Option<Timestamp> {
        self.created_time
    }
}

impl Stamps for StackInternal {
    fn intent(&self) -> Option<&Intent> {
        self.intent.as_ref()
    }
    fn intend(&mut self, intent: Option<Intent>) {
        self.intent = intent;
    }
    fn begin_anew(&mut self) {
        (self.applied, self.rejected) = (StackApplied::default(), None);
    }
}

impl Status for StackStatus {
    shared_status!();

    fn with_counts_of(mut self, other: &Self) -> Self {
        if let (Some(mine), Some(theirs)) = (&mut self.sessions, &other.sessions) {
            mine.clone_from(theirs);
        }
        self
    }

    fn figures(&self) -> Figures {
        let awaited_sessions = self.sessions.as_ref().map(|awaited| awaited.count);
        Figures { awaited_sessions, errors: self.stack_errors.len(), ..Figures::default() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
