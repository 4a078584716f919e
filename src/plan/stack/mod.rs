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
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use crate::api::common::{Common, PendingChange, RecreatePolicy};
use crate::api::stack::{Stack, StackApplied, StackInternal, StackStatus};
use crate::api::{Arn, Intent};

use super::conditions;
use super::leave::Going;
use super::life::{Absent, Creation, Facts, Found, Life, Stamps, There, wanted_tags};
use super::reason::Stall;
use super::report::Report;
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

    fn face(object: &Stack) -> Face {
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
    fn observed_generation(&self) -> i64 {
        self.observed_generation
    }
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
    fn with_conditions(mut self, generation: i64, conditions: Vec<Condition>) -> Self {
        (self.observed_generation, self.conditions) = (generation, conditions);
        self
    }
    fn last_handled(&self) -> Option<&String> {
        self.last_handled_reconcile_at.as_ref()
    }
    fn arn(&self) -> Option<&Arn> {
        self.arn.as_ref()
    }
    fn created_time(&self) -> Option<Timestamp> {
        self.created_time
    }
    fn pending_changes(&self) -> &[PendingChange] {
        &self.pending_changes
    }
    fn same_stamps(&self, other: &Self) -> bool {
        self.internal == other.internal && self.arn == other.arn
    }
    fn with_counts_of(mut self, other: &Self) -> Self {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
