//! Image builders by chance: making images, and with people at the console.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;
use simulator::{BuilderState, BuilderView, Timings, World};

use windlass::api::common::Common;
use windlass::api::fleet::DesiredState;
use windlass::api::image_builder::{BuilderSettings, ImageBuilder, ImageBuilderSpec};
use windlass::plan::conditions;

use super::super::bench::{ACCOUNT, Bench, REGION};
use super::Subject;

pub struct ImageBuilders;

fn builder(bench: &Bench, name: &str) -> Option<BuilderView> {
    bench.world.builder(ACCOUNT, REGION, name)
}

impl Subject for ImageBuilders {
    type Object = ImageBuilder;
    const KIND: &'static str = "ImageBuilder";
    const OPERATIONS: &'static [&'static str] = &[
        "CreateImageBuilder",
        "CreateImageBuilder",
        "StartImageBuilder",
        "StopImageBuilder",
        "DeleteImageBuilder",
        "TagResource",
        "DescribeImageBuilders",
        "ListTagsForResource",
        "*",
    ];
    const CODES: &'static [&'static str] =
        &["ConcurrentModificationException", "ResourceInUseException", "OperationNotPermittedException"];

    fn timings() -> Timings {
        let seconds = Duration::from_secs;
        Timings {
            start_builder: seconds(20),
            stop_builder: seconds(10),
            delete_builder: seconds(6),
            ..Timings::default()
        }
    }

    fn object(name: &str) -> ImageBuilder {
        let settings = BuilderSettings {
            instance_type: Some("stream.standard.medium".into()),
            image_name: Some("windlass-demo-v1".parse().unwrap()),
            ..BuilderSettings::default()
        };
        let (desired_state, common) = (DesiredState::Running, Default::default());
        ImageBuilder::new(name, ImageBuilderSpec { name: None, desired_state, settings, common })
    }

    fn common(object: &mut ImageBuilder) -> &mut Common {
        &mut object.spec.common
    }

    /// AWS changes tags and power alone.
    fn edit(rng: &mut StdRng, ImageBuilder { spec, .. }: &mut ImageBuilder) -> String {
        let (what, n) = (rng.random_range(0..2), rng.random_range(0..3));
        match what {
            0 => spec.common.tags = (n > 0).then(|| [("team".to_owned(), n.to_string())].into()),
            _ => spec.desired_state = if n == 0 { DesiredState::Stopped } else { DesiredState::Running },
        }
        format!("field {what}: {n}")
    }

    fn meddle(rng: &mut StdRng, bench: &Bench, lags: bool, name: &str) -> String {
        let Some(found) = builder(bench, name) else { return "there is none".into() };
        let image = format!("image-of-{name}");
        let by_hand = |operation: &str| {
            let answer = bench.world.out_of_band("appstream", operation, &json!({ "Name": name }));
            format!("{operation}: {:?}", answer.is_ok())
        };
        match rng.random_range(0..20) {
            // Where reads lag, nobody can know of an image that was begun a moment ago.
            0..5 if !lags => format!("begins an image: {}", bench.world.begin_snapshot(name, &image)),
            5..12 => format!("ends an image: {}", bench.world.finish_snapshot(name, &image)),
            12..15 => by_hand("StartImageBuilder"),
            15..18 => by_hand("StopImageBuilder"),
            18 if found.state != BuilderState::Snapshotting => {
                format!("deleted: {}", bench.world.delete_builder_out_of_band(name))
            }
            _ => "nothing".into(),
        }
    }

    fn resources(world: &World) -> Vec<(String, BTreeMap<String, String>)> {
        world.builders().into_iter().map(|builder| (builder.name, builder.tags)).collect()
    }

    fn retag(world: &World, name: &str, tags: BTreeMap<String, String>) {
        let Some(builder) = world.builder(ACCOUNT, REGION, name) else { return };
        let keys: Vec<&String> = builder.tags.keys().filter(|key| !tags.contains_key(*key)).collect();
        let untag = json!({ "ResourceArn": builder.arn, "TagKeys": keys });
        world.out_of_band("appstream", "UntagResource", &untag).unwrap();
    }

    fn calm(bench: &Bench, name: &str) {
        bench.world.finish_snapshot(name, &format!("image-of-{name}"));
    }

    /// What was on it is gone when somebody deleted it: it is not made again.
    fn excused(_: &Bench, object: &ImageBuilder) -> bool {
        let conditions = object.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
        conditions::find(&conditions, "Stalled").is_some_and(|c| c.reason == "DeletedOutOfBand")
    }

    fn differs(bench: &Bench, object: &ImageBuilder) -> Option<String> {
        let state = builder(bench, object.metadata.name.as_deref()?).map(|builder| builder.state);
        let wanted = match object.spec.desired_state {
            DesiredState::Running => BuilderState::Running,
            DesiredState::Stopped => BuilderState::Stopped,
        };
        (state != Some(wanted)).then(|| format!("is {state:?} instead of {wanted:?}"))
    }
}
