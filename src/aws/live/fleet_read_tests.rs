//! What AWS shows of fleets.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use ciborium::Value;
use jiff::Timestamp;

use super::canned::*;
use super::fleet_tests::{NO_LOOKS, look, observe, send};
use crate::api::fleet::*;
use crate::aws::gate::Urgency;
use crate::aws::listing::Source;
use crate::aws::{AwsPort, Stray};
use crate::plan::Class;
use crate::plan::fleet::*;
use crate::plan::looked::{Looked, Refusal};

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
        let refusal = Refusal { operation: refused, code, message, since: start() };
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
async fn a_refused_look_says_since_when_until_it_is_answered_or_not_made_for_long() {
    let refuses = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&refuses);
    let aws = Canned::new(move |asked| match asked.operation.as_str() {
        "DescribeFleets" => Answer::Cbor(200, map([("Fleets", list([plain_fleet("design")]))])),
        _ if still.load(Ordering::SeqCst) => error(400, "AccessDeniedException", "not you"),
        _ => Answer::Cbor(200, map([])),
    });
    let appstream = appstream(&aws, true);
    let since = async || match observe(&appstream, "design", &look(FleetLook::Applications)).await.unwrap().applications
    {
        Some(Looked::Refused(refusal)) => Some(refusal.since.duration_since(start()).as_secs()),
        Some(Looked::Found(_)) | None => None,
    };
    let after = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
    assert_eq!(since().await, Some(0));
    after(500).await;
    assert_eq!(since().await, Some(0));
    refuses.store(false, Ordering::SeqCst);
    assert_eq!(since().await, None);
    refuses.store(true, Ordering::SeqCst);
    assert_eq!(since().await, Some(500));
    after(601).await;
    assert_eq!(since().await, Some(1101), "what nobody asked for meanwhile may have been allowed");
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
