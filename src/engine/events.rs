//! Kubernetes Events (`events.k8s.io/v1`): what a person wants to be told about an object.
//!
//! Telling never waits: news go into a bounded queue, and one task posts them. The same news of the same object within
//! an hour become one Event with a series. kube's own recorder would do neither, and it merges news whose notes differ.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::Status;
use kube::core::response::StatusCause;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::api::FIELD_MANAGER;
use crate::plan::News;
use crate::telemetry::Metrics;
use crate::telemetry::labels::EventOutcome;

/// Where passes leave news. Clones share one queue; when the last is dropped, [`Poster::run`] ends.
#[derive(Debug, Clone)]
pub struct Events {
    queue: mpsc::Sender<Told>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Told {
    about: ObjectReference,
    news: News,
}

impl Events {
    /// Leaves news about an object. Never waits and never fails: what cannot be told is counted.
    pub fn tell(&self, about: &ObjectReference, news: News) {
        if self.queue.try_send(Told { about: about.clone(), news }).is_err() {
            self.metrics.event(EventOutcome::Dropped);
        }
    }
}

/// The two requests that events need.
pub trait EventApi: Send + Sync + 'static {
    /// Makes an Event in its namespace.
    fn create(&self, event: &Event) -> impl Future<Output = Result<(), kube::Error>> + Send;
    /// Writes the series of an Event: how often, and when last. `Ok(false)` when there is no such Event any more.
    fn repeat(
        &self,
        namespace: &str,
        name: &str,
        count: i32,
        last: Timestamp,
    ) -> impl Future<Output = Result<bool, kube::Error>> + Send;
}

/// Events in a cluster.
pub struct ClusterEvents(pub kube::Client);

impl EventApi for ClusterEvents {
    async fn create(&self, event: &Event) -> Result<(), kube::Error> {
        let namespace = event.metadata.namespace.as_deref().unwrap_or(CLUSTER_SCOPED);
        let events: Api<Event> = Api::namespaced(self.0.clone(), namespace);
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        events.create(&parameters, event).await.map(drop)
    }

    async fn repeat(&self, namespace: &str, name: &str, count: i32, last: Timestamp) -> Result<bool, kube::Error> {
        let events: Api<Event> = Api::namespaced(self.0.clone(), namespace);
        let series = json!({ "series": { "count": count, "lastObservedTime": MicroTime(last) } });
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        match events.patch(name, &parameters, &Patch::Merge(&series)).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The task that posts.
pub struct Poster<A> {
    api: A,
    queue: mpsc::Receiver<Told>,
    identity: String,
    clock: fn() -> Timestamp,
    metrics: Metrics,
    said: HashMap<Key, Said>,
    budgets: HashMap<String, Budget>,
}

/// The same news: object, reason and note, as what they hash to. Thousands are remembered, and their texts would be a few
/// hundred bytes each; that two of 4096 have one hash of 64 bits is less likely than that memory errs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key(u64);

impl Key {
    fn of(uid: &str, reason: &str, note: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (uid, reason, note).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// An Event that we posted.
#[derive(Debug)]
struct Said {
    namespace: String,
    name: String,
    count: i32,
    written: Instant,
}

/// What is left of an object's allowance.
#[derive(Debug, Clone, Copy)]
struct Budget {
    left: f64,
    at: Instant,
}

/// Where the Events of cluster-scoped objects live, by Kubernetes' convention.
const CLUSTER_SCOPED: &str = "default";
/// News that may wait: one for each of a thousand objects that appear at once, at some 500 bytes each.
const QUEUE: usize = 1024;
/// How long Events live (`--event-ttl` of kube-apiserver is 1 h), so how long the same news are the same Event.
const SAME: Duration = Duration::from_secs(3600);
/// A series is written again after this time (`refreshTime` of client-go's event broadcaster), counted in between.
const REFRESH: Duration = Duration::from_secs(30 * 60);
/// Writes for one object at once, then one in [`REFILL`]: client-go's spam filter (`defaultSpamBurst`, `defaultSpamQPS`).
const BURST: f64 = 25.0;
/// See [`BURST`].
const REFILL: Duration = Duration::from_secs(300);
/// How many Events and objects are remembered: `maxLruCacheEntries` of client-go's event cache.
const REMEMBERED: usize = 4096;
/// One request. The client has a deadline of its own; this one holds for every client.
const REQUEST: Duration = Duration::from_secs(10);
/// The API server's bound for a note, in bytes (validation of events.k8s.io/v1).
const NOTE: usize = 1024;
/// The API server's bound for `reason`, `action` and `reportingInstance`, in bytes.
const WORD: usize = 128;
/// An object's name in an Event's name: 253 for both, a dot, and 16 digits of time.
const NAME: usize = 253 - 17;
/// Who reports, as a qualified name.
const REPORTER: &str = "windlass.dev/windlass";

/// A queue for news and the task that posts them. `identity` is this process's.
pub fn events<A: EventApi>(
    api: A,
    identity: String,
    clock: fn() -> Timestamp,
    metrics: Metrics,
) -> (Events, Poster<A>) {
    let (sender, queue) = mpsc::channel(QUEUE);
    let poster = Poster {
        api,
        queue,
        identity: cut(&identity, WORD).to_owned(),
        clock,
        metrics: metrics.clone(),
        said: HashMap::new(),
        budgets: HashMap::new(),
    };
    (Events { queue: sender, metrics }, poster)
}

impl<A: EventApi> Poster<A> {
    /// Posts until every [`Events`] is dropped and the queue is empty. Give it a bound at the end of the process.
    pub async fn run(mut self) {
        while let Some(Told { about, news }) = self.queue.recv().await {
            let outcome = self.post(&about, news).await;
            self.metrics.event(outcome);
        }
    }

    async fn post(&mut self, about: &ObjectReference, news: News) -> EventOutcome {
        let now = Instant::now();
        let uid = about.uid.as_deref().unwrap_or_default();
        let note = cut(&news.note, NOTE);
        let key = Key::of(uid, cut(&news.reason, WORD), note);
        if let Some(said) = self.said.get_mut(&key)
            && now < said.written + SAME
        {
            said.count = said.count.saturating_add(1);
            // The first repetition is written at once, so that it is seen that there are any.
            if said.count > 2 && now < said.written + REFRESH {
                return EventOutcome::Counted;
            }
            if !spend(&mut self.budgets, uid, now) {
                return EventOutcome::Dropped;
            }
            let repeated = self.api.repeat(&said.namespace, &said.name, said.count, (self.clock)());
            match within(repeated).await {
                Ok(true) => {
                    said.written = now;
                    return EventOutcome::Repeated;
                }
                // Gone before its time: say it anew.
                Ok(false) => drop(self.said.remove(&key)),
                Err(failure) => return complain(about, &news, failure),
            }
        } else if !spend(&mut self.budgets, uid, now) {
            return EventOutcome::Dropped;
        }
        let event = self.event(about, &news, note);
        if let Err(failure) = within(self.api.create(&event)).await {
            return complain(about, &news, failure);
        }
        let namespace = event.metadata.namespace.unwrap_or_default();
        let name = event.metadata.name.unwrap_or_default();
        self.forget(now);
        self.said.insert(key, Said { namespace, name, count: 1, written: now });
        EventOutcome::Posted
    }

    fn event(&self, about: &ObjectReference, news: &News, note: &str) -> Event {
        let now = (self.clock)();
        let object = about.name.as_deref().unwrap_or("windlass");
        // Nanoseconds in hexadecimal behind the object's name: as client-go names Events.
        let name = format!("{}.{:016x}", cut(object, NAME), now.as_nanosecond());
        Event {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(about.namespace.clone().unwrap_or_else(|| CLUSTER_SCOPED.to_owned())),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            reporting_controller: Some(REPORTER.to_owned()),
            reporting_instance: Some(self.identity.clone()),
            action: Some(cut(news.action, WORD).to_owned()),
            reason: Some(cut(&news.reason, WORD).to_owned()),
            note: Some(note.to_owned()),
            type_: Some(if news.warning { "Warning" } else { "Normal" }.to_owned()),
            regarding: Some(about.clone()),
            ..Event::default()
        }
    }

    /// Makes room for one more: what is no longer the same news, then what was written longest ago.
    fn forget(&mut self, now: Instant) {
        if self.said.len() >= REMEMBERED {
            self.said.retain(|_, said| now < said.written + SAME);
        }
        if self.said.len() >= REMEMBERED
            && let Some(oldest) = self.said.iter().min_by_key(|(_, said)| said.written).map(|(key, _)| *key)
        {
            self.said.remove(&oldest);
        }
    }
}

/// Takes one write from the object's allowance, if there is one.
fn spend(budgets: &mut HashMap<String, Budget>, uid: &str, now: Instant) -> bool {
    let full = |budget: &Budget| refilled(budget, now) >= BURST;
    if budgets.len() >= REMEMBERED {
        // A full allowance is the same as none.
        budgets.retain(|_, budget| !full(budget));
    }
    if budgets.len() >= REMEMBERED && !budgets.contains_key(uid) {
        // Thousands of objects that all spoke lately: a newcomer has to wait, or memory would have no bound.
        return false;
    }
    let budget = budgets.entry(uid.to_owned()).or_insert(Budget { left: BURST, at: now });
    let left = refilled(budget, now);
    if left < 1.0 {
        return false;
    }
    *budget = Budget { left: left - 1.0, at: now };
    true
}

fn refilled(budget: &Budget, now: Instant) -> f64 {
    let earned = now.saturating_duration_since(budget.at).as_secs_f64() / REFILL.as_secs_f64();
    (budget.left + earned).min(BURST)
}

/// Why an event was not written.
enum Unwritten {
    /// The namespace is being deleted, and takes nothing new: nobody is left to read it.
    NamespaceGoes,
    /// Anything else, in words.
    Failed(String),
}

async fn within<T>(request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Unwritten> {
    match tokio::time::timeout(REQUEST, request).await {
        Ok(Err(kube::Error::Api(status))) if namespace_goes(&status) => Err(Unwritten::NamespaceGoes),
        Ok(answer) => answer.map_err(|error| Unwritten::Failed(error.to_string())),
        Err(_elapsed) => Err(Unwritten::Failed("no answer came in time".to_owned())),
    }
}

fn complain(about: &ObjectReference, news: &News, failure: Unwritten) -> EventOutcome {
    let (namespace, name) = (about.namespace.as_deref().unwrap_or_default(), about.name.as_deref().unwrap_or_default());
    match failure {
        Unwritten::NamespaceGoes => {
            tracing::debug!("no event {} about {namespace}/{name}: its namespace goes", news.reason);
            EventOutcome::Dropped
        }
        Unwritten::Failed(why) => {
            tracing::warn!("posting the event {} about {namespace}/{name}: {why}", news.reason);
            EventOutcome::Failed
        }
    }
}

/// Whether a refusal says that the namespace is being deleted: it takes nothing new then.
/// <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#namespacelifecycle>
pub(super) fn namespace_goes(status: &Status) -> bool {
    let goes = |cause: &StatusCause| cause.reason == "NamespaceTerminating";
    status.details.as_ref().is_some_and(|details| details.causes.iter().any(goes))
}

/// The first `most` bytes of a text, or fewer where that would split a character.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
