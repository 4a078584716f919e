//! Stacks by chance: between two Fleets, under users, and with people at the console.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;
use simulator::{AuthenticationType, StackView, Timings, World};

use windlass::api::common::Common;
use windlass::api::fleet::Fleet;
use windlass::api::stack::{FleetRef, Permission, Stack, StackSettings, StackSpec, UserSetting};

use super::super::bench::{ACCOUNT, Bench, REGION, spec as fleet};
use super::Subject;

pub struct Stacks;

/// The Fleets that a stack may be in.
const FLEETS: [&str; 2] = ["day", "night"];

fn stack(bench: &Bench, name: &str) -> Option<StackView> {
    bench.world.stack(ACCOUNT, REGION, name)
}

/// The live sessions of a stack, or of all.
fn sessions(bench: &Bench, stack: &str) -> Vec<simulator::SessionId> {
    let all = bench.world.fleets().into_iter().flat_map(|fleet| fleet.sessions);
    all.filter(|session| session.stack == stack).map(|session| session.id).collect()
}

impl Subject for Stacks {
    type Object = Stack;
    const KIND: &'static str = "Stack";
    const OPERATIONS: &'static [&'static str] = &[
        "CreateStack",
        "CreateStack",
        "UpdateStack",
        "AssociateFleet",
        "DisassociateFleet",
        "DeleteStack",
        "TagResource",
        "DescribeStacks",
        "ListTagsForResource",
        "DescribeSessions",
        "ListAssociatedFleets",
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
        for name in FLEETS {
            bench.cluster.create(Fleet::new(name, fleet()));
        }
    }

    fn object(name: &str) -> Stack {
        let spec = StackSpec {
            name: None,
            settings: StackSettings { display_name: Some("Desk".into()), ..StackSettings::default() },
            fleet_ref: Some(FleetRef { name: FLEETS[0].into() }),
            fleet_name: None,
            common: Default::default(),
            disruption: None,
        };
        Stack::new(name, spec)
    }

    fn common(object: &mut Stack) -> &mut Common {
        &mut object.spec.common
    }

    fn edit(rng: &mut StdRng, Stack { spec, .. }: &mut Stack) -> String {
        let (what, n) = (rng.random_range(0..6), rng.random_range(0..3_usize));
        match what {
            0 => spec.settings.display_name = Some(format!("Design {n}")),
            1 => spec.settings.redirect_url = (n > 0).then(|| format!("https://example.com/{n}")),
            2 => {
                let (action, permission) = ("FILE_UPLOAD".into(), Permission::Disabled);
                let setting = UserSetting { action, permission, maximum_length: None };
                spec.settings.user_settings = (n > 0).then(|| vec![setting]);
            }
            3 => spec.common.tags = (n > 0).then(|| [("team".to_owned(), n.to_string())].into()),
            _ => spec.fleet_ref = FLEETS.get(n).map(|name| FleetRef { name: (*name).to_owned() }),
        }
        format!("field {what}: {n}")
    }

    fn meddle(rng: &mut StdRng, bench: &Bench, _: bool, name: &str) -> String {
        let Some(found) = stack(bench, name) else { return "there is none".into() };
        let empty = sessions(bench, name).is_empty();
        match (rng.random_range(0..20), found.fleet) {
            (0..6, Some(fleet)) => {
                format!("{:?}", bench.world.open_session(name, &fleet, "alice", AuthenticationType::Saml))
            }
            (6..12, _) => {
                Self::calm(bench, name);
                "sessions end".into()
            }
            (12..14, Some(fleet)) if empty => format!("out of its fleet: {}", bench.world.disassociate(&fleet, name)),
            (14..16, None) => format!("into a fleet: {}", bench.world.associate(FLEETS[1], name)),
            (16..19, _) => {
                let update = json!({ "Name": name, "DisplayName": "Hacked" });
                format!("edited: {:?}", bench.world.out_of_band("appstream", "UpdateStack", &update).is_ok())
            }
            (19, _) if empty => format!("deleted: {}", bench.world.delete_stack_out_of_band(name)),
            _ => "nothing".into(),
        }
    }

    fn resources(world: &World) -> Vec<(String, BTreeMap<String, String>)> {
        world.stacks().into_iter().map(|stack| (stack.name, stack.tags)).collect()
    }

    fn retag(world: &World, name: &str, tags: BTreeMap<String, String>) {
        let Some(stack) = world.stack(ACCOUNT, REGION, name) else { return };
        let keys: Vec<&String> = stack.tags.keys().filter(|key| !tags.contains_key(*key)).collect();
        let untag = json!({ "ResourceArn": stack.arn, "TagKeys": keys });
        world.out_of_band("appstream", "UntagResource", &untag).unwrap();
    }

    fn calm(bench: &Bench, name: &str) {
        for session in sessions(bench, name) {
            bench.world.end_session(&session);
        }
    }

    fn differs(bench: &Bench, object: &Stack) -> Option<String> {
        let found = stack(bench, object.metadata.name.as_deref()?);
        let wanted = object.spec.fleet_ref.as_ref().map(|fleet| fleet.name.clone());
        let fleet = found.as_ref().and_then(|stack| stack.fleet.clone());
        if wanted.is_some() && fleet != wanted {
            return Some(format!("is in {fleet:?} instead of {wanted:?}"));
        }
        let seen = found.as_ref().and_then(|stack| stack.settings.get("DisplayName").cloned());
        let wanted = object.spec.settings.display_name.clone().map(serde_json::Value::String);
        (seen != wanted).then(|| format!("is called {seen:?} instead of {wanted:?}"))
    }
}
