//! What an Instance's status shows, and the few things that it remembers.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::common::{Intent, PendingChange};
use crate::api::fleet::Rejected;
use crate::api::schema::{conditions, field_words_first, members};
use crate::api::text::Arn;

/// What AWS says about the instance, and what the operator makes of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = field_words_first)]
pub struct InstanceStatus {
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
    /// The instance's ARN, 1 to 2048 characters; kept from then on, because it says that the instance existed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<Arn>,
    /// The instance's name in AWS, at most 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub name: Option<String>,
    /// AWS's state of the instance, such as `pending`, `running`, `stopping` or `stopped`; at most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub state: Option<String>,
    /// Where users reach it, at most 64 characters: the public IPv4 address, or the first IPv6 address of an instance that
    /// has no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub address: Option<String>,
    /// The public IPv4 address, at most 64 characters. Without a static IP it changes whenever the instance is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub public_ip_address: Option<String>,
    /// The private IPv4 address, at most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub private_ip_address: Option<String>,
    /// The IPv6 addresses, at most 16 of at most 64 characters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), transform = members(0, 64, &[]))]
    pub ipv6_addresses: Vec<String>,
    /// The static IP that is attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub static_ip: Option<StaticIpStatus>,
    /// Whom to log in as, at most 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub username: Option<String>,
    /// The blueprint's platform, such as `LINUX_UNIX` or `WINDOWS`, at most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub platform: Option<String>,
    /// The bundle that AWS has, at most 256 characters; to and from IPv6 alone AWS swaps it for its counterpart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub bundle_id: Option<String>,
    /// The blueprint that AWS made it of, at most 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub blueprint_id: Option<String>,
    /// The Availability Zone, at most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub availability_zone: Option<String>,
    /// What AWS asks for the bundle in a month, in US dollars with two decimals, at most 32 characters: the list price of
    /// the Region, without extras.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub monthly_price: Option<String>,
    /// When AWS created the instance (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_time: Option<Timestamp>,
    /// The differences between this spec and AWS, at most 256, and what becomes of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub pending_changes: Vec<PendingChange>,
    /// What the operator must remember. No API: it may change at any time.
    #[serde(skip_serializing_if = "Internal::is_empty")]
    pub internal: Internal,
}

/// A static IP that is attached to the instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StaticIpStatus {
    /// Its name in AWS, at most 256 characters.
    #[schemars(length(max = 256))]
    pub name: String,
    /// Its address, at most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub ip_address: Option<String>,
}

/// The stamps: the few things that are remembered in status. Each is safe to lose: the operator then waits longer or
/// removes less, never the opposite.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Internal {
    /// The create about to be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// What we set, so that a removal is told from what others set.
    #[serde(skip_serializing_if = "Applied::is_empty")]
    pub applied: Applied,
    /// Since when AWS reports the present `state`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_since: Option<Timestamp>,
    /// The generation whose change of the bundle AWS refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejected>,
    /// The last start that was to change the bundle, until AWS shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Started>,
    /// The starts and stops that `desiredState` needed lately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_sets: Option<PowerSets>,
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
    /// Whether the operator enabled automatic snapshots.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub auto_snapshot: bool,
    /// The names of static IPs that the operator allocated or attached, or was about to, at most 16 of at most 256
    /// characters.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "set"), transform = members(0, 256, &[]))]
    pub static_ips: BTreeSet<String>,
}

impl Applied {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A start that was to change the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// The bundle that it was made with, at most 256 characters.
    #[schemars(length(max = 256))]
    pub bundle: String,
    /// When it was sent (RFC 3339).
    pub at: Timestamp,
}

/// Starts and stops that followed each other closely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PowerSets {
    /// The generation that asked for them, from 0.
    #[schemars(range(min = 0))]
    pub generation: i64,
    /// How many, 1 to 1000000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub count: i32,
    /// When the last of them was sent (RFC 3339).
    pub at: Timestamp,
}
