//! The Fleet: an AppStream 2.0 (WorkSpaces Applications) fleet as a custom resource.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Common, Intent, PendingChange};
use super::text::{Arn, AwsName};

/// The AppStream fleet that is wanted.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "appstream.windlass.dev", version = "v1alpha1", kind = "Fleet", plural = "fleets", namespaced)]
#[kube(status = "FleetStatus", derive = "PartialEq", shortname = "asfleet", category = "windlass", category = "aws")]
#[serde(rename_all = "camelCase")]
pub struct FleetSpec {
    /// The fleet's name in AWS. Default: the object's name. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<AwsName>,
    /// How instances are kept ready. Default `ON_DEMAND`. Cannot be changed.
    #[serde(default)]
    pub fleet_type: FleetType,
    /// Whether the fleet should run. Default `Running`. `Stopped` wins over `powerSchedule`.
    #[serde(default)]
    pub desired_state: DesiredState,
    /// The fields that AWS knows.
    #[serde(flatten)]
    pub settings: FleetSettings,
    /// The fields common to every kind.
    #[serde(flatten)]
    pub common: Common,
    /// How a change that needs a stopped fleet is carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_strategy: Option<UpdateStrategy>,
    /// When the fleet may be stopped although people could be using it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disruption: Option<Disruption>,
    /// When the fleet is on; it is on if any entry says so. Absent: always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_schedule: Option<Vec<PowerPeriod>>,
    /// The applications of an ELASTIC fleet, by ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_arns: Option<BTreeSet<Arn>>,
}

/// Every field of CreateFleet and UpdateFleet that may be changed later. An absent field is not compared, unless AWS can
/// clear it and we set it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetSettings {
    /// The instance type, such as `stream.standard.medium`. Needs a stopped fleet to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// The image by name. Exactly one of `imageName` and `imageArn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_name: Option<AwsName>,
    /// The image by ARN (needed for an image that another account shares).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_arn: Option<Arn>,
    /// The capacity. Absent: created with 1, then left to AWS's own scaling. Not for ELASTIC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compute_capacity: Option<ComputeCapacity>,
    /// Users at once, ELASTIC only (required there).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_sessions: Option<i32>,
    /// Sessions per instance of a multi-session fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_sessions_per_instance: Option<i32>,
    /// Subnets and security groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_config: Option<VpcConfig>,
    /// The longest a session may last, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_user_duration_in_seconds: Option<i32>,
    /// How long a disconnected session is kept, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnect_timeout_in_seconds: Option<i32>,
    /// How long an idle user stays connected, in seconds; 0 turns it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_disconnect_timeout_in_seconds: Option<i32>,
    /// The name that users see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// A description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether instances reach the internet by AWS's default gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_default_internet_access: Option<bool>,
    /// The directory that instances join. Not for ELASTIC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_join_info: Option<DomainJoinInfo>,
    /// The IAM role of the instances. Needs an Account that allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iam_role_arn: Option<Arn>,
    /// Whether users see single windows or a desktop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_view: Option<StreamView>,
    /// The platform, such as `WINDOWS_SERVER_2022`; required for ELASTIC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// USB devices that may be redirected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usb_device_filter_strings: Option<Vec<String>>,
    /// The session script, ELASTIC only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_script_s3_location: Option<S3Location>,
    /// The root volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_volume_config: Option<RootVolumeConfig>,
    /// Whether IMDSv1 is turned off.
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
pub struct ComputeCapacity {
    /// Instances, for single-session fleets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_instances: Option<i32>,
    /// Sessions, for multi-session fleets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_sessions: Option<i32>,
}

/// Subnets and security groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VpcConfig {
    /// Subnet ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet_ids: Option<BTreeSet<String>>,
    /// Security group ids, at most 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_group_ids: Option<BTreeSet<String>>,
}

/// The directory that instances join.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DomainJoinInfo {
    /// The directory's fully qualified name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory_name: Option<String>,
    /// The organizational unit's distinguished name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizational_unit_distinguished_name: Option<String>,
}

/// An object in S3.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct S3Location {
    /// The bucket.
    pub s3_bucket: String,
    /// The key.
    pub s3_key: String,
}

/// The root volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RootVolumeConfig {
    /// Its size in GiB.
    pub volume_size_in_gb: i32,
}

/// How a change that needs a stopped fleet is carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateStrategy {
    /// Stop and start for it, or wait for another stop.
    #[serde(rename = "type", default)]
    pub kind: UpdateType,
    /// Which fields are sent to a RUNNING fleet.
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
    /// Whose sessions count.
    #[serde(default)]
    pub policy: DisruptionPolicy,
    /// How long a stop waits for users before it is made all the same (`1h30m`). Absent: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_after: Option<String>,
    /// When a stop may be made. Absent: at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows: Option<Vec<Window>>,
    /// Whether new users are refused while a stop waits for the present ones.
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
    /// Its name.
    pub name: String,
    /// When it opens: a 5-field cron expression.
    pub start: String,
    /// How long it stays open (`2h`).
    pub duration: String,
    /// The IANA time zone of `start`, such as `Europe/Berlin`. Default `UTC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// A recurring time in which the fleet is on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PowerPeriod {
    /// Its name.
    pub name: String,
    /// When it begins: a 5-field cron expression.
    pub start: String,
    /// When it ends: a 5-field cron expression.
    pub stop: String,
    /// The IANA time zone of both. Default `UTC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// What AWS says about the fleet, and what the operator makes of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FleetStatus {
    /// The generation of the spec that this status is about; -1 before the first.
    pub observed_generation: i64,
    /// The value of the annotation `windlass.dev/reconcile-requested-at` that was last acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Ready, Available, Synced, Reconciling, Stalled, Paused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The fleet's ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<Arn>,
    /// The fleet's name in AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// AWS's state: STARTING, RUNNING, STOPPING, STOPPED.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The instance type in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// The image in use, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_name: Option<String>,
    /// The image in use, by ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_arn: Option<String>,
    /// The platform of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// When AWS created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_time: Option<Timestamp>,
    /// AWS's counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacityStatus>,
    /// The errors that AWS reports on the fleet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fleet_errors: Vec<FleetError>,
    /// A label selector by uid, for `/scale`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// The differences between spec and AWS, and what becomes of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending_changes: Vec<PendingChange>,
    /// The sessions that a stop waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionsStatus>,
    /// The next change that the power schedule brings.
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
    /// Instances wanted.
    pub desired: i32,
    /// Instances running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<i32>,
    /// Instances in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_use: Option<i32>,
    /// Instances free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<i32>,
    /// Sessions wanted, multi-session fleets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired_user_sessions: Option<i32>,
    /// Sessions free, multi-session fleets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_user_sessions: Option<i32>,
    /// Sessions in use, multi-session fleets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_user_sessions: Option<i32>,
    /// Session slots there are, multi-session fleets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual_user_sessions: Option<i32>,
}

/// An error that AWS reports on a fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetError {
    /// AWS's code.
    pub code: String,
    /// AWS's words.
    #[serde(default)]
    pub message: String,
}

/// The sessions that a stop waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionsStatus {
    /// How many.
    pub count: i32,
    /// When the oldest began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
}

/// The next change that the power schedule brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextTransition {
    /// When.
    pub at: Timestamp,
    /// To which state.
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
    /// The generation whose update AWS refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejected>,
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
    /// Tag keys.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Spec paths of fields that AWS can clear.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub fields: BTreeSet<String>,
    /// Application ARNs.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
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
    /// The generation that asked for it.
    pub generation: i64,
    /// AWS's code.
    pub code: String,
    /// AWS's words.
    pub message: String,
}

/// The tags of a resource.
pub type Tags = BTreeMap<String, String>;
