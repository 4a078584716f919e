//! The Stack: an AppStream 2.0 (WorkSpaces Applications) stack and the fleet that its users stream from.
//!
//! Bounds are the widest that AWS has ever had (AppStream API models of 2017 to 2026), so that AWS and not an old copy of
//! its limits refuses.

mod definition;
mod rules;
mod status;

use std::collections::BTreeSet;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::Common;
use super::fleet::{DisruptionPolicy, Window};
use super::form;
use super::schema::{field_words_first, members};
use super::text::{Arn, AwsName};
pub use definition::definition;
pub use status::{StackApplied, StackError, StackInternal, StackStatus};

/// The stack that is wanted. A field that is left out is not compared with AWS, unless its description says otherwise.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "appstream.windlass.dev", version = "v1alpha1", kind = "Stack", plural = "stacks", namespaced)]
#[kube(status = "StackStatus", derive = "PartialEq", shortname = "asstack", category = "windlass", category = "aws")]
#[kube(
    doc = "An Amazon AppStream 2.0 (WorkSpaces Applications) stack: what users of a fleet may do, where their files are kept, and which fleet they stream from.",
    selectable = ".status.fleetName"
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = field_words_first)]
pub struct StackSpec {
    /// The stack's name in AWS, 1 to 101 letters, digits, `_`, `.` and `-`, beginning with a letter or digit; unique in its
    /// account and Region. Default: the object's own name. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<AwsName>,
    /// The fields that AWS knows.
    #[serde(flatten)]
    pub settings: StackSettings,
    /// The Fleet object of the same namespace whose fleet users stream from; give this or `fleetName`. The stack waits for
    /// the fleet to exist, and is taken out of a fleet that it was in before, by the rules of `disruption`. Default: which
    /// fleet the stack is associated with is not compared. Removed here, the stack is taken out of the fleet if the
    /// operator had put it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet_ref: Option<FleetRef>,
    /// The fleet that users stream from, by its name in AWS, 1 to 101 characters; give this or `fleetRef`. A fleet that is
    /// no Fleet object's of this namespace needs an Account object that allows foreign fleets, and without one the stack is
    /// Stalled with reason `NotAllowed`. Default: as for `fleetRef`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet_name: Option<AwsName>,
    /// The fields common to every kind.
    #[serde(flatten)]
    pub common: Common,
    /// When the operator may take the stack out of a fleet although people could be using the two together; it rules every
    /// such cut: for another fleet, for none, and for a deletion. Default: as if given empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disruption: Option<StackDisruption>,
}

/// Every field of CreateStack and UpdateStack. An absent field is not compared, unless AWS can clear it and we set it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StackSettings {
    /// The name that users see, 1 to 100 characters. Default: AWS's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub display_name: Option<String>,
    /// A description for administrators, 1 to 256 characters. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub description: Option<String>,
    /// Where users keep their files, 1 to 3 connectors, one of each type. Default: none. A connector that is removed here is
    /// removed in AWS if the operator had set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["connectorType"]))]
    pub storage_connectors: Option<Vec<StorageConnector>>,
    /// Where users are sent after a session, as a URL of 1 to 1000 characters. Default: nowhere. Removed here, it is cleared
    /// in AWS if the operator had set it.
    #[serde(rename = "redirectURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000), extend("x-kubernetes-validations" = rules::URL))]
    pub redirect_url: Option<String>,
    /// Where users are sent who choose to send feedback, as a URL of 1 to 1000 characters. Default: they cannot choose it.
    /// Removed here, it is cleared in AWS if the operator had set it.
    #[serde(rename = "feedbackURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000), extend("x-kubernetes-validations" = rules::URL))]
    pub feedback_url: Option<String>,
    /// What users may do in a session, 1 to 32 actions, each at most once. Default: AWS's own. Actions that are not listed
    /// are not compared; all of them go back to AWS's own when the whole list is removed, if the operator had set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["action"]))]
    pub user_settings: Option<Vec<UserSetting>>,
    /// Whether what users change in applications is kept for their next session. Default: AWS's own (it is not).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_settings: Option<ApplicationSettings>,
    /// The interface VPC endpoints that users must come through, 1 to 4. Default: none, users come through the internet.
    /// Removed here, they are cleared in AWS if the operator had set them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4), extend("x-kubernetes-list-type" = "atomic"))]
    pub access_endpoints: Option<Vec<AccessEndpoint>>,
    /// Domains whose pages may show a session in a frame, 1 to 20 names of at most 128 characters. Default: none. Removed
    /// here, they are cleared in AWS if the operator had set them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), extend("x-kubernetes-list-type" = "set"), transform = members(1, 128, &rules::EMBED_HOST))]
    pub embed_host_domains: Option<BTreeSet<String>>,
    /// The streaming protocol to prefer. Default: AWS's own (`TCP`). Removed here, it is cleared in AWS if the operator had
    /// set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streaming_experience_settings: Option<StreamingExperienceSettings>,
    /// Which links in a session open in the user's own browser. Default: none. Removed here, it is cleared in AWS if the
    /// operator had set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_redirection: Option<ContentRedirection>,
    /// What software agents may do in a session. Default: nothing. Removed here, it is cleared in AWS if the operator had
    /// set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_access_config: Option<AgentAccessConfig>,
    /// Whether users sign in to their cloud storage in every session. `FORCE_REAUTHENTICATION`: they do.
    /// `REUSE_CREDENTIALS`: they do so once. Default: AWS's own (`REUSE_CREDENTIALS`). Removed here, it is cleared in AWS if
    /// the operator had set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_connector_authentication: Option<StorageConnectorAuthentication>,
}

/// A Fleet object of the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetRef {
    /// The object's name, 1 to 253 characters. Required.
    #[schemars(length(min = 1, max = 253), extend("x-kubernetes-validations" = form::OBJECT_NAME))]
    pub name: String,
}

/// Where users keep files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::STORAGE_CONNECTOR))]
pub struct StorageConnector {
    /// Which: `HOMEFOLDERS` (an S3 bucket of the account), `GOOGLE_DRIVE` or `ONE_DRIVE`. Required.
    pub connector_type: ConnectorType,
    /// The ARN of the connector, 1 to 2048 characters. Default: AWS's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub resource_identifier: Option<String>,
    /// The domains whose accounts may be used, 1 to 50 names of at most 64 characters; for `GOOGLE_DRIVE` and `ONE_DRIVE`.
    /// Default: AWS's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), extend("x-kubernetes-list-type" = "set"), transform = members(1, 64, &[]))]
    pub domains: Option<BTreeSet<String>>,
    /// The domains whose administrator must agree before users link their accounts, 1 to 50 names of at most 64 characters;
    /// for `ONE_DRIVE`. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), extend("x-kubernetes-list-type" = "set"), transform = members(1, 64, &[]))]
    pub domains_require_admin_consent: Option<BTreeSet<String>>,
}

/// A place for files (AWS `StorageConnectorType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConnectorType {
    /// An S3 bucket of the account.
    #[serde(rename = "HOMEFOLDERS")]
    HomeFolders,
    /// Google Drive.
    #[serde(rename = "GOOGLE_DRIVE")]
    GoogleDrive,
    /// OneDrive for Business.
    #[serde(rename = "ONE_DRIVE")]
    OneDrive,
}

/// Whether users may do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::USER_SETTING))]
pub struct UserSetting {
    /// What, as AWS spells it, such as `FILE_UPLOAD`, 1 to 64 characters. Required.
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-validations" = rules::ACTION))]
    pub action: String,
    /// Whether they may: `ENABLED` or `DISABLED`. Required.
    pub permission: Permission,
    /// The longest text that may be copied, in characters, 1 to 20971520; for the two clipboard actions where they are
    /// `ENABLED`. Default: AWS's own (20971520).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20_971_520))]
    pub maximum_length: Option<i32>,
}

/// Yes or no, as AWS spells it (AWS `Permission`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Permission {
    /// It may be done.
    Enabled,
    /// It may not.
    Disabled,
}

/// Whether what users change in applications is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationSettings {
    /// Whether it is kept. Required.
    pub enabled: bool,
    /// Under which name, 1 to 100 characters: stacks that share it share what is kept. Default: AWS's own (the stack's name).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub settings_group: Option<String>,
}

/// An interface VPC endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessEndpoint {
    /// What it is for, as AWS spells it, such as `STREAMING`, 1 to 64 characters. Required.
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-validations" = rules::ENDPOINT_TYPE))]
    pub endpoint_type: String,
    /// The endpoint, such as `vpce-0a1b2c3d4e5f67890`, 1 to 64 characters. Required.
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-validations" = rules::VPCE_ID))]
    pub vpce_id: String,
}

/// The streaming protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamingExperienceSettings {
    /// Which to prefer: `TCP` or `UDP` (Windows native client only). Required.
    pub preferred_protocol: PreferredProtocol,
}

/// A streaming protocol (AWS `PreferredProtocol`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum PreferredProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// Which links open elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContentRedirection {
    /// Links in a session that open in the user's own browser. Required.
    pub host_to_client: UrlRedirection,
}

/// Which links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlRedirection {
    /// Whether links open there at all. Required.
    pub enabled: bool,
    /// Which do, 1 to 100 patterns of at most 2048 characters. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), extend("x-kubernetes-list-type" = "set"), transform = members(1, 2048, &rules::URL_PATTERN))]
    pub allowed_urls: Option<BTreeSet<String>>,
    /// Which do not although they are allowed, 1 to 100 patterns of at most 2048 characters. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), extend("x-kubernetes-list-type" = "set"), transform = members(1, 2048, &rules::URL_PATTERN))]
    pub denied_urls: Option<BTreeSet<String>>,
}

/// What software agents may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::AGENT_ACCESS))]
pub struct AgentAccessConfig {
    /// What they may do, 1 to 16 actions, each at most once. Required.
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["agentAction"]))]
    pub settings: Vec<AgentAccessSetting>,
    /// The bucket for their screenshots, as an ARN of 1 to 2048 characters; needed where `screenshotsUploadEnabled` is true.
    /// Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = rules::BUCKET_ARN))]
    pub s3_bucket_arn: Option<Arn>,
    /// Whether their screenshots are kept in S3. Default: AWS's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screenshots_upload_enabled: Option<bool>,
    /// The size of their screen as AWS spells it, such as `W_1280xH_720`, 1 to 64 characters. Required.
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-validations" = rules::AGENT_WORD))]
    pub screen_resolution: String,
    /// The format of what they see as AWS spells it: `PNG` or `JPEG`, 1 to 64 characters. Required.
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-validations" = rules::AGENT_WORD))]
    pub screen_image_format: String,
    /// What users may do meanwhile, as AWS spells it: `DISABLED`, `VIEW_ONLY` or `VIEW_STOP`, 1 to 64 characters. Default:
    /// AWS's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-validations" = rules::AGENT_WORD))]
    pub user_control_mode: Option<String>,
}

/// Whether agents may do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentAccessSetting {
    /// What, as AWS spells it, such as `COMPUTER_VISION` (which `COMPUTER_INPUT` needs), 1 to 64 characters. Required.
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-validations" = rules::ACTION))]
    pub agent_action: String,
    /// Whether they may: `ENABLED` or `DISABLED`. Required.
    pub permission: Permission,
}

/// How often users sign in to their cloud storage (AWS `StorageConnectorAuthentication`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StorageConnectorAuthentication {
    /// In every session.
    ForceReauthentication,
    /// Once.
    ReuseCredentials,
}

/// When the stack may be taken out of a fleet although people could be using the two together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StackDisruption {
    /// Whom a cut waits for. `WhenIdle`: it waits until nobody streams from the fleet through this stack. `Immediate`: it
    /// waits for nobody. `Never`: the operator never takes the stack out of a fleet.
    #[serde(default)]
    pub policy: DisruptionPolicy,
    /// How long a cut waits for users before it is made all the same, such as `1h30m`: hours, minutes and seconds, longer
    /// than zero and at most 8760h, in 2 to 21 characters. Default: for ever. Forcing, too, waits for a window when there
    /// are `windows`. Of no effect unless `policy` is `WhenIdle`. AWS itself may refuse the cut while sessions are live.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 21), extend("x-kubernetes-validations" = form::DURATION))]
    pub force_after: Option<String>,
    /// When a cut may be made, as 1 to 32 recurring times, each with a name of its own. Default: at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub windows: Option<Vec<Window>>,
}
