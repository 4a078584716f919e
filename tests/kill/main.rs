//! The operator is killed at every numbered effect of an object's life, and started again: the life ends the same.
//!
//! A build for tests holds for ever at the effect that `WINDLASS_HOLD_AT` names, before it is made or when it was answered
//! and the operator does not know yet. Each life has a namespace, an AWS account and a resource of its own, so that many are
//! lived at once. For an effect that changes nothing, killed when it was answered is killed before the next one.
#![allow(clippy::unwrap_used, clippy::panic)]

mod plays;
#[path = "../end_to_end/stage.rs"]
#[allow(dead_code)]
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use plays::Play;
use serde_json::Value;
use stage::{Operator, Stage, simulator, word};
use testbed::simulator::Simulator;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

/// Lives at once, of all kinds, while they do more than wait for the certainty that a resource is gone: more would only slow
/// each other down on two cores.
static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(32)));
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

/// Where a life is lived.
struct Here<'a> {
    stage: &'a Stage,
    /// The AWS account.
    account: String,
    /// The id of its cluster.
    cluster: String,
}

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
async fn killed_at_any_effect_and_started_again_the_life_of_a_fleet_ends_the_same() {
    every_kill(&plays::FLEET).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_at_any_effect_and_started_again_the_life_of_a_stack_ends_the_same() {
    every_kill(&plays::STACK).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_at_any_effect_and_started_again_the_life_of_an_image_builder_ends_the_same() {
    every_kill(&plays::IMAGE_BUILDER).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_at_any_effect_and_started_again_the_life_of_an_instance_ends_the_same() {
    every_kill(&plays::INSTANCE).await;
}

async fn every_kill(play: &'static Play) {
    let kind = play.which.kind;
    let began = Instant::now();
    let aws = simulator(play.pace).await;
    // Who waits for it waits for no turn.
    let turns = Arc::new(Semaphore::new(1));
    let (tell, told) = oneshot::channel();
    let first = tokio::spawn(live(play, 0, None, Arc::clone(&aws), turns, Some(tell)));
    // While the first life waits for the certainty that its resource is gone, the others are killed where it has been.
    let known = told.await.unwrap();
    let mut wanted: Vec<Point> = points(&known).into_iter().chain(afterwards(&known)).collect();
    let mut lives = JoinSet::new();
    // The last first: they wait longest.
    for (life, point) in wanted.iter().rev().cloned().enumerate() {
        lives.spawn(live(play, life + 1, Some(point), Arc::clone(&aws), Arc::clone(&TURNS), None));
    }
    let reference = first.await.unwrap();
    // What was not foreseen waits for no turn.
    let at_once = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
    for point in points(&reference.effects) {
        if !wanted.contains(&point) {
            wanted.push(point.clone());
            lives.spawn(live(play, wanted.len(), Some(point), Arc::clone(&aws), Arc::clone(&at_once), None));
        }
    }
    say(&format!("the life of {kind} has {} effects; {} lives are killed", reference.effects.len(), wanted.len()));
    let (mut recovered, mut unreached) = (BTreeMap::<_, usize>::new(), 0);
    let mut killed = BTreeSet::new();
    while let Some(life) = lives.join_next().await {
        let life = life.unwrap();
        assert_eq!(life.settled, reference.settled, "{kind} killed at {:?}", life.killed);
        match life.killed {
            Some((effect, when)) => {
                *recovered.entry((effect.name.clone(), when.clone())).or_default() += 1;
                killed.insert((effect, when));
            }
            None => unreached += 1,
        }
    }
    assert_eq!(aws.violations().unwrap(), Vec::<Value>::new());
    assert_eq!((play.left)(&aws), Vec::<String>::new(), "left in AWS");
    for ((name, when), count) in &recovered {
        say(&format!("  {kind}: {name:<26} {when:<9} {count:>3}"));
    }
    let kills: usize = recovered.values().sum();
    let (effects, seconds) = (reference.effects.len(), began.elapsed().as_secs());
    say(&format!(
        "kill table: {kind} {effects} effects, {kills} kills, {kills} recovered; {unreached} lives ended earlier; {seconds} s"
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

/// The effects that follow these when AWS's resource is gone: one more report, some looks, the release. Foreseen, because
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
    let name = effect.name.as_str();
    !name.starts_with("aws observe") && !["kube read", "kube read_key", "kube find_secret"].contains(&name)
}

/// Lives one life: `life` numbers it. Returns when its object is gone; tells its effects when AWS's resource is.
async fn live(
    play: &'static Play,
    life: usize,
    point: Option<Point>,
    aws: Arc<Simulator>,
    turns: Arc<Semaphore>,
    tell: Option<oneshot::Sender<Vec<Effect>>>,
) -> Life {
    let turn = turns.acquire().await.unwrap();
    let account = format!("{:012}", 700_000_000_000_usize + life);
    let key = format!("AKIA{account}OPER");
    testbed::http::post(aws.port(), &format!("/_sim/judge/{key}"), &Value::Null).unwrap();
    let mut stage = Stage::new("kill", aws).await.of(play.which);
    (stage.patience, stage.poll) = (LIFE, Duration::from_millis(200));
    let stage = stage;
    let name = format!("life-{life}");
    let here = Here { stage: &stage, account, cluster: format!("kill-{life}") };
    (play.before)(&here, &name);
    let recipe = || {
        let cluster = format!("--cluster-id={}", here.cluster);
        stage.operator().access_key(&key).flag(cluster).flag("--leader-elect=false").flag("--resync=5s")
    };
    let hold = point.clone().unwrap_or_else(|| "0:before".to_owned());
    let first = recipe().env("WINDLASS_HOLD_AT", &hold).start();
    let mut second: Option<Operator> = None;
    let mut turn = Some(turn);
    let mut settled = Value::Null;
    let script = async {
        settled = (play.act)(&stage, &name).await;
        stage.delete(&name).await;
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
    // Held at the answer of the last effect, the object is gone before the kill, and before the log says where it is held.
    let end = Instant::now() + Duration::from_secs(5);
    while point.is_some() && second.is_none() && held(&first.daemon.log()).is_none() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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
