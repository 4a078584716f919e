//! The engine: looks at every object of a kind, one pass at a time, and knows no kind by name.
//!
//! Watch events, waits and the resync put an object's id into the [`queue`]; a worker takes it out and makes a [`pass`].
//! Every effect goes through one of two ports ([`KubePort`] and [`crate::aws::AwsPort`]) and past the [`stage`], which numbers it.

mod effects;
pub mod events;
pub mod live;
pub mod memory;
pub mod outcome;
pub mod pass;
pub mod port;
pub mod queue;
pub mod stage;
pub mod sweep;

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::object::HasStatus;
use kube::{Resource, ResourceExt};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};

use crate::api::{PAUSED, RECONCILE_REQUESTED_AT};
use crate::aws::gate::Urgency;
use crate::aws::{AwsPort, Leave};
use crate::lease::LeaseState;
use crate::plan::{Kind, News, Status};
use crate::telemetry::labels::PassOutcome;
use crate::telemetry::metrics::{Metrics, ObjectLabels};

use memory::{Held, Hold, Memory};
use outcome::{Again, Outcome};
pub use port::{Id, KubeEffect, KubeError, KubePort, Sight};
use queue::Queue;
use stage::Stage;

/// How an engine runs.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// How often every object is looked at without an event.
    pub resync: Duration,
    /// The namespaces that are watched; empty means all.
    pub namespaces: Vec<String>,
    /// Passes at once for events: edits and deletions never wait for routine looks.
    pub urgent_workers: usize,
    /// Passes at once for everything.
    pub workers: usize,
}

impl Default for EngineSettings {
    fn default() -> Self {
        // A pass mostly waits for AWS, which answers in 50 to 200 ms, at 100 requests a second (`aws::gate`): two dozen at once
        // keep that busy, and each keeps a connection with its buffers.
        Self { resync: Duration::from_secs(60), namespaces: Vec::new(), urgent_workers: 8, workers: 16 }
    }
}

/// How long a pass may take: every await in it has a deadline of its own, this one is for what was forgotten.
const PASS_DEADLINE: Duration = Duration::from_secs(180);

/// How long the watch may be behind what a write or read of our own gave back; then the watch is right again (an API
/// server that was restored from a backup has older versions).
const AHEAD: Duration = Duration::from_secs(60);
/// How often the queue's figures are told: as often as Prometheus commonly asks.
const FIGURES: Duration = Duration::from_secs(15);

/// What an engine is made of.
pub struct Parts<P, A> {
    /// The way to the API server.
    pub kube: P,
    /// The way to AWS.
    pub aws: A,
    /// Whether this process may write.
    pub leave: Arc<dyn Leave>,
    /// The time.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Chance between 0 and 1, for jitter.
    pub chance: Arc<dyn Fn() -> f64 + Send + Sync>,
    /// Where news for people goes.
    pub herald: Arc<dyn Herald>,
    /// Where effects are numbered.
    pub stage: Stage,
    /// Where figures go.
    pub metrics: Metrics,
    /// How it runs.
    pub settings: EngineSettings,
}

/// Takes news for people, without waiting.
pub trait Herald: Send + Sync + 'static {
    /// Says it, or drops it.
    fn tell(&self, about: &ObjectReference, news: News);
}

/// One kind's engine.
pub struct Engine<K: Kind, P, A> {
    parts: Parts<P, A>,
    queue: Queue,
    objects: Mutex<HashMap<Id, Held<K>>>,
    leads: watch::Receiver<LeaseState>,
    draining: watch::Sender<bool>,
    started: Instant,
}

impl<K: Kind, P: KubePort<K>, A: AwsPort<K>> Engine<K, P, A> {
    /// An engine at rest. `leads` says whether this process may act, and since when.
    pub fn new(parts: Parts<P, A>, leads: watch::Receiver<LeaseState>) -> Arc<Self> {
        Arc::new(Self {
            parts,
            queue: Queue::default(),
            objects: Mutex::default(),
            leads,
            draining: watch::Sender::new(false),
            started: Instant::now(),
        })
    }

    /// Runs until [`Engine::drain`] and the passes under way have ended, or `sights` ends. `synced` is called once, when each
    /// of the `lists` that `sights` is made of has been complete.
    pub async fn run(
        self: Arc<Self>,
        sights: impl Stream<Item = Sight<K::Object>> + Send,
        lists: usize,
        synced: impl FnOnce() + Send,
    ) {
        let mut workers = JoinSet::new();
        for n in 0..self.parts.settings.urgent_workers + self.parts.settings.workers {
            let lane = if n < self.parts.settings.urgent_workers { Urgency::Urgent } else { Urgency::Routine };
            workers.spawn(Arc::clone(&self).work(lane));
        }
        let mut synced = Some(synced);
        let mut sights = std::pin::pin!(sights);
        let mut leads = self.leads.clone();
        let mut draining = self.draining.subscribe();
        let mut complete = HashSet::new();
        let mut figures = tokio::time::interval(FIGURES);
        loop {
            tokio::select! {
                sight = sights.next() => {
                    let Some(sight) = sight else { break };
                    if let Sight::Complete { within, .. } = &sight {
                        complete.insert(within.clone());
                    }
                    self.see(sight);
                    if complete.len() >= lists && let Some(synced) = synced.take() {
                        synced();
                    }
                }
                Ok(()) = leads.changed() => {
                    if self.leader_since().is_some() {
                        self.look_at_everything();
                    }
                }
                _ = figures.tick() => self.tell_figures(),
                _ = draining.wait_for(|draining| *draining) => break,
            }
        }
        self.drain();
        while workers.join_next().await.is_some() {}
    }

    /// Begins no more passes; [`Engine::run`] ends with the last one under way.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Takes in what the watch shows.
    fn see(&self, sight: Sight<K::Object>) {
        match sight {
            Sight::There(object) => self.take_in(Id::of(object.as_ref()), object),
            Sight::Gone(id) => self.forget(&id),
            Sight::Complete { within, all } => {
                let listed = |id: &Id| within.as_ref().is_none_or(|namespace| *namespace == id.namespace);
                let gone: Vec<Id> =
                    lock(&self.objects).keys().filter(|id| listed(id) && !all.contains(*id)).cloned().collect();
                gone.iter().for_each(|id| self.forget(id));
            }
        }
    }

    fn take_in(&self, id: Id, object: Arc<K::Object>) {
        let now = (self.parts.clock)();
        let mut objects = lock(&self.objects);
        let (before, event) = match objects.get_mut(&id) {
            None => {
                let event = Some(first_seen::<K>(&object));
                let memory = Memory { not_before: Some(now), ..Memory::default() };
                objects.insert(id.clone(), Held { object: Arc::clone(&object), ahead: None, memory });
                (None, event)
            }
            Some(held) => {
                let same = held.object.meta().uid == object.meta().uid;
                let behind =
                    same && held.ahead.is_some_and(|at| at.elapsed() < AHEAD) && newer(&*held.object, &*object);
                if behind {
                    return;
                }
                let before = std::mem::replace(&mut held.object, Arc::clone(&object));
                held.ahead = None;
                if !same {
                    held.memory = held.memory.for_another();
                }
                let edited = edited::<K>(&before, &object);
                if edited {
                    held.memory.not_before = Some(now);
                    held.memory.edited();
                }
                if requested(&*before) != requested(&*object) {
                    // Somebody asks for a pass: what failed before is tried again.
                    held.memory.write_failure = None;
                }
                (Some(before), edited.then_some(Urgency::Urgent))
            }
        };
        drop(objects);
        self.count(before.as_deref(), Some(&*object));
        if let Some(urgency) = event {
            self.queue.ask(id, Instant::now(), urgency);
        }
    }

    fn forget(&self, id: &Id) {
        let before = lock(&self.objects).remove(id);
        self.queue.forget(id);
        self.count(before.as_ref().map(|held| &*held.object), None);
    }

    fn count(&self, before: Option<&K::Object>, after: Option<&K::Object>) {
        fn conditions<O: HasStatus<Status: Status>>(object: &O) -> &[Condition] {
            object.status().map(Status::conditions).unwrap_or_default()
        }
        let Some(any) = after.or(before) else { return };
        let meta = any.meta();
        self.parts.metrics.object(
            ObjectLabels {
                kind: K::NAME,
                namespace: meta.namespace.as_deref().unwrap_or_default(),
                name: meta.name.as_deref().unwrap_or_default(),
            },
            before.map(conditions).unwrap_or_default(),
            after.map(conditions),
        );
    }

    fn tell_figures(&self) {
        for lane in [Urgency::Urgent, Urgency::Routine] {
            self.parts.metrics.queue_depth(K::NAME, lane, self.queue.depth(lane));
        }
        let oldest = lock(&self.objects).values().filter_map(|held| held.memory.looked).min();
        let age = oldest.map(|at| (self.parts.clock)().duration_since(at).unsigned_abs()).unwrap_or_default();
        self.parts.metrics.oldest_look(K::NAME, age);
    }

    /// One worker: takes what is due, makes its pass, says when it is due again.
    async fn work(self: Arc<Self>, lane: Urgency) {
        let mut leads = self.leads.clone();
        let mut draining = self.draining.subscribe();
        loop {
            // Waiting for the lease first keeps every object due until this process may act.
            let due = async {
                leads.wait_for(|state| *state != LeaseState::Standby).await.ok()?;
                Some(self.queue.take(lane).await)
            };
            let taken = tokio::select! {
                biased;
                _ = draining.wait_for(|draining| *draining) => None,
                taken = due => taken,
            };
            let Some((id, urgency)) = taken else { return };
            let begun = Instant::now();
            // Boxed: a pass that waits in every idle worker would cost 100 KiB each.
            let guarded = AssertUnwindSafe(Box::pin(self.pass(&id, urgency))).catch_unwind();
            let outcome = match timeout(PASS_DEADLINE, guarded).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => {
                    error!(kind = K::NAME, object = %id, "the pass panicked; the object is left alone for a while");
                    self.outcome_of_panic(&id)
                }
                Err(_) => {
                    warn!(kind = K::NAME, object = %id, "the pass did not end by its deadline");
                    Outcome::after(PassOutcome::TimedOut, Duration::from_secs(10))
                }
            };
            self.parts.metrics.pass(K::NAME, outcome.what, begun.elapsed());
            self.queue.done(&id, self.due(outcome.again, urgency));
        }
    }

    /// When an object is due again. What is settled is looked at with all others at the next resync, so that they share
    /// one read.
    fn due(&self, again: Again, urgency: Urgency) -> Option<(Instant, Urgency)> {
        let now = Instant::now();
        match again {
            Again::Now => Some((now, urgency)),
            Again::After(wait) => Some((now + wait, Urgency::Routine)),
            Again::Resync { at_latest } => {
                let resync = self.parts.settings.resync.max(Duration::from_millis(1));
                let ticks = u32::try_from((now - self.started).as_nanos() / resync.as_nanos()).unwrap_or(u32::MAX - 1);
                let tick = self.started + resync * (ticks + 1);
                Some((at_latest.map_or(tick, |wait| tick.min(now + wait)), Urgency::Routine))
            }
            Again::Never => None,
        }
    }

    fn outcome_of_panic(&self, id: &Id) -> Outcome {
        let uid = self.object(id).and_then(|object| object.uid());
        let wait = self.with_memory(id, uid.as_deref(), |memory| {
            memory.panics = memory.panics.saturating_add(1);
            let wait = outcome::quarantine(memory.panics);
            memory.hold = Some(Hold { until: Instant::now() + wait, ends_with_edit: true });
            wait
        });
        Outcome::after(PassOutcome::Panicked, wait)
    }

    /// The object as this process knows it.
    pub(crate) fn object(&self, id: &Id) -> Option<Arc<K::Object>> {
        lock(&self.objects).get(id).map(|held| Arc::clone(&held.object))
    }

    /// Every object as this process knows it.
    pub(crate) fn everything(&self) -> Vec<Arc<K::Object>> {
        lock(&self.objects).values().map(|held| Arc::clone(&held.object)).collect()
    }

    pub(crate) fn parts(&self) -> &Parts<P, A> {
        &self.parts
    }

    /// Keeps what a write or read of our own gave back, unless the watch has shown something newer, or that the object is
    /// gone.
    fn keep(&self, id: &Id, object: &Arc<K::Object>) {
        let mut objects = lock(&self.objects);
        let Some(held) = objects.get_mut(id) else { return };
        if held.object.meta().uid != object.meta().uid || !newer(&**object, &*held.object) {
            return;
        }
        // An edit that the watch has not shown yet counts as seen when it does.
        if edited::<K>(&held.object, object) {
            held.memory.not_before = Some((self.parts.clock)());
            held.memory.edited();
        }
        let before = std::mem::replace(&mut held.object, Arc::clone(object));
        held.ahead = Some(Instant::now());
        drop(objects);
        self.count(Some(&*before), Some(&**object));
    }

    /// What is remembered of an object; nothing is, once it is gone or another one has its name.
    fn with_memory<T>(&self, id: &Id, uid: Option<&str>, change: impl FnOnce(&mut Memory<K>) -> T) -> T {
        match lock(&self.objects).get_mut(id).filter(|held| held.object.meta().uid.as_deref() == uid) {
            Some(held) => change(&mut held.memory),
            None => change(&mut Memory::default()),
        }
    }

    pub(crate) fn leader_since(&self) -> Option<Timestamp> {
        match *self.leads.borrow() {
            LeaseState::Held { taken_at } => Some(taken_at),
            LeaseState::Standby => None,
        }
    }

    /// Everything is due: after the lease was taken, whoever had it before may have left anything behind.
    pub fn look_at_everything(&self) {
        let now = (self.parts.clock)();
        let ids: Vec<Id> = {
            let mut objects = lock(&self.objects);
            objects.values_mut().for_each(|held| held.memory.not_before = Some(now));
            objects.keys().cloned().collect()
        };
        info!(kind = K::NAME, objects = ids.len(), "looking at every object");
        for id in ids {
            self.queue.ask(id, Instant::now(), Urgency::Routine);
        }
    }
}

/// What nobody has acted on yet goes before what is as it was; a new object does not: many come at once, and one shared
/// read answers for all of them.
fn first_seen<K: Kind>(object: &K::Object) -> Urgency {
    let meta = object.meta();
    let handled = object.status().and_then(|s| s.conditions().first()).and_then(|c| c.observed_generation);
    match handled.is_some() && handled != meta.generation || meta.deletion_timestamp.is_some() {
        true => Urgency::Urgent,
        false => Urgency::Routine,
    }
}

/// Whether somebody asks for something: another object, a generation, a deletion or an annotation of ours; what we wrote
/// ourselves asks for nothing.
fn edited<K: Kind>(before: &K::Object, after: &K::Object) -> bool {
    let (was, is) = (before.meta(), after.meta());
    was.uid != is.uid
        || was.generation != is.generation
        || was.deletion_timestamp.is_some() != is.deletion_timestamp.is_some()
        || before.annotations().get(PAUSED) != after.annotations().get(PAUSED)
        || requested(before) != requested(after)
}

fn requested(object: &impl Resource) -> Option<&String> {
    object.annotations().get(RECONCILE_REQUESTED_AT)
}

/// Resource versions of etcd grow; where they are no numbers, the first is taken for the newer one.
fn newer<O: Resource>(one: &O, other: &O) -> bool {
    let version = |object: &O| object.meta().resource_version.as_deref().and_then(|v| v.parse::<u64>().ok());
    match (version(one), version(other)) {
        (Some(one), Some(other)) => one > other,
        (Some(_) | None, None) | (None, Some(_)) => true,
    }
}

/// A lock whose holder panicked is still good: every change under it is one assignment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
