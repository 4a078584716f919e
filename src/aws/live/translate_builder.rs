//! Between AppStream's shape of an image builder and ours, field by field, both ways.

use std::collections::BTreeSet;

use aws_sdk_appstream::types as sdk;

use super::translate::{timestamp, unreadable};
use super::translate_stack::endpoints;
use crate::api::fleet::{DomainJoinInfo, RootVolumeConfig};
use crate::api::image_builder::{BuilderError, BuilderSettings, BuilderVpcConfig, StateChangeReason};
use crate::aws::AwsError;
use crate::plan::image_builder::{BuilderFacts, Phase};

/// An image builder as AWS describes it. A state that this version does not know is kept as it is.
///
/// # Errors
/// When it has no name or ARN of the form that the API model promises: skipping it would make it look absent.
pub(super) fn builder(operation: &'static str, builder: sdk::ImageBuilder) -> Result<BuilderFacts, AwsError> {
    let arn = builder.arn.as_deref().and_then(|arn| arn.parse().ok());
    let name = builder.name.as_deref().and_then(|name| name.parse().ok());
    let (Some(arn), Some(name)) = (arn, name) else {
        return Err(unreadable(operation, "an image builder came without a name or an ARN"));
    };
    let mut errors: Vec<BuilderError> = builder
        .image_builder_errors
        .unwrap_or_default()
        .into_iter()
        .map(|error| BuilderError {
            code: error.error_code.map(|code| code.as_str().to_owned()).unwrap_or_default(),
            message: error.error_message.unwrap_or_default(),
            at: error.error_timestamp.as_ref().and_then(timestamp),
        })
        .collect();
    errors.sort();
    let settings = BuilderSettings {
        instance_type: builder.instance_type,
        image_name: None,
        image_arn: builder.image_arn.and_then(|arn| arn.parse().ok()),
        display_name: builder.display_name,
        description: builder.description,
        vpc_config: builder.vpc_config.and_then(vpc_config),
        iam_role_arn: builder.iam_role_arn.and_then(|arn| arn.parse().ok()),
        enable_default_internet_access: builder.enable_default_internet_access,
        domain_join_info: builder.domain_join_info.map(|domain| DomainJoinInfo {
            directory_name: domain.directory_name,
            organizational_unit_distinguished_name: domain.organizational_unit_distinguished_name,
        }),
        appstream_agent_version: builder.appstream_agent_version,
        access_endpoints: endpoints(builder.access_endpoints),
        root_volume_config: builder
            .root_volume_config
            .and_then(|volume| volume.volume_size_in_gb)
            .map(|volume_size_in_gb| RootVolumeConfig { volume_size_in_gb }),
        softwares_to_install: None,
        softwares_to_uninstall: None,
        disable_imdsv1: builder.disable_imdsv1,
    };
    Ok(BuilderFacts {
        arn,
        name,
        phase: phase(builder.state),
        reason: builder.state_change_reason.map(|reason| StateChangeReason {
            code: reason.code.map(|code| code.as_str().to_owned()).unwrap_or_default(),
            message: reason.message.unwrap_or_default(),
        }),
        settings,
        platform: builder.platform.map(|platform| platform.as_str().to_owned()),
        private_ip_address: builder.network_access_configuration.and_then(|network| network.eni_private_ip_address),
        errors,
        created_time: builder.created_time.as_ref().and_then(timestamp),
    })
}

fn phase(state: Option<sdk::ImageBuilderState>) -> Phase {
    match state {
        Some(sdk::ImageBuilderState::Pending) => Phase::Pending,
        Some(sdk::ImageBuilderState::UpdatingAgent) => Phase::UpdatingAgent,
        Some(sdk::ImageBuilderState::Running) => Phase::Running,
        Some(sdk::ImageBuilderState::Stopping) => Phase::Stopping,
        Some(sdk::ImageBuilderState::Stopped) => Phase::Stopped,
        Some(sdk::ImageBuilderState::Rebooting) => Phase::Rebooting,
        Some(sdk::ImageBuilderState::Snapshotting) => Phase::Snapshotting,
        Some(sdk::ImageBuilderState::Deleting) => Phase::Deleting,
        Some(sdk::ImageBuilderState::Failed) => Phase::Failed,
        Some(sdk::ImageBuilderState::Updating) => Phase::Updating,
        Some(sdk::ImageBuilderState::PendingQualification) => Phase::PendingQualification,
        Some(sdk::ImageBuilderState::PendingSyncingApps) => Phase::PendingSyncingApps,
        Some(sdk::ImageBuilderState::SyncingApps) => Phase::SyncingApps,
        Some(sdk::ImageBuilderState::PendingImageImport) => Phase::PendingImageImport,
        Some(other) => Phase::Unrecognised(other.as_str().to_owned()),
        None => Phase::Unrecognised(String::new()),
    }
}

/// An empty list says no more than an absent one.
fn vpc_config(vpc: sdk::VpcConfig) -> Option<BuilderVpcConfig> {
    let set = |ids: Option<Vec<String>>| ids.filter(|ids| !ids.is_empty()).map(BTreeSet::from_iter);
    let vpc = BuilderVpcConfig { subnet_ids: set(vpc.subnet_ids), security_group_ids: set(vpc.security_group_ids) };
    (vpc != BuilderVpcConfig::default()).then_some(vpc)
}

/// AWS's shape of a subnet and security groups.
pub(super) fn sdk_vpc_config(vpc: &BuilderVpcConfig) -> Option<sdk::VpcConfig> {
    let list = |ids: &Option<BTreeSet<String>>| ids.as_ref().map(|ids| ids.iter().cloned().collect());
    (*vpc != BuilderVpcConfig::default()).then(|| {
        sdk::VpcConfig::builder()
            .set_subnet_ids(list(&vpc.subnet_ids))
            .set_security_group_ids(list(&vpc.security_group_ids))
            .build()
    })
}
