//! Plans against a small AWS of its own: what is asked for is done, until the fleet is as wanted.

use std::time::Duration;

use super::bed::{ARN, Bed, fleet, image, shown, with, word};
use super::every::{change, has, settings};
use super::laws::{Moment, check, taken_while_running};
use crate::api::fleet::*;
use crate::plan::fleet::diff::Field;
use crate::plan::fleet::*;
use crate::plan::{Class, Next};

/// The age of AWS's rule.
type Age = WhileRunning;

/// Makes passes and does what they ask for, until nothing is left to do or a person is needed. What was sent, in order, and
/// what is shown at the end.
pub fn drive(bed: &mut Bed, age: Age) -> (Vec<String>, String) {
    let mut sent = Vec::new();
    let mut moved = bed.now;
    for _ in 0..400 {
        let pass = bed.pass();
        check(bed, &pass, Moment::default());
        bed.report(&pass);
        let (headline, reason, _) = shown(&pass.plan);
        match pass.plan.next {
            Next::Send(call) => {
                sent.push(word(&Next::Send(call.clone())));
                moved = bed.now;
                match take(bed, &call, age) {
                    Ok(()) => bed.answered(&call),
                    Err((class, code)) => {
                        *bed = bed.clone().failed(call, class, code);
                        // The engine plans again with the failure, and shows that.
                        let pass = bed.pass();
                        bed.report(&pass);
                        bed.now += Duration::from_secs(30);
                    }
                }
            }
            Next::Wait(_) if headline == "Stalled" => return (sent, format!("Stalled {reason}")),
            Next::Wait(wait) => bed.now += wait,
            Next::Settled(_) => return (sent, format!("{headline} {reason}")),
            Next::Release => return (sent, "Released".into()),
            Next::Look(_) => unreachable!("a pass ends with no look"),
            Next::Keep(_) => unreachable!("a fleet keeps no Secret"),
        }
        pass_time(bed, moved);
    }
    panic!("no end: {sent:?}\n{:#?}", bed.object.status);
}

/// This AWS takes a minute to start a fleet, half of it to stop one, and 20 s to let instances go: fewer looks than in truth.
fn pass_time(bed: &mut Bed, moved: jiff::Timestamp) {
    let age = bed.now.duration_since(moved).as_secs();
    let Some(facts) = &mut bed.aws else { return };
    match facts.power {
        Power::Starting if age >= 60 => facts.power = Power::Running,
        Power::Stopping if age >= 30 => facts.power = Power::Stopped,
        Power::Starting | Power::Stopping | Power::Stopped | Power::Running | Power::Unrecognised(_) => {}
    }
    if age >= 20 || facts.power != Power::Running {
        bed.count(i32::try_from(bed.sessions.len()).unwrap());
    }
}

fn take(bed: &mut Bed, call: &FleetCall, age: Age) -> Result<(), (Class, &'static str)> {
    let kind = bed.object.spec.fleet_type;
    match call {
        FleetCall::Create(create) => {
            let made = with(create.fleet_type, create.settings.clone()).stopped();
            bed.aws = made.aws;
            bed.tags.clone_from(&create.tags);
        }
        FleetCall::Update(patch) => {
            let facts = bed.aws.as_mut().ok_or((Class::NotFound, "ResourceNotFoundException"))?;
            match facts.power {
                Power::Stopped => {}
                Power::Running if taken_while_running(patch, kind, age) => {}
                Power::Running | Power::Starting | Power::Stopping | Power::Unrecognised(_) => {
                    return Err((Class::InUse, "ResourceInUseException"));
                }
            }
            if patch.set.instance_type.as_deref() == Some("refused") {
                return Err((Class::Rejected, "InvalidParameterCombinationException"));
            }
            merge(&mut facts.settings, patch);
            let capacity = facts.settings.compute_capacity.clone().unwrap_or_default();
            facts.capacity.desired = capacity.desired_instances.unwrap_or(0);
            facts.capacity.desired_user_sessions = capacity.desired_sessions;
        }
        FleetCall::Start(_) => bed.facts().power = Power::Starting,
        FleetCall::Stop(_) => bed.facts().power = Power::Stopping,
        FleetCall::Delete(_) => bed.aws = None,
        FleetCall::Tag { tags, .. } => bed.tags.extend(tags.clone()),
        FleetCall::Untag { keys, .. } => bed.tags.retain(|key, _| !keys.contains(key)),
        FleetCall::AssociateApplication { application, .. } => {
            bed.applications.insert(application.clone());
        }
        FleetCall::DisassociateApplication { application, .. } => {
            bed.applications.remove(application);
        }
    }
    bed.count(i32::try_from(bed.sessions.len()).unwrap());
    Ok(())
}

/// AWS's patch: what is there replaces, what is named is cleared.
fn merge(settings: &mut FleetSettings, patch: &FleetPatch) {
    let mut all = serde_json::to_value(&*settings).unwrap();
    let map = all.as_object_mut().unwrap();
    for (key, value) in serde_json::to_value(&patch.set).unwrap().as_object().unwrap() {
        map.insert(key.clone(), value.clone());
    }
    for attribute in &patch.clear {
        let name = match attribute {
            AttributeToDelete::VpcConfiguration => "vpcConfig",
            AttributeToDelete::VpcConfigurationSecurityGroupIds => {
                map["vpcConfig"].as_object_mut().unwrap().remove("securityGroupIds");
                continue;
            }
            AttributeToDelete::DomainJoinInfo => "domainJoinInfo",
            AttributeToDelete::IamRoleArn => "iamRoleArn",
            AttributeToDelete::UsbDeviceFilterStrings => "usbDeviceFilterStrings",
            AttributeToDelete::SessionScriptS3Location => "sessionScriptS3Location",
            AttributeToDelete::MaxSessionsPerInstance => "maxSessionsPerInstance",
            AttributeToDelete::VolumeConfiguration => "rootVolumeConfig",
        };
        map.remove(name);
    }
    *settings = serde_json::from_value(all).unwrap();
    if let (Some(capacity), Some(_)) = (&mut settings.compute_capacity, settings.max_sessions_per_instance) {
        // Desired is filled for multi-session fleets too.
        capacity.desired_instances = capacity.desired_sessions.or(capacity.desired_instances);
        capacity.desired_sessions = capacity.desired_sessions.or(capacity.desired_instances);
    }
    if settings.max_sessions_per_instance.is_none()
        && let Some(capacity) = &mut settings.compute_capacity
    {
        capacity.desired_sessions = None;
    }
}

#[test]
fn every_change_from_every_state_ends_as_wanted_by_both_ages_of_the_rule() {
    let powers = [Power::Stopped, Power::Starting, Power::Running, Power::Stopping];
    let mut cases = 0;
    for kind in [FleetType::AlwaysOn, FleetType::OnDemand, FleetType::Elastic] {
        for field in Field::ALL.into_iter().filter(|field| has(kind, *field)) {
            for power in &powers {
                for rule in [WhileRunning::Minimal, WhileRunning::Documented] {
                    for age in [WhileRunning::Minimal, WhileRunning::Documented] {
                        for (off, drain) in [(false, false), (false, true), (true, false)] {
                            let mut bed = with(kind, settings(kind, Some(field)));
                            bed.scope.allow.pass_roles = vec!["*".into()];
                            change(&mut bed, field);
                            bed = bed.power(power.clone()).strategy(UpdateType::Restart, rule);
                            if off {
                                bed = bed.wanting_off();
                            }
                            if kind != FleetType::Elastic {
                                bed = bed.disruption(|d| d.drain = Some(drain));
                            }
                            let (sent, end) = drive(&mut bed, age);
                            assert_eq!(
                                end, "Ready Available",
                                "{kind:?} {field:?} {power:?} {rule:?} {age:?} {sent:?}"
                            );
                            assert!(sent.len() <= 8, "{sent:?}");
                            let facts = bed.facts();
                            assert_eq!(facts.power, if off { Power::Stopped } else { Power::Running });
                            let (settings, seen) = (bed.object.spec.settings.clone(), bed.facts().clone());
                            assert_eq!(
                                diff::differences(&settings, &seen, &Default::default(), &Default::default()),
                                vec![]
                            );
                            cases += 1;
                        }
                    }
                }
            }
        }
    }
    println!("{cases} lives driven to their end");
}

#[test]
fn a_life_is_made_in_this_order() {
    let mut bed = fleet().new_object();
    let (sent, end) = drive(&mut bed, WhileRunning::Minimal);
    assert_eq!((sent.join(" "), end.as_str()), ("CreateFleet StartFleet".into(), "Ready Available"));

    let mut bed = bed.wanting_image("v2");
    let (sent, end) = drive(&mut bed, WhileRunning::Minimal);
    let order = "UpdateFleet StopFleet UpdateFleet StartFleet";
    assert_eq!((sent.join(" "), end.as_str()), (order.into(), "Ready Available"));

    let mut bed = bed.deleting();
    let (sent, end) = drive(&mut bed, WhileRunning::Minimal);
    assert_eq!((sent.join(" "), end.as_str()), ("UpdateFleet StopFleet DeleteFleet".into(), "Released"));
}

#[test]
fn a_refused_update_leaves_the_fleet_running_with_its_capacity_and_is_not_tried_again_until_the_next_generation() {
    let wanting = |spec: &mut FleetSpec| spec.settings.instance_type = Some("refused".into());
    let mut bed = fleet().wanting(wanting);
    let (sent, end) = drive(&mut bed, WhileRunning::Minimal);
    let order = "UpdateFleet StopFleet UpdateFleet UpdateFleet StartFleet";
    assert_eq!((sent.join(" "), end.as_str()), (order.into(), "Stalled Rejected"));
    assert_eq!((bed.facts().power.clone(), bed.facts().capacity.desired), (Power::Running, 2));

    let (again, _) = drive(&mut bed, WhileRunning::Minimal);
    assert_eq!(again, Vec::<String>::new(), "the stamp holds it back");
    bed.failure = None;
    let (restarted, _) = drive(&mut bed, WhileRunning::Minimal);
    assert_eq!(restarted, Vec::<String>::new(), "also in another process");

    let mut asked = bed.clone().annotated(crate::api::RECONCILE_REQUESTED_AT, "now");
    assert_eq!(asked.next(), "UpdateFleet", "a person may ask for another try");
    asked.object.status.as_mut().unwrap().last_handled_reconcile_at = Some("now".into());
    assert_eq!(asked.next(), "Wait", "once");

    let mut bed = bed.wanting(|spec| spec.settings.instance_type = Some("stream.standard.large".into()));
    let (sent, end) = drive(&mut bed, WhileRunning::Minimal);
    assert_eq!((sent.len(), end.as_str()), (4, "Ready Available"));
}

#[test]
fn a_refused_change_to_several_sessions_an_instance_gives_the_capacity_back_in_the_unit_of_before() {
    let mut bed = fleet().wanting(|spec| {
        spec.settings.instance_type = Some("refused".into());
        spec.settings.max_sessions_per_instance = Some(5);
        spec.settings.compute_capacity = Some(ComputeCapacity { desired_instances: None, desired_sessions: Some(11) });
    });
    let (_, end) = drive(&mut bed, WhileRunning::Minimal);
    assert_eq!((end.as_str(), bed.facts().capacity.desired), ("Stalled Rejected", 3));
}

#[test]
fn an_image_that_became_unusable_stops_nothing_and_one_found_out_late_keeps_nothing_down() {
    let mut bed = fleet().wanting_image("v2");
    bed.image = Some(crate::plan::fleet::ImageFacts { state: "FAILED".into(), ..image("v2") });
    let (sent, end) = drive(&mut bed, WhileRunning::Minimal);
    assert_eq!((sent.len(), end.as_str()), (0, "Stalled ImageNotUsable"));

    // It fails after the stop.
    let mut bed = bed.stopped();
    bed.facts().settings.compute_capacity.as_mut().unwrap().desired_instances = Some(0);
    bed.count(0);
    let (sent, end) = drive(&mut bed, WhileRunning::Minimal);
    assert_eq!((sent.join(" "), end.as_str()), ("UpdateFleet StartFleet".into(), "Stalled ImageNotUsable"));
    assert_eq!(bed.facts().capacity.desired, 2);
    assert_eq!(bed.facts().arn.as_str(), ARN);
}
