//! `testbed demo`: the life of a few fleets, a stack, an image builder and an instance, told with kubectl's own output. Every scene is checked; one that does not
//! come true within its bound ends the demo with an error.

mod catalogue;
mod grants;
mod tell;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use testbed::Options;

use crate::simulator::ACCESS_KEY;
use crate::stage::{Operator, Stage, repository};
use tell::{
    SCENE, ask, aws_name, condition, find, heading, in_aws, name_in_aws, object, objects, say, sent, show,
    show_conditions, text, until, watch,
};

/// AWS takes 12 minutes to start a fleet and 5 to stop it; 120 times faster that is 6 and 2.5 seconds.
const SIMULATOR: [&str; 4] = ["--speed", "120", "--cert-ttl", grants::CERT_TTL];

/// How often the operator looks by itself: beside an AWS that is 120 times faster, the usual minute would be two hours.
const OPERATOR: [&str; 2] = ["--resync", "5s"];

/// The example that the scenes play with: a plain ON_DEMAND fleet.
const FLEET: &str = "asfleet/office";
/// The stack that users reach it through.
const STACK: &str = "asstack/office";
/// Every kind that `examples/` has, by the short name that kubectl knows.
const KINDS: &str = "asfleet,asstack,asbuilder,lsinstance";

const NAMESPACE: &str = "demo";

/// How long the scenes that show a wait look at it.
const LOOK: Duration = Duration::from_secs(4);

/// Plays all scenes. With `keep`, everything is left running at the end until Ctrl-C.
pub async fn play(keep: bool) -> Result<()> {
    let began = Instant::now();
    heading("A real API server, a simulated AWS and the real operator");
    let mut stage = Stage::start(Options::default(), &SIMULATOR).await?;
    let done = play_on(&mut stage, keep, began).await;
    if let Err(error) = done {
        keep_what_is(&stage);
        return Err(error.context(format!("the demo stopped; logs will be in {}", stage.keep_logs().display())));
    }
    Ok(())
}

/// Writes what there is now beside the logs: the objects, their events, and AWS's side.
fn keep_what_is(stage: &Stage) {
    let logs = stage.control_plane.log_dir();
    let write = |name: &str, text: Result<String>| {
        let text = text.unwrap_or_else(|error| format!("{error:#}"));
        // It goes with the logs or not at all: the scene's own error is what counts.
        let _ = fs::write(logs.join(name), text);
    };
    let pretty = |values: Vec<Value>| serde_json::to_string_pretty(&values).context("format");
    write("objects.yaml", ask(stage, &["get", KINDS, "--output=yaml"]));
    write("events.txt", ask(stage, &["events"]));
    write("aws-fleets.json", stage.simulator.fleets().and_then(pretty));
    write("aws-audit.json", stage.simulator.audit(0).and_then(pretty));
    write("aws-violations.json", stage.simulator.violations().and_then(pretty));
}

async fn play_on(stage: &mut Stage, keep: bool, began: Instant) -> Result<()> {
    let examples = examples()?;
    enter_namespace(stage).await?;
    furnish_aws(stage, &examples)?;
    let operator = stage.start_operator(&OPERATOR)?;
    operator.wait_until_ready()?;
    say(&format!(
        "API server {} | AWS {} | operator ready, process {}",
        stage.control_plane.url(),
        stage.simulator.url(),
        operator.daemon.pid()
    ));
    show(stage, &["get", "crd", "-o", "custom-columns=NAME:.metadata.name,SHORT:.spec.names.shortNames[0]"])?;

    create(stage, &examples)?;
    catalogue::refuse_and_mend(stage)?;
    gentle_change(stage)?;
    careful_change(stage)?;
    scale(stage)?;
    grants::log_in(stage)?;
    if keep {
        return stay(stage, &operator).await;
    }
    delete(stage, &examples)?;
    grants::by_account(stage)?;
    no_violations(stage)?;
    ensure!(operator.daemon.is_running(), "the operator has ended on its own");
    let code = operator.daemon.stop();
    ensure!(code == Some(0), "the operator ended with {code:?} after SIGTERM, not with 0");
    say(&format!("\nThe demo is done in {} s; all is cleaned up.", began.elapsed().as_secs()));
    Ok(())
}

fn create(stage: &Stage, examples: &[Value]) -> Result<()> {
    heading("1. Apply the examples: everything is created in AWS, started, and becomes Ready");
    show(stage, &["apply", "-f", &examples_folder()])?;
    watch(stage, "asfleet", "each object is Ready, or says why it never will be", || {
        let objects = objects(stage, KINDS)?;
        Ok(objects.len() == examples.len() && objects.iter().all(is_as_expected))
    })?;
    show(stage, &["get", "asstack,asbuilder,lsinstance"])?;
    let ready = examples.iter().filter(|example| !wants_adoption(example));
    let ready: Vec<_> = ready.map(reference).collect();
    let mut wait = vec!["wait", "--for=condition=Ready", "--timeout=10s"];
    wait.extend(ready.iter().map(String::as_str));
    show(stage, &wait)?;
    for example in examples.iter().filter(|example| wants_adoption(example)) {
        say("One may not take over what exists already, as long as no Account allows it:");
        show_conditions(stage, &reference(example))?;
    }
    let joined = stage.simulator.appstream("ListAssociatedFleets", &json!({ "StackName": aws_name(stage, STACK)? }))?;
    say(&format!("in AWS the stack {} has the fleets {}", aws_name(stage, STACK)?, joined["Names"]));
    ensure!(joined["Names"] == json!([aws_name(stage, FLEET)?]), "the stack is not joined to its fleet");
    Ok(())
}

/// An object as kubectl names it: `fleets.appstream.windlass.dev/office`.
fn reference(object: &Value) -> String {
    let group = text(object, "/apiVersion");
    let group = group.split('/').next().unwrap_or_default();
    format!("{}.{group}/{}", text(object, "/kind").to_lowercase() + "s", text(object, "/metadata/name"))
}

/// Taking over an existing fleet needs an Account's leave, and there is no Account here: such an object is Stalled.
fn is_as_expected(object: &Value) -> bool {
    let wanted = if wants_adoption(object) { "Stalled" } else { "Ready" };
    condition(object, wanted).0 == "True"
}

fn wants_adoption(object: &Value) -> bool {
    object.pointer("/spec/adoptionPolicy").is_some_and(|policy| policy == "IfExists")
}

/// The example is about a fleet that exists already: to be observed or taken over.
fn is_about_an_existing_fleet(example: &Value) -> bool {
    example["kind"] == "Fleet" && (wants_adoption(example) || is_observed(example))
}

fn is_observed(example: &Value) -> bool {
    example.pointer("/spec/managementPolicy").is_some_and(|policy| policy == "Observe")
}

/// Puts into AWS what some examples are about: fleets made by hand, and applications.
fn furnish_aws(stage: &Stage, examples: &[Value]) -> Result<()> {
    for example in examples.iter().filter(|example| is_about_an_existing_fleet(example)) {
        let name = name_in_aws(example);
        let fleet = json!({
            "Name": name,
            "FleetType": example.pointer("/spec/fleetType"),
            "InstanceType": example.pointer("/spec/instanceType"),
            "ImageName": example.pointer("/spec/imageName"),
            "ComputeCapacity": { "DesiredInstances": 1 },
        });
        stage.simulator.appstream("CreateFleet", &fleet)?;
        stage.simulator.appstream("StartFleet", &json!({ "Name": name }))?;
        say(&format!("(in AWS) somebody made the fleet {name} by hand"));
    }
    for example in examples.iter().filter(|example| example["kind"] == "Instance" && is_observed(example)) {
        let name = name_in_aws(example);
        let instance = json!({
            "instanceNames": [name],
            "availabilityZone": example.pointer("/spec/availabilityZone"),
            "blueprintId": example.pointer("/spec/blueprintId"),
            "bundleId": example.pointer("/spec/bundleId"),
        });
        stage.simulator.lightsail("CreateInstances", &instance)?;
        say(&format!("(in AWS) somebody made the instance {name} by hand"));
    }
    for reference in examples.iter().filter_map(|example| example.pointer("/spec/userDataFrom/secretKeyRef")) {
        let literal = format!("--from-literal={}=Write-Output started", text(reference, "/key"));
        show(stage, &["create", "secret", "generic", &text(reference, "/name"), &literal])?;
    }
    let arns = examples.iter().filter_map(|example| example.pointer("/spec/applicationArns")?.as_array()).flatten();
    for name in arns.filter_map(|arn| arn.as_str()?.rsplit_once('/')).map(|(_, name)| name) {
        stage.simulator.put_application(name)?;
        say(&format!("(in AWS) somebody made the application {name}"));
    }
    Ok(())
}

fn gentle_change(stage: &Stage) -> Result<()> {
    heading("3. A new displayName for a running fleet: applied at once, the fleet stays RUNNING");
    let aws_name = aws_name(stage, FLEET)?;
    let before = stage.simulator.audit(0)?.len();
    let patch = r#"{"spec":{"displayName":"Office 2"}}"#;
    let asked = Instant::now();
    show(stage, &["patch", FLEET, "--type=merge", "-p", patch])?;
    let end = Instant::now() + SCENE;
    loop {
        let aws = in_aws(stage, &aws_name)?;
        let state = text(&aws, "/State");
        ensure!(state == "RUNNING", "the fleet left RUNNING: {state}");
        if text(&aws, "/DisplayName") == "Office 2" {
            break;
        }
        ensure!(Instant::now() < end, "AWS has not got the new name in {SCENE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    say(&format!(
        "AWS has the new name {} ms after kubectl was called; state RUNNING all the time",
        asked.elapsed().as_millis()
    ));
    until("the object says so too", || Ok(condition(&object(stage, FLEET)?, "Synced").0 == "True"))?;
    show(stage, &["get", FLEET])?;
    ensure!(sent(stage, &aws_name, before)? == ["UpdateFleet"], "sent to AWS: {:?}", sent(stage, &aws_name, before)?);
    say("AWS writes for it: one UpdateFleet");
    Ok(())
}

fn careful_change(stage: &Stage) -> Result<()> {
    heading("4. A new instanceType needs a stopped fleet, and somebody is using it");
    let aws_name = aws_name(stage, FLEET)?;
    let stack = tell::aws_name(stage, STACK)?;
    let session = stage.simulator.open_session(&stack, &aws_name, "ada")?;
    say(&format!("(in AWS) user ada streams from {aws_name} through the stack {stack}"));
    let old = text(&in_aws(stage, &aws_name)?, "/InstanceType");
    let new = if old == "stream.standard.large" { "stream.standard.xlarge" } else { "stream.standard.large" };
    let before = stage.simulator.audit(0)?.len();
    show(stage, &["patch", FLEET, "--type=merge", "-p", &json!({"spec": {"instanceType": new}}).to_string()])?;
    until("the object says what it waits for", || {
        let object = object(stage, FLEET)?;
        let (synced, _, differs) = condition(&object, "Synced");
        let (ready, reason, _) = condition(&object, "Ready");
        let says = synced == "False" && differs.contains("instanceType") && ready == "False";
        let change = object.pointer("/status/pendingChanges/0").cloned().unwrap_or_default();
        let waits = text(&change, "/field") == "instanceType" && !text(&change, "/waitingFor").is_empty();
        Ok(says && reason == "WaitingForSessions" && waits)
    })?;
    show_conditions(stage, FLEET)?;
    show(stage, &["get", FLEET, "-o", "jsonpath={.status.pendingChanges}"])?;

    let end = Instant::now() + LOOK;
    while Instant::now() < end {
        let state = text(&in_aws(stage, &aws_name)?, "/State");
        ensure!(state == "RUNNING", "the fleet left RUNNING under a user: {state}");
        std::thread::sleep(Duration::from_millis(100));
    }
    ensure!(!sent(stage, &aws_name, before)?.contains(&"StopFleet".to_owned()), "the fleet was stopped under a user");
    say(&format!("{} seconds later the fleet is RUNNING and ada is still there", LOOK.as_secs()));

    stage.simulator.end_session(&session)?;
    say("(in AWS) ada leaves");
    let mut states: Vec<String> = Vec::new();
    watch(stage, "asfleet", "the fleet runs with the new instanceType and is Ready", || {
        let aws = in_aws(stage, &aws_name)?;
        let state = text(&aws, "/State");
        if states.last() != Some(&state) {
            states.push(state.clone());
        }
        let ready = condition(&object(stage, FLEET)?, "Ready").0 == "True";
        Ok(state == "RUNNING" && text(&aws, "/InstanceType") == new && ready)
    })?;
    let writes = sent(stage, &aws_name, before)?;
    say(&format!("states seen in AWS: {}", states.join(" -> ")));
    say(&format!("AWS writes for it: {}", writes.join(", ")));
    let order: Vec<_> = ["StopFleet", "StartFleet"]
        .iter()
        .map(|operation| writes.iter().position(|write| write == operation))
        .collect();
    ensure!(order[0].is_some() && order[0] < order[1], "not stopped and started: {writes:?}");
    Ok(())
}

fn scale(stage: &Stage) -> Result<()> {
    heading("5. kubectl scale");
    let aws_name = aws_name(stage, FLEET)?;
    let now = in_aws(stage, &aws_name)?.pointer("/ComputeCapacityStatus/Desired").and_then(Value::as_i64).unwrap_or(0);
    let wanted = now + 2;
    show(stage, &["scale", FLEET, &format!("--replicas={wanted}")])?;
    watch(stage, "asfleet", "AWS has the new capacity", || {
        let aws = in_aws(stage, &aws_name)?;
        ensure!(text(&aws, "/State") == "RUNNING", "the fleet left RUNNING");
        Ok(aws.pointer("/ComputeCapacityStatus/Desired").and_then(Value::as_i64) == Some(wanted))
    })?;
    show(stage, &["wait", "--for=condition=Ready", FLEET, "--timeout=60s"])?;
    Ok(())
}

fn delete(stage: &Stage, examples: &[Value]) -> Result<()> {
    heading("7. Deletion waits for AWS: for the stack that uses the fleet, then until the fleet is gone");
    let aws_name = aws_name(stage, FLEET)?;
    // Windows hold for what a deletion needs, too, and may be closed now.
    for example in examples {
        let named = ["Fleet", "Stack"].iter().any(|kind| example["kind"] == *kind);
        if !named || example.pointer("/spec/disruption/windows").is_none() {
            continue;
        }
        say(&format!("{} may be disturbed in its windows only; for the demo they are taken off", reference(example)));
        let patch = r#"{"spec":{"disruption":{"windows":null}}}"#;
        show(stage, &["patch", &reference(example), "--type=merge", "-p", patch])?;
    }
    show(stage, &["delete", FLEET, "--wait=false"])?;
    let stack = tell::aws_name(stage, STACK)?;
    until("the object names the stack that it waits for", || {
        let words = format!("associated with stack {stack}");
        Ok(object(stage, FLEET)?.pointer("/status/conditions").is_some_and(|all| all.to_string().contains(&words)))
    })?;
    show_conditions(stage, FLEET)?;
    ensure!(in_aws(stage, &aws_name)?.is_object(), "the fleet went although a stack uses it");
    show(stage, &["delete", STACK, "--wait=false"])?;
    watch(stage, "asfleet", "the fleet is gone in AWS", || Ok(stage.simulator.fleet(&aws_name)?.is_none()))?;
    ensure!(find(stage, FLEET)?.is_some(), "the object went before its fleet was known to be gone");
    say(&format!(
        "AWS has no fleet {aws_name} any more. The object stays for about a minute: it goes when a look that began"
    ));
    say("after the last request could still have been under way finds nothing. The others are deleted meanwhile.");

    for example in examples.iter().filter(|example| example.pointer("/spec/addOns/autoSnapshot").is_some()) {
        say(&format!(
            "{} would wait while AWS has automatic snapshots of it; for the demo they may go",
            reference(example)
        ));
        let patch = r#"{"spec":{"autoSnapshotsOnDelete":"Delete"}}"#;
        show(stage, &["patch", &reference(example), "--type=merge", "-p", patch])?;
    }
    show(stage, &["delete", "-f", &examples_folder(), "--ignore-not-found", "--wait=false"])?;
    watch(stage, "asfleet", "all are gone", || Ok(objects(stage, KINDS)?.is_empty()))?;
    let left = stage.simulator.fleets()?.iter().map(|fleet| text(fleet, "/Name")).collect::<Vec<_>>();
    let mut by_hand: Vec<_> =
        examples.iter().filter(|example| is_about_an_existing_fleet(example)).map(name_in_aws).collect();
    by_hand.sort();
    ensure!(left == by_hand, "left in AWS: {left:?}");
    let instances = stage.simulator.lightsail("GetInstances", &json!({}))?;
    let made: Vec<_> = instances["instances"].as_array().into_iter().flatten().map(|i| text(i, "/name")).collect();
    let by_hand_too: Vec<_> =
        examples.iter().filter(|e| e["kind"] == "Instance" && is_observed(e)).map(name_in_aws).collect();
    ensure!(made == by_hand_too, "left in AWS: {instances}");
    let static_ips = stage.simulator.lightsail("GetStaticIps", &json!({}))?;
    ensure!(static_ips["staticIps"] == json!([]), "left in AWS: {static_ips}");
    say(&format!("left in AWS, as it was: {} (not the operator's)", left.join(", ")));
    Ok(())
}

fn no_violations(stage: &Stage) -> Result<()> {
    heading("9. What AWS says about the operator");
    let violations = stage.simulator.violations()?;
    let requests = stage.simulator.audit(0)?;
    let requests = requests.iter().filter(|entry| text(entry, "/access_key") == ACCESS_KEY).count();
    ensure!(violations.is_empty(), "violations: {violations:#?}");
    say(&format!("{requests} requests of the operator reached AWS; violations: none"));
    Ok(())
}

/// Prints how to look around, and stays until Ctrl-C or until the operator ends.
async fn stay(stage: &Stage, operator: &Operator) -> Result<()> {
    no_violations(stage)?;
    heading("KEEP=1: everything stays up until Ctrl-C. In another terminal:");
    let kubectl = stage.kubectl(&[]);
    let kubectl = std::path::Path::new(kubectl.get_program());
    say(&format!("  export KUBECONFIG={}", stage.kubeconfig.display()));
    if let Some(folder) = kubectl.parent() {
        say(&format!("  export PATH={}:$PATH", folder.display()));
    }
    say(&format!("  kubectl get {KINDS}; kubectl get asfleet --watch"));
    say(&format!(
        "  export AWS_ENDPOINT_URL={} AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x",
        stage.simulator.url()
    ));
    say("  aws appstream describe-fleets");
    say(&format!("  curl {}/_sim/violations; curl http://127.0.0.1:{}/metrics", stage.simulator.url(), operator.port));
    say(&format!("  tail -f {}", operator.daemon.log_path().display()));
    tokio::signal::ctrl_c().await.context("wait for Ctrl-C")?;
    Ok(())
}

/// Makes the demo's namespace and lets kubectl use it.
async fn enter_namespace(stage: &mut Stage) -> Result<()> {
    let api = Api::<Namespace>::all(stage.control_plane.admin_client().await);
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(NAMESPACE.to_owned());
    api.create(&PostParams::default(), &namespace).await.context("create the demo's namespace")?;
    let mut kubeconfig = stage.control_plane.admin();
    for context in &mut kubeconfig.contexts {
        if let Some(context) = &mut context.context {
            context.namespace = Some(NAMESPACE.to_owned());
        }
    }
    stage.kubeconfig = stage.control_plane.write_kubeconfig(&kubeconfig);
    Ok(())
}

/// All objects of `examples/`.
fn examples() -> Result<Vec<Value>> {
    let folder = examples_folder();
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .with_context(|| format!("read {folder}"))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    let mut objects = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        for document in serde_yaml::Deserializer::from_str(&text) {
            let object: Value =
                serde::Deserialize::deserialize(document).with_context(|| format!("parse {}", path.display()))?;
            objects.push(object);
        }
    }
    Ok(objects)
}

fn examples_folder() -> String {
    repository().join("examples").display().to_string()
}
