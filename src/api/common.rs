//! What Fleet, Stack, ImageBuilder and Instance have in common: policies in the spec, stamps and changes in the status.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::form;
use super::schema::members;
use super::text::{AccountName, Region};

/// The fields that every kind with an AWS resource of its own shares.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Common {
    /// The `Account` object whose AWS account and role are used, 1 to 253 characters. Default: the default Account, or the
    /// operator's own AWS identity while there is no Account at all. It may be set on an object that had none, if that is
    /// where the resource is; once set it cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
    /// The AWS Region, such as `eu-central-1`, 1 to 32 characters. Default: the operator's own (`--region`). It may be set
    /// on an object that had none, if that is the Region where the resource is; once set it cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// AWS tags to keep on the resource, at most 45 (AWS allows 50; five are the operator's own). Keys of 1 to 128
    /// characters, not beginning with `aws:` or `windlass.dev/`; values of at most 256. Default: none. Tags that others
    /// put on the resource are left alone; a tag removed here is removed from the resource if the operator had set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 45, "x-kubernetes-validations" = form::TAGS), transform = members(0, 256, &[]))]
    pub tags: Option<BTreeMap<String, String>>,
    /// What happens in AWS when this object is deleted. `Delete`: the resource is deleted too, once nobody uses it.
    /// `Retain`: the resource stays as it is and the operator's ownership tags are taken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Whether a resource of this name that exists already in AWS may be taken over. `Never`: it is not touched, and the
    /// object is Stalled with reason `NotOwned`. `IfExists`: it is taken over unless it carries another owner's tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adoption_policy: Option<AdoptionPolicy>,
    /// What the operator does about differences. `Manage`: it makes AWS match this spec. `Observe`: it only reports them
    /// and writes nothing to AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_policy: Option<ManagementPolicy>,
    /// What happens when somebody deletes the resource in AWS. `Always`: it is created again. `Never`: it is not, and the
    /// object is Stalled with reason `DeletedOutOfBand`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recreate_policy: Option<RecreatePolicy>,
    /// While true, the operator deletes nothing in AWS for this object, however the object came to be deleted: the deletion
    /// waits until this is false. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<bool>,
}

impl Common {
    /// The Account and the Region that are named.
    pub fn place(&self) -> (Option<&AccountName>, Option<&Region>) {
        (self.account.as_ref(), self.region.as_ref())
    }
}

/// What happens in AWS when the object is deleted. Default `Delete`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// The AWS resource is deleted too, by the rules of `disruption`.
    #[default]
    Delete,
    /// The AWS resource stays; our ownership tags are taken off as best we can.
    Retain,
}

/// Whether an existing resource may be taken over. Default `Never`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AdoptionPolicy {
    /// A resource that exists and is not ours is never touched (`NotOwned`).
    #[default]
    Never,
    /// A resource without ownership tags, or with those of the same object under an earlier uid, is taken over.
    IfExists,
}

/// Whether the operator writes to AWS. Default `Manage`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ManagementPolicy {
    /// The operator makes AWS match.
    #[default]
    Manage,
    /// The operator only reports differences and never writes to AWS.
    Observe,
}

/// Whether a resource that was deleted out of band is created again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RecreatePolicy {
    /// It is created again.
    Always,
    /// It is not: the object is `Stalled` with reason `DeletedOutOfBand`.
    Never,
}

/// One difference between the spec and AWS, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingChange {
    /// The spec path that differs, such as `instanceType`, at most 128 characters.
    #[schemars(length(max = 128))]
    pub field: String,
    /// What AWS has, as a text of at most 256 characters; empty when it has none.
    #[schemars(length(max = 256))]
    pub from: String,
    /// What the spec wants, as a text of at most 256 characters; empty when it wants none.
    #[schemars(length(max = 256))]
    pub to: String,
    /// What carrying it out takes: `None` (no user notices), `Restart` (the resource is stopped and started) or `Refused`
    /// (AWS refused it, or it cannot be done).
    pub impact: Impact,
    /// What it waits for, in at most 1024 characters; absent when it is being carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub waiting_for: Option<String>,
    /// When the difference was first seen (RFC 3339), or, where it was left alone at first (`OnStop`, `Observe`, refused),
    /// since when it is to be carried out; `disruption.forceAfter` counts from it.
    pub since: Timestamp,
}

/// What carrying a change out takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Impact {
    /// No user notices.
    None,
    /// The resource is stopped and started.
    Restart,
    /// AWS refused it, or it cannot be done.
    Refused,
}

/// The create about to be sent, and when: written before it, so that a crash is known to have a question open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// The name that was to be created, at most 256 characters.
    #[schemars(length(max = 256))]
    pub name: String,
    /// When it was written (RFC 3339).
    pub at: Timestamp,
    /// The AWS account that it was to be created in, at most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub account: Option<String>,
    /// The Region that it was to be created in, at most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub region: Option<String>,
}
