//! The Instance: a Lightsail instance as a custom resource.
//!
//! The doc comments of the fields are what `kubectl explain` shows: unit, bounds, default, effect. Where the Lightsail API
//! model names no bound, the bound is that of what stands behind it (EC2, Kubernetes), or far beyond what people write.

mod definition;
mod rules;
mod status;

use std::collections::BTreeSet;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::Common;
use super::fleet::{DesiredState, Window};
use super::form;
use super::schema::{field_words_first, members};
use super::text::LightsailName;
pub use definition::definition;
pub use status::{Applied, InstanceStatus, Internal, PowerSets, Started, StaticIpStatus};

/// The instance that is wanted. A field that is left out is not compared with AWS, unless its description says otherwise.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "lightsail.windlass.dev", version = "v1alpha1", kind = "Instance", plural = "instances", namespaced)]
#[kube(
    status = "InstanceStatus",
    derive = "PartialEq",
    shortname = "lsinstance",
    category = "windlass",
    category = "aws"
)]
#[kube(
    doc = "An Amazon Lightsail instance: a virtual machine, its firewall, its address, and whether it runs.",
    selectable = ".spec.desiredState",
    selectable = ".spec.blueprintId",
    selectable = ".status.state"
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = field_words_first)]
pub struct InstanceSpec {
    /// The instance's name in AWS, 2 to 255 letters, digits, `_`, `.` and `-`, beginning and ending with a letter or digit;
    /// unique in its account and Region among all Lightsail resources. Default: the object's own name. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<LightsailName>,
    /// The Availability Zone, a Region and a letter such as `eu-central-1a`, 1 to 33 characters. Required. Cannot be
    /// changed.
    #[schemars(length(min = 1, max = 33), extend("x-kubernetes-validations" = form::ZONE))]
    pub availability_zone: String,
    /// What the instance is made of, by AWS's id such as `ubuntu_24_04`, 1 to 128 characters; it must be active in the
    /// Region. Required. Cannot be changed.
    #[schemars(length(min = 1, max = 128), extend("x-kubernetes-validations" = form::CATALOGUE_ID))]
    pub blueprint_id: String,
    /// The size, by AWS's id such as `nano_3_0`, 1 to 128 characters; it must be active in the Region and fit the blueprint
    /// and `ipAddressType`. Required. AWS changes it in place only to a newer generation of the same size, while the
    /// instance is stopped: that is done by the rules of `disruption`. Any other change is shown as refused.
    #[schemars(length(min = 1, max = 128), extend("x-kubernetes-validations" = form::CATALOGUE_ID))]
    pub bundle_id: String,
    /// The key pair for SSH, or for the password of a Windows instance, by its name in Lightsail, 1 to 255 characters; it
    /// must exist in the Region. Default: AWS's own for the Region. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), extend("x-kubernetes-validations" = form::KEY_PAIR_NAME))]
    pub key_pair_name: Option<String>,
    /// A script that AWS runs once, when the instance starts for the first time, 1 to 16384 characters (what EC2 takes).
    /// Everybody who may read this object reads it: what is secret belongs in a Secret, see `userDataFrom`. Default: none.
    /// Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16_384))]
    pub user_data: Option<String>,
    /// Where the script of `userData` is, instead of in this object. It is read when the instance is created, and never
    /// again. Default: none. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data_from: Option<UserDataSource>,
    /// Which addresses the instance has: `dualstack` (IPv4 and IPv6), `ipv4` or `ipv6`. Default: AWS's own (`dualstack`).
    /// Changed in place; to and from `ipv6` AWS also swaps the bundle for its counterpart with the other price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address_type: Option<IpAddressType>,
    /// Whether the instance should be on: `Running` or `Stopped`. An explicit stop is made at once, whatever `disruption`
    /// says. A start gives it another public IPv4 address, unless it has a static one.
    #[serde(default)]
    pub desired_state: DesiredState,
    /// The open ports, at most 60, replaced as one set: what is not in it is closed, and an empty list closes all. Default:
    /// those of the blueprint, and what others open, are left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 60), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["protocol", "fromPort", "toPort"]))]
    pub public_ports: Option<Vec<PublicPort>>,
    /// A public IPv4 address that stays. Empty (`{}`): the operator's own, made with the instance and released with it.
    /// Default: none. Removed here, it is detached if the operator had attached it, and released if it was its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub static_ip: Option<StaticIp>,
    /// Add-ons of the instance. Default: those that it has are left alone. Removed here, they are disabled if the operator
    /// had enabled them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_ons: Option<AddOns>,
    /// What a deletion does about automatic snapshots, which AWS destroys with the instance. `Wait`: the deletion waits
    /// while automatic snapshots are enabled. `Delete`: they go with the instance.
    #[serde(default)]
    pub auto_snapshots_on_delete: AutoSnapshotsOnDelete,
    /// The instance metadata service. Default: AWS's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_options: Option<MetadataOptions>,
    /// When the operator may stop and start a running instance for a change that needs it. Default: as if given empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disruption: Option<InstanceDisruption>,
    /// The fields common to every kind.
    #[serde(flatten)]
    pub common: Common,
}

/// Where user data is: exactly one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::USER_DATA_SOURCE))]
pub struct UserDataSource {
    /// A key of a Secret in this namespace; exactly one of this and `configMapKeyRef` is given. The operator must be allowed
    /// to read it (ClusterRole `windlass-secrets`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeySelector>,
    /// A key of a ConfigMap in this namespace; exactly one of this and `secretKeyRef` is given. The operator must be allowed
    /// to read it (ClusterRole `windlass-secrets`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeySelector>,
}

/// A key of a Secret or ConfigMap in the object's namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeySelector {
    /// The name of the Secret or ConfigMap, 1 to 253 characters. Required.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = form::OBJECT_NAME))]
    pub name: String,
    /// The key in it, 1 to 253 characters; its value is text of at most 16384 characters. Required.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = form::DATA_KEY))]
    pub key: String,
}

/// Which addresses an instance has (AWS `IpAddressType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IpAddressType {
    /// IPv4 and IPv6.
    Dualstack,
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone.
    Ipv6,
}

impl IpAddressType {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dualstack => "dualstack",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }
}

/// A rule of the instance's firewall. Without any of `cidrs`, `ipv6Cidrs` and `cidrListAliases` it is open to everybody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::PUBLIC_PORT))]
pub struct PublicPort {
    /// The protocol: `tcp`, `udp`, `icmp` (IPv4), `icmpv6` or `all`. Required.
    pub protocol: Protocol,
    /// The first port, -1 to 65535; for ICMP its type, where -1 is every type; for `all` 0. Required.
    #[schemars(range(min = -1, max = 65_535))]
    pub from_port: i32,
    /// The last port, -1 to 65535; for ICMP its code, where -1 is every code; for `all` 65535. Required.
    #[schemars(range(min = -1, max = 65_535))]
    pub to_port: i32,
    /// Who may come by IPv4, at most 60 addresses or ranges of 7 to 18 characters, such as `192.0.2.0/24`. Default: everybody,
    /// if `ipv6Cidrs` and `cidrListAliases` are left out too, else nobody.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 60), extend("x-kubernetes-list-type" = "set"), transform = members(7, 18, &form::IPV4_RANGE), transform = without_default)]
    pub cidrs: BTreeSet<String>,
    /// Who may come by IPv6, at most 60 addresses or ranges of 2 to 49 characters, such as `2001:db8::/32`. Default:
    /// everybody, if `cidrs` and `cidrListAliases` are left out too, else nobody.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 60), extend("x-kubernetes-list-type" = "set"), transform = members(2, 49, &form::IPV6_RANGE), transform = without_default)]
    pub ipv6_cidrs: BTreeSet<String>,
    /// AWS's own lists of addresses that may come, at most 10 of 1 to 64 characters; `lightsail-connect` is the browser-based
    /// SSH and RDP client, which is locked out of a port that names other addresses only. Default: none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "set"), transform = members(1, 64, &form::ADDRESS_ALIAS), transform = without_default)]
    pub cidr_list_aliases: BTreeSet<String>,
}

/// An empty list and none are the same here: the schema shows no default for it.
fn without_default(schema: &mut schemars::Schema) {
    schema.remove("default");
}

/// The protocol of a firewall rule (AWS `NetworkProtocol`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Every protocol.
    All,
    /// ICMP for IPv4.
    Icmp,
    /// ICMP for IPv6.
    Icmpv6,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Icmp => "icmp",
            Self::Icmpv6 => "icmpv6",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A public IPv4 address that stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StaticIp {
    /// A static IP that exists in Lightsail, by its name of 2 to 255 letters, digits, `_`, `.` and `-`: it is attached, and
    /// never released. Default: the operator's own, named after the instance and the first 8 characters of the object's
    /// uid; AWS bills it while it is not attached to a running instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<LightsailName>,
}

/// Add-ons.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::ADD_ONS))]
pub struct AddOns {
    /// A snapshot of the disk every day, of which AWS keeps seven; not for Windows. Default:
    /// left alone, or disabled if the operator had enabled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_snapshot: Option<AutoSnapshot>,
}

/// A daily snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoSnapshot {
    /// The full hour at which it begins, in UTC, such as `06:00`, 5 characters. Default: AWS's choice. A change disables and
    /// enables the add-on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 5, max = 5), extend("x-kubernetes-validations" = form::SNAPSHOT_TIME))]
    pub snapshot_time_of_day: Option<String>,
}

/// What a deletion does about automatic snapshots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AutoSnapshotsOnDelete {
    /// It waits while they are enabled.
    #[default]
    Wait,
    /// They go with the instance.
    Delete,
}

/// The instance metadata service (AWS `InstanceMetadataOptions`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::METADATA_OPTIONS))]
pub struct MetadataOptions {
    /// Whether requests need a token: `optional` (version 1 and 2 of the service) or `required` (version 2 only). Default:
    /// AWS's own (`optional`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_tokens: Option<HttpTokens>,
    /// Whether the service answers at all: `enabled` or `disabled`. Default: AWS's own (`enabled`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_endpoint: Option<Toggle>,
    /// How many network hops its answers may take, 1 to 64. Default: AWS's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub http_put_response_hop_limit: Option<i32>,
    /// Whether it answers by IPv6 too: `enabled` or `disabled`; AWS has it in one Region (eu-north-1). Default: AWS's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_protocol_ipv6: Option<Toggle>,
}

/// Whether metadata requests need a token (AWS `HttpTokens`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HttpTokens {
    /// Version 1 and 2 of the service.
    Optional,
    /// Version 2 only.
    Required,
}

/// On or off (AWS `HttpEndpoint`, `HttpProtocolIpv6`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Toggle {
    /// Off.
    Disabled,
    /// On.
    Enabled,
}

/// When a running instance may be restarted for a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceDisruption {
    /// `Never`: the operator does not restart it; the change is made when the instance is started for another reason.
    /// `Immediate`: it is stopped, changed and started, at once or in the next of `windows`.
    #[serde(default)]
    pub policy: InstanceDisruptionPolicy,
    /// When it may be restarted, as 1 to 32 recurring times, each with a name of its own. Default: at any time. Of no effect
    /// unless `policy` is `Immediate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub windows: Option<Vec<Window>>,
}

/// Whether a running instance may be restarted. Nobody can see whether a machine is idle, so there is no `WhenIdle`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InstanceDisruptionPolicy {
    /// It is not.
    #[default]
    Never,
    /// It is, whoever uses it.
    Immediate,
}
