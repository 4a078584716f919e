#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use ciborium::Value;
use jiff::Timestamp;

use super::AppStream;
use super::canned::*;
use crate::api::stack::*;
use crate::aws::gate::Urgency;
use crate::aws::{Ask, AwsError, AwsPort, Reply, Stray};
use crate::plan::Class;
use crate::plan::fleet::SessionFacts;
use crate::plan::looked::{Looked, Refusal};
use crate::plan::stack::*;

fn object(fleet_name: Option<&str>) -> Stack {
    let spec = serde_json::json!({ "fleetName": fleet_name.unwrap_or("f") });
    let mut object = Stack::new("office", serde_json::from_value(spec).unwrap());
    if fleet_name.is_none() {
        object.spec.fleet_name = None;
    }
    object
}

async fn observe(appstream: &AppStream, object: &Stack, looks: &[StackLook]) -> Result<StackState, AwsError> {
    let looks: BTreeSet<StackLook> = looks.iter().copied().collect();
    let ask = Ask { looks: &looks, not_before: Timestamp::MIN, urgency: Urgency::Routine };
    AwsPort::<StackKind>::observe(appstream, &scope(), object, ask).await
}

async fn send(appstream: &AppStream, call: &StackCall) -> Result<Reply, AwsError> {
    AwsPort::<StackKind>::send(appstream, &scope(), call, Urgency::Routine).await
}

fn arn() -> String {
    "arn:aws:appstream:eu-central-1:111122223333:stack/office".into()
}

fn plain() -> Value {
    map([("Name", "office".into()), ("Arn", arn().into())])
}

fn every_setting() -> StackSettings {
    serde_json::from_value(serde_json::json!({
        "displayName": "Office", "description": "for offices",
        "storageConnectors": [
            {"connectorType": "HOMEFOLDERS", "resourceIdentifier": "bucket"},
            {"connectorType": "GOOGLE_DRIVE", "domains": ["a.example", "b.example"]},
            {"connectorType": "ONE_DRIVE", "domains": ["a.example"], "domainsRequireAdminConsent": ["c.example"]}
        ],
        "redirectURL": "https://a.example", "feedbackURL": "https://b.example",
        "userSettings": [
            {"action": "FILE_UPLOAD", "permission": "DISABLED"},
            {"action": "A_NEW_ACTION", "permission": "ENABLED"},
            {"action": "CLIPBOARD_COPY_TO_LOCAL_DEVICE", "permission": "ENABLED", "maximumLength": 7}
        ],
        "applicationSettings": {"enabled": true, "settingsGroup": "g"},
        "accessEndpoints": [{"endpointType": "STREAMING", "vpceId": "vpce-1"}],
        "embedHostDomains": ["a.example", "b.example"],
        "streamingExperienceSettings": {"preferredProtocol": "UDP"},
        "contentRedirection": {"hostToClient": {"enabled": true, "allowedUrls": ["*"], "deniedUrls": ["https://c.example"]}},
        "agentAccessConfig": {
            "settings": [{"agentAction": "COMPUTER_VISION", "permission": "ENABLED"}],
            "s3BucketArn": "arn:aws:s3:::bucket", "screenshotsUploadEnabled": true,
            "screenResolution": "W_1280xH_720", "screenImageFormat": "PNG", "userControlMode": "VIEW_ONLY"
        },
        "storageConnectorAuthentication": "FORCE_REAUTHENTICATION"
    }))
    .unwrap()
}

/// A stack as DescribeStacks gives it back after a CreateStack of `input`.
fn described(input: &Value) -> Value {
    let Value::Map(mut members) = input.clone() else { panic!("no map") };
    members.retain(|(key, _)| key.as_text() != Some("Tags"));
    let error = map([("ErrorCode", "STORAGE_CONNECTOR_ERROR".into()), ("ErrorMessage", "a".into())]);
    let more = map([
        ("Arn", arn().into()),
        ("CreatedTime", Value::Tag(1, Box::new(Value::from(1_700_000_000)))),
        ("StackErrors", list([error])),
    ]);
    members.extend(more.into_map().unwrap());
    Value::Map(members)
}

#[tokio::test(start_paused = true)]
async fn every_setting_goes_to_aws_and_comes_back_the_same() {
    let aws = Canned::new(|_| Answer::Cbor(200, map([("Stack", plain())])));
    let create = StackCreate {
        name: "office".parse().unwrap(),
        settings: every_setting(),
        tags: [("windlass.dev/uid".to_owned(), "1".to_owned())].into(),
    };
    let reply = send(&appstream(&aws, true), &StackCall::Create(Box::new(create))).await;
    let wanted = Reply { arn: Some(arn().parse().unwrap()), request_id: Some("request-1".to_owned()) };
    assert_eq!(reply, Ok(wanted));
    let Asked { operation, input } = aws.asked().remove(0);
    assert_eq!(operation, "CreateStack");
    assert_eq!(member(&input, "Tags"), Some(&map([("windlass.dev/uid", "1".into())])));

    let aws = Canned::new(move |_| Answer::Cbor(200, map([("Stacks", list([described(&input)]))])));
    let state = observe(&appstream(&aws, true), &object(None), &[]).await.unwrap();
    let facts = StackFacts {
        arn: arn().parse().unwrap(),
        name: "office".parse().unwrap(),
        settings: every_setting(),
        errors: vec![StackError { code: "STORAGE_CONNECTOR_ERROR".to_owned(), message: "a".to_owned() }],
        created_time: Some(Timestamp::from_second(1_700_000_000).unwrap()),
    };
    let began = Timestamp::from_second(1_800_000_000).unwrap();
    let wanted = StackState {
        began,
        in_region: 0,
        stack: Some(facts),
        tags: None,
        joined: None,
        sessions: None,
        named_fleet: None,
    };
    assert_eq!(state, wanted);
}

#[tokio::test(start_paused = true)]
async fn an_update_carries_the_changed_fields_and_what_to_clear_and_nothing_else() {
    let aws = Canned::new(|_| Answer::Cbor(200, map([("Stack", plain())])));
    let all = [
        (StackAttribute::HomeFolders, "STORAGE_CONNECTOR_HOMEFOLDERS"),
        (StackAttribute::GoogleDrive, "STORAGE_CONNECTOR_GOOGLE_DRIVE"),
        (StackAttribute::OneDrive, "STORAGE_CONNECTOR_ONE_DRIVE"),
        (StackAttribute::RedirectUrl, "REDIRECT_URL"),
        (StackAttribute::FeedbackUrl, "FEEDBACK_URL"),
        (StackAttribute::UserSettings, "USER_SETTINGS"),
        (StackAttribute::EmbedHostDomains, "EMBED_HOST_DOMAINS"),
        (StackAttribute::AccessEndpoints, "ACCESS_ENDPOINTS"),
        (StackAttribute::StreamingExperienceSettings, "STREAMING_EXPERIENCE_SETTINGS"),
        (StackAttribute::ContentRedirection, "CONTENT_REDIRECTION"),
        (StackAttribute::AgentAccessConfig, "AGENT_ACCESS_CONFIG"),
        (StackAttribute::StorageConnectorAuthentication, "STORAGE_CONNECTOR_AUTHENTICATION"),
    ];
    let patch = StackPatch {
        name: "office".parse().unwrap(),
        set: StackSettings { display_name: Some("New".to_owned()), ..StackSettings::default() },
        clear: all.iter().map(|(attribute, _)| *attribute).collect(),
    };
    send(&appstream(&aws, true), &StackCall::Update(Box::new(patch))).await.unwrap();
    let Asked { operation, input } = aws.asked().remove(0);
    let members: BTreeMap<_, _> =
        input.into_map().unwrap().into_iter().map(|(key, value)| (key.into_text().unwrap(), value)).collect();
    let wanted = BTreeMap::from([
        ("AttributesToDelete".to_owned(), list(all.iter().map(|(_, word)| Value::from(*word)))),
        ("DisplayName".to_owned(), "New".into()),
        ("Name".to_owned(), "office".into()),
    ]);
    assert_eq!((operation.as_str(), members), ("UpdateStack", wanted));

    let whole = StackPatch { name: "office".parse().unwrap(), set: every_setting(), clear: BTreeSet::new() };
    send(&appstream(&aws, true), &StackCall::Update(Box::new(whole))).await.unwrap();
    let input = aws.asked().remove(0).input;
    // What every setting makes of a create, it makes of an update, too.
    assert_eq!(input.as_map().unwrap().len(), 14, "13 settings and the name: {input:?}");
}

#[tokio::test(start_paused = true)]
async fn each_other_write_is_one_request_of_its_own_operation() {
    let aws = Canned::new(|_| Answer::Cbor(200, map([])));
    let appstream = appstream(&aws, true);
    let (stack, fleet) = (|| "office".parse().unwrap(), || "f".parse().unwrap());
    let calls = [
        StackCall::Delete(stack()),
        StackCall::Associate { stack: stack(), fleet: fleet() },
        StackCall::Disassociate { stack: stack(), fleet: fleet() },
        StackCall::Tag { arn: arn().parse().unwrap(), tags: [("k".to_owned(), "v".to_owned())].into() },
        StackCall::Untag { arn: arn().parse().unwrap(), keys: ["k".to_owned()].into() },
    ];
    for call in calls {
        send(&appstream, &call).await.unwrap();
    }
    let asked: Vec<(String, usize)> =
        aws.asked().into_iter().map(|a| (a.operation, a.input.as_map().unwrap().len())).collect();
    let wanted =
        [("DeleteStack", 1), ("AssociateFleet", 2), ("DisassociateFleet", 2), ("TagResource", 2), ("UntagResource", 2)];
    assert_eq!(asked, wanted.map(|(operation, members)| (operation.to_owned(), members)));
}

#[tokio::test(start_paused = true)]
async fn fleets_are_remembered_until_they_are_written_and_read_anew_when_asked() {
    let aws = Canned::new(|asked| match asked.operation.as_str() {
        "DescribeStacks" => Answer::Cbor(200, map([("Stacks", list([plain()]))])),
        "ListAssociatedFleets" => Answer::Cbor(200, map([("Names", list(["f".into()])), ("NextToken", "".into())])),
        _ => Answer::Cbor(200, map([])),
    });
    let appstream = appstream(&aws, true);
    let joined = |state: StackState| match state.joined {
        Some(Looked::Found(joined)) => joined.fleets.into_iter().map(String::from).collect(),
        Some(Looked::Refused(_)) | None => Vec::new(),
    };
    assert_eq!(joined(observe(&appstream, &object(None), &[]).await.unwrap()), Vec::<String>::new());
    assert_eq!(joined(observe(&appstream, &object(None), &[StackLook::Fleets]).await.unwrap()), ["f"]);
    aws.asked();
    assert_eq!(joined(observe(&appstream, &object(None), &[]).await.unwrap()), ["f"]);
    assert!(!aws.operations().contains(&"ListAssociatedFleets".to_owned()));
    let call = StackCall::Disassociate { stack: "office".parse().unwrap(), fleet: "f".parse().unwrap() };
    send(&appstream, &call).await.unwrap();
    assert_eq!(joined(observe(&appstream, &object(None), &[]).await.unwrap()), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn sessions_are_asked_for_by_every_type_of_sign_in() {
    let aws = Canned::new(|asked| match asked.operation.as_str() {
        "DescribeStacks" => Answer::Cbor(200, map([("Stacks", list([plain()]))])),
        "ListAssociatedFleets" => Answer::Cbor(200, map([("Names", list(["f".into()]))])),
        "DescribeSessions" => match member(&asked.input, "AuthenticationType").and_then(Value::as_text) {
            Some("SAML") => {
                let session = map([("Id", "s-1".into()), ("State", "ACTIVE".into())]);
                Answer::Cbor(200, map([("Sessions", list([session]))]))
            }
            _ => Answer::Cbor(200, map([])),
        },
        _ => Answer::Hang,
    });
    let state = observe(&appstream(&aws, true), &object(None), &[StackLook::Sessions]).await.unwrap();
    assert_eq!(state.sessions, Some(Looked::Found(vec![SessionFacts { id: "s-1".into(), started: None }])));
    let asked: Vec<Asked> = aws.asked().into_iter().filter(|a| a.operation == "DescribeSessions").collect();
    assert_eq!(asked.len(), 5);
    assert!(asked.iter().all(|a| member(&a.input, "StackName") == Some(&"office".into())));
}

#[tokio::test(start_paused = true)]
async fn a_look_that_is_refused_blinds_nothing_but_itself() {
    for (refused, sessions) in
        [("ListAssociatedFleets", "ListAssociatedFleets"), ("DescribeSessions", "DescribeSessions")]
    {
        let aws = Canned::new(move |asked| match asked.operation.as_str() {
            operation if operation == refused => error(400, "AccessDeniedException", "not you"),
            "DescribeStacks" => Answer::Cbor(200, map([("Stacks", list([plain()]))])),
            "ListAssociatedFleets" => Answer::Cbor(200, map([("Names", list(["f".into()]))])),
            _ => Answer::Hang,
        });
        let state = observe(&appstream(&aws, true), &object(None), &[StackLook::Sessions]).await.unwrap();
        let (code, message) = ("AccessDeniedException".to_owned(), "not you".to_owned());
        let refusal = Refusal { operation: sessions, code, message, since: start() };
        assert_eq!(state.sessions, Some(Looked::Refused(refusal)));
        assert!(state.stack.is_some());
        assert_eq!(matches!(state.joined, Some(Looked::Refused(_))), refused == "ListAssociatedFleets");
    }
    // What may pass is no refusal.
    let aws = Canned::new(|asked| match asked.operation.as_str() {
        "DescribeStacks" => Answer::Cbor(200, map([("Stacks", list([plain()]))])),
        _ => error(400, "ThrottlingException", "slow"),
    });
    let seen = observe(&appstream(&aws, true), &object(None), &[StackLook::Fleets]).await;
    assert_eq!(seen.unwrap_err().class, Class::Throttled);
}

#[tokio::test(start_paused = true)]
async fn a_named_fleet_comes_with_its_tags_and_an_absent_one_is_absent() {
    let aws = Canned::new(|asked| match asked.operation.as_str() {
        "DescribeStacks" => Answer::Cbor(200, map([("Stacks", list([plain()]))])),
        "DescribeFleets" => match asked.input.as_map().unwrap().is_empty() {
            true => Answer::Cbor(200, map([("Fleets", list([plain_fleet("design")]))])),
            false if member(&asked.input, "Names") == Some(&list(["design".into()])) => {
                Answer::Cbor(200, map([("Fleets", list([plain_fleet("design")]))]))
            }
            false => error(404, "ResourceNotFoundException", "no"),
        },
        "ListTagsForResource" => Answer::Cbor(200, map([("Tags", map([("k", "v".into())]))])),
        _ => Answer::Hang,
    });
    let appstream = appstream(&aws, true);
    let state = observe(&appstream, &object(Some("design")), &[StackLook::NamedFleet]).await.unwrap();
    let Some(Looked::Found(Some(found))) = state.named_fleet else { panic!("{:?}", state.named_fleet) };
    assert_eq!(found.arn.as_str(), super::canned::arn("design"));
    assert_eq!(found.tags.tags, [("k".to_owned(), "v".to_owned())].into());
    let state = observe(&appstream, &object(Some("absent")), &[StackLook::NamedFleet]).await.unwrap();
    assert_eq!(state.named_fleet, Some(Looked::Found(None)));
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_is_not_there_is_absent_and_what_nobody_claims_is_a_stray() {
    let aws = Canned::new(|asked| match (asked.operation.as_str(), asked.input.as_map().unwrap().is_empty()) {
        ("DescribeStacks", true) => Answer::Cbor(200, map([("Stacks", list([plain()]))])),
        ("DescribeStacks", false) => error(404, "ResourceNotFoundException", "no"),
        ("ListTagsForResource", _) => Answer::Cbor(200, map([("Tags", map([("k", "v".into())]))])),
        _ => Answer::Hang,
    });
    let appstream = appstream(&aws, true);
    let other = Stack::new("other", object(None).spec);
    let state = observe(&appstream, &other, &[StackLook::Sessions, StackLook::Tags]).await.unwrap();
    assert_eq!((state.stack, state.tags, state.joined, state.sessions), (None, None, None, None));
    let strays = AwsPort::<StackKind>::strays(&appstream, &scope(), &BTreeSet::new()).await.unwrap();
    assert_eq!(strays, [Stray { arn: arn().parse().unwrap(), tags: [("k".to_owned(), "v".to_owned())].into() }]);
    let claimed = [arn().parse().unwrap()].into();
    assert_eq!(AwsPort::<StackKind>::strays(&appstream, &scope(), &claimed).await, Ok(Vec::new()));
}
