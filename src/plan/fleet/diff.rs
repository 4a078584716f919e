//! Where a spec and AWS differ, field by field. Only what the user set is compared; what we set and AWS can clear is cleared
//! when it goes from the spec.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use crate::api::fleet::{ComputeCapacity, DomainJoinInfo, FleetSettings, FleetType, VpcConfig, WhileRunning};
use crate::plan::conditions::bounded;
use crate::plan::report::SHORT;
use crate::plan::{Input, unshown};

use super::FleetKind;
use super::call::{AttributeToDelete, FleetCall, FleetPatch};
use super::state::FleetFacts;

/// One difference, and what AWS must be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The field.
    pub field: Field,
    /// What AWS has.
    pub from: String,
    /// What the spec wants.
    pub to: String,
    /// Whether the field is cleared rather than set.
    pub clear: bool,
}

/// A settable field of a fleet, as UpdateFleet knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Field {
    InstanceType,
    ImageName,
    ImageArn,
    DesiredInstances,
    DesiredSessions,
    MaxConcurrentSessions,
    MaxSessionsPerInstance,
    SubnetIds,
    SecurityGroupIds,
    MaxUserDurationInSeconds,
    DisconnectTimeoutInSeconds,
    IdleDisconnectTimeoutInSeconds,
    DisplayName,
    Description,
    EnableDefaultInternetAccess,
    DomainJoinInfo,
    IamRoleArn,
    StreamView,
    Platform,
    UsbDeviceFilterStrings,
    SessionScriptS3Location,
    RootVolumeConfig,
    DisableImdsv1,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 23] = [
        Self::InstanceType,
        Self::ImageName,
        Self::ImageArn,
        Self::DesiredInstances,
        Self::DesiredSessions,
        Self::MaxConcurrentSessions,
        Self::MaxSessionsPerInstance,
        Self::SubnetIds,
        Self::SecurityGroupIds,
        Self::MaxUserDurationInSeconds,
        Self::DisconnectTimeoutInSeconds,
        Self::IdleDisconnectTimeoutInSeconds,
        Self::DisplayName,
        Self::Description,
        Self::EnableDefaultInternetAccess,
        Self::DomainJoinInfo,
        Self::IamRoleArn,
        Self::StreamView,
        Self::Platform,
        Self::UsbDeviceFilterStrings,
        Self::SessionScriptS3Location,
        Self::RootVolumeConfig,
        Self::DisableImdsv1,
    ];

    /// The spec path.
    pub fn path(self) -> &'static str {
        match self {
            Self::InstanceType => "instanceType",
            Self::ImageName => "imageName",
            Self::ImageArn => "imageArn",
            Self::DesiredInstances => "computeCapacity.desiredInstances",
            Self::DesiredSessions => "computeCapacity.desiredSessions",
            Self::MaxConcurrentSessions => "maxConcurrentSessions",
            Self::MaxSessionsPerInstance => "maxSessionsPerInstance",
            Self::SubnetIds => "vpcConfig.subnetIds",
            Self::SecurityGroupIds => "vpcConfig.securityGroupIds",
            Self::MaxUserDurationInSeconds => "maxUserDurationInSeconds",
            Self::DisconnectTimeoutInSeconds => "disconnectTimeoutInSeconds",
            Self::IdleDisconnectTimeoutInSeconds => "idleDisconnectTimeoutInSeconds",
            Self::DisplayName => "displayName",
            Self::Description => "description",
            Self::EnableDefaultInternetAccess => "enableDefaultInternetAccess",
            Self::DomainJoinInfo => "domainJoinInfo",
            Self::IamRoleArn => "iamRoleArn",
            Self::StreamView => "streamView",
            Self::Platform => "platform",
            Self::UsbDeviceFilterStrings => "usbDeviceFilterStrings",
            Self::SessionScriptS3Location => "sessionScriptS3Location",
            Self::RootVolumeConfig => "rootVolumeConfig",
            Self::DisableImdsv1 => "disableIMDSV1",
        }
    }

    /// Whether it may be sent while the fleet is RUNNING. `Minimal` is the rule of the API's 2017 documentation;
    /// `Documented` is UpdateFleet's list of today.
    pub fn changes_while_running(self, fleet_type: FleetType, rule: WhileRunning) -> bool {
        let elastic = match fleet_type {
            FleetType::Elastic => true,
            FleetType::AlwaysOn | FleetType::OnDemand => false,
        };
        match (self, rule) {
            (Self::DisplayName | Self::DesiredInstances | Self::DesiredSessions, _) => true,
            (Self::ImageName | Self::ImageArn, WhileRunning::Documented) => !elastic,
            (Self::DisconnectTimeoutInSeconds | Self::IdleDisconnectTimeoutInSeconds, WhileRunning::Documented) => true,
            (
                Self::MaxConcurrentSessions | Self::SessionScriptS3Location | Self::UsbDeviceFilterStrings,
                WhileRunning::Documented,
            ) => elastic,
            (
                Self::InstanceType
                | Self::ImageName
                | Self::ImageArn
                | Self::MaxConcurrentSessions
                | Self::MaxSessionsPerInstance
                | Self::SubnetIds
                | Self::SecurityGroupIds
                | Self::MaxUserDurationInSeconds
                | Self::DisconnectTimeoutInSeconds
                | Self::IdleDisconnectTimeoutInSeconds
                | Self::Description
                | Self::EnableDefaultInternetAccess
                | Self::DomainJoinInfo
                | Self::IamRoleArn
                | Self::StreamView
                | Self::Platform
                | Self::UsbDeviceFilterStrings
                | Self::SessionScriptS3Location
                | Self::RootVolumeConfig
                | Self::DisableImdsv1,
                WhileRunning::Minimal | WhileRunning::Documented,
            ) => false,
        }
    }

    /// How AWS is told to clear it, where it can be.
    pub fn clearing(self) -> Option<AttributeToDelete> {
        match self {
            Self::SubnetIds => Some(AttributeToDelete::VpcConfiguration),
            Self::SecurityGroupIds => Some(AttributeToDelete::VpcConfigurationSecurityGroupIds),
            Self::DomainJoinInfo => Some(AttributeToDelete::DomainJoinInfo),
            Self::IamRoleArn => Some(AttributeToDelete::IamRoleArn),
            Self::UsbDeviceFilterStrings => Some(AttributeToDelete::UsbDeviceFilterStrings),
            Self::SessionScriptS3Location => Some(AttributeToDelete::SessionScriptS3Location),
            Self::MaxSessionsPerInstance => Some(AttributeToDelete::MaxSessionsPerInstance),
            Self::RootVolumeConfig => Some(AttributeToDelete::VolumeConfiguration),
            Self::InstanceType
            | Self::ImageName
            | Self::ImageArn
            | Self::DesiredInstances
            | Self::DesiredSessions
            | Self::MaxConcurrentSessions
            | Self::MaxUserDurationInSeconds
            | Self::DisconnectTimeoutInSeconds
            | Self::IdleDisconnectTimeoutInSeconds
            | Self::DisplayName
            | Self::Description
            | Self::EnableDefaultInternetAccess
            | Self::StreamView
            | Self::Platform
            | Self::DisableImdsv1 => None,
        }
    }

    /// Whether it is the capacity, which AWS's own scaling may own and a drain sets to 0.
    pub fn is_capacity(self) -> bool {
        matches!(self, Self::DesiredInstances | Self::DesiredSessions)
    }

    /// Its value as a short string; `None` when it is not set.
    pub fn value(self, s: &FleetSettings) -> Option<String> {
        let vpc = s.vpc_config.as_ref();
        match self {
            Self::InstanceType => s.instance_type.clone(),
            Self::ImageName => text(&s.image_name),
            Self::ImageArn => text(&s.image_arn),
            Self::DesiredInstances => text(&s.compute_capacity.as_ref().and_then(|c| c.desired_instances)),
            Self::DesiredSessions => text(&s.compute_capacity.as_ref().and_then(|c| c.desired_sessions)),
            Self::MaxConcurrentSessions => text(&s.max_concurrent_sessions),
            Self::MaxSessionsPerInstance => text(&s.max_sessions_per_instance),
            Self::SubnetIds => list(vpc.and_then(|v| v.subnet_ids.as_ref())),
            Self::SecurityGroupIds => list(vpc.and_then(|v| v.security_group_ids.as_ref())),
            Self::MaxUserDurationInSeconds => text(&s.max_user_duration_in_seconds),
            Self::DisconnectTimeoutInSeconds => text(&s.disconnect_timeout_in_seconds),
            Self::IdleDisconnectTimeoutInSeconds => text(&s.idle_disconnect_timeout_in_seconds),
            Self::DisplayName => s.display_name.clone(),
            Self::Description => s.description.clone(),
            Self::EnableDefaultInternetAccess => text(&s.enable_default_internet_access),
            Self::DomainJoinInfo => s.domain_join_info.as_ref().map(json),
            Self::IamRoleArn => text(&s.iam_role_arn),
            Self::StreamView => s.stream_view.map(|v| json(&v).trim_matches('"').to_owned()),
            Self::Platform => s.platform.clone(),
            Self::UsbDeviceFilterStrings => list(s.usb_device_filter_strings.as_ref()),
            Self::SessionScriptS3Location => s.session_script_s3_location.as_ref().map(json),
            Self::RootVolumeConfig => s.root_volume_config.as_ref().map(|v| v.volume_size_in_gb.to_string()),
            Self::DisableImdsv1 => text(&s.disable_imdsv1),
        }
    }

    /// Copies it from the wanted settings to a patch; `seen` completes what AWS takes as one whole.
    pub fn copy(self, wanted: &FleetSettings, seen: &FleetSettings, patch: &mut FleetSettings) {
        match self {
            Self::InstanceType => patch.instance_type.clone_from(&wanted.instance_type),
            Self::ImageName => patch.image_name.clone_from(&wanted.image_name),
            Self::ImageArn => patch.image_arn.clone_from(&wanted.image_arn),
            Self::DesiredInstances | Self::DesiredSessions => {
                patch.compute_capacity.clone_from(&wanted.compute_capacity);
            }
            Self::MaxConcurrentSessions => patch.max_concurrent_sessions = wanted.max_concurrent_sessions,
            Self::MaxSessionsPerInstance => patch.max_sessions_per_instance = wanted.max_sessions_per_instance,
            Self::SubnetIds | Self::SecurityGroupIds => {
                let (wanted, seen) =
                    (wanted.vpc_config.clone().unwrap_or_default(), seen.vpc_config.clone().unwrap_or_default());
                patch.vpc_config = Some(VpcConfig {
                    subnet_ids: wanted.subnet_ids.or(seen.subnet_ids),
                    security_group_ids: wanted.security_group_ids,
                });
            }
            Self::MaxUserDurationInSeconds => {
                patch.max_user_duration_in_seconds = wanted.max_user_duration_in_seconds;
            }
            Self::DisconnectTimeoutInSeconds => {
                patch.disconnect_timeout_in_seconds = wanted.disconnect_timeout_in_seconds;
            }
            Self::IdleDisconnectTimeoutInSeconds => {
                patch.idle_disconnect_timeout_in_seconds = wanted.idle_disconnect_timeout_in_seconds;
            }
            Self::DisplayName => patch.display_name.clone_from(&wanted.display_name),
            Self::Description => patch.description.clone_from(&wanted.description),
            Self::EnableDefaultInternetAccess => {
                patch.enable_default_internet_access = wanted.enable_default_internet_access;
            }
            Self::DomainJoinInfo => {
                let (wanted, seen) = (
                    wanted.domain_join_info.clone().unwrap_or_default(),
                    seen.domain_join_info.clone().unwrap_or_default(),
                );
                patch.domain_join_info = Some(DomainJoinInfo {
                    directory_name: wanted.directory_name.or(seen.directory_name),
                    organizational_unit_distinguished_name: wanted
                        .organizational_unit_distinguished_name
                        .or(seen.organizational_unit_distinguished_name),
                });
            }
            Self::IamRoleArn => patch.iam_role_arn.clone_from(&wanted.iam_role_arn),
            Self::StreamView => patch.stream_view = wanted.stream_view,
            Self::Platform => patch.platform.clone_from(&wanted.platform),
            Self::UsbDeviceFilterStrings => {
                patch.usb_device_filter_strings.clone_from(&wanted.usb_device_filter_strings);
            }
            Self::SessionScriptS3Location => {
                patch.session_script_s3_location.clone_from(&wanted.session_script_s3_location);
            }
            Self::RootVolumeConfig => patch.root_volume_config.clone_from(&wanted.root_volume_config),
            Self::DisableImdsv1 => patch.disable_imdsv1 = wanted.disable_imdsv1,
        }
    }

    fn same(self, wanted: &FleetSettings, seen: &FleetSettings) -> bool {
        match self {
            // Only the parts that the user set are compared.
            Self::DomainJoinInfo => {
                let (Some(w), s) = (&wanted.domain_join_info, seen.domain_join_info.clone().unwrap_or_default()) else {
                    return true;
                };
                // AWS gives an empty part back as "" or not at all.
                let text = |part: &Option<String>| part.clone().unwrap_or_default();
                let same = |w: &Option<String>, s: &Option<String>| w.is_none() || text(w) == text(s);
                same(&w.directory_name, &s.directory_name)
                    && same(&w.organizational_unit_distinguished_name, &s.organizational_unit_distinguished_name)
            }
            // AWS leaves out what is off.
            Self::EnableDefaultInternetAccess => {
                wanted.enable_default_internet_access.unwrap_or(false)
                    == seen.enable_default_internet_access.unwrap_or(false)
            }
            Self::DisableImdsv1 => wanted.disable_imdsv1.unwrap_or(false) == seen.disable_imdsv1.unwrap_or(false),
            // AWS may give back the image in one of its two names only.
            Self::ImageName => {
                let seen_name = match (&seen.image_name, &seen.image_arn) {
                    (None, Some(arn)) => image_name(arn.as_str()),
                    (name, _) => name.as_ref().map(|n| n.as_str().to_owned()),
                };
                text(&wanted.image_name) == seen_name
            }
            Self::ImageArn => match (&seen.image_arn, &seen.image_name) {
                (None, Some(name)) => {
                    wanted.image_arn.as_ref().and_then(|arn| image_name(arn.as_str())).as_deref() == Some(name.as_str())
                }
                (arn, _) => wanted.image_arn == *arn,
            },
            // A set: AWS need not keep its order.
            Self::UsbDeviceFilterStrings => {
                let set =
                    |s: &FleetSettings| s.usb_device_filter_strings.iter().flatten().cloned().collect::<BTreeSet<_>>();
                set(wanted) == set(seen)
            }
            // The word of older images for any version of it.
            Self::Platform => match (wanted.platform.as_deref(), seen.platform.as_deref()) {
                (Some("WINDOWS"), Some(seen)) => seen.starts_with("WINDOWS"),
                (wanted, seen) => wanted == seen,
            },
            Self::DesiredSessions => same_sessions(wanted, seen),
            // Nobody is disconnected for being idle: AWS may say 0, or leave it out.
            Self::IdleDisconnectTimeoutInSeconds => {
                let timeout = |settings: &FleetSettings| settings.idle_disconnect_timeout_in_seconds.unwrap_or(0);
                timeout(wanted) == timeout(seen)
            }
            Self::InstanceType
            | Self::DesiredInstances
            | Self::MaxConcurrentSessions
            | Self::MaxSessionsPerInstance
            | Self::SubnetIds
            | Self::SecurityGroupIds
            | Self::MaxUserDurationInSeconds
            | Self::DisconnectTimeoutInSeconds
            | Self::DisplayName
            | Self::Description
            | Self::IamRoleArn
            | Self::StreamView
            | Self::RootVolumeConfig
            | Self::SessionScriptS3Location => {
                self.value(wanted).unwrap_or_default() == self.value(seen).unwrap_or_default()
            }
        }
    }

    /// Whether AWS has a value worth clearing.
    fn is_set(self, seen: &FleetSettings) -> bool {
        match self {
            // Empty strings inside are accepted and given back by AWS.
            Self::DomainJoinInfo => seen.domain_join_info.as_ref().is_some_and(|d| {
                [&d.directory_name, &d.organizational_unit_distinguished_name]
                    .into_iter()
                    .any(|part| part.as_deref().is_some_and(|p| !p.is_empty()))
            }),
            Self::InstanceType
            | Self::ImageName
            | Self::ImageArn
            | Self::DesiredInstances
            | Self::DesiredSessions
            | Self::MaxConcurrentSessions
            | Self::MaxSessionsPerInstance
            | Self::SubnetIds
            | Self::SecurityGroupIds
            | Self::MaxUserDurationInSeconds
            | Self::DisconnectTimeoutInSeconds
            | Self::IdleDisconnectTimeoutInSeconds
            | Self::DisplayName
            | Self::Description
            | Self::EnableDefaultInternetAccess
            | Self::IamRoleArn
            | Self::StreamView
            | Self::Platform
            | Self::UsbDeviceFilterStrings
            | Self::SessionScriptS3Location
            | Self::RootVolumeConfig
            | Self::DisableImdsv1 => self.value(seen).is_some(),
        }
    }
}

/// The tail of an image's ARN: `arn:…:image/<name>`.
fn image_name(arn: &str) -> Option<String> {
    arn.split_once(":image/").map(|(_, name)| name.to_owned())
}

/// AWS rounds sessions up to whole instances.
fn same_sessions(wanted: &FleetSettings, seen: &FleetSettings) -> bool {
    let of = |s: &FleetSettings| s.compute_capacity.clone().unwrap_or_default();
    let each = seen.max_sessions_per_instance.filter(|each| *each > 0);
    let found = of(seen);
    let instances = || found.desired_instances?.checked_mul(each?);
    let (wish, found) = (of(wanted).desired_sessions, found.desired_sessions.or_else(instances));
    let rounded = match (wish, each, wanted.max_sessions_per_instance) {
        (Some(wish), Some(each), wanted) if wanted.is_none_or(|w| w == each) => {
            (wish / each + i32::from(wish % each > 0)).checked_mul(each)
        }
        (_, _, _) => None,
    };
    wish == found || (rounded.is_some() && rounded == found)
}

/// Every difference. `ours` are the paths of clearable fields that we set, `lately` of those that AWS may not show yet.
pub fn differences(
    wanted: &FleetSettings,
    seen: &FleetFacts,
    ours: &BTreeSet<String>,
    lately: &BTreeSet<String>,
) -> Vec<Difference> {
    let found = &seen.settings;
    let there = |field: Field| field.is_set(found) || lately.contains(field.path());
    Field::ALL
        .into_iter()
        .filter_map(|field| {
            let from = || show(field.value(found));
            match field.value(wanted) {
                Some(_) if field.same(wanted, found) => None,
                Some(to) => Some(Difference { field, from: from(), to: show(Some(to)), clear: false }),
                None if ours.contains(field.path()) && field.clearing().is_some() && there(field) => {
                    Some(Difference { field, from: from(), to: String::new(), clear: true })
                }
                None => None,
            }
        })
        .collect()
}

/// The clearable fields that the spec sets and AWS has taken over: a later removal clears these.
pub fn applied(
    wanted: &FleetSettings,
    seen: &FleetSettings,
    before: &BTreeSet<String>,
    lately: &BTreeSet<String>,
) -> BTreeSet<String> {
    Field::ALL
        .into_iter()
        .filter(|field| field.clearing().is_some())
        .filter(|field| match field.value(wanted) {
            Some(_) => before.contains(field.path()) || field.same(wanted, seen),
            None => before.contains(field.path()) && (field.is_set(seen) || lately.contains(field.path())),
        })
        .map(|field| field.path().to_owned())
        .collect()
}

/// The paths of what these settings set and AWS can clear.
pub fn clearable(settings: &FleetSettings) -> BTreeSet<String> {
    let set = Field::ALL.into_iter().filter(|f| f.clearing().is_some() && f.value(settings).is_some());
    set.map(|field| field.path().to_owned()).collect()
}

/// The paths of what AWS has set a moment ago, can clear, and may not show in a read that began then.
pub fn lately(input: &Input<'_, FleetKind>, began: Timestamp) -> BTreeSet<String> {
    let set = unshown::lately(input, began).map(|call| match call {
        FleetCall::Update(patch) => clearable(&patch.set),
        FleetCall::Create(create) => clearable(&create.settings),
        FleetCall::Start(_)
        | FleetCall::Stop(_)
        | FleetCall::Delete(_)
        | FleetCall::Tag { .. }
        | FleetCall::Untag { .. }
        | FleetCall::AssociateApplication { .. }
        | FleetCall::DisassociateApplication { .. } => BTreeSet::new(),
    });
    set.flatten().collect()
}

/// The spec paths that an update writes.
pub fn paths(patch: &FleetPatch) -> Vec<&'static str> {
    let writes =
        |f: &Field| f.value(&patch.set).is_some() || f.clearing().is_some_and(|clear| patch.clear.contains(&clear));
    Field::ALL.into_iter().filter(writes).map(Field::path).collect()
}

/// What CreateFleet is told for an absent capacity: one instance, or one session where sessions are shared. AWS asks for
/// exactly one of the two.
pub fn first_capacity(settings: &FleetSettings) -> ComputeCapacity {
    match settings.max_sessions_per_instance {
        Some(_) => ComputeCapacity { desired_sessions: Some(1), desired_instances: None },
        None => ComputeCapacity { desired_instances: Some(1), desired_sessions: None },
    }
}

fn show(value: Option<String>) -> String {
    bounded(&value.unwrap_or_default(), SHORT)
}

fn text(value: &Option<impl ToString>) -> Option<String> {
    value.as_ref().map(ToString::to_string)
}

fn list<'a>(items: Option<impl IntoIterator<Item = &'a String>>) -> Option<String> {
    let all: Vec<&str> = items?.into_iter().map(String::as_str).collect();
    (!all.is_empty()).then(|| all.join(","))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
