//! What a namespace may not have, and what the API server does not take.

use std::time::Duration;

use super::bed::*;
use crate::api::access_grant::*;
use crate::api::account::GrantTarget;
use crate::plan::Allow;
use crate::plan::secret::*;

fn raw() -> Bed {
    let mut bed = grant();
    let target = bed.object.spec.lightsail_instance.as_mut().unwrap();
    (target.instance_ref, target.name) = (None, Some("web".parse().unwrap()));
    bed.beside.objects.clear();
    bed
}

fn compute() -> Bed {
    let mut bed = grant();
    bed.object.spec.lightsail_instance = None;
    bed.object.spec.game_lift_compute =
        Some(GameLiftComputeTarget { fleet_id: "fleet-1".into(), compute_name: "i-1".into() });
    bed.beside.objects.clear();
    bed
}

#[test]
fn raw_names_and_gamelift_need_an_account_that_allows_both_the_target_and_the_unmanaged() {
    for (make, target) in
        [(raw as fn() -> Bed, GrantTarget::LightsailInstance), (compute, GrantTarget::GameLiftCompute)]
    {
        for (targets, unmanaged, allowed) in [(true, true, true), (true, false, false), (false, true, false)] {
            let mut bed = make();
            bed.scope.allow.grants.unmanaged = unmanaged;
            bed.scope.allow.grants.targets = targets.then_some(target).into_iter().collect();
            bed.settle();
            assert_eq!(bed.says("Ready", "Available"), allowed, "{target:?} {targets} {unmanaged}");
            assert_eq!(bed.says("Stalled", "NotAllowed"), !allowed, "{target:?} {targets} {unmanaged}");
            assert_eq!(bed.looks > 0, allowed);
        }
    }
}

#[test]
fn an_account_that_says_nothing_of_grants_allows_none() {
    let mut bed = grant();
    bed.scope.allow = Allow::default();
    bed.settle();
    assert!(bed.says("Stalled", "NotAllowed"));
    assert_eq!((bed.calls, bed.looks), (0, 0));
}

#[test]
fn a_grant_longer_than_the_account_allows_is_refused() {
    for (longest, allowed) in [(3600, true), (3599, false)] {
        let mut bed = grant();
        bed.scope.allow.grants.max_duration = Some(Duration::from_secs(longest));
        bed.settle();
        assert_eq!(bed.says("Ready", "Available"), allowed);
        assert_eq!(bed.calls > 0, allowed);
    }
}

#[test]
fn a_target_with_the_tags_of_another_namespace_or_cluster_is_never_opened() {
    for (key, value, allowed) in [
        ("windlass.dev/namespace", "other", false),
        ("windlass.dev/cluster", "other", false),
        ("windlass.dev/namespace", "team", true),
        ("windlass.dev/cluster", "cluster-1", true),
        ("Namespace", "other", true),
    ] {
        let mut bed = raw();
        bed.scope.allow.grants.unmanaged = true;
        bed.scope.allow.grants.targets = [GrantTarget::LightsailInstance].into();
        bed.target().tags = [(key.to_owned(), value.to_owned())].into();
        bed.settle();
        assert_eq!((bed.calls > 0, bed.says("Stalled", "NotAllowed")), (allowed, !allowed), "{key}={value}");
    }
}

#[test]
fn an_account_that_stops_allowing_takes_the_secret_at_once() {
    let mut bed = granted();
    bed.allowed = Err("the namespace is not allowed".into());
    assert_eq!(bed.pass(), "Delete");
    assert_eq!(bed.settle(), "Settled");
    assert!(bed.says("Stalled", "NotAllowed"));
    bed.allowed = Ok(());
    bed.settle();
    assert!(bed.says("Ready", "Available"));
    let mut shorter = granted();
    shorter.scope.allow.grants.max_duration = Some(Duration::from_secs(60));
    assert_eq!(shorter.pass(), "Delete");
}

#[test]
fn the_secret_of_another_grant_is_never_touched_and_aws_is_not_asked() {
    let mut bed = grant();
    bed.beside.secret = SecretSeen::There(SecretFacts {
        of: "uid-2".into(),
        uid: "secret-2".into(),
        version: "1".into(),
        owned: true,
        deleting: false,
        edited: false,
        stamps: Default::default(),
    });
    assert_eq!(bed.settle(), "Settled");
    assert!(bed.says("Stalled", "SecretNotOwned"));
    assert_eq!((bed.calls, bed.looks, bed.writes.len()), (0, 0, 0));
}

/// Whose Secret it is nobody tells: it has no label of ours.
#[test]
fn a_name_that_somebody_has_taken_is_looked_at_again_and_aws_is_not_asked() {
    let mut bed = grant();
    bed.pass();
    bed.beside.secret = SecretSeen::There(SecretFacts {
        of: String::new(),
        uid: "foreign".into(),
        version: "1".into(),
        owned: false,
        deleting: false,
        edited: false,
        stamps: Default::default(),
    });
    assert_eq!(bed.settle(), "Wait");
    assert!(bed.says("Stalled", "SecretNotOwned"));
    assert_eq!((bed.calls, bed.looks, bed.writes.len()), (0, 0, 0));
    bed.beside.secret = SecretSeen::Absent;
    assert_eq!(bed.settle(), "Settled");
    assert!(bed.says("Ready", "Available"));
}

#[test]
fn what_the_api_server_refused_is_not_asked_for_again_at_once() {
    for (why, condition, reason, rest) in [
        (SecretRefusal::Taken, "Stalled", "SecretNotOwned", 30),
        (SecretRefusal::Denied, "Stalled", "SecretsNotPermitted", 60),
        (SecretRefusal::Refused, "Reconciling", "SecretNotWritten", 300),
        (SecretRefusal::Unavailable, "Reconciling", "SecretNotWritten", 5),
    ] {
        let mut bed = grant();
        bed.pass();
        bed.refused(SecretVerb::Create, why);
        for _ in 0..3 {
            assert_eq!(bed.pass(), "Wait");
        }
        assert!(bed.says(condition, reason), "{:?}", bed.shown());
        assert_eq!((bed.calls, bed.writes.len()), (0, 0), "{why:?}");
        bed.after(rest);
        assert_eq!(bed.pass(), "Create", "{why:?}");
    }
}

#[test]
fn where_the_operator_may_not_see_secrets_no_credentials_are_made() {
    let mut bed = grant();
    bed.beside.secret = SecretSeen::Denied("secrets is forbidden".into());
    assert_eq!(bed.pass(), "Wait");
    assert!(bed.says("Stalled", "SecretsNotPermitted"));
    bed.beside.secret = SecretSeen::Unknown;
    assert_eq!(bed.pass(), "Wait");
    assert_eq!((bed.calls, bed.looks), (0, 0));
}

#[test]
fn an_account_elsewhere_than_the_target_takes_the_secret() {
    let mut bed = granted();
    bed.scope.account = "444455556666".into();
    assert_eq!(bed.pass(), "Delete");
    bed.pass();
    assert!(bed.says("Stalled", "AccountMoved"));
}

#[test]
fn no_key_no_password_and_no_token_is_in_any_plan_as_text() {
    let mut bed = granted();
    bed.after(60);
    bed.facts().edited = true;
    let plan = bed.plan();
    let text = format!("{plan:?} {:?} {:?}", bed.body, ssh());
    assert!(text.contains("ssh-privatekey"), "the names of the files are shown");
    for secret in [PEM.lines().nth(1).unwrap(), &CERTIFICATE[100..160]] {
        assert!(!text.contains(secret));
    }
    let status = serde_json::to_string(&bed.status()).unwrap();
    assert!(!status.contains("PRIVATE KEY"));
}
