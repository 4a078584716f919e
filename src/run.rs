//! The composition root: the only place that knows which AWS and which API server are real.

mod accounts;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource, ResourceExt};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::aws::accounts::{AccountBook, Accounts};
use crate::aws::codes::Service;
use crate::aws::gate::{Access, BucketKey, Gate, GateObserver, Limits};
use crate::aws::{AwsPort, Leave};
use crate::engine::events::{ClusterEvents, Events, events};
use crate::engine::live::{LiveKube, sights};
use crate::engine::neighbourhood::Neighbourhood;
use crate::engine::stage::Stage;
use crate::engine::{Engine, EngineSettings, Herald, KubePort, Parts, sweep};
use crate::kinds;
use crate::kube_client::{Clients, cluster_id};
use crate::lease::{ClusterLease, Contender, Lease, LeaseState};
use crate::plan::account::{Book, Judgement, Wish};
use crate::plan::{Class, Kind, News};
use crate::settings::RunSettings;
use crate::telemetry::server::{Answers, Server};
use crate::telemetry::{Heartbeat, Label, Metrics, Readiness};

/// What stopped the controller before it began.
pub type StartError = Box<dyn std::error::Error>;

/// How long passes may take to end after SIGTERM: less than a pod's default grace of 30 s, with room for the lease.
const DRAIN: Duration = Duration::from_secs(20);
/// How long to wait before the API server is asked again who the cluster is.
const AGAIN: Duration = Duration::from_secs(2);

/// Runs until `shutdown`, then ends what is under way and gives the lease back.
///
/// # Errors
/// When it cannot begin: a port that is taken, no way to the API server. An API server that is away is waited for.
pub async fn run(settings: RunSettings, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
    let metrics = Metrics::new(settings.object_metrics)?;
    let server = Server::bind(settings.listen).await?;
    let readiness = Readiness::new([CACHES, API_SERVER]);
    let heartbeat = Heartbeat::default();
    let (stop, stopped) = watch::channel(false);
    let answers = Answers { metrics: metrics.clone(), readiness: readiness.clone(), heartbeat: heartbeat.clone() };
    info!(address = %server.address(), identity = %settings.identity, version = env!("CARGO_PKG_VERSION"), "windlass starts");
    let serving = tokio::spawn(server.serve(answers, until(stopped.clone())));

    let clients = Clients::infer().await?;
    let mut shutdown = std::pin::pin!(shutdown);
    let cluster = tokio::select! {
        cluster = known_cluster(&settings, &clients) => cluster,
        () = &mut shutdown => return Ok(()),
    };
    readiness.open(API_SERVER);

    let (lease, contender) = match &settings.lease {
        None => (Lease::not_needed(Timestamp::now()), None),
        Some(wanted) => {
            let api = ClusterLease::new(clients.lease.clone(), wanted);
            let (contender, lease) =
                Contender::new(api, wanted.clone(), settings.identity.clone(), Timestamp::now, metrics.clone());
            (lease, Some(contender))
        }
    };
    if contender.is_none() {
        metrics.leader(true);
    }
    let (release, released) = watch::channel(false);
    let contending = contender.map(|contender| tokio::spawn(contender.run(until(released))));

    let (herald, poster) =
        events(ClusterEvents(clients.requests.clone()), settings.identity.clone(), Timestamp::now, metrics.clone());
    let posting = tokio::spawn(poster.run());

    let gate = Arc::new(Gate::new(Limits::default(), Arc::new(Watched(metrics.clone()))));
    let clock = Arc::new(Timestamp::now);
    let accounts = Accounts::from_environment(cluster, settings.region.clone(), gate, clock).await;
    let book = AccountBook::unread();
    let accounts = Arc::new(accounts.requiring_account(settings.require_account).with_book(book.clone()));
    let leave: Arc<dyn Leave> = Arc::new(lease.clone());
    let (objects, seen) = watch::channel(accounts::Objects::new());
    let mut background = JoinSet::new();
    background.spawn(keep_connected(clients.requests.clone()));
    background.spawn(accounts::keep_book(clients.watches.clone(), book.clone(), objects, metrics.clone()));
    let reporter = accounts::Reporter {
        client: clients.requests.clone(),
        accounts: Arc::clone(&accounts),
        leave: Arc::clone(&leave),
        herald: Arc::new(herald.clone()),
        every: settings.resync,
    };
    background.spawn(reporter.run(seen, lease.watch()));
    // Nothing is resolved before it is known which Accounts there are.
    let listed = tokio::select! {
        () = accounts::listed(&book) => true,
        () = &mut shutdown => false,
    };
    let mut kinds = Kinds {
        clients,
        settings: settings.clone(),
        herald,
        metrics,
        leave: Arc::clone(&leave),
        leads: lease.watch(),
        readiness: readiness.clone(),
        heartbeat,
        accounts: Arc::clone(&accounts),
        stage: stage(),
        neighbourhood: Arc::default(),
        tasks: JoinSet::new(),
        background,
        drains: Vec::new(),
    };
    if listed {
        kinds::register(&mut kinds, &accounts, &leave);
        // Every kind has a gate of its own by now.
        readiness.open(CACHES);
    }
    let Kinds { mut tasks, mut background, drains, herald, .. } = kinds;
    drop(herald);

    let mut ended_by_itself = false;
    tokio::select! {
        biased;
        // Who was told to end before anything began has nothing to wait for.
        () = std::future::ready(()), if !listed => {}
        () = &mut shutdown => {}
        ended = tasks.join_next() => {
            warn!("a part of the controller ended by itself: {}", ended.is_some());
            ended_by_itself = true;
        }
    }
    drains.iter().for_each(|drain| drain());
    drop(drains);
    background.shutdown().await;
    let drained = async {
        while tasks.join_next().await.is_some() {}
        posting.await.ok();
    };
    // What does not end by then is the next process's to find, as after a crash.
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        warn!("not everything ended within {} s", DRAIN.as_secs());
        tasks.shutdown().await;
    }
    release.send_replace(true);
    if let Some(contending) = contending {
        contending.await?;
    }
    stop.send_replace(true);
    tokio::time::timeout(Duration::from_secs(2), serving).await.ok();
    info!("windlass ends");
    // Whoever starts it anew must see that nobody had told it to end.
    if ended_by_itself { Err("a part of the controller ended by itself".into()) } else { Ok(()) }
}

/// How often the API server is asked for its version: a connection that nobody used for 90 s is closed (hyper-util's
/// `pool_idle_timeout`), and the next edit would wait for a handshake.
const CONNECTED: Duration = Duration::from_secs(45);

/// Keeps a connection to the API server open for the first edit after a quiet time.
async fn keep_connected(client: Client) {
    loop {
        tokio::time::sleep(CONNECTED).await;
        if let Err(error) = client.apiserver_version().await {
            debug!("asking the API server for its version: {error}");
        }
    }
}

const CACHES: &str = "caches";
const API_SERVER: &str = "api server";

/// Everything that a kind needs to be served.
pub struct Kinds {
    clients: Clients,
    settings: RunSettings,
    herald: Events,
    metrics: Metrics,
    leave: Arc<dyn Leave>,
    leads: watch::Receiver<LeaseState>,
    readiness: Readiness,
    heartbeat: Heartbeat,
    accounts: Arc<Accounts>,
    stage: Stage,
    neighbourhood: Arc<Neighbourhood>,
    tasks: JoinSet<()>,
    background: JoinSet<()>,
    drains: Vec<Box<dyn Fn() + Send>>,
}

/// Serves a kind: its engine, its watch, its sweeper.
pub fn serve<K, A>(kinds: &mut Kinds, aws: A)
where
    K: Kind,
    K::Object: Resource<Scope = NamespaceResourceScope>,
    A: AwsPort<K>,
{
    let parts = Parts {
        kube: LiveKube::<K>::new(kinds.clients.requests.clone(), kinds.clients.watches.clone()),
        aws,
        leave: Arc::clone(&kinds.leave),
        clock: Arc::new(Timestamp::now),
        chance: Arc::new(rand::random::<f64>),
        herald: Arc::new(kinds.herald.clone()),
        stage: kinds.stage.clone(),
        metrics: kinds.metrics.clone(),
        neighbourhood: Arc::clone(&kinds.neighbourhood),
        settings: EngineSettings {
            resync: kinds.settings.resync,
            namespaces: kinds.settings.watch_namespaces.clone(),
            ..EngineSettings::default()
        },
    };
    let engine = Engine::new(parts, kinds.leads.clone());
    let watched = watched::<K>(kinds.clients.watches.clone(), &kinds.settings.watch_namespaces);
    let readiness = kinds.readiness.clone();
    let lists = kinds.settings.watch_namespaces.len().max(1);
    readiness.close(K::NAME, "its caches are not complete yet");
    kinds.tasks.spawn(Arc::clone(&engine).run(watched, lists, move || readiness.open(K::NAME)));
    let turns = Arc::downgrade(&engine);
    kinds.heartbeat.ask(move || turns.upgrade()?.stuck());
    let drained = Arc::clone(&engine);
    kinds.drains.push(Box::new(move || drained.drain()));
    kinds.background.spawn(look_where_accounts_change(Arc::clone(&engine), Arc::clone(&kinds.accounts)));
    let mut leads = kinds.leads.clone();
    let accounts = Arc::clone(&kinds.accounts);
    kinds.background.spawn(async move {
        let mut pause = sweep::FIRST;
        loop {
            tokio::time::sleep(std::mem::replace(&mut pause, sweep::EVERY)).await;
            if leads.wait_for(|state| *state != LeaseState::Standby).await.is_err() {
                return;
            }
            let home = accounts.home().await;
            if let Err(error) = &home {
                debug!(kind = K::NAME, "looking for orphans: no place is the operator's own: {error}");
            }
            engine.sweep(home.ok()).await;
        }
    });
}

/// Looks at the objects that live elsewhere, or may ask for other things, since the Accounts have changed.
async fn look_where_accounts_change<K: Kind, P: KubePort<K>, A: AwsPort<K>>(
    engine: Arc<Engine<K, P, A>>,
    accounts: Arc<Accounts>,
) {
    let mut changes = accounts.book().changes();
    let mut before = changes.borrow_and_update().clone();
    while changes.changed().await.is_ok() {
        let after = changes.borrow_and_update().clone();
        let judged = |book: &Option<Arc<Book>>, object: &K::Object| -> Option<Judgement> {
            let namespace = object.namespace().unwrap_or_default();
            let (account, region) = K::place(object);
            let wish = Wish { kind: K::NAME, namespace: &namespace, account, region };
            Some(book.as_ref()?.judge(&wish, accounts.house()))
        };
        let due = engine.look_again_where(|object| judged(&before, object) != judged(&after, object));
        info!(kind = K::NAME, due, "the Accounts have changed");
        before = after;
    }
}

fn watched<K>(
    client: Client,
    namespaces: &[String],
) -> futures::stream::BoxStream<'static, crate::engine::Sight<K::Object>>
where
    K: Kind,
    K::Object: Resource<Scope = NamespaceResourceScope>,
{
    match namespaces {
        [] => sights::<K>(client, None),
        all => {
            let each = all.iter().map(|namespace| sights::<K>(client.clone(), Some(namespace)));
            futures::stream::select_all(each).boxed()
        }
    }
}

async fn known_cluster(settings: &RunSettings, clients: &Clients) -> String {
    let mut complained = false;
    loop {
        match &settings.cluster_id {
            Some(id) => return id.clone(),
            None => match cluster_id(&clients.requests).await {
                Ok(id) => return id,
                Err(error) => {
                    if !complained {
                        warn!("{error}; trying again");
                        complained = true;
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            },
        }
    }
}

async fn until(mut told: watch::Receiver<bool>) {
    told.wait_for(|told| *told).await.ok();
}

/// Nobody watches effects, but in builds for tests: there `WINDLASS_HOLD_AT=number:before|answered` holds one for ever, so
/// that a test can kill the process at it, and `WINDLASS_PANIC_AT`, a list of such, panics at each, so that a test sees what
/// is told then.
fn stage() -> Stage {
    #[cfg(debug_assertions)]
    {
        let told = |name: &str| std::env::var(name).ok();
        let held = told("WINDLASS_HOLD_AT").and_then(|at| Stage::holding(&at));
        if let Some(stage) = held.or_else(|| told("WINDLASS_PANIC_AT").and_then(|at| Stage::panicking(&at))) {
            return stage;
        }
    }
    Stage::unwatched()
}

impl Herald for Events {
    fn tell(&self, about: &ObjectReference, news: News) {
        Events::tell(self, about, news);
    }
}

struct Watched(Metrics);

impl GateObserver for Watched {
    fn request(&self, service: Service, operation: &'static str, failure: Option<Class>, took: Duration) {
        self.0.aws_request(service.as_str(), operation, failure.map_or(Ok(()), Err), took);
    }
    fn throttled(&self, _: Service, _: &'static str) {}
    fn tokens(&self, bucket: &BucketKey, tokens: f64, _: f64) {
        self.0.aws_tokens(&bucket.account, &bucket.region, bucket.service.as_str(), bucket.access, tokens);
    }
    fn waited(&self, _: &BucketKey, _: Duration) {}
}

impl Label for Access {
    fn label(self) -> &'static str {
        self.as_str()
    }
}
