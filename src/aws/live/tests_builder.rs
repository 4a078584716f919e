#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use ciborium::Value;
use jiff::Timestamp;

use super::AppStream;
use super::canned::*;
use crate::api::image_builder::*;
use crate::aws::gate::Urgency;
use crate::aws::{Ask, AwsError, AwsPort, Reply, Stray};
use crate::plan::image_builder::*;

fn object() -> ImageBuilder {
    let spec = serde_json::json!({ "instanceType": "stream.standard.medium", "imageName": "v1" });
    ImageBuilder::new("desk", serde_json::from_value(spec).unwrap())
}

async fn observe(appstream: &AppStream, looks: &[BuilderLook]) -> Result<BuilderState, AwsError> {
    let looks: BTreeSet<BuilderLook> = looks.iter().copied().collect();
    let ask = Ask { looks: &looks, not_before: Timestamp::MIN, urgency: Urgency::Routine };
    AwsPort::<ImageBuilderKind>::observe(appstream, &scope(), &object(), ask).await
}

async fn send(appstream: &AppStream, call: &BuilderCall) -> Result<Reply, AwsError> {
    AwsPort::<ImageBuilderKind>::send(appstream, &scope(), call, Urgency::Routine).await
}

fn arn() -> String {
    "arn:aws:appstream:eu-central-1:111122223333:image-builder/desk".into()
}

fn in_state(state: &str) -> Value {
    map([("Name", "desk".into()), ("Arn", arn().into()), ("State", state.into())])
}

fn every_setting() -> BuilderSettings {
    serde_json::from_value(serde_json::json!({
        "instanceType": "stream.standard.large", "imageArn": "arn:aws:appstream:eu-central-1::image/v1",
        "displayName": "a", "description": "b",
        "vpcConfig": {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1", "sg-2"]},
        "iamRoleArn": "arn:aws:iam::111122223333:role/a", "enableDefaultInternetAccess": true,
        "domainJoinInfo": {"directoryName": "c", "organizationalUnitDistinguishedName": "d"},
        "appstreamAgentVersion": "LATEST", "accessEndpoints": [{"endpointType": "STREAMING", "vpceId": "vpce-1"}],
        "rootVolumeConfig": {"volumeSizeInGb": 300}, "softwaresToInstall": ["e"], "softwaresToUninstall": ["f"],
        "disableIMDSV1": true
    }))
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_setting_goes_to_aws_and_comes_back_as_far_as_aws_tells_it() {
    let aws = Canned::new(|_| Answer::Cbor(200, map([("ImageBuilder", in_state("PENDING"))])));
    let create = BuilderCreate {
        name: "desk".parse().unwrap(),
        settings: every_setting(),
        tags: [("windlass.dev/uid".to_owned(), "1".to_owned())].into(),
    };
    let reply = send(&appstream(&aws, true), &BuilderCall::Create(Box::new(create))).await;
    let wanted = Reply { arn: Some(arn().parse().unwrap()), request_id: Some("request-1".to_owned()) };
    assert_eq!(reply, Ok(wanted));
    let Asked { operation, input } = aws.asked().remove(0);
    assert_eq!(operation, "CreateImageBuilder");
    assert_eq!(member(&input, "Tags"), Some(&map([("windlass.dev/uid", "1".into())])));
    assert_eq!(member(&input, "SoftwaresToInstall"), Some(&list(["e".into()])));
    assert_eq!(member(&input, "SoftwaresToUninstall"), Some(&list(["f".into()])));

    let Value::Map(mut members) = input else { panic!("no map") };
    members
        .retain(|(key, _)| !["Tags", "SoftwaresToInstall", "SoftwaresToUninstall"].contains(&key.as_text().unwrap()));
    let time = || Value::Tag(1, Box::new(Value::from(1_700_000_000)));
    let more = map([
        ("Arn", arn().into()),
        ("State", "FAILED".into()),
        ("StateChangeReason", map([("Code", "IMAGE_UNAVAILABLE".into()), ("Message", "gone".into())])),
        ("Platform", "WINDOWS_SERVER_2022".into()),
        ("NetworkAccessConfiguration", map([("EniPrivateIpAddress", "10.0.0.1".into())])),
        ("CreatedTime", time()),
        (
            "ImageBuilderErrors",
            list([map([
                ("ErrorCode", "SUBNET_NOT_FOUND".into()),
                ("ErrorMessage", "b".into()),
                ("ErrorTimestamp", time()),
            ])]),
        ),
    ]);
    members.extend(more.into_map().unwrap());
    let described = Value::Map(members);
    let aws = Canned::new(move |_| Answer::Cbor(200, map([("ImageBuilders", list([described.clone()]))])));
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    let facts = BuilderFacts {
        arn: arn().parse().unwrap(),
        name: "desk".parse().unwrap(),
        phase: Phase::Failed,
        reason: Some(StateChangeReason { code: "IMAGE_UNAVAILABLE".to_owned(), message: "gone".to_owned() }),
        settings: BuilderSettings { softwares_to_install: None, softwares_to_uninstall: None, ..every_setting() },
        platform: Some("WINDOWS_SERVER_2022".to_owned()),
        private_ip_address: Some("10.0.0.1".to_owned()),
        errors: vec![BuilderError { code: "SUBNET_NOT_FOUND".to_owned(), message: "b".to_owned(), at: Some(at) }],
        created_time: Some(at),
    };
    let began = Timestamp::from_second(1_800_000_000).unwrap();
    let wanted = BuilderState { began, builder: Some(facts), tags: None, image: None };
    assert_eq!(observe(&appstream(&aws, true), &[]).await, Ok(wanted));
}

#[tokio::test(start_paused = true)]
async fn every_state_of_aws_has_its_word_and_an_unknown_one_is_kept() {
    for state in [
        "PENDING",
        "UPDATING_AGENT",
        "RUNNING",
        "STOPPING",
        "STOPPED",
        "REBOOTING",
        "SNAPSHOTTING",
        "DELETING",
        "FAILED",
        "UPDATING",
        "PENDING_QUALIFICATION",
        "PENDING_SYNCING_APPS",
        "SYNCING_APPS",
        "PENDING_IMAGE_IMPORT",
        "RESTING",
    ] {
        let aws = Canned::new(move |_| Answer::Cbor(200, map([("ImageBuilders", list([in_state(state)]))])));
        let phase = observe(&appstream(&aws, true), &[]).await.unwrap().builder.unwrap().phase;
        assert_eq!(phase.as_str(), state);
        assert_eq!(matches!(phase, Phase::Unrecognised(_)), state == "RESTING", "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_other_write_is_one_request_of_its_own_operation() {
    let aws = Canned::new(|_| Answer::Cbor(200, map([])));
    let appstream = appstream(&aws, true);
    let name = || "desk".parse().unwrap();
    let calls = [
        BuilderCall::Start(name()),
        BuilderCall::Stop(name()),
        BuilderCall::Delete(name()),
        BuilderCall::Tag { arn: arn().parse().unwrap(), tags: [("k".to_owned(), "v".to_owned())].into() },
        BuilderCall::Untag { arn: arn().parse().unwrap(), keys: ["k".to_owned()].into() },
    ];
    for call in calls {
        send(&appstream, &call).await.unwrap();
    }
    let named = || map([("Name", "desk".into())]);
    let resource = |more: (&str, Value)| map([("ResourceArn", arn().into()), more]);
    let wanted = [
        ("StartImageBuilder", named()),
        ("StopImageBuilder", named()),
        ("DeleteImageBuilder", named()),
        ("TagResource", resource(("Tags", map([("k", "v".into())])))),
        ("UntagResource", resource(("TagKeys", list(["k".into()])))),
    ];
    let wanted: Vec<_> =
        wanted.into_iter().map(|(operation, input)| Asked { operation: operation.to_owned(), input }).collect();
    assert_eq!(aws.asked(), wanted);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_may_not_be_read_is_no_reason_not_to_try() {
    let aws = Canned::new(|asked| match asked.operation.as_str() {
        "DescribeImageBuilders" => error(404, "ResourceNotFoundException", "no"),
        "DescribeImages" => error(400, "AccessDeniedException", "not you"),
        _ => Answer::Hang,
    });
    let state = observe(&appstream(&aws, true), &[BuilderLook::Image]).await.unwrap();
    assert_eq!(state.builder, None);
    assert_eq!(state.image.unwrap().unwrap().state, "");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_claims_is_a_stray() {
    let aws = Canned::new(|asked| match asked.operation.as_str() {
        "DescribeImageBuilders" => Answer::Cbor(200, map([("ImageBuilders", list([in_state("RUNNING")]))])),
        "ListTagsForResource" => Answer::Cbor(200, map([("Tags", map([("k", "v".into())]))])),
        _ => Answer::Hang,
    });
    let appstream = appstream(&aws, true);
    let strays = AwsPort::<ImageBuilderKind>::strays(&appstream, &scope(), &BTreeSet::new()).await.unwrap();
    assert_eq!(strays, [Stray { arn: arn().parse().unwrap(), tags: [("k".to_owned(), "v".to_owned())].into() }]);
}
