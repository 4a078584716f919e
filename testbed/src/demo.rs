//! `testbed demo`: the life of a few fleets, told with kubectl's own output. Every scene is checked; one that does not
//! come true within its bound ends the demo with an error.

mod tell;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use testbed::Options;

use crate::stage::{Operator, Stage, repository};
use tell::{
    SCENE, aws_name, condition, find, heading, in_aws, object, objects, pending, say, sent, show,
    show_conditions, text, until, watch,
};

/// AWS takes 12 minutes to start a fleet and 5 to stop it; 120 times faster that is 6 and 2.5 seconds.
const SIMULATOR: [&str; 2] = ["--speed", "120"];

/// How often the operator looks by itself: beside an AWS that is 120 times faster, the usual minute would be two hours.
const OPERATOR: [&str; 2] = ["--resync", "5s"];

/// The example whose fleet the scenes play with.
const EXAMPLE: &str = "fleet-on-demand.yaml";

const NAMESPACE: &str = "demo";
const STACK: &str = "demo-stack";

/// How long the scenes that show a wait look at it.
const LOOK: Duration = Duration::from_secs(4);

/// Plays all scenes. With `keep`, everything is left running at the end until Ctrl-C.
pub async fn play(keep: bool) -> Result<()> {
    let began = Instant::now();
    heading("A real API server, a simulated AWS and the real operator");
    let mut stage = Stage::start(Options::default(), &SIMULATOR).await?;
    let done = play_on(&mut stage, keep, began).await;
    if let Err(error) = done {
        return Err(error.context(format!(
            "the demo stopped; logs will be in {}",
            stage.keep_logs().display()
        )));
    }
    Ok(())
}

async fn play_on(stage: &mut Stage, keep: bool, began: Instant) -> Result<()> {
    enter_namespace(stage).await?;
    let operator = stage.start_operator(&OPERATOR)?;
    operator.wait_until_ready()?;
    say(&format!(
        "API server {} | AWS {} | operator ready, process {}",
        stage.control_plane.url(),
        stage.simulator.url(),
        operator.daemon.pid()
    ));
    show(
        stage,
        &[
            "get",
            "crd",
            "-o",
            "custom-columns=NAME:.metadata.name,SHORT:.spec.names.shortNames[0]",
        ],
    )?;

    let fleet = example_fleet()?;
    create(stage)?;
    gentle_change(stage, &fleet)?;
    careful_change(stage, &fleet)?;
    scale(stage, &fleet)?;
    if keep {
        return stay(stage, &operator).await;
    }
    delete(stage, &fleet)?;
    no_violations(stage)?;
    ensure!(
        operator.daemon.is_running(),
        "the operator has ended on its own"
    );
    let code = operator.daemon.stop();
    ensure!(
        code == Some(0),
        "the operator ended with {code:?} after SIGTERM, not with 0"
    );
    say(&format!(
        "\nThe demo is done in {} s; all is cleaned up.",
        began.elapsed().as_secs()
    ));
    Ok(())
}

fn create(stage: &Stage) -> Result<()> {
    heading("1. Apply the examples: each fleet is created in AWS, started, and becomes Ready");
    let examples = examples();
    show(stage, &["apply", "-f", &examples])?;
    watch(stage, "all fleets become Ready", || {
        let fleets = objects(stage)?;
        Ok(!fleets.is_empty()
            && fleets
                .iter()
                .all(|fleet| condition(fleet, "Ready").0 == "True"))
    })?;
    show(
        stage,
        &[
            "wait",
            "--for=condition=Ready",
            "asfleet",
            "--all",
            "--timeout=10s",
        ],
    )?;
    Ok(())
}

fn gentle_change(stage: &Stage, fleet: &str) -> Result<()> {
    heading("2. A new displayName for a running fleet: applied at once, the fleet stays RUNNING");
    let before = stage.simulator.audit()?.len();
    let patch = r#"{"spec":{"displayName":"Design Desktop 2"}}"#;
    let asked = Instant::now();
    show(
        stage,
        &["patch", "asfleet", fleet, "--type=merge", "-p", patch],
    )?;
    let end = Instant::now() + SCENE;
    loop {
        let aws = in_aws(stage, fleet)?;
        let state = text(&aws, "/State");
        ensure!(state == "RUNNING", "the fleet left RUNNING: {state}");
        if text(&aws, "/DisplayName") == "Design Desktop 2" {
            break;
        }
        ensure!(
            Instant::now() < end,
            "AWS has not got the new name in {SCENE:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    say(&format!(
        "AWS has the new name {} ms after kubectl was called; state RUNNING all the time",
        asked.elapsed().as_millis()
    ));
    until("the object says so too", || {
        Ok(condition(&object(stage, fleet)?, "Synced").0 == "True")
    })?;
    show(stage, &["get", "asfleet", fleet])?;
    ensure!(
        sent(stage, fleet, before)? == ["UpdateFleet"],
        "sent to AWS: {:?}",
        sent(stage, fleet, before)?
    );
    say("AWS writes for it: one UpdateFleet");
    Ok(())
}

fn careful_change(stage: &Stage, fleet: &str) -> Result<()> {
    heading("3. A new instanceType needs a stopped fleet, and somebody is using it");
    let aws_name = aws_name(stage, fleet)?;
    stage
        .simulator
        .appstream("CreateStack", &json!({ "Name": STACK }))?;
    stage.simulator.appstream(
        "AssociateFleet",
        &json!({ "StackName": STACK, "FleetName": aws_name }),
    )?;
    let session = stage.simulator.open_session(STACK, &aws_name, "ada")?;
    say(&format!(
        "(in AWS) user ada streams from {aws_name} through the stack {STACK}"
    ));
    let old = text(&in_aws(stage, fleet)?, "/InstanceType");
    let new = if old == "stream.standard.large" {
        "stream.standard.xlarge"
    } else {
        "stream.standard.large"
    };
    let before = stage.simulator.audit()?.len();
    show(
        stage,
        &[
            "patch",
            "asfleet",
            fleet,
            "--type=merge",
            "-p",
            &json!({"spec": {"instanceType": new}}).to_string(),
        ],
    )?;
    until("the object says what it waits for", || {
        let (status, _, message) = condition(&object(stage, fleet)?, "Synced");
        Ok(status == "False"
            && message.contains("instanceType")
            && pending(stage, fleet)?.contains("session"))
    })?;
    show_conditions(stage, fleet)?;
    show(
        stage,
        &[
            "get",
            "asfleet",
            fleet,
            "-o",
            "jsonpath={.status.pendingChanges}",
        ],
    )?;

    let end = Instant::now() + LOOK;
    while Instant::now() < end {
        let state = text(&in_aws(stage, fleet)?, "/State");
        ensure!(
            state == "RUNNING",
            "the fleet left RUNNING under a user: {state}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    ensure!(
        !sent(stage, fleet, before)?.contains(&"StopFleet".to_owned()),
        "the fleet was stopped under a user"
    );
    say(&format!(
        "{} seconds later the fleet is RUNNING and ada is still there",
        LOOK.as_secs()
    ));

    stage.simulator.end_session(&session)?;
    say("(in AWS) ada leaves");
    let mut states: Vec<String> = Vec::new();
    watch(
        stage,
        "the fleet runs with the new instanceType and is Ready",
        || {
            let aws = in_aws(stage, fleet)?;
            let state = text(&aws, "/State");
            if states.last() != Some(&state) {
                states.push(state.clone());
            }
            let ready = condition(&object(stage, fleet)?, "Ready").0 == "True";
            Ok(state == "RUNNING" && text(&aws, "/InstanceType") == new && ready)
        },
    )?;
    let writes = sent(stage, fleet, before)?;
    say(&format!("states seen in AWS: {}", states.join(" -> ")));
    say(&format!("AWS writes for it: {}", writes.join(", ")));
    let order: Vec<_> = ["StopFleet", "StartFleet"]
        .iter()
        .map(|operation| writes.iter().position(|write| write == operation))
        .collect();
    ensure!(
        order[0].is_some() && order[0] < order[1],
        "not stopped and started: {writes:?}"
    );
    Ok(())
}

fn scale(stage: &Stage, fleet: &str) -> Result<()> {
    heading("4. kubectl scale");
    let now = in_aws(stage, fleet)?
        .pointer("/ComputeCapacityStatus/Desired")
        .and_then(Value::as_i64)
        .unwrap_or(0);
    let wanted = now + 2;
    show(
        stage,
        &[
            "scale",
            &format!("asfleet/{fleet}"),
            &format!("--replicas={wanted}"),
        ],
    )?;
    watch(stage, "AWS has the new capacity", || {
        let aws = in_aws(stage, fleet)?;
        ensure!(text(&aws, "/State") == "RUNNING", "the fleet left RUNNING");
        Ok(aws
            .pointer("/ComputeCapacityStatus/Desired")
            .and_then(Value::as_i64)
            == Some(wanted))
    })?;
    show(
        stage,
        &[
            "wait",
            "--for=condition=Ready",
            &format!("asfleet/{fleet}"),
            "--timeout=60s",
        ],
    )?;
    Ok(())
}

fn delete(stage: &Stage, fleet: &str) -> Result<()> {
    heading(
        "5. Deletion waits for AWS: for the stack that uses the fleet, then until the fleet is gone",
    );
    let aws_name = aws_name(stage, fleet)?;
    show(stage, &["delete", "asfleet", fleet, "--wait=false"])?;
    until("the object names the stack that it waits for", || {
        Ok(object(stage, fleet)?
            .pointer("/status/conditions")
            .is_some_and(|all| all.to_string().contains(STACK)))
    })?;
    show_conditions(stage, fleet)?;
    ensure!(
        in_aws(stage, fleet)?.is_object(),
        "the fleet went although a stack uses it"
    );
    stage.simulator.appstream(
        "DisassociateFleet",
        &json!({ "StackName": STACK, "FleetName": aws_name }),
    )?;
    say(&format!("(in AWS) the stack {STACK} lets go of the fleet"));
    watch(stage, "the fleet is gone", || {
        Ok(find(stage, fleet)?.is_none())
    })?;
    ensure!(
        stage.simulator.fleet(&aws_name)?.is_none(),
        "the object went before the fleet in AWS"
    );
    say(&format!("AWS has no fleet {aws_name} any more"));
    show(
        stage,
        &[
            "delete",
            "-f",
            &examples(),
            "--ignore-not-found",
            "--wait=false",
        ],
    )?;
    watch(stage, "all are gone", || Ok(objects(stage)?.is_empty()))?;
    let left = stage.simulator.fleets()?;
    ensure!(left.is_empty(), "left in AWS: {left:?}");
    show(stage, &["get", "asfleet"])?;
    Ok(())
}

fn no_violations(stage: &Stage) -> Result<()> {
    heading("6. What AWS says about the operator");
    let violations = stage.simulator.violations()?;
    let requests = stage.simulator.audit()?.len();
    ensure!(violations.is_empty(), "violations: {violations:#?}");
    say(&format!(
        "{requests} requests reached AWS; violations: none"
    ));
    Ok(())
}

/// Prints how to look around, and stays until Ctrl-C or until the operator ends.
async fn stay(stage: &Stage, operator: &Operator) -> Result<()> {
    no_violations(stage)?;
    heading("KEEP=1: everything stays up until Ctrl-C. In another terminal:");
    let kubectl = stage.kubectl(&[]);
    let kubectl = std::path::Path::new(kubectl.get_program());
    say(&format!(
        "  export KUBECONFIG={}",
        stage.kubeconfig.display()
    ));
    if let Some(folder) = kubectl.parent() {
        say(&format!("  export PATH={}:$PATH", folder.display()));
    }
    say("  kubectl get asfleet --watch");
    say(&format!(
        "  export AWS_ENDPOINT_URL={} AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x",
        stage.simulator.url()
    ));
    say("  aws appstream describe-fleets");
    say(&format!(
        "  curl {}/_sim/violations; curl http://127.0.0.1:{}/metrics",
        stage.simulator.url(),
        operator.port
    ));
    say(&format!(
        "  tail -f {}",
        operator.daemon.log_path().display()
    ));
    tokio::signal::ctrl_c().await.context("wait for Ctrl-C")?;
    Ok(())
}

/// Makes the demo's namespace and lets kubectl use it.
async fn enter_namespace(stage: &mut Stage) -> Result<()> {
    let api = Api::<Namespace>::all(stage.control_plane.admin_client().await);
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(NAMESPACE.to_owned());
    api.create(&PostParams::default(), &namespace)
        .await
        .context("create the demo's namespace")?;
    let mut kubeconfig = stage.control_plane.admin();
    for context in &mut kubeconfig.contexts {
        if let Some(context) = &mut context.context {
            context.namespace = Some(NAMESPACE.to_owned());
        }
    }
    stage.kubeconfig = stage.control_plane.write_kubeconfig(&kubeconfig);
    Ok(())
}

/// The name of the object in the example that the scenes play with.
fn example_fleet() -> Result<String> {
    let path = repository().join("examples").join(EXAMPLE);
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let documents = serde_yaml::Deserializer::from_str(&text).map(serde::Deserialize::deserialize);
    let documents = documents
        .collect::<Result<Vec<Value>, _>>()
        .with_context(|| format!("parse {}", path.display()))?;
    let fleet = documents
        .iter()
        .find(|document| document["kind"] == "Fleet");
    let name = fleet
        .and_then(|fleet| fleet.pointer("/metadata/name"))
        .and_then(Value::as_str);
    name.map(str::to_owned)
        .with_context(|| format!("find a Fleet in {}", path.display()))
}

fn examples() -> String {
    repository().join("examples").display().to_string()
}
