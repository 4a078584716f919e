//! Between AppStream's shapes and ours, field by field, both ways.

use std::collections::BTreeSet;

use aws_sdk_appstream::primitives::DateTime;
use aws_sdk_appstream::types as sdk;
use jiff::Timestamp;

use super::errors::ours;
use crate::api::fleet::{
    CapacityStatus, ComputeCapacity, DomainJoinInfo, FleetError, FleetSettings, FleetType, RootVolumeConfig,
    S3Location, StreamView, VpcConfig,
};
use crate::aws::AwsError;
use crate::plan::Class;
use crate::plan::fleet::{AttributeToDelete, FleetFacts, ImageFacts, Power, SessionFacts};

/// A fleet as AWS describes it. Words that this version does not know are kept (state) or left out (fleet type, stream view).
///
/// # Errors
/// When it has no name or ARN of the form that the API model promises: skipping it would make it look absent.
pub(super) fn fleet(operation: &'static str, fleet: sdk::Fleet) -> Result<FleetFacts, AwsError> {
    let arn = fleet.arn.as_deref().and_then(|arn| arn.parse().ok());
    let name = fleet.name.as_deref().and_then(|name| name.parse().ok());
    let (Some(arn), Some(name)) = (arn, name) else {
        return Err(unreadable(operation, "a fleet came without a name or an ARN"));
    };
    let counts = fleet.compute_capacity_status;
    let mut errors: Vec<FleetError> = fleet.fleet_errors.unwrap_or_default().into_iter().map(fleet_error).collect();
    errors.sort();
    let settings = FleetSettings {
        instance_type: fleet.instance_type,
        image_name: fleet.image_name.and_then(|name| name.parse().ok()),
        image_arn: fleet.image_arn.and_then(|arn| arn.parse().ok()),
        compute_capacity: counts.as_ref().map(|counts| ComputeCapacity {
            desired_instances: counts.desired,
            desired_sessions: counts.desired_user_sessions,
        }),
        max_concurrent_sessions: fleet.max_concurrent_sessions,
        max_sessions_per_instance: fleet.max_sessions_per_instance,
        vpc_config: fleet.vpc_config.and_then(vpc_config),
        max_user_duration_in_seconds: fleet.max_user_duration_in_seconds,
        disconnect_timeout_in_seconds: fleet.disconnect_timeout_in_seconds,
        idle_disconnect_timeout_in_seconds: fleet.idle_disconnect_timeout_in_seconds,
        display_name: fleet.display_name,
        description: fleet.description,
        enable_default_internet_access: fleet.enable_default_internet_access,
        domain_join_info: fleet.domain_join_info.map(|domain| DomainJoinInfo {
            directory_name: domain.directory_name,
            organizational_unit_distinguished_name: domain.organizational_unit_distinguished_name,
        }),
        iam_role_arn: fleet.iam_role_arn.and_then(|arn| arn.parse().ok()),
        stream_view: fleet.stream_view.and_then(|view| match view {
            sdk::StreamView::App => Some(StreamView::App),
            sdk::StreamView::Desktop => Some(StreamView::Desktop),
            _ => None,
        }),
        platform: fleet.platform.map(|platform| platform.as_str().to_owned()),
        usb_device_filter_strings: fleet.usb_device_filter_strings.filter(|filters| !filters.is_empty()),
        session_script_s3_location: fleet.session_script_s3_location.map(|script| S3Location {
            s3_bucket: script.s3_bucket.unwrap_or_default(),
            s3_key: script.s3_key.unwrap_or_default(),
        }),
        root_volume_config: fleet
            .root_volume_config
            .and_then(|volume| volume.volume_size_in_gb)
            .map(|volume_size_in_gb| RootVolumeConfig { volume_size_in_gb }),
        disable_imdsv1: fleet.disable_imdsv1,
    };
    Ok(FleetFacts {
        arn,
        name,
        fleet_type: fleet.fleet_type.and_then(|fleet_type| match fleet_type {
            sdk::FleetType::AlwaysOn => Some(FleetType::AlwaysOn),
            sdk::FleetType::OnDemand => Some(FleetType::OnDemand),
            sdk::FleetType::Elastic => Some(FleetType::Elastic),
            _ => None,
        }),
        power: power(fleet.state),
        settings,
        capacity: counts.map(capacity).unwrap_or_default(),
        errors,
        created_time: fleet.created_time.as_ref().and_then(timestamp),
    })
}

fn power(state: Option<sdk::FleetState>) -> Power {
    match state {
        Some(sdk::FleetState::Stopped) => Power::Stopped,
        Some(sdk::FleetState::Starting) => Power::Starting,
        Some(sdk::FleetState::Running) => Power::Running,
        Some(sdk::FleetState::Stopping) => Power::Stopping,
        Some(other) => Power::Unrecognised(other.as_str().to_owned()),
        None => Power::Unrecognised(String::new()),
    }
}

fn fleet_error(error: sdk::FleetError) -> FleetError {
    FleetError {
        code: error.error_code.map(|code| code.as_str().to_owned()).unwrap_or_default(),
        message: error.error_message.unwrap_or_default(),
    }
}

fn capacity(counts: sdk::ComputeCapacityStatus) -> CapacityStatus {
    CapacityStatus {
        desired: counts.desired.unwrap_or_default(),
        running: counts.running,
        in_use: counts.in_use,
        available: counts.available,
        desired_user_sessions: counts.desired_user_sessions,
        available_user_sessions: counts.available_user_sessions,
        active_user_sessions: counts.active_user_sessions,
        actual_user_sessions: counts.actual_user_sessions,
    }
}

/// An empty list says no more than an absent one.
fn vpc_config(vpc: sdk::VpcConfig) -> Option<VpcConfig> {
    let set = |ids: Option<Vec<String>>| ids.filter(|ids| !ids.is_empty()).map(BTreeSet::from_iter);
    let vpc = VpcConfig { subnet_ids: set(vpc.subnet_ids), security_group_ids: set(vpc.security_group_ids) };
    (vpc != VpcConfig::default()).then_some(vpc)
}

/// An image as AWS describes it; only its name is promised.
pub(super) fn image(image: sdk::Image) -> ImageFacts {
    ImageFacts {
        name: image.name.unwrap_or_default(),
        arn: image.arn,
        state: image.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
        state_reason: image.state_change_reason.and_then(|reason| {
            let code = reason.code.map(|code| code.as_str().to_owned());
            match (code, reason.message) {
                (Some(code), Some(message)) => Some(format!("{code}: {message}")),
                (code, message) => code.or(message),
            }
        }),
        platform: image.platform.map(|platform| platform.as_str().to_owned()),
        visibility: image.visibility.map(|visibility| visibility.as_str().to_owned()),
        allow_fleet: image.image_permissions.and_then(|permissions| permissions.allow_fleet),
    }
}

/// A session that is not over. What AWS might call a state some day counts as not over.
///
/// # Errors
/// When it has no id: it could then not be told from others, nor counted.
pub(super) fn session(operation: &'static str, session: sdk::Session) -> Result<Option<SessionFacts>, AwsError> {
    if session.state == Some(sdk::SessionState::Expired) {
        return Ok(None);
    }
    let Some(id) = session.id else { return Err(unreadable(operation, "a session came without an id")) };
    Ok(Some(SessionFacts { id, started: session.start_time.as_ref().and_then(timestamp) }))
}

/// AWS's shape of a capacity; an empty one is never sent, since ELASTIC fleets refuse it.
pub(super) fn compute_capacity(capacity: &ComputeCapacity) -> Option<sdk::ComputeCapacity> {
    (*capacity != ComputeCapacity::default()).then(|| {
        sdk::ComputeCapacity::builder()
            .set_desired_instances(capacity.desired_instances)
            .set_desired_sessions(capacity.desired_sessions)
            .build()
    })
}

/// AWS's shape of subnets and security groups.
pub(super) fn sdk_vpc_config(vpc: &VpcConfig) -> Option<sdk::VpcConfig> {
    let list = |ids: &Option<BTreeSet<String>>| ids.as_ref().map(|ids| ids.iter().cloned().collect());
    (*vpc != VpcConfig::default()).then(|| {
        sdk::VpcConfig::builder()
            .set_subnet_ids(list(&vpc.subnet_ids))
            .set_security_group_ids(list(&vpc.security_group_ids))
            .build()
    })
}

/// AWS's shape of a directory.
pub(super) fn domain_join_info(domain: &DomainJoinInfo) -> sdk::DomainJoinInfo {
    sdk::DomainJoinInfo::builder()
        .set_directory_name(domain.directory_name.clone())
        .set_organizational_unit_distinguished_name(domain.organizational_unit_distinguished_name.clone())
        .build()
}

/// AWS's word for what users see.
pub(super) fn stream_view(view: StreamView) -> sdk::StreamView {
    match view {
        StreamView::App => sdk::StreamView::App,
        StreamView::Desktop => sdk::StreamView::Desktop,
    }
}

/// AWS's shape of an object in S3.
pub(super) fn s3_location(script: &S3Location) -> sdk::S3Location {
    sdk::S3Location::builder().s3_bucket(&script.s3_bucket).s3_key(&script.s3_key).build()
}

/// AWS's shape of a root volume.
pub(super) fn volume_config(volume: &RootVolumeConfig) -> sdk::VolumeConfig {
    sdk::VolumeConfig::builder().volume_size_in_gb(volume.volume_size_in_gb).build()
}

/// AWS's word for a fleet type.
pub(super) fn fleet_type(fleet_type: FleetType) -> sdk::FleetType {
    match fleet_type {
        FleetType::AlwaysOn => sdk::FleetType::AlwaysOn,
        FleetType::OnDemand => sdk::FleetType::OnDemand,
        FleetType::Elastic => sdk::FleetType::Elastic,
    }
}

/// AWS's word for an attribute to clear.
pub(super) fn attribute(attribute: AttributeToDelete) -> sdk::FleetAttribute {
    match attribute {
        AttributeToDelete::VpcConfiguration => sdk::FleetAttribute::VpcConfiguration,
        AttributeToDelete::VpcConfigurationSecurityGroupIds => sdk::FleetAttribute::VpcConfigurationSecurityGroupIds,
        AttributeToDelete::DomainJoinInfo => sdk::FleetAttribute::DomainJoinInfo,
        AttributeToDelete::IamRoleArn => sdk::FleetAttribute::IamRoleArn,
        AttributeToDelete::UsbDeviceFilterStrings => sdk::FleetAttribute::UsbDeviceFilterStrings,
        AttributeToDelete::SessionScriptS3Location => sdk::FleetAttribute::SessionScriptS3Location,
        AttributeToDelete::MaxSessionsPerInstance => sdk::FleetAttribute::MaxSessionsPerInstance,
        AttributeToDelete::VolumeConfiguration => sdk::FleetAttribute::VolumeConfiguration,
    }
}

/// An answer that does not say what the API model promises.
pub(super) fn unreadable(operation: &'static str, what: &str) -> AwsError {
    ours(operation, Class::Unavailable, "Unreadable", what)
}

/// AWS's time as ours; `None` for what no calendar has.
pub(super) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}
