//! A Fleet's life, as people and AWS make it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use simulator::{AuthenticationType, FleetState, Timings};
use tokio::time::sleep;

use windlass::api::AdoptionPolicy;
use windlass::api::fleet::{Fleet, PowerPeriod};
use windlass::engine::stage::Stage;

use crate::bench::{Bench, history, spec};
use crate::faults::{APPSTREAM_LASTING, APPSTREAM_PASSING};
use crate::life::{Step, Story};

pub static LIFE: Story = Story {
    kind: "Fleet",
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
        Step::settles("create", 150, |bench| bench.cluster.create(Fleet::new("life", spec()))),
        Step::settles(DISPLAY_NAME, 90, |bench| {
            edit(bench, |fleet| fleet.spec.settings.display_name = Some("Design".into()));
        }),
        Step::waits("instance type under a session", 40, |bench| {
            assert!(bench.world.associate("life", "desk"));
            bench.world.open_session("desk", "life", "alice", AuthenticationType::Saml).unwrap();
            edit(bench, |fleet| fleet.spec.settings.instance_type = Some("stream.standard.large".into()));
        }),
        Step::settles("the session ends", 170, |bench| {
            assert!(bench.world.end_session(&bench.world.fleets()[0].sessions[0].id));
        }),
        // 08:07:30
        Step::by_the_clock("power schedule", 120, |bench| {
            let (stop, start) = ("10 8 * * *".into(), "17 8 * * *".into());
            let day = PowerPeriod { name: "day".into(), stop, start, time_zone: None };
            edit(bench, |fleet| fleet.spec.power_schedule = Some(vec![day]));
        }),
        Step::by_the_clock("the schedule stops it", 390, |_| {}),
        // 08:16
        Step::settles("the schedule starts it", 150, |_| {}),
        Step::settles("somebody edits it in AWS", 180, |bench| {
            assert!(bench.world.edit_fleet("life", |fleet| {
                fleet.settings.display_name = Some("Hacked".into());
                fleet.desired_instances = 1;
            }));
        }),
        Step::settles("tags and less capacity", 150, |bench| {
            edit(bench, |fleet| {
                fleet.spec.common.tags = Some([("team".to_owned(), "a".to_owned())].into());
                fleet.spec.settings.compute_capacity.as_mut().unwrap().desired_instances = Some(1);
            });
        }),
        Step::settles("adopt", 150, |bench| {
            let mut adopted = spec();
            adopted.common.adoption_policy = Some(AdoptionPolicy::IfExists);
            adopted.common.tags = Some([("team".to_owned(), "b".to_owned())].into());
            bench.cluster.create(Fleet::new("found", adopted));
        })
        .after(|bench| Box::pin(bench.create_by_hand("found", "stream.standard.small"))),
        Step::waits(DELETE, 45, |bench| assert!(bench.cluster.delete::<Fleet>("life"))),
        Step::settles(LET_GO, 240, |bench| assert!(bench.world.disassociate("life", "desk"))),
    ],
    made_up: &[],
    passing: APPSTREAM_PASSING,
    lasting: APPSTREAM_LASTING,
    reasons: |operation, code| match (operation, code) {
        // An update that needed a stop is given up for good, so that the fleet can go on; one that a quota refuses is tried
        // without its capacity.
        ("UpdateFleet", "AccessDeniedException") => &["AccessDenied", "Rejected"],
        ("UpdateFleet", "LimitExceededException") => &["QuotaExceeded", "Rejected", "Updating"],
        ("UpdateFleet", "ResourceNotFoundException") => &["DependencyNotReady", "Rejected"],
        ("CreateFleet", "ResourceNotFoundException") => &["AwsBusy"],
        (_, "ResourceNotFoundException") => &["DependencyNotReady"],
        (_, "AccessDeniedException") => &["AccessDenied"],
        (_, "LimitExceededException") => &["QuotaExceeded"],
        _ => &["Rejected"],
    },
    // Where capacity cannot be set to 0, a stop for a deletion does without.
    does_without: &[(LET_GO, "UpdateFleet")],
    refused: |operation, bench| {
        let down = |bench: &Bench| bench.world.fleets().iter().any(|fleet| fleet.state != FleetState::Running);
        if operation == "UpdateFleet" && down(bench) { vec!["a fleet is down".into()] } else { Vec::new() }
    },
    parts: OnceLock::new(),
};

const DISPLAY_NAME: &str = "display name while running";
const DELETE: &str = "delete while associated";
const LET_GO: &str = "the stack lets go";

fn edit(bench: &Bench, change: impl FnOnce(&mut Fleet)) {
    assert!(bench.cluster.edit("life", change));
}

#[test]
fn who_has_just_taken_the_lease_believes_no_absence_that_is_older() {
    let part = LIFE.parts().iter().find(|part| part.step.name == DISPLAY_NAME).unwrap();
    let waited = history(async move || {
        let mut life = part.begin();
        life.start(Stage::unwatched(), Arc::default());
        sleep(Duration::from_secs(5)).await;
        life.lease().lose();
        assert!(life.bench.world.delete_fleet_out_of_band("life"));
        // Somebody else led meanwhile, and may have sent a create that nobody sees yet.
        sleep(Duration::from_secs(600)).await;
        let taken = life.bench.now();
        life.lease().take();
        sleep(Duration::from_secs(300)).await;
        let created = life.bench.aws_writes().into_iter().rfind(|write| write.operation == "CreateFleet").unwrap();
        created.at.duration_since(taken).as_secs()
    });
    assert!((60..90).contains(&waited), "created {waited} s after the lease was taken");
}
