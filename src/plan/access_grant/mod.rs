//! The rules of an AccessGrant: credentials in a Secret while it lasts, renewed in time, gone at the end.
//!
//! A grant has no resource in AWS. What there is to see is the Secret (its metadata), the Account, the target and the clock;
//! what there is to do is one write to the Secret.

pub mod certificate;
pub mod contents;
mod decide;
mod judge;
pub mod password;
mod report;
mod standing;
pub mod state;
pub mod term;

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use crate::api::access_grant::AccessGrantStatus;
use crate::api::common::PendingChange;
use crate::api::{AccessGrant, AccountName, Arn, Region};

use super::figures::Figures;
use super::instance::InstanceKind;
use super::{Allow, Call, Face, Input, KeyRef, KeySource, Kind, Neighbour, Plan, Reply, Status, conditions};

pub use state::{
    AccessSeen, ComputeAccess, Credentials, Doing, GrantLook, GrantState, Login, Missing, NoAccess, RdpAccess,
    SshAccess, TargetFacts, TargetSeen,
};

/// The kind AccessGrant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantKind;

/// A grant writes nothing to AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantCall {}

impl Call for GrantCall {
    fn operation(&self) -> &'static str {
        match *self {}
    }
    fn creates(&self) -> bool {
        match *self {}
    }
}

/// The key of `decryptionKeyRef` when the spec does not say: that of a Secret of type `kubernetes.io/ssh-auth`.
const KEY: &str = "ssh-privatekey";

impl Kind for GrantKind {
    const NAME: &'static str = "AccessGrant.access.windlass.dev";
    type Object = AccessGrant;
    type Status = AccessGrantStatus;
    type State = GrantState;
    type Look = GrantLook;
    type Call = GrantCall;

    fn plan(input: &Input<'_, Self>) -> Plan<Self> {
        decide::plan(input)
    }

    fn after(_: &AccessGrantStatus, call: &GrantCall, _: &Reply) -> Option<AccessGrantStatus> {
        match *call {}
    }

    fn face(object: &AccessGrant) -> Face {
        Face {
            uid: object.uid().unwrap_or_default(),
            aws_name: object.name_any(),
            arn: None,
            address: None,
            available: conditions::holds(&earlier(object).conditions, "Available"),
            deleting: object.metadata.deletion_timestamp.is_some(),
        }
    }

    fn place(object: &AccessGrant) -> (Option<&AccountName>, Option<&Region>) {
        (object.spec.account.as_ref(), object.spec.region.as_ref())
    }

    fn rests_on(object: &AccessGrant) -> Vec<Neighbour> {
        let reference = object.spec.lightsail_instance.as_ref().and_then(|target| target.instance_ref.as_ref());
        let neighbour = reference.map(|target| Neighbour { kind: InstanceKind::NAME, name: target.name.clone() });
        neighbour.into_iter().collect()
    }

    fn secret(object: &AccessGrant) -> Option<String> {
        Some(term::secret_name(object))
    }

    fn shows_secret(object: &AccessGrant) -> bool {
        earlier(object).secret_name.is_some()
    }

    fn may(object: &AccessGrant, allow: &Allow) -> Result<(), String> {
        judge::may_ask(object, allow)
    }

    fn asks_aws(looks: &BTreeSet<GrantLook>) -> bool {
        !looks.is_empty()
    }

    fn ends(object: &AccessGrant) -> Option<Timestamp> {
        let deleted = object.metadata.deletion_timestamp.as_ref().map(|time| time.0);
        let over = earlier(object).internal.ended.and(object.metadata.creation_timestamp.as_ref().map(|time| time.0));
        deleted.or(over).or_else(|| term::Term::of(object).ok().map(|term| term.end))
    }

    fn key(object: &AccessGrant, look: GrantLook) -> Option<KeyRef> {
        match look {
            GrantLook::Target => None,
            GrantLook::Access => {
                let key = object.spec.decryption_key_ref.as_ref()?;
                let (source, name) = (KeySource::Secret, key.name.clone());
                Some(KeyRef { source, name, key: key.key.clone().unwrap_or_else(|| KEY.to_owned()) })
            }
        }
    }
}

/// The status as the object has it.
fn earlier(object: &AccessGrant) -> &AccessGrantStatus {
    static NOTHING: std::sync::LazyLock<AccessGrantStatus> = std::sync::LazyLock::new(AccessGrantStatus::default);
    object.status.as_ref().unwrap_or(&NOTHING)
}

impl Status for AccessGrantStatus {
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
        self.internal.target.as_ref().and_then(|target| target.created)
    }
    fn pending_changes(&self) -> &[PendingChange] {
        &[]
    }
    fn same_stamps(&self, other: &Self) -> bool {
        self.internal == other.internal && self.arn == other.arn
    }
    fn figures(&self) -> Figures {
        Figures { ends_at: self.ends_at, ..Figures::default() }
    }
    fn with_counts_of(self, _: &Self) -> Self {
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
