//! An Instance's life, as people and AWS make it.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use simulator::Timings;

use windlass::api::fleet::DesiredState;
use windlass::api::instance::{
    AddOns, AutoSnapshot, AutoSnapshotsOnDelete, HttpTokens, Instance, InstanceDisruption, InstanceDisruptionPolicy,
    InstanceSpec, IpAddressType, KeySelector, MetadataOptions, Protocol, PublicPort, StaticIp, UserDataSource,
};
use windlass::plan::beside::{KeySource, SecretText};
use windlass::plan::{KeyFound, KeyRef};

use crate::bench::Bench;
use crate::life::{Step, Story};

pub static LIFE: Story = Story {
    kind: "Instance",
    timings: || {
        let seconds = Duration::from_secs;
        Timings {
            create_instance: seconds(8),
            start_instance: seconds(6),
            stop_instance: seconds(6),
            delete_instance: seconds(5),
            address_lag: seconds(3),
            small_change: seconds(3),
            ..Timings::default()
        }
    },
    steps: &[
        Step::waits("create before its Secret", 60, |bench| bench.cluster.create(Instance::new("life", spec()))),
        Step::settles("the Secret comes", 240, |bench| {
            let key = KeyRef { source: KeySource::Secret, name: "boot".into(), key: "script".into() };
            bench.cluster.put_key(key, KeyFound::Value(SecretText::new("#!/bin/sh".into())));
        }),
        Step::settles("tags and ports", 120, |bench| {
            edit(bench, |instance| {
                instance.spec.common.tags = Some([("team".to_owned(), "a".to_owned())].into());
                instance.spec.public_ports = Some(vec![port(22), port(443)]);
            });
        }),
        Step::settles("metadata options and the hour of the snapshot", 150, |bench| {
            edit(bench, |instance| {
                let options = MetadataOptions { http_tokens: Some(HttpTokens::Required), ..MetadataOptions::default() };
                instance.spec.metadata_options = Some(options);
                instance.spec.add_ons = Some(add_ons("04:00"));
            });
        }),
        Step::settles("somebody edits it in AWS", 180, |bench| {
            assert!(bench.world.edit_instance("life", |instance| {
                instance.ports.clear();
                instance.tags.remove("team");
            }));
        }),
        Step::settles("stop", 150, |bench| desire(bench, DesiredState::Stopped)),
        // AWS changes the bundle in place for a newer generation, with a start.
        Step::settles("start with a newer generation of the bundle", 150, |bench| {
            assert!(bench.world.edit_instance_bundle("life", "nano_2_0"));
            desire(bench, DesiredState::Running);
        }),
        Step::settles("restart for a newer generation of the bundle", 240, |bench| {
            assert!(bench.world.edit_instance_bundle("life", "nano_2_0"));
            edit(bench, |instance| {
                let (policy, windows) = (InstanceDisruptionPolicy::Immediate, None);
                instance.spec.disruption = Some(InstanceDisruption { policy, windows });
            });
        }),
        Step::settles("IPv4 alone", 120, |bench| addresses(bench, IpAddressType::Ipv4)),
        Step::settles("no static IP", 120, |bench| edit(bench, |instance| instance.spec.static_ip = None)),
        // AWS changes the bundle with it.
        Step::settles("IPv6 alone", 150, |bench| addresses(bench, IpAddressType::Ipv6)),
        Step::settles("both", 150, |bench| addresses(bench, IpAddressType::Dualstack)),
        Step::settles("a static IP again", 120, |bench| {
            edit(bench, |instance| instance.spec.static_ip = Some(StaticIp::default()));
        }),
        Step::settles("delete", 180, |bench| assert!(bench.cluster.delete::<Instance>("life"))),
    ],
    made_up: &[
        "ip_address",
        "public_ip_address",
        "private_ip_address",
        "ipv6_address",
        "address",
        "ipAddress",
        "publicIpAddress",
        "privateIpAddress",
        "ipv6Addresses",
    ],
    passing: &[("OperationFailureException", 400, 1), ("OperationFailureException", 400, 3)],
    lasting: &[("AccessDeniedException", 400), ("InvalidInputException", 400), ("NotFoundException", 404)],
    reasons: |_, code| match code {
        "AccessDeniedException" => &["AccessDenied"],
        "NotFoundException" => &["DependencyNotReady"],
        _ => &["Rejected"],
    },
    does_without: &[],
    refused: |_, _| Vec::new(),
    parts: OnceLock::new(),
};

fn spec() -> InstanceSpec {
    InstanceSpec {
        name: None,
        availability_zone: "us-east-1a".into(),
        blueprint_id: "ubuntu_24_04".into(),
        bundle_id: "nano_3_0".into(),
        key_pair_name: None,
        user_data: None,
        user_data_from: Some(UserDataSource {
            secret_key_ref: Some(KeySelector { name: "boot".into(), key: "script".into() }),
            config_map_key_ref: None,
        }),
        ip_address_type: None,
        desired_state: DesiredState::Running,
        public_ports: Some(vec![port(22)]),
        static_ip: Some(StaticIp::default()),
        add_ons: Some(add_ons("02:00")),
        auto_snapshots_on_delete: AutoSnapshotsOnDelete::Delete,
        metadata_options: None,
        disruption: None,
        common: Default::default(),
    }
}

fn port(number: i32) -> PublicPort {
    PublicPort {
        protocol: Protocol::Tcp,
        from_port: number,
        to_port: number,
        cidrs: BTreeSet::new(),
        ipv6_cidrs: BTreeSet::new(),
        cidr_list_aliases: BTreeSet::new(),
    }
}

fn add_ons(time: &str) -> AddOns {
    AddOns { auto_snapshot: Some(AutoSnapshot { snapshot_time_of_day: Some(time.into()) }) }
}

fn edit(bench: &Bench, change: impl FnOnce(&mut Instance)) {
    assert!(bench.cluster.edit("life", change));
}

fn addresses(bench: &Bench, to: IpAddressType) {
    edit(bench, |instance| instance.spec.ip_address_type = Some(to));
}

fn desire(bench: &Bench, state: DesiredState) {
    edit(bench, |instance| instance.spec.desired_state = state);
}
