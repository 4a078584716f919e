//! Every end: in time, once, without a call.

use super::bed::*;
use crate::api::PAUSED;
use crate::plan::access_grant::*;
use crate::plan::conditions::find;
use crate::plan::secret::*;
use crate::plan::*;

#[test]
fn at_the_end_the_secret_goes_and_the_grant_is_ended_and_nothing_else() {
    let mut bed = granted();
    bed.now = at("2026-11-22T13:00:00Z");
    bed.readable = false;
    let (calls, looks) = (bed.calls, bed.looks);
    let plan = bed.plan();
    assert!(plan.news.iter().any(|news| news.reason == "Ended"), "{:?}", plan.news);
    assert_eq!(bed.pass(), "Delete");
    assert_eq!(bed.settle(), "Settled");
    let types: Vec<String> = bed.status().conditions.iter().map(|c| c.type_.clone()).collect();
    assert_eq!(types, ["Ended"]);
    assert!(bed.says("Ended", "Expired"));
    assert_eq!(bed.status().secret_name, None);
    for _ in 0..3 {
        bed.after(3600);
        assert_eq!(bed.plan().next, Next::Settled(None));
    }
    assert_eq!((bed.calls, bed.looks), (calls, looks), "an ended grant asks AWS nothing, ever");
}

#[test]
fn the_engine_is_told_of_the_end_wherever_it_comes_first() {
    let mut bed = granted();
    bed.object.spec.duration = "3m".into();
    assert_eq!(bed.plan().next, Next::Settled(Some(at("2026-11-22T12:03:00Z"))));
    let mut early = grant();
    early.object.spec.starts_at = Some(at("2026-11-22T14:00:00Z"));
    assert_eq!(early.plan().next, Next::Settled(Some(at("2026-11-22T14:00:00Z"))));
}

#[test]
fn a_shortened_grant_ends_early() {
    let mut bed = granted();
    bed.after(120);
    bed.object.spec.duration = "1m".into();
    bed.object.metadata.generation = Some(2);
    assert_eq!(bed.pass(), "Delete");
    bed.pass();
    assert!(bed.says("Ended", "Expired"));
}

#[test]
fn before_its_beginning_a_grant_asks_nothing_and_writes_nothing() {
    let mut bed = grant();
    bed.object.spec.starts_at = Some(at("2026-11-22T14:00:00Z"));
    assert_eq!(bed.settle(), "Settled");
    assert!(bed.says("Reconciling", "NotStarted"));
    assert_eq!((bed.calls, bed.looks, bed.writes.len()), (0, 0, 0));
    bed.now = at("2026-11-22T14:00:00Z");
    bed.access = || match ssh() {
        AccessSeen::Given(Credentials::Ssh(access)) => {
            let expires_at = Some(at("2026-11-22T14:10:00Z"));
            AccessSeen::Given(Credentials::Ssh(SshAccess { expires_at, ..access }))
        }
        other => other,
    };
    bed.settle();
    assert!(bed.says("Ready", "Available"));
    assert_eq!(bed.status().ends_at, Some(at("2026-11-22T15:00:00Z")));
}

#[test]
fn a_grant_made_again_from_git_after_its_end_gives_nothing() {
    let mut bed = grant();
    bed.object.spec.starts_at = Some(at("2026-11-20T00:00:00Z"));
    assert_eq!(bed.pass(), "Settled");
    assert!(bed.says("Ended", "Expired"));
    assert_eq!((bed.calls, bed.looks, bed.writes.len()), (0, 0, 0));
}

#[test]
fn a_deletion_takes_the_secret_first() {
    let mut bed = granted();
    bed.deleting();
    bed.readable = false;
    assert_eq!(bed.pass(), "Delete");
    assert_eq!(bed.pass(), "Release");
    let mut never = grant();
    never.deleting();
    assert_eq!(never.pass(), "Release");
    let mut unseen = grant();
    unseen.deleting();
    unseen.beside.secret = SecretSeen::Unknown;
    assert_eq!(unseen.pass(), "Wait");
}

#[test]
fn a_pause_holds_everything_but_the_end() {
    let mut bed = granted();
    bed.object.metadata.annotations = Some([(PAUSED.to_owned(), "true".to_owned())].into());
    bed.after(500);
    let calls = bed.calls;
    assert_eq!(bed.plan().next, Next::Settled(Some(at("2026-11-22T13:00:00Z"))));
    bed.pass();
    assert!(find(&bed.status().conditions, "Paused").is_some());
    assert_eq!(bed.calls, calls);
    bed.now = at("2026-11-22T13:00:00Z");
    assert_eq!(bed.pass(), "Delete");
}

#[test]
fn a_target_is_gone_when_the_access_call_says_so_twice_ten_seconds_apart() {
    let mut bed = granted();
    bed.after(400);
    bed.target = TargetSeen::Absent(Missing::Instance);
    bed.access = || AccessSeen::NotFound;
    assert_eq!(bed.pass(), "Wait");
    assert!(bed.status().internal.missing_since.is_some());
    bed.after(5);
    assert_eq!(bed.pass(), "Wait");
    bed.after(7);
    assert_eq!(bed.pass(), "Delete");
    assert_eq!(bed.settle(), "Settled");
    assert!(bed.says("Ended", "TargetGone"));
    let (calls, looks) = (bed.calls, bed.looks);
    bed.target = TargetSeen::There(Box::new(instance()));
    assert_eq!((bed.after(60).pass().as_str(), bed.calls, bed.looks), ("Settled", calls, looks));
}

#[test]
fn a_target_that_comes_back_is_not_gone() {
    let mut bed = granted();
    bed.after(400);
    bed.access = || AccessSeen::NotFound;
    assert_eq!(bed.pass(), "Wait");
    bed.access = ssh;
    bed.after(60);
    assert_eq!(bed.pass(), "Replace", "{:?}", bed.shown());
    assert_eq!(bed.status().internal.missing_since, None);
    bed.access = || AccessSeen::NotFound;
    bed.after(400);
    assert_eq!(bed.pass(), "Wait", "the first of two again");
}

#[test]
fn another_machine_under_the_name_is_not_the_target() {
    for change in [(|facts| facts.id = format!("{ARN}-other")) as fn(&mut TargetFacts), |facts| {
        facts.created = Some(at("2026-11-22T11:00:00Z"))
    }] {
        let mut bed = granted();
        bed.after(400);
        change(bed.target());
        let calls = bed.calls;
        assert_eq!(bed.pass(), "Delete");
        bed.settle();
        assert!(bed.says("Ended", "TargetGone"));
        assert_eq!(bed.calls, calls, "nobody asks for the credentials of another machine");
    }
}

#[test]
fn a_secret_that_arrives_after_the_end_goes_too() {
    let mut bed = granted();
    let late = bed.beside.secret.clone();
    bed.now = at("2026-11-22T13:00:00Z");
    bed.settle();
    bed.beside.secret = late;
    assert_eq!(bed.pass(), "Delete");
}
