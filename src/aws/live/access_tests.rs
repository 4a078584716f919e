//! The access calls over canned answers: what is asked, what is made of the answers, and that nothing secret is told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ciborium::Value;
use jiff::Timestamp;
use serde_json::json;

use super::canned::{Answer, Asked, Canned, Lease, accounts, credentials, error, list, map, member, scope, start};
use super::{Access, Lightsail};
use crate::api::AccessGrant;
use crate::api::access_grant::*;
use crate::aws::gate::Urgency;
use crate::aws::{Ask, AwsError, AwsPort};
use crate::plan::access_grant::{AccessSeen, Credentials, Doing, GrantLook, GrantState, Missing, NoAccess, TargetSeen};
use crate::plan::{Class, SecretText};

const CANARY: &str = "canary-5f3a";

fn access(aws: &Canned) -> Access {
    let accounts = Arc::new(accounts(aws, credentials()));
    let lightsail = Arc::new(Lightsail::new(Arc::clone(&accounts), Arc::new(Lease(false))));
    Access::new(accounts, lightsail)
}

async fn look(aws: &Canned, object: &AccessGrant, looks: &[GrantLook]) -> Result<GrantState, AwsError> {
    let looks: BTreeSet<GrantLook> = looks.iter().copied().collect();
    let ask = Ask { looks: &looks, not_before: Timestamp::MIN, urgency: Urgency::Urgent };
    access(aws).observe(&scope(), object, ask).await
}

fn grant(edit: impl FnOnce(&mut AccessGrantSpec)) -> AccessGrant {
    let mut spec = AccessGrantSpec { duration: "1h".into(), ..AccessGrantSpec::default() };
    edit(&mut spec);
    AccessGrant::new("fix-it", spec)
}

fn lightsail(protocol: AccessProtocol) -> AccessGrant {
    grant(|spec| {
        let name = Some("web".parse().unwrap());
        spec.lightsail_instance = Some(LightsailInstanceTarget { instance_ref: None, name, protocol });
    })
}

fn game_instance(fleet: &str) -> AccessGrant {
    let target = GameLiftInstanceTarget { fleet_id: fleet.into(), instance_id: "i-1".into() };
    grant(|spec| spec.game_lift_instance = Some(target))
}

fn game_compute(fleet: &str) -> AccessGrant {
    let target = GameLiftComputeTarget { fleet_id: fleet.into(), compute_name: "c-1".into() };
    grant(|spec| spec.game_lift_compute = Some(target))
}

const BOTH: [GrantLook; 2] = [GrantLook::Target, GrantLook::Access];

fn raw(body: &str) -> Answer {
    Answer::Raw(200, body.as_bytes().to_vec())
}

const INSTANCE: &str = r#"{"name":"web","arn":"arn:aws:lightsail:eu-central-1:111122223333:Instance/bd470fc5",
    "createdAt":1571679872.404,"state":{"code":16,"name":"running"},"publicIpAddress":"198.51.100.7",
    "blueprintId":"ubuntu_24_04","username":"ubuntu","tags":[{"key":"windlass.dev/namespace","value":"team"}]}"#;

/// A Lightsail with one instance that answers the access call with this.
fn lightsail_with(details: &'static str) -> Canned {
    Canned::new(move |asked: &Asked| match asked.operation.as_str() {
        "GetInstances" => raw(&format!("{{\"instances\":[{INSTANCE}]}}")),
        "GetInstance" => raw(&format!("{{\"instance\":{INSTANCE}}}")),
        _ => raw(details),
    })
}

#[tokio::test(start_paused = true)]
async fn lightsail_is_asked_once_with_the_protocol_and_its_answer_is_read() {
    let aws = lightsail_with(
        r#"{"accessDetails":{"certKey":"ssh-rsa-cert-v01@openssh.com AAAA","privateKey":"canary-5f3a","expiresAt":1571680472.5,
           "ipAddress":"198.51.100.7","username":"ubuntu","protocol":"ssh","instanceName":"web",
           "hostKeys":[{"algorithm":"ssh-ed25519","publicKey":"AAAAC3"},{"algorithm":"ssh-rsa"}]}}"#,
    );
    let state = look(&aws, &lightsail(AccessProtocol::Ssh), &BOTH).await.unwrap();
    let asked = aws.asked();
    let calls: Vec<&Asked> = asked.iter().filter(|asked| asked.operation == "GetInstanceAccessDetails").collect();
    assert_eq!(calls.len(), 1);
    assert!(calls[0].input.as_text().unwrap().contains(r#""protocol":"ssh""#), "{:?}", calls[0].input);
    let Some(TargetSeen::There(facts)) = &state.target else { panic!("{:?}", state.target) };
    assert_eq!(
        (facts.doing.clone(), facts.windows, facts.address.as_deref()),
        (Doing::Running, false, Some("198.51.100.7"))
    );
    assert_eq!(facts.tags.get("windlass.dev/namespace").map(String::as_str), Some("team"));
    let Some(AccessSeen::Given(Credentials::Ssh(given))) = &state.access else { panic!("not given") };
    assert_eq!(given.private_key, SecretText::new(CANARY.into()));
    assert_eq!(given.expires_at, Some("2019-10-21T17:54:32.5Z".parse().unwrap()));
    assert_eq!(given.host_keys, [("ssh-ed25519".to_owned(), "AAAAC3".to_owned())]);
    assert!(!format!("{state:?}").contains(CANARY));
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_not_open_yet_is_looked_at_anew_and_one_that_was_open_shares_the_look_of_others() {
    for (ready, looks) in [("False", 2), ("True", 1)] {
        let aws = lightsail_with("{}");
        let access = access(&aws);
        let mut object = lightsail(AccessProtocol::Ssh);
        let target = TargetStamp { id: Some("bd470fc5".into()), ..TargetStamp::default() };
        let condition = json!({ "type": "Ready", "status": ready, "reason": "InstanceNotRunning", "message": "",
            "lastTransitionTime": "2026-11-22T12:00:00Z" });
        object.status = Some(AccessGrantStatus {
            conditions: vec![serde_json::from_value(condition).unwrap()],
            internal: GrantInternal { target: Some(target), ..GrantInternal::default() },
            ..AccessGrantStatus::default()
        });
        for seconds in [0, 15] {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            let not_before = start() + jiff::SignedDuration::from_secs(seconds.cast_signed());
            let ask = Ask { looks: &[GrantLook::Target].into(), not_before, urgency: Urgency::Routine };
            access.observe(&scope(), &object, ask).await.unwrap();
        }
        assert_eq!(aws.asked().len(), looks, "{ready}: {:?}", aws.asked());
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_of_aws_when_nothing_is_looked_for() {
    let aws = Canned::new(|_| Answer::Hang);
    let state = look(&aws, &lightsail(AccessProtocol::Ssh), &[]).await.unwrap();
    assert_eq!((state.target, state.access, aws.asked().len()), (None, None, 0));
}

#[tokio::test(start_paused = true)]
async fn an_encrypted_password_is_read_with_its_key_pair() {
    let aws = lightsail_with(
        r#"{"accessDetails":{"ipAddress":"198.51.100.7","username":"Administrator","password":"","protocol":"rdp",
           "passwordData":{"ciphertext":"canary-5f3a","keyPairName":"team-key"}}}"#,
    );
    let state = look(&aws, &lightsail(AccessProtocol::Rdp), &BOTH).await.unwrap();
    let Some(AccessSeen::Given(Credentials::Rdp(given))) = &state.access else { panic!("not given") };
    assert_eq!(
        (given.password.reveal(), given.ciphertext.reveal(), given.key_pair_name.as_str()),
        ("", CANARY, "team-key")
    );
}

/// Cut off anywhere, an answer with credentials becomes an error without a byte of them; so does one of another form.
#[tokio::test(start_paused = true)]
async fn a_truncated_success_tells_nothing_of_what_was_in_it() {
    const WHOLE: &str = r#"{"message":"canary-5f3a","__type":"canary-5f3a","accessDetails":{"privateKey":"canary-5f3a","password":"canary-5f3a","certKey":"canary-5f3a"}}"#;
    for end in (1..WHOLE.len()).step_by(7) {
        let aws = Canned::new(move |asked: &Asked| match asked.operation.as_str() {
            "GetInstances" => raw(&format!("{{\"instances\":[{INSTANCE}]}}")),
            "GetInstance" => raw(&format!("{{\"instance\":{INSTANCE}}}")),
            _ => raw(&WHOLE[..end]),
        });
        let refused = look(&aws, &lightsail(AccessProtocol::Ssh), &BOTH).await.unwrap_err();
        assert_eq!(refused.class, Class::Unavailable, "{end}");
        assert!(!format!("{refused:?} {refused}").contains("canary"), "{end}: {refused:?}");
    }
    // The same over CBOR.
    let mut whole = Vec::new();
    ciborium::into_writer(&compute_access(), &mut whole).unwrap();
    for end in (1..whole.len()).step_by(5) {
        let part = whole[..end].to_vec();
        let aws = game_lift(move |operation| (operation == "GetComputeAccess").then(|| Answer::Raw(200, part.clone())));
        let refused = look(&aws, &game_compute("fleet-1"), &BOTH).await.unwrap_err();
        assert!(!format!("{refused:?} {refused}").contains("canary"), "{end}: {refused:?}");
    }
}

fn compute_access() -> Value {
    let credentials = map([
        ("AccessKeyId", "ASIAEXAMPLE".into()),
        ("SecretAccessKey", CANARY.into()),
        ("SessionToken", CANARY.into()),
    ]);
    map([
        ("Credentials", credentials),
        ("ContainerIdentifiers", list([map([("ContainerName", "game".into()), ("ContainerRuntimeId", "abc".into())])])),
    ])
}

/// A GameLift with an ACTIVE fleet of everything, unless `first` answers.
fn game_lift(first: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static) -> Canned {
    Canned::new(move |asked: &Asked| {
        if let Some(answer) = first(&asked.operation) {
            return answer;
        }
        let body = match asked.operation.as_str() {
            "DescribeFleetAttributes" => map([(
                "FleetAttributes",
                list([map([
                    ("FleetId", "fleet-1".into()),
                    ("FleetArn", "arn:aws:gamelift:eu-central-1::fleet/fleet-1".into()),
                    ("Status", "ACTIVE".into()),
                    ("ComputeType", "EC2".into()),
                ])]),
            )]),
            "DescribeFleetLocationAttributes" => map([(
                "LocationAttributes",
                list(["eu-central-1", "eu-west-1"].map(|at| map([("LocationState", map([("Location", at.into())]))]))),
            )]),
            // Only the remote location has it.
            "DescribeInstances" if member(&asked.input, "Location") == Some(&"eu-west-1".into()) => map([(
                "Instances",
                list([map([
                    ("InstanceId", "i-1".into()),
                    ("IpAddress", "203.0.113.5".into()),
                    ("OperatingSystem", "AMAZON_LINUX_2023".into()),
                    ("Status", "ACTIVE".into()),
                    ("Location", "eu-west-1".into()),
                ])]),
            )]),
            "DescribeInstances" => map([("Instances", list([]))]),
            "DescribeCompute" => map([(
                "Compute",
                map([
                    ("ComputeName", "c-1".into()),
                    ("ComputeStatus", "Active".into()),
                    ("Location", "eu-west-1".into()),
                ]),
            )]),
            "GetInstanceAccess" => map([(
                "InstanceAccess",
                map([
                    ("IpAddress", "203.0.113.5".into()),
                    ("OperatingSystem", "AMAZON_LINUX_2023".into()),
                    ("Credentials", map([("UserName", "gl-user-remote".into()), ("Secret", CANARY.into())])),
                ]),
            )]),
            "GetComputeAccess" => compute_access(),
            _ => return error(400, "InvalidRequestException", "what?"),
        };
        Answer::Cbor(200, body)
    })
}

#[tokio::test(start_paused = true)]
async fn an_instance_in_another_location_of_its_fleet_is_found() {
    let aws = game_lift(|_| None);
    let state = look(&aws, &game_instance("fleet-1"), &BOTH).await.unwrap();
    let Some(TargetSeen::There(facts)) = &state.target else { panic!("{:?}", state.target) };
    assert_eq!(facts.id, "arn:aws:gamelift:eu-central-1::fleet/fleet-1/i-1");
    assert_eq!((facts.location.as_deref(), facts.address.as_deref()), (Some("eu-west-1"), Some("203.0.113.5")));
    let Some(AccessSeen::Given(Credentials::GameLiftSsh(login))) = &state.access else { panic!("not given") };
    assert_eq!((login.username.as_str(), login.secret.reveal()), ("gl-user-remote", CANARY));
    assert_eq!(aws.operations().iter().filter(|operation| *operation == "GetInstanceAccess").count(), 1);
    assert!(!format!("{state:?}").contains(CANARY));
}

#[tokio::test(start_paused = true)]
async fn a_compute_is_told_by_the_region_where_it_is_and_by_its_name_where_aws_has_no_target() {
    let aws = game_lift(|_| None);
    let state = look(&aws, &game_compute("fleet-1"), &BOTH).await.unwrap();
    let Some(AccessSeen::Given(Credentials::Compute(given))) = &state.access else { panic!("not given") };
    assert_eq!((given.target.as_str(), given.region.as_str()), ("c-1", "eu-west-1"));
    assert_eq!(given.containers, [("game".to_owned(), "abc".to_owned())]);
    assert!(!format!("{state:?}").contains(CANARY));
}

#[tokio::test(start_paused = true)]
async fn fleets_that_give_no_access_and_what_is_not_there_are_told_apart() {
    let fleet = |kind: &'static str, status: &'static str| {
        move |operation: &str| {
            (operation == "DescribeFleetAttributes").then(|| {
                let one = map([("FleetId", "fleet-1".into()), ("Status", status.into()), ("ComputeType", kind.into())]);
                Answer::Cbor(200, map([("FleetAttributes", list([one]))]))
            })
        }
    };
    let target = [GrantLook::Target];
    let anywhere = look(&game_lift(fleet("ANYWHERE", "ACTIVE")), &game_compute("fleet-1"), &target).await.unwrap();
    assert_eq!(anywhere.target, Some(TargetSeen::NoAccess(NoAccess::Anywhere)));
    let building = look(&game_lift(fleet("EC2", "BUILDING")), &game_compute("fleet-1"), &target).await.unwrap();
    let Some(TargetSeen::There(facts)) = building.target else { panic!("not there") };
    assert_eq!(facts.doing, Doing::FleetNot("BUILDING".into()));
    let none = |operation: &str| {
        (operation == "DescribeFleetAttributes").then(|| Answer::Cbor(200, map([("FleetAttributes", list([]))])))
    };
    let gone = look(&game_lift(none), &game_compute("fleet-1"), &target).await.unwrap();
    assert_eq!(gone.target, Some(TargetSeen::Absent(Missing::Fleet)));
    let lost = |operation: &str| (operation == "DescribeCompute").then(|| error(400, "NotFoundException", ""));
    let gone = look(&game_lift(lost), &game_compute("fleet-1"), &target).await.unwrap();
    assert_eq!(gone.target, Some(TargetSeen::Absent(Missing::Compute)));
    let containers = |operation: &str| {
        (operation == "DescribeContainerFleet")
            .then(|| Answer::Cbor(200, map([("ContainerFleet", map([("Status", "ACTIVE".into())]))])))
    };
    let state = look(&game_lift(containers), &game_instance("containerfleet-1"), &target).await.unwrap();
    assert_eq!(state.target, Some(TargetSeen::NoAccess(NoAccess::Container)));
}

#[tokio::test(start_paused = true)]
async fn what_the_access_call_refuses_is_a_value_and_what_it_does_not_answer_an_error() {
    let answers = |code: &'static str| {
        game_lift(move |operation| (operation == "GetComputeAccess").then(|| error(400, code, "its words")))
    };
    let object = game_compute("fleet-1");
    let seen = |state: GrantState| state.access.unwrap();
    assert_eq!(seen(look(&answers("NotFoundException"), &object, &BOTH).await.unwrap()), AccessSeen::NotFound);
    assert_eq!(
        seen(look(&answers("InvalidRequestException"), &object, &BOTH).await.unwrap()),
        AccessSeen::Refused("InvalidRequestException".into(), "its words".into())
    );
    for (code, class) in [
        ("UnauthorizedException", Class::AccessDenied),
        ("ThrottlingException", Class::Throttled),
        ("InternalServiceException", Class::Unavailable),
    ] {
        let refused = look(&answers(code), &object, &BOTH).await.unwrap_err();
        assert_eq!((refused.class, refused.code.as_str()), (class, code));
    }
}
