//! An AccessGrant's life, as people and AWS make it: on an Instance by SSH, and on a GameLift compute.

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;
use simulator::{ComputeSeed, GameFleetKind, GameFleetSeed, Timings};

use windlass::api::access_grant::{
    AccessGrant, AccessGrantSpec, AccessProtocol, GameLiftComputeTarget, InstanceRef, LightsailInstanceTarget, Refresh,
};
use windlass::api::fleet::DesiredState;
use windlass::api::instance::{Instance, InstanceSpec};

use crate::bench::Bench;
use crate::life::{Step, Story};

pub static LIFE: Story = Story {
    kind: "AccessGrant",
    timings: || {
        let seconds = Duration::from_secs;
        Timings {
            create_instance: seconds(8),
            start_instance: seconds(6),
            stop_instance: seconds(6),
            delete_instance: seconds(5),
            address_lag: seconds(3),
            host_key_lag: seconds(4),
            ..Timings::default()
        }
    },
    steps: &[
        Step::waits("asked for before its Instance", 60, |bench| bench.cluster.create(by_ssh("2h"))),
        Step::settles("the Instance comes", 240, |bench| bench.cluster.create(Instance::new("life", machine()))),
        Step::settles("somebody deletes the Secret", 90, |bench| bench.cluster.delete_secret("life")),
        Step::settles("somebody edits the Secret", 120, |bench| {
            bench.cluster.edit_secret("life", |secret| secret.facts.edited = true);
        }),
        Step::waits("the machine is turned off", 150, |bench| desire(bench, DesiredState::Stopped)),
        Step::settles("it is turned on, and has another address", 240, |bench| desire(bench, DesiredState::Running)),
        Step::settles("deleted", 90, |bench| assert!(bench.cluster.delete::<AccessGrant>("life"))),
        Step::settles("a compute's", 120, |bench| bench.cluster.create(by_ssm(bench, "3h"))).after(|bench| {
            Box::pin(async move {
                let seed = GameFleetSeed { kind: GameFleetKind::Container, ..GameFleetSeed::default() };
                let fleet = bench.world.put_game_fleet(&seed);
                bench.world.put_compute(&fleet.id, &ComputeSeed::default()).unwrap();
            })
        }),
        // An ended grant is not Ready, and never will be.
        Step::waits("shortened to what is over", 60, |bench| {
            assert!(bench.cluster.edit("life", |grant: &mut AccessGrant| grant.spec.duration = "1m".into()));
        }),
        Step::settles("all are deleted", 240, |bench| {
            assert!(bench.cluster.delete::<AccessGrant>("life") && bench.cluster.delete::<Instance>("life"));
        }),
    ],
    made_up: &[
        "ip_address",
        "public_ip_address",
        "private_ip_address",
        "ipv6_address",
        "address",
        "publicIpAddress",
        "privateIpAddress",
        "ipv6Addresses",
    ],
    passing: &[("OperationFailureException", 400, 1)],
    lasting: &[("AccessDeniedException", 400), ("InvalidInputException", 400)],
    reasons: |_, code| match code {
        "AccessDeniedException" => &["AccessDenied"],
        // What the access call refuses like this may pass: the machine runs and lets nobody in yet.
        _ => &["Rejected", "AwsBusy"],
    },
    does_without: &[],
    refused: |_, _| Vec::new(),
    parts: OnceLock::new(),
};

fn desire(bench: &Bench, state: DesiredState) {
    assert!(bench.cluster.edit("life", |instance: &mut Instance| instance.spec.desired_state = state));
}

fn by_ssh(duration: &str) -> AccessGrant {
    let (instance_ref, name) = (Some(InstanceRef { name: "life".into() }), None);
    let target = LightsailInstanceTarget { instance_ref, name, protocol: AccessProtocol::Ssh };
    let spec =
        AccessGrantSpec { lightsail_instance: Some(target), duration: duration.into(), ..AccessGrantSpec::default() };
    AccessGrant::new("life", spec)
}

/// On the one compute that there is; renewed once a day.
fn by_ssm(bench: &Bench, duration: &str) -> AccessGrant {
    let fleet = bench.world.game_fleets().remove(0);
    let target = GameLiftComputeTarget { fleet_id: fleet.id, compute_name: fleet.computes[0].name.clone() };
    let spec = AccessGrantSpec {
        game_lift_compute: Some(target),
        duration: duration.into(),
        refresh: Some(Refresh { interval: Some("24h".into()) }),
        ..AccessGrantSpec::default()
    };
    AccessGrant::new("life", spec)
}

fn machine() -> InstanceSpec {
    let spec = json!({ "availabilityZone": "us-east-1a", "blueprintId": "ubuntu_24_04", "bundleId": "nano_3_0" });
    serde_json::from_value(spec).unwrap()
}
