//! What becomes of a grant when its machine stops, goes, or is somewhere else; and of credentials that nobody renews.

use super::bed::*;
use crate::api::access_grant::*;
use crate::api::account::GrantTarget;
use crate::plan::SecretText;
use crate::plan::access_grant::*;

fn compute_access() -> AccessSeen {
    AccessSeen::Given(Credentials::Compute(ComputeAccess {
        access_key_id: SecretText::new("AKIA".into()),
        secret_access_key: SecretText::new("secret".into()),
        session_token: SecretText::new("token".into()),
        target: "i-1".into(),
        region: "eu-central-1".into(),
        containers: Vec::new(),
    }))
}

/// One on a compute, whose credentials are written.
fn compute() -> Bed {
    let mut bed = grant();
    bed.object.spec.lightsail_instance = None;
    bed.object.spec.game_lift_compute =
        Some(GameLiftComputeTarget { fleet_id: "fleet-1".into(), compute_name: "i-1".into() });
    bed.object.spec.duration = "10h".into();
    bed.beside.objects.clear();
    bed.scope.allow.grants.unmanaged = true;
    bed.scope.allow.grants.targets = [GrantTarget::GameLiftCompute].into();
    let arn = "arn:aws:gamelift:eu-central-1::fleet/fleet-1";
    bed.target = TargetSeen::There(Box::new(TargetFacts {
        id: format!("{arn}/i-1"),
        arn: Some(arn.parse().unwrap()),
        ..instance()
    }));
    bed.access = compute_access;
    assert_eq!(bed.settle(), "Settled");
    assert!(bed.says("Ready", "Available"));
    bed
}

#[test]
fn a_machine_that_stops_is_told_though_its_credentials_are_good() {
    let mut bed = granted();
    bed.after(60).face().address = None;
    bed.target().doing = Doing::NotRunning("stopped".into());
    bed.target().address = None;
    bed.settle();
    assert!(bed.says("Reconciling", "InstanceNotRunning"), "{:?}", bed.shown());
    assert_eq!(bed.calls, 1, "AWS is not asked for what opens nothing");
    // It comes up again, with another address.
    bed.face().address = Some("198.51.100.8".into());
    bed.target().doing = Doing::Running;
    bed.target().address = Some("198.51.100.8".into());
    bed.settle();
    assert!(bed.says("Ready", "Available"), "{:?}", bed.shown());
    assert_eq!(bed.writes, ["Create", "Replace"]);
}

#[test]
fn a_machine_that_no_object_stands_for_any_more_is_looked_at_and_opened_no_more_often() {
    let mut bed = granted();
    bed.beside.objects.insert(neighbour(), None);
    let looks = bed.looks;
    assert_eq!(bed.settle(), "Settled");
    assert!(bed.says("Ready", "Available") && bed.looks > looks);
    assert_eq!(bed.calls, 1);
    // Then it goes, too, long before its credentials would be renewed.
    bed.target = TargetSeen::Absent(Missing::Instance);
    bed.access = || AccessSeen::NotFound;
    bed.after(5).settle();
    bed.after(15).settle();
    assert!(bed.says("Ended", "TargetGone"), "{:?}", bed.shown());
    assert_eq!(bed.writes, ["Create", "Delete"]);
}

#[test]
fn credentials_without_an_expiry_that_nobody_could_renew_are_not_said_to_work_for_ever() {
    let mut bed = compute();
    bed.after(20 * 60);
    bed.failing(crate::plan::Class::AccessDenied);
    bed.settle();
    assert!(bed.says("Ready", "Available"), "twice the interval of 15 minutes has not passed");
    bed.after(10 * 60);
    bed.settle();
    assert!(!bed.says("Ready", "Available"), "{:?}", bed.shown());
}

#[test]
fn a_target_without_an_account_in_its_arn_is_not_looked_for_in_another() {
    let mut bed = compute();
    bed.scope.account = "999988887777".into();
    bed.after(3600).settle();
    assert!(bed.says("Stalled", "AccountMoved"), "{:?}", bed.shown());
}

#[test]
fn a_password_for_aws_s_own_key_pair_is_on_its_way() {
    let mut bed = grant();
    bed.object.spec.lightsail_instance.as_mut().unwrap().protocol = AccessProtocol::Rdp;
    bed.target().windows = true;
    bed.access = || {
        AccessSeen::Given(Credentials::Rdp(RdpAccess {
            host: Some("198.51.100.7".into()),
            username: "Administrator".into(),
            password: SecretText::new(String::new()),
            ciphertext: SecretText::new("c2VjcmV0".into()),
            key_pair_name: "LightsailDefaultKeyPair".into(),
        }))
    };
    bed.settle();
    assert!(bed.says("Reconciling", "PasswordNotReady"), "{:?}", bed.shown());
    assert_eq!(bed.writes, Vec::<String>::new());
}
