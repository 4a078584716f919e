//! What an ImageBuilder's status shows, and the few things that it remembers.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::common::{Intent, PendingChange};
use crate::api::schema::{conditions, field_words_first, members};
use crate::api::text::Arn;

/// What AWS says about the image builder, and what the operator makes of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = field_words_first)]
pub struct ImageBuilderStatus {
    /// The generation of the spec that this status is about; -1 until the operator has looked at the object.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// The value of the annotation `windlass.dev/reconcile-requested-at` that was last acted on,
    /// at most 262144 characters (the bound that the API server sets on annotations).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 262_144))]
    pub last_handled_reconcile_at: Option<String>,
    /// What holds for the object: `Ready`, `Available` and `Synced` always; `Reconciling`, `Stalled` and `Paused` while so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = conditions)]
    pub conditions: Vec<Condition>,
    /// The image builder's ARN, 1 to 2048 characters; kept from then on, because it says that the image builder existed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<Arn>,
    /// The image builder's name in AWS, at most 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub name: Option<String>,
    /// AWS's state of the image builder, such as `RUNNING`, `STOPPED` or `SNAPSHOTTING`; at most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub state: Option<String>,
    /// Why AWS changed the state last, if it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_change_reason: Option<StateChangeReason>,
    /// The instance type that AWS has, at most 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub instance_type: Option<String>,
    /// The image that it began with, by name, at most 2048 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub image_name: Option<String>,
    /// The image that it began with, by ARN, at most 2048 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub image_arn: Option<String>,
    /// The platform that AWS has, at most 128 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub platform: Option<String>,
    /// The version of AWS's agent on it, at most 128 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub appstream_agent_version: Option<String>,
    /// Its address in the VPC while it runs, at most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub private_ip_address: Option<String>,
    /// When AWS created the image builder (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_time: Option<Timestamp>,
    /// The errors that AWS reports on the image builder, at most 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub image_builder_errors: Vec<BuilderError>,
    /// The differences between this spec and AWS, at most 256, and what becomes of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub pending_changes: Vec<PendingChange>,
    /// What the operator must remember. No API: it may change at any time.
    #[serde(skip_serializing_if = "BuilderInternal::is_empty")]
    pub internal: BuilderInternal,
}

/// Why AWS changed a state.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateChangeReason {
    /// AWS's code, such as `IMAGE_UNAVAILABLE`, at most 256 characters.
    #[schemars(length(max = 256))]
    pub code: String,
    /// AWS's words, at most 32768 characters.
    #[serde(default)]
    #[schemars(length(max = 32_768))]
    pub message: String,
}

/// An error that AWS reports on an image builder.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuilderError {
    /// AWS's code, such as `SUBNET_NOT_FOUND`, at most 256 characters.
    #[serde(rename = "errorCode", default)]
    #[schemars(length(max = 256))]
    pub code: String,
    /// AWS's words, at most 32768 characters.
    #[serde(rename = "errorMessage", default)]
    #[schemars(length(max = 32_768))]
    pub message: String,
    /// When it happened (RFC 3339), if AWS says.
    #[serde(rename = "errorTimestamp", skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// The stamps: the few things that are remembered in status. Each is safe to lose: the operator then waits longer or
/// removes less, never the opposite.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BuilderInternal {
    /// The create about to be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Tag keys that we set, so that a removal is told from what others set.
    #[serde(skip_serializing_if = "BuilderApplied::is_empty")]
    pub applied: BuilderApplied,
    /// Since when AWS reports the present state and errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_since: Option<Timestamp>,
}

impl BuilderInternal {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What we set and may therefore remove.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BuilderApplied {
    /// Tag keys that the operator set, at most 100 of at most 128 characters.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "set"), transform = members(0, 128, &[]))]
    pub tags: BTreeSet<String>,
}

impl BuilderApplied {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
