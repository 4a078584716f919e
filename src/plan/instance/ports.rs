//! Firewall rules in one form, whichever way a person or AWS writes them: only so can two sets be compared.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::collections::BTreeSet;
use std::fmt;

use crate::api::instance::{IpAddressType, Protocol, PublicPort};

/// Everybody, by IPv4.
const ALL_IPV4: &str = "0.0.0.0/0";
/// Everybody, by IPv6.
const ALL_IPV6: &str = "::/0";

/// A rule in its one form. Which of its addresses count is [`same`]'s to say: that depends on who wrote it, and for what
/// instance.
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
        Self {
            protocol,
            from,
            to,
            cidrs: cidrs.into_iter().map(|text| ipv4(&text)).collect(),
            ipv6_cidrs: ipv6_cidrs.into_iter().map(|text| ipv6(&text)).collect(),
            aliases: aliases.into_iter().map(|text| text.to_lowercase()).collect(),
        }
    }

    /// Whether it names anybody. One that does not is open to everybody.
    fn names_anybody(&self) -> bool {
        !self.cidrs.is_empty() || !self.ipv6_cidrs.is_empty() || !self.aliases.is_empty()
    }

    /// Whether this rule of a spec is that rule of AWS.
    fn is(&self, seen: &Self, addresses: Option<IpAddressType>) -> bool {
        let (ipv4, ipv6) = families(&self.protocol, addresses);
        let ports = |rule: &Self| (rule.protocol.clone(), rule.from, rule.to);
        if ports(self) != ports(seen) || self.aliases != seen.aliases {
            return false;
        }
        let only = |set: &BTreeSet<String>, all: &str| set.len() == 1 && set.contains(all);
        let (open_ipv4, open_ipv6) = match seen.names_anybody() {
            true => (only(&seen.cidrs, ALL_IPV4), only(&seen.ipv6_cidrs, ALL_IPV6)),
            false => (true, true),
        };
        match self.names_anybody() {
            // AWS writes everybody as no address at all or as `0.0.0.0/0`, with or without `::/0`.
            false => match ipv4 {
                true => open_ipv4 && (!ipv6 || open_ipv6 || seen.ipv6_cidrs.is_empty()),
                false => !ipv6 || open_ipv6 || open_ipv4 && seen.ipv6_cidrs.is_empty(),
            },
            // Nobody by a family is not everybody by it: each counts by itself.
            true => {
                let family =
                    |wanted: &BTreeSet<String>, seen_set: &BTreeSet<String>, all: &str| match seen.names_anybody() {
                        true => wanted == seen_set,
                        false => only(wanted, all),
                    };
                (!ipv4 || family(&self.cidrs, &seen.cidrs, ALL_IPV4))
                    && (!ipv6 || family(&self.ipv6_cidrs, &seen.ipv6_cidrs, ALL_IPV6))
            }
        }
    }
}

/// Whether AWS has these rules of a spec, no other, and none wider: on an instance with such addresses.
pub fn same(wanted: &BTreeSet<PortRule>, seen: &BTreeSet<PortRule>, addresses: Option<IpAddressType>) -> bool {
    wanted.iter().all(|rule| seen.iter().any(|there| rule.is(there, addresses)))
        && seen.iter().all(|there| wanted.iter().any(|rule| rule.is(there, addresses)))
}

/// Whether addresses of IPv4 and of IPv6 count for a protocol on an instance that has these.
fn families(protocol: &str, addresses: Option<IpAddressType>) -> (bool, bool) {
    let (ipv4, ipv6) = match addresses {
        Some(IpAddressType::Ipv4) => (true, false),
        Some(IpAddressType::Ipv6) => (false, true),
        Some(IpAddressType::Dualstack) | None => (true, true),
    };
    (ipv4 && protocol != Protocol::Icmpv6.as_str(), ipv6 && protocol != Protocol::Icmp.as_str())
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

    fn is(wanted: &PortRule, seen: &PortRule, addresses: IpAddressType) -> bool {
        same(&[wanted.clone()].into(), &[seen.clone()].into(), Some(addresses))
    }

    const ALL: [IpAddressType; 3] = [IpAddressType::Dualstack, IpAddressType::Ipv4, IpAddressType::Ipv6];

    /// On which instances AWS's rule counts as the spec's: dualstack, IPv4, IPv6.
    fn on(wanted: &PortRule, seen: &PortRule) -> [bool; 3] {
        ALL.map(|addresses| is(wanted, seen, addresses))
    }

    #[test]
    fn a_rule_that_names_nobody_is_what_aws_makes_of_it() {
        let tcp = |cidrs: &[&str], ipv6: &[&str]| rule("tcp", (22, 22), cidrs, ipv6, &[]);
        let nobody_named = tcp(&[], &[]);
        for (seen, expected) in [
            (rule("TCP", (22, 22), &[], &[], &[]), [true; 3]),
            (tcp(&["0.0.0.0/0"], &[]), [true; 3]),
            (tcp(&["0.0.0.0/0"], &["::/0"]), [true; 3]),
            // By IPv4 it lets nobody in.
            (tcp(&[], &["0::0/0"]), [false, false, true]),
            (tcp(&["0.0.0.0/0"], &["2001:db8::/32"]), [false, true, false]),
            (tcp(&["10.0.0.0/8"], &["::/0"]), [false, false, true]),
            (tcp(&["10.0.0.0/8"], &[]), [false; 3]),
            (rule("tcp", (22, 22), &["0.0.0.0/0"], &[], &["lightsail-connect"]), [false; 3]),
        ] {
            assert_eq!(on(&nobody_named, &seen), expected, "{seen}");
        }
    }

    #[test]
    fn what_aws_has_open_wider_than_the_spec_is_another_rule() {
        let tcp = |cidrs: &[&str], ipv6: &[&str]| rule("tcp", (22, 22), cidrs, ipv6, &[]);
        for (wanted, seen, expected) in [
            // The spec wants IPv6 alone.
            (tcp(&[], &["::/0"]), tcp(&["0.0.0.0/0"], &["::/0"]), [false, false, true]),
            (tcp(&[], &["::/0"]), tcp(&[], &[]), [false, false, true]),
            (tcp(&[], &["::/0"]), tcp(&[], &["::/0"]), [true; 3]),
            // The spec wants IPv4 alone.
            (tcp(&["0.0.0.0/0"], &[]), tcp(&["0.0.0.0/0"], &["::/0"]), [false, true, false]),
            (tcp(&["0.0.0.0/0"], &[]), tcp(&[], &[]), [false, true, false]),
            (tcp(&["0.0.0.0/0"], &[]), tcp(&["0.0.0.0/0"], &[]), [true; 3]),
            (tcp(&["10.0.0.0/8"], &[]), tcp(&["10.0.0.0/8"], &["::/0"]), [false, true, false]),
            (tcp(&["0.0.0.0/0"], &["::/0"]), tcp(&[], &[]), [true; 3]),
        ] {
            assert_eq!(on(&wanted, &seen), expected, "{wanted}: {seen}");
        }
    }

    #[test]
    fn icmp_has_one_family() {
        let icmp = |cidrs: &[&str], ipv6: &[&str]| rule("icmp", (8, 0), cidrs, ipv6, &[]);
        let icmpv6 = |cidrs: &[&str], ipv6: &[&str]| rule("icmpv6", (128, 0), cidrs, ipv6, &[]);
        let dual = IpAddressType::Dualstack;
        assert!(is(&icmp(&["0.0.0.0/0"], &[]), &icmp(&["0.0.0.0/0"], &["::/0"]), dual));
        assert!(is(&icmpv6(&[], &["::/0"]), &icmpv6(&["0.0.0.0/0"], &["::/0"]), dual));
        assert!(is(&icmpv6(&[], &[]), &icmpv6(&[], &["::/0"]), dual));
        assert!(!is(&icmp(&["10.0.0.0/8"], &[]), &icmp(&["0.0.0.0/0"], &[]), dual));
        assert!(!is(&icmpv6(&[], &["2001:db8::/32"]), &icmpv6(&[], &["::/0"]), dual));
    }

    #[test]
    fn no_rule_is_missing_and_none_is_too_many() {
        let [a, b] = [22, 80].map(|port| rule("tcp", (port, port), &[], &[], &[]));
        let narrow = rule("tcp", (22, 22), &["10.0.0.0/8"], &[], &[]);
        let set = |rules: &[&PortRule]| rules.iter().map(|rule| (*rule).clone()).collect::<BTreeSet<_>>();
        let dual = Some(IpAddressType::Dualstack);
        assert!(same(&set(&[&a, &b]), &set(&[&b, &a]), dual) && same(&set(&[]), &set(&[]), None));
        for (wanted, seen) in
            [(set(&[&a, &b]), set(&[&a])), (set(&[&a]), set(&[&a, &b])), (set(&[&a]), set(&[&a, &narrow]))]
        {
            assert!(!same(&wanted, &seen, dual));
        }
    }

    #[test]
    fn what_means_the_same_is_the_same() {
        assert_eq!(rule("TCP", (22, 22), &[], &[], &[]), rule("tcp", (22, 22), &[], &[], &[]));
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
