//! The AccessGrant: credentials for one machine, in a Secret, for as long as the grant lasts.
//!
//! The doc comments of the fields are what `kubectl explain` shows: unit, bounds, default, effect. A grant cannot be changed,
//! but for a shorter `duration`: what somebody was given is what the object says.

mod definition;
mod rules;
mod status;

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::form;
use super::schema::{field_words_first, members};
use super::text::{AccountName, LightsailName, Region};
pub use definition::definition;
pub use status::{AccessGrantStatus, EndReason, GrantInternal, TargetStamp};

/// The access that is granted.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "access.windlass.dev", version = "v1alpha1", kind = "AccessGrant", plural = "accessgrants", namespaced)]
#[kube(
    status = "AccessGrantStatus",
    derive = "PartialEq",
    shortname = "grant",
    category = "windlass",
    category = "aws"
)]
#[kube(
    doc = "Access to one machine for a limited time: its credentials are kept in a Secret, renewed, and taken away at the end."
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = field_words_first)]
pub struct AccessGrantSpec {
    /// A Lightsail instance; exactly one of this, `gameLiftInstance` and `gameLiftCompute` is given. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lightsail_instance: Option<LightsailInstanceTarget>,
    /// An instance of a GameLift fleet, by SSH or RDP; exactly one of this, `lightsailInstance` and `gameLiftCompute` is
    /// given. For managed EC2 fleets whose build has a server SDK of version 4. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub game_lift_instance: Option<GameLiftInstanceTarget>,
    /// A compute of a GameLift fleet, by AWS Systems Manager; exactly one of this, `lightsailInstance` and
    /// `gameLiftInstance` is given. For container fleets, and EC2 fleets whose build has a server SDK of version 5. Cannot be
    /// changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub game_lift_compute: Option<GameLiftComputeTarget>,
    /// How long the access lasts, such as `1h30m`: hours, minutes and seconds, from 1m to 8760h, in 2 to 21 characters.
    /// Required. Counted from `startsAt`. It can be shortened later, which ends the grant early, and nothing else can change.
    #[schemars(length(min = 2, max = 21), extend("x-kubernetes-validations" = rules::LASTS))]
    pub duration: String,
    /// When the access begins (RFC 3339). Default: when the object was created. A grant that is kept in Git should have it:
    /// an object that is created again would otherwise begin again. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// Why, for the event and the audit log, 1 to 1024 characters. Default: none. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub reason: Option<String>,
    /// How often credentials are renewed. Default: as if given empty. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Refresh>,
    /// The Secret that the credentials are written to, in this namespace. Default: as if given empty. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretTemplate>,
    /// The private key of the key pair that a Windows instance was made with, by which its password is decrypted. Default:
    /// none; the Secret then has the encrypted password, if AWS has no other. Only for `protocol: rdp`. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decryption_key_ref: Option<DecryptionKeyRef>,
    /// The `Account` object whose AWS account and role are used, 1 to 253 characters. Default: the one that is marked as
    /// default, or the operator's own AWS identity where there is no `Account` at all. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
    /// The AWS Region of the target, such as `eu-central-1`, 1 to 32 characters; for GameLift, the home Region of the fleet.
    /// Default: the operator's own (`--region`). Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
}

/// A Lightsail instance, by its object or by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::LIGHTSAIL_INSTANCE))]
pub struct LightsailInstanceTarget {
    /// An Instance object of this namespace; exactly one of this and `name` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_ref: Option<InstanceRef>,
    /// The name of an instance in AWS, 2 to 255 letters, digits, `_`, `.` and `-`, beginning and ending with a letter or
    /// digit; exactly one of this and `instanceRef` is given. The `Account` must allow what the operator does not manage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<LightsailName>,
    /// How to log in: `ssh` (Linux and Unix) or `rdp` (Windows). Required.
    pub protocol: AccessProtocol,
}

/// An Instance object of the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceRef {
    /// The object's name, 1 to 253 characters. Required.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = form::OBJECT_NAME))]
    pub name: String,
}

/// How to log in to a Lightsail instance (AWS `InstanceAccessProtocol`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccessProtocol {
    /// By SSH, with a key and a certificate that AWS makes for some minutes.
    Ssh,
    /// By RDP, with the password of the administrator.
    Rdp,
}

/// An instance of a GameLift fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GameLiftInstanceTarget {
    /// The fleet's id or ARN, 1 to 512 characters. Required.
    #[schemars(length(min = 1, max = 512), extend("x-kubernetes-validations" = rules::FLEET_ID))]
    pub fleet_id: String,
    /// The instance's id, 1 to 256 characters. Required.
    #[schemars(length(min = 1, max = 256), extend("x-kubernetes-validations" = rules::INSTANCE_ID))]
    pub instance_id: String,
}

/// A compute of a GameLift fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GameLiftComputeTarget {
    /// The fleet's id or ARN, 1 to 512 characters. Required.
    #[schemars(length(min = 1, max = 512), extend("x-kubernetes-validations" = rules::FLEET_ID))]
    pub fleet_id: String,
    /// The compute's name or ARN, 1 to 1024 characters; for an EC2 fleet that is the instance's id. Required.
    #[schemars(length(min = 1, max = 1024), extend("x-kubernetes-validations" = rules::COMPUTE_NAME))]
    pub compute_name: String,
}

/// How often credentials are renewed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refresh {
    /// The longest that credentials stay as they are, such as `15m`: hours, minutes and seconds, from 1m to 24h, in 2 to 21
    /// characters. Default: 15m for those that AWS names no expiry of; those that have one are renewed before half to two
    /// thirds of their time is over, or sooner if this says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 21), extend("x-kubernetes-validations" = rules::INTERVAL))]
    pub interval: Option<String>,
}

/// The Secret that the credentials are written to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretTemplate {
    /// The Secret's name, 1 to 253 characters. Default: the grant's own name. A Secret of that name that is not this grant's
    /// is never touched.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = form::OBJECT_NAME))]
    pub name: Option<String>,
    /// Labels to put on the Secret, at most 32, with values of at most 63 characters. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32, "x-kubernetes-validations" = rules::LABELS), transform = members(0, 63, &[]))]
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations to put on the Secret, at most 32, with values of at most 4096 characters. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32, "x-kubernetes-validations" = rules::ANNOTATIONS), transform = members(0, 4096, &[]))]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// A private key in a Secret of the grant's own namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecryptionKeyRef {
    /// The Secret's name, 1 to 253 characters. Required.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = form::OBJECT_NAME))]
    pub name: String,
    /// The key in it, 1 to 253 characters; its value is an RSA private key as PEM (PKCS#1 or PKCS#8, without a passphrase).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), extend("default" = "ssh-privatekey", "x-kubernetes-validations" = form::DATA_KEY))]
    pub key: Option<String>,
}
