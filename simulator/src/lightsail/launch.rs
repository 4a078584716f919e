//! CreateInstances: what AWS checks, and what it fills in. There is no idempotency token.

use std::collections::BTreeSet;

use rand::Rng;
use serde_json::Value as Json;

use super::access::WindowsPassword;
use super::address::Addresses;
use super::catalogue::{Blueprint, Bundle, blueprint, platform};
use super::instance::{Instance, InstanceState, IpAddressType, Outcome};
use super::key_pair::DEFAULT_KEY_PAIR;
use super::metadata::Metadata;
use super::operation::Deed;
use super::ports::Port;
use super::{add_on, invalid, not_found, operations, regions, tags};
use crate::call::Call;
use crate::clock::later;
use crate::place::{Place, mix};
use crate::wire::{Refusal, Value};

/// Bytes of user data: EC2's bound, which Lightsail does not document for itself.
const LONGEST_USER_DATA: usize = 16 * 1024;

/// CreateInstances: one operation for each name. Nothing is made when anything is refused.
pub(crate) fn create(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let names: Vec<&str> =
        call.input["instanceNames"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let distinct: BTreeSet<&&str> = names.iter().collect();
    if names.is_empty() || distinct.len() != names.len() {
        return Err(invalid("Instance names must be given and be unique."));
    }
    for name in &names {
        place.check_new_name(name)?;
    }
    let zones = regions::zones(&place.region);
    let zone = call.text("availabilityZone");
    if !zones.iter().any(|one| one == zone) {
        let listed = zones.join(",");
        let message = format!("The given Availability Zone is invalid. It must be one of the following: {listed}.");
        return Err(invalid(message));
    }
    let ip_type = IpAddressType::read(call.text("ipAddressType"));
    let (blueprint, bundle) = pair(place, call, ip_type)?;
    let sent_tags = tags::checked(call.input)?;
    let add_on = add_on::of_create(call, blueprint, place.laws.pace.start_instance)?;
    let key_pair = call.input["keyPairName"].as_str().filter(|name| !name.is_empty()).unwrap_or(DEFAULT_KEY_PAIR);
    let own_key = match place.lightsail.key_pairs.get(key_pair) {
        Some(pair) => Some(pair.public.clone()),
        None if key_pair == DEFAULT_KEY_PAIR => None,
        None => return Err(not_found("KeyPair", key_pair)),
    };
    let user_data = call.input["userData"].as_str().filter(|text| !text.is_empty());
    if user_data.is_some_and(|text| text.len() > LONGEST_USER_DATA) {
        return Err(invalid(format!("User data is limited to {LONGEST_USER_DATA} bytes.")));
    }
    let limit = place.laws.quotas.lightsail_instances;
    if limit.is_some_and(|limit| place.lightsail.instances.len() + names.len() > limit) {
        return Err(invalid("Sorry, you've reached the maximum number of instances for your account."));
    }
    let mut noted = Vec::new();
    for name in names {
        let pace = place.laws.pace;
        let up_at = later(call.now, pace.create_instance);
        let addresses = Addresses::draw(&mut place.rng);
        let outcome = if call.fails_later.is_some() { Outcome::Fails } else { Outcome::Next };
        let arn = place.lightsail_arn("Instance");
        // The ARN is new with every instance, also under an old name.
        let host_seed = arn.bytes().fold(0, |sum, byte| mix(sum ^ u64::from(byte)));
        let password_at = later(call.now, pace.windows_password);
        let windows = blueprint.windows.then(|| WindowsPassword::draw(&mut place.rng, own_key.as_deref(), password_at));
        let support = place.rng.random::<u64>() & 0x00ff_ffff_ffff_ffff;
        let instance = Instance {
            name: name.to_owned(),
            arn,
            support_code: format!("{}/i-0{support:016x}", place.account),
            created_at: call.now,
            zone: zone.to_owned(),
            blueprint,
            bundle: bundle.clone(),
            original_bundle: None,
            key_pair: key_pair.to_owned(),
            user_data: user_data.map(str::to_owned),
            tags: sent_tags.clone(),
            add_on: add_on.clone(),
            ports: blueprint.default_ports().iter().map(|port| Port::default_rule(*port, ip_type)).collect(),
            metadata: Metadata::default(),
            state: InstanceState::Pending,
            state_since: call.now,
            until: Some((up_at, outcome)),
            gone_at: jiff::Timestamp::MAX,
            disks: Vec::new(),
            is_new: true,
            ip_type,
            private_ip: addresses.private,
            public_ip: (ip_type != IpAddressType::Ipv6).then(|| (addresses.public, later(up_at, pace.address_lag))),
            ipv6: (ip_type != IpAddressType::Ipv4).then_some(addresses.ipv6),
            address_change: None,
            host_seed,
            host_keys_at: later(up_at, pace.host_key_lag),
            windows: windows.transpose()?,
        };
        place.lightsail.instances.insert(name.to_owned(), instance);
        noted.push(place.note(
            call,
            Deed {
                kind: "CreateInstance",
                name: name.to_owned(),
                resource: "Instance",
                zone: zone.to_owned(),
                details: None,
                takes: pace.create_instance,
            },
        ));
    }
    Ok(operations(noted))
}

/// The blueprint and bundle, if they exist, are active and fit each other. Only the text of the unknown bundle is known.
fn pair(place: &Place, call: &Call<'_>, ip_type: IpAddressType) -> Result<(&'static Blueprint, Bundle), Refusal> {
    let (blueprint_id, bundle_id) = (call.text("blueprintId"), call.text("bundleId"));
    let Some(bundle) = place.bundle(bundle_id) else {
        return Err(invalid(format!("The specified bundle does not exist in this region: {bundle_id}")));
    };
    let Some(blueprint) = blueprint(blueprint_id) else {
        return Err(invalid(format!("The specified blueprint does not exist in this region: {blueprint_id}")));
    };
    if !place.offers_bundle(&bundle) {
        return Err(invalid(format!("The specified bundle is not active: {bundle_id}")));
    }
    if !place.offers_blueprint(blueprint) {
        return Err(invalid(format!("The specified blueprint is not active: {blueprint_id}")));
    }
    if bundle.windows != blueprint.windows {
        let wanted = platform(blueprint.windows);
        return Err(invalid(format!(
            "The bundle {bundle_id} does not support the platform {wanted} of the blueprint {blueprint_id}."
        )));
    }
    if bundle.power < blueprint.min_power {
        let wanted = blueprint.min_power;
        return Err(invalid(format!(
            "The blueprint {blueprint_id} requires a bundle with a power of at least {wanted}: {bundle_id}"
        )));
    }
    if bundle.ipv6 != (ip_type == IpAddressType::Ipv6) {
        let wanted = ip_type.as_str();
        return Err(invalid(format!("The bundle {bundle_id} does not support the IP address type {wanted}.")));
    }
    Ok((blueprint, bundle))
}
