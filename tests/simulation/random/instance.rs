//! Instances by chance: with what belongs to them, with operations that fail later, and with people at the console.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use simulator::{Fault, FaultEffect, InstanceState, InstanceView, Timings, World};

use windlass::api::common::Common;
use windlass::api::fleet::DesiredState;
use windlass::api::instance::{
    AddOns, AutoSnapshot, AutoSnapshotsOnDelete, HttpTokens, Instance, InstanceSpec, MetadataOptions, Protocol,
    PublicPort, StaticIp,
};
use windlass::plan::conditions;

use super::super::bench::{ACCOUNT, Bench, REGION};
use super::Subject;

pub struct Instances;

fn instance(bench: &Bench, name: &str) -> Option<InstanceView> {
    bench.world.instance(ACCOUNT, REGION, name)
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

impl Subject for Instances {
    type Object = Instance;
    const KIND: &'static str = "Instance";
    const OPERATIONS: &'static [&'static str] = &[
        "CreateInstances",
        "CreateInstances",
        "StartInstance",
        "StopInstance",
        "DeleteInstance",
        "TagResource",
        "UntagResource",
        "PutInstancePublicPorts",
        "AllocateStaticIp",
        "AttachStaticIp",
        "DetachStaticIp",
        "ReleaseStaticIp",
        "EnableAddOn",
        "DisableAddOn",
        "UpdateInstanceMetadataOptions",
        "GetInstances",
        "GetInstance",
        "GetStaticIps",
        "GetBundles",
        "*",
    ];
    const CODES: &'static [&'static str] = &["OperationFailureException", "ServiceException"];

    fn timings() -> Timings {
        let seconds = Duration::from_secs;
        Timings {
            create_instance: seconds(20),
            start_instance: seconds(12),
            stop_instance: seconds(10),
            delete_instance: seconds(6),
            address_lag: seconds(3),
            small_change: seconds(4),
            ..Timings::default()
        }
    }

    fn object(name: &str) -> Instance {
        let spec = InstanceSpec {
            name: None,
            availability_zone: "us-east-1a".into(),
            blueprint_id: "ubuntu_24_04".into(),
            bundle_id: "nano_3_0".into(),
            key_pair_name: None,
            user_data: None,
            user_data_from: None,
            ip_address_type: None,
            desired_state: DesiredState::Running,
            public_ports: None,
            static_ip: None,
            add_ons: None,
            auto_snapshots_on_delete: AutoSnapshotsOnDelete::Delete,
            metadata_options: None,
            disruption: None,
            common: Default::default(),
        };
        Instance::new(name, spec)
    }

    fn common(object: &mut Instance) -> &mut Common {
        &mut object.spec.common
    }

    fn edit(rng: &mut StdRng, Instance { spec, .. }: &mut Instance) -> String {
        let (what, n) = (rng.random_range(0..6), rng.random_range(0..3));
        match what {
            0 => spec.common.tags = (n > 0).then(|| [("team".to_owned(), n.to_string())].into()),
            1 => spec.desired_state = if n == 0 { DesiredState::Stopped } else { DesiredState::Running },
            2 => spec.public_ports = Some((0..n).map(|more| port(80 + more)).collect()),
            3 => spec.static_ip = (n > 0).then(StaticIp::default),
            4 => {
                let at = |time: &str| AutoSnapshot { snapshot_time_of_day: Some(time.into()) };
                let snapshot = ["02:00", "04:00"].get(usize::try_from(n).unwrap()).map(|time| at(time));
                spec.add_ons = snapshot.map(|one| AddOns { auto_snapshot: Some(one) });
            }
            _ => {
                let tokens = if n == 0 { HttpTokens::Required } else { HttpTokens::Optional };
                let options = MetadataOptions { http_tokens: Some(tokens), ..MetadataOptions::default() };
                spec.metadata_options = Some(options);
            }
        }
        format!("field {what}: {n}")
    }

    fn meddle(rng: &mut StdRng, bench: &Bench, _: bool, name: &str) -> String {
        match rng.random_range(0..18) {
            0..6 => {
                let operation = *Self::OPERATIONS[..15].choose(rng).unwrap();
                let effect = FaultEffect::FailsLater { code: "ServiceError".into(), details: "no room".into() };
                bench.world.script(Fault::nth(operation, 1, effect));
                format!("{operation} will fail later")
            }
            6..10 => format!("started: {}", bench.world.start_instance_out_of_band(name)),
            10..14 => format!("stopped: {}", bench.world.stop_instance_out_of_band(name)),
            14..17 => {
                let edited = bench.world.edit_instance(name, |instance| {
                    instance.ports.clear();
                    instance.tags.remove("team");
                });
                format!("edited: {edited}")
            }
            _ => format!("deleted: {}", bench.world.delete_instance_out_of_band(name)),
        }
    }

    fn resources(world: &World) -> Vec<(String, BTreeMap<String, String>)> {
        world.instances().into_iter().map(|instance| (instance.name, instance.tags)).collect()
    }

    fn retag(world: &World, name: &str, tags: BTreeMap<String, String>) {
        world.edit_instance(name, |instance| instance.tags = tags);
    }

    /// What was on its disk is gone when somebody deleted it: it is not made again.
    fn excused(_: &Bench, object: &Instance) -> bool {
        let conditions = object.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
        conditions::find(&conditions, "Stalled").is_some_and(|c| c.reason == "DeletedOutOfBand")
    }

    fn differs(bench: &Bench, object: &Instance) -> Option<String> {
        let found = instance(bench, object.metadata.name.as_deref()?);
        let state = found.as_ref().map(|instance| instance.state);
        let wanted = match object.spec.desired_state {
            DesiredState::Running => InstanceState::Running,
            DesiredState::Stopped => InstanceState::Stopped,
        };
        if state != Some(wanted) {
            return Some(format!("is {state:?} instead of {wanted:?}"));
        }
        let attached = found.is_some_and(|instance| instance.static_ip.is_some());
        (attached != object.spec.static_ip.is_some()).then(|| format!("has a static IP: {attached}"))
    }

    fn left(world: &World) -> Vec<String> {
        world.static_ips().into_iter().map(|ip| format!("static IP {}", ip.name)).collect()
    }
}
