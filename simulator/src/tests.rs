//! A world judged from inside the crate: raw requests, time, people and violations.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::{Value as Json, json};

use crate::wire::{Reply, answer};
use crate::{
    AuthenticationType, BuilderState, Capacity, Fault, FaultEffect, FleetState, FleetView, InstanceSeed, Quotas, Rule,
    RunningRule, Settings, World, credentials,
};

const MINUTE: Duration = Duration::from_secs(60);

fn request(key: &str, operation: &str, body: &str) -> Request<Bytes> {
    request_to("appstream", "PhotonAdminProxyService", key, operation, body)
}

fn request_to(service: &str, shape: &str, key: &str, operation: &str, body: &str) -> Request<Bytes> {
    let scope = format!("{key}/20260101/us-east-1/{service}/aws4_request");
    Request::post("http://aws/")
        .header("x-amz-target", format!("{shape}.{operation}"))
        .header("authorization", format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"))
        .body(Bytes::from(body.to_owned()))
        .unwrap()
}

async fn send(world: &World, request: Request<Bytes>) -> (u16, Json) {
    match answer(world, request).await {
        Reply::Answer(response) => {
            (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or(Json::Null))
        }
        Reply::Cut | Reply::Half(_) => (0, Json::Null),
    }
}

/// The answer, or the code of the error.
async fn call(world: &World, operation: &str, input: Json) -> Result<Json, String> {
    call_as(world, &credentials("123456789012").0, operation, input).await
}

async fn call_as(world: &World, key: &str, operation: &str, input: Json) -> Result<Json, String> {
    match send(world, request(key, operation, &input.to_string())).await {
        (200, answer) => Ok(answer),
        (_, error) => Err(error["__type"].as_str().unwrap_or("none").to_owned()),
    }
}

fn fleet_named(name: &str, uid: &str) -> Json {
    json!({
        "Name": name,
        "InstanceType": "stream.standard.medium",
        "FleetType": "ON_DEMAND",
        "ImageName": "windlass-demo-v1",
        "ComputeCapacity": {"DesiredInstances": 2},
        "Tags": {"windlass.dev/cluster": "c1", "windlass.dev/uid": uid},
    })
}

fn look(world: &World, name: &str) -> FleetView {
    world.fleet("123456789012", "us-east-1", name).unwrap()
}

fn counts(world: &World) -> (i64, i64, i64, i64) {
    let Capacity { desired, running, in_use, available, .. } = look(world, "f").capacity;
    (desired, running.unwrap(), in_use.unwrap(), available.unwrap())
}

fn rules(world: &World) -> Vec<Rule> {
    world.violations().into_iter().map(|violation| violation.rule).collect()
}

/// A RUNNING fleet `f` with two instances, associated with the stack `desk`.
async fn running(settings: Settings) -> World {
    let world = World::new(settings);
    call(&world, "CreateFleet", fleet_named("f", "u")).await.unwrap();
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap();
    world.advance(12 * MINUTE);
    world.associate("f", "desk");
    world
}

async fn scale(world: &World, instances: i64) {
    let input = json!({"Name": "f", "ComputeCapacity": {"DesiredInstances": instances}});
    call(world, "UpdateFleet", input).await.unwrap();
}

#[tokio::test]
async fn capacity_follows_what_is_desired_in_aws_own_time() {
    let world = running(Settings::default()).await;
    assert_eq!(counts(&world), (2, 2, 0, 2));
    scale(&world, 3).await;
    assert_eq!(counts(&world), (3, 2, 0, 2));
    world.advance(10 * MINUTE);
    assert_eq!(counts(&world), (3, 3, 0, 3));
    scale(&world, 1).await;
    assert_eq!(counts(&world), (1, 3, 0, 3), "idle instances leave after a while");
    world.advance(2 * MINUTE);
    assert_eq!(counts(&world), (1, 1, 0, 1));
    assert_eq!(look(&world, "f").state, FleetState::Running);
}

#[tokio::test]
async fn scaling_in_to_zero_leaves_sessions_alone() {
    let world = running(Settings::default()).await;
    let session = world.open_session("desk", "f", "alice", AuthenticationType::Api).unwrap();
    scale(&world, 0).await;
    world.advance(60 * MINUTE);
    assert_eq!(counts(&world), (0, 1, 1, 0));
    assert!(world.open_session("desk", "f", "bob", AuthenticationType::Api).is_err());
    assert!(world.end_session(&session));
    assert_eq!(counts(&world), (0, 0, 0, 0), "a used instance is not replaced when nothing is desired");
    assert_eq!((look(&world, "f").sessions_killed, rules(&world)), (0, vec![]));
}

#[tokio::test]
async fn a_user_may_come_until_the_idle_instance_has_left() {
    let world = running(Settings::default()).await;
    scale(&world, 0).await;
    world.advance(MINUTE);
    world.open_session("desk", "f", "late", AuthenticationType::Saml).unwrap();
    world.advance(5 * MINUTE);
    assert_eq!(counts(&world), (0, 1, 1, 0));
}

#[tokio::test]
async fn a_used_instance_is_replaced_after_its_session() {
    let world = running(Settings::default()).await;
    let session = world.open_session("desk", "f", "alice", AuthenticationType::Api).unwrap();
    assert_eq!(counts(&world), (2, 2, 1, 1));
    world.end_session(&session);
    assert_eq!(counts(&world), (2, 1, 0, 1));
    world.advance(10 * MINUTE);
    assert_eq!(counts(&world), (2, 2, 0, 2));
}

#[tokio::test]
async fn sessions_end_by_themselves() {
    let world = running(Settings::default()).await;
    let gone = world.open_session("desk", "f", "gone", AuthenticationType::Api).unwrap();
    world.open_session("desk", "f", "stays", AuthenticationType::Api).unwrap();
    world.disconnect_session(&gone);
    world.advance(14 * MINUTE);
    assert_eq!(look(&world, "f").sessions.len(), 2);
    world.advance(2 * MINUTE);
    assert_eq!(look(&world, "f").sessions.iter().map(|one| one.user.clone()).collect::<Vec<_>>(), ["stays"]);
    world.advance(Duration::from_secs(57_600));
    assert_eq!(look(&world, "f").sessions, []);
}

#[tokio::test]
async fn speed_shortens_transitions_and_nothing_else() {
    let world = World::new(Settings { speed: 60.0, ..Settings::default() });
    call(&world, "CreateFleet", fleet_named("f", "u")).await.unwrap();
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap();
    world.advance(Duration::from_secs(12));
    world.associate("f", "desk");
    assert_eq!(look(&world, "f").state, FleetState::Running);
    world.open_session("desk", "f", "alice", AuthenticationType::Api).unwrap();
    world.advance(Duration::from_secs(57_599));
    assert_eq!(look(&world, "f").sessions.len(), 1);
}

#[tokio::test]
async fn a_fleet_in_trouble_stays_starting_until_it_is_helped() {
    let world = World::new(Settings::default());
    call(&world, "CreateFleet", fleet_named("f", "u")).await.unwrap();
    world.fleet_errors("f", &["SUBNET_NOT_FOUND"]);
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap();
    world.advance(10_000 * MINUTE);
    let described = call(&world, "DescribeFleets", json!({})).await.unwrap();
    assert_eq!(described["Fleets"][0]["State"], "STARTING");
    assert_eq!(described["Fleets"][0]["FleetErrors"][0]["ErrorCode"], "SUBNET_NOT_FOUND");
    world.fleet_errors("f", &[]);
    world.advance(12 * MINUTE);
    assert_eq!(look(&world, "f").state, FleetState::Running);
    call(&world, "StopFleet", json!({"Name": "f"})).await.unwrap();
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap_err();
    world.advance(5 * MINUTE);
    assert_eq!(look(&world, "f").state, FleetState::Stopped);
}

#[tokio::test]
async fn people_change_fleets_behind_the_operators_back() {
    let world = running(Settings::default()).await;
    assert!(world.edit_fleet("f", |fleet| {
        fleet.desired_instances = 5;
        fleet.settings.description = Some("by hand".to_owned());
    }));
    let fleet = look(&world, "f");
    assert_eq!((fleet.capacity.desired, fleet.settings.description.as_deref()), (5, Some("by hand")));
    assert!(world.stop_fleet_out_of_band("f"));
    assert!(!world.stop_fleet_out_of_band("f"));
    assert_eq!(look(&world, "f").state, FleetState::Stopping);
    assert!(world.delete_fleet_out_of_band("f"));
    assert_eq!(world.fleets(), []);
    assert_eq!(world.violations(), [], "people are not judged");
}

#[tokio::test]
async fn an_update_while_running_is_judged_by_the_rule_of_its_age() {
    for (age, refused) in [(RunningRule::Y2017, true), (RunningRule::Today, false)] {
        let world = running(Settings { rules: age, ..Settings::default() }).await;
        let result = call(&world, "UpdateFleet", json!({"Name": "f", "ImageName": "windlass-demo-v2"})).await;
        assert_eq!((result.is_err(), rules(&world)), (refused, vec![Rule::ForbiddenUpdate; usize::from(refused)]));
    }
}

#[tokio::test]
async fn every_attribute_but_two_needs_a_stop_under_the_rule_of_2017() {
    let changes = [
        ("DisplayName", json!("d"), true),
        ("ComputeCapacity", json!({"DesiredInstances": 3}), true),
        ("Description", json!("d"), false),
        ("InstanceType", json!("stream.standard.large"), false),
        ("ImageArn", json!("arn:aws:appstream:us-east-1:123456789012:image/windlass-demo-v2"), false),
        ("VpcConfig", json!({"SubnetIds": ["subnet-1"]}), false),
        ("MaxUserDurationInSeconds", json!(3600), false),
        ("DisconnectTimeoutInSeconds", json!(60), false),
        ("IdleDisconnectTimeoutInSeconds", json!(70), false),
        ("EnableDefaultInternetAccess", json!(true), false),
        ("DomainJoinInfo", json!({"DirectoryName": "corp.example.com"}), false),
        ("IamRoleArn", json!("arn:aws:iam::123456789012:role/r"), false),
        ("StreamView", json!("DESKTOP"), false),
        ("DisableIMDSV1", json!(true), false),
        ("RootVolumeConfig", json!({"VolumeSizeInGb": 300}), false),
        ("AttributesToDelete", json!(["IAM_ROLE_ARN"]), false),
        ("DeleteVpcConfig", json!(true), false),
    ];
    for (member, value, taken) in changes {
        let world = running(Settings { rules: RunningRule::Y2017, ..Settings::default() }).await;
        let before = look(&world, "f");
        let result = call(&world, "UpdateFleet", json!({"Name": "f", member: value})).await;
        let expected = if taken { None } else { Some("ResourceInUseException".to_owned()) };
        assert_eq!(result.err(), expected, "{member}");
        assert_eq!(look(&world, "f") == before, !taken, "{member}");
        call(&world, "StopFleet", json!({"Name": "f"})).await.unwrap();
        world.advance(5 * MINUTE);
        call(&world, "UpdateFleet", json!({"Name": "f", member: value})).await.unwrap();
    }
}

#[tokio::test]
async fn careless_writes_are_violations() {
    let world = running(Settings::default()).await;
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap_err();
    assert_eq!(rules(&world), [Rule::UselessWrite]);
    call(&world, "CreateFleet", fleet_named("g", "u")).await.unwrap();
    assert_eq!(rules(&world)[1..], [Rule::DuplicateCreate], "two fleets for one uid");
    let mut untagged = fleet_named("h", "u3");
    untagged["Tags"] = json!({"team": "a"});
    call(&world, "CreateFleet", untagged).await.unwrap();
    assert_eq!(rules(&world)[2..], [Rule::UntaggedCreate]);
    call(&world, "UpdateFleet", json!({"Name": "h", "DisplayName": "x"})).await.unwrap();
    assert_eq!(rules(&world)[3..], [Rule::ForeignWrite]);
    world.edit_fleet("g", |fleet| {
        fleet.tags.insert("windlass.dev/cluster".to_owned(), "another".to_owned());
    });
    call(&world, "DeleteFleet", json!({"Name": "g"})).await.unwrap();
    assert_eq!(rules(&world)[4..], [Rule::ForeignWrite]);
    world.pardon(Rule::ForeignWrite);
    call(&world, "DeleteFleet", json!({"Name": "h"})).await.unwrap();
    assert_eq!(rules(&world).len(), 5);
}

#[tokio::test]
async fn adoption_is_legal_of_what_nobody_owns_and_of_ones_own_past() {
    let world = running(Settings::default()).await;
    let arn = look(&world, "f").arn;
    let identity = |uid: &str, name: &str| {
        json!({"windlass.dev/cluster": "c1", "windlass.dev/uid": uid, "windlass.dev/kind": "Fleet.appstream.windlass.dev",
               "windlass.dev/namespace": "team", "windlass.dev/name": name})
    };
    let tag = |tags: Json| call(&world, "TagResource", json!({"ResourceArn": arn.clone(), "Tags": tags}));
    world.edit_fleet("f", |fleet| fleet.tags.clear());
    tag(identity("u1", "fleet")).await.unwrap();
    tag(identity("u2", "fleet")).await.unwrap();
    assert_eq!(rules(&world), []);
    world.edit_fleet("f", |fleet| {
        fleet.tags.insert("windlass.dev/cluster".to_owned(), "another".to_owned());
    });
    tag(identity("u3", "fleet")).await.unwrap();
    assert_eq!(rules(&world), [Rule::ForeignWrite]);
}

#[tokio::test]
async fn ending_sessions_needs_leave() {
    for operation in ["StopFleet", "ExpireSession", "DisassociateFleet"] {
        for allowed in [false, true] {
            let world = running(Settings::default()).await;
            world.pardon(Rule::ForeignWrite);
            let session = world.open_session("desk", "f", "alice", AuthenticationType::AwsAd).unwrap();
            if allowed {
                world.allow_stopping_sessions("f");
            }
            let input = json!({"Name": "f", "FleetName": "f", "StackName": "desk", "SessionId": session.0});
            let _ = call(&world, operation, input).await;
            let expected = if allowed { vec![] } else { vec![Rule::SessionKilled] };
            assert_eq!(rules(&world), expected, "{operation}");
        }
    }
}

#[tokio::test]
async fn only_named_callers_are_judged_once_one_is_named() {
    let world = running(Settings::default()).await;
    let operator = credentials("123456789012").0;
    world.judge(&operator);
    let person = "AKIA123456789012PERS";
    call_as(&world, person, "StartFleet", json!({"Name": "f"})).await.unwrap_err();
    assert_eq!(rules(&world), []);
    call_as(&world, &operator, "StartFleet", json!({"Name": "f"})).await.unwrap_err();
    assert_eq!(rules(&world), [Rule::UselessWrite]);
}

#[tokio::test]
async fn what_is_younger_than_the_lag_is_no_violation() {
    let world = World::new(Settings { visibility_lag: Duration::from_secs(5), ..Settings::default() });
    call(&world, "CreateFleet", fleet_named("f", "u")).await.unwrap();
    call(&world, "CreateFleet", fleet_named("f", "u")).await.unwrap_err();
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap();
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap_err();
    assert_eq!(rules(&world), []);
    world.advance(Duration::from_secs(5));
    call(&world, "CreateFleet", fleet_named("f", "u")).await.unwrap_err();
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap_err();
    assert_eq!(rules(&world), [Rule::DuplicateCreate, Rule::UselessWrite]);
}

#[tokio::test]
async fn accounts_and_regions_are_apart() {
    let world = World::new(Settings::default());
    let other = credentials("210987654321").0;
    call(&world, "CreateFleet", fleet_named("f", "u1")).await.unwrap();
    call_as(&world, &other, "CreateFleet", fleet_named("f", "u2")).await.unwrap();
    let arns: Vec<String> = world.fleets().into_iter().map(|fleet| fleet.arn).collect();
    assert_eq!(
        arns,
        ["arn:aws:appstream:us-east-1:123456789012:fleet/f", "arn:aws:appstream:us-east-1:210987654321:fleet/f"]
    );
    let arn = json!({"ResourceArn": arns[1]});
    assert_eq!(call(&world, "ListTagsForResource", arn).await, Err("ResourceNotFoundException".to_owned()));
}

#[tokio::test]
async fn quotas_are_refused_as_aws_does() {
    let quotas = Quotas { fleets: Some(1), instances_per_type: Some(3), ..Quotas::default() };
    let world = running(Settings { quotas, ..Settings::default() }).await;
    let limit = Err("LimitExceededException".to_owned());
    assert_eq!(call(&world, "CreateFleet", fleet_named("g", "u2")).await, limit);
    let raise = request(
        &credentials("123456789012").0,
        "UpdateFleet",
        &json!({"Name": "f", "ComputeCapacity": {"DesiredInstances": 4}}).to_string(),
    );
    let (status, error) = send(&world, raise).await;
    let message = "The Instance type 'stream.standard.medium' capacity limit for fleet f' was exceeded. \
                   Requested: 4, Limit: 3";
    assert_eq!((status, error["Message"].as_str()), (400, Some(message)));
}

#[tokio::test]
async fn signatures_decide_and_ill_formed_ones_get_awss_own_errors() {
    let world = World::new(Settings::default());
    let with = |authorization: Option<&str>| {
        let mut request = request("AKIA", "DescribeFleets", "{}");
        request.headers_mut().remove("authorization");
        if let Some(text) = authorization {
            request.headers_mut().insert("authorization", text.parse().unwrap());
        }
        request
    };
    let sts = "AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0";
    let short = "AWS4-HMAC-SHA256 Credential=K/us-east-1, SignedHeaders=host, Signature=0";
    let cases = [
        (None, "MissingAuthenticationTokenException"),
        (Some("Bearer x"), "IncompleteSignatureException"),
        (Some("AWS4-HMAC-SHA256 Credential=K"), "IncompleteSignatureException"),
        (Some(short), "IncompleteSignatureException"),
        (Some(sts), "InvalidSignatureException"),
    ];
    for (authorization, code) in cases {
        let (status, error) = send(&world, with(authorization)).await;
        assert_eq!((status, error["__type"].as_str()), (403, Some(code)), "{authorization:?}");
    }
}

/// Every operation with inputs that no client sends: an error or an answer, never a panic.
#[tokio::test]
async fn no_input_makes_a_panic() {
    let junk = [
        "",
        "[]",
        "null",
        "{",
        "\u{0}",
        "{\"Name\": 1}",
        "{\"Name\": null}",
        "{\"Name\": \"f\", \"Tags\": []}",
        "{\"Name\": \"f\", \"ComputeCapacity\": {\"DesiredInstances\": 9223372036854775807}}",
        "{\"Name\": \"f\", \"ComputeCapacity\": {\"DesiredInstances\": -5}}",
        "{\"Name\": \"f\", \"ComputeCapacity\": {\"DesiredInstances\": 1.5}}",
        "{\"Names\": [\"\"], \"NextToken\": \"zz\"}",
        "{\"NextToken\": \"é\"}",
        "{\"NextToken\": \"00\"}",
        "{\"ResourceArn\": \"arn:aws:appstream:us-east-1:123456789012:fleet\", \"Tags\": {\"a\": \"b\"}, \"TagKeys\": [\"a\"]}",
        "{\"StackName\": \"s\", \"FleetName\": \"f\", \"Limit\": -1, \"UserId\": \"aa\", \"Validity\": -1}",
    ];
    let operations = [
        "CreateFleet",
        "UpdateFleet",
        "DescribeFleets",
        "StartFleet",
        "StopFleet",
        "DeleteFleet",
        "AssociateFleet",
        "DisassociateFleet",
        "ListAssociatedFleets",
        "ListAssociatedStacks",
        "AssociateApplicationFleet",
        "DisassociateApplicationFleet",
        "DescribeApplicationFleetAssociations",
        "CreateStack",
        "UpdateStack",
        "DeleteStack",
        "DescribeStacks",
        "DescribeImages",
        "DescribeSessions",
        "ExpireSession",
        "DrainSessionInstance",
        "CreateStreamingURL",
        "CreateImageBuilder",
        "UpdateImageBuilder",
        "DescribeImageBuilders",
        "StartImageBuilder",
        "StopImageBuilder",
        "DeleteImageBuilder",
        "CreateImageBuilderStreamingURL",
        "TagResource",
        "UntagResource",
        "ListTagsForResource",
        "NoSuchOperation",
        "",
    ];
    let world = running(Settings::default()).await;
    let key = credentials("123456789012").0;
    for operation in operations {
        for body in junk {
            let (status, _) = send(&world, request(&key, operation, body)).await;
            assert!((200..500).contains(&status), "{operation} {body}: {status}");
        }
    }
}

#[tokio::test]
async fn no_input_to_lightsail_makes_a_panic() {
    let junk = [
        "",
        "[]",
        "null",
        "{",
        "{}",
        "{\"instanceName\": 1}",
        "{\"instanceName\": \"\", \"instanceNames\": [\"\"], \"staticIpName\": \"é\", \"resourceName\": \"web\"}",
        "{\"instanceName\": \"web\", \"portInfos\": [{}], \"portInfo\": {\"fromPort\": -1, \"toPort\": -1, \"protocol\": \"all\"}}",
        "{\"instanceName\": \"web\", \"portInfos\": [null], \"portInfo\": {\"fromPort\": 65535, \"toPort\": 0, \"protocol\": \"tcp\"}}",
        "{\"instanceName\": \"web\", \"portInfo\": {\"fromPort\": 1, \"toPort\": 1, \"protocol\": \"tcp\", \"cidrs\": [\"/\", \"\"]}}",
        "{\"resourceName\": \"web\", \"addOnRequest\": {\"addOnType\": \"AutoSnapshot\", \"autoSnapshotAddOnRequest\": {\"snapshotTimeOfDay\": \"é:00\"}}}",
        "{\"resourceName\": \"web\", \"addOnRequest\": {\"addOnType\": \"AutoSnapshot\", \"autoSnapshotAddOnRequest\": {\"snapshotTimeOfDay\": \"99:00\"}}}",
        "{\"resourceName\": \"web\", \"tags\": [{}, {\"key\": null}], \"tagKeys\": []}",
        "{\"resourceName\": \"web\", \"resourceType\": \"Instance\", \"ipAddressType\": \"ipv6\"}",
        "{\"instanceName\": \"web\", \"httpPutResponseHopLimit\": -9223372036854775808}",
        "{\"instanceName\": \"web\", \"attributeUpdates\": {\"bundleId\": \"auto\"}}",
        "{\"pageToken\": \"zz\", \"operationId\": \"é\"}",
        "{\"pageToken\": \"é\", \"operationId\": \"\"}",
        "{\"pageToken\": \"00\", \"keyPairName\": \"\", \"publicKeyBase64\": \"\"}",
    ];
    let operations = [
        "CreateInstances",
        "GetInstance",
        "GetInstances",
        "GetInstanceState",
        "StartInstance",
        "StopInstance",
        "RebootInstance",
        "DeleteInstance",
        "PutInstancePublicPorts",
        "OpenInstancePublicPorts",
        "CloseInstancePublicPorts",
        "GetInstancePortStates",
        "AllocateStaticIp",
        "AttachStaticIp",
        "DetachStaticIp",
        "ReleaseStaticIp",
        "GetStaticIp",
        "GetStaticIps",
        "EnableAddOn",
        "DisableAddOn",
        "GetAutoSnapshots",
        "SetIpAddressType",
        "UpdateInstanceMetadataOptions",
        "TagResource",
        "UntagResource",
        "GetBlueprints",
        "GetBundles",
        "GetRegions",
        "GetOperation",
        "GetOperations",
        "GetOperationsForResource",
        "GetKeyPair",
        "GetKeyPairs",
        "CreateKeyPair",
        "ImportKeyPair",
        "DeleteKeyPair",
        "GetActiveNames",
        "NoSuchOperation",
        "",
    ];
    let world = World::new(Settings::default());
    let key = credentials("123456789012").0;
    for operation in operations {
        if world.instances().is_empty() {
            world.put_instance(&InstanceSeed::named("web")).unwrap();
        }
        for body in junk {
            let (status, _) = send(&world, request_to("lightsail", "Lightsail_20161128", &key, operation, body)).await;
            assert!((200..500).contains(&status), "{operation} {body}: {status}");
        }
        world.advance(100_000 * MINUTE);
    }
}

fn builder_named(name: &str, uid: &str) -> Json {
    json!({
        "Name": name,
        "InstanceType": "stream.standard.medium",
        "ImageName": "windlass-demo-v1",
        "Tags": {"windlass.dev/cluster": "c1", "windlass.dev/uid": uid},
    })
}

async fn builder_state(world: &World) -> String {
    let described = call(world, "DescribeImageBuilders", json!({"Names": ["b"]})).await.unwrap();
    described["ImageBuilders"][0]["State"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_builder_that_makes_an_image_is_left_alone() {
    let world = World::new(Settings::default());
    call(&world, "CreateImageBuilder", builder_named("b", "u")).await.unwrap();
    call(&world, "StopImageBuilder", json!({"Name": "b"})).await.unwrap_err();
    assert_eq!(rules(&world), [Rule::AgainstTransition], "it is PENDING");
    world.advance(10 * MINUTE);
    assert!(world.begin_snapshot("b", "mine"));
    assert!(!world.begin_snapshot("b", "mine"));
    assert_eq!(builder_state(&world).await, "SNAPSHOTTING");
    for operation in ["StopImageBuilder", "DeleteImageBuilder", "StartImageBuilder", "UpdateImageBuilder"] {
        let refused = call(&world, operation, json!({"Name": "b"})).await;
        assert_eq!(refused, Err("OperationNotPermittedException".to_owned()), "{operation}");
    }
    assert_eq!(rules(&world), [Rule::AgainstTransition; 5]);
    world.advance(1000 * MINUTE);
    assert_eq!(builder_state(&world).await, "SNAPSHOTTING", "it lasts until somebody finishes it");
    assert!(world.finish_snapshot("b", "mine"));
    assert_eq!(builder_state(&world).await, "STOPPED");
    let images = call(&world, "DescribeImages", json!({"Names": ["mine"]})).await.unwrap();
    assert_eq!(images["Images"][0]["State"], "AVAILABLE");
    call(&world, "StopImageBuilder", json!({"Name": "b"})).await.unwrap_err();
    assert_eq!(rules(&world)[5..], [Rule::UselessWrite]);
    call(&world, "StartImageBuilder", json!({"Name": "b", "AppstreamAgentVersion": "LATEST"})).await.unwrap();
    world.advance(10 * MINUTE);
    call(&world, "UpdateImageBuilder", json!({"Name": "b", "Description": "x"})).await.unwrap_err();
    assert_eq!(rules(&world)[6..], [Rule::ForbiddenUpdate]);
    call(&world, "DeleteImageBuilder", json!({"Name": "b"})).await.unwrap();
    assert_eq!(builder_state(&world).await, "DELETING");
    world.advance(MINUTE);
    assert_eq!(world.builders(), []);
}

#[tokio::test]
async fn a_failed_builder_says_why_and_can_only_be_deleted() {
    let world = World::new(Settings::default());
    call(&world, "CreateImageBuilder", builder_named("b", "u")).await.unwrap();
    assert!(world.fail_builder("b", &["SUBNET_NOT_FOUND"]));
    let described = call(&world, "DescribeImageBuilders", json!({})).await.unwrap();
    let builder = &described["ImageBuilders"][0];
    assert_eq!(
        (&builder["State"], &builder["ImageBuilderErrors"][0]["ErrorCode"], &builder["StateChangeReason"]["Code"]),
        (&json!("FAILED"), &json!("SUBNET_NOT_FOUND"), &json!("INTERNAL_ERROR"))
    );
    call(&world, "StartImageBuilder", json!({"Name": "b"})).await.unwrap_err();
    call(&world, "DeleteImageBuilder", json!({"Name": "b"})).await.unwrap();
    assert!(world.put_builder_into("b", BuilderState::PendingQualification));
    assert_eq!(builder_state(&world).await, "PENDING_QUALIFICATION");
    assert!(world.delete_builder_out_of_band("b"));
    assert_eq!((world.builders(), rules(&world)), (vec![], vec![]));
}

#[tokio::test]
async fn stacks_and_builders_are_judged_like_fleets() {
    let world = World::new(Settings::default());
    let owned = |uid: &str| json!({"windlass.dev/cluster": "c1", "windlass.dev/uid": uid});
    call(&world, "CreateStack", json!({"Name": "s", "Tags": owned("s")})).await.unwrap();
    call(&world, "CreateStack", json!({"Name": "s", "Tags": owned("s")})).await.unwrap_err();
    assert_eq!(rules(&world), [Rule::DuplicateCreate]);
    world.script(Fault::nth("CreateStack", 1, FaultEffect::AppliedNoAnswer));
    call(&world, "CreateStack", json!({"Name": "t", "Tags": owned("t")})).await.unwrap_err();
    call(&world, "CreateStack", json!({"Name": "t", "Tags": owned("t")})).await.unwrap_err();
    assert_eq!(rules(&world).len(), 1, "one repeat after a lost answer is excused");
    call(&world, "CreateImageBuilder", builder_named("b", "b")).await.unwrap();
    call(&world, "CreateImageBuilder", builder_named("b2", "b")).await.unwrap();
    assert_eq!(rules(&world)[1..], [Rule::DuplicateCreate]);
    world.put_stack("theirs");
    call(&world, "UpdateStack", json!({"Name": "theirs", "Description": "mine"})).await.unwrap();
    call(&world, "DeleteStack", json!({"Name": "theirs"})).await.unwrap();
    let bare = json!({"ResourceArn": "arn:aws:appstream:us-east-1:123456789012:image-builder/b2", "TagKeys":
                      ["windlass.dev/uid"]});
    world.out_of_band("appstream", "UntagResource", &bare).unwrap();
    world.advance(10 * MINUTE);
    call(&world, "StopImageBuilder", json!({"Name": "b2"})).await.unwrap();
    assert_eq!(rules(&world)[2..], [Rule::ForeignWrite; 3]);
    let stack = world.stack("123456789012", "us-east-1", "s").unwrap();
    assert_eq!((stack.fleet, stack.settings["UserSettings"].as_array().unwrap().len()), (None, 9));
    assert!(world.stack_errors("s", &["STORAGE_CONNECTOR_ERROR"]));
    let described = call(&world, "DescribeStacks", json!({"Names": ["s"]})).await.unwrap();
    assert_eq!(described["Stacks"][0]["StackErrors"][0]["ErrorCode"], "STORAGE_CONNECTOR_ERROR");
    assert!(world.delete_stack_out_of_band("s"));
}

#[tokio::test(start_paused = true)]
async fn a_world_follows_a_paused_clock_and_hangs_on_it() {
    let world = World::new(Settings::default());
    let (begun, start) = (tokio::time::Instant::now(), jiff::Timestamp::UNIX_EPOCH);
    world.follow(move || start + jiff::SignedDuration::try_from(begun.elapsed()).unwrap());
    call(&world, "CreateFleet", fleet_named("f", "u")).await.unwrap();
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap();
    tokio::time::sleep(12 * MINUTE).await;
    assert_eq!(look(&world, "f").state, FleetState::Running);
    world.script(Fault::nth("StopFleet", 1, FaultEffect::Hang(MINUTE)));
    let stop = tokio::time::timeout(MINUTE / 2, call(&world, "StopFleet", json!({"Name": "f"}))).await;
    assert!(stop.is_err());
    tokio::time::sleep(MINUTE).await;
    assert_eq!(look(&world, "f").state, FleetState::Running, "a caller that hangs up changes nothing");
    world.script(Fault::nth("StopFleet", 1, FaultEffect::AppliedThenHang(MINUTE)));
    let stop = tokio::time::timeout(MINUTE / 2, call(&world, "StopFleet", json!({"Name": "f"}))).await;
    assert!(stop.is_err());
    assert_eq!(look(&world, "f").state, FleetState::Stopping);
}
