//! Two kinds and everything around them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::future::Future;

use futures::stream::{self, BoxStream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::super::*;
use crate::api::common::PendingChange;
use crate::api::{Arn, FINALIZER};
use crate::aws::accounts::ScopeError;
use crate::aws::{Ask, AwsError, Stray};
use crate::engine::port::{SecretError, SecretSight};
use crate::plan::secret::{SecretFacts, SecretWrite};
use crate::plan::{
    Allow, Beside, Call, Class, Face, Input, KeyFound, KeyRef, KeySource, Neighbour, Next, Plan, Reply, Seen,
};

#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[kube(group = "test.windlass.dev", version = "v1", kind = "Thing", namespaced, status = "ThingStatus")]
#[kube(schema = "disabled", derive = "PartialEq")]
pub struct ThingSpec {
    /// What it shows to others.
    pub shows: String,
    /// The host that it rests on.
    pub host: Option<String>,
    /// The key in the Secret `s` that it needs.
    pub key: Option<String>,
    /// Whether it wishes for a write, which AWS never shows.
    pub wishes: bool,
    /// Whether that is announced in the status first.
    pub announces: bool,
    pub region: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ThingStatus {
    /// What the last plan found beside it.
    pub says: String,
    pub arn: Option<Arn>,
    /// What is about to be sent.
    pub announced: Option<String>,
}

impl crate::plan::Status for ThingStatus {
    fn observed_generation(&self) -> i64 {
        0
    }
    fn conditions(&self) -> &[Condition] {
        &[]
    }
    fn with_conditions(self, _: i64, _: Vec<Condition>) -> Self {
        self
    }
    fn last_handled(&self) -> Option<&String> {
        None
    }
    fn arn(&self) -> Option<&Arn> {
        self.arn.as_ref()
    }
    fn created_time(&self) -> Option<Timestamp> {
        None
    }
    fn pending_changes(&self) -> &[PendingChange] {
        &[]
    }
    fn same_stamps(&self, other: &Self) -> bool {
        self.announced == other.announced
    }
    fn with_counts_of(self, _: &Self) -> Self {
        self
    }
    fn with_last_handled(self, _: Option<String>) -> Self {
        self
    }
}

/// A kind: guests rest on hosts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plain<const GUEST: bool>;
pub type Host = Plain<false>;
pub type Guest = Plain<true>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TheKey;

/// A write that says what was found beside the object.
#[derive(Debug, Clone, PartialEq)]
pub struct Said(pub String);

impl Call for Said {
    fn operation(&self) -> &'static str {
        "Say"
    }
    fn creates(&self) -> bool {
        true
    }
}

impl<const GUEST: bool> Kind for Plain<GUEST> {
    const NAME: &'static str = if GUEST { "Guest.test.windlass.dev" } else { "Host.test.windlass.dev" };
    type Object = Thing;
    type Status = ThingStatus;
    type State = ();
    type Look = TheKey;
    type Call = Said;

    fn plan(input: &Input<'_, Self>) -> Plan<Self> {
        let (object, says) = (input.object, words(input.beside));
        let next = match input.seen {
            _ if object.metadata.deletion_timestamp.is_some() => Next::Release,
            Seen::NotLooked => Next::Look(object.spec.key.iter().map(|_| TheKey).collect()),
            Seen::NotAllowed(_) | Seen::Unknown => Next::Wait(Duration::from_secs(10)),
            Seen::Found(()) if object.spec.wishes => Next::Send(Said(says.clone())),
            Seen::Found(()) => Next::Settled(None),
        };
        let arn = object.status.as_ref().and_then(|status| status.arn.clone());
        let announced = matches!(next, Next::Send(_)).then(|| says.clone()).filter(|_| object.spec.announces);
        Plan { next, status: ThingStatus { says, arn, announced }, news: Vec::new() }
    }

    fn after(_: &ThingStatus, _: &Said, _: &Reply) -> Option<ThingStatus> {
        None
    }

    fn place(_: &Thing) -> (Option<&crate::api::AccountName>, Option<&crate::api::Region>) {
        (None, None)
    }
    fn face(object: &Thing) -> Face {
        Face {
            uid: object.uid().unwrap_or_default(),
            aws_name: object.spec.shows.clone(),
            deleting: object.metadata.deletion_timestamp.is_some(),
            ..Face::default()
        }
    }

    fn rests_on(object: &Thing) -> Vec<Neighbour> {
        let host = |name: &String| Neighbour { kind: Host::NAME, name: name.clone() };
        object.spec.host.iter().filter(|_| GUEST).map(host).collect()
    }

    fn key(object: &Thing, _: TheKey) -> Option<KeyRef> {
        object.spec.key.as_deref().map(key)
    }
}

fn words(beside: &Beside) -> String {
    let mut words = String::new();
    for (neighbour, face) in &beside.objects {
        let shows = face.as_ref().map_or("nobody", |face| if face.deleting { "leaving" } else { &face.aws_name });
        write!(words, "{} is {shows}.", neighbour.name).unwrap();
    }
    for (key, found) in &beside.keys {
        match found {
            KeyFound::Value(text) => write!(words, "{key} is {}.", text.reveal()).unwrap(),
            other => write!(words, "{key} is {other:?}.").unwrap(),
        }
    }
    words
}

pub fn key(name: &str) -> KeyRef {
    KeyRef { source: KeySource::Secret, name: "s".into(), key: name.into() }
}

pub fn id(name: &str) -> Id {
    Id { namespace: "ns".into(), name: name.into() }
}

type Change = Box<dyn FnOnce(&mut Thing)>;
type Then = Box<dyn FnOnce() + Send>;

/// An API server for one kind. Clones are the same one.
#[derive(Clone, Default)]
pub struct Port(Arc<Mutex<Store>>);

#[derive(Default)]
struct Store {
    objects: BTreeMap<Id, Thing>,
    keys: BTreeMap<KeyRef, KeyFound>,
    key_reads: usize,
    /// What happens right after the next status is written.
    then: Option<Then>,
    /// What each status that was written had announced.
    announced: Vec<Option<String>>,
    version: u64,
    watch: Option<mpsc::UnboundedSender<Sight<Thing>>>,
}

impl Store {
    fn put(&mut self, id: Id, mut object: Thing) {
        self.version += 1;
        object.metadata.resource_version = Some(self.version.to_string());
        self.objects.insert(id, object.clone());
        self.tell(Sight::There(Arc::new(object)));
    }

    fn tell(&mut self, sight: Sight<Thing>) {
        if let Some(watch) = &self.watch {
            watch.send(sight).ok();
        }
    }
}

impl Port {
    pub fn get(&self, name: &str) -> Option<Thing> {
        lock(&self.0).objects.get(&id(name)).cloned()
    }

    /// What the last plan for it found beside it.
    pub fn says(&self, name: &str) -> String {
        self.get(name).and_then(|object| object.status).map(|status| status.says).unwrap_or_default()
    }

    pub fn create(&self, name: &str, spec: ThingSpec) {
        let mut object = Thing::new(name, spec);
        let mut store = lock(&self.0);
        object.metadata.namespace = Some("ns".into());
        object.metadata.uid = Some(format!("uid-{name}-{}", store.version));
        object.metadata.generation = Some(1);
        store.put(id(name), object);
    }

    pub fn edit(&self, name: &str, change: impl FnOnce(&mut ThingSpec)) {
        let mut object = self.get(name).unwrap();
        change(&mut object.spec);
        object.metadata.generation = object.metadata.generation.map(|g| g + 1);
        lock(&self.0).put(id(name), object);
    }

    /// Somebody writes what is of no concern to us.
    pub fn label(&self, name: &str, value: &str) {
        let mut object = self.get(name).unwrap();
        object.metadata.labels.get_or_insert_default().insert("team".into(), value.into());
        lock(&self.0).put(id(name), object);
    }

    pub fn delete(&self, name: &str) {
        let mut object = self.get(name).unwrap();
        object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        lock(&self.0).put(id(name), object);
    }

    pub fn set_key(&self, name: &str, found: KeyFound) {
        lock(&self.0).keys.insert(key(name), found);
    }

    /// Something happens right after the next status is written.
    pub fn then(&self, then: impl FnOnce() + Send + 'static) {
        lock(&self.0).then = Some(Box::new(then));
    }

    /// What each status that was written had announced.
    pub fn announced(&self) -> Vec<Option<String>> {
        lock(&self.0).announced.clone()
    }

    pub fn key_reads(&self) -> usize {
        lock(&self.0).key_reads
    }

    /// The watch shows this.
    pub fn tell(&self, sight: Sight<Thing>) {
        lock(&self.0).tell(sight);
    }

    /// Everything there is, then everything that happens; the list is complete when [`Port::listed`] says so.
    fn sights(&self) -> BoxStream<'static, Sight<Thing>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut store = lock(&self.0);
        for object in store.objects.values() {
            sender.send(Sight::There(Arc::new(object.clone()))).ok();
        }
        store.watch = Some(sender);
        let next = |mut receiver: mpsc::UnboundedReceiver<_>| async { Some((receiver.recv().await?, receiver)) };
        stream::unfold(receiver, next).boxed()
    }

    /// The list is complete.
    pub fn listed(&self) {
        let all: HashSet<Id> = lock(&self.0).objects.keys().cloned().collect();
        self.tell(Sight::Complete { within: None, all });
    }
}

impl Port {
    fn apply<const GUEST: bool>(
        &self,
        effect: KubeEffect<Plain<GUEST>>,
    ) -> Result<(Option<Arc<Thing>>, Option<Then>), KubeError> {
        let reports = matches!(effect, KubeEffect::Report(..));
        let mut store = lock(&self.0);
        let (given, change): (Arc<Thing>, Change) = match effect {
            KubeEffect::Read(id) => return Ok((store.objects.get(&id).cloned().map(Arc::new), None)),
            KubeEffect::Guard(given) => (given, Box::new(|o| o.metadata.finalizers = Some(vec![FINALIZER.into()]))),
            KubeEffect::Release(given) => (given, Box::new(|o| o.metadata.finalizers = None)),
            KubeEffect::Report(given, status) => (given, Box::new(move |o| o.status = Some(*status))),
        };
        let id = Id::of(given.as_ref());
        let Some(mut object) = store.objects.get(&id).cloned() else { return Err(KubeError::Gone) };
        if object.metadata.resource_version != given.metadata.resource_version {
            return Err(KubeError::Conflict);
        }
        change(&mut object);
        let gone = object.metadata.deletion_timestamp.is_some() && object.metadata.finalizers.is_none();
        store.put(id.clone(), object);
        let now = store.objects.get(&id).cloned();
        if gone {
            store.objects.remove(&id);
            store.tell(Sight::Gone(id));
        }
        if reports {
            let announced = now.as_ref().and_then(|object| object.status.clone()).and_then(|status| status.announced);
            store.announced.push(announced);
        }
        let then = store.then.take_if(|_| reports);
        Ok((now.map(Arc::new), then))
    }
}

impl<const GUEST: bool> KubePort<Plain<GUEST>> for Port {
    async fn perform(&self, effect: KubeEffect<Plain<GUEST>>) -> Result<Option<Arc<Thing>>, KubeError> {
        let (now, then) = self.apply(effect)?;
        if let Some(then) = then {
            then();
            // The watch is quicker than the answer.
            sleep(Duration::from_millis(100)).await;
        }
        Ok(now)
    }

    async fn read_key(&self, namespace: &str, key: &KeyRef) -> KeyFound {
        assert_eq!(namespace, "ns");
        let found = {
            let mut store = lock(&self.0);
            store.key_reads += 1;
            store.keys.get(key).cloned()
        };
        match found {
            Some(KeyFound::Unknown) => std::future::pending().await,
            found => found.unwrap_or(KeyFound::Absent),
        }
    }

    // No object here keeps a Secret.
    async fn find_secret(&self, _: &str, _: &str) -> Result<Option<SecretFacts>, SecretError> {
        Err(SecretError::unavailable("no object here keeps a Secret"))
    }

    async fn write_secret(
        &self,
        _: &str,
        _: Option<&Thing>,
        _: &SecretWrite,
    ) -> Result<Option<SecretFacts>, SecretError> {
        Err(SecretError::unavailable("no object here keeps a Secret"))
    }

    fn secrets(&self, _: &str) -> BoxStream<'static, SecretSight> {
        stream::pending().boxed()
    }
}

/// An AWS that writes down what it is asked. Clones are the same one.
#[derive(Clone)]
pub struct Aws(Arc<Asked>);

pub struct Asked {
    began: Instant,
    /// How long a look takes.
    pub takes: Mutex<Duration>,
    looks: Mutex<Vec<(Duration, String)>>,
    sent: Mutex<Vec<(Duration, String)>>,
    /// What every write is answered with.
    pub refuses: Mutex<Option<Class>>,
    /// What carries our tags, by Region.
    pub strays: Mutex<BTreeMap<String, Vec<Stray>>>,
}

impl std::ops::Deref for Aws {
    type Target = Asked;
    fn deref(&self) -> &Asked {
        &self.0
    }
}

impl Asked {
    /// When an object was looked at, in whole seconds.
    pub fn looks(&self, name: &str) -> Vec<u64> {
        lock(&self.looks).iter().filter(|(_, looked)| looked == name).map(|(at, _)| at.as_secs()).collect()
    }

    /// What was sent when, in whole seconds.
    pub fn sent(&self) -> Vec<(u64, String)> {
        lock(&self.sent).iter().map(|(at, words)| (at.as_secs(), words.clone())).collect()
    }
}

pub fn scope(region: &str) -> Scope {
    Scope {
        cluster: "cluster".into(),
        account: "123456789012".into(),
        partition: "aws".into(),
        region: region.parse().unwrap(),
        allow: Allow::default(),
        identity: Default::default(),
    }
}

impl<const GUEST: bool> AwsPort<Plain<GUEST>> for Aws {
    async fn scope(&self, object: &Thing) -> Result<Scope, ScopeError> {
        Ok(scope(object.spec.region.as_deref().unwrap_or("eu-west-1")))
    }

    async fn observe(&self, _: &Scope, object: &Thing, _: Ask<'_, TheKey>) -> Result<(), AwsError> {
        lock(&self.looks).push((self.began.elapsed(), object.name_any()));
        let takes = *lock(&self.takes);
        sleep(takes).await;
        Ok(())
    }

    async fn send(&self, _: &Scope, call: &Said, _: Urgency) -> Result<Reply, AwsError> {
        lock(&self.sent).push((self.began.elapsed(), call.0.clone()));
        match *lock(&self.refuses) {
            Some(class) => {
                let (code, message) = ("Code".into(), "words".into());
                Err(AwsError { operation: "Say", class, code, message, request_id: None })
            }
            None => Ok(Reply::default()),
        }
    }

    async fn strays(&self, scope: &Scope, claimed: &BTreeSet<Arn>) -> Result<Vec<Stray>, AwsError> {
        let mut strays = lock(&self.strays).get(scope.region.as_str()).cloned().unwrap_or_default();
        strays.retain(|stray| !claimed.contains(&stray.arn));
        Ok(strays)
    }
}

/// What people were told.
#[derive(Default)]
pub struct Told(Mutex<Vec<(ObjectReference, News)>>);

impl Told {
    pub fn all(&self) -> Vec<(ObjectReference, News)> {
        lock(&self.0).clone()
    }
}

impl Herald for Told {
    fn tell(&self, about: &ObjectReference, news: News) {
        lock(&self.0).push((about.clone(), news));
    }
}

struct Granted;

impl Leave for Granted {
    fn granted(&self) -> bool {
        true
    }
}

/// Both engines at work.
pub struct Village {
    pub hosts: Port,
    pub guests: Port,
    pub aws: Aws,
    pub told: Arc<Told>,
    pub metrics: Metrics,
    pub neighbourhood: Arc<Neighbourhood>,
    pub guest_engine: Arc<Engine<Guest, Port, Aws>>,
    leads: watch::Sender<LeaseState>,
    tasks: Vec<JoinHandle<()>>,
}

impl Village {
    /// Both engines, who lead; no list is complete yet.
    pub fn new() -> Self {
        let (began, start) = (Instant::now(), Timestamp::from_second(1_800_000_000).unwrap());
        let asked = Asked {
            began,
            takes: Mutex::new(Duration::from_millis(10)),
            looks: Mutex::default(),
            sent: Mutex::default(),
            refuses: Mutex::default(),
            strays: Mutex::default(),
        };
        let (hosts, guests, aws) = (Port::default(), Port::default(), Aws(Arc::new(asked)));
        let (told, metrics, neighbourhood) =
            (Arc::<Told>::default(), Metrics::new(false).unwrap(), Arc::<Neighbourhood>::default());
        let parts = |kube: &Port| Parts {
            kube: kube.clone(),
            aws: aws.clone(),
            leave: Arc::new(Granted) as Arc<dyn Leave>,
            clock: Arc::new(move || start + began.elapsed()),
            chance: Arc::new(|| 0.0),
            herald: Arc::clone(&told) as Arc<dyn Herald>,
            stage: Stage::unwatched(),
            metrics: metrics.clone(),
            neighbourhood: Arc::clone(&neighbourhood),
            settings: EngineSettings { urgent_workers: 1, workers: 2, ..EngineSettings::default() },
        };
        let (leads, led) = watch::channel(LeaseState::Held { taken_at: start });
        let host_engine: Arc<Engine<Host, Port, Aws>> = Engine::new(parts(&hosts), led.clone());
        let guest_engine: Arc<Engine<Guest, Port, Aws>> = Engine::new(parts(&guests), led);
        let tasks = vec![
            tokio::spawn(host_engine.run(hosts.sights(), 1, || {})),
            tokio::spawn(Arc::clone(&guest_engine).run(guests.sights(), 1, || {})),
        ];
        Self { hosts, guests, aws, told, metrics, neighbourhood, guest_engine, leads, tasks }
    }

    /// Both engines, whose lists are complete.
    pub fn listed() -> Self {
        let village = Self::new();
        village.hosts.listed();
        village.guests.listed();
        village
    }

    pub fn lose_the_lease(&self) {
        self.leads.send_replace(LeaseState::Standby);
    }

    pub fn take_the_lease(&self) {
        self.leads.send_replace(LeaseState::Held { taken_at: (self.guest_engine.parts.clock)() });
    }

    /// Nothing of it turns any more.
    pub fn stop(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Drop for Village {
    fn drop(&mut self) {
        self.stop();
    }
}

pub fn showing(shows: &str) -> ThingSpec {
    ThingSpec { shows: shows.into(), ..ThingSpec::default() }
}

pub fn resting_on(host: &str) -> ThingSpec {
    ThingSpec { host: Some(host.into()), ..ThingSpec::default() }
}

/// Some time goes by.
pub fn pass(seconds: u64) -> impl Future<Output = ()> {
    sleep(Duration::from_secs(seconds))
}

/// As long as a pass takes here.
pub fn a_moment() -> impl Future<Output = ()> {
    sleep(Duration::from_millis(100))
}
