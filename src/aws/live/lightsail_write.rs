//! Lightsail writes: one call of ours is one request to AWS.
//!
//! AWS answers with operations that may fail later, and whose first is not always ours: what became of a write is read off
//! the instance.

use aws_sdk_lightsail::Client;
use aws_sdk_lightsail::operation::RequestId;
use aws_sdk_lightsail::types::{AddOnType, InstanceAttributeUpdates, ResourceType};

use super::errors::ours;
use super::lightsail_translate as translate;
use super::request::Way;
use crate::aws::{AwsError, Reply};
use crate::plan::instance::InstanceCall;
use crate::plan::{Call, Class, SecretText};

/// Sends one write.
///
/// # Errors
/// When it was not sent, AWS refused it, or no answer came.
pub(super) async fn send(client: &Client, way: &Way, call: &InstanceCall) -> Result<Reply, AwsError> {
    let operation = call.operation();
    match call {
        InstanceCall::Create(create) => {
            let request = client
                .create_instances()
                .instance_names(create.name.as_str())
                .availability_zone(&create.availability_zone)
                .blueprint_id(&create.blueprint_id)
                .bundle_id(&create.bundle_id)
                .set_key_pair_name(create.key_pair_name.clone())
                .set_user_data(create.user_data.as_ref().map(SecretText::reveal).map(str::to_owned))
                .set_ip_address_type(create.ip_address_type.map(translate::ip_address_type))
                .set_tags((!create.tags.is_empty()).then(|| translate::sdk_tags(&create.tags)));
            reply(way.write(operation, request.send()).await)
        }
        InstanceCall::Start { name, bundle } => {
            let update = |bundle: &String| InstanceAttributeUpdates::builder().bundle_id(bundle).build();
            let request = client.start_instance().instance_name(name.as_str());
            let request = request.set_attribute_updates(bundle.as_ref().map(update));
            reply(way.write(operation, request.send()).await)
        }
        InstanceCall::Stop(name) => {
            reply(way.write(operation, client.stop_instance().instance_name(name.as_str()).send()).await)
        }
        InstanceCall::Delete { name, force_delete_add_ons } => {
            let request = client.delete_instance().instance_name(name.as_str());
            let request = request.set_force_delete_add_ons(force_delete_add_ons.then_some(true));
            reply(way.write(operation, request.send()).await)
        }
        InstanceCall::Tag { name, arn, tags } => {
            let request = client.tag_resource().resource_name(name.as_str()).resource_arn(arn.as_str());
            let request = request.set_tags(Some(translate::sdk_tags(tags)));
            reply(way.write(operation, request.send()).await)
        }
        InstanceCall::Untag { name, arn, keys } => {
            let request = client.untag_resource().resource_name(name.as_str()).resource_arn(arn.as_str());
            let request = request.set_tag_keys(Some(keys.iter().cloned().collect()));
            reply(way.write(operation, request.send()).await)
        }
        InstanceCall::PutPorts { name, ports } => {
            let request = client.put_instance_public_ports().instance_name(name.as_str());
            let request = request.set_port_infos(Some(ports.iter().map(translate::port_info).collect()));
            reply(way.write(operation, request.send()).await)
        }
        InstanceCall::SetIpAddressType { name, to, accept_bundle_update } => {
            let request = client
                .set_ip_address_type()
                .resource_type(ResourceType::Instance)
                .resource_name(name.as_str())
                .ip_address_type(translate::ip_address_type(*to))
                .set_accept_bundle_update(accept_bundle_update.then_some(true));
            reply(way.write(operation, request.send()).await)
        }
        InstanceCall::UpdateMetadataOptions { name, options } => {
            let request = client
                .update_instance_metadata_options()
                .instance_name(name.as_str())
                .set_http_tokens(options.http_tokens.map(translate::http_tokens))
                .set_http_endpoint(options.http_endpoint.map(translate::http_endpoint))
                .set_http_put_response_hop_limit(options.http_put_response_hop_limit)
                .set_http_protocol_ipv6(options.http_protocol_ipv6.map(translate::http_protocol_ipv6));
            reply(way.write(operation, request.send()).await)
        }
        InstanceCall::EnableAutoSnapshot { name, time } => {
            let built = translate::auto_snapshot(time.as_deref());
            let unbuilt = || ours(operation, Class::Rejected, "NotBuilt", "the request could not be built");
            let request = client.enable_add_on().resource_name(name.as_str());
            reply(way.write(operation, request.add_on_request(built.ok_or_else(unbuilt)?).send()).await)
        }
        InstanceCall::DisableAutoSnapshot(name) => {
            let request = client.disable_add_on().resource_name(name.as_str()).add_on_type(AddOnType::AutoSnapshot);
            reply(way.write(operation, request.send()).await)
        }
        InstanceCall::AllocateStaticIp(static_ip) => {
            reply(way.write(operation, client.allocate_static_ip().static_ip_name(static_ip.as_str()).send()).await)
        }
        InstanceCall::AttachStaticIp { static_ip, name } => {
            let request = client.attach_static_ip().static_ip_name(static_ip.as_str());
            reply(way.write(operation, request.instance_name(name.as_str()).send()).await)
        }
        InstanceCall::DetachStaticIp(static_ip) => {
            reply(way.write(operation, client.detach_static_ip().static_ip_name(static_ip.as_str()).send()).await)
        }
        InstanceCall::ReleaseStaticIp(static_ip) => {
            reply(way.write(operation, client.release_static_ip().static_ip_name(static_ip.as_str()).send()).await)
        }
    }
}

/// What a write is about, for the audit log.
pub(super) fn resource(call: &InstanceCall) -> &str {
    match call {
        InstanceCall::Create(create) => create.name.as_str(),
        InstanceCall::Start { name, .. }
        | InstanceCall::Stop(name)
        | InstanceCall::Delete { name, .. }
        | InstanceCall::Tag { name, .. }
        | InstanceCall::Untag { name, .. }
        | InstanceCall::PutPorts { name, .. }
        | InstanceCall::SetIpAddressType { name, .. }
        | InstanceCall::UpdateMetadataOptions { name, .. }
        | InstanceCall::EnableAutoSnapshot { name, .. }
        | InstanceCall::DisableAutoSnapshot(name) => name.as_str(),
        InstanceCall::AllocateStaticIp(static_ip)
        | InstanceCall::AttachStaticIp { static_ip, .. }
        | InstanceCall::DetachStaticIp(static_ip)
        | InstanceCall::ReleaseStaticIp(static_ip) => static_ip.as_str(),
    }
}

fn reply<O: RequestId>(result: Result<O, AwsError>) -> Result<Reply, AwsError> {
    // Lightsail names no ARN in the answer to a create: the next look finds it.
    result.map(|output| Reply { arn: None, request_id: output.request_id().map(str::to_owned) })
}
