//! What must hold of every pass, whatever it is about. Written from the AWS facts and the rules, not from the planner.

use std::time::Duration;

use kube::ResourceExt;

use super::bed::{Bed, Pass};
use crate::api::common::ManagementPolicy;
use crate::api::fleet::*;
use crate::plan::conditions::find;
use crate::plan::fleet::*;
use crate::plan::looked::Looked;
use crate::plan::{Next, ownership, ownership::Owner};

/// What AWS lets change while RUNNING, by the JSON name of the attribute: (2017, today on ALWAYS_ON and ON_DEMAND, today on
/// ELASTIC).
const WHILE_RUNNING: [(&str, bool, bool, bool); 9] = [
    ("displayName", true, true, true),
    ("computeCapacity", true, true, false),
    ("imageName", false, true, false),
    ("imageArn", false, true, false),
    ("idleDisconnectTimeoutInSeconds", false, true, true),
    ("disconnectTimeoutInSeconds", false, true, true),
    ("maxConcurrentSessions", false, false, true),
    ("sessionScriptS3Location", false, false, true),
    ("usbDeviceFilterStrings", false, false, true),
];

/// Whether AWS of that age takes this update in RUNNING.
pub fn taken_while_running(patch: &FleetPatch, kind: FleetType, rule: WhileRunning) -> bool {
    let set = serde_json::to_value(&patch.set).unwrap();
    let allowed = |name: &str| {
        WHILE_RUNNING.iter().any(|(n, old, regular, elastic)| {
            *n == name
                && match (rule, kind) {
                    (WhileRunning::Minimal, _) => *old,
                    (WhileRunning::Documented, FleetType::Elastic) => *elastic,
                    (WhileRunning::Documented, FleetType::AlwaysOn | FleetType::OnDemand) => *regular,
                }
        })
    };
    let cleared = |attribute: &AttributeToDelete| match attribute {
        AttributeToDelete::UsbDeviceFilterStrings => allowed("usbDeviceFilterStrings"),
        AttributeToDelete::SessionScriptS3Location => allowed("sessionScriptS3Location"),
        AttributeToDelete::VpcConfiguration
        | AttributeToDelete::VpcConfigurationSecurityGroupIds
        | AttributeToDelete::DomainJoinInfo
        | AttributeToDelete::IamRoleArn
        | AttributeToDelete::MaxSessionsPerInstance
        | AttributeToDelete::VolumeConfiguration => false,
    };
    set.as_object().unwrap().keys().all(|name| allowed(name)) && patch.clear.iter().all(cleared)
}

/// What the case knows of the moment, beside the bed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moment {
    /// A window is closed.
    pub closed: bool,
    /// `forceAfter` is over.
    pub forced: bool,
}

/// Checks a pass.
pub fn check(bed: &Bed, pass: &Pass, moment: Moment) {
    let broken = laws(bed, pass, moment);
    assert_eq!(broken, Vec::<&str>::new(), "\n{:#?}\nin {bed:#?}", pass.plan);
}

fn laws(bed: &Bed, pass: &Pass, moment: Moment) -> Vec<&'static str> {
    let (spec, plan) = (&bed.object.spec, &pass.plan);
    let status = &plan.status;
    let manage = spec.common.management_policy.unwrap_or_default() == ManagementPolicy::Manage;
    let mut broken = Vec::new();
    let mut law = |holds: bool, words: &'static str| {
        if !holds {
            broken.push(words);
        }
    };
    if plan.next != Next::Release {
        let generation = bed.object.metadata.generation;
        let is = |name: &str| find(&status.conditions, name).is_some_and(|c| c.status == "True");
        let has = |name: &str| find(&status.conditions, name).is_some();
        law(has("Ready") && has("Available") && has("Synced"), "Ready, Available and Synced are always there");
        law(has("Reconciling") == is("Reconciling") && has("Stalled") == is("Stalled"), "abnormal ones only while so");
        let headlines = [is("Ready"), is("Reconciling"), is("Stalled")];
        law(headlines.into_iter().filter(|h| *h).count() == 1, "exactly one of Ready, Reconciling, Stalled is True");
        law(status.observed_generation == generation.unwrap(), "the status is of this generation");
        law(status.conditions.iter().all(|c| c.observed_generation == generation), "so is every condition");
        law(!is("Ready") || is("Available"), "Ready is Available at least");
        law(status.conditions.iter().all(|c| !c.message.contains("2026-")), "no timestamps in messages");
        law(status.conditions.iter().all(|c| c.message.len() <= 32_768 && !c.reason.is_empty()), "bounded messages");
        let keeps = spec.update_strategy.as_ref().is_some_and(|s| s.kind == UpdateType::OnStop) || !manage;
        law(!is("Ready") || keeps || status.pending_changes.is_empty(), "Ready leaves nothing to do");
        law(is("Synced") == status.pending_changes.is_empty() || !is("Synced"), "Synced and the changes agree");
        for change in &status.pending_changes {
            law(change.field.len() <= 128 && change.from.len() <= 256 && change.to.len() <= 256, "short changes");
            law(change.waiting_for.as_ref().is_none_or(|w| w.len() <= 1024), "short waits");
        }
        law(
            status.sessions.is_none()
                || find(&status.conditions, "Ready").is_some_and(|c| c.reason == "WaitingForSessions"),
            "sessions only while a stop waits for them",
        );
    }
    match &plan.next {
        Next::Wait(wait) => {
            law(*wait <= Duration::from_secs(3600) && !wait.is_zero(), "a wait is between nothing and an hour");
        }
        Next::Settled(Some(at)) => law(*at > bed.now, "a settled plan looks ahead"),
        Next::Send(call) => send(bed, pass, call, moment, manage, &mut law),
        Next::Keep(_) => law(false, "a fleet keeps no Secret"),
        Next::Look(_) | Next::Settled(None) | Next::Release => {}
    }
    broken
}

fn send(
    bed: &Bed,
    pass: &Pass,
    call: &FleetCall,
    moment: Moment,
    manage: bool,
    law: &mut impl FnMut(bool, &'static str),
) {
    let spec = &bed.object.spec;
    let state = pass.state.as_ref().unwrap();
    law(manage, "Observe never writes");
    law(!bed.object.annotations().contains_key(crate::api::PAUSED), "paused objects write nothing");
    if let FleetCall::Create(create) = call {
        law(state.fleet.is_none(), "only what is not there is created");
        law(create.settings.iam_role_arn.is_none() || !bed.scope.allow.pass_roles.is_empty(), "no role without leave");
        law(pass.plan.status.internal.intent.is_some(), "the intent comes first");
        return;
    }
    let facts = state.fleet.as_ref().unwrap();
    let read_now = state.tags.as_ref().is_some_and(|t| t.began >= bed.now);
    law(read_now, "tags are read in the pass that writes");
    let owner = ownership::owner::<FleetKind>(&bed.scope, &bed.object, &bed.tags);
    let adopting = matches!(call, FleetCall::Tag { .. }) && bed.scope.allow.adoption && owner != Owner::Other;
    law(owner == Owner::Ours || adopting, "nothing is written to what is not ours");
    let strategy = spec.update_strategy.clone().unwrap_or_default();
    match call {
        FleetCall::Update(patch) => match facts.power {
            Power::Stopped => {}
            Power::Running => {
                law(taken_while_running(patch, spec.fleet_type, strategy.while_running), "only what RUNNING allows");
            }
            Power::Starting | Power::Stopping | Power::Unrecognised(_) => law(false, "no update in this state"),
        },
        FleetCall::Start(_) => {
            law(facts.power == Power::Stopped, "only what is STOPPED is started");
            law(spec.desired_state == DesiredState::Running, "only what should run is started");
        }
        FleetCall::Stop(_) => {
            let rules = spec.disruption.clone().unwrap_or_default();
            let counted = match (spec.fleet_type, &facts.power, facts.settings.max_sessions_per_instance) {
                (FleetType::Elastic, _, _) | (_, Power::Starting, _) => facts.capacity.in_use.unwrap_or(0),
                (_, _, None) => facts.capacity.in_use.unwrap_or(99),
                (_, _, Some(_)) => facts.capacity.active_user_sessions.unwrap_or(99),
            };
            let looked_and_empty = matches!(&state.sessions, Some(Looked::Found(sessions)) if sessions.is_empty());
            law(matches!(facts.power, Power::Running | Power::Starting), "only what is on is stopped");
            law(rules.policy != DisruptionPolicy::Never, "Never means never");
            law(!moment.closed, "no stop outside a window");
            let idle = looked_and_empty && counted == 0;
            law(rules.policy == DisruptionPolicy::Immediate || moment.forced || idle, "nobody is thrown off");
            let off = spec.desired_state == DesiredState::Stopped || bed.object.metadata.deletion_timestamp.is_some();
            law(off || strategy.kind == UpdateType::Restart, "OnStop stops for no change");
            law(off || pass.plan.status.internal.rejected.is_none(), "not stopped again for what AWS refused");
        }
        FleetCall::Delete(_) => {
            law(facts.power == Power::Stopped, "only what is STOPPED is deleted");
            law(bed.object.metadata.deletion_timestamp.is_some(), "only for a deleted object");
            law(matches!(&state.stacks, Some(Looked::Found(stacks)) if stacks.is_empty()), "no associations are cut");
            law(!spec.common.deletion_protection.unwrap_or(false), "not while protected");
        }
        FleetCall::Tag { .. }
        | FleetCall::Untag { .. }
        | FleetCall::AssociateApplication { .. }
        | FleetCall::DisassociateApplication { .. }
        | FleetCall::Create(_) => {}
    }
}
