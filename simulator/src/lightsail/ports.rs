//! The firewall of an instance. Put replaces the whole set, Open adds to it, Close takes from it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::instance::IpAddressType;
use super::invalid;
use super::operation::Deed;
use crate::call::Call;
use crate::place::Place;
use crate::wire::{Refusal, Value, map};

const EVERYBODY: &str = "0.0.0.0/0";
const EVERYBODY_IPV6: &str = "::/0";
/// The browser client's alias, the only one there is.
const CONNECT: &str = "lightsail-connect";

/// Rules and addresses of one firewall (developer guide: about 60).
const LIMIT: usize = 60;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// First port; for icmp and icmpv6 the type.
    pub from_port: i64,
    /// Last port; for icmp and icmpv6 the code.
    pub to_port: i64,
    /// `tcp`, `udp`, `all`, `icmp` or `icmpv6`.
    pub protocol: String,
    /// IPv4 ranges.
    #[serde(default)]
    pub cidrs: Vec<String>,
    /// IPv6 ranges.
    #[serde(default)]
    pub ipv6_cidrs: Vec<String>,
    /// `lightsail-connect`.
    #[serde(default)]
    pub cidr_list_aliases: Vec<String>,
}

impl Port {
    /// A rule of a new instance: for everybody, with the browser client on the ports that it uses.
    pub(crate) fn default_rule(port: i64, ip_type: IpAddressType) -> Self {
        let aliases = if matches!(port, 22 | 3389) { vec![CONNECT.to_owned()] } else { Vec::new() };
        let rule = Self {
            from_port: port,
            to_port: port,
            protocol: "tcp".to_owned(),
            cidrs: vec![EVERYBODY.to_owned()],
            ipv6_cidrs: vec![EVERYBODY_IPV6.to_owned()],
            cidr_list_aliases: aliases,
        };
        rule.fitted(ip_type)
    }

    /// Without the ranges of a family that the instance does not have.
    pub(crate) fn fitted(mut self, ip_type: IpAddressType) -> Self {
        match ip_type {
            IpAddressType::Dualstack => {}
            IpAddressType::Ipv4 => self.ipv6_cidrs.clear(),
            IpAddressType::Ipv6 => self.cidrs.clear(),
        }
        self
    }

    fn key(&self) -> (i64, i64, &str) {
        (self.from_port, self.to_port, &self.protocol)
    }

    /// The InstancePortInfo of an Instance.
    pub(crate) fn spell_info(&self) -> Value {
        let open = self.cidrs.iter().any(|one| one == EVERYBODY);
        let mut spelled = map([
            ("fromPort", self.from_port.into()),
            ("toPort", self.to_port.into()),
            ("protocol", self.protocol.as_str().into()),
            ("accessFrom", if open { "Anywhere (0.0.0.0/0)" } else { "Custom" }.into()),
            // Lower-case in spite of the model's enum.
            ("accessType", "public".into()),
            ("commonName", "".into()),
            ("accessDirection", "inbound".into()),
        ]);
        self.spell_ranges(&mut spelled);
        spelled
    }

    fn spell_state(&self) -> Value {
        let mut spelled = map([
            ("fromPort", self.from_port.into()),
            ("toPort", self.to_port.into()),
            ("protocol", self.protocol.as_str().into()),
            ("state", "open".into()),
        ]);
        self.spell_ranges(&mut spelled);
        spelled
    }

    fn spell_ranges(&self, spelled: &mut Value) {
        spelled.set("cidrs", self.cidrs.clone());
        spelled.set("ipv6Cidrs", self.ipv6_cidrs.clone());
        spelled.set("cidrListAliases", self.cidr_list_aliases.clone());
    }
}

/// A PortInfo as it was sent, with what AWS fills in: without any range or alias it is for everybody.
fn read(info: &Json, ip_type: IpAddressType) -> Result<Port, Refusal> {
    let texts = |member: &str| -> Vec<String> {
        info[member].as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
    };
    let protocol = info["protocol"].as_str().unwrap_or_default().to_lowercase();
    let (mut from, mut to) = (info["fromPort"].as_i64(), info["toPort"].as_i64());
    let (low, high) = match protocol.as_str() {
        "tcp" | "udp" => (0, 65_535),
        "all" => {
            from = Some(0);
            to = Some(65_535);
            (0, 65_535)
        }
        "icmp" | "icmpv6" => (-1, 255),
        other => return Err(invalid(format!("The protocol is not valid: {other}"))),
    };
    let (Some(from), Some(to)) = (from, to) else {
        return Err(invalid("fromPort and toPort must be given."));
    };
    let ordered = protocol.starts_with("icmp") || from <= to;
    if !(low..=high).contains(&from) || !(low..=high).contains(&to) || !ordered {
        return Err(invalid(format!("The port range is not valid for {protocol}: {from}-{to}")));
    }
    let (mut cidrs, mut ipv6_cidrs, aliases) = (texts("cidrs"), texts("ipv6Cidrs"), texts("cidrListAliases"));
    for cidr in &cidrs {
        check_cidr::<Ipv4Addr>(cidr, 32)?;
    }
    for cidr in &ipv6_cidrs {
        check_cidr::<Ipv6Addr>(cidr, 128)?;
    }
    if let Some(alias) = aliases.iter().find(|alias| *alias != CONNECT) {
        return Err(invalid(format!("The CIDR list alias is not valid: {alias}")));
    }
    if cidrs.is_empty() && ipv6_cidrs.is_empty() && aliases.is_empty() {
        if protocol != "icmpv6" {
            cidrs.push(EVERYBODY.to_owned());
        }
        if protocol != "icmp" {
            ipv6_cidrs.push(EVERYBODY_IPV6.to_owned());
        }
    }
    let port = Port { from_port: from, to_port: to, protocol, cidrs, ipv6_cidrs, cidr_list_aliases: aliases };
    Ok(port.fitted(ip_type))
}

fn check_cidr<A: std::str::FromStr>(cidr: &str, longest: u8) -> Result<(), Refusal> {
    // A bare address is one host.
    let (address, length) = cidr.split_once('/').map_or((cidr, None), |(address, length)| (address, Some(length)));
    let length_fits = length.is_none_or(|length| length.parse::<u8>().is_ok_and(|length| length <= longest));
    match address.parse::<A>() {
        Ok(_) if length_fits => Ok(()),
        Ok(_) | Err(_) => Err(invalid(format!("The CIDR block is not valid: {cidr}"))),
    }
}

/// PutInstancePublicPorts.
pub(crate) fn put(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let infos = call.input["portInfos"].as_array().cloned().unwrap_or_default();
    change(place, call, "PutInstancePublicPorts", &infos, |ports, asked| {
        ports.clear();
        for port in asked {
            join(ports, port);
        }
    })
}

/// OpenInstancePublicPorts.
pub(crate) fn open(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let info = [call.input["portInfo"].clone()];
    change(place, call, "OpenInstancePublicPorts", &info, |ports, asked| {
        for port in asked {
            join(ports, port);
        }
    })
}

/// CloseInstancePublicPorts: the ranges that are named, or the whole rule when none is.
pub(crate) fn close(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let info = call.input["portInfo"].clone();
    let listed = ["cidrs", "ipv6Cidrs", "cidrListAliases"];
    let whole = listed.iter().all(|member| info[*member].as_array().is_none_or(Vec::is_empty));
    change(place, call, "CloseInstancePublicPorts", &[info], |ports, asked| {
        for port in asked {
            for rule in ports.iter_mut().filter(|rule| rule.key() == port.key()) {
                rule.cidrs.retain(|one| !whole && !port.cidrs.contains(one));
                rule.ipv6_cidrs.retain(|one| !whole && !port.ipv6_cidrs.contains(one));
                rule.cidr_list_aliases.retain(|one| !whole && !port.cidr_list_aliases.contains(one));
            }
        }
        ports
            .retain(|rule| !(rule.cidrs.is_empty() && rule.ipv6_cidrs.is_empty() && rule.cidr_list_aliases.is_empty()));
    })
}

/// Adds a rule; the ranges of one with the same ports and protocol are joined.
fn join(ports: &mut Vec<Port>, port: Port) {
    let Some(rule) = ports.iter_mut().find(|rule| rule.key() == port.key()) else {
        ports.push(port);
        return;
    };
    let add = |old: &mut Vec<String>, new: Vec<String>| {
        for one in new {
            if !old.contains(&one) {
                old.push(one);
            }
        }
    };
    add(&mut rule.cidrs, port.cidrs);
    add(&mut rule.ipv6_cidrs, port.ipv6_cidrs);
    add(&mut rule.cidr_list_aliases, port.cidr_list_aliases);
}

fn change(
    place: &mut Place,
    call: &Call<'_>,
    kind: &'static str,
    infos: &[Json],
    edit: impl FnOnce(&mut Vec<Port>, Vec<Port>),
) -> Result<Value, Refusal> {
    let name = call.text("instanceName");
    let instance = place.instance_to_change(name, call.now)?;
    let asked: Vec<Port> = infos.iter().map(|info| read(info, instance.ip_type)).collect::<Result<_, _>>()?;
    let details: Vec<String> = asked.iter().map(spell_short).collect();
    let mut edited = instance.ports.clone();
    edit(&mut edited, asked);
    if edited.iter().map(|port| port.cidrs.len().max(port.ipv6_cidrs.len()).max(1)).sum::<usize>() > LIMIT {
        return Err(invalid(format!("An instance cannot have more than {LIMIT} firewall rules.")));
    }
    if call.fails_later.is_none() {
        instance.ports = edited;
    }
    let deed = Deed {
        kind,
        name: name.to_owned(),
        resource: "Instance",
        zone: instance.zone.clone(),
        details: Some(details.join(",")),
        takes: Duration::ZERO,
    };
    Ok(map([("operation", place.note(call, deed))]))
}

/// `22/tcp`, as operationDetails has it.
fn spell_short(port: &Port) -> String {
    if port.from_port == port.to_port {
        format!("{}/{}", port.from_port, port.protocol)
    } else {
        format!("{}-{}/{}", port.from_port, port.to_port, port.protocol)
    }
}

/// GetInstancePortStates.
pub(crate) fn get_states(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let instance = place.instance(call.text("instanceName"))?;
    Ok(map([("portStates", Value::List(instance.ports.iter().map(Port::spell_state).collect()))]))
}
