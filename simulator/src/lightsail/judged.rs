//! What the rules of [`crate::violations`] need to know of Lightsail's requests.

use std::time::Duration;

use super::instance::InstanceState;
use super::tags::{self, Tags};
use crate::call::Call;
use crate::clock::later;
use crate::place::Place;
use crate::violations::Rule;

/// Whether the operation makes something that must carry ownership tags. Static IPs cannot.
pub(crate) fn creates(operation: &str) -> bool {
    operation == "CreateInstances"
}

/// The tags in the request.
pub(crate) fn sent_tags(call: &Call<'_>) -> Tags {
    tags::sent(call.input)
}

/// The tags that decide whose a write's target is. A static IP belongs to the instance that has it; one without an
/// instance is nobody's.
pub(crate) fn target_tags(place: &Place, call: &Call<'_>) -> Option<Tags> {
    let all = &place.lightsail;
    let instance = |name: &str| all.instances.get(name).map(|one| one.tags.clone());
    match call.operation {
        "StartInstance"
        | "StopInstance"
        | "RebootInstance"
        | "DeleteInstance"
        | "PutInstancePublicPorts"
        | "OpenInstancePublicPorts"
        | "CloseInstancePublicPorts"
        | "UpdateInstanceMetadataOptions"
        | "AttachStaticIp" => instance(call.text("instanceName")),
        "EnableAddOn" | "DisableAddOn" | "SetIpAddressType" | "TagResource" | "UntagResource" => {
            instance(call.text("resourceName"))
        }
        "DetachStaticIp" | "ReleaseStaticIp" => {
            let ip = all.static_ips.get(call.text("staticIpName"))?;
            instance(ip.attached_to.as_deref()?)
        }
        _ => None,
    }
}

/// A start or stop that is useless or against a transition. A state that is younger than the lag can not be known.
pub(crate) fn power(place: &Place, call: &Call<'_>, lag: Duration) -> Option<(Rule, String)> {
    let instance = place.lightsail.instances.get(call.text("instanceName"))?;
    if later(instance.state_since, lag) > call.now {
        return None;
    }
    let while_state = format!("while {}", instance.state.as_str());
    let forced = call.flag("force");
    match (call.operation, instance.state) {
        ("StartInstance", InstanceState::Running) | ("StopInstance", InstanceState::Stopped) => {
            Some((Rule::UselessWrite, while_state))
        }
        ("StopInstance", InstanceState::Stopping) if forced => None,
        (
            "StartInstance" | "StopInstance",
            InstanceState::Pending | InstanceState::Stopping | InstanceState::ShuttingDown | InstanceState::Terminated,
        ) => Some((Rule::AgainstTransition, while_state)),
        (_, _) => None,
    }
}
