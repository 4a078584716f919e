//! What a pass shows of an instance: AWS's facts, and whether users can use it.

use std::sync::LazyLock;

use crate::api::Instance;
use crate::api::fleet::DesiredState;
use crate::api::instance::{InstanceStatus, IpAddressType, StaticIpStatus};
use crate::plan::Seen;
use crate::plan::conditions::{Fact, bounded, to_the_second};
use crate::plan::report::{self, Known};

use super::InstanceKind;
use super::state::{InstanceFacts, InstanceState, Power};

type Report<'a> = report::Report<'a, InstanceKind>;

/// What the status shows besides facts and changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// The power state that is wanted; `None` when that cannot be told.
    pub power: Option<DesiredState>,
}

/// The bound of `status.ipv6Addresses`.
const ADDRESSES: usize = 16;

/// The status.
pub fn status(report: Report<'_>) -> InstanceStatus {
    let (now, object) = (report.input.now, report.input.object);
    let earlier = earlier(object);
    let available = available(&report);
    let state = match report.input.seen {
        Seen::Found(state) => Some(state),
        Seen::NotLooked | Seen::NotAllowed(_) | Seen::Unknown => None,
    };
    let mut status = InstanceStatus {
        observed_generation: report::generation(object),
        last_handled_reconcile_at: earlier.last_handled_reconcile_at.clone(),
        conditions: report.conditions(available),
        arn: report.arn,
        pending_changes: report.changes,
        internal: report.stamps,
        ..facts(&report.known, state, earlier)
    };
    if status.state.is_some() && status.state != earlier.state {
        status.internal.state_since = Some(to_the_second(now));
    }
    status
}

/// The status as the object has it.
pub fn earlier(object: &Instance) -> &InstanceStatus {
    static NONE: LazyLock<InstanceStatus> = LazyLock::new(InstanceStatus::default);
    object.status.as_ref().unwrap_or_else(|| &NONE)
}

fn facts(known: &Known<'_, InstanceFacts>, state: Option<&InstanceState>, earlier: &InstanceStatus) -> InstanceStatus {
    match known {
        Known::Nothing => earlier.clone(),
        // When ours was created tells it from another that comes under its name.
        Known::Absent | Known::Foreign => {
            InstanceStatus { created_time: earlier.created_time, ..InstanceStatus::default() }
        }
        Known::There(facts) => there(facts, state, earlier),
    }
}

fn there(facts: &InstanceFacts, state: Option<&InstanceState>, earlier: &InstanceStatus) -> InstanceStatus {
    let short = |text: &Option<String>, max| text.as_deref().map(|text| bounded(text, max));
    let catalogue = state.and_then(|state| state.catalogue.as_deref());
    let platform = match (catalogue, &facts.blueprint_id) {
        (Some(catalogue), Some(blueprint)) => catalogue.platform(blueprint).map(|word| bounded(word, 64)),
        (Some(_) | None, _) => earlier.platform.clone().filter(|_| earlier.blueprint_id == facts.blueprint_id),
    };
    let monthly_price = match (catalogue, &facts.bundle_id) {
        (Some(catalogue), Some(bundle)) => catalogue.price(bundle),
        (Some(_) | None, _) => earlier.monthly_price.clone().filter(|_| earlier.bundle_id == facts.bundle_id),
    };
    InstanceStatus {
        name: Some(bounded(facts.name.as_str(), 256)),
        state: Some(bounded(facts.power.as_str(), 64)),
        address: short(&address(facts).map(str::to_owned), 64),
        public_ip_address: short(&facts.public_ip, 64),
        private_ip_address: short(&facts.private_ip, 64),
        ipv6_addresses: facts.ipv6.iter().take(ADDRESSES).map(|address| bounded(address, 64)).collect(),
        static_ip: static_ip(facts, state, earlier),
        username: short(&facts.username, 256),
        platform,
        bundle_id: short(&facts.bundle_id, 256),
        blueprint_id: short(&facts.blueprint_id, 256),
        availability_zone: short(&facts.zone, 64),
        monthly_price,
        created_time: facts.created_time,
        ..InstanceStatus::default()
    }
}

/// The static IP that is attached, where the Region's are known.
fn static_ip(facts: &InstanceFacts, state: Option<&InstanceState>, earlier: &InstanceStatus) -> Option<StaticIpStatus> {
    match state.and_then(|state| state.static_ips.as_ref()) {
        Some(known) => {
            let here = known.all.iter().find(|(_, ip)| ip.attached_to.as_deref() == Some(facts.name.as_str()));
            here.map(|(name, ip)| StaticIpStatus {
                name: bounded(name, 256),
                ip_address: ip.address.as_deref().map(|address| bounded(address, 64)),
            })
        }
        None => earlier.static_ip.clone().filter(|_| facts.is_static_ip),
    }
}

/// Where users reach it.
fn address(facts: &InstanceFacts) -> Option<&str> {
    facts.public_ip.as_deref().or_else(|| facts.ipv6.first().map(String::as_str))
}

/// Whether it has the address that people come by: an IPv4 one, unless it is for IPv6 alone.
pub fn has_address(facts: &InstanceFacts) -> bool {
    match facts.ip_address_type {
        Some(IpAddressType::Ipv6) => !facts.ipv6.is_empty(),
        Some(IpAddressType::Dualstack | IpAddressType::Ipv4) => facts.public_ip.is_some(),
        None => address(facts).is_some(),
    }
}

/// Whether the instance is in the power state that is wanted, and users can reach it if that is on.
pub fn usable(power: DesiredState, facts: &InstanceFacts) -> bool {
    match (power, &facts.power) {
        (DesiredState::Running, Power::Running) => has_address(facts),
        (DesiredState::Stopped, Power::Stopped) => true,
        (
            DesiredState::Running,
            Power::Stopped
            | Power::Pending
            | Power::Stopping
            | Power::ShuttingDown
            | Power::Terminated
            | Power::Unrecognised(_),
        )
        | (
            DesiredState::Stopped,
            Power::Running
            | Power::Pending
            | Power::Stopping
            | Power::ShuttingDown
            | Power::Terminated
            | Power::Unrecognised(_),
        ) => false,
    }
}

fn available(report: &Report<'_>) -> Fact {
    let (reason, message) = (report.verdict.reason(), report.verdict.message());
    match (&report.known, report.shown.power) {
        (Known::Nothing, _) => report.available_as_before(),
        (Known::Absent | Known::Foreign, _) => Fact::no(reason, message),
        (Known::There(facts), None) => match usable(DesiredState::Running, facts) {
            true => report.available_as_before(),
            false => Fact::no(reason, message),
        },
        (Known::There(facts), Some(power)) => match (usable(power, facts), power) {
            (true, DesiredState::Running) => Fact::yes("Running", "the instance is running"),
            (true, DesiredState::Stopped) => Fact::yes("Stopped", "the instance is stopped, as wanted"),
            (false, DesiredState::Running) if facts.power == Power::Running => {
                Fact::no("NoAddress", "the instance is running, and AWS has given it no address yet")
            }
            (false, DesiredState::Running | DesiredState::Stopped) => Fact::no(reason, message),
        },
    }
}
