//! Every combination of (change × state × power wanted × policy × what failed before): each pass keeps the laws.

use std::time::Duration;

use super::bed::*;
use crate::api::common::ManagementPolicy;
use crate::api::fleet::DesiredState;
use crate::api::instance::*;
use crate::plan::instance::*;
use crate::plan::{Class, Next};

type Edit = (&'static str, fn(&mut InstanceSpec));

const CHANGES: [Edit; 14] = [
    ("nothing", |_| {}),
    ("tags", |s| s.common.tags = Some([("a".to_owned(), "b".to_owned())].into())),
    ("ports", |s| s.public_ports = Some(vec![])),
    ("ipv4", |s| s.ip_address_type = Some(IpAddressType::Ipv4)),
    ("ipv6", |s| s.ip_address_type = Some(IpAddressType::Ipv6)),
    ("static ip", |s| s.static_ip = Some(StaticIp { name: None })),
    ("missing static ip", |s| s.static_ip = Some(StaticIp { name: Some(named("nowhere")) })),
    ("snapshots", |s| s.add_ons = Some(AddOns { auto_snapshot: Some(AutoSnapshot::default()) })),
    ("metadata", |s| {
        s.metadata_options = Some(MetadataOptions { http_tokens: Some(HttpTokens::Required), ..Default::default() });
    }),
    ("newer bundle", |s| s.bundle_id = "nano_4_0".into()),
    ("other bundle", |s| s.bundle_id = "micro_3_0".into()),
    ("zone", |s| s.availability_zone = "eu-central-1b".into()),
    ("name of a window", |s| {
        s.disruption = Some(InstanceDisruption { policy: InstanceDisruptionPolicy::Immediate, windows: Some(vec![]) })
    }),
    ("protection", |s| s.common.deletion_protection = Some(true)),
];

const STATES: [&str; 7] = ["pending", "running", "stopping", "stopped", "shutting-down", "terminated", "rebooting"];

#[test]
fn every_pass_keeps_the_laws() {
    let mut passes = 0;
    for (change, edit) in CHANGES {
        for state in STATES {
            for wanted in [DesiredState::Running, DesiredState::Stopped] {
                for policy in [InstanceDisruptionPolicy::Never, InstanceDisruptionPolicy::Immediate] {
                    for management in [ManagementPolicy::Manage, ManagementPolicy::Observe] {
                        for deleting in [false, true] {
                            let base = InstanceSpec {
                                disruption: Some(InstanceDisruption { policy, windows: None }),
                                ..spec()
                            };
                            let mut bed = settled(base).power(Power::read(state)).wanting(|s| {
                                edit(s);
                                s.desired_state = wanted;
                                s.common.management_policy = Some(management);
                            });
                            if deleting {
                                bed = bed.deleting();
                            }
                            law(
                                &bed,
                                &format!("{change}, {state}, {wanted:?}, {policy:?}, {management:?}, {deleting}"),
                            );
                            passes += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(passes, 14 * 7 * 2 * 2 * 2 * 2);
}

fn law(bed: &Bed, what: &str) {
    let (plan, looks) = bed.pass();
    check(&plan.status);
    let steady = matches!(bed.aws.as_ref().unwrap().power, Power::Running | Power::Stopped);
    let spec = &bed.object.spec;
    let manages = spec.common.management_policy != Some(ManagementPolicy::Observe);
    match &plan.next {
        Next::Send(call) => {
            assert!(steady && manages, "{what}: {call:?}");
            // Read anew, in this pass.
            assert!(looks.contains(&InstanceLook::Anew), "{what}: {call:?}");
            let deleting = bed.object.metadata.deletion_timestamp.is_some();
            let protected = spec.common.deletion_protection == Some(true);
            match call {
                InstanceCall::Stop(_) => {
                    let immediate =
                        spec.disruption.as_ref().is_some_and(|d| d.policy == InstanceDisruptionPolicy::Immediate);
                    assert!(!deleting, "{what}: a stop for a deletion");
                    assert!(spec.desired_state == DesiredState::Stopped || immediate, "{what}");
                }
                InstanceCall::Delete { force_delete_add_ons, .. } => {
                    assert!(deleting && !protected && !force_delete_add_ons, "{what}");
                }
                InstanceCall::Start { .. } => assert_eq!(spec.desired_state, DesiredState::Running, "{what}"),
                InstanceCall::ReleaseStaticIp(name) | InstanceCall::AllocateStaticIp(name) => {
                    assert_eq!(name.as_str(), "web-01234567", "{what}");
                }
                _ => assert!(!deleting, "{what}: {call:?}"),
            }
        }
        Next::Wait(wait) => assert!(*wait >= Duration::from_secs(1) && *wait <= Duration::from_secs(60), "{what}"),
        Next::Settled(_) | Next::Release => {}
        Next::Look(_) | Next::Keep(_) => unreachable!(),
    }
}

#[test]
fn from_every_state_every_change_comes_to_rest_whatever_aws_refuses_for_a_while() {
    let operations = [
        "StartInstance",
        "StopInstance",
        "PutInstancePublicPorts",
        "SetIpAddressType",
        "AllocateStaticIp",
        "AttachStaticIp",
        "EnableAddOn",
        "UpdateInstanceMetadataOptions",
        "TagResource",
    ];
    for (change, edit) in CHANGES {
        for class in [Class::Busy, Class::InUse, Class::Unavailable, Class::QuotaExceeded] {
            for state in ["running", "stopped"] {
                let base = InstanceSpec {
                    disruption: Some(InstanceDisruption { policy: InstanceDisruptionPolicy::Immediate, windows: None }),
                    ..spec()
                };
                let mut bed = settled(base).power(Power::read(state)).wanting(edit);
                bed.answers = operations.map(|operation| (operation, Answer::Refuses(class))).into();
                // Longer than nothing, shorter than what would be given up on.
                bed.run_for(Duration::from_secs(45));
                bed.answers.clear();
                bed.run_for(Duration::from_secs(1800));
                let rest = ["missing static ip", "other bundle", "zone"].contains(&change);
                let ready = bed.condition("Ready");
                assert_eq!(ready.0 == "True", !rest, "{change} {class:?} {state}: {ready:?} {:?}", bed.sent);
                bed.sent.clear();
                bed.run_for(Duration::from_secs(600));
                assert_eq!(bed.sent, Vec::<String>::new(), "{change} {class:?} {state}");
            }
        }
    }
}
