//! The machinery of lives: a life is told once without trouble, then lived again with a stop at every effect.
//!
//! A kind joins with a [`Story`] in `lives/` and its line in `lives/mod.rs`.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use simulator::{Settings, Timings};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use windlass::engine::EngineSettings;
use windlass::engine::stage::Stage;

use super::bench::{Bench, Crash, Holder, Position, Process, Saved, histories, history, in_aws};
use super::lives;

/// The life of an object, and of those that it rests on, as people and AWS make it.
pub struct Story {
    /// The kind whose life it is.
    pub kind: &'static str,
    /// How long AWS takes.
    pub timings: fn() -> Timings,
    /// What happens.
    pub steps: &'static [Step],
    /// Members of objects and of AWS's resources that differ from run to run: ids and addresses that AWS makes up. Times and
    /// versions are known already.
    pub made_up: &'static [&'static str],
    /// The errors of its service that pass by themselves: code, HTTP status, and how many times in a row.
    pub passing: &'static [(&'static str, u16, u32)],
    /// The errors of its service that last until a person does something: code and HTTP status.
    pub lasting: &'static [(&'static str, u16)],
    /// The reasons that a person may read when AWS refuses an operation for good with a code.
    pub reasons: fn(operation: &str, code: &str) -> &'static [&'static str],
    /// Where a lasting refusal of an operation is no trouble (step, operation), since the operator does without it.
    pub does_without: &'static [(&'static str, &'static str)],
    /// What is wrong with AWS while it refuses an operation for good: a refused update takes nothing away from users.
    pub refused: fn(operation: &str, bench: &Bench) -> Vec<String>,
    /// Its parts, once they were lived without trouble: `OnceLock::new()`.
    pub parts: OnceLock<Vec<Part>>,
}

/// One step of a life.
pub struct Step {
    pub name: &'static str,
    /// How long it lasts. What it sets off is over before its end, also after a crash.
    pub seconds: u64,
    /// What AWS has by then that nobody knows of yet; made before the operator is started.
    pub before: Option<fn(&Bench) -> BoxFuture<'_, ()>>,
    /// What people and AWS do.
    pub begin: fn(&Bench),
    /// How it ends.
    pub ends: Ends,
}

/// How a step ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// Everything is settled, and stays so for more than three resyncs.
    Settled,
    /// Something is waited for.
    Waiting,
    /// A schedule goes on: trouble has no more time than the step.
    ByTheClock,
}

impl Step {
    /// A step after which everything is settled.
    pub const fn settles(name: &'static str, seconds: u64, begin: fn(&Bench)) -> Self {
        Self { name, seconds, before: None, begin, ends: Ends::Settled }
    }

    /// A step after which something is waited for.
    pub const fn waits(name: &'static str, seconds: u64, begin: fn(&Bench)) -> Self {
        Self { name, seconds, before: None, begin, ends: Ends::Waiting }
    }

    /// A step that a schedule ends.
    pub const fn by_the_clock(name: &'static str, seconds: u64, begin: fn(&Bench)) -> Self {
        Self { name, seconds, before: None, begin, ends: Ends::ByTheClock }
    }

    /// The same step, before which somebody else makes something in AWS.
    pub const fn after(self, before: fn(&Bench) -> BoxFuture<'_, ()>) -> Self {
        Self { before: Some(before), ..self }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// How often everything is looked at.
const RESYNC: Duration = Duration::from_secs(100);
/// At the end of a step nothing has been written for this long.
const QUIET: Duration = Duration::from_secs(15);
/// How long an operator has been there when a step begins with a new one.
const WARM: Duration = Duration::from_secs(5);

/// A life under way.
pub struct Life {
    story: &'static Story,
    pub bench: Bench,
    process: Option<Process>,
    crashed: Arc<Notify>,
    /// How long nobody operates after a crash.
    pub away: Duration,
    /// Where this part of the life ends, counted from its beginning.
    end: Duration,
}

/// What there is at the end of a step, without times and versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    pub step: &'static str,
    pub aws: Value,
    pub kube: Value,
    /// The Secrets that objects keep, without what is in them.
    pub secrets: Value,
    /// Writes in the last seconds of the step: none.
    pub unrest: Vec<String>,
}

impl Life {
    fn new(story: &'static Story) -> Self {
        let engine = EngineSettings { resync: RESYNC, urgent_workers: 1, workers: 2, ..EngineSettings::default() };
        // Certificates are renewed before half of their time is over: no step is longer than that.
        let cert_ttl = Duration::from_secs(48 * 3600);
        let settings = Settings { timings: (story.timings)(), cert_ttl, ..Settings::default() };
        Self::at(story, Bench::new(settings, engine), Duration::ZERO)
    }

    fn at(story: &'static Story, bench: Bench, end: Duration) -> Self {
        Self { story, bench, process: None, crashed: Arc::default(), away: Duration::from_secs(1), end }
    }

    /// Starts the operator. When `crashed` says so it dies, and another is started.
    pub fn start(&mut self, stage: Stage, crashed: Arc<Notify>) {
        self.crashed = crashed;
        self.process = Some(self.bench.start("first", stage));
    }

    pub fn lease(&self) -> Holder {
        self.process.as_ref().unwrap().lease.clone()
    }

    /// Lives one step, and tells what there is after it.
    pub async fn step(&mut self, step: &'static Step) -> Scene {
        self.until(self.bench.at(self.end + WARM)).await;
        (step.begin)(&self.bench);
        self.end += Duration::from_secs(step.seconds);
        self.until(self.bench.at(self.end)).await;
        self.scene(step, QUIET)
    }

    /// Lives one step, and looks every second.
    pub async fn step_looking(&mut self, step: &'static Step, mut look: impl FnMut(&Bench)) {
        self.until(self.bench.at(self.end + WARM)).await;
        (step.begin)(&self.bench);
        for _ in 0..step.seconds {
            self.end += Duration::from_secs(1);
            self.until(self.bench.at(self.end)).await;
            look(&self.bench);
        }
    }

    /// Lives on until everything is as at the end of that part, then how it differs if it never was.
    pub async fn until_it_is(&mut self, part: &Part, first: Duration) -> Vec<String> {
        let mut differs = difference(&self.more(part.step, first).await, &part.scene);
        for _ in 0..20 {
            if !differs.is_empty() {
                differs = difference(&self.more(part.step, Duration::from_secs(20)).await, &part.scene);
            }
        }
        differs
    }

    /// So much longer, in which nothing may be written.
    pub async fn more(&mut self, step: &'static Step, longer: Duration) -> Scene {
        self.end += longer;
        self.until(self.bench.at(self.end)).await;
        self.scene(step, longer)
    }

    async fn until(&mut self, at: Instant) {
        loop {
            tokio::select! {
                () = self.crashed.notified() => {
                    self.process = None;
                    sleep(self.away).await;
                    self.process = Some(self.bench.start("second", Stage::unwatched()));
                }
                () = sleep_until(at) => return,
            }
        }
    }

    fn scene(&self, step: &'static Step, quiet: Duration) -> Scene {
        let since = self.bench.now() - quiet;
        let kube = self
            .bench
            .cluster
            .writes()
            .into_iter()
            .filter(|w| w.at > since && w.what != "counts")
            .map(|w| format!("{w:?}"));
        let aws = self.bench.aws_writes().into_iter().filter(|w| w.at > since).map(|w| format!("{w:?}"));
        let made_up = self.story.made_up;
        Scene {
            step: step.name,
            aws: scrubbed(in_aws(&self.bench.world), made_up),
            kube: scrubbed(json!(self.bench.cluster.everything()), made_up),
            secrets: json!(self.bench.cluster.kept_secrets()),
            unrest: kube.chain(aws).collect(),
        }
    }
}

/// Without what differs from run to run: times (but those that a schedule says), versions, ids that AWS makes up, and that
/// somebody asked for a pass.
fn scrubbed(value: Value, made_up: &[&str]) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(key, _)| {
                let key = key.as_str();
                !["resourceVersion", "id", "annotations", "lastHandledReconcileAt"].contains(&key)
                    && !made_up.contains(&key)
            });
            kept.map(|(key, value)| match key.as_str() {
                "nextTransition" => (key, value),
                // AWS's counts in a status may be up to five minutes old.
                "capacity" if value.get("desired").is_some() => (key, json!({ "desired": value["desired"] })),
                _ => (key, scrubbed(value, made_up)),
            })
            .collect()
        }
        Value::Array(items) => items.into_iter().map(|item| scrubbed(item, made_up)).collect(),
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => json!("some time"),
        other => other,
    }
}

/// How a scene differs from the wanted one, line by line.
pub fn difference(seen: &Scene, wanted: &Scene) -> Vec<String> {
    let mut lines: Vec<String> = seen.unrest.iter().map(|write| format!("{}: unrest: {write}", seen.step)).collect();
    compare(&format!("{}: aws", seen.step), &seen.aws, &wanted.aws, &mut lines);
    compare(&format!("{}: kube", seen.step), &seen.kube, &wanted.kube, &mut lines);
    compare(&format!("{}: secrets", seen.step), &seen.secrets, &wanted.secrets, &mut lines);
    lines
}

fn compare(path: &str, seen: &Value, wanted: &Value, lines: &mut Vec<String>) {
    match (seen, wanted) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let get = |m: &serde_json::Map<String, Value>| m.get(key).cloned().unwrap_or(Value::Null);
                compare(&format!("{path}.{key}"), &get(a), &get(b), lines);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (n, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{n}]"), a, b, lines);
            }
        }
        (a, b) if a == b => {}
        (a, b) => lines.push(format!("{path}: {a}, not {b}")),
    }
}

/// A step, where it begins, and how it ends when all goes well.
#[derive(Clone)]
pub struct Part {
    pub story: &'static Story,
    pub step: &'static Step,
    begins: Duration,
    before: Saved,
    pub scene: Scene,
    /// What an operator does that is started just before it.
    pub effects: Vec<String>,
    /// The requests to AWS among them, by operation.
    pub requests: Vec<String>,
    /// How many mutating requests to the API server are among them.
    pub mutations: u64,
}

impl Part {
    fn effect(&self, number: u64) -> &str {
        &self.effects[usize::try_from(number).unwrap() - 1]
    }

    /// A life that is about to live this part.
    pub fn begin(&self) -> Life {
        Life::at(self.story, Bench::from(&self.before), self.begins)
    }

    /// Lives this part, calls `lived`, and rests if there is nothing more to do; what is wrong with it. What takes longer
    /// than without trouble may take so much more, unless a schedule goes on.
    pub async fn live(
        &self,
        patience: Duration,
        prepare: impl FnOnce(&mut Life),
        lived: impl FnOnce(&Life),
    ) -> Vec<String> {
        let mut life = self.begin();
        prepare(&mut life);
        let seen = life.step(self.step).await;
        let mut wrong = difference(&seen, &self.scene);
        let patience = match self.step.ends {
            Ends::ByTheClock => Duration::ZERO,
            Ends::Settled | Ends::Waiting => patience,
        };
        let latest = life.end + patience;
        while !wrong.is_empty() && life.end < latest {
            wrong = difference(&life.more(self.step, QUIET).await, &self.scene);
        }
        lived(&life);
        if self.step.ends == Ends::Settled {
            let rested = life.more(self.step, RESYNC * 3).await;
            wrong.extend(difference(&rested, &self.scene));
        }
        wrong.extend(life.bench.world.violations().iter().map(ToString::to_string));
        wrong
    }
}

impl Story {
    /// The life without trouble, part by part.
    pub fn parts(&'static self) -> &'static [Part] {
        self.parts.get_or_init(|| self.without_trouble().into_iter().map(Part::with_an_operator_of_its_own).collect())
    }

    fn without_trouble(&'static self) -> Vec<Part> {
        history(async move || {
            let mut life = Life::new(self);
            life.start(Stage::unwatched(), Arc::default());
            let mut parts: Vec<Part> = Vec::new();
            for step in self.steps {
                if let Some(before) = step.before {
                    before(&life.bench).await;
                }
                let (begins, before) = (life.end, life.bench.save());
                let scene = life.step(step).await;
                assert_eq!((&scene.unrest, life.bench.world.violations()), (&Vec::new(), Vec::new()), "{step:?}");
                let objects = scene.kube.as_array().unwrap();
                let ready = objects.iter().all(|object| condition(object, "Ready").0 == "True");
                // What waits says so; what is settled has nothing to say.
                assert_eq!(ready, step.ends != Ends::Waiting, "{step:?}: {objects:#?}");
                let (effects, requests) = (Vec::new(), Vec::new());
                parts.push(Part { story: self, step, begins, before, scene, effects, requests, mutations: 0 });
            }
            let last = parts.last().unwrap();
            let rested = life.more(last.step, RESYNC * 3).await;
            assert_eq!(rested, last.scene);
            parts
        })
    }
}

impl Part {
    /// This part, with what an operator does that is started just before it.
    fn with_an_operator_of_its_own(self) -> Self {
        let step = self.step;
        let (part, wrong) = history(async move || {
            let (crash, stage) = Crash::nowhere();
            let mut part = self.clone();
            let lived = |life: &Life| {
                part.requests = life.bench.requests();
                part.mutations = life.bench.cluster.mutations();
                part.effects = crash.effects.lock().unwrap().clone();
            };
            let wrong = self.live(Duration::ZERO, |life| life.start(stage, crash.crashed), lived).await;
            (part, wrong)
        });
        assert_eq!(wrong, Vec::<String>::new(), "{step:?} with an operator started just before it");
        part
    }
}

/// Status and reason of a condition.
pub fn condition(object: &Value, name: &str) -> (String, String) {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.into_iter().find(|condition| condition["type"] == name).unwrap_or_default();
    let word = |member: &str| found[member].as_str().unwrap_or_default().to_owned();
    (word("status"), word("reason"))
}

/// Every part of every life.
pub fn parts() -> impl Iterator<Item = &'static Part> {
    lives::all().flat_map(|story| story.parts())
}

/// Says how many runs recovered, and fails with what is wrong with the others.
pub fn report<I>(title: &str, results: Vec<(I, Vec<String>)>, name: impl Fn(&I) -> String) {
    let failed: Vec<String> = results
        .iter()
        .filter(|(_, wrong)| !wrong.is_empty())
        .map(|(input, wrong)| format!("{}:\n  {}", name(input), wrong.join("\n  ")))
        .collect();
    println!("{title}: {} runs, {} recovered", results.len(), results.len() - failed.len());
    assert!(failed.is_empty(), "{} failed\n{}", failed.len(), failed.join("\n"));
}

/// Every effect of every part of a life, by its number.
fn effects(story: &'static Story) -> Vec<(&'static Part, u64)> {
    story.parts().iter().flat_map(|part| (1..).zip(&part.effects).map(move |(number, _)| (part, number))).collect()
}

/// Those that change something.
fn mutations(story: &'static Story) -> Vec<(&'static Part, u64)> {
    let mut all = effects(story);
    all.retain(|(part, number)| {
        let effect = part.effect(*number);
        !effect.starts_with("aws observe") && !["kube read", "kube read_key", "kube find_secret"].contains(&effect)
    });
    all
}

#[test]
fn a_crash_at_any_effect_ends_as_if_there_had_been_none() {
    for story in lives::all() {
        let positions = [Position::Before, Position::Unanswered, Position::After];
        let effects = effects(story);
        let count = effects.len();
        let runs = effects.into_iter().flat_map(|effect| positions.map(|position| (effect, position))).collect();
        let results = histories(runs, |((part, number), position)| {
            let (part, number, position) = (*part, *number, *position);
            history(async move || {
                let (crash, stage) = Crash::at(number, position);
                part.live(Duration::ZERO, |life| life.start(stage, crash.crashed), |_| {}).await
            })
        });
        let title = format!("crash table: {}: {count} effects x 3 positions", story.kind);
        report(&title, results, |((part, number), position)| {
            format!("{:?} {position:?} effect {number} ({})", part.step, part.effect(*number))
        });
    }
}

#[test]
fn a_request_that_arrives_after_its_sender_has_died_does_no_harm() {
    for story in lives::all() {
        let results = histories(mutations(story), |(part, number)| {
            let (part, number) = (*part, *number);
            history(async move || {
                let (crash, stage) = Crash::at(number, Position::OnTheWire);
                let prepare = |life: &mut Life| {
                    // The next one is there before the request has arrived.
                    life.away = Duration::ZERO;
                    life.start(stage, crash.crashed);
                };
                part.live(Duration::ZERO, prepare, |_| {}).await
            })
        });
        report(&format!("late requests: {}", story.kind), results, |(part, number)| {
            format!("{:?} effect {number} ({})", part.step, part.effect(*number))
        });
    }
}

#[test]
fn who_loses_the_lease_writes_nothing_more_and_who_regains_it_goes_on() {
    for story in lives::all() {
        let mut runs = mutations(story);
        runs.retain(|(part, _)| part.step.ends != Ends::ByTheClock);
        let results = histories(runs, |(part, number)| {
            let (part, number) = (*part, *number);
            history(async move || {
                let (reached, stage) = Crash::losing_the_lease(number);
                let mut life = part.begin();
                life.start(stage, Arc::default());
                let lease = life.lease();
                let loses = tokio::spawn({
                    let lease = lease.clone();
                    async move {
                        reached.notified().await;
                        lease.lose();
                    }
                });
                life.step(part.step).await;
                let mut wrong = Vec::new();
                if !loses.is_finished() {
                    wrong.push("the lease was never lost".into());
                }
                let idle = lease.written_since_lost(&life.bench);
                if idle > 0 {
                    wrong.push(format!("{idle} writes after the lease was lost"));
                }
                lease.take();
                wrong.extend(life.until_it_is(part, Duration::from_secs(100)).await);
                wrong.extend(life.bench.world.violations().iter().map(ToString::to_string));
                wrong
            })
        });
        report(&format!("lost leases: {}", story.kind), results, |(part, number)| {
            format!("{:?} effect {number} ({})", part.step, part.effect(*number))
        });
    }
}
