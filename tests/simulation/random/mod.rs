//! Histories by chance: people, AWS, the network and the operators do whatever a seed says, and what must never happen is
//! looked for after every step.
//!
//! `WINDLASS_KIND=Stack WINDLASS_SEED=17` plays that one history of that kind and tells it; `WINDLASS_SEEDS=2000` plays more
//! of them.

mod fleet;
mod image_builder;
mod instance;
mod stack;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::marker::PhantomData;
use std::time::Duration;

use kube::core::object::HasStatus;
use kube::{Resource, ResourceExt};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use simulator::{Fault, FaultEffect, Settings, Timings, World};
use tokio::time::sleep;

use windlass::api::DeletionPolicy;
use windlass::api::common::Common;
use windlass::engine::EngineSettings;
use windlass::plan::Status;
use windlass::plan::conditions;

use super::bench::{Bench, Freezer, Process, histories, history};
use super::kube::{KubeFault, KubeFaultEffect, Stored};

/// How many histories a run of the tests plays.
const SEEDS: u64 = 120;
/// Steps of a history.
const STEPS: usize = 30;
/// The names that objects and resources have.
const NAMES: [&str; 3] = ["ada", "bob", "cyd"];
const RESYNC: Duration = Duration::from_secs(120);
const UID: &str = "windlass.dev/uid";

/// One kind, as histories by chance play it.
trait Subject: 'static {
    /// Its objects.
    type Object: Stored + Clone + HasStatus<Status: Status>;
    /// Its name.
    const KIND: &'static str;
    /// The operations that errors befall.
    const OPERATIONS: &'static [&'static str];
    /// The errors of its service.
    const CODES: &'static [&'static str];

    /// How long AWS takes.
    fn timings() -> Timings;
    /// What is there before the history begins.
    fn begin(_bench: &Bench) {}
    /// A new object.
    fn object(name: &str) -> Self::Object;
    /// The fields that every kind has.
    fn common(object: &mut Self::Object) -> &mut Common;
    /// Changes a spec; what was changed.
    fn edit(rng: &mut StdRng, object: &mut Self::Object) -> String;
    /// What people do to the resource in AWS, whose reads lag behind or not; in words.
    fn meddle(rng: &mut StdRng, bench: &Bench, lags: bool, name: &str) -> String;
    /// Everything in AWS: names and tags.
    fn resources(world: &World) -> Vec<(String, BTreeMap<String, String>)>;
    /// Gives a resource these tags.
    fn retag(world: &World, name: &str, tags: BTreeMap<String, String>);
    /// Whoever holds something back lets it go.
    fn calm(_bench: &Bench, _name: &str) {}
    /// Why an object may stay as it is for ever.
    fn excused(_bench: &Bench, _object: &Self::Object) -> bool {
        false
    }
    /// What is wrong with the resource of an object that is called ready.
    fn differs(bench: &Bench, object: &Self::Object) -> Option<String>;
    /// What belongs to nobody when all objects are gone.
    fn left(_world: &World) -> Vec<String> {
        Vec::new()
    }
}

/// What happens in one step.
#[derive(Debug, Clone, Copy)]
enum Step {
    Create,
    Edit,
    Delete,
    Poke,
    Meddle,
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
    const ALL: [(Self, u32); 13] = [
        (Self::Create, 12),
        (Self::Edit, 14),
        (Self::Delete, 3),
        (Self::Poke, 2),
        (Self::Meddle, 22),
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
struct History<S> {
    subject: PhantomData<S>,
    rng: StdRng,
    bench: Bench,
    lag: Duration,
    /// Who leads.
    leader: Option<(Process, Freezer)>,
    /// Who led before, frozen or not, and does not know better until told.
    former: Vec<(Process, Freezer)>,
    /// Every uid that an object ever had, and whether its resource may stay when it is gone.
    uids: Vec<(String, bool)>,
    stripped: BTreeSet<String>,
    told: String,
    wrong: Vec<String>,
}

impl<S: Subject> History<S> {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let lag = Duration::from_secs(*[0, 0, 2, 20].choose(&mut rng).unwrap());
        let timings = S::timings();
        let settings = Settings { seed, timings, visibility_lag: lag, page_size: 2, ..Settings::default() };
        let engine = EngineSettings { resync: RESYNC, urgent_workers: 2, workers: 3, ..EngineSettings::default() };
        let bench = Bench::new(settings, engine);
        let watch = *[2, 2, 200, 4000].choose(&mut rng).unwrap();
        bench.cluster.watch_lag(Duration::from_millis(watch));
        S::begin(&bench);
        let mut history = Self {
            subject: PhantomData,
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

    fn object(&self, name: &str) -> Option<S::Object> {
        self.bench.cluster.get::<S::Object>(name)
    }

    fn tags(&self, name: &str) -> Option<BTreeMap<String, String>> {
        S::resources(&self.bench.world).into_iter().find(|(one, _)| one == name).map(|(_, tags)| tags)
    }

    async fn step(&mut self) {
        let (step, name) = (Step::any(&mut self.rng), self.name());
        self.tell(&format!("{step:?} {name}"));
        match step {
            Step::Create => self.create(name),
            Step::Edit => {
                let (mut what, rng) = (String::new(), &mut self.rng);
                self.bench.cluster.edit(name, |object: &mut S::Object| what = S::edit(rng, object));
                self.tell(&format!("  {what}"));
            }
            Step::Delete if self.object(name).is_none_or(|o| o.meta().deletion_timestamp.is_some()) => {}
            Step::Delete => {
                let keeps = self.rng.random_bool(0.2);
                self.bench.cluster.edit(name, |object: &mut S::Object| {
                    S::common(object).deletion_policy = keeps.then_some(DeletionPolicy::Retain);
                });
                let uid = self.object(name).and_then(|object| object.uid());
                for (_, may_stay) in self.uids.iter_mut().filter(|(known, _)| Some(known) == uid.as_ref()) {
                    *may_stay |= keeps;
                }
                self.bench.cluster.delete::<S::Object>(name);
            }
            Step::Poke => {
                let value = self.bench.now().to_string();
                self.bench.cluster.poke::<S::Object>(name, &value);
            }
            Step::Meddle => {
                let what = S::meddle(&mut self.rng, &self.bench, !self.lag.is_zero(), name);
                self.tell(&format!("  {what}"));
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
        if self.object(name).is_none() {
            self.bench.cluster.create(S::object(name));
            let uid = self.object(name).and_then(|object| object.uid()).unwrap();
            self.uids.push((uid, false));
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
        if let Some(mut tags) = self.tags(name)
            && let Some(uid) = tags.remove(UID)
        {
            tags.retain(|key, _| !key.starts_with("windlass.dev/"));
            S::retag(&self.bench.world, name, tags);
            self.stripped.insert(uid);
        }
        self.lead();
    }

    fn error_of_aws(&mut self) {
        let coded = |code: &str| FaultEffect::Coded { code: code.into(), message: "words".into(), status: 400 };
        let hang = Duration::from_secs(self.rng.random_range(1..40));
        let code = *S::CODES.choose(&mut self.rng).unwrap();
        let effects = [
            FaultEffect::Throttle,
            FaultEffect::ServerError,
            FaultEffect::Hang(hang),
            FaultEffect::AppliedThenHang(hang),
            FaultEffect::NotAppliedNoAnswer,
            FaultEffect::AppliedNoAnswer,
            FaultEffect::AppliedServerError,
            FaultEffect::AppliedHalfAnswer,
            coded(code),
            coded("AccessDeniedException"),
        ];
        let effect = effects.choose(&mut self.rng).unwrap().clone();
        let operation = *S::OPERATIONS.choose(&mut self.rng).unwrap();
        let nth = self.rng.random_range(1..3);
        self.tell(&format!("  {operation} {nth}: {effect:?}"));
        self.bench.world.script(Fault::nth(operation, nth, effect));
    }

    /// What must never be.
    fn check(&mut self) {
        let mut wrong: Vec<String> = self.bench.world.violations().iter().map(ToString::to_string).collect();
        let objects = self.bench.cluster.objects::<S::Object>();
        let living: BTreeSet<String> = objects.iter().filter_map(ResourceExt::uid).collect();
        let resources = S::resources(&self.bench.world);
        let owners: Vec<String> = resources.into_iter().filter_map(|(_, mut tags)| tags.remove(UID)).collect();
        for (uid, may_stay) in &self.uids {
            let owned = owners.iter().filter(|owner| *owner == uid).count();
            if owned > 1 {
                wrong.push(format!("{uid} owns {owned} resources"));
            }
            if owned > 0 && !living.contains(uid) && !may_stay {
                wrong.push(format!("{uid} was released, and its resource is there"));
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
            S::calm(&self.bench, name);
            self.bench.cluster.poke::<S::Object>(name, "the end");
        }
        sleep(Duration::from_secs(900)).await;
        self.check();
        let quiet_since = self.bench.now();
        sleep(RESYNC * 3).await;
        let kube = self.bench.cluster.writes().into_iter().filter(|w| w.at > quiet_since && w.what != "counts");
        let aws = self.bench.aws_writes().into_iter().filter(|w| w.at > quiet_since);
        let unrest: Vec<String> = kube.map(|w| format!("{w:?}")).chain(aws.map(|w| format!("{w:?}"))).collect();
        self.wrong.extend(unrest.into_iter().map(|write| format!("unrest at the end: {write}")));
        for object in self.bench.cluster.objects::<S::Object>() {
            let (name, uid) = (object.name_any(), object.uid().unwrap());
            let conditions = object.status().map(|status| status.conditions().to_vec()).unwrap_or_default();
            let ready = conditions::find(&conditions, "Ready").is_some_and(|c| c.status == "True");
            // Its resource lost its tags, or another one has its name.
            let alien = self.tags(&name).is_some_and(|tags| tags.get(UID) != Some(&uid));
            if !ready && !alien && !S::excused(&self.bench, &object) {
                self.wrong.push(format!("{name} never settled: {:?}", object.status()));
            }
            if let Some(what) = S::differs(&self.bench, &object).filter(|_| ready) {
                self.wrong.push(format!("{name} is called ready, and {what}"));
            }
        }
        self.tell("everything is deleted");
        for name in NAMES {
            self.bench.cluster.delete::<S::Object>(name);
            S::calm(&self.bench, name);
        }
        sleep(Duration::from_secs(600)).await;
        self.check();
        for object in self.bench.cluster.objects::<S::Object>() {
            // One that was ours and lost its tags is not deleted by guess.
            if !self.stripped.contains(&object.uid().unwrap()) {
                self.wrong.push(format!("{} never went: {:?}", object.name_any(), object.status()));
            }
        }
        if self.stripped.is_empty() {
            self.wrong.extend(S::left(&self.bench.world).into_iter().map(|what| format!("left in AWS: {what}")));
        }
    }
}

async fn play<S: Subject>(seed: u64) -> (Vec<String>, String) {
    let mut history = History::<S>::new(seed);
    for _ in 0..STEPS {
        history.step().await;
    }
    history.end().await;
    (history.wrong.clone(), history.story())
}

fn whatever_happens<S: Subject>(seeds: u64) {
    if std::env::var("WINDLASS_KIND").is_ok_and(|kind| kind != S::KIND) {
        return;
    }
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("WINDLASS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WINDLASS_SEEDS").unwrap_or(seeds),
    };
    let results = histories(seeds.collect(), |seed| {
        let seed = *seed;
        history(async move || play::<S>(seed).await)
    });
    let failed: Vec<&(u64, (Vec<String>, String))> =
        results.iter().filter(|(_, (wrong, _))| !wrong.is_empty()).collect();
    println!("histories by chance: {}: {} seeds, {} held", S::KIND, results.len(), results.len() - failed.len());
    for (seed, (wrong, _)) in &failed {
        println!("WINDLASS_KIND={} WINDLASS_SEED={seed}:\n  {}", S::KIND, wrong.join("\n  "));
    }
    if let [(_, (_, told))] = results.as_slice() {
        println!("{told}");
    }
    assert!(failed.is_empty(), "{} histories of {} failed", failed.len(), S::KIND);
}

#[test]
fn whatever_happens_to_fleets_nothing_leaks_nobody_is_thrown_out_and_everything_settles() {
    whatever_happens::<fleet::Fleets>(SEEDS);
}

#[test]
fn whatever_happens_to_stacks_nothing_leaks_nobody_is_thrown_out_and_everything_settles() {
    whatever_happens::<stack::Stacks>(SEEDS / 2);
}

#[test]
fn whatever_happens_to_image_builders_nothing_leaks_and_everything_settles() {
    whatever_happens::<image_builder::ImageBuilders>(SEEDS / 2);
}

#[test]
fn whatever_happens_to_instances_nothing_leaks_and_everything_settles() {
    whatever_happens::<instance::Instances>(SEEDS / 2);
}
