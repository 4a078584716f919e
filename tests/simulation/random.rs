//! Histories by chance: people, AWS, the network and the operators do whatever a seed says, and what must never happen is
//! looked for after every step.
//!
//! `WINDLASS_SEED=17` plays that one history and tells it; `WINDLASS_SEEDS=2000` plays more of them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use simulator::{AuthenticationType, Fault, FaultEffect, FleetState, FleetView, Settings, Timings};
use tokio::time::sleep;

use windlass::api::fleet::{DesiredState, Disruption, UpdateStrategy, WhileRunning};
use windlass::api::{DeletionPolicy, Fleet};
use windlass::engine::EngineSettings;

use super::bench::{Bench, Freezer, Process, histories, history, spec};
use super::kube::{KubeFault, KubeFaultEffect};

/// How many histories a run of the tests plays.
const SEEDS: u64 = 120;
/// Steps of a history.
const STEPS: usize = 30;
/// The names that objects and fleets have.
const NAMES: [&str; 3] = ["a", "b", "c"];
const RESYNC: Duration = Duration::from_secs(120);
const UID: &str = "windlass.dev/uid";

/// What happens in one step.
#[derive(Debug, Clone, Copy)]
enum Step {
    Create,
    Edit,
    Delete,
    Poke,
    SessionOpens,
    SessionEnds,
    StackLetsGo,
    EditInAws,
    StopInAws,
    StartInAws,
    DeleteInAws,
    StripTags,
    ErrorOfAws,
    ErrorOfTheApiServer,
    Crash,
    Freeze,
    Thaw,
    AnotherTakesOver,
    Nothing,
}

impl Step {
    /// All of them, by how often they come.
    const ALL: [(Self, u32); 19] = [
        (Self::Create, 12),
        (Self::Edit, 14),
        (Self::Delete, 3),
        (Self::Poke, 2),
        (Self::SessionOpens, 6),
        (Self::SessionEnds, 6),
        (Self::StackLetsGo, 2),
        (Self::EditInAws, 3),
        (Self::StopInAws, 2),
        (Self::StartInAws, 2),
        (Self::DeleteInAws, 1),
        (Self::StripTags, 1),
        (Self::ErrorOfAws, 10),
        (Self::ErrorOfTheApiServer, 4),
        (Self::Crash, 6),
        (Self::Freeze, 4),
        (Self::Thaw, 4),
        (Self::AnotherTakesOver, 4),
        (Self::Nothing, 4),
    ];

    fn any(rng: &mut StdRng) -> Self {
        Self::ALL.choose_weighted(rng, |(_, weight)| *weight).unwrap().0
    }
}

/// A history under way.
struct History {
    rng: StdRng,
    bench: Bench,
    lag: Duration,
    /// Who leads.
    leader: Option<(Process, Freezer)>,
    /// Who led before, frozen or not, and does not know better until told.
    former: Vec<(Process, Freezer)>,
    /// Every uid that an object ever had, and whether its fleet may stay when it is gone.
    uids: Vec<(String, bool)>,
    stripped: BTreeSet<String>,
    told: String,
    wrong: Vec<String>,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let seconds = Duration::from_secs;
        let timings = Timings {
            start_fleet: seconds(20),
            stop_fleet: seconds(10),
            scale: seconds(15),
            scale_in: seconds(6),
            ..Timings::default()
        };
        let lag = seconds(*[0, 0, 2, 20].choose(&mut rng).unwrap());
        let settings = Settings { seed, timings, visibility_lag: lag, page_size: 2, ..Settings::default() };
        let engine = EngineSettings { resync: RESYNC, urgent_workers: 2, workers: 3, ..EngineSettings::default() };
        let bench = Bench::new(settings, engine);
        let watch = *[2, 2, 200, 4000].choose(&mut rng).unwrap();
        bench.cluster.watch_lag(Duration::from_millis(watch));
        bench.world.put_stack("desk");
        let mut history = Self {
            rng,
            bench,
            lag,
            leader: None,
            former: Vec::new(),
            uids: Vec::new(),
            stripped: BTreeSet::new(),
            told: String::new(),
            wrong: Vec::new(),
        };
        history.tell(&format!("AWS lags {lag:?}, the watch {watch} ms"));
        history.lead();
        history
    }

    /// A new operator leads.
    fn lead(&mut self) {
        let (freezer, stage) = Freezer::new();
        self.leader = Some((self.bench.start("operator", stage), freezer));
    }

    fn tell(&mut self, what: &str) {
        let _ = writeln!(self.told, "{} {what}", self.bench.now());
    }

    /// Everything in the order of time: what was done, and what the operators wrote.
    fn story(&self) -> String {
        let mut lines: Vec<String> = self.told.lines().map(str::to_owned).collect();
        lines.extend(self.bench.cluster.writes().into_iter().map(|w| format!("{} kube {} {}", w.at, w.what, w.id)));
        lines.extend(self.bench.aws_writes().into_iter().map(|w| {
            let (resource, outcome) = (w.resource.unwrap_or_default(), w.outcome);
            format!("{} aws {} {resource} {outcome:?} answered={}", w.at, w.operation, w.answered)
        }));
        // What belongs to a line follows it.
        let time = |line: &String| line.split(' ').next().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        lines.sort_by_key(time);
        lines.join("\n")
    }

    fn name(&mut self) -> &'static str {
        NAMES.choose(&mut self.rng).unwrap()
    }

    fn fleet(&self, name: &str) -> Option<FleetView> {
        self.bench.world.fleets().into_iter().find(|fleet| fleet.name == name)
    }

    async fn step(&mut self) {
        let (step, name) = (Step::any(&mut self.rng), self.name());
        self.tell(&format!("{step:?} {name}"));
        match step {
            Step::Create => self.create(name),
            Step::Edit => self.edit(name),
            Step::Delete
                if self.bench.cluster.get::<Fleet>(name).is_none_or(|o| o.metadata.deletion_timestamp.is_some()) => {}
            Step::Delete => {
                let keeps = self.rng.random_bool(0.2);
                self.bench.cluster.edit(name, |fleet: &mut Fleet| {
                    fleet.spec.common.deletion_policy = keeps.then_some(DeletionPolicy::Retain);
                });
                let uid = self.bench.cluster.get::<Fleet>(name).and_then(|object| object.metadata.uid);
                for (_, may_stay) in self.uids.iter_mut().filter(|(known, _)| Some(known) == uid.as_ref()) {
                    *may_stay |= keeps;
                }
                self.bench.cluster.delete::<Fleet>(name);
            }
            Step::Poke => {
                let value = self.bench.now().to_string();
                self.bench.cluster.poke::<Fleet>(name, &value);
            }
            Step::SessionOpens => {
                if self.fleet(name).is_some_and(|fleet| fleet.state == FleetState::Running) {
                    self.bench.world.associate(name, "desk");
                    let how = *[AuthenticationType::Saml, AuthenticationType::Api].choose(&mut self.rng).unwrap();
                    let opened = self.bench.world.open_session("desk", name, "alice", how);
                    self.tell(&format!("  {opened:?}"));
                }
            }
            Step::SessionEnds => self.end_sessions(name),
            Step::StackLetsGo => {
                if self.fleet(name).is_some_and(|fleet| fleet.sessions.is_empty()) {
                    self.bench.world.disassociate(name, "desk");
                }
            }
            Step::EditInAws => {
                let n = self.rng.random_range(0..3);
                self.bench.world.edit_fleet(name, |fleet| {
                    fleet.settings.display_name = Some("Hacked".into());
                    fleet.desired_instances = n;
                });
            }
            Step::StopInAws => {
                if self.fleet(name).is_some_and(|fleet| fleet.sessions.is_empty()) {
                    self.bench.world.stop_fleet_out_of_band(name);
                }
            }
            Step::StartInAws => {
                self.bench.world.start_fleet_out_of_band(name);
            }
            Step::DeleteInAws => {
                if self.fleet(name).is_some_and(|fleet| fleet.sessions.is_empty()) {
                    self.bench.world.delete_fleet_out_of_band(name);
                }
            }
            Step::StripTags => self.strip(name).await,
            Step::ErrorOfAws => self.error_of_aws(),
            Step::ErrorOfTheApiServer => {
                use KubeFaultEffect::{AppliedNoAnswer, AppliedThenHang, Conflict, Hang, Unavailable};
                let effect =
                    *[Conflict, Unavailable, AppliedNoAnswer, Hang, AppliedThenHang].choose(&mut self.rng).unwrap();
                let first = self.bench.cluster.mutations() + self.rng.random_range(1..4);
                let times = self.rng.random_range(1..3);
                self.bench.cluster.fail(KubeFault { first, times, effect });
            }
            Step::Crash => {
                self.leader = None;
                let away = self.rng.random_range(0..20_000);
                sleep(Duration::from_millis(away)).await;
                self.lead();
            }
            Step::Freeze => {
                if let Some((_, freezer)) = &self.leader {
                    freezer.freeze();
                }
            }
            Step::Thaw => {
                // Who has lost the lease knows it when it wakes up: the lease's own clock went on.
                for (_, freezer) in self.former.iter().chain(self.leader.as_ref()) {
                    freezer.thaw();
                }
            }
            Step::AnotherTakesOver => {
                if let Some((process, freezer)) = self.leader.take() {
                    process.lease.lose();
                    self.former.push((process, freezer));
                }
                // The one that led before may lead again, with all that it remembers.
                match self.former.len() > 1 && self.rng.random_bool(0.5) {
                    true => {
                        let (process, freezer) = self.former.remove(0);
                        freezer.thaw();
                        process.lease.take();
                        self.leader = Some((process, freezer));
                    }
                    false => self.lead(),
                }
            }
            Step::Nothing => sleep(Duration::from_secs(60)).await,
        }
        let wait = 10_f64.powf(self.rng.random_range(-2.0..1.8));
        sleep(Duration::from_secs_f64(wait)).await;
        self.check();
    }

    fn create(&mut self, name: &'static str) {
        if self.bench.cluster.get::<Fleet>(name).is_none() {
            self.bench.cluster.create(Fleet::new(name, spec()));
            let uid = self.bench.cluster.get::<Fleet>(name).and_then(|object| object.metadata.uid).unwrap();
            self.uids.push((uid, false));
        }
    }

    fn edit(&mut self, name: &'static str) {
        let (what, n) = (self.rng.random_range(0..8), self.rng.random_range(0..3));
        self.bench.cluster.edit(name, |Fleet { spec, .. }: &mut Fleet| match what {
            0 => spec.settings.display_name = Some(format!("Design {n}")),
            1 => {
                let types = ["stream.standard.medium", "stream.standard.large", "stream.standard.small"];
                spec.settings.instance_type = Some(types[n].into());
            }
            2 => {
                let capacity = spec.settings.compute_capacity.as_mut().unwrap();
                capacity.desired_instances = Some(i32::try_from(n).unwrap());
            }
            3 => spec.desired_state = if n == 0 { DesiredState::Stopped } else { DesiredState::Running },
            4 => spec.common.tags = (n > 0).then(|| [("team".to_owned(), n.to_string())].into()),
            5 => spec.disruption = Some(Disruption { drain: Some(n == 0), ..Disruption::default() }),
            6 => {
                let while_running = if n == 0 { WhileRunning::Documented } else { WhileRunning::Minimal };
                spec.update_strategy = Some(UpdateStrategy { while_running, ..UpdateStrategy::default() });
            }
            _ => spec.settings.disconnect_timeout_in_seconds = Some(600 + 60 * i32::try_from(n).unwrap()),
        });
        self.tell(&format!("  field {what}: {n}"));
    }

    fn end_sessions(&mut self, name: &str) {
        for session in self.fleet(name).map(|fleet| fleet.sessions).unwrap_or_default() {
            self.bench.world.end_session(&session.id);
        }
    }

    /// Somebody takes our tags off. What is on its way then cannot know: so nothing is, and reads do not lag.
    async fn strip(&mut self, name: &str) {
        if !self.lag.is_zero() {
            return;
        }
        if let Some((process, freezer)) = self.leader.take() {
            process.lease.lose();
            freezer.freeze();
            self.former.push((process, freezer));
        }
        sleep(Duration::from_secs(60)).await;
        if let Some(uid) = self.fleet(name).and_then(|mut fleet| fleet.tags.remove(UID)) {
            self.bench.world.edit_fleet(name, |fleet| fleet.tags.retain(|key, _| !key.starts_with("windlass.dev/")));
            self.stripped.insert(uid);
        }
        self.lead();
    }

    fn error_of_aws(&mut self) {
        let coded = |code: &str| FaultEffect::Coded { code: code.into(), message: "words".into(), status: 400 };
        let hang = Duration::from_secs(self.rng.random_range(1..40));
        let effects = [
            FaultEffect::Throttle,
            FaultEffect::ServerError,
            FaultEffect::Hang(hang),
            FaultEffect::AppliedThenHang(hang),
            FaultEffect::NotAppliedNoAnswer,
            FaultEffect::AppliedNoAnswer,
            FaultEffect::AppliedServerError,
            FaultEffect::AppliedHalfAnswer,
            coded("ConcurrentModificationException"),
            coded("ResourceInUseException"),
            coded("OperationNotPermittedException"),
            coded("AccessDeniedException"),
        ];
        let operations = [
            "CreateFleet",
            "CreateFleet",
            "UpdateFleet",
            "StartFleet",
            "StopFleet",
            "DeleteFleet",
            "TagResource",
            "DescribeFleets",
            "ListTagsForResource",
            "DescribeSessions",
            "ListAssociatedStacks",
            "*",
        ];
        let effect = effects.choose(&mut self.rng).unwrap().clone();
        let operation = *operations.choose(&mut self.rng).unwrap();
        let nth = self.rng.random_range(1..3);
        self.tell(&format!("  {operation} {nth}: {effect:?}"));
        self.bench.world.script(Fault::nth(operation, nth, effect));
    }

    /// What must never be.
    fn check(&mut self) {
        let mut wrong: Vec<String> = self.bench.world.violations().iter().map(ToString::to_string).collect();
        let living: BTreeSet<String> =
            self.bench.cluster.objects::<Fleet>().into_iter().filter_map(|object| object.metadata.uid).collect();
        let owners: Vec<String> =
            self.bench.world.fleets().into_iter().filter_map(|mut fleet| fleet.tags.remove(UID)).collect();
        for (uid, may_stay) in &self.uids {
            let owned = owners.iter().filter(|owner| *owner == uid).count();
            if owned > 1 {
                wrong.push(format!("{uid} owns {owned} fleets"));
            }
            if owned > 0 && !living.contains(uid) && !may_stay {
                wrong.push(format!("{uid} was released, and its fleet is there"));
            }
        }
        for text in wrong {
            if !self.wrong.contains(&text) {
                self.tell(&format!("WRONG: {text}"));
                self.wrong.push(text);
            }
        }
    }

    /// All trouble ends; everything must settle, then be let go.
    async fn end(&mut self) {
        self.tell("all trouble ends");
        self.bench.world.clear_faults();
        self.bench.cluster.clear_faults();
        self.former.clear();
        if let Some((_, freezer)) = &self.leader {
            freezer.thaw();
        }
        for name in NAMES {
            self.end_sessions(name);
            self.bench.cluster.poke::<Fleet>(name, "the end");
        }
        sleep(Duration::from_secs(900)).await;
        self.check();
        let quiet_since = self.bench.now();
        sleep(RESYNC * 3).await;
        let kube = self.bench.cluster.writes().into_iter().filter(|w| w.at > quiet_since && w.what != "counts");
        let aws = self.bench.aws_writes().into_iter().filter(|w| w.at > quiet_since);
        let unrest: Vec<String> = kube.map(|w| format!("{w:?}")).chain(aws.map(|w| format!("{w:?}"))).collect();
        self.wrong.extend(unrest.into_iter().map(|write| format!("unrest at the end: {write}")));
        for object in self.bench.cluster.objects::<Fleet>() {
            let name = object.metadata.name.clone().unwrap();
            let uid = object.metadata.uid.clone().unwrap();
            let deleting = object.metadata.deletion_timestamp.is_some();
            let conditions = object.status.as_ref().map(|s| s.conditions.clone()).unwrap_or_default();
            let ready = conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
            // Its fleet lost its tags, or another one has its name.
            let alien = self.fleet(&name).is_some_and(|fleet| fleet.tags.get(UID) != Some(&uid));
            let waits = deleting && self.fleet(&name).is_some_and(|fleet| !fleet.stacks.is_empty());
            if !ready && !alien && !waits {
                self.wrong.push(format!("{name} never settled: {:?}", object.status));
            }
            let wanted = object.spec.desired_state;
            let state = self.fleet(&name).map(|fleet| fleet.state);
            let as_wanted = match wanted {
                DesiredState::Running => state == Some(FleetState::Running),
                DesiredState::Stopped => state == Some(FleetState::Stopped),
            };
            if ready && !as_wanted {
                self.wrong.push(format!("{name} is called ready, and is {state:?} instead of {wanted:?}"));
            }
        }
        self.tell("everything is deleted");
        for name in NAMES {
            self.bench.world.disassociate(name, "desk");
            self.bench.cluster.delete::<Fleet>(name);
        }
        sleep(Duration::from_secs(600)).await;
        self.check();
        for object in self.bench.cluster.objects::<Fleet>() {
            let uid = object.metadata.uid.clone().unwrap();
            // One that was ours and lost its tags is not deleted by guess.
            if !self.stripped.contains(&uid) {
                self.wrong.push(format!("{:?} never went: {:?}", object.metadata.name, object.status));
            }
        }
    }
}

async fn play(seed: u64) -> (Vec<String>, String) {
    let mut history = History::new(seed);
    for _ in 0..STEPS {
        history.step().await;
    }
    history.end().await;
    (history.wrong.clone(), history.story())
}

#[test]
fn whatever_happens_nothing_leaks_nobody_is_thrown_out_and_everything_settles() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("WINDLASS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WINDLASS_SEEDS").unwrap_or(SEEDS),
    };
    let results = histories(seeds.collect(), |seed| {
        let seed = *seed;
        history(async move || play(seed).await)
    });
    let failed: Vec<&(u64, (Vec<String>, String))> =
        results.iter().filter(|(_, (wrong, _))| !wrong.is_empty()).collect();
    println!("histories by chance: {} seeds, {} held", results.len(), results.len() - failed.len());
    for (seed, (wrong, _)) in &failed {
        println!("WINDLASS_SEED={seed}:\n  {}", wrong.join("\n  "));
    }
    if let [(_, (_, told))] = results.as_slice() {
        println!("{told}");
    }
    assert!(failed.is_empty(), "{} histories failed", failed.len());
}
