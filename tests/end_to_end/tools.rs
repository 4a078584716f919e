//! kubectl, as people and pipelines use it: diff, server-side apply, wait and prune see no drift and no end too early.

use std::path::Path;

use serde_json::{Value, json};

use crate::FAST;
use crate::stage::{FLEET, INSTANCE, STACK, Stage, ready, simulator, until_so, word};
use crate::witness::Witness;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kubectl_diffs_applies_waits_and_prunes_objects_of_ours_as_built_in_ones() {
    let stage = Stage::new("tools", simulator(&FAST).await).await;
    let witnesses = [&FLEET, &STACK].map(|which| Witness::of(&stage.of(which)));
    let operator = stage.operator().ready().await;
    let (fleets, stacks) = (stage.of(&FLEET), stage.of(&STACK));
    let file = stage.control_plane.folder().path().join(format!("{}.yaml", stage.namespace));
    let path = file.to_str().unwrap();
    let applied = ["apply", "--server-side", "--field-manager=pipeline", "-f", path];
    write(&file, "One", true);

    // Applied and waited for: what it waited for is in AWS.
    stage.kubectl(&applied).await;
    let wait = ["wait", "--for=condition=Ready", "--timeout=60s", "-f", path];
    stage.kubectl(&wait).await;
    assert_eq!(fleets.in_aws("desk").unwrap()["state"], "RUNNING");
    assert_eq!(stacks.in_aws("desk").unwrap()["fleet"], "desk");
    // No drift: neither a diff, nor a conflict, nor a new version by the same apply.
    assert_eq!(stage.kubectl(&["diff", "--server-side", "--field-manager=pipeline", "-f", path]).await, "");
    let before = word(&fleets.object("desk").await, "/metadata/resourceVersion");
    stage.kubectl(&applied).await;
    assert_eq!(word(&fleets.object("desk").await, "/metadata/resourceVersion"), before);

    // A change shows in the diff; applied, a wait does not end with what was Ready before.
    write(&file, "Two", true);
    let (code, diff) = stage.kubectl_code(&["diff", "--server-side", "--field-manager=pipeline", "-f", path]).await;
    let lines: Vec<&str> = diff.lines().filter(|line| line.starts_with("+ ") || line.starts_with("- ")).collect();
    let lines: Vec<String> = lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let spec: Vec<&String> = lines.iter().filter(|line| !line.contains("generation:")).collect();
    assert_eq!((code, spec), (1, vec![&"- displayName: One".to_owned(), &"+ displayName: Two".to_owned()]), "{diff}");
    stage.kubectl(&applied).await;
    stage.kubectl(&wait).await;
    assert_eq!(fleets.in_aws("desk").unwrap()["settings"]["DisplayName"], "Two");
    // Client-side apply leaves its annotation in peace, too.
    let machine = json!({
        "apiVersion": "lightsail.windlass.dev/v1alpha1", "kind": "Instance", "metadata": { "name": "web" },
        "spec": { "availabilityZone": "us-east-1a", "blueprintId": "debian_12", "bundleId": "nano_3_0" },
    });
    let plain = file.with_extension("json");
    std::fs::write(&plain, machine.to_string()).unwrap();
    let plain = plain.to_str().unwrap();
    stage.kubectl(&["apply", "-f", plain]).await;
    stage.of(&INSTANCE).until("web", "Ready", ready).await;
    assert_eq!(stage.kubectl(&["diff", "-f", plain]).await, "");
    assert!(stage.kubectl(&["apply", "-f", plain]).await.contains("unchanged"));

    // Pruned by an apply set: what is not in the file any more goes, the finalizer working, and nothing else.
    let within = ["--namespace", &stage.namespace, "--applyset=desks", "--prune"];
    let set = [&applied[..], &within[..]].concat();
    stage.kubectl_with("KUBECTL_APPLYSET", "true", &set).await;
    write(&file, "Two", false);
    let said = stage.kubectl_with("KUBECTL_APPLYSET", "true", &set).await;
    assert!(said.contains("desk pruned"), "{said}");
    until_so("AWS has no stack any more", async || stacks.in_aws("desk").is_none()).await;
    assert!(stacks.find("desk").await.is_none_or(|stack| stack["metadata"]["deletionTimestamp"].is_string()));
    assert!(ready(&fleets.object("desk").await));
    // Without a set, custom resources are pruned where they are named.
    stage.kubectl(&["label", "-f", plain, "app=tools"]).await;
    let nothing = ["apply", "--prune", "-l", "app=tools", "-f"];
    let empty = file.with_extension("empty.json");
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "tools", "labels": { "app": "tools" } } });
    std::fs::write(&empty, map.to_string()).unwrap();
    stage.kubectl(&[&nothing[..], &[empty.to_str().unwrap()]].concat()).await;
    let machines = stage.of(&INSTANCE);
    assert_eq!(machines.object("web").await["metadata"].get("deletionTimestamp"), None);
    let allowed = "--prune-allowlist=lightsail.windlass.dev/v1alpha1/Instance";
    stage.kubectl(&[&nothing[..], &[empty.to_str().unwrap(), allowed]].concat()).await;
    until_so("AWS has no instance any more", async || machines.in_aws("web").is_none()).await;

    for witness in witnesses {
        witness.testify();
    }
    operator.assert_log_is_clean();
    operator.stop();
    assert_eq!(stage.aws.violations().unwrap(), Vec::<Value>::new());
}

/// A Fleet, and a Stack that streams from it, as a repository holds them.
fn write(file: &Path, title: &str, stack: bool) {
    let mut text = format!(
        "apiVersion: appstream.windlass.dev/v1alpha1
kind: Fleet
metadata: {{name: desk, labels: {{team: a}}, annotations: {{owner: ada}}}}
spec:
  instanceType: stream.standard.medium
  imageName: windlass-demo-v1
  displayName: {title}
  computeCapacity: {{desiredInstances: 1}}
  tags: {{team: a}}
"
    );
    if stack {
        text += "---
apiVersion: appstream.windlass.dev/v1alpha1
kind: Stack
metadata: {name: desk}
spec: {fleetRef: {name: desk}}
";
    }
    std::fs::write(file, text).unwrap();
}
