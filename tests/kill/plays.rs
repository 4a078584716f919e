//! What people do in the lives that are killed: one play for each kind.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use testbed::simulator::Simulator;

use crate::Here;
use crate::stage::{self, Stage, Which, condition, ready, spec, word, working};

/// The life of an object of one kind.
pub struct Play {
    pub which: &'static Which,
    /// How fast AWS is: flags of the simulator.
    pub pace: &'static [&'static str],
    /// What others have made in AWS before the operator starts.
    pub before: fn(&Here<'_>, &str),
    /// What a person does until the deletion, and what comes of it: what AWS has then.
    pub act: for<'a> fn(&'a Stage, &'a str) -> BoxFuture<'a, Value>,
    /// The names of what the operators have left in AWS.
    pub left: fn(&Simulator) -> Vec<String>,
}

pub static FLEET: Play = Play {
    which: &stage::FLEET,
    pace: &["--start", "1s", "--stop", "1s", "--scale", "200ms", "--scale-in", "200ms"],
    before: |_, _| {},
    act: |stage, name| fleet(stage, name).boxed(),
    left: |aws| names(aws, "fleets"),
};

pub static STACK: Play = Play {
    which: &stage::STACK,
    pace: &["--start", "100ms", "--stop", "100ms", "--scale", "100ms", "--scale-in", "100ms"],
    before: two_fleets,
    act: |stage, name| stack(stage, name).boxed(),
    left: |aws| names(aws, "stacks"),
};

pub static IMAGE_BUILDER: Play = Play {
    which: &stage::IMAGE_BUILDER,
    pace: &["--builder-start", "1s", "--builder-stop", "1s", "--builder-delete", "1s"],
    before: |_, _| {},
    act: |stage, name| image_builder(stage, name).boxed(),
    left: |aws| names(aws, "builders"),
};

pub static INSTANCE: Play = Play {
    which: &stage::INSTANCE,
    pace: &[
        "--instance-start",
        "1s",
        "--instance-stop",
        "1s",
        "--instance-delete",
        "1s",
        "--address-lag",
        "200ms",
        "--small-change",
        "200ms",
    ],
    before: |_, _| {},
    act: |stage, name| instance(stage, name).boxed(),
    left: |aws| [names(aws, "instances"), static_ips(aws)].concat(),
};

fn names(aws: &Simulator, what: &str) -> Vec<String> {
    let all = testbed::http::get(aws.port(), &format!("/_sim/{what}")).unwrap();
    all[what].as_array().unwrap().iter().map(|one| word(one, "/name")).collect()
}

fn static_ips(aws: &Simulator) -> Vec<String> {
    let all = testbed::http::get(aws.port(), "/_sim/static-ips").unwrap();
    all["static_ips"].as_array().unwrap().iter().map(|one| word(one, "/name")).collect()
}

/// A new name and, under a user, a new type; then off by a schedule.
async fn fleet(stage: &Stage, name: &str) -> Value {
    let users = format!("{name}-users");
    stage.create(name, spec(json!({ "displayName": "One" }))).await;
    stage.until(name, "Ready", ready).await;
    stage.patch(name, json!({ "spec": { "displayName": "Two" } })).await;
    stage.until(name, "Ready with its new name", ready).await;
    stage.sim("POST", "/associations", &json!({ "fleet": name, "stack": users }));
    let session = stage.aws.open_session(&users, name, "ada").unwrap();
    stage.patch(name, json!({ "spec": { "instanceType": "stream.standard.large" } })).await;
    stage.until(name, "waiting for a session", |fleet| working(fleet, "WaitingForSessions")).await;
    assert_eq!(stage.in_aws(name).unwrap()["state"], "RUNNING");
    stage.aws.end_session(&session).unwrap();
    stage.until(name, "Ready with the new type", ready).await;
    stage.sim("DELETE", "/associations", &json!({ "fleet": name, "stack": users }));
    let off = json!([{ "name": "leap", "start": "0 0 29 2 *", "stop": "1 0 29 2 *" }]);
    stage.patch(name, json!({ "spec": { "powerSchedule": off } })).await;
    let stopped = |fleet: &Value| ready(fleet) && condition(fleet, "Available").1 == "Stopped";
    let fleet = stage.until(name, "off by the schedule", stopped).await;
    let made = stage.in_aws(name).unwrap();
    assert_eq!(fleet["status"]["arn"], made["arn"]);
    json!({
        "state": made["state"],
        "type": made["settings"]["InstanceType"],
        "name": made["settings"]["DisplayName"],
        "desired": made["capacity"]["Desired"],
        "killed": made["sessions_killed"],
        "object": settled(&fleet, &made),
    })
}

/// What any settled object says of itself, and how many tags its resource has.
fn settled(object: &Value, made: &Value) -> Value {
    json!({
        "tags": made["tags"].as_object().unwrap().len(),
        "pending": object["status"]["pendingChanges"],
        "finalizers": object["metadata"]["finalizers"],
    })
}

/// Two running fleets with the tags of Fleets of this namespace: a stack may join them.
fn two_fleets(here: &Here<'_>, name: &str) {
    let person = format!("AKIA{}HAND", here.account);
    for fleet in ["day", "night"].map(|one| format!("{name}-{one}")) {
        let create = json!({
            "Name": fleet, "InstanceType": "stream.standard.medium", "ImageName": "windlass-demo-v1",
            "ComputeCapacity": { "DesiredInstances": 1 },
            "Tags": {
                "windlass.dev/cluster": here.cluster, "windlass.dev/kind": "Fleet.appstream.windlass.dev",
                "windlass.dev/namespace": here.stage.namespace, "windlass.dev/name": fleet, "windlass.dev/uid": fleet,
            },
        });
        here.stage.aws.appstream_as(&person, "CreateFleet", &create).unwrap();
        here.stage.aws.appstream_as(&person, "StartFleet", &json!({ "Name": fleet })).unwrap();
    }
}

/// Into a fleet, a field and a tag cleared, and, under a user, into another fleet.
async fn stack(stage: &Stage, name: &str) -> Value {
    let (day, night) = (format!("{name}-day"), format!("{name}-night"));
    let url = "https://example.com/goodbye";
    stage
        .create(name, json!({ "displayName": "One", "redirectURL": url, "tags": { "team": "a" }, "fleetName": day }))
        .await;
    stage.until(name, "Ready", ready).await;
    stage.patch(name, json!({ "spec": { "displayName": "Two", "redirectURL": null, "tags": null } })).await;
    stage.until(name, "Ready with its new name", ready).await;
    let session = stage.aws.open_session(name, &day, "ada").unwrap();
    stage.patch(name, json!({ "spec": { "fleetName": night } })).await;
    stage.until(name, "waiting for a session", |stack| working(stack, "WaitingForSessions")).await;
    assert_eq!(stage.in_aws(name).unwrap()["fleet"], *day);
    stage.aws.end_session(&session).unwrap();
    let stack = stage.until(name, "Ready with the other fleet", ready).await;
    let made = stage.in_aws(name).unwrap();
    assert_eq!((&stack["status"]["arn"], &made["fleet"]), (&made["arn"], &json!(night)));
    json!({
        "name": made["settings"]["DisplayName"],
        "url": made["settings"].get("RedirectURL"),
        "object": settled(&stack, &made),
    })
}

/// A tag, off, and on.
async fn image_builder(stage: &Stage, name: &str) -> Value {
    stage.create(name, json!({ "instanceType": "stream.standard.medium", "imageName": "windlass-demo-v1" })).await;
    stage.until(name, "Ready", ready).await;
    stage.patch(name, json!({ "spec": { "desiredState": "Stopped", "tags": { "team": "a" } } })).await;
    let off = |builder: &Value| ready(builder) && word(builder, "/status/state") == "STOPPED";
    stage.until(name, "off", off).await;
    stage.patch(name, json!({ "spec": { "desiredState": "Running", "tags": null } })).await;
    let on = |builder: &Value| ready(builder) && word(builder, "/status/state") == "RUNNING";
    let builder = stage.until(name, "on", on).await;
    let made = stage.in_aws(name).unwrap();
    assert_eq!(builder["status"]["arn"], made["arn"]);
    json!({ "state": made["state"], "object": settled(&builder, &made) })
}

/// With all that belongs to it; the static IP is let go, then it is turned off.
async fn instance(stage: &Stage, name: &str) -> Value {
    let ports = |port: i32| json!([{ "protocol": "tcp", "fromPort": port, "toPort": port }]);
    let wanted = json!({
        "availabilityZone": "us-east-1a", "blueprintId": "ubuntu_24_04", "bundleId": "nano_3_0",
        "publicPorts": ports(443), "staticIp": {}, "addOns": { "autoSnapshot": { "snapshotTimeOfDay": "02:00" } },
        "autoSnapshotsOnDelete": "Delete",
    });
    stage.create(name, wanted).await;
    let up = stage.until(name, "Ready", ready).await;
    assert_eq!(stage.in_aws(name).unwrap()["static_ip"], up["status"]["staticIp"]["name"]);
    stage.patch(name, json!({ "spec": { "publicPorts": ports(22), "staticIp": null, "tags": { "team": "a" } } })).await;
    stage.until(name, "Ready without its static IP", ready).await;
    stage.patch(name, json!({ "spec": { "desiredState": "Stopped", "addOns": null } })).await;
    let off = |instance: &Value| ready(instance) && word(instance, "/status/state") == "stopped";
    let instance = stage.until(name, "off", off).await;
    let made = stage.in_aws(name).unwrap();
    assert_eq!(instance["status"]["arn"], made["arn"]);
    json!({
        "state": made["state"],
        "ports": made["ports"],
        "static ip": made["static_ip"],
        "snapshots": made["auto_snapshot"],
        "object": settled(&instance, &made),
    })
}
