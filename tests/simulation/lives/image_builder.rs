//! An ImageBuilder's life, as people and AWS make it.

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;
use simulator::Timings;

use windlass::api::fleet::DesiredState;
use windlass::api::image_builder::{BuilderSettings, ImageBuilder, ImageBuilderSpec};

use crate::bench::Bench;
use crate::faults::{APPSTREAM_LASTING, APPSTREAM_PASSING};
use crate::life::{Step, Story};

pub static LIFE: Story = Story {
    kind: "ImageBuilder",
    timings: || {
        let seconds = Duration::from_secs;
        Timings {
            start_builder: seconds(10),
            stop_builder: seconds(6),
            delete_builder: seconds(5),
            ..Timings::default()
        }
    },
    steps: &[
        Step::settles("create", 150, |bench| create(bench, "windlass-demo-v1")),
        Step::settles("tags", 90, |bench| {
            edit(bench, |builder| builder.spec.common.tags = Some([("team".to_owned(), "a".to_owned())].into()));
        }),
        Step::waits("stop while it makes an image", 60, |bench| {
            assert!(bench.world.begin_snapshot("life", "image-1"));
            desire(bench, DesiredState::Stopped);
        }),
        // AWS leaves the builder stopped.
        Step::settles("the image is made", 150, |bench| assert!(bench.world.finish_snapshot("life", "image-1"))),
        Step::settles("start", 150, |bench| desire(bench, DesiredState::Running)),
        Step::settles("stop", 150, |bench| desire(bench, DesiredState::Stopped)),
        Step::settles("somebody starts it in AWS", 240, |bench| {
            bench.world.out_of_band("appstream", "StartImageBuilder", &json!({ "Name": "life" })).unwrap();
        }),
        Step::settles("other tags and a start", 150, |bench| {
            edit(bench, |builder| {
                builder.spec.common.tags = Some([("costs".to_owned(), "42".to_owned())].into());
                builder.spec.desired_state = DesiredState::Running;
            });
        }),
        Step::waits("delete while it makes an image", 60, |bench| {
            assert!(bench.world.begin_snapshot("life", "image-2"));
            assert!(bench.cluster.delete::<ImageBuilder>("life"));
        }),
        Step::settles("the last image is made", 180, |bench| assert!(bench.world.finish_snapshot("life", "image-2"))),
        Step::settles("create from that image", 150, |bench| create(bench, "image-2")),
        Step::settles("delete while running", 180, |bench| assert!(bench.cluster.delete::<ImageBuilder>("life"))),
    ],
    made_up: &[],
    passing: APPSTREAM_PASSING,
    lasting: APPSTREAM_LASTING,
    reasons: |operation, code| match (operation, code) {
        ("CreateImageBuilder", "ResourceNotFoundException") => &["AwsBusy"],
        (_, "ResourceNotFoundException") => &["DependencyNotReady"],
        (_, "AccessDeniedException") => &["AccessDenied"],
        (_, "LimitExceededException") => &["QuotaExceeded"],
        _ => &["Rejected"],
    },
    does_without: &[],
    refused: |_, _| Vec::new(),
    parts: OnceLock::new(),
};

fn create(bench: &Bench, image: &str) {
    let settings = BuilderSettings {
        instance_type: Some("stream.standard.medium".into()),
        image_name: Some(image.parse().unwrap()),
        ..BuilderSettings::default()
    };
    let (desired_state, common) = (DesiredState::Running, Default::default());
    bench.cluster.create(ImageBuilder::new("life", ImageBuilderSpec { name: None, desired_state, settings, common }));
}

fn edit(bench: &Bench, change: impl FnOnce(&mut ImageBuilder)) {
    assert!(bench.cluster.edit("life", change));
}

fn desire(bench: &Bench, state: DesiredState) {
    edit(bench, |builder| builder.spec.desired_state = state);
}
