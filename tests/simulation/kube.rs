//! An API server in memory, as far as one kind needs it: uids, resource versions, generations, finalizers, the status
//! subresource, conflicts and a watch, by the rules of the real one.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use windlass::api::fleet::{Fleet, FleetSpec, FleetStatus};
use windlass::api::{FINALIZER, RECONCILE_REQUESTED_AT};
use windlass::engine::port::{SecretError, SecretSight};
use windlass::engine::{Id, KubeEffect, KubeError, KubePort, Sight};
use windlass::plan::fleet::FleetKind;
use windlass::plan::secret::{SecretFacts, SecretWrite};
use windlass::plan::{KeyFound, KeyRef, Status};

/// How long a request is under way, each way, and how late the watch tells of a change: a close API server.
const WAY: Duration = Duration::from_millis(2);

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
    objects: BTreeMap<Id, Fleet>,
    /// Keys of Secrets and ConfigMaps, by namespace.
    keys: BTreeMap<(String, KeyRef), KeyFound>,
    version: u64,
    uids: u64,
    watches: Vec<mpsc::UnboundedSender<(Instant, Sight<Fleet>)>>,
    watch_lag: Duration,
    writes: Vec<KubeWrite>,
    faults: VecDeque<KubeFault>,
    /// Mutating requests of operators.
    mutations: u64,
}

/// A write of the operator that changed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeWrite {
    pub at: Timestamp,
    pub by: &'static str,
    pub what: &'static str,
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

type Change = Box<dyn FnOnce(&mut Fleet)>;

impl Cluster {
    pub fn new(clock: Clock, store: Store) -> Self {
        Self { state: Arc::new(Mutex::new(store)), clock, writer: "operator" }
    }

    /// What it keeps now, with nobody watching.
    pub fn store(&self) -> Store {
        Store { watches: Vec::new(), mutations: 0, ..self.lock().clone() }
    }

    /// The same API server, whose writes are counted under another name.
    pub fn by(&self, writer: &'static str) -> Self {
        Self { writer, ..self.clone() }
    }

    /// Everything there is, then everything that happens.
    pub fn sights(&self) -> impl Stream<Item = Sight<Fleet>> + Send + 'static {
        let (sender, receiver) = mpsc::unbounded_channel();
        {
            let mut store = self.lock();
            let now = Instant::now();
            let all: HashSet<Id> = store.objects.keys().cloned().collect();
            for object in store.objects.values() {
                sender.send((now, Sight::There(Arc::new(object.clone())))).ok();
            }
            sender.send((now, Sight::Complete { within: None, all })).ok();
            store.watches.push(sender);
        }
        futures::stream::unfold(receiver, |mut receiver| async {
            let (at, sight) = receiver.recv().await?;
            sleep_until(at).await;
            Some((sight, receiver))
        })
    }

    /// How late the watch tells of changes from now on.
    pub fn watch_lag(&self, lag: Duration) {
        self.lock().watch_lag = lag;
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

    pub fn objects(&self) -> Vec<Fleet> {
        self.lock().objects.values().cloned().collect()
    }

    pub fn get(&self, name: &str) -> Option<Fleet> {
        self.lock().objects.get(&id(name)).cloned()
    }

    /// A person applies a new object.
    pub fn create(&self, name: &str, spec: FleetSpec) {
        let mut store = self.lock();
        let mut object = Fleet::new(name, spec);
        store.uids += 1;
        object.metadata.namespace = Some(NAMESPACE.into());
        object.metadata.uid = Some(format!("00000000-0000-4000-8000-{:012}", store.uids));
        object.metadata.generation = Some(1);
        object.metadata.creation_timestamp = Some(Time((self.clock)()));
        object.status = Some(FleetStatus { observed_generation: -1, ..FleetStatus::default() });
        assert!(store.put(id(name), object), "{name} exists");
    }

    /// A person edits the spec. False: there is no such object.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut FleetSpec)) -> bool {
        let mut store = self.lock();
        let Some(mut object) = store.objects.get(&id(name)).cloned() else { return false };
        change(&mut object.spec);
        if store.objects.get(&id(name)).is_some_and(|old| old.spec != object.spec) {
            object.metadata.generation = object.metadata.generation.map(|g| g + 1);
            store.put(id(name), object);
        }
        true
    }

    /// A person asks for a pass.
    pub fn poke(&self, name: &str, value: &str) {
        let mut store = self.lock();
        let Some(mut object) = store.objects.get(&id(name)).cloned() else { return };
        let annotations = object.metadata.annotations.get_or_insert_default();
        annotations.insert(RECONCILE_REQUESTED_AT.into(), value.into());
        store.put(id(name), object);
    }

    /// A person deletes it. The API server bumps the generation when it sets the deletionTimestamp.
    pub fn delete(&self, name: &str) -> bool {
        let mut store = self.lock();
        let Some(mut object) = store.objects.get(&id(name)).cloned() else { return false };
        if object.metadata.deletion_timestamp.is_some() {
            return true;
        }
        let second = Timestamp::from_second((self.clock)().as_second()).unwrap();
        object.metadata.deletion_timestamp = Some(Time(second));
        object.metadata.generation = object.metadata.generation.map(|g| g + 1);
        store.put(id(name), object);
        store.collect(&id(name));
        true
    }

    /// Somebody takes the finalizers off and deletes it.
    pub fn force_delete(&self, name: &str) {
        let mut store = self.lock();
        if store.objects.remove(&id(name)).is_some() {
            store.tell(Sight::Gone(id(name)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.state.lock().unwrap()
    }

    /// What the API server does with one request, at one instant.
    fn act(&self, effect: KubeEffect<FleetKind>) -> Result<Option<Arc<Fleet>>, KubeError> {
        let mut store = self.lock();
        let what = match &effect {
            KubeEffect::Read(id) => return Ok(store.objects.get(id).cloned().map(Arc::new)),
            KubeEffect::Guard(_) => "guard",
            KubeEffect::Report(..) => "report",
            KubeEffect::Release(_) => "release",
        };
        let (given, change): (_, Change) = match effect {
            KubeEffect::Read(_) => unreachable!(),
            KubeEffect::Guard(given) => {
                if given.metadata.deletion_timestamp.is_some() {
                    return Err(KubeError::Refused(
                        "no new finalizers can be added if the object is being deleted".into(),
                    ));
                }
                let finalizers = given.metadata.finalizers.clone().unwrap_or_default();
                let all = finalizers.into_iter().chain([FINALIZER.to_owned()]).collect();
                (given, Box::new(move |object| object.metadata.finalizers = Some(all)))
            }
            KubeEffect::Release(given) => {
                let finalizers = given.metadata.finalizers.clone().unwrap_or_default();
                let rest = finalizers.into_iter().filter(|f| f != FINALIZER).collect();
                (given, Box::new(move |object| object.metadata.finalizers = Some(rest)))
            }
            KubeEffect::Report(given, status) => {
                // Through JSON and back, as over the wire: what a status loses there must not be missed.
                let wire = serde_json::to_value(&*status).unwrap();
                let status = serde_json::from_value(wire).unwrap();
                (given, Box::new(move |object| object.status = Some(status)))
            }
        };
        let id = Id::of(given.as_ref());
        let Some(held) = store.objects.get(&id).cloned() else { return Err(KubeError::Gone) };
        if held.metadata.uid != given.metadata.uid || held.metadata.resource_version != given.metadata.resource_version
        {
            return Err(KubeError::Conflict);
        }
        let mut object = held.clone();
        change(&mut object);
        // A write that changes nothing makes no new version.
        if object != held {
            let counts = object
                .status
                .clone()
                .zip(held.status.clone())
                .is_some_and(|(new, old)| new != old && new.with_counts_of(&old) == old);
            let what = if counts { "counts" } else { what };
            store.writes.push(KubeWrite { at: (self.clock)(), by: self.writer, what, id: id.clone() });
            store.put(id.clone(), object);
        }
        let now = store.objects.get(&id).cloned();
        store.collect(&id);
        Ok(now.map(Arc::new))
    }
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
            writes: Vec::new(),
            faults: VecDeque::new(),
            mutations: 0,
        }
    }
}

impl Store {
    /// Keeps a new version and tells the watches; false if the name was new before this.
    fn put(&mut self, id: Id, mut object: Fleet) -> bool {
        self.version += 1;
        object.metadata.resource_version = Some(self.version.to_string());
        self.tell(Sight::There(Arc::new(object.clone())));
        self.objects.insert(id, object).is_none()
    }

    /// A deleted object without finalizers goes.
    fn collect(&mut self, id: &Id) {
        let gone = self.objects.get(id).is_some_and(|object| {
            object.metadata.deletion_timestamp.is_some()
                && object.metadata.finalizers.as_ref().is_none_or(Vec::is_empty)
        });
        if gone {
            self.objects.remove(id);
            self.version += 1;
            self.tell(Sight::Gone(id.clone()));
        }
    }

    fn tell(&mut self, sight: Sight<Fleet>) {
        let at = Instant::now() + self.watch_lag;
        self.watches.retain(|watch| watch.send((at, sight.clone())).is_ok());
    }

    fn fault(&mut self) -> Option<KubeFaultEffect> {
        self.mutations += 1;
        let now = self.mutations;
        let fault = self.faults.iter().find(|fault| (fault.first..fault.first + fault.times).contains(&now))?;
        Some(fault.effect)
    }
}

impl KubePort<FleetKind> for Cluster {
    async fn perform(&self, effect: KubeEffect<FleetKind>) -> Result<Option<Arc<Fleet>>, KubeError> {
        let fault = if effect.mutating() { self.lock().fault() } else { None };
        sleep(WAY).await;
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
        sleep(WAY).await;
        answer
    }

    async fn read_key(&self, namespace: &str, key: &KeyRef) -> KeyFound {
        sleep(WAY).await;
        let found = self.lock().keys.get(&(namespace.to_owned(), key.clone())).cloned();
        sleep(WAY).await;
        found.unwrap_or(KeyFound::Absent)
    }

    // No object here keeps a Secret.
    async fn write_secret(
        &self,
        _: &str,
        _: Option<&Fleet>,
        _: &SecretWrite,
    ) -> Result<Option<SecretFacts>, SecretError> {
        Err(SecretError::unavailable("no object here keeps a Secret"))
    }

    fn secrets(&self, _: &str) -> BoxStream<'static, SecretSight> {
        stream::pending().boxed()
    }
}

/// The one namespace.
pub const NAMESPACE: &str = "team-a";

pub fn id(name: &str) -> Id {
    Id { namespace: NAMESPACE.into(), name: name.into() }
}
