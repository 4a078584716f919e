//! What people do with Stacks, ImageBuilders and Instances, and what comes of it.

use serde_json::{Value, json};

use crate::stage::{
    DELETED, FLEET, IMAGE_BUILDER, INSTANCE, STACK, Stage, ask, condition, ready, shown, spec, stalled, until_so, word,
    working,
};

/// Before its Fleet, joined, changed, cut under a user, joined again; the Fleet goes when the stack is gone.
pub async fn a_stack_waits_for_its_fleet_and_a_fleet_for_its_stack(stage: &Stage) {
    let (stacks, fleets) = (stage.of(&STACK), stage.of(&FLEET));
    let wanted = json!({ "displayName": "Desk", "fleetRef": { "name": "desk-fleet" }, "tags": { "team": "a" } });
    stacks.create("desk", wanted).await;
    let waiting = stacks.until("desk", "waits for the Fleet", |stack| working(stack, "DependencyNotReady")).await;
    let message = condition(&waiting, "Ready").2;
    assert!(message.contains("there is no Fleet desk-fleet"), "{message}");
    fleets.create("desk-fleet", spec(json!({}))).await;
    let joined = stacks.until("desk", "Ready", ready).await;
    assert_eq!(word(&joined, "/status/fleetName"), "desk-fleet");
    assert_eq!(joined["metadata"]["finalizers"], json!(["windlass.dev/finalizer"]));
    let made = stacks.in_aws("desk").unwrap();
    assert_eq!((&made["fleet"], &made["arn"]), (&json!("desk-fleet"), &joined["status"]["arn"]));
    assert_eq!(made["tags"]["windlass.dev/uid"], joined["metadata"]["uid"]);
    assert_eq!(made["tags"]["team"], "a");

    stacks.patch("desk", json!({ "spec": { "displayName": "Desk 2", "redirectURL": "https://a.example/" } })).await;
    let both = |stack: &Value| {
        stack["settings"]["DisplayName"] == "Desk 2" && stack["settings"]["RedirectURL"] == "https://a.example/"
    };
    stacks.until_aws("desk", "the new name and URL", both).await;
    // What was set is ours to clear once a pass has seen it in AWS.
    stacks.until("desk", "Ready with them", ready).await;
    stacks.patch("desk", json!({ "spec": { "redirectURL": null } })).await;
    stacks.until_aws("desk", "no URL", |stack| stack["settings"].get("RedirectURL").is_none()).await;

    // Somebody is there: the association is cut when they have left.
    fleets.until("desk-fleet", "Ready", ready).await;
    let session = stage.aws.open_session("desk", "desk-fleet", "ada").unwrap();
    stacks.patch("desk", json!({ "spec": { "fleetRef": null } })).await;
    stacks.until("desk", "waiting for the session", |stack| working(stack, "WaitingForSessions")).await;
    assert_eq!(stacks.in_aws("desk").unwrap()["fleet"], "desk-fleet");
    stage.aws.end_session(&session).unwrap();
    stacks.until("desk", "Ready on its own", ready).await;
    assert_eq!(stacks.in_aws("desk").unwrap()["fleet"], Value::Null);
    stacks.patch("desk", json!({ "spec": { "fleetRef": { "name": "desk-fleet" } } })).await;
    stacks
        .until("desk", "joined again", |stack| ready(stack) && word(stack, "/status/fleetName") == "desk-fleet")
        .await;

    fleets.delete("desk-fleet").await;
    let named = |fleet: &Value| working(fleet, "DependencyNotReady") && condition(fleet, "Ready").2.contains("desk");
    fleets.until("desk-fleet", "waits for the stack", named).await;
    stacks.delete("desk").await;
    futures::join!(stacks.until_gone("desk"), fleets.until_gone("desk-fleet"));
    assert_eq!((stacks.in_aws("desk"), fleets.in_aws("desk-fleet")), (None, None));
    let told: Vec<String> = stacks.events("desk").await.into_iter().map(|(reason, _, _)| reason).collect();
    for reason in ["Created", "Associated", "Updated", "Disassociated", "Deleting"] {
        assert!(told.iter().any(|one| one == reason), "no {reason} in {told:?}");
    }
}

/// On, off and on; nothing but tags changes; making an image holds everything back.
pub async fn an_image_builder_is_left_alone_while_it_makes_an_image(stage: &Stage) {
    let builders = stage.of(&IMAGE_BUILDER);
    let wanted = json!({ "instanceType": "stream.standard.medium", "imageName": "windlass-demo-v1" });
    builders.create("maker", wanted).await;
    stage.kubectl(&["wait", "--for=condition=Ready", "asbuilder/maker", "--timeout=60s"]).await;
    let made = builders.in_aws("maker").unwrap();
    let builder = builders.object("maker").await;
    assert_eq!((&made["state"], &made["arn"]), (&json!("RUNNING"), &builder["status"]["arn"]));
    assert_eq!(builders.writes("maker", 0), ["CreateImageBuilder"]);
    let columns = stage.kubectl(&["get", "asbuilder", "maker"]).await;
    let words: Vec<Vec<&str>> = columns.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0].join(" "), "NAME STATE IMAGE IP READY AGE");
    assert_eq!(words[1][..5], ["maker", "RUNNING", "windlass-demo-v1", "172.31.0.9", "True"]);

    let path = format!("/apis/appstream.windlass.dev/v1alpha1/namespaces/{}/imagebuilders/maker", stage.namespace);
    let other = json!({ "spec": { "instanceType": "stream.standard.large" } });
    let refusal = ask(&stage.admin, "PATCH", &path, Some(&other)).await.unwrap_err().to_string();
    assert!(refusal.contains("AWS cannot change instanceType of an image builder"), "{refusal}");

    builders.patch("maker", json!({ "spec": { "desiredState": "Stopped", "tags": { "team": "a" } } })).await;
    let off = |builder: &Value| ready(builder) && word(builder, "/status/state") == "STOPPED";
    builders.until("maker", "off", off).await;
    assert_eq!(builders.in_aws("maker").unwrap()["tags"]["team"], "a");
    builders.patch("maker", json!({ "spec": { "desiredState": "Running" } })).await;
    builders.until("maker", "on", |builder| ready(builder) && word(builder, "/status/state") == "RUNNING").await;

    stage.sim("POST", "/builders/maker/snapshot", &json!({ "image": "maker-v2" }));
    let before = stage.requests();
    builders.patch("maker", json!({ "spec": { "desiredState": "Stopped" } })).await;
    let busy = |builder: &Value| working(builder, "Updating") && word(builder, "/status/state") == "SNAPSHOTTING";
    builders.until("maker", "making an image", busy).await;
    builders.delete("maker").await;
    let held =
        |builder: &Value| working(builder, "Deleting") && condition(builder, "Ready").2.contains("is making an image");
    builders.until("maker", "held by the image", held).await;
    assert_eq!(builders.writes("maker", before), Vec::<String>::new());
    stage.sim("DELETE", "/builders/maker/snapshot", &json!({ "image": "maker-v2" }));
    builders.until_gone("maker").await;
    assert_eq!(builders.in_aws("maker"), None);
    assert_eq!(builders.writes("maker", before), ["DeleteImageBuilder"]);
}

/// With its address, ports, snapshots and script; off and on; its snapshots hold the deletion back.
pub async fn an_instance_is_made_with_what_belongs_to_it_and_takes_it_along(stage: &Stage) {
    let instances = stage.of(&INSTANCE);
    let wanted = json!({
        "availabilityZone": "us-east-1a", "blueprintId": "ubuntu_24_04", "bundleId": "nano_3_0",
        "userDataFrom": { "secretKeyRef": { "name": "boot", "key": "script" } },
        "publicPorts": [{ "protocol": "tcp", "fromPort": 443, "toPort": 443 }],
        "staticIp": {}, "addOns": { "autoSnapshot": { "snapshotTimeOfDay": "02:00" } },
        "metadataOptions": { "httpTokens": "required" }, "tags": { "team": "web" },
    });
    instances.create("web", wanted).await;
    let waiting = instances.until("web", "waits for its script", |web| working(web, "DependencyNotReady")).await;
    let message = condition(&waiting, "Ready").2;
    assert!(message.contains("userDataFrom") && message.contains("boot"), "{message}");
    assert_eq!(instances.in_aws("web"), None);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "boot" }, "stringData": { "script": SCRIPT },
    });
    let secrets = format!("/api/v1/namespaces/{}/secrets", stage.namespace);
    ask(&stage.admin, "POST", &secrets, Some(&secret)).await.unwrap();
    let web = instances.until("web", "Ready", ready).await;
    let made = instances.in_aws("web").unwrap();
    assert_eq!((&made["state"], &made["user_data"]), (&json!("running"), &json!(SCRIPT)));
    assert_eq!((&made["arn"], &made["public_ip_address"]), (&web["status"]["arn"], &web["status"]["address"]));
    assert_eq!((&made["auto_snapshot"], &made["tags"]["team"]), (&json!("02:00"), &json!("web")));
    assert_eq!(made["tags"]["windlass.dev/uid"], web["metadata"]["uid"]);
    assert_eq!(made["static_ip"], web["status"]["staticIp"]["name"]);
    let open = |web: &Value| -> Vec<i64> {
        web["ports"].as_array().unwrap().iter().filter_map(|port| port["fromPort"].as_i64()).collect()
    };
    assert_eq!(open(&made), [443], "{made:#}");
    assert!(!shown(&web).contains(SCRIPT));
    let columns = stage.kubectl(&["get", "lsinstance", "web"]).await;
    let words: Vec<Vec<&str>> = columns.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0].join(" "), "NAME STATE IP BUNDLE BLUEPRINT READY AGE");
    let address = word(&web, "/status/address");
    assert_eq!(words[1][..6], ["web", "running", &address, "nano_3_0", "ubuntu_24_04", "True"]);

    let ports = json!([{ "protocol": "tcp", "fromPort": 443, "toPort": 443 }, { "protocol": "udp", "fromPort": 53, "toPort": 53 }]);
    instances.patch("web", json!({ "spec": { "publicPorts": ports, "tags": null } })).await;
    instances.until_aws("web", "the other port", |web| open(web).len() == 2 && web["tags"].get("team").is_none()).await;
    instances.patch("web", json!({ "spec": { "desiredState": "Stopped" } })).await;
    instances.until("web", "off", |web| ready(web) && word(web, "/status/state") == "stopped").await;
    instances.patch("web", json!({ "spec": { "desiredState": "Running" } })).await;
    let on = instances.until("web", "on", |web| ready(web) && word(web, "/status/state") == "running").await;
    assert_eq!(word(&on, "/status/address"), address, "a static IP stays");

    instances.delete("web").await;
    let held = instances.until("web", "held by its snapshots", |web| working(web, "AutoSnapshotsKept")).await;
    assert!(condition(&held, "Ready").2.contains("autoSnapshotsOnDelete: Delete"), "{}", shown(&held));
    assert_eq!(instances.in_aws("web").unwrap()["state"], "running");
    instances.patch("web", json!({ "spec": { "autoSnapshotsOnDelete": "Delete" } })).await;
    instances.until_gone("web").await;
    assert_eq!(instances.in_aws("web"), None);
    let left = testbed::http::get(stage.aws.port(), "/_sim/static-ips").unwrap();
    assert_eq!(left["static_ips"], json!([]), "its address was not given back");
}

/// A script that no log and no status may hold.
pub const SCRIPT: &str = "#!/bin/sh\necho cAnArY-user-data-0123456789";

/// What the catalogue refuses is refused before anything is asked of AWS, and a ConfigMap may hold a script, too.
pub async fn an_instance_that_the_catalogue_refuses_names_what_would_fit(stage: &Stage) {
    let instances = stage.of(&INSTANCE);
    let windows = |bundle: &str| {
        json!({
            "availabilityZone": "us-east-1a", "blueprintId": "windows_server_2022", "bundleId": bundle,
            "userDataFrom": { "configMapKeyRef": { "name": "boot", "key": "boot.ps1" } },
        })
    };
    instances.create("desktop", windows("nano_3_0")).await;
    let refused = instances.until("desktop", "refused", |desktop| stalled(desktop, "CatalogueMismatch")).await;
    let message = condition(&refused, "Ready").2;
    assert!(message.contains("these fit: nano_win_3_0 (9.50 USD a month), micro_win_3_0"), "{message}");
    assert_eq!(instances.writes("desktop", 0), Vec::<String>::new());
    let script = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "boot" }, "data": { "boot.ps1": "Get-Date" },
    });
    let maps = format!("/api/v1/namespaces/{}/configmaps", stage.namespace);
    ask(&stage.admin, "POST", &maps, Some(&script)).await.unwrap();
    instances.patch("desktop", json!({ "spec": { "bundleId": "nano_win_3_0" } })).await;
    instances.until("desktop", "Ready", ready).await;
    assert_eq!(instances.in_aws("desktop").unwrap()["user_data"], "Get-Date");
    let reasons = async || -> Vec<String> {
        instances.events("desktop").await.into_iter().map(|(reason, _, _)| reason).collect()
    };
    until_so("an Event of its creation", async || reasons().await.contains(&"Created".to_owned())).await;
}

/// AWS takes a create and does not carry it out: it is made again when its absence is certain and AWS says what became of the
/// first.
pub async fn an_instance_that_aws_did_not_make_after_all_is_tried_again(stage: &Stage) {
    let mut instances = stage.of(&INSTANCE);
    instances.patience = DELETED;
    let fault = json!({
        "operation": "CreateInstances", "resource": "unlucky", "nth": 1, "effect": "FailsLater",
        "code": "InsufficientCapacity", "message": "no room in this zone",
    });
    stage.sim("POST", "/faults", &fault);
    let plain = json!({ "availabilityZone": "us-east-1a", "blueprintId": "debian_12", "bundleId": "nano_3_0" });
    instances.create("unlucky", plain).await;
    instances.until("unlucky", "Ready", ready).await;
    assert_eq!(instances.writes("unlucky", 0)[..2], ["CreateInstances", "CreateInstances"]);
    let asked = stage.aws.audit(0).unwrap();
    assert!(
        asked.iter().any(|entry| entry["operation"] == "GetOperationsForResource" && entry["resource"] == "unlucky")
    );
}
