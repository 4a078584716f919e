//! Access grants end to end: a real API server with its garbage collector, the real operator with exactly its rights, AWS over
//! HTTP. A control plane of its own, whose one Account allows every namespace every grant.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "grants/bed.rs"]
mod bed;
#[allow(dead_code)]
#[path = "end_to_end/stage.rs"]
mod stage;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bed::{file, secret, secrets, until_secret};
use jiff::Timestamp;
use serde_json::{Value, json};
use stage::{GRANT, INSTANCE, Stage, apply, ask, condition, ready, shown, stalled, until_so, word};
use testbed::{Sshd, SshdOptions};

/// A Lightsail that is quick, with certificates of twenty seconds.
const FAST: [&str; 7] = [
    "--instance-start=1s",
    "--instance-stop=1s",
    "--instance-delete=1s",
    "--address-lag=200ms",
    "--host-key-lag=200ms",
    "--cert-ttl=20s",
    "--access-keys=2",
];

async fn stage(prefix: &str) -> Stage {
    bed::stage(prefix, &FAST).await
}

/// How long after its end a grant's Secret was gone, in seconds. Another grant may have taken the name since.
async fn gone_after_the_end(stage: &Stage, grant: &str, name: &str) -> f64 {
    let grant = stage.of(&GRANT).object(grant).await;
    let ends: Timestamp = word(&grant, "/status/endsAt").parse().unwrap();
    while secret(stage, name).await.is_some_and(|secret| is_of(&secret, &grant)) {
        let late = Timestamp::now().duration_since(ends).as_secs_f64();
        assert!(late < 60.0, "the Secret is there {late} s after the end");
        tokio::time::sleep(stage.poll).await;
    }
    Timestamp::now().duration_since(ends).as_secs_f64()
}

fn is_of(secret: &Value, grant: &Value) -> bool {
    secret["metadata"]["labels"]["windlass.dev/grant-uid"] == grant["metadata"]["uid"]
}

async fn a_machine(stage: &Stage) {
    let instances = stage.of(&INSTANCE);
    let spec = json!({ "availabilityZone": "us-east-1a", "blueprintId": "ubuntu_24_04", "bundleId": "nano_3_0" });
    instances.create("web", spec).await;
    instances.until("web", "Ready", ready).await;
}

/// The ssh server of the machine.
fn sshd(stage: &Stage) -> Sshd {
    let (authority, host_keys) = (stage.aws.ssh_authority().unwrap(), stage.aws.host_key_files("web").unwrap());
    let options = SshdOptions { authority: &authority, host_keys: &host_keys, principal: "ubuntu" };
    Sshd::start(stage.control_plane.folder(), &options).unwrap()
}

/// A folder with the Secret's files, as people write them.
fn written(stage: &Stage, secret: &Value) -> PathBuf {
    let version = word(secret, "/metadata/resourceVersion");
    let folder = stage.control_plane.folder().path().join(format!("{}-{version}", stage.namespace));
    std::fs::create_dir(&folder).unwrap();
    for name in secret["data"].as_object().unwrap().keys() {
        std::fs::write(folder.join(name), file(secret, name)).unwrap();
        std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

/// `ssh -F ssh_config fix` in that folder, but for where the machine really is.
fn log_in(sshd: &Sshd, files: &Path, address: &str) -> (bool, String) {
    let mut arguments = vec!["-F".to_owned(), "ssh_config".to_owned()];
    arguments.extend(sshd.reach(address));
    arguments.extend(["fix", "echo hello from inside"].map(str::to_owned));
    testbed::ssh(files, &arguments).unwrap()
}

fn on_web(duration: &str, more: Value) -> Value {
    let mut spec = json!({
        "lightsailInstance": { "instanceRef": { "name": "web" }, "protocol": "ssh" }, "duration": duration,
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn credentials_come_are_renewed_repaired_and_taken_away_and_are_nowhere_else() {
    let stage = stage("grants").await;
    let grants = stage.of(&GRANT);
    let operator = stage.operator().env("RUST_LOG", "trace").ready().await;
    a_machine(&stage).await;

    // Within seconds, with everything that a login needs.
    let asked = Instant::now();
    let made = grants.create("fix", on_web("3m", json!({ "reason": "The disk is full." }))).await;
    let first = until_secret(&stage, "fix", "there", |_| true).await;
    println!("apply to Secret: {} ms", asked.elapsed().as_millis());
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    let files: BTreeSet<&str> = first["data"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        files,
        [
            "expires-at",
            "host",
            "known_hosts",
            "port",
            "ssh-privatekey",
            "ssh-privatekey-cert.pub",
            "ssh_config",
            "username"
        ]
        .into()
    );
    assert_eq!(first["type"], "kubernetes.io/ssh-auth");
    assert!(is_of(&first, &made), "{}", first["metadata"]);
    let owner = &first["metadata"]["ownerReferences"];
    assert_eq!((&owner[0]["uid"], &owner[0]["controller"]), (&made["metadata"]["uid"], &json!(true)));
    let machine = stage.of(&INSTANCE).in_aws("web").unwrap();
    assert_eq!(json!(file(&first, "host")), machine["public_ip_address"]);
    assert!(file(&first, "ssh-privatekey").ends_with("-----\n"));
    assert!(file(&first, "ssh_config").contains("Host fix\n"));
    let sshd = sshd(&stage);
    let files = written(&stage, &first);
    let (done, said) = log_in(&sshd, &files, &file(&first, "host"));
    assert!(done && said.contains("hello from inside"), "{said}\n{}", sshd.log());
    let shows = grants.until("fix", "Ready", ready).await;
    assert_eq!(shows["status"]["credentialExpiresAt"], json!(file(&first, "expires-at")), "{}", shown(&shows));
    let columns = stage.kubectl(&["get", "grant", "fix"]).await;
    assert!(columns.contains("Instance web (ssh)") && columns.contains("True"), "{columns}");

    // Renewed before it expires.
    let renewed =
        until_secret(&stage, "fix", "renewed", |now| file(now, "expires-at") != file(&first, "expires-at")).await;
    let expired: Timestamp = file(&first, "expires-at").parse().unwrap();
    assert!(Timestamp::now() < expired, "renewed too late");
    assert_eq!(renewed["metadata"]["uid"], first["metadata"]["uid"]);
    let again = written(&stage, &renewed);
    let (done, said) = log_in(&sshd, &again, &file(&renewed, "host"));
    assert!(done, "{said}\n{}", sshd.log());

    // Repaired when somebody edits or deletes it.
    let path = format!("{}/fix", secrets(&stage.namespace));
    let edit = json!({ "data": { "host": STANDARD.encode("evil.example"), "more": STANDARD.encode("x") } });
    ask(&stage.admin, "PATCH", &format!("{path}?fieldManager=mallory"), Some(&edit)).await.unwrap();
    let asked = Instant::now();
    let mended =
        |now: &Value| json!(file(now, "host")) == machine["public_ip_address"] && now["data"].get("more").is_none();
    until_secret(&stage, "fix", "repaired", mended).await;
    assert!(asked.elapsed() < Duration::from_secs(15), "repaired after {:?}", asked.elapsed());
    ask(&stage.admin, "DELETE", &path, None).await.unwrap();
    let asked = Instant::now();
    until_secret(&stage, "fix", "there again", |now| now["metadata"]["uid"] != first["metadata"]["uid"]).await;
    assert!(asked.elapsed() < Duration::from_secs(15), "repaired after {:?}", asked.elapsed());

    // A name that is taken, by somebody or by another grant, is never touched.
    let own =
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "own" }, "stringData": { "a": "b" } });
    let own = ask(&stage.admin, "POST", &secrets(&stage.namespace), Some(&own)).await.unwrap();
    grants.create("second", on_web("3m", json!({ "secret": { "name": "own" } }))).await;
    grants.create("third", on_web("3m", json!({ "secret": { "name": "fix" } }))).await;
    for name in ["second", "third"] {
        grants.until(name, "Stalled", |grant| stalled(grant, "SecretNotOwned")).await;
    }
    let versions = async || {
        let versions = grants.all().await.into_iter().filter(|grant| word(grant, "/metadata/name") != "fix");
        versions.map(|grant| word(&grant, "/metadata/resourceVersion")).collect::<Vec<_>>()
    };
    let before = versions().await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(versions().await, before, "two grants that may not have their Secrets write again and again");
    assert_eq!(secret(&stage, "own").await.unwrap()["metadata"]["resourceVersion"], own["metadata"]["resourceVersion"]);

    // Whoever may make grants and may not read Secrets reads none.
    let person = format!("system:serviceaccount:{}:person", stage.namespace);
    apply(&stage.admin, &PERSON.replace("NAMESPACE", &stage.namespace)).await;
    let all = format!("/apis/access.windlass.dev/v1alpha1/namespaces/{}/accessgrants", stage.namespace);
    let theirs = json!({
        "apiVersion": "access.windlass.dev/v1alpha1", "kind": "AccessGrant", "metadata": { "name": "theirs" },
        "spec": on_web("1m", json!({})),
    });
    until_so("the role holds", async || as_person(&stage, &person, "POST", &all, &theirs).await.is_ok()).await;
    until_secret(&stage, "theirs", "there", |_| true).await;
    for path in [format!("{}/theirs", secrets(&stage.namespace)), secrets(&stage.namespace)] {
        let refused = as_person(&stage, &person, "GET", &path, &Value::Null).await.unwrap_err();
        assert!(matches!(&refused, kube::Error::Api(status) if status.code == 403), "{refused}");
    }

    // Shorter, and not longer; gone at the end.
    let path = format!("{all}/fix");
    let longer = ask(&stage.admin, "PATCH", &path, Some(&json!({ "spec": { "duration": "1h" } }))).await.unwrap_err();
    assert!(longer.to_string().contains("a grant can be shortened and not made longer"), "{longer}");
    let left =
        Timestamp::now().duration_since(word(&made, "/metadata/creationTimestamp").parse().unwrap()).as_secs() + 5;
    let sooner = format!("{}s", left.max(60));
    grants.patch("fix", json!({ "spec": { "duration": sooner } })).await;
    grants.until("fix", "shortened", |grant| grant["status"]["observedGeneration"] == 2).await;
    let late = gone_after_the_end(&stage, "fix", "fix").await;
    println!("the Secret was gone {late:.1} s after the end");
    assert!((0.0..5.0).contains(&late), "{late} s after the end");
    stage.kubectl(&["wait", "--for=condition=Ended", "grant/fix", "--timeout=10s"]).await;
    // The name is free: who waited for it takes it.
    let third = grants.object("third").await;
    until_secret(&stage, "fix", "the third's", |secret| is_of(secret, &third)).await;
    // What was handed out is of no use either, as soon as it has expired.
    let last: Timestamp = word(&grants.object("fix").await, "/status/credentialExpiresAt").parse().unwrap();
    let left = last.duration_since(Timestamp::now()).as_secs_f64() + 1.0;
    tokio::time::sleep(Duration::from_secs_f64(left.clamp(0.0, 25.0))).await;
    for files in [&files, &again] {
        let (done, said) = log_in(&sshd, files, &file(&first, "host"));
        assert!(!done && said.contains("Permission denied (publickey)"), "{said}");
    }
    sshd.wait_for_line("Certificate invalid: expired", Duration::from_secs(10)).unwrap();
    let over = grants.object("fix").await;
    assert_eq!((condition(&over, "Ended").1.as_str(), condition(&over, "Ready").0.as_str()), ("Expired", ""));

    // A grant that is deleted takes its Secret with it, and the one whose Secret was taken goes, too.
    for name in ["fix", "second", "third", "theirs"] {
        grants.delete(name).await;
        grants.until_gone(name).await;
    }
    assert_eq!((secret(&stage, "theirs").await, secret(&stage, "fix").await), (None, None));
    assert!(secret(&stage, "own").await.is_some());

    nothing_is_told(&stage, &operator.daemon.log()).await;
    let metrics = operator.ask("/metrics").unwrap();
    assert!(!given_out(&stage).iter().any(|given| metrics.contains(given)), "a metric holds a secret");
    assert_eq!(stage.aws.violations().unwrap(), Vec::<Value>::new());
    operator.assert_log_is_clean();
    operator.stop();
    what_grants_need_is_granted_and_used(&stage);
}

/// Somebody who may make grants, and nothing else.
const PERSON: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: grants, namespace: NAMESPACE}
rules:
- apiGroups: [access.windlass.dev]
  resources: [accessgrants]
  verbs: [get, list, watch, create, delete]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: grants, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: grants}
subjects: [{kind: ServiceAccount, name: person, namespace: NAMESPACE}]
";

async fn as_person(stage: &Stage, person: &str, method: &str, path: &str, body: &Value) -> kube::Result<Value> {
    let request = http::Request::builder().method(method).uri(path).header("impersonate-user", person);
    let request = request.header("content-type", "application/json").body(body.to_string().into_bytes()).unwrap();
    stage.admin.request(request).await
}

/// Every secret text that AWS has handed out.
fn given_out(stage: &Stage) -> Vec<String> {
    let all = stage.sim("GET", "/secrets", &Value::Null);
    let secrets = all["secrets"].as_array().unwrap();
    assert!(
        secrets.iter().any(|secret| secret["operation"] == "GetInstanceAccessDetails"),
        "AWS has handed out nothing"
    );
    secrets.iter().flat_map(|secret| secret["canaries"].as_array().unwrap()).map(|text| word(text, "")).collect()
}

/// Nothing that AWS gave is in the log at its most talkative, in an Event, or in an object.
async fn nothing_is_told(stage: &Stage, log: &str) {
    let events =
        ask(&stage.admin, "GET", &format!("/apis/events.k8s.io/v1/namespaces/{}/events", stage.namespace), None).await;
    let events = events.unwrap().to_string();
    assert!(events.contains("The disk is full."), "the reason is in the Event");
    let objects = json!([stage.of(&GRANT).all().await, stage.of(&INSTANCE).all().await]).to_string();
    for secret in given_out(stage) {
        for (place, text) in [("the log", log), ("an Event", &events), ("an object", &objects)] {
            assert!(!text.contains(&secret), "{place} holds a secret");
        }
    }
    // The audit log has who was given what, and why.
    let audited =
        log.lines().any(|line| line.contains("GetInstanceAccessDetails") && line.contains("The disk is full."));
    assert!(audited, "no line of the audit log has the reason");
}

/// Nothing was refused, and what is granted for grants is used.
fn what_grants_need_is_granted_and_used(stage: &Stage) {
    let audit = stage.kube_audit();
    let refused: Vec<&Value> = audit.iter().filter(|event| event["responseStatus"]["code"] == 403).collect();
    assert_eq!(refused, Vec::<&Value>::new());
    let used: BTreeSet<String> = audit.iter().map(verb_of).filter(|verb| concerns(verb)).collect();
    let mut granted = BTreeSet::new();
    for document in [include_str!("rbac/cluster.yaml"), include_str!("rbac/secrets.yaml")] {
        for role in stage::documents(document) {
            for rule in role["rules"].as_array().into_iter().flatten() {
                for resource in rule["resources"].as_array().unwrap() {
                    let verbs = rule["verbs"].as_array().unwrap().iter();
                    granted.extend(verbs.map(|verb| format!("{} {}", word(resource, ""), word(verb, ""))));
                }
            }
        }
    }
    granted.retain(|verb| concerns(verb));
    assert_eq!(used, granted);
}

fn concerns(verb: &str) -> bool {
    verb.starts_with("secrets ") || verb.starts_with("accessgrants")
}

fn verb_of(event: &Value) -> String {
    let (resource, part) = (word(event, "/objectRef/resource"), word(event, "/objectRef/subresource"));
    let whole = if part.is_empty() { resource } else { format!("{resource}/{part}") };
    format!("{whole} {}", word(event, "/verb"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_ended_while_nobody_was_there_is_the_first_thing_to_go() {
    let stage = stage("downtime").await;
    let grants = stage.of(&GRANT);
    let recipe = || {
        let recipe = stage.operator().flag("--lease-duration=5s");
        recipe.flag("--lease-renew-deadline=4s").flag("--lease-retry=500ms")
    };
    let operator = recipe().ready().await;
    a_machine(&stage).await;
    grants.create("short", on_web("1m", json!({}))).await;
    grants.create("long", on_web("1h", json!({}))).await;
    until_secret(&stage, "short", "there", |_| true).await;
    let long = until_secret(&stage, "long", "there", |_| true).await;
    let short = grants.until("short", "Ready", ready).await;
    operator.daemon.kill();
    // An AWS that answers nobody is in the way of nothing that ends.
    let ends: Timestamp = word(&short, "/status/endsAt").parse().unwrap();
    let hang = json!({ "operation": "GetInstanceAccessDetails", "effect": "Hang", "seconds": 600 });
    stage.sim("POST", "/faults", &hang);
    let left = ends.duration_since(Timestamp::now()).as_secs_f64() + 3.0;
    tokio::time::sleep(Duration::from_secs_f64(left.max(0.0))).await;
    assert!(secret(&stage, "short").await.is_some(), "nobody is there to take it away");
    let began = Instant::now();
    let again = recipe().ready().await;
    while secret(&stage, "short").await.is_some() {
        assert!(began.elapsed() < Duration::from_secs(30), "it is there {:?} after the start", began.elapsed());
        tokio::time::sleep(stage.poll).await;
    }
    // The dead leader's lease has five seconds left from the first look at it.
    println!("after downtime across the end the Secret was gone {} ms after the start", began.elapsed().as_millis());
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    grants.until("short", "Ended", |grant| condition(grant, "Ended").1 == "Expired").await;
    assert_eq!(secret(&stage, "long").await.unwrap()["metadata"]["uid"], long["metadata"]["uid"]);
    again.daemon.kill();
}

/// How many grants the namespace has that goes.
const MANY: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_namespace_that_is_deleted_takes_its_grants_along_in_bounded_time() {
    let stage = stage("operator").await;
    let doomed = stage.control_plane.namespace("doomed").await;
    apply(&stage.admin, &EVERYWHERE.replace("DOOMED", &doomed).replace("NAMESPACE", &stage.namespace)).await;
    let watch = format!("--watch-namespace={doomed}");
    let operator = stage.operator().cluster_wide().flag(watch).ready().await;
    stage.sim("POST", "/instances", &json!({ "name": "web" }));
    let path = format!("/apis/access.windlass.dev/v1alpha1/namespaces/{doomed}/accessgrants");
    for n in 0..MANY {
        let grant = json!({
            "apiVersion": "access.windlass.dev/v1alpha1", "kind": "AccessGrant", "metadata": { "name": format!("g-{n}") },
            "spec": { "lightsailInstance": { "name": "web", "protocol": "ssh" }, "duration": "1h" },
        });
        ask(&stage.admin, "POST", &path, Some(&grant)).await.unwrap();
    }
    let count = async |path: &str| {
        let list = ask(&stage.admin, "GET", path, None).await.unwrap();
        list["items"].as_array().map_or(0, Vec::len)
    };
    until_so("every grant has its Secret", async || count(&secrets(&doomed)).await == MANY).await;
    let asked = Instant::now();
    ask(&stage.admin, "DELETE", &format!("/api/v1/namespaces/{doomed}"), None).await.unwrap();
    let gone = async || {
        let found = ask(&stage.admin, "GET", &format!("/api/v1/namespaces/{doomed}"), None).await;
        matches!(found, Err(kube::Error::Api(status)) if status.code == 404)
    };
    until_so("the namespace is gone", gone).await;
    println!("a namespace with {MANY} grants was gone after {} ms", asked.elapsed().as_millis());
    assert_eq!((count(&path).await, count(&secrets(&doomed)).await), (0, 0));
    assert_eq!(stage.aws.violations().unwrap(), Vec::<Value>::new());
    operator.stop();
}

/// The rights on our kinds in every namespace, and on Secrets in one.
const EVERYWHERE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: windlass-everywhere}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: windlass-fleets}
subjects: [{kind: ServiceAccount, name: windlass, namespace: NAMESPACE}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: windlass-secrets, namespace: DOOMED}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: windlass-secrets}
subjects: [{kind: ServiceAccount, name: windlass, namespace: NAMESPACE}]
";
