//! Whose a fleet is: taking over, letting go, and never touching what is not ours.

use super::bed::{Bed, at, fleet};
use crate::api::common::{AdoptionPolicy, DeletionPolicy, RecreatePolicy};
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

fn message(bed: &Bed) -> String {
    let status = bed.pass().plan.status;
    crate::plan::conditions::find(&status.conditions, "Ready").unwrap().message.clone()
}

fn restored(bed: Bed) -> Bed {
    bed.tagged(|tags| {
        tags.insert("windlass.dev/uid".into(), "an-earlier-one".into());
    })
}

fn others(bed: Bed) -> Bed {
    bed.tagged(|tags| {
        tags.insert("windlass.dev/uid".into(), "another".into());
        tags.insert("windlass.dev/name".into(), "another".into());
    })
}

fn untagged(bed: Bed) -> Bed {
    bed.tagged(|tags| tags.clear())
}

/// An object that has never seen its fleet.
fn stranger() -> Bed {
    let mut bed = fleet();
    bed.object.status = None;
    bed
}

fn adopting(mut bed: Bed) -> Bed {
    bed.scope.allow.adoption = true;
    bed.wanting(|spec| spec.common.adoption_policy = Some(AdoptionPolicy::IfExists))
}

fn retaining(bed: Bed) -> Bed {
    bed.wanting(|spec| spec.common.deletion_policy = Some(DeletionPolicy::Retain))
}

#[test]
fn what_is_not_ours_is_never_written_to() {
    for bed in [untagged(stranger()), restored(stranger()), others(stranger())] {
        assert_eq!(shown(&bed), is("Settled", "Stalled", "NotOwned"));
        let status = bed.pass().plan.status;
        assert_eq!((status.arn, status.state, status.capacity), (None, None, None), "nor shown as ours");
        let wish = bed.wanting_image("v2").wanting_off();
        assert_eq!(shown(&wish), is("Settled", "Stalled", "NotOwned"));
    }
}

#[test]
fn an_existing_fleet_is_taken_over_where_the_spec_and_an_account_say_so() {
    for bed in [untagged(stranger()), restored(stranger())] {
        let bed = adopting(bed);
        assert_eq!(shown(&bed), is("TagResource", "Reconciling", "Updating"));
        assert!(bed.pass().plan.status.internal.intent.is_some(), "a deletion now has something to look for");
        let mut alone = bed.clone();
        alone.scope.allow.adoption = false;
        assert_eq!(shown(&alone), is("Settled", "Stalled", "NotAllowed"));
        let elastic = bed.wanting(|spec| spec.fleet_type = FleetType::Elastic);
        assert_eq!(shown(&elastic), is("Settled", "Stalled", "ImmutableDiffers"));
    }
    assert_eq!(shown(&adopting(others(stranger()))), is("Settled", "Stalled", "NotOwned"));
}

#[test]
fn an_object_deleted_while_it_takes_over_lets_go_only_what_it_has_looked_at() {
    let bed = adopting(untagged(stranger())).later(0).deleting();
    assert_eq!(bed.next(), "Wait");
    let mut taken = bed.clone();
    taken.tags = fleet().tags;
    assert_eq!(taken.stopped().next(), "DeleteFleet");
    assert_eq!(bed.after(60).next(), "Release");
}

#[test]
fn account_and_region_do_not_drift() {
    for edit in [
        |bed: &mut Bed| bed.scope.account = "999999999999".into(),
        |bed: &mut Bed| {
            bed.scope.region = "us-east-1".parse().unwrap();
        },
    ] {
        for mut bed in [fleet(), fleet().gone(), fleet().deleting(), fleet().gone().deleting().after(9999)] {
            edit(&mut bed);
            assert_eq!(shown(&bed), is("Settled", "Stalled", "AccountMoved"));
            assert!(bed.pass().plan.status.arn.is_some());
        }
    }
}

#[test]
fn only_our_own_tags_are_kept_and_removed() {
    let tags = |spec: &mut FleetSpec| spec.common.tags = Some([("a".into(), "1".into())].into());
    let theirs = fleet().tagged(|tags| {
        tags.insert("theirs".into(), "x".into());
    });
    let mut bed = theirs.wanting(tags);
    let set =
        Next::Send(FleetCall::Tag { arn: super::bed::ARN.parse().unwrap(), tags: [("a".into(), "1".into())].into() });
    assert_eq!(bed.pass().plan.next, set);
    bed.tags.insert("a".into(), "1".into());
    let bed = bed.later(1);
    assert_eq!(bed.next(), "Settled");
    let gone = bed.wanting(|spec| spec.common.tags = None);
    let cut = Next::Send(FleetCall::Untag { arn: super::bed::ARN.parse().unwrap(), keys: ["a".into()].into() });
    assert_eq!(gone.pass().plan.next, cut);
}

#[test]
fn a_tag_that_aws_refuses_does_not_keep_the_fleet_from_what_it_needs() {
    let bed = fleet().stopped().wanting(|spec| spec.common.tags = Some([("a".into(), "1".into())].into()));
    let Next::Send(call) = bed.pass().plan.next else { panic!() };
    let denied = bed.failed(call, Class::AccessDenied, "AccessDeniedException");
    assert_eq!(denied.next(), "StartFleet");
    let running = denied.power(Power::Running);
    assert_eq!(shown(&running), is("TagResource", "Reconciling", "AccessDenied"));
}

#[test]
fn a_fleet_that_is_gone_comes_back_once_that_is_sure_or_not_at_all() {
    let mut gone = fleet().gone();
    gone.quiet_since = gone.now;
    assert_eq!(shown(&gone), is("Wait", "Reconciling", "Creating"));
    assert_eq!(shown(&gone.clone().after(60)), is("CreateFleet", "Reconciling", "Creating"));
    let never = gone.wanting(|spec| spec.common.recreate_policy = Some(RecreatePolicy::Never));
    assert_eq!(shown(&never), is("Wait", "Reconciling", "Creating"), "not before it is sure");
    assert_eq!(shown(&never.after(60)), is("Settled", "Stalled", "DeletedOutOfBand"));
}

#[test]
fn a_lost_answer_to_a_create_is_waited_for_and_a_refused_create_is_not() {
    let new = fleet().new_object();
    assert_eq!(new.next(), "CreateFleet", "the first waits for nothing");
    let Next::Send(call) = new.pass().plan.next else { panic!() };
    let mut lost = new.clone().later(0).failed(call.clone(), Class::Unavailable, "Timeout");
    lost.quiet_since = lost.now;
    assert_eq!(
        (shown(&lost), message(&lost).as_str()),
        (is("Wait", "Reconciling", "Creating"), "AWS does not show the new fleet yet")
    );
    assert_eq!(lost.after(60).next(), "CreateFleet");
    let rows = [
        (Class::Rejected, "Wait", "Stalled", "Rejected"),
        (Class::QuotaExceeded, "CreateFleet", "Reconciling", "QuotaExceeded"),
        (Class::AccessDenied, "CreateFleet", "Reconciling", "AccessDenied"),
        (Class::Busy, "CreateFleet", "Reconciling", "AwsBusy"),
        (Class::Throttled, "CreateFleet", "Reconciling", "Throttled"),
        (Class::AlreadyExists, "Wait", "Reconciling", "Creating"),
    ];
    for (class, next, headline, reason) in rows {
        let refused = new.clone().later(0).failed(call.clone(), class, "Code");
        assert_eq!(shown(&refused), is(next, headline, reason), "{class:?}");
    }
    let refused = new.later(0).failed(call, Class::Rejected, "Code");
    assert_eq!(refused.clone().wanting_image("v2").next(), "CreateFleet", "an edit is tried at once");
    assert_eq!(refused.after(600).next(), "CreateFleet", "and what a person may have mended after a while");
}

#[test]
fn nothing_made_is_let_go_without_a_look_and_also_where_nothing_may_be_read() {
    let mut bed = fleet().new_object().deleting();
    bed.readable = false;
    let pass = bed.pass();
    assert_eq!((pass.plan.next, pass.looks), (Next::Release, 0));
}

#[test]
fn a_deletion_stops_deletes_and_makes_sure() {
    let bed = fleet().deleting();
    assert_eq!(bed.clone().with_session().shown().1, "WaitingForSessions");
    assert_eq!(bed.clone().stopped().next(), "DeleteFleet");
    let gone = bed.clone().gone();
    assert_eq!(shown(&gone), is("Wait", "Reconciling", "Deleting"));
    assert_eq!(gone.after(60).next(), "Release");
    let mut joined = bed.clone();
    joined.stacks = fleet().stacks;
    assert_eq!(shown(&joined), is("Wait", "Reconciling", "DependencyNotReady"), "it goes on serving them");
    assert!(message(&joined).contains("stack stack"), "{}", message(&joined));
    let joined = joined.stopped();
    assert_eq!(shown(&joined), is("Wait", "Reconciling", "DependencyNotReady"));
    assert!(message(&joined).contains("stack stack"), "{}", message(&joined));
    let protected = bed.wanting(|spec| spec.common.deletion_protection = Some(true)).stopped();
    assert_eq!(shown(&protected), is("Wait", "Reconciling", "DeletionProtected"));
}

#[test]
fn every_message_that_waits_on_a_deletion_names_the_way_out() {
    let bed = || fleet().deleting();
    let denied = FleetCall::Delete("desk".parse().unwrap());
    let mut blind = bed().failing(None, Class::AccessDenied, "X", at("2026-11-22T10:00:00Z"));
    blind.readable = false;
    let mut moved = bed();
    moved.scope.account = "999999999999".into();
    let waits = [
        bed().with_session(),
        bed().stopping(),
        bed().gone(),
        bed().stopped().failed(denied, Class::AccessDenied, "X"),
        bed().power(Power::Unrecognised("X".into())),
        bed().wanting(|spec| spec.common.deletion_protection = Some(true)),
        bed().disruption(|d| d.policy = DisruptionPolicy::Never),
        bed().disruption(|d| d.force_after = Some("nonsense".into())),
        untagged(bed()),
        blind,
        moved,
    ];
    for bed in waits {
        assert!(message(&bed).contains("deletionPolicy: Retain"), "{}", message(&bed));
    }
}

#[test]
fn a_broken_power_schedule_does_not_hold_a_deletion_and_broken_rules_for_stops_do() {
    let period = PowerPeriod { name: "p".into(), start: "x".into(), stop: "y".into(), time_zone: None };
    let broken = fleet().wanting(|spec| spec.power_schedule = Some(vec![period])).deleting();
    assert_eq!(broken.next(), "UpdateFleet");
    let stops = fleet().disruption(|d| d.force_after = Some("x".into())).deleting();
    assert_eq!(shown(&stops), is("Settled", "Stalled", "InvalidSpec"));
    assert_eq!(stops.stopped().next(), "DeleteFleet", "nothing is left to stop");
}

#[test]
fn retain_takes_our_tags_off_and_always_lets_go() {
    let bed = retaining(fleet()).deleting();
    assert_eq!(bed.next(), "UntagResource");
    let Next::Send(call) = bed.pass().plan.next else { panic!() };
    assert_eq!(untagged(bed.clone()).next(), "Release");
    assert_eq!(others(bed.clone()).next(), "Release");
    assert_eq!(bed.clone().gone().next(), "Release");
    assert_eq!(bed.clone().failed(call.clone(), Class::AccessDenied, "X").next(), "Release");
    assert_eq!(bed.clone().failed(call.clone(), Class::Throttled, "X").next(), "UntagResource");
    assert_eq!(bed.clone().failed(call, Class::Throttled, "X").after(60).next(), "Release");
    let mut blind = bed.failing(None, Class::Throttled, "X", at("2026-11-22T12:00:00Z"));
    blind.readable = false;
    assert_eq!((blind.next(), blind.after(60).next()), ("Wait".into(), "Release".into()));
}

#[test]
fn a_fleet_that_lost_our_tags_is_not_deleted_by_guess_and_another_of_its_name_is_left_alone() {
    let lost = untagged(fleet().deleting().after(9999));
    assert_eq!(shown(&lost), is("Settled", "Stalled", "NotOwned"));
    let mut another = lost.clone();
    another.facts().created_time = Some(at("2026-11-01T00:00:00Z"));
    assert_eq!(another.next(), "Release");
    assert_eq!(others(fleet().deleting()).next(), "Wait");
    assert_eq!(others(fleet().deleting()).after(60).next(), "Release");
    // Also when it had been gone for a while in between.
    let mut returned = untagged(fleet().gone().later(1).deleting().after(9999));
    returned.aws = another.aws;
    assert_eq!(returned.next(), "Release");
}
