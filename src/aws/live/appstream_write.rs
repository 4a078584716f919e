//! AppStream writes: one call of ours is one request to AWS.

use std::collections::HashMap;

use aws_sdk_appstream::Client;
use aws_sdk_appstream::operation::RequestId;
use aws_sdk_appstream::types::PlatformType;

use super::request::Way;
use super::translate::{
    attribute, compute_capacity, domain_join_info, fleet_type, s3_location, sdk_vpc_config, stream_view, volume_config,
};
use crate::api::fleet::FleetSettings;
use crate::aws::{AwsError, Reply};
use crate::plan::Call;
use crate::plan::fleet::FleetCall;

/// Gives every field of [`FleetSettings`] to a CreateFleet or UpdateFleet request, which have the same setters but no
/// common type. The pattern names every field, so that a new one cannot be forgotten here.
macro_rules! with_settings {
    ($request:expr, $settings:expr) => {{
        let FleetSettings {
            instance_type,
            image_name,
            image_arn,
            compute_capacity: capacity,
            max_concurrent_sessions,
            max_sessions_per_instance,
            vpc_config,
            max_user_duration_in_seconds,
            disconnect_timeout_in_seconds,
            idle_disconnect_timeout_in_seconds,
            display_name,
            description,
            enable_default_internet_access,
            domain_join_info: domain,
            iam_role_arn,
            stream_view: view,
            platform,
            usb_device_filter_strings,
            session_script_s3_location,
            root_volume_config,
            disable_imdsv1,
        } = $settings;
        $request
            .set_instance_type(instance_type.clone())
            .set_image_name(image_name.clone().map(String::from))
            .set_image_arn(image_arn.clone().map(String::from))
            .set_compute_capacity(capacity.as_ref().and_then(compute_capacity))
            .set_max_concurrent_sessions(*max_concurrent_sessions)
            .set_max_sessions_per_instance(*max_sessions_per_instance)
            .set_vpc_config(vpc_config.as_ref().and_then(sdk_vpc_config))
            .set_max_user_duration_in_seconds(*max_user_duration_in_seconds)
            .set_disconnect_timeout_in_seconds(*disconnect_timeout_in_seconds)
            .set_idle_disconnect_timeout_in_seconds(*idle_disconnect_timeout_in_seconds)
            .set_display_name(display_name.clone())
            .set_description(description.clone())
            .set_enable_default_internet_access(*enable_default_internet_access)
            .set_domain_join_info(domain.as_ref().map(domain_join_info))
            .set_iam_role_arn(iam_role_arn.clone().map(String::from))
            .set_stream_view(view.map(stream_view))
            .set_platform(platform.as_deref().map(PlatformType::from))
            .set_usb_device_filter_strings(usb_device_filter_strings.clone())
            .set_session_script_s3_location(session_script_s3_location.as_ref().map(s3_location))
            .set_root_volume_config(root_volume_config.as_ref().map(volume_config))
            .set_disable_imdsv1(*disable_imdsv1)
    }};
}

/// Sends one write.
///
/// # Errors
/// When it was not sent, AWS refused it, or no answer came.
pub(super) async fn send(client: &Client, way: &Way, call: &FleetCall) -> Result<Reply, AwsError> {
    let operation = call.operation();
    match call {
        FleetCall::Create(create) => {
            let tags: HashMap<String, String> = create.tags.clone().into_iter().collect();
            let request = with_settings!(client.create_fleet(), &create.settings)
                .name(create.name.as_str())
                .fleet_type(fleet_type(create.fleet_type))
                .set_tags((!tags.is_empty()).then_some(tags));
            let created = way.write(operation, request.send()).await?;
            let arn = created.fleet().and_then(|fleet| fleet.arn()).and_then(|arn| arn.parse().ok());
            Ok(Reply { arn, request_id: request_id(&created) })
        }
        FleetCall::Update(patch) => {
            let clear: Vec<_> = patch.clear.iter().copied().map(attribute).collect();
            let request = with_settings!(client.update_fleet(), &patch.set)
                .name(patch.name.as_str())
                .set_attributes_to_delete((!clear.is_empty()).then_some(clear));
            reply(way.write(operation, request.send()).await)
        }
        FleetCall::Start(name) => reply(way.write(operation, client.start_fleet().name(name.as_str()).send()).await),
        FleetCall::Stop(name) => reply(way.write(operation, client.stop_fleet().name(name.as_str()).send()).await),
        FleetCall::Delete(name) => reply(way.write(operation, client.delete_fleet().name(name.as_str()).send()).await),
        FleetCall::Tag { arn, tags } => {
            let tags = tags.clone().into_iter().collect();
            let request = client.tag_resource().resource_arn(arn.as_str()).set_tags(Some(tags));
            reply(way.write(operation, request.send()).await)
        }
        FleetCall::Untag { arn, keys } => {
            let keys = keys.iter().cloned().collect();
            let request = client.untag_resource().resource_arn(arn.as_str()).set_tag_keys(Some(keys));
            reply(way.write(operation, request.send()).await)
        }
        FleetCall::AssociateApplication { name, application } => {
            let request = client.associate_application_fleet();
            let request = request.fleet_name(name.as_str()).application_arn(application.as_str());
            reply(way.write(operation, request.send()).await)
        }
        FleetCall::DisassociateApplication { name, application } => {
            let request = client.disassociate_application_fleet();
            let request = request.fleet_name(name.as_str()).application_arn(application.as_str());
            reply(way.write(operation, request.send()).await)
        }
    }
}

/// What a write is about, for the audit log.
pub(super) fn resource(call: &FleetCall) -> &str {
    match call {
        FleetCall::Create(create) => create.name.as_str(),
        FleetCall::Update(patch) => patch.name.as_str(),
        FleetCall::Start(name) | FleetCall::Stop(name) | FleetCall::Delete(name) => name.as_str(),
        FleetCall::Tag { arn, .. } | FleetCall::Untag { arn, .. } => arn.as_str(),
        FleetCall::AssociateApplication { name, .. } | FleetCall::DisassociateApplication { name, .. } => name.as_str(),
    }
}

pub(super) fn reply<O: RequestId>(result: Result<O, AwsError>) -> Result<Reply, AwsError> {
    result.map(|output| Reply { arn: None, request_id: request_id(&output) })
}

pub(super) fn request_id(output: &impl RequestId) -> Option<String> {
    output.request_id().map(str::to_owned)
}
