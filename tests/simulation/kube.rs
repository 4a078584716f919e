//! An API server in memory for objects of any kind, as far as the engine needs it: uids, resource versions, generations,
//! finalizers, the status subresource, conflicts and a watch, by the rules of the real one. Inside, objects are JSON, as they
//! are on the wire; types are at the edges.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use kube::core::object::HasStatus;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use windlass::api::{FINALIZER, RECONCILE_REQUESTED_AT};
use windlass::engine::port::{SecretError, SecretSight};
use windlass::engine::{Id, KubeEffect, KubeError, KubePort, Sight};
use windlass::plan::secret::{SecretBody, SecretFacts, SecretRefusal, SecretWrite};
use windlass::plan::{KeyFound, KeyRef, Kind, Status};

/// How long a request is under way, each way, and how late the watch tells of a change: a close API server.
const WAY: Duration = Duration::from_millis(2);

/// What a write does to an object.
type Change = Box<dyn FnOnce(&mut Value)>;

type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The API server. Clones are the same one.
#[derive(Clone)]
pub struct Cluster {
    state: Arc<Mutex<Store>>,
    clock: Clock,
    writer: &'static str,
}

/// What it keeps.
#[derive(Clone)]
pub struct Store {
    objects: BTreeMap<Key, Value>,
    /// Keys of Secrets and ConfigMaps of the one namespace.
    keys: BTreeMap<KeyRef, KeyFound>,
    version: u64,
    uids: u64,
    /// Secrets of the one namespace that an object keeps, and others of those names (no data, no label).
    secrets: BTreeMap<String, KeptSecret>,
    secret_watches: Vec<mpsc::UnboundedSender<(Instant, SecretSight)>>,
    watches: Vec<Watch>,
    watch_lag: Duration,
    /// See [`WAY`].
    way: Duration,
    /// When Secrets were created.
    created: Vec<Timestamp>,
    writes: Vec<KubeWrite>,
    faults: VecDeque<KubeFault>,
    /// Mutating requests of operators.
    mutations: u64,
}

/// What names an object: its kind, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: String,
    id: Id,
}

/// A Secret: what its metadata says, and what was written to it last.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptSecret {
    pub facts: SecretFacts,
    pub body: SecretBody,
}

/// Somebody who watches a kind.
#[derive(Clone)]
struct Watch {
    kind: String,
    tells: mpsc::UnboundedSender<(Instant, Sight<Value>)>,
}

/// What can be kept: our kinds, Secrets, ConfigMaps.
pub trait Stored: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<O: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Send + Sync + 'static> Stored for O {}

/// A write of the operator that changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeWrite {
    pub at: Timestamp,
    pub by: &'static str,
    pub what: &'static str,
    pub kind: String,
    pub id: Id,
}

/// What goes wrong with one mutating request of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KubeFaultEffect {
    /// 409, whatever the versions say.
    Conflict,
    /// 500; nothing is applied.
    Unavailable,
    /// The connection breaks after it was applied.
    AppliedNoAnswer,
    /// No answer, ever; nothing is applied.
    Hang,
    /// It was applied, and there is no answer, ever.
    AppliedThenHang,
    /// 403.
    Refused,
}

/// From which mutating request on (counted from 1), and how many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KubeFault {
    pub first: u64,
    pub times: u64,
    pub effect: KubeFaultEffect,
}

impl Cluster {
    pub fn new(clock: Clock, store: Store) -> Self {
        Self { state: Arc::new(Mutex::new(store)), clock, writer: "operator" }
    }

    /// What it keeps now, with nobody watching.
    pub fn store(&self) -> Store {
        Store { watches: Vec::new(), secret_watches: Vec::new(), mutations: 0, ..self.lock().clone() }
    }

    /// The same API server, whose writes are counted under another name.
    pub fn by(&self, writer: &'static str) -> Self {
        Self { writer, ..self.clone() }
    }

    /// Everything of a kind that there is, then everything that happens.
    pub fn sights<O: Stored>(&self) -> impl Stream<Item = Sight<O>> + Send + 'static {
        let kind = kind::<O>();
        let (tells, receiver) = mpsc::unbounded_channel();
        {
            let mut store = self.lock();
            let now = Instant::now();
            let mut all = HashSet::new();
            for (key, object) in store.objects.iter().filter(|(key, _)| key.kind == kind) {
                all.insert(key.id.clone());
                tells.send((now, Sight::There(Arc::new(object.clone())))).ok();
            }
            tells.send((now, Sight::Complete { within: None, all })).ok();
            store.watches.push(Watch { kind, tells });
        }
        futures::stream::unfold(receiver, |mut receiver| async {
            let (at, sight) = receiver.recv().await?;
            sleep_until(at).await;
            let sight = match sight {
                Sight::There(object) => Sight::There(Arc::new(typed(&object))),
                Sight::Gone(id) => Sight::Gone(id),
                Sight::Unreadable(id) => Sight::Unreadable(id),
                Sight::Complete { within, all } => Sight::Complete { within, all },
            };
            Some((sight, receiver))
        })
    }

    /// How late the watch tells of changes from now on.
    pub fn watch_lag(&self, lag: Duration) {
        self.lock().watch_lag = lag;
    }

    /// How long requests are under way from now on, each way.
    pub fn way(&self, way: Duration) {
        self.lock().way = way;
    }

    async fn under_way(&self) {
        let way = self.lock().way;
        sleep(way).await;
    }

    /// When Secrets were created.
    pub fn created(&self) -> Vec<Timestamp> {
        self.lock().created.clone()
    }

    pub fn fail(&self, fault: KubeFault) {
        self.lock().faults.push_back(fault);
    }

    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// How many mutating requests the operator has made.
    pub fn mutations(&self) -> u64 {
        self.lock().mutations
    }

    /// Every write of the operator that changed something.
    pub fn writes(&self) -> Vec<KubeWrite> {
        self.lock().writes.clone()
    }

    /// Every object of a kind.
    pub fn objects<O: Stored>(&self) -> Vec<O> {
        let kind = kind::<O>();
        self.lock().objects.iter().filter(|(key, _)| key.kind == kind).map(|(_, object)| typed(object)).collect()
    }

    /// Every object of every kind, by kind and name.
    pub fn everything(&self) -> Vec<Value> {
        self.lock().objects.values().cloned().collect()
    }

    pub fn get<O: Stored>(&self, name: &str) -> Option<O> {
        self.lock().objects.get(&key::<O>(name)).map(typed)
    }

    /// A person applies a new object.
    pub fn create<O: Stored>(&self, mut object: O) {
        let mut store = self.lock();
        store.uids += 1;
        let meta = object.meta_mut();
        let name = meta.name.clone().unwrap();
        meta.namespace = Some(NAMESPACE.into());
        meta.uid = Some(format!("00000000-0000-4000-8000-{:012}", store.uids));
        meta.creation_timestamp = Some(Time((self.clock)()));
        let ours = O::group(&()).ends_with("windlass.dev");
        if ours {
            meta.generation = Some(1);
        }
        let mut value = serde_json::to_value(object).unwrap();
        if ours {
            // The default of our definitions.
            value["status"] = json!({ "observedGeneration": -1 });
        }
        assert!(store.put(key::<O>(&name), value), "{name} exists");
    }

    /// A person edits an object, but for its status. False: there is no such object.
    pub fn edit<O: Stored>(&self, name: &str, change: impl FnOnce(&mut O)) -> bool {
        let (mut store, key) = (self.lock(), key::<O>(name));
        let Some(held) = store.objects.get(&key).cloned() else { return false };
        let mut object: O = typed(&held);
        change(&mut object);
        let mut edited = serde_json::to_value(object).unwrap();
        if let Some(status) = held.get("status") {
            edited["status"] = status.clone();
        }
        if edited.get("spec") != held.get("spec") {
            next_generation(&mut edited);
        }
        if edited != held {
            store.put(key, edited);
        }
        true
    }

    /// A person asks for a pass.
    pub fn poke<O: Stored>(&self, name: &str, value: &str) {
        let (mut store, key) = (self.lock(), key::<O>(name));
        store.poke(key, value);
    }

    /// A person asks for a pass of every object.
    pub fn poke_everything(&self, value: &str) {
        let mut store = self.lock();
        let keys: Vec<Key> = store.objects.keys().cloned().collect();
        keys.into_iter().for_each(|key| store.poke(key, value));
    }

    /// A person deletes it. The API server bumps the generation when it sets the deletionTimestamp.
    pub fn delete<O: Stored>(&self, name: &str) -> bool {
        let (mut store, key) = (self.lock(), key::<O>(name));
        let Some(mut object) = store.objects.get(&key).cloned() else { return false };
        if meta(&object).deletion_timestamp.is_some() {
            return true;
        }
        let second = Timestamp::from_second((self.clock)().as_second()).unwrap();
        object["metadata"]["deletionTimestamp"] = json!(Time(second));
        next_generation(&mut object);
        store.put(key.clone(), object);
        store.collect(&key);
        true
    }

    /// A person writes a key of a Secret or ConfigMap, or takes it away: [`KeyFound::Absent`].
    pub fn put_key(&self, key: KeyRef, found: KeyFound) {
        self.lock().keys.insert(key, found);
    }

    /// Somebody takes the finalizers off and deletes it.
    pub fn force_delete<O: Stored>(&self, name: &str) {
        let (mut store, key) = (self.lock(), key::<O>(name));
        if store.objects.remove(&key).is_some() {
            store.tell(&key.kind, &Sight::Gone(key.id.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.state.lock().unwrap()
    }

    /// What the API server does with one request, at one instant.
    fn act<K: Kind>(&self, effect: KubeEffect<K>) -> Result<Option<Arc<K::Object>>, KubeError> {
        let mut store = self.lock();
        let kind = kind::<K::Object>();
        let what = match &effect {
            KubeEffect::Read(id) => {
                let key = Key { kind, id: id.clone() };
                return Ok(store.objects.get(&key).map(|object| Arc::new(typed(object))));
            }
            KubeEffect::Guard(_) => "guard",
            KubeEffect::Report(..) => "report",
            KubeEffect::Release(_) => "release",
        };
        let finalizers = |given: &K::Object| given.meta().finalizers.clone().unwrap_or_default();
        let (given, change): (Arc<K::Object>, Change) = match effect {
            KubeEffect::Read(_) => unreachable!(),
            KubeEffect::Guard(given) => {
                if given.meta().deletion_timestamp.is_some() {
                    return Err(KubeError::Refused(
                        "no new finalizers can be added if the object is being deleted".into(),
                    ));
                }
                let mut all = finalizers(&given);
                all.push(FINALIZER.to_owned());
                (given, Box::new(move |object| object["metadata"]["finalizers"] = json!(all)))
            }
            KubeEffect::Release(given) => {
                let mut rest = finalizers(&given);
                rest.retain(|finalizer| finalizer != FINALIZER);
                (given, Box::new(move |object| object["metadata"]["finalizers"] = json!(rest)))
            }
            KubeEffect::Report(given, status) => {
                let status = serde_json::to_value(&*status).unwrap();
                (given, Box::new(move |object| object["status"] = status))
            }
        };
        let key = Key { kind, id: Id::of(given.as_ref()) };
        let Some(held) = store.objects.get(&key).cloned() else { return Err(KubeError::Gone) };
        let (is, was) = (meta(&held), given.meta());
        if is.uid != was.uid || is.resource_version != was.resource_version {
            return Err(KubeError::Conflict);
        }
        let mut object = held.clone();
        change(&mut object);
        // A write that changes nothing makes no new version.
        if object != held {
            let what = if counts_only::<K>(&typed(&object), &typed(&held)) { "counts" } else { what };
            let (kind, id) = (key.kind.clone(), key.id.clone());
            store.writes.push(KubeWrite { at: (self.clock)(), by: self.writer, what, kind, id });
            store.put(key.clone(), object);
        }
        let now = store.objects.get(&key).map(|object| Arc::new(typed(object)));
        store.collect(&key);
        Ok(now)
    }
}

/// An object from the wire. What its type does not know, or lost on the way there, is missed here.
fn typed<O: DeserializeOwned>(object: &Value) -> O {
    serde_json::from_value(object.clone()).unwrap()
}

fn meta(object: &Value) -> ObjectMeta {
    typed(&object["metadata"])
}

fn kind<O: Stored>() -> String {
    O::kind(&()).into_owned()
}

fn key<O: Stored>(name: &str) -> Key {
    Key { kind: kind::<O>(), id: id(name) }
}

fn next_generation(object: &mut Value) {
    let next = meta(object).generation.unwrap_or_default() + 1;
    object["metadata"]["generation"] = json!(next);
}

/// Whether two versions of an object differ in nothing but the counts of their status.
fn counts_only<K: Kind>(new: &K::Object, old: &K::Object) -> bool {
    let statuses = new.status().cloned().zip(old.status().cloned());
    statuses.is_some_and(|(new, old)| new != old && new.with_counts_of(&old) == old)
}

impl Default for Store {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            keys: BTreeMap::new(),
            version: 100,
            uids: 0,
            watches: Vec::new(),
            watch_lag: WAY,
            way: WAY,
            created: Vec::new(),
            writes: Vec::new(),
            secrets: BTreeMap::new(),
            secret_watches: Vec::new(),
            faults: VecDeque::new(),
            mutations: 0,
        }
    }
}

impl Store {
    /// Keeps a new version and tells the watches; false if the name was taken before this.
    fn put(&mut self, key: Key, mut object: Value) -> bool {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.tell(&key.kind, &Sight::There(Arc::new(object.clone())));
        self.objects.insert(key, object).is_none()
    }

    fn poke(&mut self, key: Key, value: &str) {
        let Some(mut object) = self.objects.get(&key).cloned() else { return };
        object["metadata"]["annotations"][RECONCILE_REQUESTED_AT] = json!(value);
        self.put(key, object);
    }

    /// A deleted object without finalizers goes.
    fn collect(&mut self, key: &Key) {
        let gone = self.objects.get(key).map(meta).is_some_and(|meta| {
            meta.deletion_timestamp.is_some() && meta.finalizers.as_ref().is_none_or(Vec::is_empty)
        });
        if gone {
            self.objects.remove(key);
            self.version += 1;
            self.tell(&key.kind, &Sight::Gone(key.id.clone()));
        }
    }

    fn tell(&mut self, kind: &str, sight: &Sight<Value>) {
        let at = Instant::now() + self.watch_lag;
        self.watches.retain(|watch| watch.kind != kind || watch.tells.send((at, sight.clone())).is_ok());
    }

    fn fault(&mut self) -> Option<KubeFaultEffect> {
        self.mutations += 1;
        let now = self.mutations;
        let fault = self.faults.iter().find(|fault| (fault.first..fault.first + fault.times).contains(&now))?;
        Some(fault.effect)
    }
}

impl<K: Kind> KubePort<K> for Cluster {
    async fn perform(&self, effect: KubeEffect<K>) -> Result<Option<Arc<K::Object>>, KubeError> {
        let fault = if effect.mutating() { self.lock().fault() } else { None };
        self.under_way().await;
        let unavailable = |text: &str| Err(KubeError::Unavailable(text.into()));
        let answer = match fault {
            None => self.act(effect),
            Some(KubeFaultEffect::Conflict) => Err(KubeError::Conflict),
            Some(KubeFaultEffect::Unavailable) => unavailable("etcdserver: leader changed"),
            Some(KubeFaultEffect::Refused) => Err(KubeError::Refused("forbidden".into())),
            Some(KubeFaultEffect::AppliedNoAnswer) => {
                self.act(effect).ok();
                unavailable("connection reset")
            }
            Some(KubeFaultEffect::Hang) => std::future::pending().await,
            Some(KubeFaultEffect::AppliedThenHang) => {
                self.act(effect).ok();
                std::future::pending().await
            }
        };
        self.under_way().await;
        answer
    }

    async fn read_key(&self, namespace: &str, key: &KeyRef) -> KeyFound {
        self.under_way().await;
        let found = self.lock().keys.get(key).filter(|_| namespace == NAMESPACE).cloned();
        self.under_way().await;
        found.unwrap_or(KeyFound::Absent)
    }

    async fn find_secret(&self, _: &str, name: &str) -> Result<Option<SecretFacts>, SecretError> {
        self.under_way().await;
        let found = self.lock().secrets.get(name).map(|secret| secret.facts.clone());
        self.under_way().await;
        Ok(found)
    }

    async fn write_secret(
        &self,
        _: &str,
        owner: Option<&K::Object>,
        write: &SecretWrite,
    ) -> Result<Option<SecretFacts>, SecretError> {
        let fault = self.lock().fault();
        let of = owner.and_then(|owner| owner.meta().uid.clone());
        self.under_way().await;
        let refused = |why, message: &str| Err(SecretError { why, message: message.to_owned() });
        let answer = match fault {
            None => self.act_on_secret(of, write),
            Some(KubeFaultEffect::Conflict) => refused(SecretRefusal::Conflict, "it changed meanwhile"),
            Some(KubeFaultEffect::Unavailable) => refused(SecretRefusal::Unavailable, "the API server answered 500"),
            Some(KubeFaultEffect::Refused) => refused(SecretRefusal::Denied, "secrets is forbidden"),
            Some(KubeFaultEffect::AppliedNoAnswer) => {
                self.act_on_secret(of, write).ok();
                refused(SecretRefusal::Unavailable, "no answer from the API server")
            }
            Some(KubeFaultEffect::Hang) => std::future::pending().await,
            Some(KubeFaultEffect::AppliedThenHang) => {
                self.act_on_secret(of, write).ok();
                std::future::pending().await
            }
        };
        self.under_way().await;
        answer
    }

    fn secrets(&self, _: &str) -> BoxStream<'static, SecretSight> {
        let (tells, receiver) = mpsc::unbounded_channel();
        let mut store = self.lock();
        let now = Instant::now();
        for (name, secret) in store.secrets.iter().filter(|(_, secret)| !secret.facts.of.is_empty()) {
            tells.send((now, SecretSight::There(name.clone(), secret.facts.clone()))).ok();
        }
        tells.send((now, SecretSight::Complete(store.secrets.keys().cloned().collect()))).ok();
        store.secret_watches.push(tells);
        stream::unfold(receiver, |mut receiver| async {
            let (at, sight) = receiver.recv().await?;
            sleep_until(at).await;
            Some((sight, receiver))
        })
        .boxed()
    }
}

/// Secrets, by the rules of the real one: POST, PUT and DELETE with their preconditions.
impl Cluster {
    /// A Secret as it is.
    pub fn secret(&self, name: &str) -> Option<KeptSecret> {
        self.lock().secrets.get(name).cloned()
    }

    /// Every Secret that an object keeps: whose it is, what it has, whether somebody has been at it.
    pub fn kept_secrets(&self) -> BTreeMap<String, Value> {
        let shown = |secret: &KeptSecret| {
            let files: Vec<&str> = secret.body.data.keys().collect();
            let (of, edited) = (&secret.facts.of, secret.facts.edited);
            json!({ "of": of, "edited": edited, "type": secret.body.kind.as_str(), "files": files })
        };
        self.lock().secrets.iter().map(|(name, secret)| (name.clone(), shown(secret))).collect()
    }

    /// Somebody else changes a Secret.
    pub fn edit_secret(&self, name: &str, edit: impl FnOnce(&mut KeptSecret)) {
        let mut store = self.lock();
        store.version += 1;
        let version = store.version.to_string();
        let Some(secret) = store.secrets.get_mut(name) else { return };
        edit(secret);
        secret.facts.version = version;
        // Who watches a label sees what loses it go.
        let sight = match secret.facts.of.is_empty() {
            true => SecretSight::Gone(name.to_owned()),
            false => SecretSight::There(name.to_owned(), secret.facts.clone()),
        };
        store.tell_of_secret(sight);
    }

    /// Somebody else deletes a Secret.
    pub fn delete_secret(&self, name: &str) {
        let mut store = self.lock();
        if store.secrets.remove(name).is_some() {
            store.tell_of_secret(SecretSight::Gone(name.to_owned()));
        }
    }

    fn act_on_secret(&self, of: Option<String>, write: &SecretWrite) -> Result<Option<SecretFacts>, SecretError> {
        let mut store = self.lock();
        let refused = |why| Err(SecretError { why, message: "refused".to_owned() });
        let there = store.secrets.get(write.name()).map(|secret| secret.facts.clone());
        let (body, kept) = match (write, &there) {
            (SecretWrite::Create(_), Some(_)) => return refused(SecretRefusal::Taken),
            (SecretWrite::Create(body), None) => (body, None),
            (SecretWrite::Replace { body, uid, version }, Some(facts))
                if facts.uid == *uid && facts.version == *version =>
            {
                (body, Some(uid.clone()))
            }
            (SecretWrite::Replace { .. }, _) => return refused(SecretRefusal::Conflict),
            (SecretWrite::Delete { .. }, None) => return Ok(None),
            (SecretWrite::Delete { uid, .. }, Some(facts)) if facts.uid != *uid => {
                return refused(SecretRefusal::Conflict);
            }
            (SecretWrite::Delete { name, .. }, Some(_)) => {
                store.secrets.remove(name);
                store.tell_of_secret(SecretSight::Gone(name.clone()));
                return Ok(None);
            }
        };
        store.version += 1;
        store.uids += 1;
        let facts = SecretFacts {
            of: of.clone().unwrap_or_default(),
            uid: kept.unwrap_or_else(|| format!("secret-{}", store.uids)),
            version: store.version.to_string(),
            owned: of.is_some(),
            deleting: false,
            edited: false,
            stamps: body.stamps.clone(),
        };
        if there.is_none() {
            store.created.push((self.clock)());
        }
        store.secrets.insert(body.name.clone(), KeptSecret { facts: facts.clone(), body: body.clone() });
        store.tell_of_secret(SecretSight::There(body.name.clone(), facts.clone()));
        Ok(Some(facts))
    }
}

impl Store {
    fn tell_of_secret(&mut self, sight: SecretSight) {
        let at = Instant::now() + self.watch_lag;
        self.secret_watches.retain(|tells| tells.send((at, sight.clone())).is_ok());
    }
}

/// The one namespace.
pub const NAMESPACE: &str = "team-a";

pub fn id(name: &str) -> Id {
    Id { namespace: NAMESPACE.into(), name: name.into() }
}
