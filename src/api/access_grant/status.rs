//! What an AccessGrant's status shows, and the few things that it remembers. Nothing secret is ever in it.

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema::{conditions, field_words_first};
use crate::api::text::Arn;

/// What the operator makes of the grant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = field_words_first)]
pub struct AccessGrantStatus {
    /// The generation of the spec that this status is about; -1 until the operator has looked at the object.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// The value of the annotation `windlass.dev/reconcile-requested-at` that was last acted on,
    /// at most 262144 characters (the bound that the API server sets on annotations).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 262_144))]
    pub last_handled_reconcile_at: Option<String>,
    /// What holds for the grant: `Ready`, `Available` and `Synced` while it lasts, `Reconciling`, `Stalled` and `Paused`
    /// while so; `Ended` alone when it is over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = conditions)]
    pub conditions: Vec<Condition>,
    /// The ARN of the target or of its fleet, 1 to 2048 characters; kept from then on, because it says that it existed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<Arn>,
    /// What the grant opens, in at most 1600 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1600))]
    pub target: Option<String>,
    /// When the grant begins (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// When the grant ends (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// The Secret that has the credentials, at most 253 characters; absent while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub secret_name: Option<String>,
    /// When the credentials in the Secret expire (RFC 3339); absent where AWS names no expiry. What was handed out works
    /// until then, whatever becomes of the grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_expires_at: Option<Timestamp>,
    /// What the operator must remember. No API: it may change at any time.
    #[serde(skip_serializing_if = "GrantInternal::is_empty")]
    pub internal: GrantInternal,
}

/// The stamps: the few things that are remembered in status.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GrantInternal {
    /// Which machine the grant is for, once it was seen: another one under the same name is not it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetStamp>,
    /// Since when AWS says that the machine, which had existed, is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Timestamp>,
    /// Why the grant is over, where time alone does not say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<EndReason>,
}

impl GrantInternal {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetStamp {
    /// Its name in AWS, where the spec names an object, at most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub name: Option<String>,
    /// Its ARN, or that of its fleet and its own name, in at most 4096 characters; absent until it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub id: Option<String>,
    /// When AWS created it (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The AWS account that it was seen in, 12 digits: GameLift's ARNs may have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12))]
    pub account: Option<String>,
}

/// Why a grant is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EndReason {
    /// Its time is over.
    Expired,
    /// What it opened is gone.
    TargetGone,
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
