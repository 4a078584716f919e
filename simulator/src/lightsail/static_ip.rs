//! Static IPs: Region-wide addresses of their own, with an instance or without.

use std::time::Duration;

use jiff::Timestamp;

use super::address::public_ipv4;
use super::instance::{InstanceState, IpAddressType};
use super::operation::Deed;
use super::{invalid, not_found, operations, page_of};
use crate::call::Call;
use crate::clock::later;
use crate::place::Place;
use crate::wire::{Refusal, Value, map};

/// One static IP. It has no tags.
#[derive(Clone, Debug)]
pub(crate) struct StaticIp {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) created_at: Timestamp,
    pub(crate) address: String,
    pub(crate) attached_to: Option<String>,
}

impl StaticIp {
    pub(crate) fn is_attached_to(&self, instance: &str) -> bool {
        self.attached_to.as_deref() == Some(instance)
    }

    fn spell(&self, account: &str, region: &str) -> Value {
        map([
            ("name", self.name.as_str().into()),
            ("arn", self.arn.as_str().into()),
            ("supportCode", format!("{account}/{}", self.address).into()),
            ("createdAt", self.created_at.into()),
            ("location", map([("availabilityZone", "all".into()), ("regionName", region.into())])),
            ("resourceType", "StaticIp".into()),
            ("ipAddress", self.address.as_str().into()),
            ("attachedTo", self.attached_to.clone().into()),
            ("isAttached", self.attached_to.is_some().into()),
        ])
    }
}

impl Place {
    fn static_ip(&mut self, name: &str) -> Result<&mut StaticIp, Refusal> {
        self.lightsail.static_ips.get_mut(name).ok_or_else(|| not_found("StaticIp", name))
    }
}

/// AllocateStaticIp.
pub(crate) fn allocate(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = call.text("staticIpName");
    place.check_new_name(name)?;
    if place.laws.quotas.static_ips.is_some_and(|limit| place.lightsail.static_ips.len() >= limit) {
        return Err(invalid("Sorry, you've reached the maximum number of static IPs for your account."));
    }
    let arn = place.lightsail_arn("StaticIp");
    let address = public_ipv4(&mut place.rng);
    if call.fails_later.is_none() {
        let ip = StaticIp { name: name.to_owned(), arn, created_at: call.now, address, attached_to: None };
        place.lightsail.static_ips.insert(name.to_owned(), ip);
    }
    Ok(operations(vec![place.note(call, deed("AllocateStaticIp", name, None))]))
}

/// AttachStaticIp: at most one for an instance; it takes the place of the instance's own address. Two operations.
pub(crate) fn attach(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let (name, host) = (call.text("staticIpName"), call.text("instanceName"));
    if let Some(other) = place.static_ip(name)?.attached_to.clone() {
        return Err(invalid(format!("The StaticIp {name} is already attached to {other}.")));
    }
    let instance = place.instance_to_change(host, call.now)?;
    if instance.ip_type == IpAddressType::Ipv6 {
        return Err(invalid(format!("The Instance {host} is IPv6-only and cannot have a static IP.")));
    }
    if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped) {
        let state = instance.state.as_str();
        return Err(invalid(format!("The Instance {host} must be running or stopped. It is {state}.")));
    }
    let zone = instance.zone.clone();
    if let Some(other) = place.lightsail.static_ips.values().find(|ip| ip.is_attached_to(host)) {
        return Err(invalid(format!("The Instance {host} has a static IP already: {}", other.name)));
    }
    if call.fails_later.is_none() {
        place.static_ip(name)?.attached_to = Some(host.to_owned());
        // Its own address goes back to AWS.
        place.instance_to_change(host, call.now)?.public_ip = None;
    }
    pair(place, call, "AttachStaticIp", name, host, zone)
}

/// DetachStaticIp: a running instance gets a new address of its own. Two operations.
pub(crate) fn detach(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = call.text("staticIpName");
    let Some(host) = place.static_ip(name)?.attached_to.clone() else {
        return Err(invalid(format!("The StaticIp {name} is not attached.")));
    };
    let shown_at = later(call.now, place.laws.pace.address_lag);
    let address = public_ipv4(&mut place.rng);
    let instance = place.instance_to_change(&host, call.now)?;
    let zone = instance.zone.clone();
    if call.fails_later.is_none() {
        if instance.state == InstanceState::Running {
            instance.public_ip = Some((address, shown_at));
        }
        place.static_ip(name)?.attached_to = None;
    }
    pair(place, call, "DetachStaticIp", name, &host, zone)
}

fn pair(
    place: &mut Place,
    call: &Call<'_>,
    kind: &'static str,
    name: &str,
    host: &str,
    zone: String,
) -> Result<Value, Refusal> {
    let first = place.note(call, deed(kind, name, Some(host)));
    let of_host = Deed { name: host.to_owned(), resource: "Instance", zone, ..deed(kind, name, Some(name)) };
    Ok(operations(vec![first, place.note(call, of_host)]))
}

/// ReleaseStaticIp: detached ones only.
pub(crate) fn release(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = call.text("staticIpName");
    if let Some(host) = place.static_ip(name)?.attached_to.clone() {
        return Err(invalid(format!("The StaticIp {name} is attached to {host}. Detach it before releasing it.")));
    }
    if call.fails_later.is_none() {
        place.lightsail.static_ips.remove(name);
    }
    Ok(operations(vec![place.note(call, deed("ReleaseStaticIp", name, None))]))
}

fn deed(kind: &'static str, name: &str, details: Option<&str>) -> Deed {
    let details = Some(details.unwrap_or_default().to_owned());
    Deed { kind, name: name.to_owned(), resource: "StaticIp", zone: "all".to_owned(), details, takes: Duration::ZERO }
}

/// GetStaticIp.
pub(crate) fn get(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let (account, region) = (place.account.clone(), place.region.clone());
    Ok(map([("staticIp", place.static_ip(call.text("staticIpName"))?.spell(&account, &region))]))
}

/// GetStaticIps.
pub(crate) fn list(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let all = place.lightsail.static_ips.values().map(|one| (one.name.clone(), one)).collect();
    page_of(call, &place.laws, "staticIps", all, |one| one.spell(&place.account, &place.region))
}
