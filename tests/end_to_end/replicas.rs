//! A rolling upgrade of two replicas, as a Deployment does it: a new one is ready before an old one is told to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stage::{
    DELETED, FLEET, IMAGE_BUILDER, INSTANCE, Operator, STACK, Stage, Which, ready, say, simulator, spec, until,
};

/// An AWS in which objects are on their way for some seconds, so that the upgrade finds them there.
const PACE: [&str; 6] =
    ["--start=2s", "--stop=1s", "--builder-start=2s", "--instance-start=2s", "--address-lag=500ms", "--scale=500ms"];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rolling_upgrade_under_edits_and_creates_loses_none_and_does_nothing_twice() {
    let stage = Stage::new("rolled", simulator(&PACE).await).await;
    let replica = || {
        let recipe = stage.operator().flag("--lease-duration=5s");
        recipe.flag("--lease-renew-deadline=4s").flag("--lease-retry=500ms")
    };
    let leads = |operator: &Operator| operator.metric("windlass_leader") == 1.0;
    let old = [replica().ready().await, replica().ready().await];
    until("one leads", || old.iter().any(leads)).await;
    stage.create("edited", spec(json!({}))).await;
    stage.until("edited", "Ready", ready).await;

    // One edit after the other: the next begins when AWS has the last.
    let stop = Arc::new(AtomicBool::new(false));
    let editing = tokio::spawn({
        let (stage, stop) = (stage.clone(), Arc::clone(&stop));
        async move {
            let (mut edits, mut slowest) = (0, Duration::ZERO);
            while !stop.load(Ordering::Relaxed) {
                edits += 1;
                let (title, asked) = (format!("edit {edits}"), Instant::now());
                stage.patch("edited", json!({ "spec": { "displayName": title } })).await;
                stage.until_aws("edited", &title, |fleet| fleet["settings"]["DisplayName"] == *title).await;
                slowest = slowest.max(asked.elapsed());
            }
            (edits, slowest)
        }
    });
    // And new objects of every kind, before each old replica goes.
    let mut all: Vec<(&Which, String)> = Vec::new();
    let mut new = Vec::new();
    for (round, old) in old.iter().enumerate() {
        new.push(replica().ready().await);
        for (which, spec) in kinds(round) {
            let name = format!("{}-{round}", which.plural);
            stage.of(which).create(&name, spec).await;
            all.push((which, name));
        }
        old.stop();
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.store(true, Ordering::Relaxed);
    let (edits, slowest) = editing.await.unwrap();
    // A create that was announced and not sent is made again when it is certain that it was not: after a minute.
    let mut patient = stage.clone();
    patient.patience = DELETED;
    for (which, name) in &all {
        patient.of(which).until(name, "Ready", ready).await;
    }
    say(&format!("rolling upgrade: {edits} edits, the slowest in AWS after {:.1} s", slowest.as_secs_f32()));

    let mut expected = vec!["CreateFleet".to_owned(), "StartFleet".to_owned()];
    expected.extend(std::iter::repeat_n("UpdateFleet".to_owned(), edits));
    assert_eq!(stage.writes("edited", 0), expected);
    for (which, name) in &all {
        let mut writes = stage.of(which).writes(name, 0);
        writes.retain(|write| write.starts_with("Create"));
        assert_eq!(writes.len(), 1, "{} {name}: {writes:?}", which.kind);
    }
    assert_eq!(new.iter().filter(|one| leads(one)).count(), 1);
    for replica in old.iter().chain(&new) {
        replica.assert_log_is_clean();
    }
    for replica in &new {
        replica.stop();
    }
    assert_eq!(stage.aws.violations().unwrap(), Vec::<Value>::new());
}

/// One of each kind with something in AWS. The Stack waits for the Fleet.
fn kinds(round: usize) -> [(&'static Which, Value); 4] {
    [
        (&STACK, json!({ "fleetRef": { "name": format!("fleets-{round}") } })),
        (&FLEET, spec(json!({}))),
        (&IMAGE_BUILDER, json!({ "instanceType": "stream.standard.medium", "imageName": "windlass-demo-v1" })),
        (&INSTANCE, json!({ "availabilityZone": "us-east-1a", "blueprintId": "debian_12", "bundleId": "nano_3_0" })),
    ]
}
