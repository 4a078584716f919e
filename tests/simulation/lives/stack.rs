//! A Stack's life beside the Fleets that it rests on.

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;
use simulator::{AuthenticationType, Timings};

use windlass::api::fleet::Fleet;
use windlass::api::stack::{FleetRef, Permission, Stack, StackSettings, StackSpec, UserSetting};

use crate::bench::{Bench, spec as fleet};
use crate::faults::{APPSTREAM_LASTING, APPSTREAM_PASSING};
use crate::life::{Step, Story};

pub static LIFE: Story = Story {
    kind: "Stack",
    timings: || {
        let seconds = Duration::from_secs;
        Timings {
            start_fleet: seconds(10),
            stop_fleet: seconds(6),
            scale: seconds(8),
            scale_in: seconds(4),
            ..Timings::default()
        }
    },
    steps: &[
        Step::waits("create before its fleet", 150, |bench| {
            let settings = StackSettings { display_name: Some("Design".into()), ..StackSettings::default() };
            let spec = StackSpec {
                name: None,
                settings,
                fleet_ref: Some(FleetRef { name: "day".into() }),
                fleet_name: None,
                common: Default::default(),
                disruption: None,
            };
            bench.cluster.create(Stack::new("life", spec));
        }),
        Step::settles("its fleet comes", 150, |bench| bench.cluster.create(Fleet::new("day", fleet()))),
        Step::settles("fields and tags change", 120, |bench| {
            edit(bench, |stack| {
                let settings = &mut stack.spec.settings;
                settings.description = Some("For designers".into());
                settings.redirect_url = Some("https://example.com/goodbye".into());
                let (action, permission) = ("FILE_UPLOAD".into(), Permission::Disabled);
                settings.user_settings = Some(vec![UserSetting { action, permission, maximum_length: None }]);
                stack.spec.common.tags = Some([("team".to_owned(), "a".to_owned())].into());
            });
        }),
        Step::settles("fields and tags are cleared", 120, |bench| {
            edit(bench, |stack| {
                stack.spec.settings.redirect_url = None;
                stack.spec.settings.user_settings = None;
                stack.spec.common.tags = None;
            });
        }),
        Step::settles("somebody edits it in AWS", 180, |bench| {
            let update = json!({ "Name": "life", "DisplayName": "Hacked" });
            bench.world.out_of_band("appstream", "UpdateStack", &update).unwrap();
        }),
        Step::settles("somebody takes it out of its fleet in AWS", 180, |bench| {
            assert!(bench.world.disassociate("day", "life"));
        }),
        Step::settles("another fleet is made", 150, |bench| bench.cluster.create(Fleet::new("night", fleet()))),
        Step::waits("another fleet under a session", 60, |bench| {
            open_session(bench, "day");
            edit(bench, |stack| stack.spec.fleet_ref = Some(FleetRef { name: "night".into() }));
        }),
        Step::settles("the session ends", 180, end_session),
        Step::waits(DELETE, 60, |bench| {
            open_session(bench, "night");
            assert!(bench.cluster.delete::<Stack>("life"));
        }),
        Step::settles("the last session ends", 180, end_session),
    ],
    made_up: &[],
    passing: APPSTREAM_PASSING,
    lasting: APPSTREAM_LASTING,
    reasons: |operation, code| match (operation, code) {
        ("CreateFleet" | "CreateStack" | "AssociateFleet", "ResourceNotFoundException") => &["AwsBusy"],
        (_, "ResourceNotFoundException") => &["DependencyNotReady"],
        (_, "AccessDeniedException") => &["AccessDenied"],
        (_, "LimitExceededException") => &["QuotaExceeded"],
        _ => &["Rejected"],
    },
    does_without: &[],
    // Who cannot be taken out of the one fleet is not left without any.
    refused: |operation, bench| {
        let stacks = bench.world.stacks();
        let cut = operation == "DisassociateFleet" && stacks.iter().any(|stack| stack.fleet.is_none());
        if cut { vec!["the stack has no fleet".into()] } else { Vec::new() }
    },
    parts: OnceLock::new(),
};

const DELETE: &str = "delete under a session";

fn edit(bench: &Bench, change: impl FnOnce(&mut Stack)) {
    assert!(bench.cluster.edit("life", change));
}

fn open_session(bench: &Bench, fleet: &str) {
    bench.world.open_session("life", fleet, "alice", AuthenticationType::Saml).unwrap();
}

fn end_session(bench: &Bench) {
    let fleets = bench.world.fleets();
    let session = fleets.iter().find_map(|fleet| fleet.sessions.first()).unwrap();
    assert!(bench.world.end_session(&session.id));
}
