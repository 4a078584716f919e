//! The Fleet: an AppStream 2.0 (WorkSpaces Applications) fleet as a custom resource.
//!
//! The doc comments of the fields are what `kubectl explain` shows: unit, bounds, default, effect. Bounds are the widest
//! that AWS has ever had (AppStream API models of 2017 to 2026), so that AWS and not an old copy of its limits refuses.

mod definition;
mod rules;
mod status;

use std::collections::{BTreeMap, BTreeSet};

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::Common;
use super::form;
use super::schema::{field_words_first, members};
use super::text::{Arn, AwsName};
pub use definition::definition;
pub use status::{
    Applied, CapacityStatus, FleetError, FleetStatus, Internal, NextTransition, Rejected, SessionsStatus,
};

/// The fleet that is wanted. A field that is left out is not compared with AWS, unless its description says otherwise.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "appstream.windlass.dev", version = "v1alpha1", kind = "Fleet", plural = "fleets", namespaced)]
#[kube(status = "FleetStatus", derive = "PartialEq", shortname = "asfleet", category = "windlass", category = "aws")]
#[kube(
    doc = "An Amazon AppStream 2.0 (WorkSpaces Applications) fleet: the streaming instances that users get, and when they run.",
    scale(
        spec_replicas_path = ".spec.computeCapacity.desiredInstances",
        status_replicas_path = ".status.capacity.desired",
        label_selector_path = ".status.selector"
    ),
    selectable = ".spec.desiredState",
    selectable = ".spec.fleetType",
    selectable = ".status.state"
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = field_words_first)]
pub struct FleetSpec {
    /// The fleet's name in AWS, 1 to 101 letters, digits, `_`, `.` and `-`, beginning with a letter or digit; unique in its
    /// account and Region. Default: the object's own name. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<AwsName>,
    /// How instances are kept ready. `ON_DEMAND`: started when a user connects. `ALWAYS_ON`: running all the time.
    /// `ELASTIC`: taken from a pool that AWS runs. Cannot be changed.
    #[serde(default)]
    pub fleet_type: FleetType,
    /// Whether the fleet should be on. `Running`: it is started, and kept on as `powerSchedule` says if there is one.
    /// `Stopped`: it is stopped by the rules of `disruption`, whatever `powerSchedule` says.
    #[serde(default)]
    pub desired_state: DesiredState,
    /// The fields that AWS knows.
    #[serde(flatten)]
    pub settings: FleetSettings,
    /// The fields common to every kind.
    #[serde(flatten)]
    pub common: Common,
    /// How a change that needs a stopped fleet is carried out. Default: as if given empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_strategy: Option<UpdateStrategy>,
    /// When the operator may stop the fleet although people could be using it; it rules every stop that the operator makes:
    /// for an update, by `powerSchedule`, by `desiredState` and for a deletion. Default: as if given empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disruption: Option<Disruption>,
    /// When the fleet is on, as 1 to 32 recurring times, each with a name of its own; it is on if any of them says so. It
    /// is turned off by the rules of `disruption`. Default: on all the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub power_schedule: Option<Vec<PowerPeriod>>,
    /// The applications of an ELASTIC fleet, at most 50 ARNs; no other fleet has them. Default: what is associated in AWS
    /// is left alone. An application that is removed here is taken off the fleet if the operator had put it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "set"), transform = members(1, 2048, &form::APPLICATION_ARN))]
    pub application_arns: Option<BTreeSet<Arn>>,
}

/// Every field of CreateFleet and UpdateFleet that may be changed later. An absent field is not compared, unless AWS can
/// clear it and we set it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetSettings {
    /// The instance type, such as `stream.standard.medium`, 1 to 128 characters. Required. A change needs a stopped fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, length(min = 1, max = 128), extend("x-kubernetes-validations" = form::INSTANCE_TYPE))]
    pub instance_type: Option<String>,
    /// The image by name, 1 to 101 characters. ALWAYS_ON and ON_DEMAND fleets have exactly one of `imageName` and
    /// `imageArn`. A change needs a stopped fleet unless `updateStrategy.whileRunning` is `Documented`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_name: Option<AwsName>,
    /// The image by ARN, 1 to 2048 characters; needed for an image that another account shares. See `imageName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = form::IMAGE_ARN))]
    pub image_arn: Option<Arn>,
    /// How much of the fleet is kept; not for ELASTIC. Default: created with 1, and then never compared, so that AWS's own
    /// scaling or an autoscaler owns it (an autoscaler begins after one `kubectl scale`: Kubernetes serves no `/scale` while the
    /// field is absent). Changed without stopping the fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compute_capacity: Option<ComputeCapacity>,
    /// How many users an ELASTIC fleet takes at once, 1 to 1000000. Required there, not for other fleets. A change needs a
    /// stopped fleet unless `updateStrategy.whileRunning` is `Documented`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_concurrent_sessions: Option<i32>,
    /// How many sessions share an instance, 2 to 50; makes a multi-session fleet (not ELASTIC). Default: one session per
    /// instance. A change needs a stopped fleet. Removed here, it is cleared in AWS if the operator had set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 50))]
    pub max_sessions_per_instance: Option<i32>,
    /// Subnets and security groups of the instances. Default: AWS's choice. A change needs a stopped fleet. Removed here,
    /// it is cleared in AWS if the operator had set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_config: Option<VpcConfig>,
    /// The longest that a session may last, in seconds, 600 to 432000. Default: AWS's own. A change needs a stopped fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 600, max = 432_000))]
    pub max_user_duration_in_seconds: Option<i32>,
    /// How long a session is kept for a user who was disconnected, in seconds, 60 to 360000 (AWS takes at most 36000
    /// today). Default: AWS's own. A change needs a stopped fleet unless `updateStrategy.whileRunning` is `Documented`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 360_000))]
    pub disconnect_timeout_in_seconds: Option<i32>,
    /// How long a user may be idle before being disconnected, in seconds: 0 (never) or 60 to 360000 (AWS takes at most
    /// 36000 today, and rounds to minutes). Default: AWS's own. A change needs a stopped fleet unless
    /// `updateStrategy.whileRunning` is `Documented`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 360_000), extend("x-kubernetes-validations" = rules::IDLE_TIMEOUT))]
    pub idle_disconnect_timeout_in_seconds: Option<i32>,
    /// The name that users see, 1 to 100 characters. Default: AWS's own. Changed without stopping the fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub display_name: Option<String>,
    /// A description for administrators, 1 to 256 characters. Default: none. A change needs a stopped fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub description: Option<String>,
    /// Whether instances reach the internet through addresses that AWS gives them (AWS then allows at most 100 instances).
    /// Default: AWS's own. A change needs a stopped fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_default_internet_access: Option<bool>,
    /// The Active Directory domain that instances join; not for ELASTIC. Default: none. A change needs a stopped fleet.
    /// Removed here, it is cleared in AWS if the operator had set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_join_info: Option<DomainJoinInfo>,
    /// The IAM role that programs on the instances may use, as an ARN of 1 to 2048 characters. Default: none. An Account
    /// object must allow it, so without one the fleet is Stalled with reason `NotAllowed`. A change needs a stopped fleet.
    /// Removed here, it is cleared in AWS if the operator had set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = form::ROLE_ARN))]
    pub iam_role_arn: Option<Arn>,
    /// What users see: `APP` (single windows) or `DESKTOP`. Default: AWS's own (`APP`). A change needs a stopped fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_view: Option<StreamView>,
    /// The platform as AWS spells it, such as `WINDOWS_SERVER_2022`, 1 to 64 characters. Required for ELASTIC; default
    /// otherwise: that of the image. A change needs a stopped fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-validations" = form::PLATFORM))]
    pub platform: Option<String>,
    /// USB devices that users may redirect into a session, 1 to 50 filters of at most 100 characters: eight fields with
    /// commas between (name, class, subclass, protocol, vendor, product, autoshare, skip reset). Default: none. A change
    /// needs a stopped fleet, unless it is ELASTIC and `updateStrategy.whileRunning` is `Documented`. Removed here, it is
    /// cleared in AWS if the operator had set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), extend("x-kubernetes-list-type" = "atomic"), transform = members(1, 100, &form::USB_FILTER))]
    pub usb_device_filter_strings: Option<Vec<String>>,
    /// Where the session scripts of an ELASTIC fleet are in S3; other fleets have theirs in the image. Default: none. A
    /// change needs a stopped fleet unless `updateStrategy.whileRunning` is `Documented`. Removed here, it is cleared in AWS
    /// if the operator had set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_script_s3_location: Option<S3Location>,
    /// The root volume of the instances. Default: AWS's own (200 GiB). A change needs a stopped fleet. Removed here, it is
    /// cleared in AWS if the operator had set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_volume_config: Option<RootVolumeConfig>,
    /// Whether version 1 of the instance metadata service is turned off; needs an image with an agent of January 2024 or
    /// later. Default: AWS's own. A change needs a stopped fleet.
    #[serde(rename = "disableIMDSV1", skip_serializing_if = "Option::is_none")]
    pub disable_imdsv1: Option<bool>,
}

/// How instances are kept ready (AWS `FleetType`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FleetType {
    /// Running all the time.
    AlwaysOn,
    /// Started when a user connects.
    #[default]
    OnDemand,
    /// AWS's own pool.
    Elastic,
}

/// The power state that is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DesiredState {
    /// On.
    #[default]
    Running,
    /// Off.
    Stopped,
}

/// What users see (AWS `StreamView`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum StreamView {
    /// Single windows.
    App,
    /// A desktop.
    Desktop,
}

/// How much of the fleet is kept: exactly one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::COMPUTE_CAPACITY))]
pub struct ComputeCapacity {
    /// Instances to keep, for single-session fleets, 0 to 1000000. `kubectl scale` and autoscalers set this field.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub desired_instances: Option<i32>,
    /// Sessions to have room for, for multi-session fleets (`maxSessionsPerInstance`), 0 to 1000000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub desired_sessions: Option<i32>,
}

/// Subnets and security groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::VPC_CONFIG))]
pub struct VpcConfig {
    /// The subnets that instances are put in, 1 to 16 ids of at most 64 characters; ELASTIC needs two or more, in different
    /// Availability Zones. Default: AWS's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "set"), transform = members(1, 64, &form::SUBNET_ID))]
    pub subnet_ids: Option<BTreeSet<String>>,
    /// The security groups of the instances, 1 to 5 ids of at most 64 characters. Default: the VPC's own. Removed here, they
    /// are cleared in AWS if the operator had set them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 5), extend("x-kubernetes-list-type" = "set"), transform = members(1, 64, &form::SECURITY_GROUP_ID))]
    pub security_group_ids: Option<BTreeSet<String>>,
}

/// The directory that instances join.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DomainJoinInfo {
    /// The directory's fully qualified name, such as `corp.example.com`, 1 to 255 characters. AppStream must have a
    /// directory configuration of this name. Required.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, length(min = 1, max = 255))]
    pub directory_name: Option<String>,
    /// The distinguished name of the organizational unit for the computer accounts, 1 to 2000 characters. Default: the
    /// directory's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2000))]
    pub organizational_unit_distinguished_name: Option<String>,
}

/// An object in S3.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct S3Location {
    /// The bucket, 3 to 63 lower-case letters, digits, `.` and `-`. Required.
    #[schemars(length(min = 3, max = 63), extend("x-kubernetes-validations" = form::S3_BUCKET))]
    pub s3_bucket: String,
    /// The key of the object in it, 1 to 1024 characters. Required.
    #[schemars(length(min = 1, max = 1024))]
    pub s3_key: String,
}

/// The root volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RootVolumeConfig {
    /// Its size in GiB, 200 to 500, and no smaller than the image's. Required.
    #[schemars(range(min = 200, max = 500))]
    pub volume_size_in_gb: i32,
}

/// How a change that needs a stopped fleet is carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateStrategy {
    /// `Restart`: stop the fleet by the rules of `disruption`, change it, start it again. `OnStop`: keep the change until
    /// the fleet is stopped for another reason.
    #[serde(rename = "type", default)]
    pub kind: UpdateType,
    /// Which fields are changed without stopping the fleet. `Minimal`: `displayName` and `computeCapacity`, which AWS has
    /// allowed since 2017. `Documented`: the longer list that AWS documents today for the type of fleet.
    #[serde(default)]
    pub while_running: WhileRunning,
}

/// Stop and start for a change, or wait for another stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UpdateType {
    /// Stop, update, start, by the rules of `disruption`.
    #[default]
    Restart,
    /// Keep the change until the fleet is stopped for another reason.
    OnStop,
}

/// Which fields are sent to a RUNNING fleet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WhileRunning {
    /// `displayName` and `computeCapacity` only.
    #[default]
    Minimal,
    /// The longer list that AWS documents today for the fleet type.
    Documented,
}

/// When the fleet may be stopped although people could be using it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Disruption {
    /// Whom a stop waits for. `WhenIdle`: it waits until nobody uses the fleet. `Immediate`: it waits for nobody and ends
    /// sessions. `Never`: the operator never stops the fleet.
    #[serde(default)]
    pub policy: DisruptionPolicy,
    /// How long a stop waits for users before it ends their sessions, such as `1h30m`: hours, minutes and seconds, longer than
    /// zero and at most 8760h, in 2 to 21 characters. Default: for ever. Forcing, too, waits for a window when there are
    /// `windows`. Of no effect unless `policy` is `WhenIdle`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 21), extend("x-kubernetes-validations" = form::DURATION))]
    pub force_after: Option<String>,
    /// When a stop may be made, as 1 to 32 recurring times, each with a name of its own. Default: at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub windows: Option<Vec<Window>>,
    /// Whether new users are refused while a stop waits for the present ones, by setting the capacity to 0 meanwhile; not for
    /// ELASTIC. Default: false. Of no effect unless `policy` is `WhenIdle` and `computeCapacity` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain: Option<bool>,
}

/// Whose sessions count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DisruptionPolicy {
    /// A stop waits until nobody uses the fleet.
    #[default]
    WhenIdle,
    /// A stop is made at once, sessions or not.
    Immediate,
    /// The operator never stops the fleet.
    Never,
}

/// A time in which the fleet may be stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// The window's name, 1 to 63 lower-case letters, digits and `-`, unique in the list. Required.
    #[schemars(length(min = 1, max = 63), extend("x-kubernetes-validations" = form::ENTRY_NAME))]
    pub name: String,
    /// When it opens: a cron expression of five fields in 9 to 128 characters, such as `0 22 * * SUN`. Required.
    #[schemars(length(min = 9, max = 128), extend("x-kubernetes-validations" = form::CRON))]
    pub start: String,
    /// How long it stays open, such as `2h`: hours, minutes and seconds, longer than zero and at most 8760h, in 2 to 21
    /// characters. Required.
    #[schemars(length(min = 2, max = 21), extend("x-kubernetes-validations" = form::DURATION))]
    pub duration: String,
    /// The IANA time zone of `start`, such as `Europe/Berlin`, 1 to 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("default" = "UTC", "x-kubernetes-validations" = form::TIME_ZONE))]
    pub time_zone: Option<String>,
}

/// A recurring time in which the fleet is on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::POWER_PERIOD))]
pub struct PowerPeriod {
    /// The entry's name, 1 to 63 lower-case letters, digits and `-`, unique in the list. Required.
    #[schemars(length(min = 1, max = 63), extend("x-kubernetes-validations" = form::ENTRY_NAME))]
    pub name: String,
    /// When it begins: a cron expression of five fields in 9 to 128 characters, such as `0 8 * * MON-FRI`. Required.
    #[schemars(length(min = 9, max = 128), extend("x-kubernetes-validations" = form::CRON))]
    pub start: String,
    /// When it ends: a cron expression of five fields in 9 to 128 characters, such as `0 18 * * MON-FRI`. Required.
    #[schemars(length(min = 9, max = 128), extend("x-kubernetes-validations" = form::CRON))]
    pub stop: String,
    /// The IANA time zone of both, such as `Europe/Berlin`, 1 to 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("default" = "UTC", "x-kubernetes-validations" = form::TIME_ZONE))]
    pub time_zone: Option<String>,
}

/// The tags of a resource.
pub type Tags = BTreeMap<String, String>;
