//! Credentials come, are renewed in time, and are repaired.

use std::collections::BTreeSet;

use super::bed::*;
use crate::plan::access_grant::*;
use crate::plan::secret::*;
use crate::plan::*;

#[test]
fn a_grant_writes_its_secret_after_one_access_call_and_is_ready() {
    let mut bed = grant();
    assert_eq!(bed.settle(), "Settled");
    assert_eq!((bed.calls, bed.writes.join(" ").as_str()), (1, "Create"));
    assert!(bed.says("Ready", "Available"));
    let status = bed.status();
    assert_eq!(status.secret_name.as_deref(), Some("fix-it"));
    assert_eq!(status.target.as_deref(), Some("Instance web (ssh)"));
    assert_eq!(status.ends_at, Some(at("2026-11-22T13:00:00Z")));
    // Neither AWS nor the bed says it: the certificate does.
    assert_eq!(status.credential_expires_at, Some(at("2026-11-22T12:10:00Z")));
    assert_eq!(status.internal.target.unwrap().id.as_deref(), Some(ARN));
    assert_eq!(status.arn.unwrap().as_str(), ARN);
}

#[test]
fn a_settled_grant_makes_no_call_and_writes_nothing() {
    let mut bed = granted();
    let (calls, looks, status) = (bed.calls, bed.looks, bed.object.status.clone());
    for _ in 0..3 {
        assert_eq!(bed.after(30).pass(), "Settled");
    }
    assert_eq!((bed.calls, bed.looks, bed.object.status.clone()), (calls, looks, status));
}

#[test]
fn it_is_renewed_at_its_time_with_one_call() {
    let mut bed = granted();
    let Next::Settled(Some(due)) = bed.plan().next else { panic!("not settled") };
    assert!(due > bed.now && due <= at("2026-11-22T12:06:00Z"), "{due}");
    bed.now = due;
    let calls = bed.calls;
    assert_eq!(bed.pass(), "Replace");
    assert_eq!(bed.calls, calls + 1);
    assert_eq!(bed.settle(), "Settled");
}

#[test]
fn what_others_do_to_the_secret_is_repaired_at_once() {
    type Harm = fn(&mut SecretFacts);
    let harms: [Harm; 4] = [
        |facts| facts.edited = true,
        |facts| facts.owned = false,
        |facts| facts.stamps.clear(),
        |facts| drop(facts.stamps.insert("target".into(), "another".into())),
    ];
    for harm in harms {
        let mut bed = granted();
        bed.after(60);
        harm(bed.facts());
        assert_eq!(bed.pass(), "Replace");
        assert_eq!(bed.settle(), "Settled");
        assert!(bed.says("Ready", "Available"));
    }
    let mut bed = granted();
    bed.beside.secret = SecretSeen::Absent;
    assert_eq!(bed.pass(), "Create");
}

#[test]
fn another_address_of_the_machine_renews_at_once() {
    let mut bed = granted();
    bed.after(60);
    bed.face().address = Some("203.0.113.9".into());
    bed.target().address = Some("203.0.113.9".into());
    bed.access = || match ssh() {
        AccessSeen::Given(Credentials::Ssh(access)) => {
            AccessSeen::Given(Credentials::Ssh(SshAccess { host: Some("203.0.113.9".into()), ..access }))
        }
        other => other,
    };
    assert_eq!(bed.pass(), "Replace");
    assert_eq!(bed.settle(), "Settled");
    assert!(bed.says("Ready", "Available"));
}

#[test]
fn whoever_edits_it_every_second_costs_a_call_in_five_seconds_and_it_is_replaced_each_time() {
    let mut bed = granted();
    let calls = bed.calls;
    for _ in 0..60 {
        bed.after(1);
        if let SecretSeen::There(facts) = &mut bed.beside.secret {
            facts.edited = true;
        }
        bed.pass();
    }
    assert!(bed.calls - calls <= 12, "{}", bed.calls - calls);
    assert!(!bed.writes.contains(&"Delete".to_owned()), "{:?}", bed.writes);
    bed.after(5);
    assert_eq!(bed.settle(), "Settled");
    assert!(bed.says("Ready", "Available"));
}

#[test]
fn the_address_that_its_object_shows_late_or_never_makes_no_loop() {
    let mut bed = grant();
    bed.face().address = Some("203.0.113.1".into());
    assert_eq!(bed.settle(), "Settled");
    bed.after(60);
    assert_eq!(bed.settle(), "Settled");
    assert_eq!(bed.calls, 1);
    bed.face().address = Some("198.51.100.7".into());
    assert_eq!(bed.settle(), "Settled");
    assert_eq!(bed.calls, 2);
}

#[test]
fn credentials_that_come_expired_are_not_asked_for_in_a_loop() {
    let mut bed = grant();
    bed.now = at("2026-11-22T12:30:00Z");
    assert_eq!(bed.settle(), "Wait");
    assert!(bed.says("Reconciling", "AwsUnavailable"));
    assert_eq!(bed.writes.len(), 0);
}

#[test]
fn a_secret_that_somebody_made_unchangeable_is_deleted_and_made_anew() {
    let mut bed = granted();
    bed.after(60);
    bed.facts().edited = true;
    bed.refused(SecretVerb::Replace, SecretRefusal::Refused);
    assert_eq!(bed.pass(), "Delete");
    bed.beside.secret_failure = None;
    assert_eq!(bed.pass(), "Create");
}

#[test]
fn while_the_present_credentials_work_no_trouble_with_the_next_is_shown() {
    let mut bed = granted();
    bed.after(400);
    bed.failing(Class::Unavailable);
    assert_eq!(bed.pass(), "Wait");
    assert!(bed.says("Ready", "Available"));
    bed.after(300);
    assert_eq!(bed.pass(), "Wait");
    assert!(bed.says("Reconciling", "AwsUnavailable"), "expired");
    bed.readable = true;
    bed.access = || match ssh() {
        AccessSeen::Given(Credentials::Ssh(access)) => {
            let expires_at = Some(at("2026-11-22T12:30:00Z"));
            AccessSeen::Given(Credentials::Ssh(SshAccess { expires_at, ..access }))
        }
        other => other,
    };
    assert_eq!(bed.pass(), "Replace");
}

#[test]
fn what_is_not_ready_is_waited_for_with_a_reason_of_its_own() {
    type Case = (fn(&mut Bed), &'static str, &'static str, usize);
    let rows: [Case; 10] = [
        (|bed| bed.target().doing = Doing::NotRunning("stopped".into()), "Reconciling", "InstanceNotRunning", 0),
        (|bed| bed.target().doing = Doing::FleetNot("BUILDING".into()), "Reconciling", "FleetNotActive", 0),
        (|bed| bed.target().address = None, "Reconciling", "NoAddress", 0),
        (|bed| bed.target().windows = true, "Stalled", "InvalidSpec", 0),
        (|bed| bed.target = TargetSeen::Absent(Missing::Instance), "Reconciling", "DependencyNotReady", 0),
        (|bed| bed.target = TargetSeen::Absent(Missing::Compute), "Reconciling", "ComputeNotFound", 0),
        (|bed| bed.target = TargetSeen::NoAccess(NoAccess::Anywhere), "Stalled", "AnywhereFleet", 0),
        (|bed| bed.target = TargetSeen::NoAccess(NoAccess::Container), "Stalled", "ContainerFleet", 0),
        (|bed| bed.access = || AccessSeen::NotYet("wait".into()), "Reconciling", "AwsBusy", 1),
        (
            |bed| bed.access = || AccessSeen::Refused("InvalidRequestException".into(), "no".into()),
            "Stalled",
            "Rejected",
            1,
        ),
    ];
    for (number, (change, condition, reason, calls)) in rows.into_iter().enumerate() {
        let mut bed = grant();
        bed.pass();
        change(&mut bed);
        bed.pass();
        assert!(bed.says(condition, reason), "{number}: {:?}", bed.shown());
        assert_eq!((bed.calls, bed.writes.len()), (calls, 0), "{number}");
    }
}

#[test]
fn without_host_keys_nothing_is_written() {
    let mut bed = grant();
    bed.access = || match ssh() {
        AccessSeen::Given(Credentials::Ssh(access)) => {
            AccessSeen::Given(Credentials::Ssh(SshAccess { host_keys: Vec::new(), ..access }))
        }
        other => other,
    };
    bed.pass();
    assert_eq!(bed.pass(), "Wait");
    assert!(bed.says("Reconciling", "HostKeysUnknown"));
}

#[test]
fn an_instance_that_is_not_there_or_not_in_aws_is_waited_for_without_a_call() {
    type Case = fn(&mut Bed);
    let rows: [Case; 3] = [
        |bed| bed.beside.objects = [(neighbour(), None)].into(),
        |bed| bed.face().arn = None,
        |bed| bed.face().deleting = true,
    ];
    for change in rows {
        let mut bed = grant();
        change(&mut bed);
        assert_eq!(bed.pass(), "Wait");
        assert!(bed.says("Reconciling", "DependencyNotReady"));
        assert_eq!((bed.calls, bed.looks), (0, 0));
    }
}

#[test]
fn the_name_of_the_machine_is_written_down_before_it_is_asked_for() {
    let mut bed = grant();
    assert_eq!(bed.pass(), "Wait");
    assert_eq!(bed.status().internal.target.unwrap().name.as_deref(), Some("web"));
    assert_eq!((bed.calls, bed.looks), (0, 0));
    assert_eq!(bed.pass(), "Create");
}

#[test]
fn the_uid_alone_spreads_the_renewals() {
    let due = |n: u32| {
        let mut bed = grant();
        bed.object.metadata.uid = Some(format!("uid-{n}"));
        bed.settle();
        bed.facts().stamps.get("renew-at").cloned().unwrap()
    };
    let all: BTreeSet<String> = (0..20).map(due).collect();
    assert!(all.len() > 15, "{all:?}");
}

#[test]
fn an_operator_that_has_not_seen_the_secrets_yet_says_what_was_said_before() {
    for mut bed in [granted(), grant()] {
        bed.beside.secret = SecretSeen::Absent;
        bed.target().doing = Doing::NotRunning("stopped".into());
        bed.settle();
        let before = bed.status();
        bed.beside.secret = SecretSeen::Unknown;
        let plan = bed.plan();
        assert_eq!((plan.status, plan.news), (before, Vec::new()));
    }
    let mut new = grant();
    new.beside.secret = SecretSeen::Unknown;
    new.pass();
    assert!(new.says("Reconciling", "Issuing"));
}
