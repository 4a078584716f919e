//! What the operator does when its world is not as usual: leaders that die or freeze, an API server that is away, definitions
//! that are not there, objects that it cannot read, people who edit all the time.
#![allow(clippy::unwrap_used, clippy::panic)]

mod replicas;
#[allow(dead_code)]
mod stage;
mod tools;
#[allow(dead_code)]
mod witness;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stage::{Operator, Stage, ask, ready, repository, simulator, spec, until, until_so, word};
use testbed::{ControlPlane, Options};

/// An AWS that starts and stops fleets in a second.
const FAST: [&str; 8] = ["--start", "1s", "--stop", "1s", "--scale", "500ms", "--scale-in", "500ms"];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_dead_leader_is_followed_and_a_frozen_one_writes_nothing_when_it_thaws() {
    /// Long enough for a machine that is busy to renew in time.
    const LEASE: Duration = Duration::from_secs(5);
    let stage = Stage::new("leader", simulator(&FAST).await).await;
    let contend = |key: &str| {
        stage.sim("POST", &format!("/judge/{key}"), &Value::Null);
        let recipe = stage.operator().access_key(key).flag("--lease-duration=5s");
        recipe.flag("--lease-renew-deadline=4s").flag("--lease-retry=500ms")
    };
    let leads = |operator: &Operator| operator.metric("windlass_leader") == 1.0;
    let rename = async |name: &str| {
        let asked = Instant::now();
        stage.patch("led", json!({ "spec": { "displayName": name } })).await;
        stage.until_aws("led", name, |fleet| fleet["settings"]["DisplayName"] == *name).await;
        asked.elapsed()
    };
    let (one, two) = ("AKIA123456789012ONE1", "AKIA123456789012TWO2");
    let first = contend(one).ready().await;
    until("the first leads", || leads(&first)).await;
    let second = contend(two).ready().await;
    stage.create("led", spec(json!({}))).await;
    stage.until("led", "Ready", ready).await;
    // The standby is warm: it is ready, and its caches know what the leader did.
    let counted = |operator: &Operator| {
        operator.metric("windlass_objects{condition=\"Ready\",kind=\"Fleet.appstream.windlass.dev\",reason=\"Available\",status=\"True\"}")
    };
    until("the standby has seen it", || counted(&second) == 1.0).await;
    assert!(second.ask("/readyz").is_ok());
    assert_eq!((mutations(&stage, one, 0), mutations(&stage, two, 0), leads(&second)), (2, 0, false));

    // Dead: the other acts when the lease has run out, a retry and an election later.
    first.daemon.kill();
    let late = rename("after the kill").await;
    assert!(late < LEASE * 3, "the other acted after {late:?}");
    stage::say(&format!("leader killed: an edit made right then is in AWS after {:.1} s", late.as_secs_f32()));
    assert_eq!((mutations(&stage, one, 0), mutations(&stage, two, 0)), (2, 1));

    // Frozen past its lease, with an edit to carry out on waking.
    let three = "AKIA123456789012THR3";
    let third = contend(three).ready().await;
    second.daemon.signal("STOP");
    let frozen = stage.requests();
    let late = rename("while the leader is frozen").await;
    stage::say(&format!("leader frozen: an edit made right then is in AWS after {:.1} s", late.as_secs_f32()));
    stage.patch("led", json!({ "spec": { "displayName": "right before the thaw" } })).await;
    second.daemon.signal("CONT");
    stage.until_aws("led", "thawed", |fleet| fleet["settings"]["DisplayName"] == "right before the thaw").await;
    until("the thawed one knows", || !leads(&second)).await;
    rename("after the thaw").await;
    assert_eq!((mutations(&stage, two, frozen), mutations(&stage, three, frozen)), (0, 3));

    // Told to stop: the lease is given back, and the other need not wait for its end.
    assert!(leads(&third));
    third.stop();
    assert!(third.daemon.log().contains("gave the lease back"));
    let taken = Instant::now();
    until("the other leads", || leads(&second)).await;
    assert!(taken.elapsed() < LEASE, "the lease was taken after {:?}", taken.elapsed());
    rename("by the one that is left").await;
    assert_eq!(mutations(&stage, two, frozen), 1);
    second.stop();
    assert_eq!(stage.holder().await, "");
    assert_eq!(stage.aws.violations().unwrap(), Vec::<Value>::new());
    first.assert_log_is_clean();
    second.assert_log_is_clean();
    third.assert_log_is_clean();
}

/// How many writes AWS has received from this access key, from the audit entry `since` on.
fn mutations(stage: &Stage, key: &str, since: usize) -> usize {
    let audit = stage.aws.audit(since).unwrap();
    audit.iter().filter(|entry| entry["mutating"] == true && entry["access_key"] == *key).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_definitions_with_poison_and_without_an_api_server_it_waits_and_goes_on() {
    // A control plane of its own, which is broken in turn.
    let started = tokio::task::spawn_blocking(|| ControlPlane::start(Options::default())).await.unwrap().unwrap();
    let control_plane: &'static ControlPlane = Box::leak(Box::new(started));
    let admin = control_plane.admin_client().await;
    stage::apply(&admin, include_str!("../rbac/cluster.yaml")).await;
    let stage = Stage::on(control_plane, "broken", simulator(&FAST).await).await;
    stage::apply(&admin, &EVERYWHERE.replace("NAMESPACE", &stage.namespace)).await;
    let recipe = || stage.operator().cluster_wide();

    // No definitions: it says so, lives, and is not ready.
    let operator = recipe().start();
    let said = || operator.daemon.log().matches("the custom resource definitions are not installed").count();
    until("it says what is missing", || said() == 1).await;
    until("it serves /livez", || operator.ask("/livez").is_ok()).await;
    let refusal = operator.ask("/readyz").unwrap_err();
    assert!(refusal.contains("status 503") && refusal.contains("caches"), "{refusal}");

    // Definitions of another version, which let anything in: what cannot be read is left alone, and delays nobody.
    let definitions = repository().join("crds/appstream.windlass.dev_fleets.yaml");
    let strict: Value = serde_yaml::from_str(&std::fs::read_to_string(definitions).unwrap()).unwrap();
    let mut loose = strict.clone();
    for version in loose["spec"]["versions"].as_array_mut().unwrap() {
        let anything = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
        version["schema"]["openAPIV3Schema"]["properties"]["spec"] = anything;
    }
    // Bounds of fields that the open schema does not have any more.
    for version in loose["spec"]["versions"].as_array_mut().unwrap() {
        version["schema"]["openAPIV3Schema"].as_object_mut().unwrap().remove("x-kubernetes-validations");
        version.as_object_mut().unwrap().remove("selectableFields");
        version["subresources"].as_object_mut().unwrap().remove("scale");
    }
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    ask(&admin, "POST", path, Some(&loose)).await.unwrap();
    // The others, and last the Accounts: no kind is looked at before it is known which there are.
    let mut others: Vec<_> =
        std::fs::read_dir(repository().join("crds")).unwrap().map(|file| file.unwrap().path()).collect();
    others.sort_by_key(|file| file.ends_with("aws.windlass.dev_accounts.yaml"));
    for file in others.iter().filter(|file| !file.ends_with("appstream.windlass.dev_fleets.yaml")) {
        let definition: Value = serde_yaml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        ask(&admin, "POST", path, Some(&definition)).await.unwrap();
        // The API server takes a moment to serve it.
        let (group, plural) = (word(&definition, "/spec/group"), word(&definition, "/spec/names/plural"));
        let list = format!("/apis/{group}/v1alpha1/{plural}");
        until_so("it is served", async || ask(&admin, "GET", &list, None).await.is_ok()).await;
    }
    until("it is ready", || operator.ask("/readyz").is_ok()).await;
    assert_eq!(said(), 1, "said once");
    stage.create("poison", json!({ "instanceType": 7, "computeCapacity": "many", "tags": [] })).await;
    until("it says what it cannot read", || operator.daemon.log().contains("cannot be read and is left alone")).await;
    until_so("an Event about it", async || {
        matches!(&*stage.events("poison").await, [(reason, note, 1)] if reason == "Unreadable" && note.contains("leaves it alone"))
    })
    .await;
    let name = word(&strict, "/metadata/name");
    ask(&admin, "PATCH", &format!("{path}/{name}"), Some(&json!({ "spec": strict["spec"] }))).await.unwrap();
    control_plane.apply_crds(repository().join("crds")).await.unwrap();
    stage.create("good", spec(json!({}))).await;
    stage.until("good", "Ready beside poison", ready).await;
    operator.stop();
    // Also when it is there from the beginning.
    let operator = recipe().ready().await;
    stage.patch("good", json!({ "spec": { "displayName": "Good" } })).await;
    stage.until_aws("good", "renamed", |fleet| fleet["settings"]["DisplayName"] == "Good").await;
    let poison = stage.object("poison").await;
    assert_eq!((poison["metadata"].get("finalizers"), stage.writes("poison", 0).len()), (None, 0));

    // The API server is away for longer than the lease: nothing is written to AWS, and all goes on afterwards. Of two.
    stage.until("good", "Ready", ready).await;
    let standby = recipe().ready().await;
    let leaders = || [&operator, &standby].map(|one| one.metric("windlass_leader"));
    assert_eq!(leaders(), [1.0, 0.0]);
    let apiserver = control_plane.pids()[1].to_string();
    let signal = |name: &str| {
        let done = std::process::Command::new("kill").args(["-s", name, &apiserver]).status().unwrap();
        assert!(done.success());
    };
    let away = Instant::now();
    signal("STOP");
    let before = stage.requests();
    stage.sim("PATCH", "/fleets/good", &json!({ "settings": { "DisplayName": "By hand" } }));
    let mut dead = None;
    while away.elapsed() < Duration::from_secs(20) {
        dead = dead.or(operator.ask("/livez").err()).or(standby.ask("/livez").err());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (written, led) = (stage.writes("good", before), leaders());
    signal("CONT");
    let back = Instant::now();
    assert_eq!(
        (dead, written, led),
        (None, vec![], [0.0, 0.0]),
        "/livez, writes and the lease while the API server was away"
    );
    stage.until_aws("good", "repaired", |fleet| fleet["settings"]["DisplayName"] == "Good").await;
    stage::say(&format!(
        "the API server away for 20 s: repaired {:.1} s after it was back",
        back.elapsed().as_secs_f32()
    ));
    assert_eq!(leaders().iter().sum::<f64>(), 1.0, "one leads again");
    stage.patch("good", json!({ "spec": { "displayName": "Again" } })).await;
    stage.until_aws("good", "renamed", |fleet| fleet["settings"]["DisplayName"] == "Again").await;
    for replica in [&operator, &standby] {
        assert!(replica.ask("/readyz").is_ok());
        replica.stop();
    }
    standby.assert_log_is_clean();
    assert_eq!(stage.aws.violations().unwrap(), Vec::<Value>::new());
    operator.assert_log_is_clean();
}

/// The rights on Fleets in every namespace.
const EVERYWHERE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: windlass-fleets}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: windlass-fleets}
subjects: [{kind: ServiceAccount, name: windlass, namespace: NAMESPACE}]
";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_object_that_is_edited_all_the_time_is_served_all_the_same_and_no_log_level_shows_a_secret() {
    let stage = Stage::new("edited", simulator(&FAST).await).await;
    let trace = "trace,aws_smithy_runtime=trace,aws_config=trace,aws_sigv4=trace,kube=trace,hyper=trace";
    let operator = stage.operator().flag("--log-format=text").env("RUST_LOG", trace).ready().await;
    stage.create("busy", spec(json!({ "displayName": "0" }))).await;
    let (stop, edits) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    // One label after the other: a new version each time, and no new generation.
    let editing = tokio::spawn({
        let (stage, stop, edits) = (stage.clone(), Arc::clone(&stop), Arc::clone(&edits));
        async move {
            while !stop.load(Ordering::Relaxed) {
                let n = edits.fetch_add(1, Ordering::Relaxed);
                stage.patch("busy", json!({ "metadata": { "labels": { "edit": n.to_string() } } })).await;
            }
        }
    });
    stage.until("busy", "Ready while it is edited", ready).await;
    for n in 1..=5 {
        stage.patch("busy", json!({ "spec": { "displayName": n.to_string() } })).await;
    }
    stage.until_aws("busy", "the last name", |fleet| fleet["settings"]["DisplayName"] == "5").await;
    let conflicts = || operator.metric("windlass_kube_requests_total{effect=\"report\",outcome=\"conflict\"}");
    // With an edit every few milliseconds, a report meets one soon; until then there is more to report.
    let mut n = 5;
    until_so("a report that came too late", async || {
        n += 1;
        stage.patch("busy", json!({ "spec": { "displayName": n.to_string() } })).await;
        stage
            .until_aws("busy", "one more name", |fleet| fleet["settings"]["DisplayName"] == json!(n.to_string()))
            .await;
        conflicts() > 0.0
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    editing.await.unwrap();
    let fleet = stage.until("busy", "Ready", ready).await;
    let last = edits.load(Ordering::Relaxed) - 1;
    assert_eq!(word(&fleet, "/metadata/labels/edit"), last.to_string(), "no edit was undone");
    let writes = stage.writes("busy", 0);
    assert_eq!(stage.aws.violations().unwrap(), Vec::<Value>::new());
    assert_eq!(writes[..2].join(", "), "CreateFleet, StartFleet");
    assert!(writes[2..].iter().all(|operation| operation == "UpdateFleet"), "{writes:?}");
    operator.assert_log_is_clean();
    operator.stop();
    let (log, token) = (operator.daemon.log(), stage.token());
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the level was not heard");
    assert!(!log.contains(&token), "the log holds the ServiceAccount's token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn told_to_stop_in_the_middle_of_a_create_it_remembers_what_it_made_before_it_ends() {
    let stage = Stage::new("ended", simulator(&FAST).await).await;
    // AWS takes its time; the trace of effects says when the request is under way.
    stage.sim("POST", "/faults", &json!({ "operation": "CreateFleet", "nth": 1, "effect": "Hang", "seconds": 3 }));
    let operator = stage.operator().env("WINDLASS_HOLD_AT", "0:before").ready().await;
    stage.create("slow", spec(json!({}))).await;
    until("the create is under way", || operator.daemon.log().contains("aws CreateFleet")).await;
    assert_eq!(stage.in_aws("slow"), None);
    operator.stop();
    let (fleet, made) = (stage.object("slow").await, stage.in_aws("slow").unwrap());
    assert_eq!(fleet["status"]["arn"], made["arn"], "what was made is not known: {}", stage::shown(&fleet));
    assert_eq!(stage.writes("slow", 0), ["CreateFleet"], "nothing new was begun");
    assert_eq!(stage.holder().await, "");
    let again = stage.operator().ready().await;
    stage.until("slow", "Ready", ready).await;
    assert_eq!(stage.writes("slow", 0), ["CreateFleet", "StartFleet"]);
    assert_eq!(stage.aws.violations().unwrap(), Vec::<Value>::new());
    again.stop();
}
