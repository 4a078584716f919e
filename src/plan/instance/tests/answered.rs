//! What AWS has answered and not done, or does not show yet.

use std::time::Duration;

use super::bed::*;
use crate::api::fleet::DesiredState;
use crate::api::instance::*;
use crate::plan::Class;
use crate::plan::instance::*;

fn snapshots() -> Option<AddOns> {
    Some(AddOns { auto_snapshot: Some(AutoSnapshot { snapshot_time_of_day: None }) })
}

fn own() -> Option<StaticIp> {
    Some(StaticIp { name: None })
}

const OWN: &str = "web-01234567";

#[test]
fn a_write_that_aws_takes_and_cannot_carry_out_is_shown_with_its_code_and_text_and_tried_less_and_less_often() {
    type Edit = fn(&mut InstanceSpec);
    let rows: [(&'static str, Edit, Edit); 7] = [
        ("StartInstance", |s| s.desired_state = DesiredState::Stopped, |s| s.desired_state = DesiredState::Running),
        ("StopInstance", |_| {}, |s| s.desired_state = DesiredState::Stopped),
        ("PutInstancePublicPorts", |_| {}, |s| s.public_ports = Some(vec![])),
        ("EnableAddOn", |_| {}, |s| s.add_ons = snapshots()),
        ("DisableAddOn", |s| s.add_ons = snapshots(), |s| s.add_ons = None),
        ("AllocateStaticIp", |_| {}, |s| s.static_ip = own()),
        ("DetachStaticIp", |s| s.static_ip = own(), |s| s.static_ip = None),
    ];
    for (operation, before, edit) in rows {
        let mut first = spec();
        before(&mut first);
        let mut bed = settled(first).wanting(edit);
        bed.answers.insert(operation, Answer::FailsLater);
        bed.run_for(Duration::from_secs(3600));
        let (_, reason, text) = bed.condition("Reconciling");
        let words = format!("{operation}: InsufficientCapacity: no room");
        assert_eq!((reason.as_str(), text), ("AwsBusy", words), "{operation}");
        let tried: Vec<_> = bed.operations.iter().filter(|one| one.failed).filter_map(|one| one.created_at).collect();
        let gaps: Vec<i64> = tried.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs()).collect();
        assert!((3..=8).contains(&gaps.len()), "{operation}: {gaps:?}");
        assert!(gaps[0] >= 60 && gaps.windows(2).all(|pair| pair[1] >= pair[0]), "{operation}: {gaps:?}");
        // AWS has room again.
        bed.answers.clear();
        bed.run();
        assert_eq!(bed.condition("Ready").0, "True", "{operation}: {:?}", bed.sent);
    }
}

#[test]
fn a_deletion_that_aws_takes_and_cannot_carry_out_is_shown_with_its_code_and_text() {
    let mut bed = running().deleting();
    bed.answers.insert("DeleteInstance", Answer::FailsLater);
    bed.run_for(Duration::from_secs(600));
    let (_, reason, text) = bed.condition("Reconciling");
    let words = "DeleteInstance: InsufficientCapacity: no room (deletionPolicy: Retain lets the object go and leaves the instance)";
    assert_eq!((reason.as_str(), text.as_str()), ("AwsBusy", words));
    bed.answers.clear();
    bed.run();
    assert_eq!(bed.aws, None);
}

#[test]
fn a_start_that_brings_no_bundle_since_aws_cannot_carry_it_out_is_made_without_it() {
    let mut bed = running().wanting(|s| s.bundle_id = "nano_4_0".into()).power(Power::Stopped);
    bed.answers.insert("StartInstance", Answer::FailsLater);
    while bed.sent.len() < 2 {
        bed.step();
    }
    bed.answers.clear();
    bed.run_for(Duration::from_secs(3600));
    assert_eq!(bed.sent[0], "StartInstance nano_4_0");
    assert_eq!(bed.sent.last().map(String::as_str), Some("StartInstance"));
    let (_, reason, text) = bed.condition("Stalled");
    assert!(reason == "Rejected" && text.contains("InsufficientCapacity: no room"), "{reason}: {text}");
}

#[test]
fn what_is_set_and_removed_before_a_pass_has_seen_it_in_aws_goes_from_aws() {
    type Edit = fn(&mut InstanceSpec, bool);
    let rows: [(Edit, [&str; 2]); 2] = [
        (
            |s, on| s.common.tags = on.then(|| [("team".to_owned(), "a".to_owned())].into()),
            ["TagResource", "UntagResource"],
        ),
        (|s, on| s.add_ons = snapshots().filter(|_| on), ["EnableAddOn", "DisableAddOn"]),
    ];
    for (edit, calls) in rows {
        for lags in [false, true] {
            let mut bed = running().wanting(|s| edit(s, true));
            let before = bed.aws.clone();
            bed.step();
            let mut bed = bed.wanting(|s| edit(s, false));
            if lags {
                // AWS shows it late, and does all the same what it is told.
                let after = std::mem::replace(&mut bed.aws, before);
                let (plan, _) = bed.pass();
                bed.object.status = Some(plan.status);
                bed.aws = after;
            }
            bed.run();
            assert_eq!(bed.sent, calls, "lags: {lags}");
            assert!(!bed.facts().tags.contains_key("team"), "lags: {lags}");
            assert_eq!(bed.condition("Ready").0, "True", "lags: {lags}");
        }
    }
}

#[test]
fn a_catalogue_that_could_not_be_read_is_asked_for_again_within_a_minute() {
    let mut bed = running();
    bed.catalogue.unreadable = Some("AccessDenied".into());
    bed.known_catalogue = true;
    bed.run_for(Duration::from_secs(300));
    assert!(bed.condition("Ready").2.contains("its catalogue cannot be read: AccessDenied"));
    bed.catalogue.unreadable = None;
    bed.run_for(Duration::from_secs(70));
    assert_eq!(bed.condition("Ready").2, "instance web is running");
}

#[test]
fn a_static_ip_whose_allocation_was_never_answered_is_released_when_it_shows_up() {
    let mut bed = running().wanting(|s| s.static_ip = own());
    bed.answers.insert("AllocateStaticIp", Answer::Refuses(Class::Unavailable));
    bed.step();
    assert_eq!(bed.sent, [format!("AllocateStaticIp {OWN}")]);
    bed.quiet_since = bed.now;
    let mut bed = bed.wanting(|s| s.static_ip = None);
    bed.step();
    assert!(bed.status().internal.applied.static_ips.contains(OWN));
    let (_, reason, text) = bed.condition("Reconciling");
    assert_eq!((reason.as_str(), text), ("Updating", format!("staticIp: making sure that {OWN} is not there")));
    let mut gone = bed.clone();
    // It shows up late.
    bed.static_ips.insert(OWN.into(), StaticIpFacts { address: None, attached_to: None });
    bed.run_for(Duration::from_secs(300));
    assert_eq!((bed.sent.len(), bed.static_ips.len()), (2, 0), "{:?}", bed.sent);
    assert!(bed.status().internal.applied.static_ips.is_empty());
    // It never does: once that is sure, nothing is remembered, and nothing is written after the object has settled.
    gone.run();
    assert_eq!((gone.condition("Ready").0.as_str(), gone.sent.len()), ("True", 1));
    let settled = gone.status();
    assert!(settled.internal.applied.static_ips.is_empty());
    gone.run_for(Duration::from_secs(3600));
    assert_eq!(gone.status(), settled);
}
