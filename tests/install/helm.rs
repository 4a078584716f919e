//! Helm with a chart that holds objects of ours: Helm 4 waits for them by kstatus, Helm 3 does not look at them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bed::{Bed, helms};
use crate::stage::{FLEET, STACK, condition, ready, stalled, until, word};

const CHART: &str = "{apiVersion: v2, name: desks, version: 0.1.0}\n";

/// A Fleet and the Stack that it streams through.
const OBJECTS: &str = r"
apiVersion: appstream.windlass.dev/v1alpha1
kind: Fleet
metadata: {name: {{ .Release.Name }}}
spec:
  instanceType: stream.standard.medium
  imageName: {{ .Values.image }}
  displayName: {{ .Values.title }}
  computeCapacity: {desiredInstances: 1}
---
apiVersion: appstream.windlass.dev/v1alpha1
kind: Stack
metadata: {name: {{ .Release.Name }}}
spec:
  fleetRef: {name: {{ .Release.Name }}}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs Helm: make test-install"]
async fn helm_4_waits_for_what_its_chart_holds_fails_at_once_when_it_is_stalled_and_helm_3_does_not_look() {
    let [three, four] = helms();
    let bed = Bed::start().await;
    bed.install(&four, "windlass-crds", &[]).assert_ok();
    bed.install(&four, "windlass", &[]).assert_ok();
    let operator = bed.pod_of(&bed.deployment().await, "only").await;
    until("it is ready", || operator.ask("/readyz").is_ok()).await;
    bed.namespace("team").await;
    let chart = bed.control_plane.folder().path().join("desks");
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    std::fs::write(chart.join("Chart.yaml"), CHART).unwrap();
    std::fs::write(chart.join("values.yaml"), "{image: windlass-demo-v1, title: One}\n").unwrap();
    std::fs::write(chart.join("templates/desks.yaml"), OBJECTS).unwrap();
    let upgrade = |helm: &std::path::Path, release: &str, more: &[&str]| {
        let mut command = bed.helm(helm);
        command.args(["upgrade", "--install", release]).arg(&chart);
        command.args(["--namespace", "team", "--timeout", "90s"]).args(more);
        command
    };
    let of_release = |name: &'static str| {
        let bed = &bed;
        async move { bed.object(&FLEET, "team", name).await.unwrap_or_default() }
    };
    let title = |name: &str| bed.in_aws(name).map(|fleet| word(&fleet, "/settings/DisplayName"));

    // Installed: what it waited for is there when it returns.
    upgrade(&four, "desks", &["--wait"]).assert_ok();
    assert!(ready(&of_release("desks").await));
    assert!(ready(&bed.object(&STACK, "team", "desks").await.unwrap()));
    assert_eq!(bed.in_aws("desks").unwrap()["state"], "RUNNING");
    // Upgraded: the first look at the new generation is not mistaken for its end, and nobody took the spec from Helm.
    upgrade(&four, "desks", &["--wait", "--set", "title=Two"]).assert_ok();
    assert_eq!(title("desks").as_deref(), Some("Two"));
    // Stalled: it does not wait for its timeout.
    let began = Instant::now();
    let words =
        upgrade(&four, "desks", &["--wait", "--set", "title=Two,image=windlass-demo-deprecated"]).assert_refused();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(45), "it failed after {took:?}: {words}");
    assert!(stalled(&of_release("desks").await, "ImageNotUsable"), "{words}");
    println!("Helm 4 --wait fails {:.1} s after a Fleet that is Stalled", took.as_secs_f32());
    // Rolled back: it goes on.
    bed.helm(&four).args(["rollback", "desks", "2", "--namespace", "team", "--wait", "--timeout", "90s"]).assert_ok();
    assert!(ready(&of_release("desks").await));
    assert_eq!(bed.in_aws("desks").unwrap()["state"], "RUNNING");
    let mut made = bed.aws_writes_of("desks");
    made.retain(|write| write.starts_with("Create"));
    made.sort();
    assert_eq!(made, ["CreateFleet", "CreateStack"]);

    // Helm 3 returns at once: the documentation's `kubectl wait` is what waits then.
    let throttled = json!({ "operation": "CreateFleet", "nth": 1, "effect": "Throttle" });
    testbed::http::post(bed.aws.port(), "/_sim/faults", &throttled).unwrap();
    upgrade(&three, "third", &["--wait"]).assert_ok();
    assert_ne!(condition(&of_release("third").await, "Ready").0, "True");
    let wait = ["wait", "--namespace=team", "--for=condition=Ready", "asfleet/third", "asstack/third", "--timeout=90s"];
    bed.kubectl().args(wait).assert_ok();
    assert_eq!(bed.in_aws("third").unwrap()["state"], "RUNNING");

    // Uninstalled: Helm 4 waits until AWS is done.
    let uninstall = ["uninstall", "desks", "--namespace", "team", "--wait", "--timeout", "150s"];
    bed.helm(&four).args(uninstall).assert_ok();
    assert_eq!((of_release("desks").await, bed.in_aws("desks")), (Value::Null, None));
    operator.stop();
    operator.assert_log_is_clean();
    assert_eq!(bed.aws.violations().unwrap(), Vec::<Value>::new());
}
