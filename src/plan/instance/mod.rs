//! The rules of an Instance: what is wanted against what AWS says, one write at a time.
//!
//! Nothing is written while AWS starts, stops or deletes the instance. Only a newer generation of the bundle needs a
//! restart, by the rules of `disruption`; everything else is changed in place.

pub mod call;
pub mod catalogue;
mod create;
mod delete;
mod diff;
mod draft;
pub mod ports;
mod power;
mod report;
mod run;
pub mod state;
mod static_ip;
pub mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::api::common::{Common, RecreatePolicy};
use crate::api::instance::{Applied, Instance, InstanceStatus, Internal};
use crate::api::{AccountName, Arn, Intent, Region};

use super::leave::Going;
use super::life::{self, Absent, Creation, Facts, Found, Life, Stamps, There};
use super::reason::Stall;
use super::report::Report;
use super::shared_status::shared_status;
use super::unshown::{self, Changes};
use super::{Face, Input, KeyRef, Kind, Plan, Reply, Status};

pub use call::{InstanceCall, InstanceCreate};
pub use catalogue::{Blueprint, Bundle, Catalogue};
pub use ports::PortRule;
pub use report::Shown;
pub use state::{
    AddOnStatus, AutoSnapshotFacts, InstanceFacts, InstanceLook, InstanceState, MetadataFacts, OperationFacts, Power,
    StaticIpFacts,
};

use wanted::Wanted;

/// The kind Instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceKind;

impl Kind for InstanceKind {
    const NAME: &'static str = "Instance.lightsail.windlass.dev";
    type Object = Instance;
    type Status = InstanceStatus;
    type State = InstanceState;
    type Look = InstanceLook;
    type Call = InstanceCall;

    fn plan(input: &Input<'_, Self>) -> Plan<Self> {
        unshown::plan(input)
    }

    /// Lightsail names no ARN in the answer to a create: the look that follows at once finds it.
    fn after(status: &InstanceStatus, call: &InstanceCall, reply: &Reply) -> Option<InstanceStatus> {
        match (call, &reply.arn) {
            (InstanceCall::Create(_), Some(arn)) => Some(InstanceStatus { arn: Some(arn.clone()), ..status.clone() }),
            (_, _) => None,
        }
    }

    fn place(object: &Instance) -> (Option<&AccountName>, Option<&Region>) {
        object.spec.common.place()
    }

    fn face(object: &Instance) -> Face {
        Face { address: report::earlier(object).address.clone(), ..life::face::<Self>(object) }
    }

    fn key(object: &Instance, look: InstanceLook) -> Option<KeyRef> {
        match look {
            InstanceLook::UserData => create::user_data_key(object),
            InstanceLook::Anew | InstanceLook::Catalogue | InstanceLook::Operations | InstanceLook::AutoSnapshots => {
                None
            }
        }
    }
}

impl Life for InstanceKind {
    const NOUN: &'static str = "instance";
    // What was on its disk is gone: another one under its name is not the same.
    const RECREATE: RecreatePolicy = RecreatePolicy::Never;
    const TAGS: InstanceLook = InstanceLook::Anew;
    const LEAVING: &'static [InstanceLook] = &[InstanceLook::AutoSnapshots];

    type Wanted<'a> = Wanted<'a>;
    type Facts = InstanceFacts;
    type Stamps = Internal;
    type Shown = Shown;

    fn common(object: &Instance) -> &Common {
        &object.spec.common
    }

    fn earlier(object: &Instance) -> &InstanceStatus {
        report::earlier(object)
    }

    fn stamps(status: &InstanceStatus) -> &Internal {
        &status.internal
    }

    fn name(object: &Instance) -> Result<String, String> {
        wanted::name(object).map(|name| name.to_string())
    }

    fn read(object: &Instance, now: Timestamp) -> Result<Wanted<'_>, (Stall, String)> {
        Wanted::read(object, now)
    }

    fn shown(wanted: &Wanted<'_>) -> Shown {
        Shown { power: Some(wanted.spec().desired_state) }
    }

    fn found(state: &InstanceState) -> Found<'_, InstanceFacts> {
        Found { began: state.began, facts: state.instance.as_ref(), tags: state.tags.as_ref() }
    }

    fn creation(absent: &Absent<'_, '_, Self>) -> Creation<Self> {
        create::creation(absent)
    }

    fn immutable(there: &There<'_, '_, Self>) -> Option<String> {
        diff::immutable(there.wanted, there.facts)
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

    fn left_behind(going: &Going<'_, Self>) -> Option<Plan<Self>> {
        delete::left_behind(going)
    }

    fn changes(call: &InstanceCall) -> Changes {
        match call {
            InstanceCall::PutPorts { .. } => Changes::Fields(vec![diff::PUBLIC_PORTS]),
            InstanceCall::SetIpAddressType { .. } => Changes::Fields(vec![diff::IP_ADDRESS_TYPE]),
            InstanceCall::UpdateMetadataOptions { .. } => Changes::Fields(diff::METADATA_OPTIONS.to_vec()),
            InstanceCall::EnableAutoSnapshot { .. } | InstanceCall::DisableAutoSnapshot(_) => {
                Changes::Fields(vec![diff::AUTO_SNAPSHOT])
            }
            InstanceCall::AllocateStaticIp(_)
            | InstanceCall::AttachStaticIp { .. }
            | InstanceCall::DetachStaticIp(_)
            | InstanceCall::ReleaseStaticIp(_) => Changes::Fields(vec![static_ip::FIELD]),
            InstanceCall::Start { bundle: Some(_), .. } => Changes::Fields(vec![diff::BUNDLE_ID]),
            InstanceCall::Create(_)
            | InstanceCall::Start { bundle: None, .. }
            | InstanceCall::Stop(_)
            | InstanceCall::Delete { .. }
            | InstanceCall::Tag { .. }
            | InstanceCall::Untag { .. } => Changes::Nothing,
        }
    }

    fn tag(facts: &InstanceFacts, tags: BTreeMap<String, String>) -> InstanceCall {
        InstanceCall::Tag { name: facts.name.clone(), arn: facts.arn.clone(), tags }
    }

    fn untag(facts: &InstanceFacts, keys: BTreeSet<String>) -> InstanceCall {
        InstanceCall::Untag { name: facts.name.clone(), arn: facts.arn.clone(), keys }
    }

    fn status(report: Report<'_, Self>) -> InstanceStatus {
        report::status(report)
    }
}

impl Facts for InstanceFacts {
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

impl Stamps for Internal {
    fn intent(&self) -> Option<&Intent> {
        self.intent.as_ref()
    }
    fn intend(&mut self, intent: Option<Intent>) {
        self.intent = intent;
    }
    fn begin_anew(&mut self) {
        // A static IP outlives the instance: what we allocated is still ours to release.
        let static_ips = std::mem::take(&mut self.applied.static_ips);
        self.applied = Applied { static_ips, ..Applied::default() };
        (self.rejected, self.started, self.power_sets) = (None, None, None);
    }
}

impl Status for InstanceStatus {
    shared_status!();

    fn with_counts_of(self, _other: &Self) -> Self {
        self
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
