//! What was found in reading the rules again: a row for each.

use serde_json::json;

use super::bed::{Bed, at, fleet, image_arn, update, with};
use crate::api::fleet::*;
use crate::plan::fleet::*;
use crate::plan::{Class, Next};

fn shown(bed: &Bed) -> (String, String, String) {
    let (headline, reason, _) = bed.shown();
    (bed.next(), headline, reason)
}

fn is(next: &str, headline: &str, reason: &str) -> (String, String, String) {
    (next.into(), headline.into(), reason.into())
}

fn sent(bed: &Bed) -> FleetCall {
    match bed.pass().plan.next {
        Next::Send(call) => call,
        other => panic!("nothing is sent but {other:?}"),
    }
}

#[test]
fn an_update_that_aws_answers_and_never_shows_does_not_keep_the_fleet_down() {
    let bed = fleet().wanting(|spec| spec.settings.description = Some("x".into())).stopped();
    let call = sent(&bed);
    let mut bed = bed.later(0);
    bed.answered(&call);
    assert_eq!(bed.clone().after(20).next(), "Wait", "reads may lag");
    let bed = bed.after(21);
    assert_eq!(bed.next(), "StartFleet");
    let mut running = bed.later(1).power(Power::Running);
    running.answered(&FleetCall::Start("desk".parse().unwrap()));
    assert_eq!(shown(&running), is("Wait", "Stalled", "Rejected"));
    assert_eq!(running.object.status.as_ref().unwrap().internal.rejected.as_ref().unwrap().code, "NoEffect");
    // Drift that comes after the update was seen is mended by the same update again.
    let mut named = fleet().wanting(|spec| spec.settings.display_name = Some("Desk".into()));
    let call = sent(&named);
    named = named.later(0);
    named.answered(&call);
    named.facts().settings.display_name = Some("Desk".into());
    let mut drifted = named.later(3600);
    drifted.facts().settings.display_name = None;
    assert_eq!(sent(&drifted), call);
}

#[test]
fn what_aws_says_in_other_words_is_no_difference() {
    let off = |spec: &mut FleetSpec| {
        spec.settings.enable_default_internet_access = Some(false);
        spec.settings.disable_imdsv1 = Some(false);
    };
    assert_eq!(fleet().wanting(off).next(), "Settled");
    let mut joined = fleet().wanting(|spec| {
        spec.settings.domain_join_info = Some(DomainJoinInfo {
            directory_name: Some("corp".into()),
            organizational_unit_distinguished_name: Some(String::new()),
        });
    });
    joined.facts().settings.domain_join_info =
        Some(DomainJoinInfo { directory_name: Some("corp".into()), organizational_unit_distinguished_name: None });
    assert_eq!(joined.next(), "Settled");
    let mut by_arn = fleet();
    by_arn.facts().settings.image_name = None;
    assert_eq!(by_arn.next(), "Settled");
    let mut by_name = fleet().wanting(|spec| {
        spec.settings.image_name = None;
        spec.settings.image_arn = Some(image_arn("v1"));
    });
    by_name.facts().settings.image_arn = None;
    assert_eq!(by_name.next(), "Settled");
    assert_ne!(by_name.wanting(|spec| spec.settings.image_arn = Some(image_arn("v2"))).next(), "Settled");
}

fn of_sessions() -> Bed {
    let settings = super::every::settings(FleetType::OnDemand, Some(diff::Field::MaxSessionsPerInstance));
    let mut bed = with(FleetType::OnDemand, settings);
    bed.scope.allow.pass_roles = vec!["*".into()];
    bed
}

#[test]
fn sessions_that_aws_rounds_up_to_whole_instances_are_no_difference() {
    let bed = of_sessions().wanting(|spec| spec.settings.compute_capacity.as_mut().unwrap().desired_sessions = Some(3));
    assert_eq!(bed.next(), "Settled", "two instances of two");
    let more = bed.wanting(|spec| spec.settings.compute_capacity.as_mut().unwrap().desired_sessions = Some(5));
    assert_eq!(update(&more.pass().plan).0, json!({ "computeCapacity": { "desiredSessions": 5 } }));
    let mut uncounted = of_sessions().wanting_off();
    uncounted.facts().settings.compute_capacity.as_mut().unwrap().desired_instances = Some(0);
    let capacity = &mut uncounted.facts().capacity;
    (capacity.desired, capacity.available, capacity.running) = (0, Some(0), Some(0));
    (capacity.desired_user_sessions, capacity.available_user_sessions) = (None, None);
    assert_eq!(uncounted.next(), "StopFleet", "drained, by the instances");
}

#[test]
fn a_refusal_of_capacity_0_that_lasts_gives_the_drain_up() {
    let bed = fleet().wanting_image("v2");
    let call = sent(&bed);
    let denied = bed.clone().failed(call.clone(), Class::InUse, "X");
    assert_eq!((denied.next(), denied.after(10).next()), ("UpdateFleet".into(), "StopFleet".into()));
    let busy = bed.failed(call, Class::Busy, "X");
    assert_eq!(busy.after(10).next(), "UpdateFleet");
}

#[test]
fn a_passing_refusal_while_down_is_tried_again_and_a_lasting_one_starts_the_fleet() {
    for class in [Class::AccessDenied, Class::QuotaExceeded, Class::NotFound, Class::InUse, Class::Busy] {
        let bed = fleet().stopped().wanting(|spec| spec.settings.description = Some("x".into()));
        let call = sent(&bed);
        let once = bed.clone().failed(call.clone(), class, "X").after(300);
        assert_eq!(once.pass().plan.status.internal.rejected, None, "{class:?}");
        assert_eq!(once.next(), "UpdateFleet", "{class:?}");
        let lasting = bed.after(180).failing(Some(call), class, "X", at(super::bed::NOW));
        assert_eq!(lasting.next(), "StartFleet", "{class:?}");
        assert!(lasting.pass().plan.status.internal.rejected.is_some(), "{class:?}");
    }
}

#[test]
fn a_read_that_aws_refuses_is_no_fault_of_the_spec() {
    let mut bed = fleet().after(3600).failing(None, Class::Rejected, "X", at(super::bed::NOW));
    bed.readable = false;
    assert_eq!(shown(&bed), is("Wait", "Reconciling", "AwsUnavailable"));
}

#[test]
fn a_refusal_of_an_older_generation_says_nothing_of_the_new_one() {
    let bed = fleet().new_object();
    let bed = bed.clone().failed(sent(&bed), Class::Rejected, "X");
    assert_eq!(bed.shown().0, "Stalled");
    let mended = bed.wanting(|spec| spec.settings.description = Some("x".into()));
    assert_eq!(shown(&mended), is("CreateFleet", "Reconciling", "Creating"));
    let start = fleet().stopped();
    let start = start.clone().failed(sent(&start), Class::Rejected, "X");
    assert_eq!(start.shown().0, "Stalled");
    let mended = start.wanting(|spec| spec.desired_state = DesiredState::Running);
    assert_eq!(shown(&mended), is("StartFleet", "Reconciling", "Starting"));
}

#[test]
fn tags_that_do_not_show_yet_are_waited_for_and_a_changed_cluster_id_lets_nothing_go() {
    let mut bed = fleet().tagged(|tags| tags.clear());
    bed.quiet_since = bed.now;
    assert_eq!(shown(&bed), is("Wait", "Reconciling", "Creating"));
    assert_eq!(shown(&bed.clone().after(60)), is("Settled", "Stalled", "NotOwned"));
    assert_eq!(shown(&bed.deleting()), is("Wait", "Reconciling", "Deleting"));
    let moved = fleet().tagged(|tags| {
        tags.insert("windlass.dev/cluster".into(), "another".into());
    });
    assert_eq!(shown(&moved.deleting().after(9999)), is("Settled", "Stalled", "NotOwned"));
}

#[test]
fn a_role_that_may_not_be_passed_keeps_no_fleet_down() {
    let role = "arn:aws:iam::111122223333:role/desk".parse().unwrap();
    let bed = fleet().wanting(|spec| spec.settings.iam_role_arn = Some(role));
    assert_eq!(shown(&bed), is("Settled", "Stalled", "NotAllowed"));
    assert_eq!(bed.pass().plan.status.pending_changes[0].impact, crate::api::common::Impact::Refused);
    assert_eq!(bed.stopped().next(), "StartFleet");
}

#[test]
fn an_image_is_judged_only_by_what_aws_says_for_sure() {
    type Say = fn(&mut ImageFacts);
    let says: [Say; 3] = [
        |i| i.state = String::new(),
        |i| (i.visibility, i.allow_fleet) = (Some("PRIVATE".into()), Some(false)),
        |i| i.platform = Some("WINDOWS".into()),
    ];
    for say in says {
        let mut bed = fleet();
        bed.facts().settings.platform = Some("WINDOWS_SERVER_2022".into());
        bed = bed.wanting_image("v2").wanting(|spec| spec.settings.platform = Some("WINDOWS_SERVER_2022".into()));
        say(bed.image.as_mut().unwrap());
        assert_eq!(bed.next(), "UpdateFleet");
    }
}

#[test]
fn clearing_the_network_forgets_its_groups() {
    let mut status = FleetStatus::default();
    status.internal.applied.fields = ["vpcConfig.subnetIds".into(), "vpcConfig.securityGroupIds".into()].into();
    let clear = [AttributeToDelete::VpcConfiguration].into();
    let patch = FleetPatch { name: "desk".parse().unwrap(), set: FleetSettings::default(), clear };
    let call = FleetCall::Update(Box::new(patch));
    let after = <FleetKind as crate::plan::Kind>::after(&status, &call, &Default::default()).unwrap();
    assert_eq!(after.internal.applied.fields, Default::default());
}

#[test]
fn force_after_counts_only_while_users_are_waited_for() {
    let hour = |d: &mut Disruption| d.force_after = Some("1h".into());
    let bed = || fleet().wanting_image("v2").with_session().disruption(hour);
    let never = bed().disruption(|d| d.policy = DisruptionPolicy::Never).later(7200);
    let idle = never.disruption(|d| d.policy = DisruptionPolicy::WhenIdle);
    assert_eq!((idle.next(), idle.clone().later(3600).next()), ("Wait".into(), "StopFleet".into()));
    let mut paused = bed().later(1800).annotated(crate::api::PAUSED, "true").later(7200);
    paused.object.metadata.annotations = None;
    assert_eq!((paused.next(), paused.clone().later(3600).next()), ("Wait".into(), "StopFleet".into()));
}

#[test]
fn what_is_written_beside_the_fleet_and_its_power_are_said_in_short_words() {
    let bed = fleet().stopped().wanting(|spec| spec.common.tags = Some([("a".into(), "1".into())].into()));
    let said = |bed: &Bed| -> Vec<(String, String, String)> {
        bed.pass().plan.status.pending_changes.into_iter().map(|c| (c.field, c.from, c.to)).collect()
    };
    assert_eq!(said(&bed), [is("desiredState", "STOPPED", "Running"), is("tags", "", "a")]);
    assert_eq!(said(&fleet().wanting_off()), [is("desiredState", "RUNNING", "Stopped")]);
    let mut drained = fleet().wanting_off().disruption(|d| d.drain = Some(true)).with_session();
    drained.facts().settings.compute_capacity.as_mut().unwrap().desired_instances = Some(0);
    drained.count(1);
    let status = drained.pass().plan.status;
    assert_eq!(crate::plan::conditions::find(&status.conditions, "Available").unwrap().status, "False");
}

#[test]
fn a_spec_that_breaks_in_mid_restart_leaves_the_fleet_running_as_it_was() {
    let broken = |d: &mut Disruption| d.force_after = Some("soon".into());
    let mut bed = fleet().wanting_image("v2");
    bed.facts().settings.compute_capacity.as_mut().unwrap().desired_instances = Some(0);
    bed.count(0);
    let mut bed = bed.stopped().later(1).disruption(broken);
    assert_eq!(update(&bed.pass().plan).0, json!({ "computeCapacity": { "desiredInstances": 2 } }));
    let (sent, end) = super::converge::drive(&mut bed, WhileRunning::Minimal);
    assert_eq!((sent.join(" "), end.as_str()), ("UpdateFleet StartFleet".into(), "Stalled InvalidSpec"));
    let mut sent = fleet().wanting_image("v2").disruption(|d| d.policy = DisruptionPolicy::Immediate);
    assert_eq!(sent.next(), "StopFleet");
    sent = sent.later(1).stopping().disruption(broken);
    assert_eq!(
        (shown(&sent), sent.later(1).stopped().next()),
        (is("Wait", "Stalled", "InvalidSpec"), "StartFleet".into())
    );
    let off = fleet().wanting_off().disruption(|d| d.policy = DisruptionPolicy::Immediate).later(1).stopped();
    assert_eq!(off.wanting(|spec| spec.desired_state = DesiredState::Running).disruption(broken).next(), "Settled");
}

#[test]
fn an_autoscaler_does_not_restart_a_fleet_for_what_aws_has_refused() {
    let bed = fleet().wanting(|spec| spec.settings.description = Some("x".into())).stopped();
    let call = sent(&bed);
    let bed = bed.later(0).failed(call, Class::Rejected, "InvalidParameterCombinationException").later(1);
    assert_eq!(bed.next(), "StartFleet");
    let scale = |spec: &mut FleetSpec| spec.settings.compute_capacity = Some(instances(3));
    let mut scaled = bed.later(1).power(Power::Running).wanting(scale);
    scaled.failure = None;
    assert_eq!(sent(&scaled), capacity(3));
    // Another wish is tried.
    let other = scaled.later(1).wanting(|spec| spec.settings.description = Some("y".into()));
    assert_eq!(other.pass().plan.status.internal.rejected, None);
}

#[test]
fn what_a_drain_took_is_given_back_although_the_spec_has_no_capacity_any_more() {
    let bed = fleet().wanting_image("v2");
    assert_eq!(sent(&bed), capacity(0), "closed before the stop");
    let mut bed = bed.later(0);
    (bed.facts().capacity.desired, bed.facts().capacity.available) = (0, Some(0));
    bed.facts().settings.compute_capacity = Some(instances(0));
    let bed = bed.later(1).wanting(|spec| spec.settings.image_name = Some("v1".parse().unwrap()));
    let bed = bed.wanting(|spec| spec.settings.compute_capacity = None);
    assert_eq!(sent(&bed), capacity(2));
    let mut bed = bed.later(1);
    bed.facts().capacity.desired = 2;
    bed.facts().settings.compute_capacity = Some(instances(2));
    let plan = bed.pass().plan;
    assert_eq!((plan.next, plan.status.internal.drained_from), (Next::Settled(None), None));
}

fn instances(n: i32) -> ComputeCapacity {
    ComputeCapacity { desired_instances: Some(n), desired_sessions: None }
}

/// The update of the capacity alone.
fn capacity(n: i32) -> FleetCall {
    let set = FleetSettings { compute_capacity: Some(instances(n)), ..FleetSettings::default() };
    FleetCall::Update(Box::new(FleetPatch { name: "desk".parse().unwrap(), set, clear: Default::default() }))
}

#[test]
fn time_in_which_an_image_was_not_ready_does_not_count_for_force_after() {
    let mut bed = fleet().disruption(|d| d.force_after = Some("1h".into())).with_session().wanting_image("v2");
    bed.image.as_mut().unwrap().state = "COPYING".into();
    let mut bed = bed.later(60).later(7200);
    bed.image.as_mut().unwrap().state = "AVAILABLE".into();
    assert_eq!(bed.shown().1, "WaitingForSessions", "nobody was asked to leave while the image was copied");
}

#[test]
fn a_create_that_was_meant_for_another_region_is_not_made_twice() {
    let mut bed = fleet();
    bed.aws = None;
    bed.object.status = None;
    let Next::Send(FleetCall::Create(_)) = bed.pass().plan.next else { panic!("the first create") };
    let mut bed = bed.later(1);
    bed.scope.region = "us-east-1".parse().unwrap();
    assert_eq!(shown(&bed), is("Settled", "Stalled", "AccountMoved"));
}

#[test]
fn a_pause_begins_the_patience_of_a_deletion_anew() {
    let bed = fleet().disruption(|d| d.force_after = Some("1h".into())).with_session().deleting();
    assert_eq!(bed.shown().1, "WaitingForSessions");
    let late = bed.clone().later(3500).later(200);
    assert_eq!(late.next(), "StopFleet", "an hour has passed");
    let paused = bed.later(60).annotated(crate::api::PAUSED, "true").later(7200);
    let resumed = paused.annotated(crate::api::PAUSED, "false").later(1);
    assert_eq!(resumed.shown().1, "WaitingForSessions", "nobody was asked to leave meanwhile");
}

#[test]
fn what_is_set_and_removed_before_a_pass_has_seen_it_in_aws_goes_from_aws() {
    let devices = || Some(vec!["15e2,0115,*,*,*,*".to_owned()]);
    let off = |spec: &mut FleetSpec| spec.desired_state = DesiredState::Stopped;
    let bed = fleet().wanting(off).wanting(|spec| spec.settings.usb_device_filter_strings = devices()).stopped();
    let call = sent(&bed);
    let mut bed = bed.later(0);
    bed.answered(&call);
    let bed = bed.after(1).wanting(|spec| spec.settings.usb_device_filter_strings = None);
    // Whether AWS shows it already or not.
    let mut shows = bed.clone();
    shows.facts().settings.usb_device_filter_strings = devices();
    for bed in [&bed, &shows] {
        assert_eq!(update(&bed.pass().plan), (json!({}), 1));
    }
    // What it never shows is forgotten.
    assert_eq!(bed.after(30).next(), "Settled");
}
