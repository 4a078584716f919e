//! The life of every kind on a real API server, with the real operator under its own rights, and AWS over HTTP.
//!
//! The acts of a test play at once under one operator, on objects of their own: a deletion is believed after a minute, and
//! minutes that pass together are short.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "end_to_end/iam.rs"]
mod iam;
#[path = "end_to_end/kinds.rs"]
mod kinds;
#[path = "end_to_end/stage.rs"]
#[allow(dead_code)]
mod stage;
#[path = "end_to_end/witness.rs"]
mod witness;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stage::{Stage, condition, ready, simulator, spec, stalled, until, until_so, word, working};
use witness::Witness;

/// An AWS that starts and stops everything in a second.
const FAST: [&str; 12] = [
    "--start=1s",
    "--stop=1s",
    "--scale=500ms",
    "--scale-in=500ms",
    "--builder-start=1s",
    "--builder-stop=1s",
    "--builder-delete=1s",
    "--instance-start=1s",
    "--instance-stop=1s",
    "--instance-delete=1s",
    "--address-lag=500ms",
    "--small-change=500ms",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn objects_are_made_changed_stopped_refused_and_let_go_as_their_manifests_say() {
    let stage = Stage::new("life", simulator(&FAST).await).await;
    let secrets = include_str!("rbac/secrets.yaml").replace("NAMESPACE", &stage.namespace);
    stage::apply(&stage.admin, &secrets).await;
    let kinds = [&stage::FLEET, &stage::STACK, &stage::IMAGE_BUILDER, &stage::INSTANCE];
    let witnesses = kinds.map(|which| Witness::of(&stage.of(which)));
    let operator = stage.operator().ready().await;
    futures::join!(
        a_whole_life(&stage),
        a_schedule_turns_it_on_and_off(&stage),
        a_deletion_waits_for_stacks_and_protection(&stage),
        what_is_retained_stays_and_what_is_observed_is_never_touched(&stage),
        one_name_in_aws_has_one_owner(&stage),
        what_is_paused_rests_and_what_is_asked_for_is_echoed(&stage),
        what_no_schema_can_judge_is_stalled(&stage),
        events_are_posted_once(&stage),
        kinds::a_stack_waits_for_its_fleet_and_a_fleet_for_its_stack(&stage),
        kinds::an_image_builder_is_left_alone_while_it_makes_an_image(&stage),
        kinds::an_instance_is_made_with_what_belongs_to_it_and_takes_it_along(&stage),
        kinds::an_instance_that_the_catalogue_refuses_names_what_would_fit(&stage),
        kinds::an_instance_that_aws_did_not_make_after_all_is_tried_again(&stage),
    );
    assert_eq!(stage.aws.violations().unwrap(), Vec::<Value>::new());
    operator.assert_log_is_clean();
    let posted = |outcome| operator.metric(&format!("windlass_events_total{{outcome=\"{outcome}\"}}"));
    assert_eq!((posted("failed"), posted("dropped")), (0.0, 0.0));
    operator.stop();
    assert_eq!(stage.holder().await, "", "the lease was not given back");
    assert!(!operator.daemon.log().contains("cAnArY-user-data"), "the log holds a script");
    witnesses.into_iter().for_each(Witness::testify);
    exactly_the_rights_of_the_roles_are_used(&stage);
    iam::nothing_is_missing(&stage, &[]);
    let asked = iam::asked(&stage);
    let unused: Vec<&str> = iam::NOT_WALKED.into_iter().filter(|action| !asked.contains(*action)).collect();
    assert_eq!(unused, Vec::<&str>::new(), "deploy/iam allows what is never asked for");
}

/// Create, a gentle change, a careful change under a user, scale, delete.
async fn a_whole_life(stage: &Stage) {
    stage.create("life", spec(json!({ "displayName": "One", "tags": { "team": "a" } }))).await;
    stage.kubectl(&["wait", "--for=condition=Ready", "asfleet/life", "--timeout=60s"]).await;
    let fleet = stage.object("life").await;
    assert!(ready(&fleet), "{}", stage::shown(&fleet));
    assert_eq!(fleet["metadata"]["finalizers"], json!(["windlass.dev/finalizer"]));
    let made = stage.in_aws("life").unwrap();
    assert_eq!((&made["state"], &made["arn"]), (&json!("RUNNING"), &fleet["status"]["arn"]));
    let uid = word(&fleet, "/metadata/uid");
    let tags = json!({
        "team": "a",
        "windlass.dev/cluster": cluster(stage).await,
        "windlass.dev/kind": "Fleet.appstream.windlass.dev",
        "windlass.dev/name": "life",
        "windlass.dev/namespace": stage.namespace,
        "windlass.dev/uid": uid,
    });
    assert_eq!(made["tags"], tags);
    assert_eq!(stage.writes("life", 0), ["CreateFleet", "StartFleet"]);
    let columns = stage.kubectl(&["get", "asfleet", "life"]).await;
    let words: Vec<Vec<&str>> = columns.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0].join(" "), "NAME STATE DESIRED RUNNING IN USE IMAGE READY AGE");
    assert_eq!(words[1][..7], ["life", "RUNNING", "1", "1", "0", "windlass-demo-v1", "True"]);

    // Gentle: the fleet never leaves RUNNING.
    let before = stage.requests();
    stage.patch("life", json!({ "spec": { "displayName": "Two" } })).await;
    stage.until_aws("life", "the new name", |fleet| fleet["settings"]["DisplayName"] == "Two").await;
    stage.until("life", "Ready with the new name", ready).await;
    let now = stage.in_aws("life").unwrap();
    assert_eq!((&now["state"], &now["state_since"]), (&json!("RUNNING"), &made["state_since"]));
    assert_eq!(stage.writes("life", before), ["UpdateFleet"]);

    careful(stage).await;

    // Scale: without a stop.
    let before = stage.requests();
    let running = stage.in_aws("life").unwrap();
    stage.kubectl(&["scale", "asfleet/life", "--replicas=3"]).await;
    let scaled = stage.until("life", "scaled", |fleet| ready(fleet) && fleet["status"]["capacity"]["desired"] == 3);
    let scaled = scaled.await;
    assert_eq!(stage.in_aws("life").unwrap()["state_since"], running["state_since"]);
    assert_eq!(stage.writes("life", before), ["UpdateFleet"]);
    let scale = stage.kubectl(&["get", "asfleet/life", "--subresource=scale", "-o", "json"]).await;
    let scale: Value = serde_json::from_str(&scale).unwrap();
    let selector = format!("windlass.dev/uid={uid}");
    assert_eq!(scale["status"], json!({ "replicas": 3, "selector": selector }));
    assert_eq!(scaled["status"]["selector"], json!(selector));

    // Deletion: waits for AWS, and takes 60 s of certainty.
    let before = stage.requests();
    let asked = Instant::now();
    stage.delete("life").await;
    stage.until("life", "being deleted", |fleet| working(fleet, "Deleting")).await;
    stage.until_gone("life").await;
    assert!(asked.elapsed() >= Duration::from_secs(60), "the absence was believed after {:?}", asked.elapsed());
    assert_eq!(stage.in_aws("life"), None);
    let writes = stage.writes("life", before);
    assert_eq!(writes, ["UpdateFleet", "StopFleet", "DeleteFleet"], "capacity 0, so that nobody comes before the stop");
}

/// A change that needs a stop, while somebody is there.
async fn careful(stage: &Stage) {
    stage.aws.appstream("CreateStack", &json!({ "Name": "life-stack" })).unwrap();
    stage.sim("POST", "/associations", &json!({ "fleet": "life", "stack": "life-stack" }));
    let session = stage.aws.open_session("life-stack", "life", "ada").unwrap();
    let before = stage.requests();
    let running = stage.in_aws("life").unwrap();
    stage.patch("life", json!({ "spec": { "instanceType": "stream.standard.large" } })).await;
    let waits = |fleet: &Value| working(fleet, "WaitingForSessions") && fleet["status"]["sessions"]["count"] == 1;
    let waiting = stage.until("life", "waiting for the session", waits).await;
    let (synced, reason, message) = condition(&waiting, "Synced");
    assert_eq!((synced.as_str(), reason.as_str()), ("False", "Differs"));
    assert!(message.contains("instanceType") && message.contains("sessions"), "{message}");
    assert_eq!(condition(&waiting, "Ready").0, "False");
    assert_eq!(condition(&waiting, "Available").0, "True", "users can still use it");
    let mut changes = waiting["status"]["pendingChanges"].clone();
    let since = changes[0].as_object_mut().unwrap().remove("since");
    assert!(since.is_some_and(|since| since.is_string()));
    let expected = json!([{
        "field": "instanceType",
        "from": "stream.standard.medium",
        "to": "stream.standard.large",
        "impact": "Restart",
        "waitingFor": "waiting for user sessions to end",
    }]);
    assert_eq!(changes, expected);
    assert!(waiting["status"]["sessions"]["oldest"].is_string());
    // It goes on waiting: three more looks of the operator, and nothing is written.
    let looks = |stage: &Stage| {
        let audit = stage.aws.audit(before).unwrap();
        audit.iter().filter(|entry| entry["operation"] == "DescribeSessions").count()
    };
    let first = looks(stage);
    until("three more looks at the sessions", || looks(stage) >= first + 3).await;
    assert_eq!(stage.writes("life", before), Vec::<String>::new());
    assert_eq!(stage.in_aws("life").unwrap()["state_since"], running["state_since"]);

    stage.aws.end_session(&session).unwrap();
    let done = |fleet: &Value| ready(fleet) && fleet["status"]["instanceType"] == "stream.standard.large";
    let done = stage.until("life", "restarted with the new type", done).await;
    assert_eq!((done["status"].get("pendingChanges"), done["status"].get("sessions")), (None, None));
    let writes = stage.writes("life", before);
    assert_eq!(writes, ["UpdateFleet", "StopFleet", "UpdateFleet", "StartFleet"]);
    assert_eq!(stage.in_aws("life").unwrap()["sessions_killed"], 0);
    stage.sim("DELETE", "/associations", &json!({ "fleet": "life", "stack": "life-stack" }));
}

/// Off by the schedule, on by an edit of it, off again when its time comes.
async fn a_schedule_turns_it_on_and_off(stage: &Stage) {
    let never_now = json!([{ "name": "leap", "start": "0 0 29 2 *", "stop": "1 0 29 2 *" }]);
    stage.create("timed", spec(json!({ "powerSchedule": never_now }))).await;
    let off = stage.until("timed", "Ready while off", ready).await;
    assert_eq!((word(&off, "/status/state").as_str(), condition(&off, "Available").1.as_str()), ("STOPPED", "Stopped"));
    assert_eq!(word(&off, "/status/nextTransition/to"), "Running");
    assert_eq!(stage.writes("timed", 0), ["CreateFleet"]);
    // On since an hour ago, off at the next full minute that leaves the time to get up.
    let now = jiff::Timestamp::now();
    let minute = |after: i64| {
        let at = (now + jiff::SignedDuration::from_secs(after)).to_zoned(jiff::tz::TimeZone::UTC);
        format!("{} {} * * *", at.minute(), at.hour())
    };
    let soon = json!([{ "name": "today", "start": minute(-3600), "stop": minute(75) }]);
    stage.patch("timed", json!({ "spec": { "powerSchedule": soon } })).await;
    let on = stage.until("timed", "on", |fleet| ready(fleet) && word(fleet, "/status/state") == "RUNNING").await;
    let at: jiff::Timestamp = word(&on, "/status/nextTransition/at").parse().unwrap();
    assert_eq!(word(&on, "/status/nextTransition/to"), "Stopped");
    let end = Instant::now() + Duration::from_secs(150);
    while word(&stage.object("timed").await, "/status/state") != "STOPPED" {
        assert!(Instant::now() < end, "the schedule did not stop it: {}", stage::shown(&stage.object("timed").await));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let stopped: jiff::Timestamp = word(&stage.in_aws("timed").unwrap(), "/state_since").parse().unwrap();
    assert!(stopped >= at, "stopped at {stopped}, before {at}");
    stage.until("timed", "Ready while off", ready).await;
    // desiredState wins over the schedule: nothing changes.
    let before = stage.requests();
    stage.patch("timed", json!({ "spec": { "desiredState": "Stopped" } })).await;
    stage
        .until("timed", "still off", |fleet| ready(fleet) && word(fleet, "/status/nextTransition/at").is_empty())
        .await;
    assert_eq!(stage.writes("timed", before), Vec::<String>::new());
}

async fn a_deletion_waits_for_stacks_and_protection(stage: &Stage) {
    stage.create("held", spec(json!({ "deletionProtection": true }))).await;
    stage.until("held", "Ready", ready).await;
    stage.sim("POST", "/associations", &json!({ "fleet": "held", "stack": "somebodys" }));
    let before = stage.requests();
    stage.delete("held").await;
    stage.until("held", "protected", |fleet| working(fleet, "DeletionProtected")).await;
    stage.patch("held", json!({ "spec": { "deletionProtection": false } })).await;
    let waiting = stage.until("held", "waits for the stack", |fleet| working(fleet, "DependencyNotReady")).await;
    let message = condition(&waiting, "Ready").2;
    assert!(message.contains("somebodys") && message.contains("deletionPolicy: Retain"), "{message}");
    // It goes on serving the stack's users.
    assert_eq!(stage.writes("held", before), Vec::<String>::new());
    stage.sim("DELETE", "/associations", &json!({ "fleet": "held", "stack": "somebodys" }));
    stage.until_gone("held").await;
    assert_eq!(stage.in_aws("held"), None);
}

async fn what_is_retained_stays_and_what_is_observed_is_never_touched(stage: &Stage) {
    stage.create("kept", spec(json!({ "deletionPolicy": "Retain", "tags": { "team": "b" } }))).await;
    stage.until("kept", "Ready", ready).await;
    stage.delete("kept").await;
    stage.until_gone("kept").await;
    let kept = stage.in_aws("kept").unwrap();
    assert_eq!((&kept["state"], &kept["tags"]), (&json!("RUNNING"), &json!({ "team": "b" })), "it stays as it was");

    let existing = json!({
        "Name": "seen", "FleetType": "ON_DEMAND", "InstanceType": "stream.standard.small",
        "ImageName": "windlass-demo-v1", "ComputeCapacity": { "DesiredInstances": 1 },
    });
    stage.aws.appstream("CreateFleet", &existing).unwrap();
    stage.aws.appstream("StartFleet", &json!({ "Name": "seen" })).unwrap();
    let before = stage.requests();
    stage.create("seen", spec(json!({ "managementPolicy": "Observe" }))).await;
    let differs = |fleet: &Value| ready(fleet) && condition(fleet, "Synced").0 == "False";
    let seen = stage.until("seen", "Ready, and shown to differ", differs).await;
    assert_eq!(seen["status"]["pendingChanges"][0]["field"], "instanceType");
    stage.delete("seen").await;
    stage.until_gone("seen").await;
    assert_eq!(stage.writes("seen", before), Vec::<String>::new());
    assert_eq!(stage.in_aws("seen").unwrap()["state"], "RUNNING");
}

/// Two objects that say the same name: the first has it, the second is refused, for as long as the first has it.
async fn one_name_in_aws_has_one_owner(stage: &Stage) {
    stage.create("first", spec(json!({ "name": "shared" }))).await;
    stage.until("first", "Ready", ready).await;
    stage.create("second", spec(json!({ "name": "shared", "displayName": "Mine" }))).await;
    let refused = stage.until("second", "NotOwned", |fleet| stalled(fleet, "NotOwned")).await;
    assert!(condition(&refused, "Ready").2.contains("belongs to another object"), "{}", stage::shown(&refused));
    assert_eq!(refused["status"].get("arn"), None);
    // Its end does not touch the first one's fleet.
    stage.delete("second").await;
    stage.until_gone("second").await;
    assert_eq!(stage.in_aws("shared").unwrap()["state"], "RUNNING");
    // Nobody's fleet, made by hand, is not taken either.
    let by_hand = json!({
        "Name": "by-hand", "FleetType": "ON_DEMAND", "InstanceType": "stream.standard.medium",
        "ImageName": "windlass-demo-v1", "ComputeCapacity": { "DesiredInstances": 1 },
    });
    stage.aws.appstream("CreateFleet", &by_hand).unwrap();
    let before = stage.requests();
    stage.create("by-hand", spec(json!({}))).await;
    stage.until("by-hand", "NotOwned", |fleet| stalled(fleet, "NotOwned")).await;
    stage.delete("by-hand").await;
    stage.until_gone("by-hand").await;
    assert_eq!(stage.writes("by-hand", before), Vec::<String>::new());
    assert_eq!(stage.in_aws("by-hand").unwrap()["state"], "STOPPED");
    assert_eq!(stage.writes("shared", 0), ["CreateFleet", "StartFleet"]);
}

async fn what_is_paused_rests_and_what_is_asked_for_is_echoed(stage: &Stage) {
    stage.create("rests", spec(json!({}))).await;
    stage.until("rests", "Ready", ready).await;
    stage.patch("rests", json!({ "metadata": { "annotations": { "windlass.dev/paused": "true" } } })).await;
    stage.until("rests", "Paused", |fleet| condition(fleet, "Paused").0 == "True").await;
    let before = stage.requests();
    stage.patch("rests", json!({ "spec": { "displayName": "Later" } })).await;
    // Something else is seen to be done meanwhile, long after the edit was there to be seen.
    let asked = json!({ "metadata": { "annotations": { "windlass.dev/reconcile-requested-at": "one" } } });
    stage.patch("rests", asked).await;
    stage.create("rests-not", spec(json!({}))).await;
    stage.until("rests-not", "Ready", ready).await;
    let paused = stage.object("rests").await;
    assert_eq!(stage.writes("rests", before), Vec::<String>::new());
    assert_eq!(condition(&paused, "Ready").0, "True", "the other conditions stay as they are");
    assert_eq!(paused["status"].get("lastHandledReconcileAt"), None);
    // An empty annotation holds nothing.
    stage.patch("rests", json!({ "metadata": { "annotations": { "windlass.dev/paused": null } } })).await;
    let echoed = |fleet: &Value| ready(fleet) && fleet["status"]["lastHandledReconcileAt"] == "one";
    let awake = stage.until("rests", "Ready again, the wish echoed", echoed).await;
    assert_eq!(condition(&awake, "Paused").0, "");
    assert_eq!(stage.writes("rests", before), ["UpdateFleet"]);
    let asked = json!({ "metadata": { "annotations": { "windlass.dev/reconcile-requested-at": "two" } } });
    stage.patch("rests", asked).await;
    stage.until("rests", "the next wish echoed", |fleet| fleet["status"]["lastHandledReconcileAt"] == "two").await;
}

/// What CEL cannot judge.
async fn what_no_schema_can_judge_is_stalled(stage: &Stage) {
    let zone = json!([{ "name": "day", "start": "0 8 * * *", "stop": "0 18 * * *", "timeZone": "Mars/Olympus" }]);
    let cron = json!([{ "name": "day", "start": "0 18-8 * * *", "stop": "0 18 * * *" }]);
    for (name, schedule, words) in [("zone", zone, "Mars/Olympus"), ("cron", cron, "0 18-8 * * *")] {
        stage.create(name, spec(json!({ "powerSchedule": schedule }))).await;
        let fleet = stage.until(name, "InvalidSpec", |fleet| stalled(fleet, "InvalidSpec")).await;
        let message = condition(&fleet, "Ready").2;
        assert!(message.contains(words) && message.contains("powerSchedule"), "{message}");
        assert_eq!(stage.writes(name, 0), Vec::<String>::new());
        // An edit mends it.
        stage.patch(name, json!({ "spec": { "powerSchedule": null } })).await;
        stage.until(name, "Ready", ready).await;
    }
}

/// One Event for each thing done, none of them twice.
async fn events_are_posted_once(stage: &Stage) {
    stage.create("told", spec(json!({}))).await;
    stage.until("told", "Ready", ready).await;
    stage.patch("told", json!({ "spec": { "displayName": "Told" } })).await;
    let told = async || stage.events("told").await.into_iter().collect::<BTreeSet<_>>();
    until_so("three events", async || told().await.len() >= 3).await;
    let said = |reason: &str, note: &str| (reason.to_owned(), note.to_owned(), 1);
    let expected = [
        said("Created", "created fleet told"),
        said("Started", "started fleet told"),
        said("Updated", "updated displayName of fleet told"),
    ];
    assert_eq!(told().await, expected.clone().into());
    // The same again, because somebody changed it in AWS: no new Event, a series of two.
    stage.sim("PATCH", "/fleets/told", &json!({ "settings": { "DisplayName": "By hand" } }));
    stage.until_aws("told", "as the spec says again", |fleet| fleet["settings"]["DisplayName"] == "Told").await;
    let again = expected.map(|(reason, note, _)| (reason.clone(), note, if reason == "Updated" { 2 } else { 1 }));
    until_so("a series", async || told().await == again.clone().into()).await;
    let seen = stage.kubectl(&["events", "--for", "asfleet/told", "--no-headers"]).await;
    assert_eq!(seen.lines().count(), 3, "{seen}");
}

async fn cluster(stage: &Stage) -> String {
    let namespace = stage::ask(&stage.admin, "GET", "/api/v1/namespaces/kube-system", None).await.unwrap();
    word(&namespace, "/metadata/uid")
}

/// The roles are exactly what is needed: nothing was refused, and there is no right that was never used.
fn exactly_the_rights_of_the_roles_are_used(stage: &Stage) {
    let audit = stage.kube_audit();
    let refused: Vec<&Value> = audit.iter().filter(|event| event["responseStatus"]["code"] == 403).collect();
    assert_eq!(refused, Vec::<&Value>::new());
    let used: BTreeSet<(String, String)> = audit.iter().map(verb_of).collect();
    let mut granted = BTreeSet::new();
    let roles =
        [include_str!("rbac/cluster.yaml"), include_str!("rbac/namespace.yaml"), include_str!("rbac/secrets.yaml")];
    for document in roles {
        for role in stage::documents(document) {
            // What changes Accounts need is held by account_life, and what AccessGrants and their Secrets need by grant_life.
            let of_accounts = word(&role, "/metadata/name").starts_with("windlass-account");
            for rule in role["rules"].as_array().into_iter().flatten() {
                for resource in rule["resources"].as_array().unwrap() {
                    let verbs = rule["verbs"].as_array().unwrap().iter();
                    let rights = verbs.map(|verb| (word(resource, ""), word(verb, "")));
                    let of_grants = word(resource, "").starts_with("accessgrants") || resource == "secrets";
                    granted.extend(rights.filter(|right| !(of_accounts || of_grants) || used.contains(right)));
                }
            }
        }
    }
    assert_eq!(used, granted);
}

fn verb_of(event: &Value) -> (String, String) {
    let (resource, part) = (word(event, "/objectRef/resource"), word(event, "/objectRef/subresource"));
    let whole = if part.is_empty() { resource } else { format!("{resource}/{part}") };
    (whole, word(event, "/verb"))
}

/// How many Fleets rest in the next test: two pages.
const MANY: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn once_settled_nothing_is_written_and_many_fleets_share_one_look() {
    let stage = Stage::new("rest", simulator(&FAST).await).await;
    let operator = stage.operator().flag("--resync=11s").ready().await;
    for n in 0..MANY {
        let tags: Value =
            (0..3).map(|tag| (format!("tag-{tag}"), json!(n.to_string()))).collect::<serde_json::Map<_, _>>().into();
        stage.create(&format!("rest-{n}"), spec(json!({ "tags": tags }))).await;
    }
    until_so("all are Ready", async || stage.all().await.iter().all(ready)).await;
    // Six calls for each: two of them writes.
    let made = stage.aws.summary().unwrap();
    assert_eq!(made["mutating"], 2 * MANY);
    let calls = made["requests"].as_f64().unwrap() / f64::from(u32::try_from(MANY).unwrap());
    assert!(calls <= 8.0, "{calls} calls for each Fleet: {made:#}");

    // Five resyncs: the first may have begun before we looked, and the last may not be over.
    let versions = async || -> BTreeSet<_> {
        let all = stage.all().await;
        all.iter().map(|fleet| (word(fleet, "/metadata/name"), word(fleet, "/metadata/resourceVersion"))).collect()
    };
    let begun = stage.requests();
    until("the first look since", || !resyncs(&stage, begun).is_empty()).await;
    let (before, written, since) = (versions().await, writes_of(&stage), stage.requests());
    until("five resyncs", || resyncs(&stage, since).len() >= 5).await;
    assert_eq!(versions().await, before);
    assert_eq!(writes_of(&stage), written, "writes to the API server");
    for calls in &resyncs(&stage, since)[1..4] {
        let shared = calls.iter().all(|operation| operation == "DescribeFleets");
        assert!(shared && calls.len() <= MANY / 20, "0.05 calls for each Fleet in a resync are enough: {calls:?}");
    }

    // The figures say so, too.
    let text = operator.ask("/metrics").unwrap();
    for family in [
        "windlass_passes_total",
        "windlass_pass_duration_seconds",
        "windlass_aws_requests_total",
        "windlass_queue_depth",
    ] {
        assert!(text.contains(&format!("# TYPE {family} ")), "no {family} in:\n{text}");
    }
    let kind = "kind=\"Fleet.appstream.windlass.dev\"";
    let of_kind = f64::from(u32::try_from(MANY).unwrap());
    let objects = format!("windlass_objects{{condition=\"Ready\",{kind},reason=\"Available\",status=\"True\"}}");
    assert_eq!(operator.metric(&objects), of_kind, "{text}");
    let created = "windlass_aws_requests_total{operation=\"CreateFleet\",outcome=\"ok\",service=\"appstream\"}";
    assert_eq!(operator.metric(created), of_kind, "{text}");
    assert_eq!(operator.metric("windlass_leader"), 1.0);
    let version = format!("windlass_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(operator.metric(&version), 1.0, "{text}");
    iam::nothing_is_missing(&stage, &["fleet"]);
    assert_eq!((operator.ask("/livez").as_deref(), operator.ask("/readyz").as_deref()), (Ok("ok\n"), Ok("ok\n")));
    assert_eq!(stage.aws.violations().unwrap(), Vec::<Value>::new());
    operator.assert_log_is_clean();
    operator.stop();
}

/// What AWS was asked from the audit entry `since` on, resync by resync: the looks of one come close together.
fn resyncs(stage: &Stage, since: usize) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = Vec::new();
    let mut last = jiff::Timestamp::MIN;
    for entry in stage.aws.audit(since).unwrap() {
        let at: jiff::Timestamp = word(&entry, "/at").parse().unwrap();
        if at.duration_since(last).as_secs() >= 3 {
            all.push(Vec::new());
        }
        last = at;
        all.last_mut().unwrap().push(word(&entry, "/operation"));
    }
    all
}

/// How many writes of Fleets and events the API server has received from this stage's operator.
fn writes_of(stage: &Stage) -> usize {
    let audit = stage.kube_audit();
    let reads = ["get", "list", "watch"];
    let writes = audit.iter().map(verb_of).filter(|(what, verb)| what != "leases" && !reads.contains(&verb.as_str()));
    writes.count()
}
