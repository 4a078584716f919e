//! The micro-benchmark of `plan`: one line with the mean time of a plan, in nanoseconds. It asserts nothing.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use jiff::Timestamp;
use windlass::api::fleet::{CapacityStatus, ComputeCapacity, DesiredState, FleetSettings, FleetSpec, FleetType};
use windlass::api::{Fleet, FleetStatus};
use windlass::plan::fleet::{FleetFacts, FleetKind, FleetState, Power, Tagged};
use windlass::plan::{Allow, Beside, Input, Kind, Next, Scope, Seen, ownership};

/// Plans made before and while measuring: enough that the clock's own grain does not show.
const PLANS: u32 = 100_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now: Timestamp = "2026-11-22T12:00:00Z".parse()?;
    let scope = Scope {
        cluster: "cluster".into(),
        account: "111122223333".into(),
        partition: "aws".into(),
        region: "eu-central-1".parse()?,
        allow: Allow::default(),
        identity: Default::default(),
    };
    let (mut object, state) = settled(&scope, now)?;
    let seen = Seen::Found(state);
    object.status = Some(plan(&object, &scope, &seen, now).status);
    let settled = plan(&object, &scope, &seen, now);
    if settled.next != Next::Settled(None) || Some(&settled.status) != object.status.as_ref() {
        return Err("the fleet to plan for is not settled".into());
    }
    for _ in 0..PLANS {
        black_box(plan(black_box(&object), &scope, &seen, now));
    }
    let begun = Instant::now();
    for _ in 0..PLANS {
        black_box(plan(black_box(&object), &scope, &seen, now));
    }
    println!("plan: {} ns", begun.elapsed().as_nanos() / u128::from(PLANS));
    Ok(())
}

fn plan(object: &Fleet, scope: &Scope, seen: &Seen<FleetState>, now: Timestamp) -> windlass::plan::Plan<FleetKind> {
    FleetKind::plan(&Input {
        now,
        object,
        scope: Some(scope),
        seen,
        failure: None,
        quiet_since: now,
        answered: &[],
        beside: &Beside::default(),
    })
}

/// A RUNNING fleet that is as wanted, the ordinary case.
fn settled(scope: &Scope, now: Timestamp) -> Result<(Fleet, FleetState), Box<dyn std::error::Error>> {
    let settings = FleetSettings {
        instance_type: Some("stream.standard.medium".into()),
        image_name: Some("image".parse()?),
        compute_capacity: Some(ComputeCapacity { desired_instances: Some(2), desired_sessions: None }),
        display_name: Some("Desk".into()),
        description: Some("One".into()),
        disconnect_timeout_in_seconds: Some(900),
        ..FleetSettings::default()
    };
    let spec = FleetSpec {
        name: None,
        fleet_type: FleetType::OnDemand,
        desired_state: DesiredState::Running,
        settings: settings.clone(),
        common: Default::default(),
        update_strategy: None,
        disruption: None,
        power_schedule: None,
        application_arns: None,
    };
    let mut object = Fleet::new("desk", spec);
    object.metadata.namespace = Some("team".into());
    object.metadata.uid = Some("uid".into());
    object.metadata.generation = Some(1);
    object.status = Some(FleetStatus::default());
    let tags: BTreeMap<String, String> = ownership::tags::<FleetKind>(scope, &object);
    let facts = FleetFacts {
        arn: "arn:aws:appstream:eu-central-1:111122223333:fleet/desk".parse()?,
        name: "desk".parse()?,
        fleet_type: Some(FleetType::OnDemand),
        power: Power::Running,
        settings,
        capacity: CapacityStatus {
            desired: 2,
            running: Some(2),
            in_use: Some(0),
            available: Some(2),
            ..CapacityStatus::default()
        },
        errors: Vec::new(),
        created_time: Some(now),
    };
    let state = FleetState {
        began: now,
        fleet: Some(facts),
        tags: Some(Tagged { began: now, tags }),
        image: None,
        stacks: None,
        sessions: None,
        applications: None,
    };
    Ok((object, state))
}
