//! Where a spec and AWS differ, and what each difference takes. Only what the user set is compared; what we set and AWS can
//! clear is cleared when it goes from the spec.

use std::collections::BTreeSet;

use crate::api::common::Impact;
use crate::api::instance::{HttpTokens, InstanceSpec, Internal, IpAddressType, MetadataOptions, Toggle};
use crate::plan::reason::{Stall, Verdict, Waiting};

use super::InstanceCall;
use super::catalogue::{Catalogue, Change as BundleChange};
use super::ports::{self, PortRule};
use super::state::{AddOnStatus, InstanceFacts};
use super::wanted::Wanted;

/// The spec path of the ports.
pub const PUBLIC_PORTS: &str = "publicPorts";
/// The spec path of the addresses.
pub const IP_ADDRESS_TYPE: &str = "ipAddressType";
/// The spec path of automatic snapshots.
pub const AUTO_SNAPSHOT: &str = "addOns.autoSnapshot";
/// The spec path of the bundle.
pub const BUNDLE_ID: &str = "bundleId";
/// The spec paths of the metadata options.
pub const METADATA_OPTIONS: [&str; 4] = [
    "metadataOptions.httpTokens",
    "metadataOptions.httpEndpoint",
    "metadataOptions.httpPutResponseHopLimit",
    "metadataOptions.httpProtocolIpv6",
];

/// AWS's word for the platform of Windows blueprints.
pub const WINDOWS: &str = "WINDOWS";
/// Why automatic snapshots are refused there (Lightsail's developer guide).
pub const NO_SNAPSHOTS_OF_WINDOWS: &str =
    "addOns.autoSnapshot: AWS makes no automatic snapshots of Windows instances: leave it out";

/// One difference, and what becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The spec path.
    pub field: &'static str,
    /// What AWS has.
    pub from: String,
    /// What the spec wants.
    pub to: String,
    /// What carrying it out takes.
    pub what: Deed,
}

/// What carrying a difference out takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// This write.
    Send(InstanceCall),
    /// A restart with this bundle.
    Restart(String),
    /// AWS, or somebody else, is at it.
    Wait(Waiting, String),
    /// It cannot be done.
    Refused(Stall, String),
}

impl Deed {
    /// What carrying it out takes, for the status.
    pub fn impact(&self) -> Impact {
        match self {
            Self::Send(_) | Self::Wait(..) => Impact::None,
            Self::Restart(_) => Impact::Restart,
            Self::Refused(..) => Impact::Refused,
        }
    }

    /// What the object is called where nothing else is left to do.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Send(_) | Self::Restart(_) => None,
            Self::Wait(why, text) => Some(Verdict::Working(*why, text.clone())),
            Self::Refused(why, text) => Some(Verdict::Stalled(*why, text.clone())),
        }
    }
}

/// Why what is there can never be what the spec wants, if so.
pub fn immutable(wanted: &Wanted<'_>, facts: &InstanceFacts) -> Option<String> {
    let spec = wanted.spec();
    let key_pair = spec.key_pair_name.as_deref().map(|name| ("keyPairName", name, facts.key_pair_name.as_deref()));
    let all = [
        Some(("availabilityZone", spec.availability_zone.as_str(), facts.zone.as_deref())),
        Some(("blueprintId", spec.blueprint_id.as_str(), facts.blueprint_id.as_deref())),
        key_pair,
    ];
    let differ = |(field, wanted, seen): (&str, &str, Option<&str>)| {
        let seen = seen?;
        (seen != wanted).then(|| format!("{field} is {seen} in AWS and {wanted} in the spec, and AWS cannot change it"))
    };
    let texts: Vec<String> = all.into_iter().flatten().filter_map(differ).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// The addresses.
pub fn addresses(spec: &InstanceSpec, facts: &InstanceFacts) -> Option<Difference> {
    let (to, from) = (spec.ip_address_type?, facts.ip_address_type?);
    (to != from).then(|| {
        let accept_bundle_update = [to, from].contains(&IpAddressType::Ipv6);
        let call = InstanceCall::SetIpAddressType { name: facts.name.clone(), to, accept_bundle_update };
        difference(IP_ADDRESS_TYPE, from.as_str(), to.as_str(), Deed::Send(call))
    })
}

/// The firewall, as one set.
pub fn public_ports(spec: &InstanceSpec, facts: &InstanceFacts) -> Option<Difference> {
    let (wanted, seen) = (spec.public_ports.as_ref()?, facts.ports.as_ref()?);
    let ports = ports::fitted(wanted, facts.ip_address_type);
    let rules: BTreeSet<PortRule> = ports.iter().map(PortRule::from).collect();
    (rules != *seen).then(|| {
        let call = InstanceCall::PutPorts { name: facts.name.clone(), ports };
        difference(PUBLIC_PORTS, &ports::words(seen), &ports::words(&rules), Deed::Send(call))
    })
}

/// The metadata service: each option that differs, all of them set by one write that carries every option.
pub fn metadata_options(spec: &InstanceSpec, facts: &InstanceFacts) -> Vec<Difference> {
    let Some(wanted) = &spec.metadata_options else { return Vec::new() };
    let (seen, pending) =
        facts.metadata.as_ref().map_or_else(Default::default, |found| (found.options.clone(), found.pending));
    let options = MetadataOptions {
        // AWS takes a missing one for optional.
        http_tokens: wanted.http_tokens.or(seen.http_tokens),
        http_endpoint: wanted.http_endpoint.or(seen.http_endpoint),
        http_put_response_hop_limit: wanted.http_put_response_hop_limit.or(seen.http_put_response_hop_limit),
        // Most Regions do not know it: only sent where the user asked for it.
        http_protocol_ipv6: wanted.http_protocol_ipv6,
    };
    let what = match pending {
        true => Deed::Wait(Waiting::Updating, "AWS is changing the metadata options".into()),
        false => Deed::Send(InstanceCall::UpdateMetadataOptions { name: facts.name.clone(), options }),
    };
    let [tokens_path, endpoint_path, hops_path, ipv6_path] = METADATA_OPTIONS;
    [
        (tokens_path, seen.http_tokens.map(tokens), wanted.http_tokens.map(tokens)),
        (endpoint_path, seen.http_endpoint.map(toggle), wanted.http_endpoint.map(toggle)),
        (
            hops_path,
            seen.http_put_response_hop_limit.map(|hops| hops.to_string()),
            wanted.http_put_response_hop_limit.map(|hops| hops.to_string()),
        ),
        (ipv6_path, seen.http_protocol_ipv6.map(toggle), wanted.http_protocol_ipv6.map(toggle)),
    ]
    .into_iter()
    .filter_map(|(field, from, to)| {
        let to = to?;
        let from = from.unwrap_or_default();
        (from != to).then(|| difference(field, &from, &to, what.clone()))
    })
    .collect()
}

/// Automatic snapshots: on when the spec says so, at its hour; off when we turned them on and it no longer does.
pub fn auto_snapshot(
    spec: &InstanceSpec,
    facts: &InstanceFacts,
    internal: &Internal,
    platform: Option<&str>,
) -> Option<Difference> {
    let wanted = spec.add_ons.as_ref().and_then(|add_ons| add_ons.auto_snapshot.as_ref());
    let status = facts.auto_snapshot.as_ref().map(|seen| &seen.status);
    let seen_time = facts.auto_snapshot.as_ref().and_then(|seen| seen.time.clone()).unwrap_or_default();
    let name = || facts.name.clone();
    let at = |text: &str| Deed::Wait(Waiting::Updating, format!("AWS reports automatic snapshots as {text}"));
    match (wanted, status) {
        (Some(wanted), _) if platform == Some(WINDOWS) => {
            let to = wanted.snapshot_time_of_day.as_deref().unwrap_or("enabled");
            let what = Deed::Refused(Stall::InvalidSpec, NO_SNAPSHOTS_OF_WINDOWS.into());
            Some(difference(AUTO_SNAPSHOT, "", to, what))
        }
        (Some(wanted), None | Some(AddOnStatus::Disabled | AddOnStatus::Failed)) => {
            let time = wanted.snapshot_time_of_day.clone();
            let to = time.clone().unwrap_or_else(|| "enabled".to_owned());
            let call = InstanceCall::EnableAutoSnapshot { name: name(), time };
            let from = status.map(AddOnStatus::as_str).unwrap_or_default();
            Some(difference(AUTO_SNAPSHOT, from, &to, Deed::Send(call)))
        }
        // AWS takes no other hour for what is enabled.
        (Some(wanted), Some(AddOnStatus::Enabled)) => {
            let to = wanted.snapshot_time_of_day.as_ref().filter(|time| **time != seen_time)?;
            Some(difference(AUTO_SNAPSHOT, &seen_time, to, Deed::Send(InstanceCall::DisableAutoSnapshot(name()))))
        }
        (None, Some(AddOnStatus::Enabled)) if internal.applied.auto_snapshot => {
            let call = InstanceCall::DisableAutoSnapshot(name());
            Some(difference(AUTO_SNAPSHOT, "enabled", "", Deed::Send(call)))
        }
        (Some(_), Some(status @ (AddOnStatus::Changing(_) | AddOnStatus::Unrecognised(_)))) => {
            let to = wanted.and_then(|w| w.snapshot_time_of_day.as_deref()).unwrap_or("enabled");
            Some(difference(AUTO_SNAPSHOT, status.as_str(), to, at(status.as_str())))
        }
        (None, Some(status @ (AddOnStatus::Changing(_) | AddOnStatus::Unrecognised(_))))
            if internal.applied.auto_snapshot =>
        {
            Some(difference(AUTO_SNAPSHOT, status.as_str(), "", at(status.as_str())))
        }
        (
            None,
            None
            | Some(
                AddOnStatus::Enabled
                | AddOnStatus::Disabled
                | AddOnStatus::Failed
                | AddOnStatus::Changing(_)
                | AddOnStatus::Unrecognised(_),
            ),
        ) => None,
    }
}

/// The bundle: AWS swaps it by itself for its counterpart with other addresses, and takes a newer generation of the same
/// size with a start.
pub fn bundle(spec: &InstanceSpec, facts: &InstanceFacts, catalogue: Option<&Catalogue>) -> Option<Difference> {
    let (to, from) = (spec.bundle_id.as_str(), facts.bundle_id.as_deref()?);
    if to == from {
        return None;
    }
    let readable = catalogue.filter(|catalogue| catalogue.unreadable.is_none());
    let Some(catalogue) = readable else {
        let said = catalogue.and_then(|catalogue| catalogue.unreadable.as_deref()).unwrap_or("it was not read yet");
        let text = format!("bundleId: whether {from} can become {to} is told by AWS's catalogue alone: {said}");
        return Some(difference(BUNDLE_ID, from, to, Deed::Wait(Waiting::DependencyNotReady, text)));
    };
    // The spec's bundle, and those that differ from it in their addresses alone: which of them an instance has follows
    // from `ipAddressType`.
    let counterparts = catalogue.bundles.keys().map(String::as_str);
    let counterparts = counterparts.filter(|id| catalogue.change(to, id) == BundleChange::Counterpart);
    let targets: Vec<&str> = std::iter::once(to).chain(counterparts).collect();
    if targets.contains(&from) {
        return None;
    }
    let newer = targets.iter().find(|target| catalogue.change(from, target) == BundleChange::Generation);
    Some(match newer {
        Some(target) => difference(BUNDLE_ID, from, target, Deed::Restart((*target).to_owned())),
        None => {
            let possible = match catalogue.newer(from).as_slice() {
                [] => "there is none of it".to_owned(),
                newer => newer.join(", "),
            };
            let text = format!(
                "bundleId: AWS changes an instance only to a newer generation of its size ({possible}), not from {from} to {to}: set bundleId back to {from}, or create an Instance object with another name and bundle {to}"
            );
            difference(BUNDLE_ID, from, to, Deed::Refused(Stall::ImmutableDiffers, text))
        }
    })
}

fn difference(field: &'static str, from: &str, to: &str, what: Deed) -> Difference {
    Difference { field, from: from.to_owned(), to: to.to_owned(), what }
}

fn tokens(tokens: HttpTokens) -> String {
    match tokens {
        HttpTokens::Optional => "optional".to_owned(),
        HttpTokens::Required => "required".to_owned(),
    }
}

fn toggle(toggle: Toggle) -> String {
    match toggle {
        Toggle::Disabled => "disabled".to_owned(),
        Toggle::Enabled => "enabled".to_owned(),
    }
}
