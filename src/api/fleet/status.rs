//! What a Fleet's status shows, and the few things that it remembers.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DesiredState;
use crate::api::common::{Intent, PendingChange};
use crate::api::schema::{conditions, field_words_first, members};
use crate::api::text::Arn;

/// What AWS says about the fleet, and what the operator makes of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = field_words_first)]
pub struct FleetStatus {
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
    /// The fleet's ARN, 1 to 2048 characters; kept from then on, because it says that the fleet existed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<Arn>,
    /// The fleet's name in AWS, at most 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub name: Option<String>,
    /// AWS's state of the fleet: `STARTING`, `RUNNING`, `STOPPING` or `STOPPED`; at most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub state: Option<String>,
    /// The instance type that AWS has, at most 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub instance_type: Option<String>,
    /// The image that AWS has, by name, at most 2048 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub image_name: Option<String>,
    /// The image that AWS has, by ARN, at most 2048 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub image_arn: Option<String>,
    /// The platform that AWS has, at most 128 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub platform: Option<String>,
    /// When AWS created the fleet (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_time: Option<Timestamp>,
    /// AWS's counts of instances and sessions; refreshed at most every five minutes when nothing else changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacityStatus>,
    /// The errors that AWS reports on the fleet, at most 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub fleet_errors: Vec<FleetError>,
    /// A label selector by the object's uid, at most 256 characters: an autoscaler insists on one, and it selects nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub selector: Option<String>,
    /// The differences between this spec and AWS, at most 256, and what becomes of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub pending_changes: Vec<PendingChange>,
    /// The sessions that a stop waits for; absent when none waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionsStatus>,
    /// The next change that `powerSchedule` brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_transition: Option<NextTransition>,
    /// What the operator must remember. No API: it may change at any time.
    #[serde(skip_serializing_if = "Internal::is_empty")]
    pub internal: Internal,
}

/// AWS's counts (`ComputeCapacityStatus`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacityStatus {
    /// Instances wanted, from 0.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub desired: i32,
    /// Instances running, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub running: Option<i32>,
    /// Instances with users, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub in_use: Option<i32>,
    /// Instances free for users, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub available: Option<i32>,
    /// Sessions wanted, multi-session fleets, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub desired_user_sessions: Option<i32>,
    /// Sessions free for users, multi-session fleets, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub available_user_sessions: Option<i32>,
    /// Sessions in use, multi-session fleets, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub active_user_sessions: Option<i32>,
    /// Sessions that there is room for, multi-session fleets, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub actual_user_sessions: Option<i32>,
}

/// An error that AWS reports on a fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetError {
    /// AWS's code, such as `SUBNET_NOT_FOUND`, at most 256 characters.
    #[serde(rename = "errorCode", default)]
    #[schemars(length(max = 256))]
    pub code: String,
    /// AWS's words, at most 32768 characters.
    #[serde(rename = "errorMessage", default)]
    #[schemars(length(max = 32_768))]
    pub message: String,
}

/// The sessions that a stop waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionsStatus {
    /// How many, from 0.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub count: i32,
    /// When the oldest of them began (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
}

/// The next change that the power schedule brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextTransition {
    /// When (RFC 3339).
    pub at: Timestamp,
    /// To which state: `Running` or `Stopped`.
    pub to: DesiredState,
}

/// The stamps: the few things that are remembered in status. Each is safe to lose: the operator then waits longer or
/// removes less, never the opposite.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Internal {
    /// The create about to be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Tag keys and clearable fields that we set, so that a removal is told from what others set.
    #[serde(skip_serializing_if = "Applied::is_empty")]
    pub applied: Applied,
    /// Since when AWS reports the present `state` and errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_since: Option<Timestamp>,
    /// The update that AWS refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejected>,
    /// The capacity that a drain took away and that is to be given back where the spec has none, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub drained_from: Option<i32>,
}

impl Internal {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What we set and may therefore remove.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Applied {
    /// Tag keys that the operator set, at most 100 of at most 128 characters.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "set"), transform = members(0, 128, &[]))]
    pub tags: BTreeSet<String>,
    /// Spec paths of fields that the operator set and AWS can clear, at most 100 of at most 128 characters.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "set"), transform = members(0, 128, &[]))]
    pub fields: BTreeSet<String>,
    /// ARNs of applications that the operator associated, at most 100 of at most 2048 characters.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "set"), transform = members(1, 2048, &[]))]
    pub applications: BTreeSet<Arn>,
}

impl Applied {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A refused call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    /// The generation that asked for it, from 0.
    #[schemars(range(min = 0))]
    pub generation: i64,
    /// AWS's code, at most 256 characters.
    #[schemars(length(max = 256))]
    pub code: String,
    /// AWS's words, at most 32768 characters.
    #[schemars(length(max = 32_768))]
    pub message: String,
    /// What was refused, as a digest of at most 1024 characters: it is not tried again under another generation either.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub change: String,
}
