#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_credential_types::credential_fn::provide_credentials_fn;
use aws_credential_types::provider::error::CredentialsError;
use ciborium::Value;
use jiff::Timestamp;

use super::AppStream;
use super::canned::*;
use crate::api::fleet::*;
use crate::aws::accounts::ScopeError;
use crate::aws::gate::Urgency;
use crate::aws::listing::Source;
use crate::aws::{Ask, AwsError, AwsPort, Reply, Stray};
use crate::plan::Class;
use crate::plan::account::Wish;
use crate::plan::fleet::*;
use crate::plan::looked::{Looked, Refusal};

const NO_LOOKS: BTreeSet<FleetLook> = BTreeSet::new();

fn look(look: FleetLook) -> BTreeSet<FleetLook> {
    BTreeSet::from([look])
}

async fn observe(appstream: &AppStream, name: &str, looks: &BTreeSet<FleetLook>) -> Result<FleetState, AwsError> {
    let ask = Ask { looks, not_before: Timestamp::MIN, urgency: Urgency::Routine };
    AwsPort::<FleetKind>::observe(appstream, &scope(), &fleet_object(name), ask).await
}

async fn send(appstream: &AppStream, call: &FleetCall) -> Result<Reply, AwsError> {
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

#[tokio::test(start_paused = true)]
async fn a_fleet_that_aws_does_not_have_is_absent_since_the_read_began() {
    let replies: [fn() -> Answer; 2] = [
        || error(404, "ResourceNotFoundException", "The fleet design does not exist."),
        || Answer::Cbor(200, map([("Fleets", list([plain_fleet("other")]))])),
    ];
    for reply in replies {
        let aws = Canned::new(move |_| reply());
        let appstream = appstream(&aws, true);
        let seen = observe(&appstream, "design", &look(FleetLook::Tags)).await;
        let began = Timestamp::from_second(1_800_000_000).unwrap();
        let state = FleetState {
            began,
            fleet: None,
            tags: None,
            image: None,
            stacks: None,
            sessions: None,
            applications: None,
        };
        assert_eq!(seen, Ok(state));
        assert_eq!(aws.operations(), ["DescribeFleets"]);
    }
}

#[tokio::test(start_paused = true)]
async fn words_that_this_version_does_not_know_are_kept_or_left_out() {
    let aws = Canned::new(|_| {
        let Value::Map(mut fleet) = plain_fleet("design") else { panic!("no map") };
        fleet.retain(|(key, _)| key.as_text() != Some("State"));
        fleet.extend(
            [("State", "HIBERNATED"), ("FleetType", "QUANTUM"), ("StreamView", "VR"), ("Platform", "BEOS")]
                .map(|(key, value)| (key.into(), value.into())),
        );
        fleet.push(("VpcConfig".into(), map([("SubnetIds", list([]))])));
        fleet.push(("UsbDeviceFilterStrings".into(), list([])));
        Answer::Cbor(200, map([("Fleets", list([Value::Map(fleet)]))]))
    });
    let seen = observe(&appstream(&aws, true), "design", &NO_LOOKS).await;
    let facts = seen.unwrap().fleet.unwrap();
    assert_eq!(facts.power, Power::Unrecognised("HIBERNATED".to_owned()));
    assert_eq!(facts.fleet_type, None);
    let settings = FleetSettings {
        instance_type: Some("stream.standard.medium".to_owned()),
        compute_capacity: Some(ComputeCapacity { desired_instances: Some(1), desired_sessions: None }),
        platform: Some("BEOS".to_owned()),
        ..FleetSettings::default()
    };
    assert_eq!(facts.settings, settings);
}

/// Two pages, the second of which has this next token.
fn two_pages(last: Value) -> Canned {
    Canned::new(move |asked| match member(&asked.input, "NextToken") {
        None => Answer::Cbor(200, map([("Fleets", list([plain_fleet("a")])), ("NextToken", "2".into())])),
        Some(_) => Answer::Cbor(200, map([("Fleets", list([plain_fleet("b")])), ("NextToken", last.clone())])),
    })
}

#[tokio::test(start_paused = true)]
async fn pages_end_with_a_missing_null_or_empty_token() {
    for last in [Value::Null, "".into()] {
        let aws = two_pages(last);
        let all = appstream(&aws, true).fleets(&scope(), Timestamp::MIN).await.unwrap();
        let names: BTreeSet<_> = all.value.items.keys().cloned().collect();
        assert_eq!((names, all.value.pages), (BTreeSet::from(["a".to_owned(), "b".to_owned()]), 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_or_repeats_itself_fails_the_whole_read() {
    let error_of = |aws: Canned| async move {
        let error = appstream(&aws, true).fleets(&scope(), Timestamp::MIN).await.unwrap_err();
        (error.class, error.code)
    };
    assert_eq!(error_of(two_pages("2".into())).await, (Class::Unavailable, "Unreadable".to_owned()));
    let failing = Canned::new(|asked| match member(&asked.input, "NextToken") {
        None => Answer::Cbor(200, map([("Fleets", list([plain_fleet("a")])), ("NextToken", "2".into())])),
        Some(_) => error(500, "InternalFailure", "no"),
    });
    assert_eq!(error_of(failing).await, (Class::Unavailable, "InternalFailure".to_owned()));
}

fn session(id: &str, state: &str) -> Value {
    map([("Id", id.into()), ("State", state.into()), ("StartTime", Value::Tag(1, Box::new(1_700_000_000.into())))])
}

#[tokio::test(start_paused = true)]
async fn a_look_that_is_refused_blinds_nothing_but_itself() {
    for refused in ["ListAssociatedStacks", "DescribeSessions", "DescribeApplicationFleetAssociations"] {
        let aws = Canned::new(move |asked| match asked.operation.as_str() {
            operation if operation == refused => error(400, "AccessDeniedException", "not you"),
            "DescribeFleets" => Answer::Cbor(200, map([("Fleets", list([plain_fleet("design")]))])),
            "ListAssociatedStacks" => Answer::Cbor(200, map([("Names", list(["one".into()]))])),
            _ => Answer::Cbor(200, map([])),
        });
        let looks = [FleetLook::Sessions, FleetLook::Applications].into();
        let state = observe(&appstream(&aws, true), "design", &looks).await.unwrap();
        assert!(state.fleet.is_some());
        let (code, message) = ("AccessDeniedException".to_owned(), "not you".to_owned());
        let refusal = Refusal { operation: refused, code, message };
        let applications = refused == "DescribeApplicationFleetAssociations";
        assert_eq!(state.applications == Some(Looked::Refused(refusal.clone())), applications, "{refused}");
        assert_eq!(state.sessions == Some(Looked::Refused(refusal.clone())), !applications, "{refused}");
        assert_eq!(state.stacks == Some(Looked::Refused(refusal)), refused == "ListAssociatedStacks", "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_of_every_stack_and_authentication_type_are_counted_once() {
    let aws = Canned::new(|asked| {
        let text = |key: &str| member(&asked.input, key).and_then(Value::as_text);
        match asked.operation.as_str() {
            "DescribeFleets" => Answer::Cbor(200, map([("Fleets", list([plain_fleet("design")]))])),
            "ListAssociatedStacks" => Answer::Cbor(200, map([("Names", list(["two".into(), "one".into()]))])),
            "DescribeSessions" => {
                let sessions = match (text("StackName"), text("AuthenticationType"), text("NextToken")) {
                    (Some("one"), Some("SAML"), None) => {
                        let page = list([session("saml-1", "ACTIVE"), session("over", "EXPIRED")]);
                        return Answer::Cbor(200, map([("Sessions", page), ("NextToken", "2".into())]));
                    }
                    (Some("one"), Some("SAML"), Some(_)) => vec![session("saml-2", "PENDING")],
                    (Some("two"), Some("API") | None, _) => vec![session("api-1", "A_NEW_STATE")],
                    (Some("two"), Some("AWS_AD"), _) => vec![session("ad-1", "ACTIVE")],
                    _ => vec![],
                };
                Answer::Cbor(200, map([("Sessions", list(sessions))]))
            }
            other => panic!("{other}"),
        }
    });
    let appstream = appstream(&aws, true);
    let seen = observe(&appstream, "design", &look(FleetLook::Sessions)).await;
    let state = seen.unwrap();
    let stacks = ["one", "two"].map(|name| AssociatedStack { name: name.parse().unwrap() });
    assert_eq!(state.stacks, Some(Looked::Found(stacks.to_vec())));
    let started = Some(Timestamp::from_second(1_700_000_000).unwrap());
    let sessions = ["ad-1", "api-1", "saml-1", "saml-2"].map(|id| SessionFacts { id: id.to_owned(), started });
    assert_eq!(state.sessions, Some(Looked::Found(sessions.to_vec())));
    let asked: BTreeSet<_> = aws
        .asked()
        .into_iter()
        .filter(|asked| asked.operation == "DescribeSessions")
        .map(|asked| {
            let text = |key: &str| member(&asked.input, key).and_then(Value::as_text).unwrap_or("-").to_owned();
            (text("StackName"), text("AuthenticationType"))
        })
        .collect();
    assert_eq!(asked.len(), 2 * 5);
}

#[tokio::test(start_paused = true)]
async fn tags_are_remembered_read_anew_when_looked_at_and_forgotten_after_a_write() {
    let reads = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&reads);
    let aws = Canned::new(move |asked| match asked.operation.as_str() {
        "DescribeFleets" => Answer::Cbor(200, map([("Fleets", list([plain_fleet("design")]))])),
        "ListTagsForResource" => {
            let n = count.fetch_add(1, Ordering::SeqCst) + 1;
            Answer::Cbor(200, map([("Tags", map([("n", n.to_string().into())]))]))
        }
        _ => Answer::Cbor(200, map([])),
    });
    let appstream = appstream(&aws, true);
    let tags = async |looks: &BTreeSet<FleetLook>| {
        let seen = observe(&appstream, "design", looks).await;
        let state = seen.unwrap();
        state.tags.map(|tagged| (tagged.began.as_second() - 1_800_000_000, tagged.tags["n"].clone()))
    };
    assert_eq!(tags(&NO_LOOKS).await, None);
    assert_eq!(tags(&look(FleetLook::Tags)).await, Some((0, "1".to_owned())));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(tags(&NO_LOOKS).await, Some((0, "1".to_owned())));
    assert_eq!(tags(&look(FleetLook::Tags)).await, Some((10, "2".to_owned())));
    let arn = arn("design").parse().unwrap();
    send(&appstream, &FleetCall::Untag { arn, keys: ["n".to_owned()].into() }).await.unwrap();
    assert_eq!(tags(&NO_LOOKS).await, None);
}

#[tokio::test(start_paused = true)]
async fn an_image_is_read_once_a_minute_for_all_who_name_it() {
    let aws = Canned::new(|asked| match asked.operation.as_str() {
        "DescribeFleets" => error(404, "ResourceNotFoundException", ""),
        "DescribeImages" => {
            assert_eq!(asked.input, map([("Names", list(["image-1".into()]))]));
            let image = map([
                ("Name", "image-1".into()),
                ("State", "FAILED".into()),
                ("StateChangeReason", map([("Code", "INTERNAL_ERROR".into()), ("Message", "broken".into())])),
                ("Visibility", "SHARED".into()),
                ("ImagePermissions", map([("allowFleet", false.into())])),
                ("Platform", "WINDOWS_SERVER_2022".into()),
                ("SupportedInstanceFamilies", list(["GENERAL_PURPOSE".into()])),
            ]);
            Answer::Cbor(200, map([("Images", list([image]))]))
        }
        other => panic!("{other}"),
    });
    let appstream = appstream(&aws, true);
    let image = ImageFacts {
        name: "image-1".to_owned(),
        arn: None,
        state: "FAILED".to_owned(),
        state_reason: Some("INTERNAL_ERROR: broken".to_owned()),
        platform: Some("WINDOWS_SERVER_2022".to_owned()),
        visibility: Some("SHARED".to_owned()),
        allow_fleet: Some(false),
    };
    let mut describes = 0;
    for name in ["a", "b"] {
        let seen = observe(&appstream, name, &look(FleetLook::Image)).await;
        let state = seen.unwrap();
        assert_eq!(state.image, Some(Some(image.clone())));
        describes += aws.operations().iter().filter(|operation| *operation == "DescribeImages").count();
    }
    assert_eq!(describes, 1);
    tokio::time::sleep(Duration::from_secs(61)).await;
    observe(&appstream, "a", &look(FleetLook::Image)).await.unwrap();
    assert_eq!(aws.operations(), ["DescribeImages"]);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_does_not_exist_is_told_as_such() {
    let aws = Canned::new(|_| error(404, "ResourceNotFoundException", ""));
    let seen = observe(&appstream(&aws, true), "a", &look(FleetLook::Image)).await;
    let state = seen.unwrap();
    assert_eq!(state.image, Some(None));
}

#[tokio::test(start_paused = true)]
async fn names_asked_for_together_are_asked_for_alone_when_aws_misses_one() {
    let aws = Canned::new(|asked| {
        let names = member(&asked.input, "Names").and_then(Value::as_array).unwrap();
        let names: Vec<&str> = names.iter().filter_map(Value::as_text).collect();
        match names.contains(&"gone") {
            true => error(404, "ResourceNotFoundException", ""),
            false => Answer::Cbor(200, map([("Fleets", list(names.into_iter().map(plain_fleet)))])),
        }
    });
    let names = |asked: &Asked| member(&asked.input, "Names").and_then(Value::as_array).map_or(0, Vec::len);
    let fleets = appstream(&aws, true).source::<FleetFacts>(&scope(), Urgency::Routine);
    let found = fleets.named(["a", "b", "gone"].map(str::to_owned).to_vec()).await.unwrap();
    assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    assert_eq!(aws.asked().iter().map(names).collect::<Vec<_>>(), [3, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn missing_credentials_are_told_in_our_own_words() {
    let aws = Canned::new(|_| Answer::Hang);
    let none = provide_credentials_fn(async || Err(CredentialsError::not_loaded("secret-canary")));
    let refused =
        accounts(&aws, none).resolve(&Wish { kind: "Fleet", namespace: "team-a", account: None, region: None }).await;
    let Err(ScopeError::Aws(error)) = refused else { panic!("not refused") };
    assert_eq!((error.class, error.code.as_str()), (Class::AccessDenied, "NoCredentials"));
    assert_eq!(aws.asked().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn strays_are_what_nobody_claims_and_is_still_there() {
    let aws = Canned::new(|asked| match asked.operation.as_str() {
        "DescribeFleets" => Answer::Cbor(200, map([("Fleets", list(["ours", "stray", "gone"].map(plain_fleet)))])),
        _ if member(&asked.input, "ResourceArn") == Some(&arn("gone").into()) => {
            error(404, "ResourceNotFoundException", "")
        }
        _ => Answer::Cbor(200, map([("Tags", map([("k", "v".into())]))])),
    });
    let claimed = BTreeSet::from([arn("ours").parse().unwrap()]);
    let strays = AwsPort::<FleetKind>::strays(&appstream(&aws, true), &scope(), &claimed).await;
    let stray = Stray { arn: arn("stray").parse().unwrap(), tags: [("k".to_owned(), "v".to_owned())].into() };
    assert_eq!(strays, Ok(vec![stray]));
}

fn identity(account: &str) -> Answer {
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws-us-gov:sts::{account}:assumed-role/windlass/x</Arn><UserId>U</UserId><Account>{account}</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>"
    );
    Answer::Raw(200, body.into_bytes())
}

#[tokio::test(start_paused = true)]
async fn the_operators_own_identity_is_asked_for_once_an_hour() {
    let aws = Canned::new(|_| identity("111122223333"));
    let accounts = accounts(&aws, credentials());
    let elsewhere = "us-gov-west-1".parse().unwrap();
    for _ in 0..3 {
        let found =
            accounts.resolve(&Wish { kind: "Fleet", namespace: "team-a", account: None, region: None }).await.unwrap();
        assert_eq!(
            found,
            crate::plan::Scope { partition: "aws-us-gov".to_owned(), allow: crate::plan::Allow::own(), ..scope() }
        );
        assert_eq!(
            accounts
                .resolve(&Wish { kind: "Fleet", namespace: "team-b", account: None, region: Some(&elsewhere) })
                .await
                .unwrap()
                .region,
            elsewhere
        );
    }
    assert_eq!(aws.asked().len(), 1);
    tokio::time::sleep(Duration::from_secs(3601)).await;
    accounts.resolve(&Wish { kind: "Fleet", namespace: "team-a", account: None, region: None }).await.unwrap();
    assert_eq!(aws.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_who_ask_at_once_who_we_are_share_one_refusal() {
    let aws = Canned::new(|_| {
        let body = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                    <Code>ExpiredToken</Code><Message>expired</Message></Error></ErrorResponse>";
        Answer::Raw(403, body.as_bytes().to_vec())
    });
    let accounts = accounts(&aws, credentials());
    let asked =
        (0..1000).map(|_| accounts.resolve(&Wish { kind: "Fleet", namespace: "team-a", account: None, region: None }));
    for refused in futures::future::join_all(asked).await {
        let Err(ScopeError::Aws(error)) = refused else { panic!("not refused") };
        assert_eq!(
            (error.class, error.code.as_str(), error.message.as_str()),
            (Class::AccessDenied, "ExpiredToken", "expired")
        );
    }
    assert_eq!(aws.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_not_there_may_not_be_used_and_aws_is_not_asked() {
    let aws = Canned::new(|_| Answer::Hang);
    let account = "prod".parse().unwrap();
    let refused = accounts(&aws, credentials())
        .resolve(&Wish { kind: "Fleet", namespace: "team-a", account: Some(&account), region: None })
        .await;
    assert_eq!(refused, Err(ScopeError::NotAllowed(crate::plan::Refusal::NoSuchAccount("prod".to_owned()))));
    assert_eq!(aws.asked().len(), 0);
}
