//! How an instance goes: nothing of ours stays, nothing of others goes, and nothing is lost that the spec keeps.

use std::time::Duration;

use super::bed::*;
use crate::api::common::DeletionPolicy;
use crate::api::fleet::DesiredState;
use crate::api::instance::*;
use crate::plan::Next;
use crate::plan::instance::*;

fn released(bed: &Bed) -> bool {
    matches!(bed.pass().0.next, Next::Release)
}

#[test]
fn an_instance_is_deleted_whatever_disruption_says_and_released_once_its_absence_is_sure() {
    for state in [DesiredState::Running, DesiredState::Stopped] {
        let mut bed = settled(InstanceSpec { desired_state: state, ..spec() }).deleting();
        let began = bed.now;
        bed.run();
        assert_eq!(bed.sent, ["DeleteInstance"], "{state:?}");
        assert!(released(&bed) && bed.aws.is_none());
        assert!(bed.now.duration_since(began).as_secs() >= 60);
    }
}

#[test]
fn our_static_ip_goes_first_and_an_existing_one_stays() {
    let mut bed = settled(InstanceSpec { static_ip: Some(StaticIp { name: None }), ..spec() }).deleting();
    bed.run();
    assert_eq!(bed.sent, ["DetachStaticIp web-01234567", "ReleaseStaticIp web-01234567", "DeleteInstance"]);
    assert!(released(&bed) && bed.static_ips.is_empty());

    let mut bed = running();
    bed.static_ips.insert("shared".into(), StaticIpFacts { address: None, attached_to: Some("web".into()) });
    let mut bed = bed.wanting(|s| s.static_ip = Some(StaticIp { name: Some(named("shared")) })).deleting();
    bed.run();
    assert_eq!(bed.sent, ["DeleteInstance"]);
    assert!(bed.static_ips.contains_key("shared"));
}

#[test]
fn a_static_ip_of_ours_does_not_outlive_an_instance_that_somebody_else_deleted() {
    let mut bed = settled(InstanceSpec { static_ip: Some(StaticIp { name: None }), ..spec() });
    bed.aws = None;
    bed.static_ips.get_mut("web-01234567").unwrap().attached_to = None;
    let mut bed = bed.deleting();
    bed.run();
    assert_eq!(bed.sent, ["ReleaseStaticIp web-01234567"]);
    assert!(released(&bed) && bed.static_ips.is_empty());
}

#[test]
fn a_static_ip_of_ours_that_another_instance_has_is_left() {
    let mut bed = settled(InstanceSpec { static_ip: Some(StaticIp { name: None }), ..spec() });
    bed.static_ips.get_mut("web-01234567").unwrap().attached_to = Some("other".into());
    let mut bed = bed.deleting();
    bed.run();
    assert_eq!(bed.sent, ["DeleteInstance"]);
    assert_eq!(bed.static_ips.len(), 1);
}

#[test]
fn automatic_snapshots_hold_a_deletion_back_unless_the_spec_lets_them_go() {
    let add_ons = Some(AddOns { auto_snapshot: Some(AutoSnapshot::default()) });
    let mut bed = settled(InstanceSpec { add_ons, ..spec() });
    bed.snapshots = vec!["2026-11-21".into(), "2026-11-20".into()];
    let mut bed = bed.deleting();
    bed.run_for(Duration::from_secs(3600));
    let (_, reason, text) = bed.condition("Reconciling");
    assert_eq!((bed.sent.len(), reason.as_str()), (0, "AutoSnapshotsKept"));
    assert!(text.starts_with("AWS would destroy the automatic snapshots of 2026-11-21, 2026-11-20"), "{text}");
    assert!(text.contains("autoSnapshotsOnDelete: Delete") && text.contains("deletionPolicy: Retain"), "{text}");
    let mut bed = bed.wanting(|s| s.auto_snapshots_on_delete = AutoSnapshotsOnDelete::Delete);
    bed.snapshots.clear();
    bed.run();
    assert_eq!(bed.sent, ["DeleteInstance with add-ons"]);
    assert!(released(&bed));
}

#[test]
fn snapshots_that_are_left_of_a_disabled_add_on_hold_it_back_too() {
    let mut bed = running();
    bed.facts().auto_snapshot = Some(AutoSnapshotFacts { status: AddOnStatus::Disabled, time: None });
    bed.snapshots = vec!["2026-11-21".into()];
    let mut bed = bed.deleting();
    bed.run_for(Duration::from_secs(300));
    assert_eq!((bed.sent.len(), bed.condition("Reconciling").1.as_str()), (0, "AutoSnapshotsKept"));
    // Deleted by hand, it goes, and no add-on is forced.
    bed.snapshots.clear();
    bed.run();
    assert_eq!(bed.sent, ["DeleteInstance"]);
}

#[test]
fn snapshots_that_aws_does_not_let_us_see_hold_it_back_with_its_words() {
    let refusal = |since| crate::plan::looked::Refusal {
        operation: "GetAutoSnapshots",
        code: "AccessDeniedException".into(),
        message: "not authorized".into(),
        since,
    };
    let mut bed = running();
    bed.blind = Some(refusal(bed.now));
    let mut bed = bed.deleting();
    bed.run_for(Duration::from_secs(300));
    assert_eq!((bed.sent.len(), bed.condition("Reconciling").1.as_str()), (0, "AccessDenied"));
    bed.run_for(Duration::from_secs(400));
    let (_, reason, text) = bed.condition("Stalled");
    assert_eq!((bed.sent.len(), reason.as_str()), (0, "AccessDenied"));
    assert!(text.starts_with("GetAutoSnapshots: AccessDeniedException: not authorized"), "{text}");
    // What the spec lets go needs no look.
    let mut free = bed.clone().wanting(|s| s.auto_snapshots_on_delete = AutoSnapshotsOnDelete::Delete);
    free.run();
    assert_eq!(free.sent, ["DeleteInstance with add-ons"]);
    bed.blind = None;
    bed.run();
    assert_eq!(bed.sent, ["DeleteInstance"]);
}

#[test]
fn a_transition_is_waited_out() {
    for power in [Power::Pending, Power::Stopping] {
        let mut bed = running().power(power).deleting();
        bed.step();
        assert_eq!(bed.sent, Vec::<String>::new());
        bed.run();
        assert_eq!(bed.sent, ["DeleteInstance"]);
    }
}

#[test]
fn retain_takes_our_tags_off_and_leaves_the_rest_with_its_address() {
    let mut bed = settled(InstanceSpec { static_ip: Some(StaticIp { name: None }), ..spec() })
        .wanting(|s| s.common.deletion_policy = Some(DeletionPolicy::Retain))
        .deleting();
    let (plan, _) = bed.pass();
    assert!(matches!(plan.next, Next::Send(InstanceCall::Untag { .. })), "{:?}", plan.next);
    bed.step();
    assert!(released(&bed) && bed.aws.is_some());
    assert_eq!((bed.sent.len(), bed.static_ips.len()), (1, 1));
}

#[test]
fn an_object_that_made_nothing_is_let_go_at_once() {
    let mut wrong = spec();
    wrong.bundle_id = "huge_3_0".into();
    let mut bed = new(wrong);
    bed.step();
    let bed = bed.deleting();
    assert!(released(&bed));
}

#[test]
fn another_instance_under_the_name_is_not_deleted() {
    let mut bed = running();
    bed.facts().tags.clear();
    bed.facts().created_time = Some(at("2026-11-22T13:00:00Z"));
    let mut bed = bed.deleting();
    bed.run();
    assert_eq!(bed.sent, Vec::<String>::new());
    assert!(released(&bed));
}
