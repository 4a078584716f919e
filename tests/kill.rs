//! The operator is killed at every numbered effect of a Fleet's life, and started again: the life ends the same.
//!
//! A build for tests holds for ever at the effect that `WINDLASS_HOLD_AT` names, before it is made or when it was answered
//! and the operator does not know yet. Each life has a namespace, an AWS account and a fleet of its own, so that many are
//! lived at once. For an effect that changes nothing, killed when it was answered is killed before the next one.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "end_to_end/stage.rs"]
#[allow(dead_code)]
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stage::{Operator, Stage, condition, ready, simulator, spec, word, working};
use testbed::simulator::Simulator;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

/// Lives at once, while they do more than wait for the certainty that a fleet is gone: more would only slow each other down
/// on two cores.
const AT_ONCE: usize = 32;
/// A life that is killed between the intent and the answer of its create waits for certainty twice.
const LIFE: Duration = Duration::from_secs(240);

/// One effect of a life: the nth of its name, from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Effect {
    name: String,
    nth: usize,
}

/// Where a life is killed: as `WINDLASS_HOLD_AT` says it.
type Point = String;

/// How a life went.
#[derive(Debug)]
struct Life {
    /// Its effects in the operator's first process, in order.
    effects: Vec<Effect>,
    /// Where it was killed, if it came so far.
    killed: Option<(Effect, String)>,
    /// What AWS had in the end, before the deletion.
    settled: Value,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_at_any_effect_and_started_again_a_life_ends_the_same() {
    let began = Instant::now();
    let aws = simulator(&["--start", "1s", "--stop", "1s", "--scale", "200ms", "--scale-in", "200ms"]).await;
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let (tell, told) = oneshot::channel();
    let first = tokio::spawn(live(0, None, Arc::clone(&aws), Arc::clone(&turns), Some(tell)));
    // While the first life waits for the certainty that its fleet is gone, the others are killed where it has been.
    let known = told.await.unwrap();
    let mut wanted: Vec<Point> = points(&known).into_iter().chain(afterwards(&known)).collect();
    let mut lives = JoinSet::new();
    // The last first: they wait longest.
    for (life, point) in wanted.iter().rev().cloned().enumerate() {
        lives.spawn(live(life + 1, Some(point), Arc::clone(&aws), Arc::clone(&turns), None));
    }
    let reference = first.await.unwrap();
    // What was not foreseen waits for no turn.
    let at_once = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
    for point in points(&reference.effects) {
        if !wanted.contains(&point) {
            wanted.push(point.clone());
            lives.spawn(live(wanted.len(), Some(point), Arc::clone(&aws), Arc::clone(&at_once), None));
        }
    }
    say(&format!("the life has {} effects; {} lives are killed", reference.effects.len(), wanted.len()));
    let (mut recovered, mut unreached) = (BTreeMap::<_, usize>::new(), 0);
    let mut killed = BTreeSet::new();
    while let Some(life) = lives.join_next().await {
        let life = life.unwrap();
        assert_eq!(life.settled, reference.settled, "killed at {:?}", life.killed);
        match life.killed {
            Some((effect, when)) => {
                *recovered.entry((effect.name.clone(), when.clone())).or_default() += 1;
                killed.insert((effect, when));
            }
            None => unreached += 1,
        }
    }
    assert_eq!(aws.violations().unwrap(), Vec::<Value>::new());
    assert_eq!(testbed::http::get(aws.port(), "/_sim/fleets").unwrap()["fleets"], json!([]), "left in AWS");
    for ((name, when), count) in &recovered {
        say(&format!("  {name:<22} {when:<9} {count:>3}"));
    }
    let kills: usize = recovered.values().sum();
    let (effects, seconds) = (reference.effects.len(), began.elapsed().as_secs());
    say(&format!(
        "kill table: {effects} effects, {kills} kills, {kills} recovered; {unreached} lives ended earlier; {seconds} s"
    ));
    // The status is written as often as AWS's pace and ours make it differ: its last number may not come.
    let certain = |effect: &&Effect| mutating(effect) && effect.name != "kube report";
    let certain = reference.effects.iter().filter(certain);
    let certain = certain.flat_map(|effect| ["before", "answered"].map(|when| (effect.clone(), when.to_owned())));
    let missed: Vec<_> = certain.filter(|point| !killed.contains(point)).collect();
    assert_eq!(missed, [], "never killed there");
    assert!(unreached * 10 <= wanted.len(), "{unreached} of {} lives were not killed", wanted.len());
}

/// Where to kill: at every effect. One that changes something by its name, so that it is met for sure (how often AWS is
/// looked at depends on its pace and ours), the others by their number.
fn points(effects: &[Effect]) -> Vec<Point> {
    let mut points = Vec::new();
    for (index, effect) in effects.iter().enumerate() {
        if mutating(effect) {
            points.extend(["before", "answered"].map(|when| format!("{}#{}:{when}", effect.name, effect.nth)));
        } else {
            points.push(format!("{}:before", index + 1));
        }
    }
    points
}

/// The effects that follow these when AWS's fleet is gone: one more report, some looks, the release. Foreseen, because
/// waiting for them to be known takes a minute.
fn afterwards(known: &[Effect]) -> Vec<Point> {
    let reports = known.iter().filter(|effect| effect.name == "kube report").count();
    let changes = [format!("kube report#{}", reports + 1), "kube release#1".to_owned()];
    let changes = changes.iter().flat_map(|effect| ["before", "answered"].map(|when| format!("{effect}:{when}")));
    changes.chain((1..=5).map(|more| format!("{}:before", known.len() + more))).collect()
}

/// Prints past the test harness, which keeps to itself what a test that passes prints.
fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn mutating(effect: &Effect) -> bool {
    !["aws observe", "kube read"].contains(&effect.name.as_str())
}

/// Lives one life: `life` numbers it. Returns when its Fleet is gone; tells its effects when AWS's fleet is.
async fn live(
    life: usize,
    point: Option<Point>,
    aws: Arc<Simulator>,
    turns: Arc<Semaphore>,
    tell: Option<oneshot::Sender<Vec<Effect>>>,
) -> Life {
    let turn = turns.acquire().await.unwrap();
    let key = format!("AKIA{:012}OPER", 700_000_000_000_usize + life);
    testbed::http::post(aws.port(), &format!("/_sim/judge/{key}"), &Value::Null).unwrap();
    let mut stage = Stage::new("kill", aws).await;
    (stage.patience, stage.poll) = (LIFE, Duration::from_millis(200));
    let stage = stage;
    let recipe = || {
        let cluster = format!("--cluster-id=kill-{life}");
        stage.operator().access_key(&key).flag(cluster).flag("--leader-elect=false").flag("--resync=5s")
    };
    let hold = point.clone().unwrap_or_else(|| "0:before".to_owned());
    let first = recipe().env("WINDLASS_HOLD_AT", &hold).start();
    let mut second: Option<Operator> = None;
    let name = format!("life-{life}");
    let mut turn = Some(turn);
    let mut settled = Value::Null;
    let script = async {
        settled = act(&stage, &name).await;
        until_not_in_aws(&stage, &name).await;
        // What is left is waiting.
        turn.take();
        if let Some(tell) = tell {
            tell.send(effects(&first.daemon.log())).unwrap();
        }
        stage.until_gone(&name).await;
    };
    let kill = async {
        while point.is_some() {
            if held(&first.daemon.log()).is_some() {
                first.daemon.kill();
                second = Some(recipe().start());
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = script => {}
        () = kill => {}
    }
    // Held at the answer of the last effect, the object is gone before the kill.
    if second.is_none() && held(&first.daemon.log()).is_some() {
        first.daemon.kill();
    }
    let effects = effects(&first.daemon.log());
    let killed = held(&first.daemon.log()).map(|(number, when)| (effects[number - 1].clone(), when));
    for operator in [Some(first), second].into_iter().flatten() {
        operator.assert_log_is_clean();
    }
    Life { effects, killed, settled }
}

/// What a person does, and what comes of it; returns what AWS has before the deletion.
async fn act(stage: &Stage, name: &str) -> Value {
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
    let settled = json!({
        "state": made["state"],
        "type": made["settings"]["InstanceType"],
        "name": made["settings"]["DisplayName"],
        "desired": made["capacity"]["Desired"],
        "killed": made["sessions_killed"],
        "tags": made["tags"].as_object().unwrap().len(),
        "pending": fleet["status"]["pendingChanges"],
        "finalizers": fleet["metadata"]["finalizers"],
    });
    stage.delete(name).await;
    settled
}

async fn until_not_in_aws(stage: &Stage, name: &str) {
    let end = Instant::now() + stage.patience;
    while stage.in_aws(name).is_some() {
        assert!(Instant::now() < end, "AWS still has {name}: {:#?}", stage.find(name).await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The effects in a log, in order of their numbers.
fn effects(log: &str) -> Vec<Effect> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut numbered = BTreeMap::new();
    for fields in said(log, "effect").filter(|fields| word(fields, "/when") == "Before") {
        let name = word(&fields, "/effect");
        let nth = counts.entry(name.clone()).or_default();
        *nth += 1;
        numbered.insert(fields["number"].as_u64().unwrap(), Effect { name, nth: *nth });
    }
    numbered.into_values().collect()
}

/// The number of the effect that it holds at, and which moment of it.
fn held(log: &str) -> Option<(usize, String)> {
    let fields = log.contains("held at effect").then(|| said(log, "held at effect").next()).flatten()?;
    Some((usize::try_from(fields["number"].as_u64()?).ok()?, word(&fields, "/when").to_lowercase()))
}

/// The log lines with this message.
fn said<'a>(log: &'a str, message: &'a str) -> impl Iterator<Item = Value> + 'a {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let fields = lines.map(|line| if line["fields"].is_object() { line["fields"].clone() } else { line });
    fields.filter(move |fields| fields["message"] == message)
}
