//! Firewall rules in one form, whichever way a person or AWS writes them: only so can two sets be compared.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::collections::BTreeSet;
use std::fmt;

use crate::api::instance::{IpAddressType, Protocol, PublicPort};

/// Everybody, by IPv4.
const ALL_IPV4: &str = "0.0.0.0/0";
/// Everybody, by IPv6.
const ALL_IPV6: &str = "::/0";

/// A rule in its one form. Open to everybody is written as no address at all: AWS writes that, `0.0.0.0/0`, and with or
/// without `::/0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortRule {
    /// The protocol in lower case; AWS has been seen to take and give `TCP`.
    pub protocol: String,
    /// The first port.
    pub from: i32,
    /// The last port.
    pub to: i32,
    /// Who may come by IPv4.
    pub cidrs: BTreeSet<String>,
    /// Who may come by IPv6.
    pub ipv6_cidrs: BTreeSet<String>,
    /// AWS's lists of who may come.
    pub aliases: BTreeSet<String>,
}

impl PortRule {
    /// A rule of anybody's words in its one form.
    pub fn new(
        protocol: &str,
        (from, to): (i32, i32),
        cidrs: impl IntoIterator<Item = String>,
        ipv6_cidrs: impl IntoIterator<Item = String>,
        aliases: impl IntoIterator<Item = String>,
    ) -> Self {
        let protocol = protocol.to_lowercase();
        // The API model's words speak of `icmp6`, its list of values of `icmpv6`.
        let protocol = if protocol == "icmp6" { Protocol::Icmpv6.as_str().to_owned() } else { protocol };
        let (from, to) = if protocol == Protocol::All.as_str() { (0, 65_535) } else { (from, to) };
        let mut rule = Self {
            protocol,
            from,
            to,
            cidrs: cidrs.into_iter().map(|text| ipv4(&text)).collect(),
            ipv6_cidrs: ipv6_cidrs.into_iter().map(|text| ipv6(&text)).collect(),
            aliases: aliases.into_iter().map(|text| text.to_lowercase()).collect(),
        };
        let everybody = |cidrs: &BTreeSet<String>, all: &str| cidrs.iter().all(|cidr| cidr == all);
        if rule.aliases.is_empty() && everybody(&rule.cidrs, ALL_IPV4) && everybody(&rule.ipv6_cidrs, ALL_IPV6) {
            rule.cidrs.clear();
            rule.ipv6_cidrs.clear();
        }
        rule
    }
}

impl From<&PublicPort> for PortRule {
    fn from(port: &PublicPort) -> Self {
        Self::new(
            port.protocol.as_str(),
            (port.from_port, port.to_port),
            port.cidrs.iter().cloned(),
            port.ipv6_cidrs.iter().cloned(),
            port.cidr_list_aliases.iter().cloned(),
        )
    }
}

impl fmt::Display for PortRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from == self.to {
            true => write!(f, "{}/{}", self.from, self.protocol)?,
            false => write!(f, "{}-{}/{}", self.from, self.to, self.protocol)?,
        }
        let from: Vec<&str> =
            self.cidrs.iter().chain(&self.ipv6_cidrs).chain(&self.aliases).map(String::as_str).collect();
        if from.is_empty() { Ok(()) } else { write!(f, " from {}", from.join(" ")) }
    }
}

/// The rules as far as the instance has addresses for them. One that lets nobody in by the addresses that it has is left out:
/// AWS keeps no ranges of the other family, and without any a rule is open to everybody.
pub fn fitted(ports: &[PublicPort], addresses: Option<IpAddressType>) -> Vec<PublicPort> {
    let one_family = |port: &PublicPort| {
        let mut port = port.clone();
        let other = match addresses {
            Some(IpAddressType::Ipv4) => std::mem::take(&mut port.ipv6_cidrs),
            Some(IpAddressType::Ipv6) => std::mem::take(&mut port.cidrs),
            Some(IpAddressType::Dualstack) | None => BTreeSet::new(),
        };
        let named = !port.cidrs.is_empty() || !port.ipv6_cidrs.is_empty() || !port.cidr_list_aliases.is_empty();
        (other.is_empty() || named).then_some(port)
    };
    ports.iter().filter_map(one_family).collect()
}

/// A set of rules in words.
pub fn words(rules: &BTreeSet<PortRule>) -> String {
    rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// `192.0.2.44` and `192.0.2.44/32` are the same, and so are two ranges that differ only in what the mask hides.
fn ipv4(text: &str) -> String {
    let (address, mask) = text.split_once('/').unwrap_or((text, "32"));
    match (address.parse::<Ipv4Addr>(), mask.parse::<u32>()) {
        (Ok(address), Ok(mask @ 0..=32)) => {
            let kept = u32::MAX.checked_shl(32 - mask).unwrap_or(0);
            format!("{}/{mask}", Ipv4Addr::from_bits(address.to_bits() & kept))
        }
        (_, _) => text.to_lowercase(),
    }
}

/// An IPv6 address has many forms.
fn ipv6(text: &str) -> String {
    let (address, mask) = text.split_once('/').unwrap_or((text, "128"));
    match (address.parse::<Ipv6Addr>(), mask.parse::<u32>()) {
        (Ok(address), Ok(mask @ 0..=128)) => {
            let kept = u128::MAX.checked_shl(128 - mask).unwrap_or(0);
            format!("{}/{mask}", Ipv6Addr::from_bits(address.to_bits() & kept))
        }
        (_, _) => text.to_lowercase(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rule(protocol: &str, ports: (i32, i32), cidrs: &[&str], ipv6: &[&str], aliases: &[&str]) -> PortRule {
        let texts = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        PortRule::new(protocol, ports, texts(cidrs), texts(ipv6), texts(aliases))
    }

    #[test]
    fn what_means_the_same_is_the_same() {
        let everybody = rule("tcp", (22, 22), &[], &[], &[]);
        for same in [
            rule("TCP", (22, 22), &[], &[], &[]),
            rule("tcp", (22, 22), &["0.0.0.0/0"], &[], &[]),
            rule("tcp", (22, 22), &["0.0.0.0/0"], &["::/0"], &[]),
            rule("tcp", (22, 22), &[], &["0::0/0"], &[]),
        ] {
            assert_eq!(same, everybody);
        }
        assert_eq!(rule("all", (0, 0), &[], &[], &[]), rule("all", (0, 65_535), &[], &[], &[]));
        assert_eq!(rule("icmp6", (128, 0), &[], &[], &[]), rule("icmpv6", (128, 0), &[], &[], &[]));
        assert_eq!(
            rule("tcp", (22, 22), &["192.0.2.44"], &["2001:DB8:0::1"], &[]),
            rule("tcp", (22, 22), &["192.0.2.44/32"], &["2001:db8::1/128"], &[])
        );
        assert_eq!(
            rule("udp", (53, 53), &["10.1.2.3/8"], &["2001:db8:1::/32"], &[]),
            rule("udp", (53, 53), &["10.0.0.0/8"], &["2001:db8::/32"], &[])
        );
    }

    #[test]
    fn what_lets_others_in_is_not_the_same() {
        let everybody = rule("tcp", (22, 22), &[], &[], &[]);
        for other in [
            rule("udp", (22, 22), &[], &[], &[]),
            rule("tcp", (22, 23), &[], &[], &[]),
            rule("tcp", (22, 22), &["10.0.0.0/8"], &[], &[]),
            rule("tcp", (22, 22), &["10.0.0.0/8"], &["::/0"], &[]),
            rule("tcp", (22, 22), &["0.0.0.0/0", "10.0.0.0/8"], &[], &[]),
            rule("tcp", (22, 22), &[], &[], &["lightsail-connect"]),
        ] {
            assert_ne!(other, everybody);
        }
        // Nobody by IPv6 is not everybody by IPv6.
        assert_ne!(
            rule("tcp", (22, 22), &["10.0.0.0/8"], &[], &[]),
            rule("tcp", (22, 22), &["10.0.0.0/8"], &["::/0"], &[])
        );
    }

    #[test]
    fn a_rule_for_the_other_family_is_closed_and_never_opened_to_everybody() {
        let port = |cidrs: &[&str], ipv6_cidrs: &[&str]| PublicPort {
            protocol: Protocol::Tcp,
            from_port: 22,
            to_port: 22,
            cidrs: cidrs.iter().map(ToString::to_string).collect(),
            ipv6_cidrs: ipv6_cidrs.iter().map(ToString::to_string).collect(),
            cidr_list_aliases: BTreeSet::new(),
        };
        let (open, v4, v6) = (port(&[], &[]), port(&["10.0.0.1"], &[]), port(&[], &["::1"]));
        let both = port(&["10.0.0.1"], &["::1"]);
        let all = [open.clone(), v4.clone(), v6.clone(), both.clone()];
        assert_eq!(fitted(&all, Some(IpAddressType::Dualstack)), all);
        assert_eq!(fitted(&all, None), all);
        assert_eq!(fitted(&all, Some(IpAddressType::Ipv4)), [open.clone(), v4.clone(), v4]);
        assert_eq!(fitted(&all, Some(IpAddressType::Ipv6)), [open, v6.clone(), v6]);
    }

    #[test]
    fn a_rule_is_told_in_a_few_words() {
        assert_eq!(rule("tcp", (22, 22), &[], &[], &[]).to_string(), "22/tcp");
        assert_eq!(
            rule("tcp", (80, 90), &["10.0.0.0/8"], &[], &["lightsail-connect"]).to_string(),
            "80-90/tcp from 10.0.0.0/8 lightsail-connect"
        );
    }
}
