//! The Secrets that objects keep: what is seen of them (metadata alone), who is told when somebody else touches one, and the
//! end of those that belong to nobody.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use kube::ResourceExt;
use tokio::time::Instant;
use tracing::{info, warn};

use super::port::{EffectName, Id, KubeOutcome, KubePort, SecretError, SecretSight};
use super::{Engine, KUBE_DEADLINE, lock};
use crate::aws::AwsPort;
use crate::aws::gate::Urgency;
use crate::plan::Kind;
use crate::plan::secret::{SecretFacts, SecretRefusal, SecretSeen, SecretWrite};
use crate::telemetry::labels::Label;

/// How often Secrets that belong to nobody are looked for.
const STRANGERS: Duration = Duration::from_secs(15);
/// How long a Secret must have belonged to nobody before it is deleted: its object may not have been seen yet.
const STRANGER: Duration = Duration::from_secs(30);
/// How long a namespace is watched after the last object that keeps a Secret there has gone: whatever a write of ours that
/// nobody answered may still bring ([`KUBE_DEADLINE`]) is seen, and deleted as a stranger.
const ABANDONED: Duration = Duration::from_secs(120);

/// What is seen of the Secrets with our label, by namespace.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    namespaces: Mutex<HashMap<Arc<str>, Namespace>>,
}

#[derive(Debug, Default)]
struct Namespace {
    watched: bool,
    /// The objects that keep a Secret here.
    keepers: HashSet<Id>,
    /// Since when there has been none.
    abandoned: Option<Instant>,
    complete: bool,
    denied: Option<String>,
    all: HashMap<String, SecretFacts>,
    /// Since when one has been seen that belongs to nobody, by its own uid.
    strangers: HashMap<String, Instant>,
}

/// Whom a sight is about.
enum About {
    Nobody,
    Everybody,
    /// Those who keep this Secret.
    Secret(String),
}

impl Secrets {
    /// An object keeps a Secret in its namespace.
    pub(super) fn needed(&self, id: &Id) {
        let mut namespaces = lock(&self.namespaces);
        let seen = namespaces.entry(Arc::clone(&id.namespace)).or_default();
        seen.abandoned = None;
        seen.keepers.insert(id.clone());
    }

    /// It is gone.
    pub(super) fn left(&self, id: &Id) {
        let mut namespaces = lock(&self.namespaces);
        let Some(seen) = namespaces.get_mut(&id.namespace) else { return };
        if seen.keepers.remove(id) && seen.keepers.is_empty() {
            seen.abandoned = Some(Instant::now());
        }
    }

    /// Whether nobody needs to watch a namespace any more; then it is forgotten.
    fn abandon(&self, namespace: &Arc<str>) -> bool {
        let mut namespaces = lock(&self.namespaces);
        let abandoned = namespaces.get(namespace).is_some_and(|seen| {
            let long = seen.abandoned.is_some_and(|since| since.elapsed() >= ABANDONED);
            long && seen.keepers.is_empty() && (seen.all.is_empty() || seen.denied.is_some())
        });
        if abandoned {
            namespaces.remove(namespace);
        }
        abandoned
    }

    /// The namespaces that nobody watches yet; from now on somebody does.
    pub(super) fn unwatched(&self) -> Vec<Arc<str>> {
        let mut namespaces = lock(&self.namespaces);
        let unwatched = namespaces.iter_mut().filter(|(_, seen)| !seen.watched);
        unwatched
            .map(|(namespace, seen)| {
                seen.watched = true;
                Arc::clone(namespace)
            })
            .collect()
    }

    /// What is seen of one.
    pub(super) fn seen(&self, namespace: &str, name: &str) -> SecretSeen {
        let namespaces = lock(&self.namespaces);
        let Some(seen) = namespaces.get(namespace) else { return SecretSeen::Unknown };
        match (&seen.denied, seen.all.get(name), seen.complete) {
            (Some(words), _, _) => SecretSeen::Denied(words.clone()),
            (None, Some(facts), _) => SecretSeen::There(facts.clone()),
            (None, None, true) => SecretSeen::Absent,
            (None, None, false) => SecretSeen::Unknown,
        }
    }

    /// What a write of our own has made of one; the watch will show the same, or something newer.
    pub(super) fn learn(&self, namespace: &str, name: &str, facts: Option<SecretFacts>) {
        let mut namespaces = lock(&self.namespaces);
        let Some(seen) = namespaces.get_mut(namespace) else { return };
        match facts {
            Some(facts) => seen.put(name, facts),
            None => seen.all.remove(name).is_some(),
        };
    }

    fn see(&self, namespace: &str, sight: SecretSight) -> About {
        let mut namespaces = lock(&self.namespaces);
        let Some(seen) = namespaces.get_mut(namespace) else { return About::Nobody };
        match sight {
            SecretSight::Denied(words) => {
                seen.complete = false;
                let news = seen.denied.as_ref() != Some(&words);
                seen.denied = Some(words);
                if news { About::Everybody } else { About::Nobody }
            }
            SecretSight::Complete(names) => {
                let first = !std::mem::replace(&mut seen.complete, true) | seen.denied.take().is_some();
                let before = seen.all.len();
                seen.all.retain(|name, _| names.contains(name));
                if first || before != seen.all.len() { About::Everybody } else { About::Nobody }
            }
            SecretSight::There(name, facts) => {
                if seen.put(&name, facts) {
                    About::Secret(name)
                } else {
                    About::Nobody
                }
            }
            SecretSight::Gone(name) => {
                if seen.all.remove(&name).is_some() {
                    About::Secret(name)
                } else {
                    About::Nobody
                }
            }
        }
    }

    /// The Secrets that have belonged to nobody for long enough: name and uid.
    fn strangers(&self, namespace: &str, owners: &HashSet<String>) -> Vec<(String, String)> {
        let mut namespaces = lock(&self.namespaces);
        let Some(seen) = namespaces.get_mut(namespace).filter(|seen| seen.complete) else { return Vec::new() };
        let now = Instant::now();
        let strange: HashMap<&String, &String> =
            seen.all.iter().filter(|(_, facts)| !owners.contains(&facts.of)).map(|(n, f)| (&f.uid, n)).collect();
        seen.strangers.retain(|uid, _| strange.contains_key(uid));
        let mut due = Vec::new();
        for (uid, name) in strange {
            let since = *seen.strangers.entry(uid.clone()).or_insert(now);
            if now.duration_since(since) >= STRANGER {
                due.push((name.clone(), uid.clone()));
            }
        }
        due
    }
}

impl Namespace {
    /// Whether it is news: another Secret, or a later version of it.
    fn put(&mut self, name: &str, facts: SecretFacts) -> bool {
        let older = self.all.get(name).is_some_and(|known| known.uid == facts.uid && !later(&facts, known));
        if older {
            return false;
        }
        self.all.insert(name.to_owned(), facts);
        true
    }
}

/// Resource versions of etcd grow; where they are no numbers, another one counts as later.
fn later(one: &SecretFacts, other: &SecretFacts) -> bool {
    match (one.version.parse::<u64>(), other.version.parse::<u64>()) {
        (Ok(one), Ok(other)) => one > other,
        (Ok(_) | Err(_), _) => one.version != other.version,
    }
}

impl<K: Kind, P: KubePort<K>, A: AwsPort<K>> Engine<K, P, A> {
    /// Watches the Secrets of a namespace until the engine drains.
    pub(super) async fn watch_secrets(self: Arc<Self>, namespace: Arc<str>) {
        let mut sights = self.parts().kube.secrets(&namespace);
        let mut draining = self.draining.subscribe();
        let mut drained = std::pin::pin!(async move {
            draining.wait_for(|draining| *draining).await.ok();
        });
        let mut strangers = tokio::time::interval(STRANGERS);
        loop {
            tokio::select! {
                sight = sights.next() => match sight {
                    Some(sight) => self.see_secret(&namespace, sight),
                    None => return,
                },
                _ = strangers.tick() => {
                    self.delete_strangers(&namespace).await;
                    if self.secrets.abandon(&namespace) {
                        return;
                    }
                }
                () = &mut drained => return,
            }
        }
    }

    fn see_secret(&self, namespace: &Arc<str>, sight: SecretSight) {
        let about = self.secrets.see(namespace, sight);
        let keeps = |object: &K::Object| match (&about, K::secret(object)) {
            (About::Nobody, _) | (_, None) => false,
            (About::Everybody, Some(_)) => true,
            (About::Secret(name), Some(kept)) => *name == kept,
        };
        // A first list wakes everybody: none of them goes before an edit.
        let urgency = match about {
            About::Nobody | About::Everybody => Urgency::Routine,
            About::Secret(_) => Urgency::Urgent,
        };
        let now = (self.parts().clock)();
        let kept = self.everything().into_iter();
        let kept = kept.filter(|object| object.namespace().as_deref() == Some(&**namespace) && keeps(object));
        for object in kept {
            let id = Id::of(&*object);
            if let Some(ended) = K::ends(&object).filter(|at| *at <= now) {
                self.queue.ends(&id, Some(ended));
            }
            self.queue.ask(id, Instant::now(), urgency);
        }
    }

    /// A Secret with our label whose object is gone or over (an orphaning delete, a create that arrived late, a copy) is
    /// deleted.
    async fn delete_strangers(&self, namespace: &Arc<str>) {
        if self.leader_since().is_none() || !self.is_complete() {
            return;
        }
        let now = (self.parts().clock)();
        let lasts = |object: &&Arc<K::Object>| K::ends(object).is_none_or(|at| at > now);
        let mut owners: HashSet<String> =
            self.everything().iter().filter(lasts).filter_map(|object| object.uid()).collect();
        owners.extend(lock(&self.unreadable).values().filter_map(|unreadable| unreadable.uid.clone()));
        for (name, uid) in self.secrets.strangers(namespace, &owners) {
            let write = SecretWrite::Delete { name: name.clone(), uid };
            match self.perform_secret(namespace, None, &write).await {
                Ok(gone) => {
                    info!(kind = K::NAME, %namespace, secret = %name, "deleted a Secret whose object is gone or over");
                    self.secrets.learn(namespace, &name, gone);
                }
                Err(error) => warn!(kind = K::NAME, %namespace, secret = %name, "could not delete it: {error}"),
            }
        }
    }

    /// Looks whether the name of a Secret is taken; nothing where nobody can say.
    pub(super) async fn find_secret(&self, namespace: &str, name: &str) -> Option<SecretFacts> {
        let parts = self.parts();
        let act = async {
            match tokio::time::timeout(KUBE_DEADLINE, parts.kube.find_secret(namespace, name)).await {
                Ok(found) => found,
                Err(_) => Err(SecretError::unavailable("no answer from the API server in time")),
            }
        };
        let effect = EffectName::FindSecret;
        let found = parts.stage.play(|| format!("kube {}", effect.label()), false, act).await;
        parts.metrics.kube_request(effect, counted(&found));
        found.ok().flatten()
    }

    /// Writes a Secret: asks the lease, has a deadline, is numbered and counted.
    pub(super) async fn perform_secret(
        &self,
        namespace: &str,
        owner: Option<&K::Object>,
        write: &SecretWrite,
    ) -> Result<Option<SecretFacts>, SecretError> {
        let name = EffectName::from(write.verb());
        let parts = self.parts();
        let act = async {
            if !parts.leave.granted() {
                return Err(SecretError::unavailable("this process does not hold the lease"));
            }
            match tokio::time::timeout(KUBE_DEADLINE, parts.kube.write_secret(namespace, owner, write)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(SecretError::unavailable("no answer from the API server in time")),
            }
        };
        let outcome = parts.stage.play(|| format!("kube {}", name.label()), true, act).await;
        parts.metrics.kube_request(name, counted(&outcome));
        outcome
    }
}

fn counted<T>(outcome: &Result<T, SecretError>) -> KubeOutcome {
    match outcome.as_ref().map_err(|error| error.why) {
        Ok(_) => KubeOutcome::Ok,
        Err(SecretRefusal::Taken | SecretRefusal::Conflict) => KubeOutcome::Conflict,
        Err(SecretRefusal::Denied | SecretRefusal::Refused) => KubeOutcome::Refused,
        Err(SecretRefusal::Unavailable) => KubeOutcome::Unavailable,
    }
}
