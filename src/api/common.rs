//! What Fleet, Stack, ImageBuilder and Instance have in common: policies in the spec, stamps and changes in the status.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{AccountName, Region};

/// The fields that every kind with an AWS resource of its own shares.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Common {
    /// The `Account` object whose AWS account and role are used. Not available yet: leave it out; the operator's own
    /// identity is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
    /// The AWS Region. Default: the operator's own (`--region`). Cannot be changed once set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// AWS tags to keep on the resource, at most 45 (AWS allows 50; five are the operator's). Tags that others put on
    /// the resource are left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// What happens in AWS when this object is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Whether a resource of this name that exists already may be taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adoption_policy: Option<AdoptionPolicy>,
    /// Whether the operator changes AWS (`Manage`) or only reports differences (`Observe`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_policy: Option<ManagementPolicy>,
    /// Whether a resource that somebody deleted in AWS is created again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recreate_policy: Option<RecreatePolicy>,
    /// While true, the operator deletes nothing in AWS for this object, however it came to be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<bool>,
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
    /// The spec path that differs, such as `instanceType`.
    #[schemars(length(max = 128))]
    pub field: String,
    /// What AWS has, as a short string; empty when it has none.
    #[schemars(length(max = 256))]
    pub from: String,
    /// What the spec wants, as a short string; empty when it wants none.
    #[schemars(length(max = 256))]
    pub to: String,
    /// What carrying it out takes.
    pub impact: Impact,
    /// What it waits for, in words; absent when it is being carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub waiting_for: Option<String>,
    /// When the difference was first seen (RFC 3339); `disruption.forceAfter` counts from it.
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
    /// The name that was to be created.
    #[schemars(length(max = 256))]
    pub name: String,
    /// When it was written (RFC 3339).
    pub at: Timestamp,
}
