//! One object of every kind, served by what the chart grants and by no more, in each state that people see.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bed::{Bed, NAMESPACE, RELEASE, helms};
use crate::objects::objects;
use crate::stage::{
    ACCOUNT, FLEET, GRANT, IMAGE_BUILDER, INSTANCE, STACK, Which, ask, condition, ready, spec, stalled, until, working,
};

/// Kinds with something in AWS.
pub const IN_AWS: [&Which; 4] = [&FLEET, &STACK, &IMAGE_BUILDER, &INSTANCE];

/// A role that trusts nobody at first.
const ROLE: &str = "arn:aws:iam::222222222222:role/windlass";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs Helm: make test-install"]
async fn every_kind_is_served_as_the_chart_grants_and_an_uninstall_takes_none_of_it_away() {
    let [_, helm] = helms();
    let bed = Bed::start().await;
    for namespace in ["team", "closed"] {
        bed.namespace(namespace).await;
    }
    bed.install(&helm, "windlass-crds", &[]).assert_ok();
    bed.install(&helm, "windlass", &["--set", "secrets.namespaces={team}"]).assert_ok();
    let deployment = bed.deployment().await;
    let operator = bed.pod_of(&deployment, "only").await;
    until("it is ready", || operator.ask("/readyz").is_ok()).await;
    accounts(&bed).await;
    futures::join!(desks(&bed), machines(&bed));

    // Where the role is not bound, no Secret is read or written, and the objects say so.
    let script = json!({ "userDataFrom": { "secretKeyRef": { "name": "boot", "key": "script" } } });
    bed.make(&INSTANCE, "closed", "portal", machine(script)).await;
    bed.make(&INSTANCE, "closed", "plain", machine(json!({}))).await;
    bed.make(&GRANT, "closed", "fix", grant("plain")).await;
    put_script(&bed, "closed").await;
    for (which, name) in [(&INSTANCE, "portal"), (&GRANT, "fix")] {
        let held = |object: &Value| stalled(object, "SecretsNotPermitted");
        let object = bed.until_of(which, "closed", name, "SecretsNotPermitted", held).await;
        let message = condition(&object, "Stalled").2;
        assert!(message.contains("windlass-secrets") || message.contains("closed"), "{message}");
    }
    bed.sample("degraded", "Stalled", &GRANT, "closed", "fix").await;
    let refused = bed.refused();
    let closed = |line: &String| line.ends_with(" secrets in closed") || line.ends_with(" configmaps in closed");
    assert!(!refused.is_empty() && refused.iter().all(closed), "{refused:?}");
    // The chart binds it there, too: nobody edits an object or restarts a pod.
    let port = format!("port={}", operator.port());
    let more = ["--set", "secrets.namespaces={team,closed}", "--set", &port];
    bed.install(&helm, "windlass", &more).assert_ok();
    assert_eq!(bed.deployment().await["spec"]["template"], deployment["spec"]["template"]);
    futures::join!(
        bed.until_of(&INSTANCE, "closed", "portal", "Ready", ready),
        bed.until_of(&GRANT, "closed", "fix", "Ready", ready),
    );

    // Uninstalled with all of it there: nothing goes in AWS, no object and no Secret.
    let (writes, there) = (bed.aws_writes(), bed.all_in_aws(&IN_AWS));
    bed.helm(&helm).args(["uninstall", RELEASE, "--namespace", NAMESPACE]).assert_ok();
    bed.helm(&helm).args(["uninstall", "windlass-crds", "--namespace", NAMESPACE]).assert_ok();
    tokio::time::sleep(Duration::from_secs(3)).await;
    operator.stop();
    assert_eq!((bed.aws_writes(), bed.all_in_aws(&IN_AWS)), (writes, there));
    for (which, namespace, name) in SERVED {
        let object = bed.object(which, namespace, name).await;
        let deleted = object.map(|object| object["metadata"]["deletionTimestamp"].is_string());
        assert_eq!(deleted, Some(false), "{} {name}", which.kind);
    }
    let secret = ask(&bed.admin, "GET", "/api/v1/namespaces/team/secrets/fix", None).await.unwrap();
    assert_eq!(secret["type"], "kubernetes.io/ssh-auth");

    // Installed again it serves all of it, and makes nothing twice.
    bed.install(&helm, "windlass-crds", &[]).assert_ok();
    bed.install(&helm, "windlass", &["--set", "secrets.namespaces={team,closed}"]).assert_ok();
    let again = bed.pod_of(&bed.deployment().await, "again").await;
    until("it is ready", || again.ask("/readyz").is_ok()).await;
    until("it leads", || again.metric("windlass_leader") == 1.0).await;
    bed.edit(&STACK, "team", "desk", json!({ "spec": { "displayName": "Again" } })).await;
    for (which, namespace, name) in SERVED {
        bed.until_of(which, namespace, name, "Ready again", ready).await;
    }
    let mut made = bed.aws_writes();
    made.retain(|write| write.starts_with("Create"));
    made.sort();
    // One CreateImageBuilder was throttled, and one CreateStack was somebody else's.
    let [builder, machine, stack] = ["CreateImageBuilder", "CreateInstances", "CreateStack"];
    assert_eq!(made, ["CreateFleet", builder, builder, machine, machine, machine, stack, stack]);

    // The end of a grant takes its Secret.
    bed.unmake(&GRANT, "team", "fix").await;
    until_no_secret(&bed, "team", "fix").await;
    again.stop();
    for pod in [&operator, &again] {
        assert!(!pod.log().contains("panicked") && !pod.log().contains(crate::stage::SECRET));
    }
    assert_eq!(bed.aws.violations().unwrap(), Vec::<Value>::new());
}

/// What is served in the end, each Ready.
const SERVED: [(&Which, &str, &str); 9] = [
    (&ACCOUNT, "", "all"),
    (&FLEET, "team", "office"),
    (&STACK, "team", "desk"),
    (&IMAGE_BUILDER, "team", "maker"),
    (&INSTANCE, "team", "web"),
    (&GRANT, "team", "fix"),
    (&INSTANCE, "closed", "portal"),
    (&INSTANCE, "closed", "plain"),
    (&GRANT, "closed", "fix"),
];

fn is(name: &'static str) -> impl Fn(&Value) -> bool {
    move |object| condition(object, name).0 == "True"
}

fn machine(more: Value) -> Value {
    let mut spec = json!({ "availabilityZone": "us-east-1a", "blueprintId": "ubuntu_24_04", "bundleId": "nano_3_0" });
    spec.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    spec
}

fn grant(instance: &str) -> Value {
    json!({ "lightsailInstance": { "instanceRef": { "name": instance }, "protocol": "ssh" }, "duration": "1h" })
}

async fn put_script(bed: &Bed, namespace: &str) {
    let secret = json!({ "metadata": { "name": "boot" }, "stringData": { "script": "#!/bin/sh\n" } });
    ask(&bed.admin, "POST", &format!("/api/v1/namespaces/{namespace}/secrets"), Some(&secret)).await.unwrap();
}

async fn until_no_secret(bed: &Bed, namespace: &str, name: &str) {
    let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
    crate::stage::until_so("the Secret is gone", async || ask(&bed.admin, "GET", &path, None).await.is_err()).await;
}

/// One that everybody lives in, one that may not be, and one that is another AWS account's.
async fn accounts(bed: &Bed) {
    testbed::http::post(bed.aws.port(), "/_sim/roles", &json!({ "arn": ROLE, "trusts": [] })).unwrap();
    let everybody = json!({
        "default": true, "namespaces": { "selector": {} },
        "allow": { "grants": { "targets": ["LightsailInstance"], "maxDuration": "8h" } },
    });
    bed.make(&ACCOUNT, "", "all", everybody).await;
    bed.make(&ACCOUNT, "", "denied", json!({ "assumeRoles": [{ "arn": ROLE }] })).await;
    bed.make(&ACCOUNT, "", "other", json!({ "expectedAccountId": "999999999999" })).await;
    bed.until_of(&ACCOUNT, "", "all", "Ready", ready).await;
    bed.sample("healthy", "Ready", &ACCOUNT, "", "all").await;
    bed.until_of(&ACCOUNT, "", "denied", "AccessDenied", |account| working(account, "AccessDenied")).await;
    bed.sample("progressing", "Reconciling", &ACCOUNT, "", "denied").await;
    bed.until_of(&ACCOUNT, "", "other", "AccountMismatch", |account| stalled(account, "AccountMismatch")).await;
    bed.sample("degraded", "Stalled", &ACCOUNT, "", "other").await;
}

/// A stack that waits for its fleet, the fleet, and an image builder.
async fn desks(bed: &Bed) {
    // AWS takes its time, so that a look finds them at work.
    for operation in ["StartFleet", "CreateImageBuilder"] {
        let fault = json!({ "operation": operation, "nth": 1, "effect": "Throttle" });
        testbed::http::post(bed.aws.port(), "/_sim/faults", &fault).unwrap();
    }
    bed.make(&STACK, "team", "desk", json!({ "fleetRef": { "name": "office" } })).await;
    bed.until_of(&STACK, "team", "desk", "waits", |stack| working(stack, "DependencyNotReady")).await;
    bed.sample("progressing", "Reconciling", &STACK, "team", "desk").await;
    bed.make(&FLEET, "team", "office", spec(json!({}))).await;
    let image = |name: &str| json!({ "instanceType": "stream.standard.medium", "imageName": name });
    bed.make(&IMAGE_BUILDER, "team", "maker", image("windlass-demo-v1")).await;
    for (health, state) in [("progressing", "Reconciling"), ("healthy", "Ready")] {
        for (which, name) in [(&FLEET, "office"), (&IMAGE_BUILDER, "maker")] {
            bed.until_of(which, "team", name, state, is(state)).await;
            bed.sample(health, state, which, "team", name).await;
        }
    }
    bed.until_of(&STACK, "team", "desk", "Ready", ready).await;
    bed.sample("healthy", "Ready", &STACK, "team", "desk").await;
    // What does not fit: an image that is deprecated, and a stack of somebody else's.
    bed.make(&FLEET, "team", "broken", spec(json!({ "imageName": "windlass-demo-deprecated" }))).await;
    bed.make(&IMAGE_BUILDER, "team", "broken", image("windlass-demo-deprecated")).await;
    bed.aws.appstream("CreateStack", &json!({ "Name": "theirs" })).unwrap();
    bed.make(&STACK, "team", "theirs", json!({})).await;
    for (which, name) in [(&FLEET, "broken"), (&IMAGE_BUILDER, "broken"), (&STACK, "theirs")] {
        bed.until_of(which, "team", name, "Stalled", is("Stalled")).await;
        bed.sample("degraded", "Stalled", which, "team", name).await;
    }
}

/// A grant that waits for its instance, and the instance, which waits for its script.
async fn machines(bed: &Bed) {
    bed.make(&GRANT, "team", "fix", grant("web")).await;
    bed.until_of(&GRANT, "team", "fix", "waits", is("Reconciling")).await;
    bed.sample("progressing", "Reconciling", &GRANT, "team", "fix").await;
    let script = json!({ "userDataFrom": { "secretKeyRef": { "name": "boot", "key": "script" } } });
    bed.make(&INSTANCE, "team", "web", machine(script)).await;
    bed.until_of(&INSTANCE, "team", "web", "waits", |web| working(web, "DependencyNotReady")).await;
    bed.sample("progressing", "Reconciling", &INSTANCE, "team", "web").await;
    put_script(bed, "team").await;
    for which in [&INSTANCE, &GRANT] {
        let name = if which.kind == INSTANCE.kind { "web" } else { "fix" };
        bed.until_of(which, "team", name, "Ready", ready).await;
        bed.sample("healthy", "Ready", which, "team", name).await;
    }
    let secret = ask(&bed.admin, "GET", "/api/v1/namespaces/team/secrets/fix", None).await.unwrap();
    let grant_path = format!("{}/fix", objects(&GRANT, "team"));
    let made = ask(&bed.admin, "GET", &grant_path, None).await.unwrap();
    assert_eq!(secret["metadata"]["labels"]["windlass.dev/grant-uid"], made["metadata"]["uid"]);
    // What the catalogue refuses, and a grant that is over.
    bed.make(&INSTANCE, "team", "small", machine(json!({ "blueprintId": "windows_server_2022" }))).await;
    bed.until_of(&INSTANCE, "team", "small", "refused", |small| stalled(small, "CatalogueMismatch")).await;
    bed.sample("degraded", "Stalled", &INSTANCE, "team", "small").await;
    let mut over = grant("web");
    over["startsAt"] = json!("2020-01-01T00:00:00Z");
    bed.make(&GRANT, "team", "over", over).await;
    bed.until_of(&GRANT, "team", "over", "Ended", is("Ended")).await;
    bed.sample("healthy-ended", "Ended", &GRANT, "team", "over").await;
}
