//! Letting an instance go: its automatic snapshots by the spec, then its static IP, then the instance.
//!
//! A deletion is explicit: it does not ask `disruption`.

use std::time::Duration;

use crate::api::instance::AutoSnapshotsOnDelete;
use crate::api::{Instance, LightsailName};
use crate::plan::leave::Going;
use crate::plan::life::{self, look};
use crate::plan::looked::Looked;
use crate::plan::reason::Waiting;
use crate::plan::{News, Plan};

use super::report::earlier;
use super::state::{AddOnStatus, InstanceFacts, InstanceLook, Power};
use super::{InstanceCall, InstanceKind, static_ip, wanted};

/// How soon to look again while AWS deletes, starts or stops it.
const AT_IT: Duration = Duration::from_secs(5);

/// Decides for an instance of ours that is to go.
pub fn leave(going: &Going<'_, InstanceKind>) -> Plan<InstanceKind> {
    let (input, state) = (going.input, going.state);
    let (Some(facts), Some(snapshots)) = (&state.instance, &state.auto_snapshots) else {
        return look(input, [InstanceLook::Anew, InstanceLook::AutoSnapshots].into());
    };
    match &facts.power {
        Power::Running | Power::Stopped => {}
        Power::Pending => return going.wait(Waiting::Deleting, "AWS is starting the instance", AT_IT),
        Power::Stopping => return going.wait(Waiting::Deleting, "AWS is stopping the instance", AT_IT),
        Power::ShuttingDown | Power::Terminated => {
            return going.wait(Waiting::Deleting, "AWS is deleting the instance", AT_IT);
        }
        Power::Unrecognised(word) => {
            return going.wait(Waiting::UnknownState, &format!("AWS reports the state {word}"), life::AWHILE);
        }
    }
    let rule = input.object.spec.auto_snapshots_on_delete;
    match (rule, snapshots) {
        // While they are made, which days there are makes no difference.
        (AutoSnapshotsOnDelete::Wait, Looked::Refused(_)) if let Some(text) = kept(facts, &[]) => {
            return going.wait(Waiting::AutoSnapshotsKept, &text, life::AWHILE);
        }
        (AutoSnapshotsOnDelete::Wait, Looked::Refused(refusal)) => {
            return going.held(refusal.verdict(input.now), life::AWHILE);
        }
        (AutoSnapshotsOnDelete::Wait, Looked::Found(days)) => {
            if let Some(text) = kept(facts, days) {
                return going.wait(Waiting::AutoSnapshotsKept, &text, life::AWHILE);
            }
        }
        (AutoSnapshotsOnDelete::Delete, Looked::Found(_) | Looked::Refused(_)) => {}
    }
    if let Some(plan) = static_ip(going, facts.name.as_str()) {
        return plan;
    }
    let force_delete_add_ons = rule == AutoSnapshotsOnDelete::Delete;
    let news = News::done("Deleting", "Delete", format!("deleted instance {}", facts.name));
    let call = InstanceCall::Delete { name: facts.name.clone(), force_delete_add_ons };
    going.send(call, "deleting the instance", Some(news))
}

/// The instance is gone: our static IP must not be left.
pub fn left_behind(going: &Going<'_, InstanceKind>) -> Option<Plan<InstanceKind>> {
    let name = wanted::name(going.input.object).ok()?;
    static_ip(going, name.as_str())
}

/// What AWS would destroy with the instance, in a sentence, if anything.
fn kept(facts: &InstanceFacts, snapshots: &[String]) -> Option<String> {
    let enabled = facts.auto_snapshot.as_ref().is_some_and(|seen| match seen.status {
        AddOnStatus::Enabled | AddOnStatus::Changing(_) | AddOnStatus::Failed | AddOnStatus::Unrecognised(_) => true,
        AddOnStatus::Disabled => false,
    });
    let remedy = "set autoSnapshotsOnDelete: Delete to let them go, or disable and delete them in AWS after copying what is to stay";
    match (enabled, snapshots) {
        (false, []) => None,
        (true, []) => Some(format!(
            "automatic snapshots of the instance are enabled, and AWS would destroy them with it: {remedy}"
        )),
        (_, days) => Some(format!(
            "AWS would destroy the automatic snapshots of {} with the instance: {remedy}",
            days.join(", ")
        )),
    }
}

/// Whether the static IP of that name is the operator's to release: not where the spec names it, nor where it once did.
fn is_ours(object: &Instance, own: &LightsailName) -> bool {
    let stamped = || earlier(object).internal.applied.static_ips.contains(own.as_str());
    match object.spec.static_ip.as_ref().map(|ip| ip.name.as_ref()) {
        Some(None) => true,
        Some(Some(named)) => named != own && stamped(),
        None => stamped(),
    }
}

/// Takes our own static IP off the instance of that name and gives it back to AWS.
fn static_ip(going: &Going<'_, InstanceKind>, name: &str) -> Option<Plan<InstanceKind>> {
    let all = &going.state.static_ips.as_ref()?.all;
    let own = wanted::own_static_ip(going.input.object).ok().filter(|own| is_ours(going.input.object, own))?;
    let call = static_ip::leaving(&own, all, name)?;
    let note = match &call {
        InstanceCall::ReleaseStaticIp(_) => format!("released static IP {own}"),
        InstanceCall::DetachStaticIp(_)
        | InstanceCall::Create(_)
        | InstanceCall::Start { .. }
        | InstanceCall::Stop(_)
        | InstanceCall::Delete { .. }
        | InstanceCall::Tag { .. }
        | InstanceCall::Untag { .. }
        | InstanceCall::PutPorts { .. }
        | InstanceCall::SetIpAddressType { .. }
        | InstanceCall::UpdateMetadataOptions { .. }
        | InstanceCall::EnableAutoSnapshot { .. }
        | InstanceCall::DisableAutoSnapshot(_)
        | InstanceCall::AllocateStaticIp(_)
        | InstanceCall::AttachStaticIp { .. } => format!("detached static IP {own}"),
    };
    Some(going.send(call, "giving the static IP back to AWS", Some(News::done("Released", "Release", note))))
}
