//! Addresses: what an instance is given, and SetIpAddressType.

use jiff::Timestamp;
use rand::Rng;
use rand::rngs::StdRng;

use super::catalogue::Bundle;
use super::instance::{Instance, InstanceState, IpAddressType};
use super::operation::Deed;
use super::ports::Port;
use super::{invalid, operations};
use crate::call::Call;
use crate::clock::later;
use crate::place::Place;
use crate::wire::{Refusal, Value};

/// Addresses for one instance. They are from ranges that are nobody's: 198.18.0.0/15 (RFC 2544), 2001:db8::/32 (RFC 3849);
/// private ones are from Lightsail's own 172.26.0.0/16.
#[derive(Debug)]
pub(crate) struct Addresses {
    pub(crate) public: String,
    pub(crate) private: String,
    pub(crate) ipv6: String,
}

impl Addresses {
    pub(crate) fn draw(rng: &mut StdRng) -> Self {
        let group = |rng: &mut StdRng| rng.random_range(0x1000..=0xffff_u32);
        Self {
            public: public_ipv4(rng),
            private: format!("172.26.{}.{}", rng.random::<u8>(), rng.random_range(4..=254)),
            // Lower-case and compressed, as real ones are in spite of the model's pattern.
            ipv6: format!("2001:db8:{:x}:{:x}::{:x}", group(rng), group(rng), group(rng)),
        }
    }
}

/// A public IPv4 address.
pub(crate) fn public_ipv4(rng: &mut StdRng) -> String {
    format!("198.{}.{}.{}", rng.random_range(18..=19), rng.random::<u8>(), rng.random_range(1..=254))
}

/// A change of the address type that is under way.
#[derive(Clone, Debug)]
pub(crate) struct AddressChange {
    /// When it is done.
    pub(crate) at: Timestamp,
    ip_type: IpAddressType,
    bundle: Bundle,
    addresses: (String, String),
    /// From when on a new IPv4 address is shown.
    shown_at: Timestamp,
}

impl Instance {
    pub(crate) fn apply_address_change(&mut self, change: AddressChange) {
        let (public, ipv6) = change.addresses;
        self.ip_type = change.ip_type;
        self.bundle = change.bundle;
        match change.ip_type {
            IpAddressType::Ipv4 => self.ipv6 = None,
            IpAddressType::Ipv6 => self.public_ip = None,
            IpAddressType::Dualstack => {}
        }
        if change.ip_type != IpAddressType::Ipv4 {
            self.ipv6.get_or_insert(ipv6);
        }
        let up = matches!(self.state, InstanceState::Running | InstanceState::Pending);
        if change.ip_type != IpAddressType::Ipv6 && up {
            self.public_ip.get_or_insert((public, change.shown_at));
        }
        for port in &mut self.ports {
            *port = Port::clone(port).fitted(change.ip_type);
        }
    }
}

/// SetIpAddressType: to and from IPv6-only swaps the bundle, which the caller must accept.
pub(crate) fn set_type(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    if call.text("resourceType") != "Instance" {
        return Err(invalid(format!("The resource type is not supported: {}", call.text("resourceType"))));
    }
    let name = call.text("resourceName");
    let pace = place.laws.pace;
    let wanted = IpAddressType::read(call.text("ipAddressType"));
    let instance = place.instance_to_change(name, call.now)?;
    let (zone, bundle, ip_type) = (instance.zone.clone(), instance.bundle.clone(), instance.ip_type);
    let swaps = (wanted == IpAddressType::Ipv6) != bundle.ipv6;
    if swaps && !call.flag("acceptBundleUpdate") {
        return Err(invalid(format!(
            "Changing the IP address type of {name} to {} changes its bundle. Specify acceptBundleUpdate to accept it.",
            wanted.as_str()
        )));
    }
    let bundle = if swaps {
        place.counterpart(&bundle, wanted == IpAddressType::Ipv6).ok_or_else(|| {
            invalid(format!("There is no bundle for the IP address type {}: {}", wanted.as_str(), bundle.id))
        })?
    } else {
        bundle
    };
    if wanted == IpAddressType::Ipv6 && place.lightsail.static_ips.values().any(|ip| ip.is_attached_to(name)) {
        return Err(invalid(format!("Detach the static IP from {name} before making it IPv6-only.")));
    }
    if call.fails_later.is_none() && wanted != ip_type {
        let drawn = Addresses::draw(&mut place.rng);
        let at = later(call.now, pace.small_change);
        let change = AddressChange {
            at,
            ip_type: wanted,
            bundle,
            addresses: (drawn.public, drawn.ipv6),
            shown_at: later(at, pace.address_lag),
        };
        place.instance_to_change(name, call.now)?.address_change = Some(change);
    }
    let deed = Deed {
        kind: "SetIpAddressType",
        name: name.to_owned(),
        resource: "Instance",
        zone,
        details: Some(wanted.as_str().to_owned()),
        takes: pace.small_change,
    };
    Ok(operations(vec![place.note(call, deed)]))
}
