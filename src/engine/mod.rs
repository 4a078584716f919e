//! The engine: looks at every object of a kind, one pass at a time, and knows no kind by name.
//!
//! Watch events, waits and the resync put an object's id into the [`queue`]; a worker takes it out and makes a [`pass`].
//! Every effect goes through one of two ports ([`KubePort`] and [`crate::aws::AwsPort`]) and past the [`stage`], which numbers it.

pub mod events;
pub mod live;
pub mod memory;
pub mod outcome;
pub mod pass;
pub mod port;
pub mod queue;
pub mod stage;
pub mod sweep;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use futures::{FutureExt, Stream, StreamExt};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::core::object::HasStatus;
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

use memory::Memory;
use outcome::{Again, Outcome};
pub use port::{Id, KubeEffect, KubeError, KubePort, Sight};
use queue::Queue;
use stage::Stage;

/// How an engine runs.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// How often every object is looked at without an event.
    pub resync: Duration,
    /// Passes at once for events: edits and deletions never wait for routine looks.
    pub urgent_workers: usize,
    /// Passes at once for everything.
    pub workers: usize,
}

impl Default for EngineSettings {
    fn default() -> Self {
        // A pass mostly waits for AWS at 100 requests a second (`aws::gate`): some tens at once keep that busy.
        Self { resync: Duration::from_secs(60), urgent_workers: 16, workers: 32 }
    }
}

/// How long a pass may take: every await in it has a deadline of its own, this one is for what was forgotten.
const PASS_DEADLINE: Duration = Duration::from_secs(180);

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
    objects: Mutex<HashMap<Id, Arc<K::Object>>>,
    memories: Mutex<HashMap<Id, Memory<K>>>,
    leads: watch::Receiver<LeaseState>,
    started: Instant,
}

impl<K: Kind, P: KubePort<K>, A: AwsPort<K>> Engine<K, P, A> {
    /// An engine at rest. `leads` says whether this process may act, and since when.
    pub fn new(parts: Parts<P, A>, leads: watch::Receiver<LeaseState>) -> Arc<Self> {
        Arc::new(Self {
            parts,
            queue: Queue::default(),
            objects: Mutex::default(),
            memories: Mutex::default(),
            leads,
            started: Instant::now(),
        })
    }

    /// Runs until `sights` ends or the future is dropped. `synced` is called once, when every object has been seen.
    pub async fn run(
        self: Arc<Self>,
        sights: impl Stream<Item = Sight<K::Object>> + Send,
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
        loop {
            tokio::select! {
                sight = sights.next() => {
                    let Some(sight) = sight else { break };
                    let complete = matches!(sight, Sight::Complete(_));
                    self.see(sight);
                    if complete && let Some(synced) = synced.take() {
                        synced();
                    }
                }
                Ok(()) = leads.changed() => {
                    if self.leader_since().is_some() {
                        self.look_at_everything();
                    }
                }
            }
        }
        workers.shutdown().await;
    }

    /// Takes in what the watch shows.
    fn see(&self, sight: Sight<K::Object>) {
        match sight {
            Sight::There(object) => {
                let id = Id::of(object.as_ref());
                let before = lock(&self.objects).insert(id.clone(), Arc::clone(&object));
                self.count(before.as_deref(), Some(object.as_ref()));
                if let Some(urgency) = urgency::<K>(before.as_deref(), &object) {
                    self.demand(&id, urgency);
                }
            }
            Sight::Gone(id) => self.forget(&id),
            Sight::Complete(all) => {
                let gone: Vec<Id> = lock(&self.objects).keys().filter(|id| !all.contains(*id)).cloned().collect();
                gone.iter().for_each(|id| self.forget(id));
            }
        }
    }

    /// Something outside changed: a pass is due now, and it may rest on nothing older.
    fn demand(&self, id: &Id, urgency: Urgency) {
        let now = (self.parts.clock)();
        if urgency == Urgency::Urgent {
            let mut memories = lock(&self.memories);
            let memory = memories.entry(id.clone()).or_default();
            memory.not_before = Some(now);
        }
        self.queue.ask(id.clone(), Instant::now(), urgency);
    }

    fn forget(&self, id: &Id) {
        let before = lock(&self.objects).remove(id);
        lock(&self.memories).remove(id);
        self.queue.forget(id);
        self.count(before.as_deref(), None);
    }

    fn count(&self, before: Option<&K::Object>, after: Option<&K::Object>) {
        let conditions = |object: &K::Object| object.status().map(|s| s.conditions().to_vec()).unwrap_or_default();
        let Some(any) = after.or(before) else { return };
        let (namespace, name) = (any.namespace().unwrap_or_default(), any.name_any());
        self.parts.metrics.object(
            ObjectLabels { kind: K::NAME, namespace: &namespace, name: &name },
            &before.map(conditions).unwrap_or_default(),
            after.map(conditions).as_deref(),
        );
    }

    /// One worker: takes what is due, makes its pass, says when it is due again.
    async fn work(self: Arc<Self>, lane: Urgency) {
        let mut leads = self.leads.clone();
        loop {
            // Waiting for the lease here keeps every object due until somebody may act.
            if leads.wait_for(|state| *state != LeaseState::Standby).await.is_err() {
                return;
            }
            let (id, urgency) = self.queue.take(lane).await;
            self.parts.metrics.queue_depth(K::NAME, Urgency::Urgent, self.queue.depth(Urgency::Urgent));
            self.parts.metrics.queue_depth(K::NAME, Urgency::Routine, self.queue.depth(Urgency::Routine));
            let begun = Instant::now();
            let guarded = AssertUnwindSafe(self.pass(&id, urgency)).catch_unwind();
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
            self.queue.done(&id, self.due(&id, outcome.again));
        }
    }

    /// When an object is due again. What is settled is looked at with all others at the next resync, so that they share
    /// one read.
    fn due(&self, id: &Id, again: Again) -> Option<(Instant, Urgency)> {
        let now = Instant::now();
        match again {
            Again::Now => Some((now, Urgency::Urgent)),
            Again::After(wait) => Some((now + wait, Urgency::Routine)),
            Again::Resync { at_latest } => {
                let resync = self.parts.settings.resync.max(Duration::from_millis(1));
                let ticks = u32::try_from((now - self.started).as_nanos() / resync.as_nanos()).unwrap_or(u32::MAX - 1);
                let tick = self.started + resync * (ticks + 1);
                let mut memories = lock(&self.memories);
                if let Some(memory) = memories.get_mut(id) {
                    memory.not_before = None;
                }
                Some((at_latest.map_or(tick, |wait| tick.min(now + wait)), Urgency::Routine))
            }
            Again::Never => None,
        }
    }

    fn outcome_of_panic(&self, id: &Id) -> Outcome {
        let mut memories = lock(&self.memories);
        let memory = memories.entry(id.clone()).or_default();
        memory.panics = memory.panics.saturating_add(1);
        Outcome::after(PassOutcome::Panicked, outcome::quarantine(memory.panics))
    }

    /// The object as the watch last showed it.
    pub(crate) fn object(&self, id: &Id) -> Option<Arc<K::Object>> {
        lock(&self.objects).get(id).cloned()
    }

    /// Every object as the watch last showed it.
    pub(crate) fn everything(&self) -> Vec<Arc<K::Object>> {
        lock(&self.objects).values().cloned().collect()
    }

    pub(crate) fn parts(&self) -> &Parts<P, A> {
        &self.parts
    }

    /// Keeps what a write gave back, unless the watch has shown something newer or that the object is gone.
    pub(crate) fn keep(&self, object: Arc<K::Object>) {
        let id = Id::of(object.as_ref());
        let mut objects = lock(&self.objects);
        let Some(held) = objects.get(&id).cloned() else { return };
        if newer(object.as_ref(), held.as_ref()) {
            objects.insert(id, Arc::clone(&object));
            drop(objects);
            self.count(Some(held.as_ref()), Some(object.as_ref()));
        }
    }

    pub(crate) fn with_memory<T>(&self, id: &Id, change: impl FnOnce(&mut Memory<K>) -> T) -> T {
        change(lock(&self.memories).entry(id.clone()).or_default())
    }

    pub(crate) fn leader_since(&self) -> Option<Timestamp> {
        match *self.leads.borrow() {
            LeaseState::Held { taken_at } => Some(taken_at),
            LeaseState::Standby => None,
        }
    }

    /// Everything is due: after the lease was taken, whoever had it before may have left anything behind.
    pub fn look_at_everything(&self) {
        let ids: Vec<Id> = lock(&self.objects).keys().cloned().collect();
        info!(kind = K::NAME, objects = ids.len(), "looking at every object");
        for id in ids {
            self.demand(&id, Urgency::Routine);
        }
    }
}

/// Whether an event asks for a pass: a new object, generation, deletion or annotation of ours does; what we wrote ourselves
/// does not.
fn urgency<K: Kind>(before: Option<&K::Object>, after: &K::Object) -> Option<Urgency> {
    let meta = after.meta();
    match before {
        // First seen: an edit that nobody has acted on goes before what is as it was.
        None => {
            let handled = after.status().and_then(|s| s.conditions().first()).and_then(|c| c.observed_generation);
            let pending = handled != meta.generation || meta.deletion_timestamp.is_some();
            Some(if pending { Urgency::Urgent } else { Urgency::Routine })
        }
        Some(before) => {
            let was = before.meta();
            let annotation = |object: &K::Object, key: &str| object.annotations().get(key).cloned();
            let changed = was.uid != meta.uid
                || was.generation != meta.generation
                || was.deletion_timestamp.is_some() != meta.deletion_timestamp.is_some()
                || [PAUSED, RECONCILE_REQUESTED_AT]
                    .into_iter()
                    .any(|key| annotation(before, key) != annotation(after, key));
            changed.then_some(Urgency::Urgent)
        }
    }
}

/// Resource versions of etcd grow; where they are no numbers, the write is the newer one.
fn newer<O: kube::Resource>(one: &O, other: &O) -> bool {
    let version = |object: &O| object.resource_version().and_then(|v| v.parse::<u64>().ok());
    match (version(one), version(other)) {
        (Some(one), Some(other)) => one > other,
        (Some(_) | None, None) | (None, Some(_)) => true,
    }
}

/// A lock whose holder panicked is still good: every change under it is one assignment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
