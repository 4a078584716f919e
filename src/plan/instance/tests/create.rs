//! How an instance comes to be, and what is refused before anything is sent.

use std::time::Duration;

use super::bed::*;
use crate::api::common::RecreatePolicy;
use crate::api::instance::*;
use crate::plan::instance::*;
use crate::plan::{Class, KeyFound, Next, SecretText};

#[test]
fn a_new_object_becomes_a_running_instance_by_one_write_that_carries_our_tags() {
    let mut bed = new(spec());
    let (plan, _) = bed.pass();
    let Next::Send(InstanceCall::Create(create)) = &plan.next else { panic!("{plan:?}") };
    let keys: Vec<&str> = create.tags.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "windlass.dev/cluster",
            "windlass.dev/kind",
            "windlass.dev/name",
            "windlass.dev/namespace",
            "windlass.dev/uid"
        ]
    );
    assert_eq!(plan.status.internal.intent.as_ref().map(|i| i.name.as_str()), Some("web"));
    bed.run();
    assert_eq!(bed.sent, ["CreateInstances"]);
    let status = bed.status();
    assert_eq!(status.arn.as_ref().map(|arn| arn.resource()), Some("Instance/bd470fc5"));
    assert_eq!(
        [&status.state, &status.public_ip_address, &status.monthly_price, &status.platform, &status.username]
            .map(|text| text.as_deref().unwrap_or_default()),
        ["running", "198.18.0.1", "5.00", "LINUX_UNIX", "ubuntu"]
    );
    assert_eq!(status.internal.intent, None);
    assert_eq!(bed.condition("Synced").0, "True");
}

#[test]
fn what_the_catalogue_does_not_have_or_does_not_fit_is_refused_and_told_what_fits() {
    type Edit = fn(&mut InstanceSpec);
    let rows: [(Edit, &str); 10] = [
        (
            |s| s.blueprint_id = "ubuntu_18_04".into(),
            "blueprintId: this Region has no blueprint ubuntu_18_04; it has ubuntu_24_04",
        ),
        (
            |s| s.blueprint_id = "ubuntu_20_04".into(),
            "blueprintId: AWS no longer makes instances of ubuntu_20_04; it has ubuntu_24_04",
        ),
        (
            |s| s.bundle_id = "nano_2_0".into(),
            "bundleId: AWS no longer makes instances of size nano_2_0; these fit: nano_3_0 (5.00 USD a month), nano_4_0 (5.50 USD a month), micro_3_0 (7.00 USD a month)",
        ),
        (
            |s| s.bundle_id = "huge_3_0".into(),
            "bundleId: this Region has no bundle huge_3_0; these fit: nano_3_0 (5.00 USD a month), nano_4_0 (5.50 USD a month), micro_3_0 (7.00 USD a month)",
        ),
        (
            |s| s.blueprint_id = "windows_server_2022".into(),
            "bundleId: nano_3_0 does not take WINDOWS, which windows_server_2022 is; these fit: nano_win_3_0 (9.50 USD a month), medium_win_3_0 (44.00 USD a month)",
        ),
        (
            |s| {
                s.blueprint_id = "windows_sql".into();
                s.bundle_id = "nano_win_3_0".into();
            },
            "bundleId: nano_win_3_0 is too small for windows_sql; these fit: medium_win_3_0 (44.00 USD a month)",
        ),
        (
            |s| s.blueprint_id = "gitlab".into(),
            "bundleId: nano_3_0 is too small for gitlab; these fit: micro_3_0 (7.00 USD a month)",
        ),
        (
            |s| s.ip_address_type = Some(IpAddressType::Ipv6),
            "bundleId: nano_3_0 has IPv4 addresses, and ipAddressType is ipv6; these fit: nano_ipv6_3_0 (3.50 USD a month), nano_ipv6_4_0 (4.00 USD a month)",
        ),
        (
            |s| s.bundle_id = "nano_ipv6_3_0".into(),
            "bundleId: nano_ipv6_3_0 is for ipAddressType ipv6 alone; these fit: nano_3_0 (5.00 USD a month), nano_4_0 (5.50 USD a month), micro_3_0 (7.00 USD a month)",
        ),
        (
            |s| s.availability_zone = "eu-central-1c".into(),
            "availabilityZone: this Region has no zone eu-central-1c for Lightsail; it has eu-central-1a, eu-central-1b",
        ),
    ];
    for (edit, sentence) in rows {
        let mut wrong = spec();
        edit(&mut wrong);
        let mut bed = new(wrong);
        bed.run_for(Duration::from_secs(120));
        assert_eq!(bed.sent, Vec::<String>::new());
        assert_eq!(
            bed.condition("Stalled"),
            ("True".into(), "CatalogueMismatch".into(), sentence.into()),
            "{sentence}"
        );
    }
}

#[test]
fn who_may_not_read_the_catalogue_may_still_create() {
    let mut bed = new(InstanceSpec { bundle_id: "huge_3_0".into(), ..spec() });
    bed.catalogue = Catalogue { unreadable: Some("AccessDenied".into()), ..Catalogue::default() };
    bed.run();
    assert_eq!(bed.sent, ["CreateInstances"]);
}

#[test]
fn automatic_snapshots_of_windows_are_refused_before_anything_is_made() {
    let mut bed = new(InstanceSpec {
        blueprint_id: "windows_server_2022".into(),
        bundle_id: "nano_win_3_0".into(),
        add_ons: Some(AddOns { auto_snapshot: Some(AutoSnapshot::default()) }),
        ..spec()
    });
    bed.run_for(Duration::from_secs(60));
    assert_eq!((bed.sent.len(), bed.condition("Stalled").1), (0, "InvalidSpec".into()));
}

fn from_secret() -> InstanceSpec {
    let key = KeySelector { name: "boot".into(), key: "script".into() };
    InstanceSpec {
        user_data_from: Some(UserDataSource { secret_key_ref: Some(key), config_map_key_ref: None }),
        ..spec()
    }
}

#[test]
fn user_data_from_a_secret_is_read_when_the_create_is_due_and_is_never_printed() {
    let mut bed = new(from_secret());
    bed.key = KeyFound::Value(SecretText::new("canary-4711".into()));
    let (plan, looks) = bed.pass();
    assert!(looks.contains(&InstanceLook::UserData));
    let Next::Send(InstanceCall::Create(create)) = &plan.next else { panic!("{plan:?}") };
    assert_eq!(create.user_data.as_ref().map(SecretText::reveal), Some("canary-4711"));
    assert!(!format!("{plan:?}").contains("canary"));
    bed.run();
    // Never again, and not for what the catalogue refuses.
    assert!(!bed.pass().1.contains(&InstanceLook::UserData));
    let mut refused = new(InstanceSpec { bundle_id: "huge_3_0".into(), ..from_secret() });
    refused.key = KeyFound::Absent;
    let (_, looks) = refused.pass();
    assert!(!looks.contains(&InstanceLook::UserData));
}

#[test]
fn inline_user_data_is_not_printed_either() {
    let bed = new(InstanceSpec { user_data: Some("canary-4711".into()), ..spec() });
    let (plan, _) = bed.pass();
    let Next::Send(InstanceCall::Create(create)) = &plan.next else { panic!("{plan:?}") };
    assert_eq!(create.user_data.as_ref().map(SecretText::reveal), Some("canary-4711"));
    assert!(!format!("{:?}", plan.next).contains("canary"));
}

#[test]
fn user_data_that_cannot_be_had_is_waited_for_or_refused_by_what_is_wrong() {
    let too_long = KeyFound::Value(SecretText::new("a".repeat(16_385)));
    for (key, kind, reason) in [
        (KeyFound::Absent, "Reconciling", "DependencyNotReady"),
        (KeyFound::Unknown, "Reconciling", "DependencyNotReady"),
        (KeyFound::NotPermitted("secrets is forbidden".into()), "Stalled", "SecretsNotPermitted"),
        (KeyFound::NotText, "Stalled", "InvalidSpec"),
        (too_long, "Stalled", "InvalidSpec"),
    ] {
        let mut bed = new(from_secret());
        bed.key = key.clone();
        bed.run_for(Duration::from_secs(40));
        assert_eq!((bed.sent.len(), bed.condition(kind).1.as_str()), (0, reason), "{key:?}");
        // It comes later.
        bed.key = KeyFound::Value(SecretText::new("ok".into()));
        bed.run();
        assert_eq!((bed.sent.len(), bed.condition("Ready").0.as_str()), (1, "True"), "{key:?}");
    }
}

#[test]
fn a_create_that_aws_takes_and_does_not_carry_out_is_shown_and_tried_again_less_and_less_often() {
    let mut bed = new(spec());
    bed.answers.insert("CreateInstances", Answer::Forgets);
    let failed =
        ("CreateFailed", "AWS could not create the instance: InsufficientCapacity: no room; it is tried again");
    // The first one is shown already.
    bed.run_for(Duration::from_secs(90));
    let (_, reason, text) = bed.condition("Reconciling");
    assert_eq!((bed.creates.len(), reason.as_str(), text.as_str()), (1, failed.0, failed.1));
    bed.run_for(Duration::from_secs(3600));
    let gaps: Vec<i64> = bed
        .creates
        .windows(2)
        .map(|pair| pair[1].created_at.unwrap().duration_since(pair[0].created_at.unwrap()).as_secs())
        .collect();
    assert!((4..=8).contains(&gaps.len()), "{gaps:?}");
    assert!(gaps[0] >= 60 && gaps.windows(2).all(|pair| pair[1] >= pair[0]), "{gaps:?}");
    let (_, reason, text) = bed.condition("Reconciling");
    assert_eq!((reason.as_str(), text.as_str()), failed);
    bed.answers.clear();
    bed.run();
    assert_eq!(bed.condition("Ready").0, "True");
}

#[test]
fn a_refusal_of_the_create_is_shown_by_its_class() {
    for (class, kind, reason) in [
        (Class::QuotaExceeded, "Reconciling", "QuotaExceeded"),
        (Class::AccountPending, "Reconciling", "AccountPending"),
        (Class::Busy, "Reconciling", "AwsBusy"),
        (Class::Rejected, "Stalled", "Rejected"),
    ] {
        let mut bed = new(spec());
        bed.answers.insert("CreateInstances", Answer::Refuses(class));
        bed.run_for(Duration::from_secs(300));
        assert_eq!(bed.condition(kind).1, reason, "{class:?}");
        bed.answers.clear();
        bed.run();
        assert_eq!(bed.condition("Ready").0, "True", "{class:?}");
    }
}

#[test]
fn an_instance_that_somebody_deleted_is_made_again_only_where_the_spec_says_so() {
    let mut bed = running();
    bed.aws = None;
    bed.run_for(Duration::from_secs(300));
    assert_eq!((bed.sent.len(), bed.condition("Stalled").1.as_str()), (0, "DeletedOutOfBand"));
    let mut bed = bed.wanting(|s| s.common.recreate_policy = Some(RecreatePolicy::Always));
    bed.run();
    assert_eq!(bed.sent, ["CreateInstances"]);
}

#[test]
fn an_instance_of_that_name_that_is_not_ours_is_not_touched() {
    let mut bed = running();
    bed.object.status = None;
    bed.facts().tags.clear();
    bed.run_for(Duration::from_secs(120));
    assert_eq!((bed.sent.len(), bed.condition("Stalled").1.as_str()), (0, "NotOwned"));
}
