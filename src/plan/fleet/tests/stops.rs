//! Stops: for whom they wait, how long, and what becomes of the capacity meanwhile.

use serde_json::json;

use super::bed::{Bed, at, fleet, update, with};
use crate::api::common::{Impact, ManagementPolicy, PendingChange};
use crate::api::fleet::*;
use crate::plan::Class;
use crate::plan::conditions::find;
use crate::plan::fleet::*;

fn window(start: &str) -> Option<Vec<Window>> {
    Some(vec![Window { name: "w".into(), start: start.into(), duration: "2h".into(), time_zone: None }])
}
const OPEN: &str = "0 11 * * *";
const CLOSED: &str = "0 23 * * *";

/// RUNNING, capacity 0, nobody there: what a drain leads to.
fn drained(mut bed: Bed) -> Bed {
    bed.facts().settings.compute_capacity.as_mut().unwrap().desired_instances = Some(0);
    let users = i32::try_from(bed.sessions.len()).unwrap();
    bed.count(users);
    bed
}

fn waiting() -> Bed {
    fleet().wanting_image("v2").with_session()
}

#[test]
fn a_stop_waits_for_users_and_says_so_in_the_object() {
    let status = waiting().pass().plan.status;
    let change = PendingChange {
        field: "imageName".into(),
        from: "v1".into(),
        to: "v2".into(),
        impact: Impact::Restart,
        waiting_for: Some("waiting for user sessions to end".into()),
        since: at("2026-11-22T12:00:00Z"),
    };
    assert_eq!(status.pending_changes, vec![change]);
    let oldest = Some(at("2026-11-22T11:00:00Z"));
    assert_eq!(status.sessions, Some(SessionsStatus { count: 1, oldest }));
    let (headline, reason, fields) = waiting().shown();
    assert_eq!(waiting().without_session().next(), "UpdateFleet", "once they have left it goes on");
    assert_eq!(
        (headline.as_str(), reason.as_str(), fields),
        ("Reconciling", "WaitingForSessions", vec!["imageName".into()])
    );
}

#[test]
fn an_idle_fleet_is_closed_emptied_looked_at_again_and_then_stopped() {
    let bed = fleet().wanting_image("v2");
    assert_eq!(update(&bed.pass().plan).0, json!({ "computeCapacity": { "desiredInstances": 0 } }));
    let mut emptying = drained(bed.clone());
    emptying.facts().capacity.available = Some(1);
    emptying.quiet_since = emptying.now;
    assert_eq!(emptying.next(), "Wait");
    assert_eq!(drained(bed.clone()).next(), "StopFleet");
    // Somebody came in between: the capacity is given back, and the stop waits.
    let mut came = drained(bed).with_session();
    came.facts().settings.compute_capacity.as_mut().unwrap().desired_instances = Some(0);
    assert_eq!(update(&came.pass().plan).0, json!({ "computeCapacity": { "desiredInstances": 2 } }));
    // Instances that never go do not keep users out for ever.
    assert_eq!((emptying.clone().after(299).next(), emptying.after(300).next()), ("Wait".into(), "StopFleet".into()));
}

#[test]
fn drain_refuses_new_users_first_and_only_while_users_are_waited_for() {
    let bed = waiting().disruption(|d| d.drain = Some(true));
    assert_eq!(update(&bed.pass().plan).0, json!({ "computeCapacity": { "desiredInstances": 0 } }));
    let closed = drained(bed);
    assert_eq!(closed.next(), "Wait", "and leaves it so");
    let held = closed.disruption(|d| d.windows = window(CLOSED));
    let back = json!({ "computeCapacity": { "desiredInstances": 2 } });
    assert_eq!(update(&held.pass().plan).0, back, "until the next window people may come");
}

#[test]
fn where_the_capacity_is_not_ours_to_set_the_stop_follows_the_look() {
    let unnamed = |spec: &mut FleetSpec| spec.settings.compute_capacity = None;
    assert_eq!(fleet().wanting(unnamed).wanting_image("v2").next(), "StopFleet");
    let bed = fleet().wanting_image("v2");
    let crate::plan::Next::Send(drain) = bed.pass().plan.next else { panic!() };
    assert_eq!(bed.clone().failed(drain.clone(), Class::Rejected, "X").next(), "StopFleet", "AWS refuses 0");
    assert_eq!(bed.failed(drain, Class::Busy, "X").next(), "UpdateFleet", "for good, that is");
    let elastic = with(FleetType::Elastic, super::every::settings(FleetType::Elastic, None));
    let off = elastic.wanting(|spec| {
        spec.desired_state = DesiredState::Stopped;
        spec.settings.iam_role_arn = None;
    });
    assert_eq!(off.clone().next(), "StopFleet");
    assert_eq!(off.with_session().next(), "Wait");
}

#[test]
fn absent_counts_are_not_zero() {
    let mut bed = fleet().wanting_image("v2");
    bed.facts().capacity.in_use = None;
    assert_eq!(bed.next(), "UpdateFleet", "zero is left out beside other counts");
    (bed.facts().capacity.running, bed.facts().capacity.available) = (None, None);
    let (_, reason, _) = bed.shown();
    assert_eq!(reason, "WaitingForSessions");
    let mut busy = fleet().wanting_image("v2");
    busy.facts().capacity.in_use = Some(1);
    assert_eq!(busy.shown().1, "WaitingForSessions", "a user whom no session shows");
    let mut unlisted = fleet().wanting_image("v2").with_session();
    unlisted.facts().capacity.in_use = Some(0);
    assert_eq!(unlisted.shown().1, "WaitingForSessions", "a session that no count shows");
}

#[test]
fn a_fleet_of_several_sessions_an_instance_is_judged_and_drained_by_sessions() {
    let settings = super::every::settings(FleetType::OnDemand, Some(diff::Field::MaxSessionsPerInstance));
    let bed = with(FleetType::OnDemand, settings).wanting(|spec| {
        spec.settings.description = Some("Two".into());
        spec.settings.iam_role_arn = None;
    });
    assert_eq!(update(&bed.pass().plan).0, json!({ "computeCapacity": { "desiredSessions": 0 } }));
    let mut unknown = bed.clone();
    unknown.facts().capacity.active_user_sessions = None;
    assert_eq!(unknown.next(), "UpdateFleet", "instances in use tell too");
    let capacity = &mut unknown.facts().capacity;
    (capacity.in_use, capacity.running, capacity.available) = (None, None, None);
    assert_eq!(unknown.shown().1, "WaitingForSessions");
    let single = bed.with_session().wanting(|spec| {
        spec.settings.max_sessions_per_instance = Some(9);
        spec.settings.compute_capacity = Some(ComputeCapacity { desired_instances: None, desired_sessions: Some(18) });
    });
    assert_eq!(single.next(), "Wait", "a capacity in another measure goes with the restart");
}

#[test]
fn force_after_counts_from_the_first_wish_and_anew_for_another_value() {
    let forced = || waiting().disruption(|d| d.force_after = Some("1h".into())).later(3599);
    assert_eq!(forced().next(), "Wait");
    assert_eq!(forced().after(1).next(), "StopFleet");
    assert_eq!(
        forced().after(1).disruption(|d| d.windows = window(CLOSED)).next(),
        "Wait",
        "forcing waits for a window too"
    );
    assert_eq!(forced().after(1).disruption(|d| d.windows = window("0 13 * * *")).next(), "StopFleet");
    assert_eq!(forced().wanting_image("v3").after(1).next(), "Wait", "another value counts anew");
    let more = forced().wanting(|spec| spec.settings.instance_type = Some("x".into())).after(1);
    assert_eq!(more.next(), "StopFleet", "one change more does not take the first one's time away");
    assert_eq!(forced().after(1).disruption(|d| d.policy = DisruptionPolicy::Never).next(), "Wait");
}

#[test]
fn force_after_does_not_count_the_time_in_which_nobody_was_to_leave() {
    let hour = |d: &mut Disruption| d.force_after = Some("1h".into());
    let restart = |spec: &mut FleetSpec| spec.update_strategy = None;
    let on_stop = waiting().strategy(UpdateType::OnStop, WhileRunning::Minimal).disruption(hour);
    let later = on_stop.later(7200).later(1);
    let since = later.pass().plan.status.pending_changes[0].since;
    assert_eq!(since, at("2026-11-22T12:00:00Z"), "the difference is as old as it is");
    let wanted = later.wanting(restart);
    assert_eq!(wanted.next(), "Wait");
    assert_eq!(wanted.later(3600).next(), "StopFleet");
    let manage = |spec: &mut FleetSpec| spec.common.management_policy = None;
    let observe = |spec: &mut FleetSpec| spec.common.management_policy = Some(ManagementPolicy::Observe);
    assert_eq!(waiting().disruption(hour).wanting(observe).later(7200).wanting(manage).next(), "Wait");
    let mut future = waiting().disruption(hour).later(0);
    future.object.status.as_mut().unwrap().pending_changes[0].since = at("2030-01-01T00:00:00Z");
    assert_eq!(future.next(), "Wait", "a clock that ran ahead forces nobody");
    let mut lost = waiting().disruption(hour).later(3601);
    lost.object.status = None;
    assert_eq!(lost.next(), "Wait", "a lost stamp waits longer");
}

#[test]
fn tags_that_drift_meanwhile_do_not_lose_the_time_waited() {
    let bed = waiting().disruption(|d| d.force_after = Some("1h".into())).later(3000);
    let bed = bed.wanting(|spec| spec.common.tags = Some([("a".into(), "b".into())].into()));
    assert_eq!(bed.next(), "TagResource");
    let mut bed = bed.later(600);
    bed.tags.insert("a".into(), "b".into());
    assert_eq!(bed.next(), "StopFleet");
}

#[test]
fn each_policy_has_its_word_and_its_stop() {
    let rows: [(DisruptionPolicy, Option<&str>, &str, &str); 7] = [
        (DisruptionPolicy::WhenIdle, None, "Wait", "WaitingForSessions"),
        (DisruptionPolicy::WhenIdle, Some(OPEN), "Wait", "WaitingForSessions"),
        (DisruptionPolicy::WhenIdle, Some(CLOSED), "Wait", "WaitingForWindow"),
        (DisruptionPolicy::Immediate, None, "StopFleet", "Stopping"),
        (DisruptionPolicy::Immediate, Some(OPEN), "StopFleet", "Stopping"),
        (DisruptionPolicy::Immediate, Some(CLOSED), "Wait", "WaitingForWindow"),
        (DisruptionPolicy::Never, Some(OPEN), "Wait", "DisruptionNever"),
    ];
    for (policy, start, next, reason) in rows {
        for bed in [waiting(), fleet().with_session().wanting_off(), fleet().with_session().deleting()] {
            let bed = bed.disruption(|d| (d.policy, d.windows) = (policy, start.and_then(window)));
            let reason = if bed.object.metadata.deletion_timestamp.is_some() && next == "StopFleet" {
                "Deleting"
            } else {
                reason
            };
            assert_eq!((bed.next().as_str(), bed.shown().1.as_str()), (next, reason), "{policy:?} {start:?}");
        }
    }
}

#[test]
fn what_may_be_changed_while_running_is_changed_while_a_stop_waits() {
    let bed = waiting().wanting(|spec| spec.settings.display_name = Some("Desk".into()));
    assert_eq!(update(&bed.pass().plan).0, json!({ "displayName": "Desk" }));
}

#[test]
fn a_longer_list_that_aws_refuses_is_not_tried_again_for_the_generation_though_other_writes_succeed() {
    let bed = fleet().strategy(UpdateType::Restart, WhileRunning::Documented).wanting_image("v2");
    let crate::plan::Next::Send(call) = bed.pass().plan.next else { panic!() };
    assert_eq!(update(&bed.pass().plan).0, json!({ "imageName": "v2" }));
    let bed = bed.failed(call, Class::InUse, "ResourceInUseException");
    assert_eq!(update(&bed.pass().plan).0, json!({ "computeCapacity": { "desiredInstances": 0 } }));
    let mut bed = drained(bed.later(1));
    bed.failure = None;
    assert_eq!(bed.next(), "StopFleet", "the drain was taken, and that clears the failure");
    let edited = drained(bed).wanting(|spec| spec.settings.display_name = Some("x".into()));
    assert!(update(&edited.pass().plan).0.get("imageName").is_some(), "a new generation tries again");
}

#[test]
fn an_image_in_the_longer_list_is_looked_at_first_and_keeps_nothing_else_back() {
    let mut bed = fleet().strategy(UpdateType::Restart, WhileRunning::Documented).wanting_image("v2");
    bed.image = None;
    assert_eq!((bed.next(), bed.shown().1), ("Wait".into(), "ImageNotUsable".into()));
    let bed = bed.wanting(|spec| spec.settings.display_name = Some("Desk".into()));
    assert_eq!(update(&bed.pass().plan).0, json!({ "displayName": "Desk" }));
}

#[test]
fn a_refused_look_holds_a_stop_and_is_named() {
    let bed = Bed { refused: Some("DescribeSessions"), ..fleet().wanting_off() };
    assert_eq!((bed.next(), bed.shown().1), ("Wait".into(), "AccessDenied".into()));
    let message = find(&bed.pass().plan.status.conditions, "Ready").unwrap().message.clone();
    assert!(message.starts_with("DescribeSessions: AccessDeniedException: not authorized"), "{message}");
    // Nobody needs to be looked for where nobody is waited for.
    let bed = bed.disruption(|rules| rules.policy = DisruptionPolicy::Immediate);
    assert_eq!(bed.next(), "StopFleet");
    let bed = Bed { refused: Some("ListAssociatedStacks"), ..fleet().stopped().deleting() };
    assert_eq!((bed.next(), bed.shown().1), ("Wait".into(), "AccessDenied".into()));
}

#[test]
fn a_look_that_is_refused_for_ten_minutes_needs_a_person() {
    for (operation, bed) in
        [("DescribeSessions", fleet().wanting_off()), ("ListAssociatedStacks", fleet().stopped().deleting())]
    {
        let bed = Bed { refused: Some(operation), refused_since: Some(bed.now), ..bed };
        assert_eq!(bed.clone().later(599).shown().0, "Reconciling", "{operation}");
        let bed = bed.later(600);
        assert_eq!(
            (bed.next(), bed.shown().0, bed.shown().1),
            ("Wait".into(), "Stalled".into(), "AccessDenied".into())
        );
    }
}
