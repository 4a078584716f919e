//! AWS's rules for a fleet of ours, one by one.

use serde_json::json;

use super::bed::{Bed, at, fleet, image_arn, update, with, word};
use crate::api::Arn;
use crate::api::common::{Impact, ManagementPolicy};
use crate::api::fleet::*;
use crate::plan::conditions::find;
use crate::plan::fleet::*;
use crate::plan::{Class, Next};

fn shown(bed: &Bed) -> (String, String, String) {
    let (headline, reason, _) = bed.shown();
    (bed.next(), headline, reason)
}

fn is(next: &str, headline: &str, reason: &str) -> (String, String, String) {
    (next.into(), headline.into(), reason.into())
}

fn condition(bed: &Bed, name: &str) -> (String, String, String) {
    let status = bed.pass().plan.status;
    let found = find(&status.conditions, name).unwrap().clone();
    (found.status, found.reason, found.message)
}

#[test]
fn a_fleet_that_is_as_wanted_is_left_alone_and_its_status_stays_as_it_is() {
    let bed = fleet();
    let pass = bed.pass();
    assert_eq!((&pass.plan.next, pass.plan.news.len()), (&Next::Settled(None), 0));
    assert_eq!(Some(&pass.plan.status), bed.object.status.as_ref());
    assert_eq!(condition(&bed, "Ready"), is("True", "Available", "fleet desk is RUNNING"));
    assert_eq!(condition(&bed, "Available"), is("True", "Running", "the fleet is RUNNING"));
    assert_eq!(condition(&bed, "Synced"), is("True", "Synced", "AWS equals the spec"));
}

#[test]
fn a_running_fleet_gets_a_new_name_at_once_and_nothing_else() {
    let bed = fleet().with_session().wanting(|spec| spec.settings.display_name = Some("Desk".into()));
    assert_eq!(update(&bed.pass().plan), (json!({ "displayName": "Desk" }), 0));
    let bed = fleet().wanting(|spec| spec.settings.compute_capacity.as_mut().unwrap().desired_instances = Some(9));
    assert_eq!(update(&bed.pass().plan), (json!({ "computeCapacity": { "desiredInstances": 9 } }), 0));
}

#[test]
fn nothing_is_updated_while_aws_is_starting_or_stopping_a_fleet() {
    let renamed = || fleet().wanting(|spec| spec.settings.display_name = Some("Desk".into()));
    assert_eq!(shown(&renamed().starting()), is("Wait", "Reconciling", "Starting"));
    assert_eq!(shown(&renamed().stopping()), is("Wait", "Reconciling", "Stopping"));
    assert_eq!(shown(&renamed().power(Power::Unrecognised("X".into()))), is("Wait", "Reconciling", "UnknownState"));
    assert_eq!(renamed().stopped().next(), "UpdateFleet");
}

#[test]
fn a_capacity_that_the_spec_does_not_name_is_created_as_one_and_never_compared() {
    let unnamed = |spec: &mut FleetSpec| spec.settings.compute_capacity = None;
    let mut bed = fleet().wanting(unnamed);
    bed.facts().settings.compute_capacity.as_mut().unwrap().desired_instances = Some(70);
    bed.count(0);
    assert_eq!(shown(&bed), is("Settled", "Ready", "Available"));
    let Next::Send(FleetCall::Create(create)) = fleet().wanting(unnamed).new_object().pass().plan.next else {
        panic!()
    };
    let one = ComputeCapacity { desired_instances: Some(1), desired_sessions: None };
    assert_eq!(create.settings.compute_capacity, Some(one));
}

#[test]
fn an_elastic_fleet_is_created_without_a_capacity() {
    let bed = with(FleetType::Elastic, super::every::settings(FleetType::Elastic, None)).new_object();
    let mut bed = bed;
    bed.scope.allow.pass_roles = vec!["arn:aws:iam::*:role/*".into()];
    let Next::Send(FleetCall::Create(create)) = bed.pass().plan.next else { panic!() };
    assert_eq!((create.fleet_type, create.settings.compute_capacity), (FleetType::Elastic, None));
}

#[test]
fn zero_is_a_value_and_absent_is_none() {
    let mut bed = fleet().stopped().wanting(|spec| spec.settings.idle_disconnect_timeout_in_seconds = Some(0));
    assert_eq!(bed.next(), "StartFleet", "AWS may leave out what is off");
    bed.facts().settings.idle_disconnect_timeout_in_seconds = Some(900);
    assert_eq!(update(&bed.pass().plan), (json!({ "idleDisconnectTimeoutInSeconds": 0 }), 0));
    let mut bed = fleet();
    bed.facts().settings.idle_disconnect_timeout_in_seconds = Some(900);
    assert_eq!(bed.next(), "Settled", "what the spec does not name is not compared");
}

#[test]
fn only_what_we_set_is_cleared_and_only_once() {
    let group = |spec: &mut FleetSpec| {
        spec.settings.vpc_config = Some(VpcConfig {
            subnet_ids: Some(["subnet-1".into()].into()),
            security_group_ids: Some(["sg-1".into()].into()),
        });
    };
    let no_group = |spec: &mut FleetSpec| spec.settings.vpc_config.as_mut().unwrap().security_group_ids = None;
    let mut bed = fleet().wanting(group).stopped();
    bed.facts().settings.vpc_config = bed.object.spec.settings.vpc_config.clone();
    let bed = bed.later(1);
    let mut removed = bed.clone().wanting(no_group);
    assert_eq!(update(&removed.pass().plan), (json!({}), 1));
    let Next::Send(call) = removed.pass().plan.next else { panic!() };
    removed.answered(&call);
    assert_eq!(removed.next(), "StartFleet", "what AWS has put in its place is AWS's");
    let mut theirs = fleet();
    theirs.facts().settings.vpc_config = bed.object.spec.settings.vpc_config.clone();
    assert_eq!(theirs.next(), "Settled", "what others set is theirs");
}

#[test]
fn an_image_by_arn_is_compared_by_arn_alone() {
    let mut bed = fleet().wanting(|spec| {
        spec.settings.image_name = None;
        spec.settings.image_arn = Some(image_arn("v1"));
    });
    bed.facts().settings.image_name = Some("another-name".parse().unwrap());
    assert_eq!(bed.next(), "Settled");
}

#[test]
fn every_field_says_what_a_change_of_it_takes_while_running() {
    use super::every::{change, has, settings};
    use crate::plan::fleet::diff::Field;
    let (mut live, mut longer) = (Vec::new(), Vec::new());
    for field in Field::ALL {
        let kind = if has(FleetType::OnDemand, field) { FleetType::OnDemand } else { FleetType::Elastic };
        for (rule, fields) in [(WhileRunning::Minimal, &mut live), (WhileRunning::Documented, &mut longer)] {
            let mut bed = with(kind, settings(kind, Some(field)));
            bed.scope.allow.pass_roles = vec!["*".into()];
            change(&mut bed, field);
            let bed = bed.strategy(UpdateType::Restart, rule).with_session();
            let changes = bed.pass().plan.status.pending_changes;
            let found = changes.iter().find(|c| c.field == field.path()).unwrap();
            match found.impact {
                Impact::None => fields.push(field.path()),
                Impact::Restart => assert_eq!(found.waiting_for.as_deref(), Some("waiting for user sessions to end")),
                Impact::Refused => panic!("{field:?} is refused"),
            }
        }
    }
    let always = ["computeCapacity.desiredInstances", "computeCapacity.desiredSessions", "displayName"];
    assert_eq!(live, always);
    let documented = [
        "imageName",
        "imageArn",
        always[0],
        always[1],
        "maxConcurrentSessions",
        "disconnectTimeoutInSeconds",
        "idleDisconnectTimeoutInSeconds",
        "displayName",
        "sessionScriptS3Location",
    ];
    assert_eq!(longer, documented);
}

#[test]
fn on_stop_keeps_a_change_until_the_fleet_is_off_and_is_ready_meanwhile() {
    let bed = fleet().strategy(UpdateType::OnStop, WhileRunning::Minimal).wanting_image("v2");
    assert_eq!(shown(&bed), is("Settled", "Ready", "Available"));
    let words = "imageName: updateStrategy.type is OnStop: applied when the fleet is stopped";
    assert_eq!(condition(&bed, "Synced"), is("False", "Differs", words));
    assert_eq!(bed.clone().stopped().next(), "UpdateFleet");
    let mut sick = bed;
    sick.facts().errors = vec![FleetError { code: "SUBNET_NOT_FOUND".into(), message: "gone".into() }];
    sick.facts().capacity.running = Some(0);
    assert_eq!(shown(&sick), is("Wait", "Reconciling", "FleetErrors"), "Ready is Available at least");
}

#[test]
fn observe_shows_differences_and_writes_nothing() {
    let observed = || fleet().wanting(|spec| spec.common.management_policy = Some(ManagementPolicy::Observe));
    let bed = observed().wanting_image("v2");
    assert_eq!(shown(&bed), is("Settled", "Ready", "Available"));
    let words = "imageName: managementPolicy is Observe: nothing is written";
    assert_eq!(condition(&bed, "Synced"), is("False", "Differs", words));
    assert_eq!(shown(&bed.stopped()), is("Settled", "Reconciling", "DependencyNotReady"));
    assert_eq!(shown(&observed().gone()), is("Wait", "Reconciling", "DependencyNotReady"));
    assert_eq!(observed().deleting().next(), "Release");
}

fn application(name: &str) -> Arn {
    format!("arn:aws:appstream:eu-west-1:111122223333:application/{name}").parse().unwrap()
}

#[test]
fn observe_shows_differing_tags_applications_and_types_and_writes_nothing() {
    let observed = |edit: fn(&mut FleetSpec)| {
        fleet().wanting(edit).wanting(|spec| spec.common.management_policy = Some(ManagementPolicy::Observe))
    };
    let synced = |bed: &Bed| condition(bed, "Synced").2;
    // The marks of ours are nobody's difference.
    let mut foreign = observed(|_| {});
    foreign.tags.clear();
    assert_eq!(condition(&foreign, "Synced").0, "True");
    let mut bed = observed(|spec| spec.common.tags = Some([("team".into(), "design".into())].into()));
    bed.tags = [("team".into(), "other".into()), ("left".into(), "alone".into())].into();
    assert_eq!(shown(&bed), is("Settled", "Ready", "Available"));
    assert_eq!(synced(&bed), "tags: managementPolicy is Observe: nothing is written");
    let change = &bed.pass().plan.status.pending_changes[0];
    assert_eq!((change.from.as_str(), change.to.as_str()), ("team", "team"));
    bed.tags.insert("team".into(), "design".into());
    assert_eq!(condition(&bed.later(7200), "Synced").0, "True");

    let other = observed(|spec| {
        spec.fleet_type = FleetType::Elastic;
        spec.application_arns = Some([application("draw")].into());
    });
    assert_eq!(synced(&other), "fleetType: managementPolicy is Observe: nothing is written");
    assert_eq!(other.pass().plan.status.pending_changes[0].impact, Impact::Refused);

    // All of them, since none is ever carried out.
    let mut elastic = other.wanting(|spec| {
        spec.application_arns = Some([application("draw"), application("cut")].into());
        spec.common.tags = Some([("team".into(), "design".into())].into());
    });
    elastic.facts().fleet_type = Some(FleetType::Elastic);
    let changes = elastic.pass().plan.status.pending_changes;
    let seen: Vec<(&str, &str)> = changes.iter().map(|change| (change.field.as_str(), change.to.as_str())).collect();
    let both = [application("cut"), application("draw")].map(|arn| arn.to_string()).join(",");
    assert_eq!(seen, [("applicationArns", both.as_str()), ("tags", "team")]);
    let blind = Bed { refused: Some("DescribeApplicationFleetAssociations"), ..elastic };
    assert_eq!(shown(&blind), is("Wait", "Reconciling", "AccessDenied"));
    let blind = blind.wanting(|spec| spec.common.tags = None);
    assert_eq!(condition(&blind, "Synced").1, "AccessDenied", "what cannot be seen may differ");
}

#[test]
fn a_power_schedule_turns_the_fleet_on_and_off_and_desired_state_wins() {
    let office = |bed: Bed, start: &str, stop: &str| {
        let period = PowerPeriod { name: "p".into(), start: start.into(), stop: stop.into(), time_zone: None };
        bed.wanting(|spec| spec.power_schedule = Some(vec![period]))
    };
    let night = office(fleet(), "0 13 * * *", "0 11 * * *");
    assert_eq!(night.next(), "UpdateFleet", "drained before the stop");
    let off = office(fleet().stopped(), "0 13 * * *", "0 11 * * *");
    assert_eq!(off.pass().plan.next, Next::Settled(Some(at("2026-11-22T13:00:00Z"))));
    let next = NextTransition { at: at("2026-11-22T13:00:00Z"), to: DesiredState::Running };
    assert_eq!(off.pass().plan.status.next_transition, Some(next));
    assert_eq!(condition(&off, "Available"), is("True", "Stopped", "the fleet is STOPPED, as wanted"));
    let day = office(fleet().stopped(), "0 11 * * *", "0 13 * * *");
    assert_eq!(day.next(), "StartFleet");
    assert_eq!(day.wanting_off().pass().plan.next, Next::Settled(None));
}

#[test]
fn errors_of_a_starting_fleet_stall_after_ten_minutes_of_the_same_and_an_edit_stops_it() {
    let mut bed = fleet().starting();
    bed.facts().errors = vec![FleetError { code: "SUBNET_NOT_FOUND".into(), message: "gone".into() }];
    assert_eq!(shown(&bed), is("Wait", "Reconciling", "FleetErrors"));
    assert_eq!(condition(&bed, "Ready").2, "AWS reports SUBNET_NOT_FOUND: gone");
    let bed = bed.later(599);
    assert_eq!(shown(&bed), is("Wait", "Reconciling", "FleetErrors"));
    let bed = bed.after(1);
    assert_eq!(shown(&bed), is("Wait", "Stalled", "FleetErrors"));
    let mut other = bed.clone();
    other.facts().errors[0].code = "IMAGE_NOT_FOUND".into();
    assert_eq!(shown(&other), is("Wait", "Reconciling", "FleetErrors"), "another answer counts anew");
    let fixed = bed.clone().wanting(|spec| spec.settings.description = Some("x".into()));
    assert_eq!(fixed.next(), "StopFleet");
    let mut well = bed.power(Power::Running);
    well.facts().errors.clear();
    assert_eq!(shown(&well), is("Settled", "Ready", "Available"));
}

#[test]
fn a_fleet_that_aws_stops_after_a_start_for_its_errors_is_started_again_five_minutes_later() {
    let mut bed = fleet().stopped();
    bed.facts().errors = vec![FleetError { code: "SUBNET_NOT_FOUND".into(), message: "gone".into() }];
    assert_eq!(shown(&bed), is("StartFleet", "Reconciling", "FleetErrors"), "nobody has tried yet");
    let Next::Send(call) = bed.pass().plan.next else { panic!() };
    bed.answered(&call);
    let bed = bed.after(90);
    assert_eq!(shown(&bed), is("Wait", "Reconciling", "FleetErrors"));
    let fixed = bed.clone().wanting(|spec| spec.settings.description = Some("x".into()));
    assert_eq!(fixed.next(), "UpdateFleet");
    assert_eq!(shown(&bed.after(210)), is("StartFleet", "Reconciling", "FleetErrors"));
}

#[test]
fn errors_of_a_running_fleet_count_only_where_nobody_can_use_it() {
    let mut bed = fleet();
    bed.facts().errors = vec![FleetError { code: "X".into(), message: "y".into() }];
    assert_eq!(condition(&bed, "Ready"), is("True", "Available", "fleet desk is RUNNING; AWS reports X: y"));
    bed.facts().capacity.running = Some(0);
    assert_eq!(shown(&bed), is("Wait", "Reconciling", "FleetErrors"));
    let bed = bed.later(600);
    assert_eq!(shown(&bed), is("Wait", "Stalled", "FleetErrors"));
}

#[test]
fn what_aws_answers_to_a_start_is_shown_and_tried_again() {
    let rows = [
        (Class::QuotaExceeded, "Reconciling", "QuotaExceeded"),
        (Class::AccessDenied, "Reconciling", "AccessDenied"),
        (Class::Busy, "Reconciling", "AwsBusy"),
        (Class::Throttled, "Reconciling", "Throttled"),
        (Class::Unavailable, "Reconciling", "AwsUnavailable"),
        (Class::Rejected, "Stalled", "Rejected"),
        (Class::NotFound, "Reconciling", "DependencyNotReady"),
        (Class::InUse, "Reconciling", "Starting"),
        (Class::NotSent, "Reconciling", "Starting"),
    ];
    let start = || FleetCall::Start("desk".parse().unwrap());
    for (class, headline, reason) in rows {
        let bed = fleet().stopped().failed(start(), class, "Code");
        assert_eq!(shown(&bed), is("StartFleet", headline, reason), "{class:?}");
        assert_eq!(condition(&bed, "Synced").0, "False", "desiredState differs");
    }
    let denied = fleet().stopped().after(600).failing(Some(start()), Class::AccessDenied, "Code", at(super::bed::NOW));
    assert_eq!(shown(&denied), is("StartFleet", "Stalled", "AccessDenied"));
}

#[test]
fn what_may_pass_is_tried_for_some_minutes_before_a_stopped_fleet_is_started_as_it_was() {
    let since = at(super::bed::NOW);
    let bed = fleet().stopped().wanting(|spec| spec.settings.description = Some("x".into()));
    let Next::Send(call) = bed.pass().plan.next else { panic!() };
    let rows = [(Class::AccessDenied, 60), (Class::QuotaExceeded, 60), (Class::NotFound, 60), (Class::Busy, 180)];
    for (class, seconds) in rows {
        let failing = |bed: Bed| bed.failing(Some(call.clone()), class, "Code", since);
        assert_eq!(failing(bed.clone().after(seconds - 1)).next(), "UpdateFleet");
        let started = failing(bed.clone().after(seconds));
        assert_eq!(started.next(), "StartFleet");
        assert_eq!(started.pass().plan.status.internal.rejected.unwrap().code, "Code");
        let off = failing(bed.clone().wanting_off().after(3600));
        assert_eq!(off.next(), "UpdateFleet", "a fleet that is to be off can wait");
    }
    for class in [Class::Throttled, Class::Unavailable] {
        let failing = |bed: Bed| bed.failing(Some(call.clone()), class, "Code", since);
        assert_eq!(failing(bed.clone().after(599)).next(), "UpdateFleet");
        assert_eq!(failing(bed.clone().after(600)).next(), "StartFleet");
    }
}

#[test]
fn aws_unseen_for_a_moment_changes_nothing_and_for_long_is_said() {
    let blind = |bed: Bed, seconds: u64| {
        let since = bed.now;
        let mut bed = bed.after(seconds).failing(None, Class::Throttled, "Throttling", since);
        bed.readable = false;
        bed
    };
    let bed = blind(fleet(), 299);
    assert_eq!(Some(bed.pass().plan.status), bed.object.status);
    assert_eq!(shown(&blind(fleet(), 300)), is("Wait", "Reconciling", "Throttled"));
    let edited = blind(fleet().wanting_image("v2"), 0);
    assert_eq!(shown(&edited), is("Wait", "Reconciling", "Throttled"), "never Ready with work left");
    let waiting = fleet().wanting_image("v2").with_session().later(0);
    assert_eq!(shown(&blind(waiting.clone(), 29)), is("Wait", "Reconciling", "WaitingForSessions"));
    assert_eq!(shown(&blind(waiting, 30)), is("Wait", "Reconciling", "Throttled"));
}

#[test]
fn paused_objects_are_held_and_the_rest_of_their_conditions_stays() {
    let bed = fleet().wanting_image("v2").annotated(crate::api::PAUSED, "true");
    let pass = bed.pass();
    assert_eq!(word(&pass.plan.next), "Settled");
    let mut expected = bed.object.status.clone().unwrap();
    expected.conditions.push(find(&pass.plan.status.conditions, "Paused").unwrap().clone());
    assert_eq!(pass.plan.status, expected);
    assert_eq!(fleet().deleting().annotated(crate::api::PAUSED, "true").next(), "Settled", "deletion too");
    let new = fleet().new_object().annotated(crate::api::PAUSED, "true").pass().plan.status;
    let said: Vec<_> = new.conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str())).collect();
    assert_eq!(said, [("Ready", "False"), ("Available", "Unknown"), ("Synced", "Unknown"), ("Paused", "True")]);
    let over = fleet().annotated(crate::api::PAUSED, "true").later(1).annotated(crate::api::PAUSED, "false");
    assert!(find(&over.pass().plan.status.conditions, "Paused").is_none());
}
