//! From the charts of an earlier commit to these and back: objects stay what they are, and nothing is made twice.
//!
//! `charts-5488fde.tgz` is `git archive 5488fde charts`, kept here because a shallow clone does not have that commit; where it is
//! there, the two are compared. The program of that commit is not kept: `WINDLASS_BEFORE` names one that was built from it, and
//! without it nobody serves the objects while the old charts are installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::bed::{Bed, NAMESPACE, Pod, RELEASE, helms};
use crate::kinds::IN_AWS;
use crate::stage::{ACCOUNT, FLEET, IMAGE_BUILDER, INSTANCE, STACK, Which, ready, repository, spec, until, word};

/// Of 22 November 2026: four kinds, and no Account, AccessGrant, dashboards or alerts.
const COMMIT: &str = "5488fde2256e99ef142e219eb5987c3ebc07df5b";

/// One of each kind that there was, all in one namespace.
const OBJECTS: [(&Which, &str); 4] =
    [(&FLEET, "office"), (&STACK, "desk"), (&IMAGE_BUILDER, "maker"), (&INSTANCE, "web")];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs Helm: make test-install"]
async fn upgraded_from_an_earlier_commit_and_rolled_back_objects_stay_and_are_served() {
    let [_, helm] = helms();
    let bed = Bed::start().await;
    let charts = unpacked(bed.control_plane.folder().path());
    let earlier = std::env::var_os("WINDLASS_BEFORE").map(PathBuf::from);
    bed.install_from(&charts, &helm, "windlass-crds", &[]).assert_ok();
    bed.install_from(&charts, &helm, "windlass", &[]).assert_ok();
    let before = bed.deployment().await;
    bed.namespace("team").await;
    let image = json!({ "instanceType": "stream.standard.medium", "imageName": "windlass-demo-v1" });
    let machine = json!({ "availabilityZone": "us-east-1a", "blueprintId": "debian_12", "bundleId": "nano_3_0" });
    let specs = [spec(json!({})), json!({ "fleetRef": { "name": "office" } }), image, machine];
    let mut made = Vec::new();
    for ((which, name), spec) in OBJECTS.into_iter().zip(specs) {
        made.push(what_is_kept(&bed.make(which, "team", name, spec).await));
    }
    let first = match &earlier {
        Some(program) => {
            let first = bed.pod_running(program, &before, "first").await;
            until("the old version is ready", || first.ask("/readyz").is_ok()).await;
            all_are_ready(&bed).await;
            first
        }
        None => {
            eprintln!("WINDLASS_BEFORE is not set: the program of {COMMIT} is not run");
            // The new one with old rights and definitions, as after a change of the image alone: it says what is missing and waits.
            let first = bed.pod_of(&before, "first").await;
            until("it says so", || first.log().contains("cannot list resource")).await;
            assert!(first.ask("/livez").is_ok() && first.ask("/readyz").is_err());
            assert_eq!(bed.all_in_aws(&IN_AWS), Vec::<String>::new());
            first
        }
    };

    // Definitions first, and nothing stored is lost; then the operator, the new pod before the old one goes.
    bed.install(&helm, "windlass-crds", &[]).assert_ok();
    assert_eq!(kept(&bed).await, made);
    assert!(first.ask("/livez").is_ok());
    bed.install(&helm, "windlass", &[]).assert_ok();
    let now = bed.deployment().await;
    assert_ne!(now["spec"]["template"], before["spec"]["template"]);
    let second = bed.pod_of(&now, "second").await;
    until("the new one is ready", || second.ask("/readyz").is_ok()).await;
    first.stop();
    served(&bed, &second, "Upgraded").await;
    assert_eq!(kept(&bed).await, made);
    // The kinds that came with the upgrade are served, too.
    let everybody = json!({ "default": true, "namespaces": { "selector": {} } });
    bed.make(&ACCOUNT, "", "all", everybody).await;
    bed.until_of(&ACCOUNT, "", "all", "Ready", ready).await;
    second.assert_log_is_clean();

    // Rolled back, the definitions as well: what was added stays, since the chart keeps definitions.
    for release in [RELEASE, "windlass-crds"] {
        bed.helm(&helm).args(["rollback", release, "1", "--namespace", NAMESPACE]).assert_ok();
    }
    let back = bed.deployment().await;
    assert_eq!(back["spec"]["template"], before["spec"]["template"]);
    second.stop();
    assert_eq!(kept(&bed).await, made);
    assert!(bed.object(&ACCOUNT, "", "all").await.is_some());
    if let Some(program) = &earlier {
        let third = bed.pod_running(program, &back, "third").await;
        until("the old version is ready", || third.ask("/readyz").is_ok()).await;
        served(&bed, &third, "Back").await;
        third.stop();
    }

    // And up again.
    bed.install(&helm, "windlass-crds", &[]).assert_ok();
    bed.install(&helm, "windlass", &[]).assert_ok();
    let fourth = bed.pod_of(&bed.deployment().await, "fourth").await;
    until("it is ready", || fourth.ask("/readyz").is_ok()).await;
    served(&bed, &fourth, "Again").await;
    assert_eq!(kept(&bed).await, made);
    let mut creates = bed.aws_writes();
    creates.retain(|write| write.starts_with("Create"));
    creates.sort();
    assert_eq!(creates, ["CreateFleet", "CreateImageBuilder", "CreateInstances", "CreateStack"]);
    let mut deletes = bed.aws_writes();
    deletes.retain(|write| write.starts_with("Delete"));
    assert_eq!(deletes, Vec::<String>::new());
    fourth.stop();
    fourth.assert_log_is_clean();
    assert_eq!(bed.aws.violations().unwrap(), Vec::<Value>::new());
}

/// This pod leads, everything is Ready, and an edit comes to AWS.
async fn served(bed: &Bed, pod: &Pod, title: &str) {
    until("it leads", || pod.metric("windlass_leader") == 1.0).await;
    all_are_ready(bed).await;
    bed.patch("team", "office", json!({ "spec": { "displayName": title } })).await;
    bed.until_aws("office", |fleet| fleet["settings"]["DisplayName"] == *title).await;
    all_are_ready(bed).await;
}

async fn all_are_ready(bed: &Bed) {
    for (which, name) in OBJECTS {
        bed.until_of(which, "team", name, "Ready", ready).await;
    }
}

/// What no upgrade may change of the objects, and nobody here edits.
async fn kept(bed: &Bed) -> Vec<(String, Value)> {
    let mut kept = Vec::new();
    for (which, name) in OBJECTS {
        kept.push(what_is_kept(&bed.object(which, "team", name).await.unwrap()));
    }
    kept
}

fn what_is_kept(object: &Value) -> (String, Value) {
    assert_eq!(object["metadata"].get("deletionTimestamp"), None, "{object}");
    let mut spec = object["spec"].clone();
    spec.as_object_mut().unwrap().remove("displayName");
    (word(object, "/metadata/uid"), spec)
}

/// A folder with the charts of that commit.
fn unpacked(folder: &Path) -> PathBuf {
    let [kept, there] = ["kept", "there"].map(|name| folder.join(name));
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        (output.status.success(), output.stdout)
    };
    std::fs::create_dir(&kept).unwrap();
    let archive = repository().join("tests/install/charts-5488fde.tgz");
    assert!(run(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&kept)).0);
    let git = |arguments: &[&str]| run(Command::new("git").current_dir(repository()).args(arguments));
    if git(&["cat-file", "-e", &format!("{COMMIT}^{{commit}}")]).0 {
        std::fs::create_dir(&there).unwrap();
        let tar = there.join("charts.tar").display().to_string();
        assert!(git(&["archive", "--format=tar", &format!("--output={tar}"), COMMIT, "charts"]).0);
        assert!(run(Command::new("tar").args(["-xf", &tar, "-C"]).arg(&there)).0);
        let (same, said) = run(Command::new("diff").arg("-r").args([kept.join("charts"), there.join("charts")]));
        assert!(same, "{}", String::from_utf8_lossy(&said));
    } else {
        eprintln!("this clone has no commit {COMMIT}: its charts are not compared with those kept here");
    }
    kept
}
