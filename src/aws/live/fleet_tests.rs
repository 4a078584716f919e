//! What is asked of AWS about fleets, and what its refusals become.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use ciborium::Value;
use jiff::Timestamp;

use super::AppStream;
use super::canned::*;
use crate::api::fleet::*;
use crate::aws::gate::Urgency;
use crate::aws::{Ask, AwsError, AwsPort, Reply};
use crate::plan::Class;
use crate::plan::fleet::*;

pub(super) const NO_LOOKS: BTreeSet<FleetLook> = BTreeSet::new();

pub(super) fn look(look: FleetLook) -> BTreeSet<FleetLook> {
    BTreeSet::from([look])
}

pub(super) async fn observe(
    appstream: &AppStream,
    name: &str,
    looks: &BTreeSet<FleetLook>,
) -> Result<FleetState, AwsError> {
    let ask = Ask { looks, not_before: Timestamp::MIN, urgency: Urgency::Routine };
    AwsPort::<FleetKind>::observe(appstream, &scope(), &fleet_object(name), ask).await
}

pub(super) async fn send(appstream: &AppStream, call: &FleetCall) -> Result<Reply, AwsError> {
    AwsPort::<FleetKind>::send(appstream, &scope(), call, Urgency::Routine).await
}

fn every_setting() -> FleetSettings {
    FleetSettings {
        instance_type: Some("stream.standard.large".to_owned()),
        image_name: Some("image-1".parse().unwrap()),
        image_arn: Some("arn:aws:appstream:eu-central-1::image/image-1".parse().unwrap()),
        compute_capacity: Some(ComputeCapacity { desired_instances: Some(2), desired_sessions: Some(8) }),
        max_concurrent_sessions: Some(30),
        max_sessions_per_instance: Some(4),
        vpc_config: Some(VpcConfig {
            subnet_ids: Some(["subnet-a".to_owned(), "subnet-b".to_owned()].into()),
            security_group_ids: Some(["sg-1".to_owned()].into()),
        }),
        max_user_duration_in_seconds: Some(57600),
        disconnect_timeout_in_seconds: Some(900),
        idle_disconnect_timeout_in_seconds: Some(0),
        display_name: Some("Design".to_owned()),
        description: Some("for designers".to_owned()),
        enable_default_internet_access: Some(false),
        domain_join_info: Some(DomainJoinInfo {
            directory_name: Some("corp.example.com".to_owned()),
            organizational_unit_distinguished_name: Some("OU=x,DC=corp".to_owned()),
        }),
        iam_role_arn: Some("arn:aws:iam::111122223333:role/fleet".parse().unwrap()),
        stream_view: Some(StreamView::Desktop),
        platform: Some("WINDOWS_SERVER_2022".to_owned()),
        usb_device_filter_strings: Some(vec!["a".to_owned(), "b".to_owned()]),
        session_script_s3_location: Some(S3Location { s3_bucket: "bucket".to_owned(), s3_key: "key".to_owned() }),
        root_volume_config: Some(RootVolumeConfig { volume_size_in_gb: 300 }),
        disable_imdsv1: Some(true),
    }
}

fn create(settings: FleetSettings) -> FleetCall {
    FleetCall::Create(Box::new(FleetCreate {
        name: "design".parse().unwrap(),
        fleet_type: FleetType::Elastic,
        settings,
        tags: BTreeMap::from([("windlass.dev/uid".to_owned(), "1".to_owned())]),
    }))
}

/// A fleet as DescribeFleets gives it back after a CreateFleet of `input`.
fn described(input: &Value) -> Value {
    let Value::Map(members) = input.clone() else { panic!("no map") };
    let mut fleet: Vec<_> =
        members.into_iter().filter(|(key, _)| !["ComputeCapacity", "Tags"].contains(&key.as_text().unwrap())).collect();
    let Value::Map(more) = map([
        ("Arn", arn("design").into()),
        ("State", "RUNNING".into()),
        ("CreatedTime", Value::Tag(1, Box::new(Value::from(1_700_000_000)))),
        (
            "ComputeCapacityStatus",
            map([
                ("Desired", 2.into()),
                ("Running", 2.into()),
                ("InUse", 1.into()),
                ("Available", 1.into()),
                ("DesiredUserSessions", 8.into()),
                ("AvailableUserSessions", 3.into()),
                ("ActiveUserSessions", 5.into()),
                ("ActualUserSessions", 8.into()),
            ]),
        ),
        (
            "FleetErrors",
            list([
                map([("ErrorCode", "SUBNET_NOT_FOUND".into()), ("ErrorMessage", "b".into())]),
                map([("ErrorCode", "A_NEW_CODE".into()), ("ErrorMessage", "a".into())]),
            ]),
        ),
    ]) else {
        panic!("no map")
    };
    fleet.extend(more);
    Value::Map(fleet)
}

#[tokio::test(start_paused = true)]
async fn every_setting_goes_to_aws_and_comes_back_the_same() {
    let aws = Canned::new(|asked| match asked.operation.as_str() {
        "CreateFleet" => Answer::Cbor(200, map([("Fleet", plain_fleet("design"))])),
        _ => Answer::Hang,
    });
    let reply = send(&appstream(&aws, true), &create(every_setting())).await;
    assert_eq!(
        reply,
        Ok(Reply { arn: Some(arn("design").parse().unwrap()), request_id: Some("request-1".to_owned()) })
    );
    let input = aws.asked().remove(0).input;
    assert_eq!(member(&input, "FleetType"), Some(&"ELASTIC".into()));
    assert_eq!(member(&input, "Tags"), Some(&map([("windlass.dev/uid", "1".into())])));
    assert_eq!(
        member(&input, "ComputeCapacity"),
        Some(&map([("DesiredInstances", 2.into()), ("DesiredSessions", 8.into())]))
    );

    let aws = Canned::new(move |_| Answer::Cbor(200, map([("Fleets", list([described(&input)]))])));
    let seen = observe(&appstream(&aws, true), "design", &NO_LOOKS).await;
    let facts = FleetFacts {
        arn: arn("design").parse().unwrap(),
        name: "design".parse().unwrap(),
        fleet_type: Some(FleetType::Elastic),
        power: Power::Running,
        settings: every_setting(),
        capacity: CapacityStatus {
            desired: 2,
            running: Some(2),
            in_use: Some(1),
            available: Some(1),
            desired_user_sessions: Some(8),
            available_user_sessions: Some(3),
            active_user_sessions: Some(5),
            actual_user_sessions: Some(8),
        },
        errors: vec![
            FleetError { code: "A_NEW_CODE".to_owned(), message: "a".to_owned() },
            FleetError { code: "SUBNET_NOT_FOUND".to_owned(), message: "b".to_owned() },
        ],
        created_time: Some(Timestamp::from_second(1_700_000_000).unwrap()),
    };
    let state = FleetState {
        began: Timestamp::from_second(1_800_000_000).unwrap(),
        fleet: Some(facts),
        tags: None,
        image: None,
        stacks: None,
        sessions: None,
        applications: None,
    };
    assert_eq!(seen, Ok(state));
}

#[tokio::test(start_paused = true)]
async fn an_update_carries_the_changed_fields_and_what_to_clear_and_nothing_else() {
    let aws = Canned::new(|_| Answer::Cbor(200, map([("Fleet", plain_fleet("design"))])));
    let patch = FleetPatch {
        name: "design".parse().unwrap(),
        set: FleetSettings { display_name: Some("New".to_owned()), ..FleetSettings::default() },
        clear: [AttributeToDelete::IamRoleArn, AttributeToDelete::VpcConfigurationSecurityGroupIds].into(),
    };
    send(&appstream(&aws, true), &FleetCall::Update(Box::new(patch))).await.unwrap();
    let asked = aws.asked().remove(0);
    assert_eq!(asked.operation, "UpdateFleet");
    let members: BTreeMap<_, _> =
        asked.input.into_map().unwrap().into_iter().map(|(key, value)| (key.into_text().unwrap(), value)).collect();
    let wanted = BTreeMap::from([
        ("AttributesToDelete".to_owned(), list(["VPC_CONFIGURATION_SECURITY_GROUP_IDS".into(), "IAM_ROLE_ARN".into()])),
        ("DisplayName".to_owned(), "New".into()),
        ("Name".to_owned(), "design".into()),
    ]);
    assert_eq!(members, wanted);
}

#[tokio::test(start_paused = true)]
async fn each_other_write_is_one_request_of_its_own_operation() {
    let aws = Canned::new(|_| Answer::Cbor(200, map([])));
    let appstream = appstream(&aws, true);
    let name = || "design".parse().unwrap();
    let application = || "arn:aws:appstream:eu-central-1:111122223333:application/x".parse().unwrap();
    let calls = [
        FleetCall::Start(name()),
        FleetCall::Stop(name()),
        FleetCall::Delete(name()),
        FleetCall::Tag { arn: arn("design").parse().unwrap(), tags: [("k".to_owned(), "v".to_owned())].into() },
        FleetCall::Untag { arn: arn("design").parse().unwrap(), keys: ["k".to_owned()].into() },
        FleetCall::AssociateApplication { name: name(), application: application() },
        FleetCall::DisassociateApplication { name: name(), application: application() },
    ];
    for call in calls {
        send(&appstream, &call).await.unwrap();
    }
    let association = map([
        ("FleetName", "design".into()),
        ("ApplicationArn", "arn:aws:appstream:eu-central-1:111122223333:application/x".into()),
    ]);
    let resource = |more: (&str, Value)| map([("ResourceArn", arn("design").into()), more]);
    let wanted = [
        ("StartFleet", map([("Name", "design".into())])),
        ("StopFleet", map([("Name", "design".into())])),
        ("DeleteFleet", map([("Name", "design".into())])),
        ("TagResource", resource(("Tags", map([("k", "v".into())])))),
        ("UntagResource", resource(("TagKeys", list(["k".into()])))),
        ("AssociateApplicationFleet", association.clone()),
        ("DisassociateApplicationFleet", association),
    ];
    let wanted: Vec<_> =
        wanted.into_iter().map(|(operation, input)| Asked { operation: operation.to_owned(), input }).collect();
    assert_eq!(aws.asked(), wanted);
}

async fn stop(answer: fn() -> Answer, lease: bool) -> (Result<Reply, AwsError>, usize) {
    let aws = Canned::new(move |_| answer());
    let result = send(&appstream(&aws, lease), &FleetCall::Stop("design".parse().unwrap())).await;
    (result, aws.asked().len())
}

#[tokio::test(start_paused = true)]
async fn every_way_to_fail_has_its_class_and_is_sent_once() {
    type Row = (fn() -> Answer, Class, &'static str, &'static str, Option<&'static str>);
    let rows: [Row; 11] = [
        (
            || error(400, "com.amazonaws.appstream#ConcurrentModificationException", "wait"),
            Class::Busy,
            "ConcurrentModificationException",
            "wait",
            Some("request-1"),
        ),
        (
            || error(404, "ResourceNotFoundException", "no"),
            Class::NotFound,
            "ResourceNotFoundException",
            "no",
            Some("request-1"),
        ),
        // In no model: found all the same.
        (
            || error(400, "AccessDeniedException", "not you"),
            Class::AccessDenied,
            "AccessDeniedException",
            "not you",
            Some("request-1"),
        ),
        (
            || error(400, "ThrottlingException", "slow"),
            Class::Throttled,
            "ThrottlingException",
            "slow",
            Some("request-1"),
        ),
        (
            || error(400, "LimitExceededException", "quota"),
            Class::QuotaExceeded,
            "LimitExceededException",
            "quota",
            Some("request-1"),
        ),
        (
            || error(500, "InternalFailure", ""),
            Class::Unavailable,
            "InternalFailure",
            "AWS answered with HTTP status 500",
            Some("request-1"),
        ),
        (
            || Answer::Raw(503, b"<html>body-canary</html>".to_vec()),
            Class::Unavailable,
            "HTTP503",
            "AWS answered with HTTP status 503",
            Some("request-1"),
        ),
        (
            || Answer::Raw(400, br#"{"__type":"a.b#ThrottlingException","message":"Rate exceeded"}"#.to_vec()),
            Class::Throttled,
            "ThrottlingException",
            "Rate exceeded",
            Some("request-1"),
        ),
        (|| Answer::Hang, Class::Unavailable, "Timeout", "no answer came in time", None),
        (|| Answer::Refuse, Class::Unavailable, "NoConnection", "io error: connection refused", None),
        (
            || Answer::Raw(200, b"\xffbody-canary".to_vec()),
            Class::Unavailable,
            "HTTP200",
            "AWS answered with HTTP status 200",
            Some("request-1"),
        ),
    ];
    for (answer, class, code, message, request_id) in rows {
        let wanted = AwsError {
            operation: "StopFleet",
            class,
            code: code.to_owned(),
            message: message.to_owned(),
            request_id: request_id.map(str::to_owned),
        };
        assert_eq!(stop(answer, true).await, (Err(wanted), 1), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_waited_for_half_a_minute() {
    let began = tokio::time::Instant::now();
    stop(|| Answer::Hang, true).await.0.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn long_messages_are_cut_and_hold_no_control_characters() {
    let (result, _) = stop(|| error(400, "ValidationException", &"x\n".repeat(1000)), true).await;
    assert_eq!(result.unwrap_err().message, "x ".repeat(256));
}

#[tokio::test(start_paused = true)]
async fn without_the_lease_reads_go_out_and_writes_do_not() {
    let aws = Canned::new(|_| Answer::Cbor(200, map([("Fleets", list([plain_fleet("design")]))])));
    let appstream = appstream(&aws, false);
    for call in [FleetCall::Stop("design".parse().unwrap()), create(FleetSettings::default())] {
        let error = send(&appstream, &call).await.unwrap_err();
        assert_eq!((error.class, error.code.as_str()), (Class::NotSent, "NoLease"));
    }
    assert_eq!(aws.operations(), Vec::<String>::new());
    let seen = observe(&appstream, "design", &NO_LOOKS).await;
    assert!(seen.unwrap().fleet.is_some());
}
