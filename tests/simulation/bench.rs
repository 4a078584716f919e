//! One AWS, one API server and any number of operators, all in this thread and on tokio's paused clock.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use serde_json::{Value, json};
use simulator::{AuditEntry, Settings, World};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use windlass::api::account::GrantTarget;
use windlass::api::fleet::{ComputeCapacity, FleetSettings, FleetSpec, FleetType};
use windlass::aws::accounts::{Accounts, OPERATION_TIMEOUT, ScopeError};
use windlass::aws::gate::{Gate, Limits, Unobserved, Urgency};
use windlass::aws::live::{Access, AppStream, Lightsail};
use windlass::aws::{Ask, AwsError, AwsPort, Leave, Reply, Stray};
use windlass::engine::neighbourhood::Neighbourhood;
use windlass::engine::stage::{Moment, Stage, When};
use windlass::engine::{Engine, EngineSettings, Herald, Parts};
use windlass::lease::LeaseState;
use windlass::plan::access_grant::GrantKind;
use windlass::plan::account::Wish;
use windlass::plan::fleet::{FleetCall, FleetKind};
use windlass::plan::image_builder::ImageBuilderKind;
use windlass::plan::instance::InstanceKind;
use windlass::plan::stack::StackKind;
use windlass::plan::{Kind, News, Scope};
use windlass::telemetry::Metrics;

use super::kube::{Cluster, Store};

/// Starts every kind: one line each, as in `src/kinds.rs`.
fn register(kinds: &mut Kinds<'_>, accounts: &Arc<Accounts>, leave: &Arc<dyn Leave>) {
    let appstream = Arc::new(AppStream::new(Arc::clone(accounts), Arc::clone(leave)));
    kinds.serve::<FleetKind, _>(Arc::clone(&appstream));
    kinds.serve::<StackKind, _>(Arc::clone(&appstream));
    kinds.serve::<ImageBuilderKind, _>(appstream);
    let lightsail = Arc::new(Lightsail::new(Arc::clone(accounts), Arc::clone(leave)));
    kinds.serve::<InstanceKind, _>(Arc::clone(&lightsail));
    kinds.serve::<GrantKind, _>(Access::new(Arc::clone(accounts), lightsail));
}

/// All that AWS has, as an inspector sees it: one line for what each kind makes.
pub fn in_aws(world: &World) -> Value {
    json!({
        "fleets": world.fleets(),
        "stacks": world.stacks(),
        "imageBuilders": world.builders(),
        "instances": world.instances(),
        "staticIps": world.static_ips(),
        "gameFleets": world.game_fleets(),
    })
}

pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "us-east-1";
/// 2027-01-15T08:00:00Z.
const BEGIN: Duration = Duration::from_secs(1_800_000_000);
/// How long a request to AWS is under way, each way.
const WAY: Duration = Duration::from_millis(20);

type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// One AWS and one API server.
pub struct Bench {
    pub world: World,
    pub cluster: Cluster,
    pub clock: Clock,
    pub news: Arc<Mutex<Vec<News>>>,
    time: SharedTimeSource,
    /// What the clock showed at the beginning of this runtime, counted from the beginning of the bench.
    passed: Duration,
    began: Instant,
    /// Requests in AWS's audit log before that.
    heard: usize,
    settings: EngineSettings,
}

/// AWS and the API server at one moment, without any operator; what begins from it goes its own way.
#[derive(Clone)]
pub struct Saved {
    world: World,
    store: Store,
    passed: Duration,
    settings: EngineSettings,
}

impl Bench {
    pub fn new(settings: Settings, engine: EngineSettings) -> Self {
        let world = World::new(Settings { home_account: ACCOUNT.into(), home_region: REGION.into(), ..settings });
        world.judge(&simulator::credentials(ACCOUNT).0);
        Self::from(&Saved { world, store: Store::default(), passed: Duration::ZERO, settings: engine })
    }

    /// AWS and the API server as they were.
    pub fn from(saved: &Saved) -> Self {
        let world = saved.world.fork();
        let began = Instant::now();
        let time = SharedTimeSource::new(TokioTime(began, BEGIN + saved.passed));
        let clock: Clock = {
            let time = time.clone();
            Arc::new(move || Timestamp::try_from(time.now()).unwrap())
        };
        world.follow({
            let clock = Arc::clone(&clock);
            move || clock()
        });
        let cluster = Cluster::new(Arc::clone(&clock), saved.store.clone());
        let (passed, settings, heard) = (saved.passed, saved.settings.clone(), world.audit().len());
        Self { world, cluster, clock, news: Arc::default(), time, passed, began, heard, settings }
    }

    pub fn save(&self) -> Saved {
        let passed = self.passed + self.began.elapsed();
        Saved { world: self.world.fork(), store: self.cluster.store(), passed, settings: self.settings.clone() }
    }

    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// A time of the bench, counted from its beginning.
    pub fn at(&self, after: Duration) -> Instant {
        self.began + after.saturating_sub(self.passed)
    }

    /// Starts an operator that takes the lease at once.
    pub fn start(&self, name: &'static str, stage: Stage) -> Process {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let (leads, led) = watch::channel(LeaseState::Held { taken_at: self.now() });
        let cluster = self.cluster.by(name);
        let leave: Arc<dyn Leave> = flag.clone();
        let (neighbourhood, tasks) = (Arc::default(), Vec::new());
        let mut kinds = Kinds { bench: self, leave: Arc::clone(&leave), led, cluster, stage, neighbourhood, tasks };
        register(&mut kinds, &Arc::new(self.accounts(ACCOUNT)), &leave);
        let tasks = kinds.tasks;
        let lease = Holder { flag, leads, clock: Arc::clone(&self.clock), lost: Arc::default() };
        Process { lease, tasks }
    }

    /// Makes a fleet as a person with the console would: nobody judges it.
    pub async fn create_by_hand(&self, name: &str, instance_type: &str) {
        let accounts = Arc::new(self.accounts("123456789012OTHER"));
        let scope =
            accounts.resolve(&Wish { kind: "Fleet", namespace: "", account: None, region: None }).await.unwrap();
        let create = FleetCall::Create(Box::new(windlass::plan::fleet::FleetCreate {
            name: name.parse().unwrap(),
            fleet_type: FleetType::OnDemand,
            settings: FleetSettings { instance_type: Some(instance_type.into()), ..spec().settings },
            tags: [("costs".to_owned(), "42".to_owned())].into(),
        }));
        let console = AppStream::new(accounts, Arc::new(Flag(AtomicBool::new(true))));
        AwsPort::<FleetKind>::send(&console, &scope, &create, Urgency::Urgent).await.unwrap();
    }

    fn accounts(&self, account: &str) -> Accounts {
        let (id, secret) = simulator::credentials(account);
        Accounts::in_process(
            "cluster-1".to_owned(),
            REGION.parse().unwrap(),
            Arc::new(Gate::new(Limits::default(), Arc::new(Unobserved))),
            SharedHttpClient::new(Wire(self.world.clone())),
            self.time.clone(),
            SharedAsyncSleep::new(TokioSleep::new()),
            Credentials::from_keys(id, secret, None),
        )
    }

    /// The operators' requests to AWS since this bench began, by operation.
    pub fn requests(&self) -> Vec<String> {
        let ours = simulator::credentials(ACCOUNT).0;
        let since = self.world.audit_from(self.heard);
        since.into_iter().filter(|entry| entry.access_key == ours).map(|entry| entry.operation).collect()
    }

    /// The AWS writes that the operators sent, whether or not they were granted.
    pub fn aws_writes(&self) -> Vec<AuditEntry> {
        let ours = simulator::credentials(ACCOUNT).0;
        self.world.audit().into_iter().filter(|entry| entry.mutating && entry.access_key == ours).collect()
    }
}

/// A fleet that needs nothing special.
pub fn spec() -> FleetSpec {
    FleetSpec {
        name: None,
        fleet_type: FleetType::OnDemand,
        desired_state: Default::default(),
        settings: FleetSettings {
            instance_type: Some("stream.standard.medium".into()),
            image_name: Some("windlass-demo-v1".parse().unwrap()),
            compute_capacity: Some(ComputeCapacity { desired_instances: Some(2), desired_sessions: None }),
            ..FleetSettings::default()
        },
        common: Default::default(),
        update_strategy: None,
        disruption: None,
        power_schedule: None,
        application_arns: None,
    }
}

/// An operator that is being started.
struct Kinds<'a> {
    bench: &'a Bench,
    leave: Arc<dyn Leave>,
    led: watch::Receiver<LeaseState>,
    cluster: Cluster,
    stage: Stage,
    neighbourhood: Arc<Neighbourhood>,
    tasks: Vec<JoinHandle<()>>,
}

impl Kinds<'_> {
    /// Starts the engine of a kind.
    fn serve<K: Kind, A: AwsPort<K>>(&mut self, aws: A) {
        let bench = self.bench;
        let parts = Parts {
            kube: self.cluster.clone(),
            aws: Adopting(aws),
            leave: Arc::clone(&self.leave),
            clock: Arc::clone(&bench.clock),
            chance: chance(),
            herald: Arc::new(Heard(Arc::clone(&bench.news))),
            stage: self.stage.clone(),
            metrics: METRICS.clone(),
            neighbourhood: Arc::clone(&self.neighbourhood),
            settings: bench.settings.clone(),
        };
        let engine = Engine::<K, _, _>::new(parts, self.led.clone());
        self.tasks.push(tokio::spawn(engine.run(self.cluster.sights::<K::Object>(), 1, || {})));
    }
}

/// An operator at work. Dropping it is a crash: everything in its memory is gone, what is on the wire arrives.
pub struct Process {
    pub lease: Holder,
    tasks: Vec<JoinHandle<()>>,
}

/// The lease as one operator holds it.
#[derive(Clone)]
pub struct Holder {
    flag: Arc<Flag>,
    leads: watch::Sender<LeaseState>,
    clock: Clock,
    lost: Arc<Mutex<Option<Timestamp>>>,
}

impl Holder {
    /// It does not lead any more.
    pub fn lose(&self) {
        self.flag.0.store(false, Ordering::SeqCst);
        self.leads.send_replace(LeaseState::Standby);
        *self.lost.lock().unwrap() = Some((self.clock)());
    }

    /// It leads again, in a new term.
    pub fn take(&self) {
        self.flag.0.store(true, Ordering::SeqCst);
        self.leads.send_replace(LeaseState::Held { taken_at: (self.clock)() });
    }

    /// How many requests were made since the lease was lost; what was on the wire by then is none of them.
    pub fn written_since_lost(&self, bench: &Bench) -> usize {
        let Some(lost) = *self.lost.lock().unwrap() else { return 0 };
        let arrived = lost + WAY;
        let kube = bench.cluster.writes().into_iter().filter(|write| write.at > arrived).count();
        kube + bench.aws_writes().into_iter().filter(|write| write.at > arrived).count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Where a process is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Before the effect.
    Before,
    /// The effect was made; nobody was told.
    Unanswered,
    /// The engine was told, and had the time to do everything that comes before its next effect.
    After,
    /// The request is on the wire, and arrives after the process has died.
    OnTheWire,
}

/// Stops a process at one effect. `crashed` is told; until then and after that, the stage counts effects.
pub struct Crash {
    pub effects: Arc<Mutex<Vec<String>>>,
    pub crashed: Arc<Notify>,
}

impl Crash {
    pub fn nowhere() -> (Self, Stage) {
        Self::at(u64::MAX, Position::Before)
    }

    pub fn at(number: u64, position: Position) -> (Self, Stage) {
        let effects: Arc<Mutex<Vec<String>>> = Arc::default();
        let crashed = Arc::new(Notify::new());
        let dead = Arc::new(AtomicBool::new(false));
        let made = Arc::new(AtomicU64::new(0));
        let told = (Arc::clone(&effects), Arc::clone(&crashed));
        let stage = Stage::watched(Arc::new(move |moment: Moment| {
            let (effects, crashed, dead, made) =
                (Arc::clone(&told.0), Arc::clone(&told.1), Arc::clone(&dead), Arc::clone(&made));
            Box::pin(async move {
                if moment.when == When::Before && !dead.load(Ordering::SeqCst) {
                    effects.lock().unwrap().push(moment.effect.clone());
                }
                let here = moment.number == number;
                let dies = match (position, moment.when) {
                    (Position::Before, When::Before) | (Position::Unanswered, When::Answered) => here,
                    (Position::Before | Position::Unanswered, _) => false,
                    (Position::After, When::Answered) => {
                        if here {
                            made.store(1, Ordering::SeqCst);
                            // If no other effect follows soon, it dies anyway.
                            tokio::spawn(die_soon(Duration::from_millis(500), Arc::clone(&dead), Arc::clone(&crashed)));
                        }
                        false
                    }
                    (Position::After, When::Before) => made.load(Ordering::SeqCst) == 1,
                    (Position::OnTheWire, When::Before) => {
                        if here {
                            let soon = Duration::from_millis(1);
                            tokio::spawn(die_soon(soon, Arc::clone(&dead), Arc::clone(&crashed)));
                        }
                        false
                    }
                    (Position::OnTheWire, When::Answered) => false,
                };
                if dies && !dead.swap(true, Ordering::SeqCst) {
                    crashed.notify_one();
                }
                if dead.load(Ordering::SeqCst) {
                    std::future::pending::<()>().await;
                }
            })
        }));
        (Self { effects, crashed }, stage)
    }
}

/// Freezes a process at the next effect, as SIGSTOP does; what is on the wire arrives.
#[derive(Clone)]
pub struct Freezer(watch::Sender<bool>);

impl Freezer {
    pub fn new() -> (Self, Stage) {
        let frozen = watch::Sender::new(false);
        let watched = frozen.clone();
        let stage = Stage::watched(Arc::new(move |_| {
            let mut frozen = watched.subscribe();
            Box::pin(async move {
                frozen.wait_for(|frozen| !frozen).await.ok();
            })
        }));
        (Self(frozen), stage)
    }

    pub fn freeze(&self) {
        self.0.send_replace(true);
    }

    pub fn thaw(&self) {
        self.0.send_replace(false);
    }
}

impl Crash {
    /// Tells right before one effect, and lets it go on when told so.
    pub fn losing_the_lease(number: u64) -> (Arc<Notify>, Stage) {
        let reached = Arc::new(Notify::new());
        let told = Arc::clone(&reached);
        let stage = Stage::watched(Arc::new(move |moment: Moment| {
            let told = Arc::clone(&told);
            Box::pin(async move {
                if moment.number == number && moment.when == When::Before {
                    told.notify_one();
                    tokio::task::yield_now().await;
                    sleep(Duration::from_millis(1)).await;
                }
            })
        }));
        (reached, stage)
    }
}

async fn die_soon(after: Duration, dead: Arc<AtomicBool>, crashed: Arc<Notify>) {
    sleep(after).await;
    if !dead.swap(true, Ordering::SeqCst) {
        crashed.notify_one();
    }
}

/// Metrics need not be fresh for each operator.
static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics::new(true).unwrap());

/// Jitter without chance: every run is the same.
fn chance() -> Arc<dyn Fn() -> f64 + Send + Sync> {
    Arc::new(|| 0.5)
}

/// A clock that follows tokio's.
#[derive(Debug)]
struct TokioTime(Instant, Duration);

impl TimeSource for TokioTime {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.1 + self.0.elapsed()
    }
}

/// The network between an operator and AWS: a request that is on it arrives though its sender has died, but never later
/// than its deadline.
#[derive(Clone)]
struct Wire(World);

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let aws = self.0.http_client();
        let arrives = tokio::spawn(async move {
            tokio::time::timeout(OPERATION_TIMEOUT, async {
                sleep(WAY).await;
                aws.call(request).await
            })
            .await
        });
        HttpConnectorFuture::new(async move {
            let answer = arrives.await.map_err(|lost| ConnectorError::other(lost.into(), None))?;
            let answer = answer.map_err(|late| ConnectorError::timeout(late.into()))?;
            sleep(WAY).await;
            answer
        })
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// A lease that is held, or not.
struct Flag(AtomicBool);

impl Leave for Flag {
    fn granted(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

struct Heard(Arc<Mutex<Vec<News>>>);

impl Herald for Heard {
    fn tell(&self, _: &ObjectReference, news: News) {
        self.0.lock().unwrap().push(news);
    }
}

/// An AWS whose namespaces may adopt, and have grants for everything: Account objects, which say so, are not there.
struct Adopting<A>(A);

impl<K: Kind, A: AwsPort<K>> AwsPort<K> for Adopting<A> {
    async fn scope(&self, object: &K::Object) -> Result<Scope, ScopeError> {
        let mut scope = self.0.scope(object).await?;
        scope.allow.adoption = true;
        scope.allow.grants.unmanaged = true;
        scope.allow.grants.targets.extend([GrantTarget::GameLiftInstance, GrantTarget::GameLiftCompute]);
        Ok(scope)
    }

    async fn observe(&self, scope: &Scope, object: &K::Object, ask: Ask<'_, K::Look>) -> Result<K::State, AwsError> {
        self.0.observe(scope, object, ask).await
    }

    async fn send(&self, scope: &Scope, call: &K::Call, urgency: Urgency) -> Result<Reply, AwsError> {
        self.0.send(scope, call, urgency).await
    }

    fn strays(
        &self,
        scope: &Scope,
        claimed: &std::collections::BTreeSet<windlass::api::Arn>,
    ) -> impl Future<Output = Result<Vec<Stray>, AwsError>> + Send {
        self.0.strays(scope, claimed)
    }
}

/// Runs one history on a paused clock of its own, with a stack that unoptimised SDK futures fit in.
pub fn history<T: Send + 'static>(run: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(16 << 20).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(run())
    });
    match thread.unwrap().join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Runs many histories, as many at once as there are processors.
pub fn histories<I: Send, T: Send>(inputs: Vec<I>, run: impl Fn(&I) -> T + Sync) -> Vec<(I, T)> {
    let next = AtomicU64::new(0);
    let done = Mutex::new(Vec::new());
    let inputs: Vec<Mutex<Option<I>>> = inputs.into_iter().map(|input| Mutex::new(Some(input))).collect();
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let at = usize::try_from(next.fetch_add(1, Ordering::SeqCst)).unwrap();
                    let Some(input) = inputs.get(at).map(|input| input.lock().unwrap().take().unwrap()) else { return };
                    let result = run(&input);
                    done.lock().unwrap().push((at, input, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(at, ..)| *at);
    done.into_iter().map(|(_, input, result)| (input, result)).collect()
}
