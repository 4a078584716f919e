//! The engine: looks at every object of a kind, one pass at a time, and knows no kind by name.
//!
//! Watch events, waits and the resync put an object's id into the [`queue`]; a worker takes it out and makes a [`pass`].
//! Every effect goes through one of two ports ([`KubePort`] and [`crate::aws::AwsPort`]) and past the [`stage`], which numbers it.

mod effects;
pub mod events;
pub mod live;
mod live_secrets;
pub mod memory;
pub mod neighbourhood;
mod objects;
pub mod outcome;
pub mod pass;
pub mod port;
mod pulse;
pub mod queue;
mod secrets;
pub mod stage;
pub mod sweep;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::ResourceExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::{Instrument, error, info, warn};

use crate::api::Region;
use crate::aws::gate::Urgency;
use crate::aws::{AwsPort, Leave};
use crate::lease::LeaseState;
use crate::plan::{Kind, News, Scope};
use crate::telemetry::labels::PassOutcome;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::probes::Stuck;
use crate::telemetry::traces;

use memory::{Held, Hold};
use neighbourhood::{Neighbourhood, Residents};
use outcome::{Again, Outcome};
use port::KUBE_DEADLINE;
pub use port::{Id, KubeEffect, KubeError, KubePort, Sight, Unreadable};
use pulse::Pulse;
use queue::Queue;
use secrets::Secrets;
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
        // A pass mostly waits for AWS, which answers in 50 to 200 ms, at 100 requests a second (`aws::gate`): a score at once
        // keep that busy, and each keeps a connection with its buffers.
        Self { resync: Duration::from_secs(60), namespaces: Vec::new(), urgent_workers: 8, workers: 12 }
    }
}

/// How long a pass may take: every await in it has a deadline of its own, this one is for what was forgotten.
const PASS_DEADLINE: Duration = Duration::from_secs(180);

/// Workers for nothing but Secrets that have to go: none of them ever waits for AWS, so that a hundred ends at once are over
/// in a few seconds while AWS answers nobody.
const ENDS: usize = 4;

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
    /// What the engines of this process know of each other: the same one for all of them.
    pub neighbourhood: Arc<Neighbourhood>,
    /// How it runs.
    pub settings: EngineSettings,
}

/// Takes news for people, without waiting.
pub trait Herald: Send + Sync + 'static {
    /// Says it, or drops it.
    fn tell(&self, about: &ObjectReference, news: News);
}

/// What a worker does.
#[derive(Debug, Clone, Copy)]
enum Duty {
    /// What is due in this lane.
    Due(Urgency),
    /// Secrets that have to go.
    Ends,
}

/// One kind's engine.
pub struct Engine<K: Kind, P, A> {
    parts: Parts<P, A>,
    queue: Queue,
    /// Boxed: a table of a thousand has room for twice as many, and what is remembered of an object is 600 bytes.
    objects: Mutex<HashMap<Id, Box<Held<K>>>>,
    /// What is there and cannot be read; what it was before stays in `objects`.
    unreadable: Mutex<HashMap<Id, Unreadable>>,
    secrets: Secrets,
    complete: AtomicBool,
    leads: watch::Receiver<LeaseState>,
    draining: watch::Sender<bool>,
    started: Instant,
    pulse: Pulse,
    /// Where objects have lived since this process began, for the sweeper: one scope for each account and Region.
    places: Mutex<BTreeMap<(String, Region), Scope>>,
}

impl<K: Kind, P: KubePort<K>, A: AwsPort<K>> Engine<K, P, A> {
    /// An engine at rest. `leads` says whether this process may act, and since when.
    pub fn new(parts: Parts<P, A>, leads: watch::Receiver<LeaseState>) -> Arc<Self> {
        let workers = parts.settings.urgent_workers + parts.settings.workers;
        let engine = Arc::new(Self {
            parts,
            queue: Queue::default(),
            objects: Mutex::default(),
            unreadable: Mutex::default(),
            secrets: Secrets::default(),
            complete: AtomicBool::new(false),
            leads,
            draining: watch::Sender::new(false),
            started: Instant::now(),
            pulse: Pulse::new(workers),
            places: Mutex::default(),
        });
        let weak: Weak<Self> = Arc::downgrade(&engine);
        let weak: Weak<dyn Residents> = weak;
        engine.parts.neighbourhood.join(K::NAME, weak);
        engine.parts.metrics.serve(K::NAME);
        engine
    }

    /// Runs until [`Engine::drain`] and the passes under way have ended, or `sights` ends. `synced` is called once, when each
    /// of the `lists` that `sights` is made of has been complete.
    pub async fn run(
        self: Arc<Self>,
        sights: impl Stream<Item = Sight<K::Object>> + Send,
        lists: usize,
        synced: impl FnOnce() + Send,
    ) {
        let (mut workers, mut secrets) = (JoinSet::new(), JoinSet::new());
        let (urgent, all) =
            (self.parts.settings.urgent_workers, self.parts.settings.urgent_workers + self.parts.settings.workers);
        for n in 0..all + ENDS {
            let duty = match n {
                n if n < urgent => Duty::Due(Urgency::Urgent),
                n if n < all => Duty::Due(Urgency::Routine),
                _ => Duty::Ends,
            };
            workers.spawn(Arc::clone(&self).work(n, duty));
        }
        let mut synced = Some(synced);
        let mut sights = std::pin::pin!(sights);
        let mut leads = self.leads.clone();
        let mut draining = self.draining.subscribe();
        let mut complete = HashSet::new();
        let mut figures = tokio::time::interval(FIGURES);
        loop {
            self.pulse.turn();
            tokio::select! {
                sight = sights.next() => {
                    let Some(sight) = sight else { break };
                    if let Sight::Complete { within, .. } = &sight {
                        complete.insert(within.clone());
                    }
                    self.see(sight);
                    for namespace in self.secrets.unwatched() {
                        secrets.spawn(Arc::clone(&self).watch_secrets(namespace));
                        // Those that have ended are put away.
                        while secrets.try_join_next().is_some() {}
                    }
                    if complete.len() >= lists && let Some(synced) = synced.take() {
                        self.complete.store(true, Ordering::Relaxed);
                        self.parts.neighbourhood.complete(K::NAME);
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
        while secrets.join_next().await.is_some() {}
    }

    /// Whether each of the lists that its objects come from has been complete.
    fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// What of this engine has not turned for too long.
    pub fn stuck(&self) -> Option<Stuck> {
        self.pulse.stuck(K::NAME)
    }

    /// Begins no more passes; [`Engine::run`] ends with the last one under way.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    fn tell_figures(&self) {
        for lane in [Urgency::Urgent, Urgency::Routine] {
            self.parts.metrics.queue_depth(K::NAME, lane, self.queue.depth(lane));
        }
        self.parts.metrics.unreadable(K::NAME, lock(&self.unreadable).len());
        let oldest = lock(&self.objects).values().filter_map(|held| held.memory.looked).min();
        let age = oldest.map(|at| (self.parts.clock)().duration_since(at).unsigned_abs()).unwrap_or_default();
        self.parts.metrics.oldest_look(K::NAME, age);
    }

    /// One worker: takes what is due, makes its pass, says when it is due again.
    async fn work(self: Arc<Self>, n: usize, duty: Duty) {
        // Those for ends have no pulse: they are idle nearly always, and no sign that the others are not stuck.
        let worker = self.pulse.worker(n);
        let mut leads = self.leads.clone();
        let mut draining = self.draining.subscribe();
        loop {
            // Waiting for the lease first keeps every object due until this process may act.
            let due = async {
                leads.wait_for(|state| *state != LeaseState::Standby).await.ok()?;
                Some(match duty {
                    Duty::Due(lane) => self.queue.take(lane).await,
                    Duty::Ends => (self.queue.take_end(&*self.parts.clock).await, Urgency::Urgent),
                })
            };
            let taken = tokio::select! {
                biased;
                _ = draining.wait_for(|draining| *draining) => None,
                taken = due => taken,
            };
            let Some((id, urgency)) = taken else { return };
            let begun = Instant::now();
            worker.begin();
            // Boxed: a pass that waits in every idle worker would cost 100 KiB each.
            let span = traces::pass(K::NAME, &id.namespace, &id.name, urgency);
            let guarded = AssertUnwindSafe(Box::pin(self.pass(&id, urgency).instrument(span.clone()))).catch_unwind();
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
            traces::ended(&span, outcome.what);
            drop(span);
            self.parts.metrics.pass(K::NAME, outcome.what, begun.elapsed());
            if outcome.what.is_success() {
                self.parts.metrics.succeeded(objects::labels::<K>(&id), (self.parts.clock)());
            }
            self.mind_end(&id, outcome.again);
            self.queue.done(&id, self.due(outcome.again, urgency));
            worker.end();
        }
    }

    /// When the object's Secret has to go, as a pass has left it.
    fn mind_end(&self, id: &Id, again: Again) {
        let now = (self.parts.clock)();
        let ends = lock(&self.objects).get(id).and_then(|held| K::ends(&held.object));
        let next = match (ends, again) {
            (Some(at), _) if at > now => Some(at),
            // It had to go, and something was in the way.
            (Some(_), Again::Now) => Some(now),
            (Some(_), Again::After(wait)) => now.checked_add(wait).ok(),
            (Some(_), Again::Resync { .. } | Again::Never) | (None, _) => None,
        };
        self.queue.ends(id, next);
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

    pub(crate) fn parts(&self) -> &Parts<P, A> {
        &self.parts
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
        let unreadable = lock(&self.unreadable).clone();
        let ids: Vec<(Id, Option<Timestamp>)> = {
            let mut objects = lock(&self.objects);
            objects.values_mut().for_each(|held| held.memory.not_before = Some(now));
            let readable = objects.iter().filter(|(id, _)| !unreadable.contains_key(id));
            readable.map(|(id, held)| (id.clone(), K::ends(&held.object))).collect()
        };
        unreadable.values().for_each(|unreadable| self.tell_unreadable(unreadable));
        info!(kind = K::NAME, objects = ids.len(), "looking at every object");
        for (id, ends) in ids {
            self.queue.ends(&id, ends);
            self.queue.ask(id, Instant::now(), Urgency::Routine);
        }
    }
}

impl<K: Kind, P: KubePort<K>, A: AwsPort<K>> Engine<K, P, A> {
    /// Looks at every object of which this holds, since something that it rests on outside of the cluster's objects of any
    /// kind has changed: what was refused for good may have been refused for what was. How many they are.
    pub fn look_again_where(&self, changed: impl Fn(&K::Object) -> bool) -> usize {
        let now = (self.parts.clock)();
        let due: Vec<Id> = {
            let mut objects = lock(&self.objects);
            let hit = objects.iter_mut().filter(|(_, held)| changed(&held.object));
            hit.map(|(id, held)| {
                held.memory.not_before = Some(now);
                held.memory.edited();
                held.memory.write_failure.take_if(|failure| failure.class.is_final());
                id.clone()
            })
            .collect()
        };
        // They may be thousands: none of them goes before an edit.
        for id in due.iter().filter(|id| self.object(id).is_some()) {
            self.queue.ask(id.clone(), Instant::now(), Urgency::Routine);
        }
        due.len()
    }
}

/// A lock whose holder panicked is still good: every change under it is one assignment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
