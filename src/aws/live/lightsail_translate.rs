//! Between Lightsail's words and ours.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_lightsail::types as sdk;

use super::translate::timestamp;
pub(super) use super::translate::unreadable;
use crate::api::instance::{HttpTokens, IpAddressType, MetadataOptions, Protocol, PublicPort, Toggle};
use crate::aws::AwsError;
use crate::plan::instance::{
    AddOnStatus, AutoSnapshotFacts, Blueprint, Bundle, InstanceFacts, MetadataFacts, OperationFacts, PortRule, Power,
    StaticIpFacts,
};

/// The add-on that is ours to set; its name in answers.
const AUTO_SNAPSHOT: &str = "AutoSnapshot";

/// An instance as AWS describes it; none where its name is one that no object can give: it is somebody else's.
///
/// # Errors
/// When it has no name or ARN: it could then not be told from others.
pub(super) fn instance(operation: &'static str, instance: sdk::Instance) -> Result<Option<InstanceFacts>, AwsError> {
    let lacks = |what| unreadable(operation, what);
    let name = some_text(instance.name).ok_or_else(|| lacks("an instance came without a name"))?;
    let Ok(name) = name.parse() else { return Ok(None) };
    let arn = instance.arn.and_then(|arn| arn.parse().ok()).ok_or_else(|| lacks("an instance came without an ARN"))?;
    let state = instance.state.and_then(|state| state.name).unwrap_or_default();
    let add_on = |add_on: sdk::AddOn| {
        (add_on.name.as_deref() == Some(AUTO_SNAPSHOT)).then(|| AutoSnapshotFacts {
            status: AddOnStatus::read(add_on.status.as_deref().unwrap_or_default()),
            time: add_on.snapshot_time_of_day,
        })
    };
    Ok(Some(InstanceFacts {
        arn,
        name,
        tags: tags(instance.tags.unwrap_or_default()),
        created_time: instance.created_at.as_ref().and_then(timestamp),
        zone: instance.location.and_then(|location| location.availability_zone),
        blueprint_id: instance.blueprint_id,
        bundle_id: instance.bundle_id,
        power: Power::read(&state),
        public_ip: some_text(instance.public_ip_address),
        private_ip: some_text(instance.private_ip_address),
        ipv6: instance.ipv6_addresses.unwrap_or_default(),
        is_static_ip: instance.is_static_ip.unwrap_or(false),
        ip_address_type: instance.ip_address_type.and_then(|addresses| match addresses {
            sdk::IpAddressType::Dualstack => Some(IpAddressType::Dualstack),
            sdk::IpAddressType::Ipv4 => Some(IpAddressType::Ipv4),
            sdk::IpAddressType::Ipv6 => Some(IpAddressType::Ipv6),
            _ => None,
        }),
        username: some_text(instance.username),
        key_pair_name: some_text(instance.ssh_key_name),
        ports: instance.networking.and_then(|networking| networking.ports).map(|all| Arc::new(ports(all))),
        auto_snapshot: instance.add_ons.unwrap_or_default().into_iter().find_map(add_on),
        metadata: instance.metadata_options.map(metadata),
    }))
}

fn some_text(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// A key without a value is a tag too.
fn tags(tags: Vec<sdk::Tag>) -> BTreeMap<String, String> {
    tags.into_iter().filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect()
}

fn ports(ports: Vec<sdk::InstancePortInfo>) -> BTreeSet<PortRule> {
    let outbound = |port: &sdk::InstancePortInfo| port.access_direction == Some(sdk::AccessDirection::Outbound);
    let rule = |port: sdk::InstancePortInfo| {
        Some(PortRule::new(
            port.protocol?.as_str(),
            (port.from_port, port.to_port),
            port.cidrs.unwrap_or_default(),
            port.ipv6_cidrs.unwrap_or_default(),
            port.cidr_list_aliases.unwrap_or_default(),
        ))
    };
    ports.into_iter().filter(|port| !outbound(port)).filter_map(rule).collect()
}

fn metadata(options: sdk::InstanceMetadataOptions) -> MetadataFacts {
    let endpoint = |word: &str| match word {
        "enabled" => Some(Toggle::Enabled),
        "disabled" => Some(Toggle::Disabled),
        _ => None,
    };
    MetadataFacts {
        pending: options.state == Some(sdk::InstanceMetadataState::Pending),
        options: MetadataOptions {
            http_tokens: options.http_tokens.and_then(|tokens| match tokens {
                sdk::HttpTokens::Optional => Some(HttpTokens::Optional),
                sdk::HttpTokens::Required => Some(HttpTokens::Required),
                _ => None,
            }),
            http_endpoint: options.http_endpoint.and_then(|word| endpoint(word.as_str())),
            http_put_response_hop_limit: options.http_put_response_hop_limit,
            http_protocol_ipv6: options.http_protocol_ipv6.and_then(|word| endpoint(word.as_str())),
        },
    }
}

/// A static IP and its name.
///
/// # Errors
/// When it has no name: one of ours could then be taken for gone.
pub(super) fn static_ip(
    operation: &'static str,
    static_ip: sdk::StaticIp,
) -> Result<(String, StaticIpFacts), AwsError> {
    let name = static_ip.name.ok_or_else(|| unreadable(operation, "a static IP came without a name"))?;
    let attached = static_ip.is_attached.unwrap_or(static_ip.attached_to.is_some());
    let attached_to = static_ip.attached_to.filter(|_| attached);
    Ok((name, StaticIpFacts { address: some_text(static_ip.ip_address), attached_to }))
}

/// How a create went.
pub(super) fn operation(operation: sdk::Operation) -> OperationFacts {
    OperationFacts {
        created_at: operation.created_at.as_ref().and_then(timestamp),
        failed: operation.status == Some(sdk::OperationStatus::Failed),
        code: operation.error_code.unwrap_or_default(),
        message: operation.error_details.unwrap_or_default(),
    }
}

/// A blueprint and its id; none where AWS names none.
pub(super) fn blueprint(blueprint: sdk::Blueprint) -> Option<(String, Blueprint)> {
    let described = Blueprint {
        active: blueprint.is_active.unwrap_or(true),
        min_power: blueprint.min_power.unwrap_or_default(),
        platform: blueprint.platform.map(|platform| platform.as_str().to_owned()),
        app_category: blueprint.app_category.map(|category| category.as_str().to_owned()),
    };
    Some((blueprint.blueprint_id?, described))
}

/// A bundle and its id; none where AWS names none.
pub(super) fn bundle(bundle: sdk::Bundle) -> Option<(String, Bundle)> {
    let memory = bundle.ram_size_in_gb.unwrap_or_default() * 1024.0;
    let described = Bundle {
        active: bundle.is_active.unwrap_or(true),
        // A conversion to whole cents saturates: a price below nothing would be nothing.
        cents: bundle.price.map(|price| (f64::from(price) * 100.0).round() as u64),
        size: some_text(bundle.instance_type),
        power: bundle.power.unwrap_or_default(),
        shape: (
            bundle.cpu_count.unwrap_or_default(),
            bundle.disk_size_in_gb.unwrap_or_default(),
            memory.round() as i64,
        ),
        platforms: bundle.supported_platforms.unwrap_or_default().iter().map(|p| p.as_str().to_owned()).collect(),
        app_categories: bundle
            .supported_app_categories
            .unwrap_or_default()
            .iter()
            .map(|category| category.as_str().to_owned())
            .collect(),
        ipv4_addresses: bundle.public_ipv4_address_count,
    };
    Some((bundle.bundle_id?, described))
}

/// The Availability Zones of a Region.
pub(super) fn zones(regions: Vec<sdk::Region>, region: &str) -> BTreeSet<String> {
    let here = |one: &sdk::Region| one.name.as_ref().is_some_and(|name| name.as_str() == region);
    let zones = regions.into_iter().filter(here).flat_map(|one| one.availability_zones.unwrap_or_default());
    zones.filter_map(|zone| zone.zone_name).collect()
}

/// AWS's shape of a firewall rule.
pub(super) fn port_info(port: &PublicPort) -> sdk::PortInfo {
    let list = |set: &BTreeSet<String>| (!set.is_empty()).then(|| set.iter().cloned().collect());
    sdk::PortInfo::builder()
        .protocol(match port.protocol {
            Protocol::All => sdk::NetworkProtocol::All,
            Protocol::Icmp => sdk::NetworkProtocol::Icmp,
            Protocol::Icmpv6 => sdk::NetworkProtocol::Icmpv6,
            Protocol::Tcp => sdk::NetworkProtocol::Tcp,
            Protocol::Udp => sdk::NetworkProtocol::Udp,
        })
        .from_port(port.from_port)
        .to_port(port.to_port)
        .set_cidrs(list(&port.cidrs))
        .set_ipv6_cidrs(list(&port.ipv6_cidrs))
        .set_cidr_list_aliases(list(&port.cidr_list_aliases))
        .build()
}

/// AWS's word for which addresses an instance has.
pub(super) fn ip_address_type(addresses: IpAddressType) -> sdk::IpAddressType {
    match addresses {
        IpAddressType::Dualstack => sdk::IpAddressType::Dualstack,
        IpAddressType::Ipv4 => sdk::IpAddressType::Ipv4,
        IpAddressType::Ipv6 => sdk::IpAddressType::Ipv6,
    }
}

/// AWS's word for whether metadata requests need a token.
pub(super) fn http_tokens(tokens: HttpTokens) -> sdk::HttpTokens {
    match tokens {
        HttpTokens::Optional => sdk::HttpTokens::Optional,
        HttpTokens::Required => sdk::HttpTokens::Required,
    }
}

/// AWS's word for whether the metadata service answers.
pub(super) fn http_endpoint(toggle: Toggle) -> sdk::HttpEndpoint {
    match toggle {
        Toggle::Disabled => sdk::HttpEndpoint::Disabled,
        Toggle::Enabled => sdk::HttpEndpoint::Enabled,
    }
}

/// AWS's word for whether the metadata service answers by IPv6.
pub(super) fn http_protocol_ipv6(toggle: Toggle) -> sdk::HttpProtocolIpv6 {
    match toggle {
        Toggle::Disabled => sdk::HttpProtocolIpv6::Disabled,
        Toggle::Enabled => sdk::HttpProtocolIpv6::Enabled,
    }
}

/// AWS's shape of tags.
pub(super) fn sdk_tags(tags: &BTreeMap<String, String>) -> Vec<sdk::Tag> {
    tags.iter().map(|(key, value)| sdk::Tag::builder().key(key).value(value).build()).collect()
}

/// AWS's shape of the add-on that is ours to set; `None` would be an SDK that asks for more than it does today.
pub(super) fn auto_snapshot(time: Option<&str>) -> Option<sdk::AddOnRequest> {
    let asked = sdk::AutoSnapshotAddOnRequest::builder().set_snapshot_time_of_day(time.map(str::to_owned)).build();
    let request = sdk::AddOnRequest::builder().add_on_type(sdk::AddOnType::AutoSnapshot);
    request.auto_snapshot_add_on_request(asked).build().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn said(name: Option<&str>, arn: Option<&str>) -> sdk::Instance {
        sdk::Instance::builder().set_name(name.map(str::to_owned)).set_arn(arn.map(str::to_owned)).build()
    }

    const ARN: Option<&str> = Some("arn:aws:lightsail:eu-central-1:111122223333:Instance/bd470fc5");

    #[test]
    fn an_instance_that_cannot_be_ours_is_left_out_and_one_that_cannot_be_told_fails_the_read() {
        let read = |name, arn| instance("GetInstances", said(name, arn));
        assert_eq!(read(Some("web"), ARN).unwrap().unwrap().name.as_str(), "web");
        for foreign in ["a name with spaces", "ü-berlin", "x", "-web"] {
            assert_eq!(read(Some(foreign), ARN).unwrap(), None, "{foreign}");
        }
        for (name, arn) in [(None, ARN), (Some(""), ARN), (Some("web"), None), (Some("web"), Some("no arn"))] {
            assert!(read(name, arn).is_err(), "{name:?} {arn:?}");
        }
    }
}
