//! Fleets by chance: under users, in a stack's hands, and with people at the console.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use simulator::{AuthenticationType, FleetState, FleetView, Timings, World};

use windlass::api::Fleet;
use windlass::api::common::Common;
use windlass::api::fleet::{DesiredState, Disruption, UpdateStrategy, WhileRunning};

use super::super::bench::{Bench, spec};
use super::Subject;

pub struct Fleets;

fn fleet(bench: &Bench, name: &str) -> Option<FleetView> {
    bench.world.fleets().into_iter().find(|fleet| fleet.name == name)
}

impl Subject for Fleets {
    type Object = Fleet;
    const KIND: &'static str = "Fleet";
    const OPERATIONS: &'static [&'static str] = &[
        "CreateFleet",
        "CreateFleet",
        "UpdateFleet",
        "StartFleet",
        "StopFleet",
        "DeleteFleet",
        "TagResource",
        "DescribeFleets",
        "ListTagsForResource",
        "DescribeSessions",
        "ListAssociatedStacks",
        "*",
    ];
    const CODES: &'static [&'static str] =
        &["ConcurrentModificationException", "ResourceInUseException", "OperationNotPermittedException"];

    fn timings() -> Timings {
        let seconds = Duration::from_secs;
        Timings {
            start_fleet: seconds(20),
            stop_fleet: seconds(10),
            scale: seconds(15),
            scale_in: seconds(6),
            ..Timings::default()
        }
    }

    fn begin(bench: &Bench) {
        bench.world.put_stack("desk");
    }

    fn object(name: &str) -> Fleet {
        Fleet::new(name, spec())
    }

    fn common(object: &mut Fleet) -> &mut Common {
        &mut object.spec.common
    }

    fn edit(rng: &mut StdRng, Fleet { spec, .. }: &mut Fleet) -> String {
        let (what, n) = (rng.random_range(0..8), rng.random_range(0..3));
        match what {
            0 => spec.settings.display_name = Some(format!("Design {n}")),
            1 => {
                let types = ["stream.standard.medium", "stream.standard.large", "stream.standard.small"];
                spec.settings.instance_type = Some(types[n].into());
            }
            2 => {
                let capacity = spec.settings.compute_capacity.as_mut().unwrap();
                capacity.desired_instances = Some(i32::try_from(n).unwrap());
            }
            3 => spec.desired_state = if n == 0 { DesiredState::Stopped } else { DesiredState::Running },
            4 => spec.common.tags = (n > 0).then(|| [("team".to_owned(), n.to_string())].into()),
            5 => spec.disruption = Some(Disruption { drain: Some(n == 0), ..Disruption::default() }),
            6 => {
                let while_running = if n == 0 { WhileRunning::Documented } else { WhileRunning::Minimal };
                spec.update_strategy = Some(UpdateStrategy { while_running, ..UpdateStrategy::default() });
            }
            _ => spec.settings.disconnect_timeout_in_seconds = Some(600 + 60 * i32::try_from(n).unwrap()),
        }
        format!("field {what}: {n}")
    }

    fn meddle(rng: &mut StdRng, bench: &Bench, _: bool, name: &str) -> String {
        let Some(found) = fleet(bench, name) else { return "there is none".into() };
        let empty = found.sessions.is_empty();
        match rng.random_range(0..22) {
            0..6 if found.state == FleetState::Running => {
                bench.world.associate(name, "desk");
                let how = *[AuthenticationType::Saml, AuthenticationType::Api].choose(rng).unwrap();
                format!("{:?}", bench.world.open_session("desk", name, "alice", how))
            }
            6..12 => {
                Self::calm(bench, name);
                "sessions end".into()
            }
            12..14 if empty => format!("out of its stack: {}", bench.world.disassociate(name, "desk")),
            14..17 => {
                let n = rng.random_range(0..3);
                bench.world.edit_fleet(name, |fleet| {
                    fleet.settings.display_name = Some("Hacked".into());
                    fleet.desired_instances = n;
                });
                format!("edited: {n}")
            }
            17..19 if empty => format!("stopped: {:?}", bench.world.stop_fleet_out_of_band(name)),
            19..21 => format!("started: {:?}", bench.world.start_fleet_out_of_band(name)),
            21 if empty => format!("deleted: {}", bench.world.delete_fleet_out_of_band(name)),
            _ => "nothing".into(),
        }
    }

    fn resources(world: &World) -> Vec<(String, BTreeMap<String, String>)> {
        world.fleets().into_iter().map(|fleet| (fleet.name, fleet.tags)).collect()
    }

    fn retag(world: &World, name: &str, tags: BTreeMap<String, String>) {
        world.edit_fleet(name, |fleet| fleet.tags = tags);
    }

    fn calm(bench: &Bench, name: &str) {
        for session in fleet(bench, name).map(|fleet| fleet.sessions).unwrap_or_default() {
            bench.world.end_session(&session.id);
        }
        // An object that goes waits for the stacks of its fleet.
        if bench.cluster.get::<Fleet>(name).is_none_or(|fleet| fleet.metadata.deletion_timestamp.is_some()) {
            bench.world.disassociate(name, "desk");
        }
    }

    fn differs(bench: &Bench, object: &Fleet) -> Option<String> {
        let state = fleet(bench, object.metadata.name.as_deref()?).map(|fleet| fleet.state);
        let wanted = match object.spec.desired_state {
            DesiredState::Running => FleetState::Running,
            DesiredState::Stopped => FleetState::Stopped,
        };
        (state != Some(wanted)).then(|| format!("is {state:?} instead of {wanted:?}"))
    }
}
