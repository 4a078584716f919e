//! A Fleet's life, as people and AWS make it; and the same life with a crash at every effect.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{AuthenticationType, Settings, Timings};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use windlass::api::AdoptionPolicy;
use windlass::api::fleet::PowerPeriod;
use windlass::engine::EngineSettings;
use windlass::engine::stage::Stage;

use super::bench::{Bench, Crash, Holder, Position, Process, Saved, histories, history, spec};

/// What happens in a part of the life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    Create,
    DisplayNameWhileRunning,
    InstanceTypeUnderASession,
    TheSessionEnds,
    PowerSchedule,
    TheScheduleStopsIt,
    TheScheduleStartsIt,
    SomebodyEditsItInAws,
    TagsAndLessCapacity,
    Adopt,
    DeleteWhileAssociated,
    TheStackLetsGo,
}

impl Step {
    /// All of them, with how many seconds each lasts. What a step sets off is over before its end, also after a crash.
    pub const ALL: [(Self, u64); 12] = [
        (Self::Create, 150),
        (Self::DisplayNameWhileRunning, 90),
        (Self::InstanceTypeUnderASession, 40),
        (Self::TheSessionEnds, 170),
        // 08:07:30
        (Self::PowerSchedule, 120),
        (Self::TheScheduleStopsIt, 390),
        // 08:16
        (Self::TheScheduleStartsIt, 150),
        (Self::SomebodyEditsItInAws, 180),
        (Self::TagsAndLessCapacity, 150),
        (Self::Adopt, 150),
        (Self::DeleteWhileAssociated, 45),
        (Self::TheStackLetsGo, 180),
    ];

    /// Whether a schedule ends it.
    pub fn waits_for_the_clock(self) -> bool {
        matches!(self, Self::PowerSchedule | Self::TheScheduleStopsIt)
    }

    /// Whether everything is settled after it, and stays so for more than three resyncs.
    pub fn rests(self) -> bool {
        match self {
            // Something is waited for, or the schedule goes on.
            Self::InstanceTypeUnderASession
            | Self::PowerSchedule
            | Self::TheScheduleStopsIt
            | Self::DeleteWhileAssociated => false,
            Self::Create
            | Self::DisplayNameWhileRunning
            | Self::TheSessionEnds
            | Self::TheScheduleStartsIt
            | Self::SomebodyEditsItInAws
            | Self::TagsAndLessCapacity
            | Self::Adopt
            | Self::TheStackLetsGo => true,
        }
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
    pub step: Step,
    pub aws: Value,
    pub kube: Value,
    /// Writes in the last seconds of the step: none.
    pub unrest: Vec<String>,
}

impl Life {
    pub fn new() -> Self {
        let seconds = Duration::from_secs;
        let timings = Timings {
            start_fleet: seconds(10),
            stop_fleet: seconds(6),
            scale: seconds(8),
            scale_in: seconds(4),
            ..Timings::default()
        };
        let engine = EngineSettings { resync: RESYNC, urgent_workers: 1, workers: 2, ..EngineSettings::default() };
        Self::at(Bench::new(Settings { timings, ..Settings::default() }, engine), Duration::ZERO)
    }

    fn at(bench: Bench, end: Duration) -> Self {
        Self { bench, process: None, crashed: Arc::default(), away: Duration::from_secs(1), end }
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
    pub async fn step(&mut self, step: Step, seconds: u64) -> Scene {
        self.until(self.bench.at(self.end + WARM)).await;
        self.begin(step);
        self.end += Duration::from_secs(seconds);
        self.until(self.bench.at(self.end)).await;
        self.scene(step, QUIET)
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
    pub async fn more(&mut self, step: Step, longer: Duration) -> Scene {
        self.end += longer;
        self.until(self.bench.at(self.end)).await;
        self.scene(step, longer)
    }

    fn begin(&mut self, step: Step) {
        let (world, cluster) = (&self.bench.world, &self.bench.cluster);
        match step {
            Step::Create => cluster.create("life", spec()),
            Step::DisplayNameWhileRunning => {
                cluster.edit("life", |spec| spec.settings.display_name = Some("Design".into()));
            }
            Step::InstanceTypeUnderASession => {
                assert!(world.associate("life", "desk"));
                world.open_session("desk", "life", "alice", AuthenticationType::Saml).unwrap();
                cluster.edit("life", |spec| spec.settings.instance_type = Some("stream.standard.large".into()));
            }
            Step::TheSessionEnds => {
                let fleets = world.fleets();
                assert!(world.end_session(&fleets[0].sessions[0].id));
            }
            Step::PowerSchedule => {
                let period = PowerPeriod {
                    name: "day".into(),
                    stop: "10 8 * * *".into(),
                    start: "17 8 * * *".into(),
                    time_zone: None,
                };
                cluster.edit("life", |spec| spec.power_schedule = Some(vec![period]));
            }
            Step::SomebodyEditsItInAws => {
                assert!(world.edit_fleet("life", |fleet| {
                    fleet.settings.display_name = Some("Hacked".into());
                    fleet.desired_instances = 1;
                }));
            }
            Step::TagsAndLessCapacity => {
                cluster.edit("life", |spec| {
                    spec.common.tags = Some([("team".to_owned(), "a".to_owned())].into());
                    spec.settings.compute_capacity.as_mut().unwrap().desired_instances = Some(1);
                });
            }
            Step::Adopt => {
                let mut adopted = spec();
                adopted.common.adoption_policy = Some(AdoptionPolicy::IfExists);
                adopted.common.tags = Some([("team".to_owned(), "b".to_owned())].into());
                cluster.create("found", adopted);
            }
            Step::DeleteWhileAssociated => assert!(cluster.delete("life")),
            Step::TheStackLetsGo => assert!(world.disassociate("life", "desk")),
            Step::TheScheduleStopsIt | Step::TheScheduleStartsIt => {}
        }
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

    fn scene(&self, step: Step, quiet: Duration) -> Scene {
        let since = self.bench.now() - quiet;
        let kube = self
            .bench
            .cluster
            .writes()
            .into_iter()
            .filter(|w| w.at > since && w.what != "counts")
            .map(|w| format!("{w:?}"));
        let aws = self.bench.aws_writes().into_iter().filter(|w| w.at > since).map(|w| format!("{w:?}"));
        Scene {
            step,
            aws: scrubbed(serde_json::to_value(self.bench.world.fleets()).unwrap()),
            kube: scrubbed(serde_json::to_value(self.bench.cluster.objects()).unwrap()),
            unrest: kube.chain(aws).collect(),
        }
    }
}

/// Without what differs from run to run: times (but those that a schedule says), versions, ids that AWS makes up, and that
/// somebody asked for a pass.
fn scrubbed(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(key, _)| {
                !["resourceVersion", "id", "annotations", "lastHandledReconcileAt"].contains(&key.as_str())
            });
            kept.map(|(key, value)| match key.as_str() {
                "nextTransition" => (key, value),
                // AWS's counts in a status may be up to five minutes old.
                "capacity" if value.get("desired").is_some() => (key, json!({ "desired": value["desired"] })),
                _ => (key, scrubbed(value)),
            })
            .collect()
        }
        Value::Array(items) => items.into_iter().map(scrubbed).collect(),
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => json!("some time"),
        other => other,
    }
}

/// How a scene differs from the wanted one, line by line.
pub fn difference(seen: &Scene, wanted: &Scene) -> Vec<String> {
    let mut lines: Vec<String> = seen.unrest.iter().map(|write| format!("{:?}: unrest: {write}", seen.step)).collect();
    compare(&format!("{:?}: aws", seen.step), &seen.aws, &wanted.aws, &mut lines);
    compare(&format!("{:?}: kube", seen.step), &seen.kube, &wanted.kube, &mut lines);
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
    pub step: Step,
    pub seconds: u64,
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
        Life::at(Bench::from(&self.before), self.begins)
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
        let seen = life.step(self.step, self.seconds).await;
        let mut wrong = difference(&seen, &self.scene);
        let patience = if self.step.waits_for_the_clock() { Duration::ZERO } else { patience };
        let latest = life.end + patience;
        while !wrong.is_empty() && life.end < latest {
            wrong = difference(&life.more(self.step, QUIET).await, &self.scene);
        }
        lived(&life);
        if self.step.rests() {
            let rested = life.more(self.step, RESYNC * 3).await;
            wrong.extend(difference(&rested, &self.scene));
        }
        wrong.extend(life.bench.world.violations().iter().map(ToString::to_string));
        wrong
    }
}

/// The life without trouble, part by part.
pub fn parts() -> &'static [Part] {
    static PARTS: OnceLock<Vec<Part>> = OnceLock::new();
    PARTS.get_or_init(|| {
        let whole: Vec<(Step, u64, Duration, Saved, Scene)> = history(async || {
            let mut life = Life::new();
            life.start(Stage::unwatched(), Arc::default());
            let mut whole = Vec::new();
            for (step, seconds) in Step::ALL {
                if step == Step::Adopt {
                    life.bench.create_by_hand("found", "stream.standard.small").await;
                }
                let (begins, before) = (life.end, life.bench.save());
                let scene = life.step(step, seconds).await;
                assert_eq!((&scene.unrest, life.bench.world.violations()), (&Vec::new(), Vec::new()), "{step:?}");
                whole.push((step, seconds, begins, before, scene));
            }
            let rested = life.more(Step::TheStackLetsGo, RESYNC * 3).await;
            assert_eq!(Some(&rested), whole.last().map(|(.., scene)| scene));
            whole
        });
        let alone = |(step, seconds, begins, before, scene): (Step, u64, Duration, Saved, Scene)| {
            let part =
                Part { step, seconds, begins, before, scene, effects: Vec::new(), requests: Vec::new(), mutations: 0 };
            let run = part.clone();
            let (part, wrong) = history(async move || {
                let (crash, stage) = Crash::nowhere();
                let mut part = run.clone();
                let wrong = run
                    .live(
                        Duration::ZERO,
                        |life| life.start(stage, crash.crashed),
                        |life| {
                            part.requests = life.bench.requests();
                            part.mutations = life.bench.cluster.mutations();
                            part.effects = crash.effects.lock().unwrap().clone();
                        },
                    )
                    .await;
                (part, wrong)
            });
            assert_eq!(wrong, Vec::<String>::new(), "{step:?} with an operator started just before it");
            part
        };
        whole.into_iter().map(alone).collect()
    })
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

/// Every effect of every part, by its number.
fn effects() -> Vec<(&'static Part, u64)> {
    parts().iter().flat_map(|part| (1..).zip(&part.effects).map(move |(number, _)| (part, number))).collect()
}

/// Those that change something.
fn mutations() -> Vec<(&'static Part, u64)> {
    let mut all = effects();
    all.retain(|(part, number)| !["aws observe", "kube read"].contains(&part.effect(*number)));
    all
}

#[test]
fn a_crash_at_any_effect_ends_as_if_there_had_been_none() {
    let positions = [Position::Before, Position::Unanswered, Position::After];
    let effects = effects();
    let count = effects.len();
    let runs = effects.into_iter().flat_map(|effect| positions.map(|position| (effect, position))).collect();
    let results = histories(runs, |((part, number), position)| {
        let (part, number, position) = (*part, *number, *position);
        history(async move || {
            let (crash, stage) = Crash::at(number, position);
            part.live(Duration::ZERO, |life| life.start(stage, crash.crashed), |_| {}).await
        })
    });
    report(&format!("crash table: {count} effects x 3 positions"), results, |((part, number), position)| {
        format!("{:?} {position:?} effect {number} ({})", part.step, part.effect(*number))
    });
}

#[test]
fn a_request_that_arrives_after_its_sender_has_died_does_no_harm() {
    let results = histories(mutations(), |(part, number)| {
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
    report("late requests", results, |(part, number)| {
        format!("{:?} effect {number} ({})", part.step, part.effect(*number))
    });
}

#[test]
fn who_loses_the_lease_writes_nothing_more_and_who_regains_it_goes_on() {
    let mut runs = mutations();
    runs.retain(|(part, _)| !part.step.waits_for_the_clock());
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
            life.step(part.step, part.seconds).await;
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
    report("lost leases", results, |(part, number)| {
        format!("{:?} effect {number} ({})", part.step, part.effect(*number))
    });
}

#[test]
fn who_has_just_taken_the_lease_believes_no_absence_that_is_older() {
    let part = parts().iter().find(|part| part.step == Step::DisplayNameWhileRunning).unwrap();
    let waited = history(async move || {
        let mut life = part.begin();
        life.start(Stage::unwatched(), Arc::default());
        sleep(Duration::from_secs(5)).await;
        life.lease().lose();
        assert!(life.bench.world.delete_fleet_out_of_band("life"));
        // Somebody else led meanwhile, and may have sent a create that nobody sees yet.
        sleep(Duration::from_secs(600)).await;
        let taken = life.bench.now();
        life.lease().take();
        sleep(Duration::from_secs(300)).await;
        let created = life.bench.aws_writes().into_iter().rfind(|write| write.operation == "CreateFleet").unwrap();
        created.at.duration_since(taken).as_secs()
    });
    assert!((60..90).contains(&waited), "created {waited} s after the lease was taken");
}
