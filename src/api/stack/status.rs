//! What a Stack's status shows, and the few things that it remembers.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::common::{Intent, PendingChange};
use crate::api::fleet::{Rejected, SessionsStatus};
use crate::api::schema::{conditions, field_words_first, members};
use crate::api::text::{Arn, AwsName};

/// What AWS says about the stack, and what the operator makes of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = field_words_first)]
pub struct StackStatus {
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
    /// The stack's ARN, 1 to 2048 characters; kept from then on, because it says that the stack existed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<Arn>,
    /// The stack's name in AWS, at most 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub name: Option<String>,
    /// The fleet that AWS has the stack associated with, at most 1024 characters; several with commas between, should AWS
    /// ever have that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub fleet_name: Option<String>,
    /// When AWS created the stack (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_time: Option<Timestamp>,
    /// The errors that AWS reports on the stack, at most 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub stack_errors: Vec<StackError>,
    /// The differences between this spec and AWS, at most 256, and what becomes of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub pending_changes: Vec<PendingChange>,
    /// The sessions that a cut waits for; absent when none waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionsStatus>,
    /// What the operator must remember. No API: it may change at any time.
    #[serde(skip_serializing_if = "StackInternal::is_empty")]
    pub internal: StackInternal,
}

/// An error that AWS reports on a stack.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StackError {
    /// AWS's code, such as `STORAGE_CONNECTOR_ERROR`, at most 256 characters.
    #[serde(rename = "errorCode", default)]
    #[schemars(length(max = 256))]
    pub code: String,
    /// AWS's words, at most 32768 characters.
    #[serde(rename = "errorMessage", default)]
    #[schemars(length(max = 32_768))]
    pub message: String,
}

/// The stamps: the few things that are remembered in status. Each is safe to lose: the operator then waits longer or
/// removes less, never the opposite.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StackInternal {
    /// The create about to be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Tag keys, clearable fields and the fleet that we set, so that a removal is told from what others set.
    #[serde(skip_serializing_if = "StackApplied::is_empty")]
    pub applied: StackApplied,
    /// Since when AWS reports the present errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_since: Option<Timestamp>,
    /// The generation whose update AWS refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejected>,
}

impl StackInternal {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What we set and may therefore remove.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StackApplied {
    /// Tag keys that the operator set, at most 100 of at most 128 characters.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "set"), transform = members(0, 128, &[]))]
    pub tags: BTreeSet<String>,
    /// Spec paths of fields that the operator set and AWS can clear, at most 100 of at most 128 characters.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "set"), transform = members(0, 128, &[]))]
    pub fields: BTreeSet<String>,
    /// The fleet that the operator associated the stack with, 1 to 101 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<AwsName>,
}

impl StackApplied {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
