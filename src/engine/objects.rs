//! The objects as this process knows them: what the watch shows, what our own writes and reads give back, what is
//! remembered of each, and what each shows to those who rest on it.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::core::object::HasStatus;
use kube::{Resource, ResourceExt};
use tokio::time::Instant;
use tracing::warn;

use crate::api::{PAUSED, RECONCILE_REQUESTED_AT};
use crate::aws::AwsPort;
use crate::aws::gate::Urgency;
use crate::plan::{Face, Kind, News, Status};
use crate::telemetry::metrics::{ObjectLabels, ObjectShows};

use super::memory::{Held, Memory};
use super::neighbourhood::Residents;
use super::port::{Id, KubePort, Sight, Unreadable};
use super::{Engine, lock};

/// How long the watch may be behind what a write or read of our own gave back; then the watch is right again (an API
/// server that was restored from a backup has older versions).
const AHEAD: Duration = Duration::from_secs(60);

impl<K: Kind, P: KubePort<K>, A: AwsPort<K>> Engine<K, P, A> {
    /// Takes in what the watch shows.
    pub(super) fn see(&self, sight: Sight<K::Object>) {
        match sight {
            Sight::There(object) => self.take_in(Id::of(object.as_ref()), object),
            Sight::Unreadable(unreadable) => self.leave_alone(unreadable),
            Sight::Gone(id) => self.forget(&id),
            Sight::Complete { within, all } => {
                let gone = |id: &&Id| within.as_ref().is_none_or(|n| *n == id.namespace) && !all.contains(*id);
                let mut forgotten: Vec<Id> = lock(&self.objects).keys().filter(gone).cloned().collect();
                forgotten.extend(lock(&self.unreadable).keys().filter(gone).cloned());
                forgotten.iter().for_each(|id| self.forget(id));
            }
        }
    }

    fn take_in(&self, id: Id, object: Arc<K::Object>) {
        let now = (self.parts.clock)();
        let readable_again = lock(&self.unreadable).remove(&id).is_some();
        let mut objects = lock(&self.objects);
        let (before, event) = match objects.get_mut(&id) {
            None => {
                let event = if readable_again { Urgency::Urgent } else { first_seen::<K>(&object) };
                let memory = Memory { not_before: Some(now), ..Memory::default() };
                let held = Held { object: Arc::clone(&object), ahead: None, memory };
                objects.insert(id.clone(), Box::new(held));
                (None, Some(event))
            }
            Some(held) => {
                let same = held.object.meta().uid == object.meta().uid;
                let behind =
                    same && held.ahead.is_some_and(|at| at.elapsed() < AHEAD) && newer(&*held.object, &*object);
                if behind && !readable_again {
                    return;
                }
                let before = std::mem::replace(&mut held.object, Arc::clone(&object));
                held.ahead = None;
                if !same {
                    held.memory = held.memory.for_another();
                    self.count(&id, None);
                }
                let edited = readable_again || edited::<K>(&before, &object);
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
        self.rest(&id, before.as_deref(), Some(&*object));
        self.count(&id, Some(&*object));
        drop(objects);
        if K::secret(&object).is_some() {
            self.secrets.needed(&id);
        }
        self.show(&id, before.as_deref(), Some(&*object));
        if let Some(urgency) = event {
            self.queue.ends(&id, K::ends(&object));
            self.queue.ask(id, Instant::now(), urgency);
        }
    }

    /// An object that this version cannot read: it is there, it is said once for each change of it, and nothing is done by
    /// what it was before.
    fn leave_alone(&self, unreadable: Unreadable) {
        let id = unreadable.id.clone();
        let before = lock(&self.unreadable).insert(id.clone(), unreadable.clone());
        self.queue.forget(&id);
        if before.is_none_or(|before| before.version != unreadable.version) {
            let (Id { namespace, name }, why) = (&unreadable.id, &unreadable.why);
            warn!(kind = K::NAME, %namespace, %name, "an object cannot be read and is left alone: {why}");
            // Whoever does not lead writes nothing, no events either; who takes the lease says it then.
            if self.leader_since().is_some() {
                self.tell_unreadable(&unreadable);
            }
        }
    }

    pub(super) fn tell_unreadable(&self, unreadable: &Unreadable) {
        let about = ObjectReference {
            api_version: Some(K::Object::api_version(&()).into_owned()),
            kind: Some(K::Object::kind(&()).into_owned()),
            namespace: Some(unreadable.id.namespace.to_string()),
            name: Some(unreadable.id.name.to_string()),
            uid: unreadable.uid.clone(),
            resource_version: unreadable.version.clone(),
            ..ObjectReference::default()
        };
        let note =
            format!("this version of the operator cannot read the object and leaves it alone: {}", unreadable.why);
        self.parts.herald.tell(&about, News { reason: "Unreadable".into(), action: "Read", warning: true, note });
    }

    fn forget(&self, id: &Id) {
        lock(&self.unreadable).remove(id);
        let mut objects = lock(&self.objects);
        let before = objects.remove(id).map(|held| held.object);
        self.rest(id, before.as_deref(), None);
        self.count(id, None);
        drop(objects);
        self.queue.forget(id);
        self.secrets.left(id);
        self.show(id, before.as_deref(), None);
    }

    /// Keeps what a write or read of our own gave back, unless the watch has shown something newer, or that the object is
    /// gone.
    pub(super) fn keep(&self, id: &Id, object: &Arc<K::Object>) {
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
        self.rest(id, Some(&*before), Some(&**object));
        self.count(id, Some(&**object));
        drop(objects);
        self.show(id, Some(&*before), Some(&**object));
    }

    /// Whom an object rests on; under the lock of the objects.
    fn rest(&self, id: &Id, before: Option<&K::Object>, after: Option<&K::Object>) {
        let [before, after] = [before, after].map(|object| object.map(K::rests_on).unwrap_or_default());
        self.parts.neighbourhood.rests(K::NAME, id, &before, &after);
    }

    /// What an object shows to the metrics; under the lock of the objects, so that the last word is the newest.
    fn count(&self, id: &Id, object: Option<&K::Object>) {
        fn shows<O: HasStatus<Status: Status>>(object: &O) -> ObjectShows<'_> {
            let Some(status) = object.status() else { return ObjectShows::default() };
            let (conditions, pending_changes) = (status.conditions(), status.pending_changes());
            ObjectShows { conditions, pending_changes, figures: status.figures() }
        }
        self.parts.metrics.object(labels::<K>(id), object.map(shows));
    }

    /// What an object shows to whoever rests on it.
    fn show(&self, id: &Id, before: Option<&K::Object>, after: Option<&K::Object>) {
        let neighbourhood = &self.parts.neighbourhood;
        if neighbourhood.is_rested_on(K::NAME, id) && before.map(K::face) != after.map(K::face) {
            neighbourhood.changed(K::NAME, id);
        }
    }

    /// The object as this process knows it; `None` too when it cannot be read any more.
    pub(super) fn object(&self, id: &Id) -> Option<Arc<K::Object>> {
        if lock(&self.unreadable).contains_key(id) {
            return None;
        }
        lock(&self.objects).get(id).map(|held| Arc::clone(&held.object))
    }

    /// Every object as this process knows it.
    pub(super) fn everything(&self) -> Vec<Arc<K::Object>> {
        lock(&self.objects).values().map(|held| Arc::clone(&held.object)).collect()
    }

    /// Whether there is an object of this uid, be it that it cannot be read.
    pub(super) fn exists(&self, uid: &str) -> bool {
        lock(&self.objects).values().any(|held| held.object.meta().uid.as_deref() == Some(uid))
            || lock(&self.unreadable).values().any(|unreadable| unreadable.uid.as_deref() == Some(uid))
    }

    /// What is remembered of an object; nothing is, once it is gone or another one has its name.
    pub(super) fn with_memory<T>(&self, id: &Id, uid: Option<&str>, change: impl FnOnce(&mut Memory<K>) -> T) -> T {
        match lock(&self.objects).get_mut(id).filter(|held| held.object.meta().uid.as_deref() == uid) {
            Some(held) => change(&mut held.memory),
            None => change(&mut Memory::default()),
        }
    }
}

impl<K: Kind, P: KubePort<K>, A: AwsPort<K>> Residents for Engine<K, P, A> {
    /// What cannot be read any more shows what it showed last.
    fn face(&self, id: &Id) -> Option<Face> {
        let object = lock(&self.objects).get(id).map(|held| Arc::clone(&held.object))?;
        Some(K::face(&object))
    }

    fn look_again(&self, id: &Id) {
        if self.object(id).is_none() {
            return;
        }
        if let Some(held) = lock(&self.objects).get_mut(id) {
            held.memory.not_before = Some((self.parts.clock)());
            held.memory.edited();
            // What was refused for good may have been refused for what the neighbour was.
            held.memory.write_failure.take_if(|failure| failure.class.is_final());
        }
        self.queue.ask(id.clone(), Instant::now(), Urgency::Urgent);
    }
}

/// What metrics tell the object by.
pub(super) fn labels<K: Kind>(id: &Id) -> ObjectLabels<'_> {
    ObjectLabels { kind: K::NAME, namespace: &id.namespace, name: &id.name }
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
