//! An instance that is there and ours: each change by the writes that it takes, and no more.

use std::sync::Arc;
use std::time::Duration;

use super::bed::*;
use crate::api::common::{Impact, ManagementPolicy};
use crate::api::fleet::{DesiredState, Window};
use crate::api::instance::*;
use crate::plan::instance::*;
use crate::plan::{Class, Next};

fn port(from: i32, to: i32) -> PublicPort {
    PublicPort {
        protocol: Protocol::Tcp,
        from_port: from,
        to_port: to,
        cidrs: Default::default(),
        ipv6_cidrs: Default::default(),
        cidr_list_aliases: Default::default(),
    }
}

fn snapshots(time: Option<&str>) -> Option<AddOns> {
    Some(AddOns { auto_snapshot: Some(AutoSnapshot { snapshot_time_of_day: time.map(str::to_owned) }) })
}

fn immediate() -> Option<InstanceDisruption> {
    Some(InstanceDisruption { policy: InstanceDisruptionPolicy::Immediate, windows: None })
}

fn own() -> Option<StaticIp> {
    Some(StaticIp { name: None })
}

const OWN: &str = "web-01234567";

#[test]
fn a_settled_instance_costs_one_shared_look_and_no_write() {
    let mut bed = running();
    bed.known_catalogue = true;
    let (_, looks) = bed.pass();
    assert!(looks.is_empty(), "{looks:?}");
    bed.run();
    assert_eq!(bed.sent, Vec::<String>::new());
}

#[test]
fn each_change_is_made_by_these_writes() {
    type Edit = fn(&mut InstanceSpec);
    let rows: [(Edit, Edit, &[&str]); 17] = [
        (|_| {}, |s| s.public_ports = Some(vec![port(443, 443)]), &["PutInstancePublicPorts"]),
        (|_| {}, |s| s.public_ports = Some(vec![]), &["PutInstancePublicPorts"]),
        (|_| {}, |s| s.public_ports = Some(vec![port(80, 80), port(22, 22)]), &[]),
        (|_| {}, |s| s.common.tags = Some([("team".to_owned(), "a".to_owned())].into()), &["TagResource"]),
        (
            |s| s.common.tags = Some([("team".to_owned(), "a".to_owned())].into()),
            |s| s.common.tags = None,
            &["UntagResource"],
        ),
        (|_| {}, |s| s.add_ons = snapshots(None), &["EnableAddOn"]),
        (
            |s| s.add_ons = snapshots(Some("02:00")),
            |s| s.add_ons = snapshots(Some("03:00")),
            &["DisableAddOn", "EnableAddOn 03:00"],
        ),
        (|s| s.add_ons = snapshots(Some("02:00")), |s| s.add_ons = None, &["DisableAddOn"]),
        (
            |_| {},
            |s| {
                s.metadata_options =
                    Some(MetadataOptions { http_tokens: Some(HttpTokens::Required), ..Default::default() })
            },
            &["UpdateInstanceMetadataOptions"],
        ),
        (|_| {}, |s| s.ip_address_type = Some(IpAddressType::Ipv4), &["SetIpAddressType ipv4"]),
        // AWS swaps the bundle for its counterpart, and that is no difference.
        (|_| {}, |s| s.ip_address_type = Some(IpAddressType::Ipv6), &["SetIpAddressType ipv6"]),
        (|_| {}, |s| s.static_ip = own(), &["AllocateStaticIp web-01234567", "AttachStaticIp web-01234567"]),
        (
            |s| s.static_ip = own(),
            |s| s.static_ip = None,
            &["DetachStaticIp web-01234567", "ReleaseStaticIp web-01234567"],
        ),
        // The address goes before the instance has IPv6 alone.
        (
            |s| s.static_ip = own(),
            |s| {
                s.static_ip = None;
                s.ip_address_type = Some(IpAddressType::Ipv6);
            },
            &["DetachStaticIp web-01234567", "ReleaseStaticIp web-01234567", "SetIpAddressType ipv6"],
        ),
        (|_| {}, |s| s.desired_state = DesiredState::Stopped, &["StopInstance"]),
        (|s| s.desired_state = DesiredState::Stopped, |s| s.desired_state = DesiredState::Running, &["StartInstance"]),
        (
            |s| s.disruption = immediate(),
            |s| s.bundle_id = "nano_4_0".into(),
            &["StopInstance", "StartInstance nano_4_0"],
        ),
    ];
    for (number, (before, edit, calls)) in rows.into_iter().enumerate() {
        let mut first = spec();
        before(&mut first);
        let mut bed = settled(first).wanting(edit);
        bed.run();
        assert_eq!(bed.sent, calls, "row {number}");
        assert_eq!(
            (bed.condition("Ready").0, bed.condition("Synced").0),
            ("True".into(), "True".into()),
            "row {number}"
        );
        // And nothing more, ever.
        bed.sent.clear();
        bed.run_for(Duration::from_secs(2 * 3600));
        assert_eq!(bed.sent, Vec::<String>::new(), "row {number}");
    }
}

#[test]
fn what_the_spec_does_not_say_is_left_to_others() {
    let mut bed = running();
    let facts = bed.facts();
    facts.ports = Some(Default::default());
    facts.auto_snapshot = Some(AutoSnapshotFacts { status: AddOnStatus::Enabled, time: None });
    facts.ip_address_type = Some(IpAddressType::Ipv4);
    facts.tags.insert("theirs".into(), "1".into());
    bed.static_ips.insert("theirs".into(), StaticIpFacts { address: None, attached_to: Some("web".into()) });
    bed.run();
    assert_eq!(bed.sent, Vec::<String>::new());
    assert_eq!(bed.condition("Synced").0, "True");
}

#[test]
fn the_options_that_the_user_did_not_set_go_along_so_that_aws_keeps_them() {
    let options = MetadataOptions { http_tokens: Some(HttpTokens::Required), ..Default::default() };
    let mut bed = settled(InstanceSpec { metadata_options: Some(options), ..spec() }).wanting(|s| {
        s.metadata_options = Some(MetadataOptions { http_put_response_hop_limit: Some(2), ..Default::default() });
    });
    bed.run();
    let seen = bed.facts().metadata.clone().unwrap().options;
    assert_eq!((seen.http_tokens, seen.http_put_response_hop_limit), (Some(HttpTokens::Required), Some(2)));
}

#[test]
fn nothing_is_written_while_aws_is_at_it() {
    for power in ["pending", "stopping", "shutting-down", "terminated", "rebooting"] {
        let bed = running().power(Power::read(power)).wanting(|s| {
            s.public_ports = Some(vec![]);
            s.desired_state = DesiredState::Stopped;
        });
        let (plan, _) = bed.pass();
        assert!(matches!(plan.next, crate::plan::Next::Wait(_)), "{power}: {:?}", plan.next);
    }
}

#[test]
fn a_running_instance_without_an_address_is_not_available() {
    let mut bed = running();
    bed.facts().public_ip = None;
    bed.step();
    assert_eq!(bed.condition("Available").1, "NoAddress");
    assert_eq!(bed.condition("Reconciling").1, "Starting");
    bed.facts().public_ip = Some("198.18.0.7".into());
    bed.run();
    assert_eq!(bed.status().address.as_deref(), Some("198.18.0.7"));
    assert_eq!(bed.condition("Ready").0, "True");
}

#[test]
fn a_bundle_that_aws_cannot_give_is_refused_with_what_it_could() {
    let rows = [
        ("micro_3_0", "(nano_4_0), not from nano_3_0 to micro_3_0"),
        ("nano_2_0", "(nano_4_0), not from nano_3_0 to nano_2_0"),
        ("nano_win_3_0", "(nano_4_0), not from nano_3_0 to nano_win_3_0"),
        ("unheard_of", "(nano_4_0), not from nano_3_0 to unheard_of"),
    ];
    for (bundle, words) in rows {
        let mut bed = settled(InstanceSpec { disruption: immediate(), ..spec() })
            .wanting(|s| (s.bundle_id, s.public_ports) = (bundle.into(), Some(vec![])));
        bed.run_for(Duration::from_secs(600));
        // Everything else is still carried out.
        assert_eq!(bed.sent, ["PutInstancePublicPorts"], "{bundle}");
        let (_, reason, text) = bed.condition("Stalled");
        assert!(reason == "ImmutableDiffers" && text.contains(words), "{bundle}: {reason}: {text}");
        assert_eq!(bed.condition("Available").0, "True");
        let change = &bed.status().pending_changes[0];
        assert_eq!((change.field.as_str(), change.impact), ("bundleId", Impact::Refused));
    }
}

#[test]
fn a_newer_generation_waits_for_leave_and_comes_with_the_next_start() {
    // Never: it waits.
    let mut bed = running().wanting(|s| s.bundle_id = "nano_4_0".into());
    bed.run_for(Duration::from_secs(3600));
    assert_eq!((bed.sent.len(), bed.condition("Reconciling").1.as_str()), (0, "DisruptionNever"));
    let change = &bed.status().pending_changes[0];
    assert_eq!((change.field.as_str(), change.impact), ("bundleId", Impact::Restart));
    // Stopped by a person: the start takes it.
    let mut bed = bed.power(Power::Stopped);
    bed.run();
    assert_eq!(bed.sent, ["StartInstance nano_4_0"]);
    // Off: it is shown, and Ready follows what users can have.
    let mut off = settled(InstanceSpec { desired_state: DesiredState::Stopped, ..spec() })
        .wanting(|s| s.bundle_id = "nano_4_0".into());
    off.run_for(Duration::from_secs(600));
    assert_eq!(
        (off.sent.len(), off.condition("Ready").0, off.condition("Synced").0),
        (0, "True".into(), "False".into())
    );
    let mut on = off.wanting(|s| s.desired_state = DesiredState::Running);
    on.run();
    assert_eq!(on.sent, ["StartInstance nano_4_0"]);
}

#[test]
fn a_window_is_waited_for() {
    // It is Sunday noon; the window opens at 22.
    let windows = vec![Window {
        name: "night".into(),
        start: "0 22 * * *".into(),
        duration: "1h".into(),
        time_zone: Some("UTC".into()),
    }];
    let disruption = InstanceDisruption { policy: InstanceDisruptionPolicy::Immediate, windows: Some(windows) };
    let mut bed =
        settled(InstanceSpec { disruption: Some(disruption), ..spec() }).wanting(|s| s.bundle_id = "nano_4_0".into());
    bed.run_for(Duration::from_secs(3600));
    assert_eq!((bed.sent.len(), bed.condition("Reconciling").1.as_str()), (0, "WaitingForWindow"));
    bed.now = at("2026-11-22T22:00:01Z");
    bed.run();
    assert_eq!(bed.sent, ["StopInstance", "StartInstance nano_4_0"]);
}

#[test]
fn the_counterpart_of_a_newer_generation_is_taken_where_the_addresses_are_ipv6() {
    let mut bed = settled(InstanceSpec { disruption: immediate(), ..spec() })
        .wanting(|s| s.ip_address_type = Some(IpAddressType::Ipv6));
    bed.run();
    let mut bed = bed.wanting(|s| s.bundle_id = "nano_4_0".into());
    bed.sent.clear();
    bed.run();
    assert_eq!(bed.sent, ["StopInstance", "StartInstance nano_ipv6_4_0"]);
    assert_eq!(bed.condition("Ready").0, "True");
}

#[test]
fn a_refused_bundle_never_keeps_the_instance_down() {
    let mut bed =
        settled(InstanceSpec { disruption: immediate(), ..spec() }).wanting(|s| s.bundle_id = "nano_4_0".into());
    while bed.aws.as_ref().unwrap().power != Power::Stopped {
        bed.step();
        bed.pass_time(Duration::from_secs(1));
    }
    bed.answers.insert("StartInstance", Answer::Refuses(Class::Rejected));
    bed.step();
    bed.answers.clear();
    bed.run_for(Duration::from_secs(3600));
    assert_eq!(bed.sent, ["StopInstance", "StartInstance nano_4_0", "StartInstance"]);
    assert_eq!((bed.condition("Stalled").1.as_str(), bed.condition("Available").0.as_str()), ("Rejected", "True"));
    assert_eq!(bed.status().internal.started, None);
    // Another generation of the object is no other bundle.
    let mut bed = bed.wanting(|s| s.common.deletion_protection = Some(true));
    bed.run_for(Duration::from_secs(600));
    assert_eq!(bed.sent.len(), 3);
}

#[test]
fn a_start_that_does_not_bring_the_bundle_is_waited_for_and_not_repeated() {
    let mut bed =
        settled(InstanceSpec { disruption: immediate(), ..spec() }).wanting(|s| s.bundle_id = "nano_4_0".into());
    bed.answers.insert("StartInstance", Answer::LeavesBundle);
    bed.run_for(Duration::from_secs(500));
    let once = ["StopInstance", "StartInstance nano_4_0"];
    assert_eq!((&bed.sent[..], bed.condition("Reconciling").1.as_str()), (&once.map(str::to_owned)[..], "Updating"));
    // AWS shows it late: all is well, and nothing is remembered.
    let mut late = bed.clone();
    late.facts().bundle_id = Some("nano_4_0".into());
    late.run();
    assert_eq!((late.sent.len(), late.condition("Ready").0.as_str()), (2, "True"));
    assert_eq!(late.status().internal.started, None);
    // AWS never shows it: the instance is left up.
    bed.run_for(Duration::from_secs(3 * 3600));
    assert_eq!((&bed.sent[..], bed.condition("Available").0.as_str()), (&once.map(str::to_owned)[..], "True"));
    let (_, reason, text) = bed.condition("Stalled");
    assert!(reason == "Rejected" && text.contains("NoEffect"), "{reason}: {text}");
    // Nor while the catalogue cannot be read for a time.
    bed.catalogue.unreadable = Some("AccessDenied".into());
    bed.run_for(Duration::from_secs(300));
    bed.catalogue.unreadable = None;
    bed.run_for(Duration::from_secs(3600));
    assert_eq!(bed.sent, once);
    // A request to look again tries once more.
    let annotation = (crate::api::RECONCILE_REQUESTED_AT.to_owned(), "1".to_owned());
    bed.object.metadata.annotations = Some([annotation].into());
    bed.answers.clear();
    bed.step();
    assert_eq!(bed.sent[2..], ["StopInstance".to_owned()]);
}

#[test]
fn ports_that_somebody_opened_wider_than_the_spec_are_closed_again() {
    let ipv6_alone = PublicPort { ipv6_cidrs: ["::/0".to_owned()].into(), ..port(22, 22) };
    let mut bed = settled(InstanceSpec { public_ports: Some(vec![ipv6_alone]), ..spec() });
    bed.facts().ports =
        Some(Arc::new([PortRule::new("tcp", (22, 22), ["0.0.0.0/0".into()], ["::/0".into()], [])].into()));
    bed.run();
    assert_eq!(bed.sent, ["PutInstancePublicPorts"]);
    assert_eq!(bed.condition("Ready").0, "True");
}

#[test]
fn what_a_person_must_bring_is_looked_for_less_often_than_what_aws_is_at() {
    let bed = running().wanting(|s| s.static_ip = Some(StaticIp { name: Some(named("shared")) }));
    assert_eq!(bed.pass().0.next, Next::Wait(crate::plan::life::AWHILE));
    let mut bed = running().wanting(|s| s.add_ons = snapshots(None));
    bed.facts().auto_snapshot = Some(AutoSnapshotFacts { status: AddOnStatus::read("Enabling"), time: None });
    assert_eq!(bed.pass().0.next, Next::Wait(Duration::from_secs(5)));
}

#[test]
fn power_follows_the_spec_and_slows_down_where_something_else_keeps_changing_it() {
    let mut bed = running();
    let mut starts = Vec::new();
    let began = bed.now;
    while bed.now.duration_since(began).as_hours() < 2 {
        if bed.aws.as_ref().unwrap().power == Power::Running {
            bed.facts().power = Power::Stopped;
        }
        let before = bed.sent.len();
        if !bed.step() {
            bed.pass_time(Duration::from_secs(10));
        }
        if bed.sent.len() > before {
            starts.push(bed.now.duration_since(began).as_secs());
        }
    }
    let gaps: Vec<i64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[0] < 60 && gaps[1] < 60, "{gaps:?}");
    assert!(gaps[2] >= 300 && gaps[3] >= 600 && gaps[4..].iter().all(|gap| *gap >= 1200), "{gaps:?}");
    let (_, reason, text) = bed.condition("Reconciling");
    assert_eq!(reason, "PowerContested");
    assert_eq!(text, "something else keeps stopping the instance: it is set right again after a while");
    // An edit begins anew.
    let mut bed = bed.wanting(|s| s.common.deletion_protection = Some(true));
    bed.sent.clear();
    bed.run();
    assert_eq!(bed.sent, ["StartInstance"]);
}

#[test]
fn a_start_that_changed_nothing_was_undone_by_nobody() {
    let mut bed = running().power(Power::Stopped);
    bed.answers.insert("StartInstance", Answer::Refuses(Class::Unavailable));
    for _ in 0..5 {
        bed.step();
        // Another operator takes over, which knows of no failure.
        bed.failure = None;
    }
    bed.answers.clear();
    bed.run();
    assert_eq!(bed.sent, ["StartInstance"; 6]);
    assert_eq!(bed.status().internal.power_sets.map(|sets| sets.count), Some(1));
}

#[test]
fn an_existing_static_ip_is_attached_and_never_released() {
    let mut bed = running();
    bed.static_ips.insert("shared".into(), StaticIpFacts { address: Some("198.19.0.1".into()), attached_to: None });
    let mut bed = bed.wanting(|s| s.static_ip = Some(StaticIp { name: Some(named("shared")) }));
    bed.run();
    assert_eq!(bed.sent, ["AttachStaticIp shared"]);
    assert_eq!(bed.status().address.as_deref(), Some("198.19.0.1"));
    assert_eq!(bed.status().static_ip.map(|ip| ip.name), Some("shared".into()));
    let mut bed = bed.wanting(|s| s.static_ip = None);
    bed.run();
    assert_eq!(bed.sent, ["AttachStaticIp shared", "DetachStaticIp shared"]);
    assert!(bed.static_ips.contains_key("shared"));
}

#[test]
fn a_static_ip_that_is_missing_or_another_ones_is_waited_for() {
    for there in [false, true] {
        let mut bed = running().wanting(|s| s.static_ip = Some(StaticIp { name: Some(named("shared")) }));
        if there {
            let ip = StaticIpFacts { address: None, attached_to: Some("other".into()) };
            bed.static_ips.insert("shared".into(), ip);
        }
        bed.run_for(Duration::from_secs(120));
        assert_eq!((bed.sent.len(), bed.condition("Reconciling").1.as_str()), (0, "DependencyNotReady"), "{there}");
        let ip = StaticIpFacts { address: Some("198.19.0.1".into()), attached_to: None };
        bed.static_ips.insert("shared".into(), ip);
        bed.run();
        assert_eq!(bed.sent, ["AttachStaticIp shared"]);
    }
}

#[test]
fn from_our_own_static_ip_to_an_existing_one_and_back_ours_is_released_and_made_again() {
    let mut bed = settled(InstanceSpec { static_ip: own(), ..spec() });
    bed.static_ips.insert("shared".into(), StaticIpFacts { address: Some("198.19.0.1".into()), attached_to: None });
    let mut bed = bed.wanting(|s| s.static_ip = Some(StaticIp { name: Some(named("shared")) }));
    bed.run();
    assert_eq!(
        bed.sent,
        [format!("DetachStaticIp {OWN}"), "AttachStaticIp shared".into(), format!("ReleaseStaticIp {OWN}")]
    );
    bed.sent.clear();
    let mut bed = bed.wanting(|s| s.static_ip = own());
    bed.run();
    assert_eq!(
        bed.sent,
        [format!("AllocateStaticIp {OWN}"), "DetachStaticIp shared".into(), format!("AttachStaticIp {OWN}")]
    );
}

#[test]
fn the_static_ip_that_is_here_is_kept_until_the_one_that_is_wanted_can_be_attached() {
    let free = || StaticIpFacts { address: Some("198.19.0.1".into()), attached_to: None };
    let taken = || StaticIpFacts { address: None, attached_to: Some("other".into()) };
    let here = || StaticIpFacts { address: None, attached_to: Some("web".into()) };
    for there in [None, Some(taken())] {
        // Ours.
        let mut bed = settled(InstanceSpec { static_ip: own(), ..spec() })
            .wanting(|s| s.static_ip = Some(StaticIp { name: Some(named("shared")) }));
        bed.static_ips.extend(there.clone().map(|ip| ("shared".to_owned(), ip)));
        bed.run_for(Duration::from_secs(600));
        assert_eq!((bed.sent.len(), bed.condition("Reconciling").1.as_str()), (0, "DependencyNotReady"), "{there:?}");
        bed.static_ips.insert("shared".into(), free());
        bed.run_for(Duration::from_secs(600));
        assert_eq!(
            bed.sent,
            [format!("DetachStaticIp {OWN}"), "AttachStaticIp shared".into(), format!("ReleaseStaticIp {OWN}")]
        );
        assert_eq!((bed.condition("Ready").0.as_str(), bed.static_ips.contains_key(OWN)), ("True", false));
        // Somebody else's, attached by hand.
        let mut bed = running().wanting(|s| s.static_ip = Some(StaticIp { name: Some(named("shared")) }));
        bed.static_ips.insert("byhand".into(), here());
        bed.static_ips.extend(there.map(|ip| ("shared".to_owned(), ip)));
        bed.run_for(Duration::from_secs(600));
        assert_eq!(bed.sent, Vec::<String>::new());
        bed.static_ips.insert("shared".into(), free());
        bed.run_for(Duration::from_secs(600));
        assert_eq!(bed.sent, ["DetachStaticIp byhand", "AttachStaticIp shared"]);
        assert!(bed.static_ips.contains_key("byhand"));
    }
    // Nor does it go before ours is allocated.
    let mut bed = running().wanting(|s| s.static_ip = own());
    bed.static_ips.insert("byhand".into(), here());
    bed.answers.insert("AllocateStaticIp", Answer::Refuses(Class::QuotaExceeded));
    bed.run_for(Duration::from_secs(600));
    assert!(!bed.sent.is_empty() && bed.sent.iter().all(|sent| *sent == format!("AllocateStaticIp {OWN}")));
}

#[test]
fn our_own_static_ip_that_the_spec_names_is_never_released() {
    let mut bed = settled(InstanceSpec { static_ip: own(), ..spec() })
        .wanting(|s| s.static_ip = Some(StaticIp { name: Some(named(OWN)) }));
    // Whether or not a pass has been made since.
    let mut at_once = bed.clone().deleting();
    at_once.run();
    assert_eq!((&at_once.sent[..], at_once.static_ips.len()), (&["DeleteInstance".to_owned()][..], 1));
    bed.run();
    assert_eq!((bed.status().internal.applied.static_ips.len(), bed.sent.len()), (0, 0));
    for target in [None, Some(StaticIp { name: Some(named("shared")) })] {
        let mut bed = bed.clone().wanting(|s| s.static_ip = target);
        bed.static_ips.insert("shared".into(), StaticIpFacts { address: None, attached_to: None });
        bed.run_for(Duration::from_secs(600));
        let mut bed = bed.deleting();
        bed.run();
        assert!(bed.static_ips.contains_key(OWN) && bed.sent.contains(&"DeleteInstance".to_owned()), "{:?}", bed.sent);
    }
    // Left to the operator again, it is ours again.
    let mut bed = bed.wanting(|s| s.static_ip = own());
    bed.run();
    let mut bed = bed.wanting(|s| s.static_ip = None);
    bed.run();
    assert_eq!(bed.sent, [format!("DetachStaticIp {OWN}"), format!("ReleaseStaticIp {OWN}")]);
}

#[test]
fn what_aws_cannot_change_of_an_existing_instance_stops_everything() {
    let mut bed = settled(InstanceSpec { key_pair_name: Some("mine".into()), ..spec() });
    bed.facts().key_pair_name = Some("other".into());
    bed.facts().ports = Some(Default::default());
    let mut bed = bed.wanting(|s| s.public_ports = Some(vec![port(1, 1)]));
    bed.run();
    let (_, reason, text) = bed.condition("Stalled");
    assert_eq!((bed.sent.len(), reason.as_str()), (0, "ImmutableDiffers"));
    assert_eq!(text, "keyPairName is other in AWS and mine in the spec, and AWS cannot change it");
}

#[test]
fn an_update_that_aws_takes_and_never_shows_is_not_made_for_ever() {
    let mut bed = running().wanting(|s| s.public_ports = Some(vec![]));
    bed.answers.insert("PutInstancePublicPorts", Answer::Forgets);
    bed.run_for(Duration::from_secs(3600));
    assert!(bed.sent.len() <= 2, "{:?}", bed.sent);
    assert_eq!(bed.condition("Stalled").1, "Rejected");
}

#[test]
fn what_aws_refuses_keeps_nothing_else_back() {
    let mut bed = running().wanting(|s| {
        s.public_ports = Some(vec![]);
        s.add_ons = snapshots(None);
        s.desired_state = DesiredState::Stopped;
    });
    bed.answers.insert("PutInstancePublicPorts", Answer::Refuses(Class::Rejected));
    bed.run_for(Duration::from_secs(1200));
    for call in ["EnableAddOn", "StopInstance"] {
        assert!(bed.sent.contains(&call.to_owned()), "{call}: {:?}", bed.sent);
    }
    assert_eq!(bed.condition("Stalled").1, "Rejected");
    assert_eq!(bed.condition("Available").1, "Stopped");
}

#[test]
fn an_observed_instance_shows_the_tags_that_differ_and_is_never_written() {
    let mut bed = running().wanting(|s| {
        s.common.management_policy = Some(ManagementPolicy::Observe);
        s.common.tags = Some([("team".into(), "design".into())].into());
    });
    bed.run();
    assert_eq!(bed.sent, Vec::<String>::new());
    let changes = &bed.status().pending_changes;
    assert_eq!(changes.iter().map(|c| c.field.as_str()).collect::<Vec<_>>(), ["tags"]);
    assert_eq!(bed.condition("Ready").0, "True");
    bed.facts().tags = [("team".into(), "design".into())].into();
    bed.run_for(Duration::from_secs(60));
    assert_eq!(bed.status().pending_changes, []);
}
