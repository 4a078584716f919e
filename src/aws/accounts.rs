//! Which AWS account and Region an object lives in, and by which identity it is reached.
//!
//! Account objects say who may live where ([`crate::plan::account`]); while there is none, the operator's own identity serves
//! every namespace, for what the operator itself makes.

mod book;
mod caller;
mod sessions;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use jiff::Timestamp;
use kube::ResourceExt;

use super::AwsError;
use super::batch::{Clock, lock};
use super::codes::Service;
use super::gate::{BURST, CEILING, Gate, Limits, Urgency};
use super::live::sts::{CallerIdentity, caller_identity};
use super::live::{Way, https_client};
use crate::api::Region;
use crate::api::account::{Endpoints, RequestLimits};
use crate::plan::account::{Book, Entry, Found, House, Judgement, Wish};
use crate::plan::{Allow, Class, Identity, Kind, Mandate, Refusal, Scope};
pub use book::AccountBook;
use caller::Caller;
use sessions::{Bound, Means, Sessions};

/// How long a request may take, connection and all. [`crate::plan::UNCERTAINTY`] builds on it.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection may take: AWS's own default is 3.1 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long before they expire credentials are replaced: longer than a request lasts, shorter than any provider's reserve
/// (IMDS offers new ones five minutes before).
const CREDENTIALS_RESERVE: Duration = Duration::from_secs(60);
/// How long loading credentials may take; a chain that ends at IMDS tries for several seconds.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(10);
/// The seam between objects and AWS identities.
pub struct Accounts {
    base: SdkConfig,
    cluster: String,
    house: House,
    clock: Clock,
    gate: Arc<Gate>,
    book: AccountBook,
    callers: Mutex<HashMap<Who, Arc<Caller>>>,
    sessions: Sessions,
    paces: Mutex<Paces>,
}

/// An identity: the operator's own, or that of an Account at one version.
type Who = Option<(String, i64)>;

/// How fast AWS accounts may be asked.
#[derive(Default)]
struct Paces {
    /// The Accounts that these are of: looked through once for each change of them, not for each pass of an object.
    book: Option<Arc<Book>>,
    /// By the Account's name.
    by: BTreeMap<String, Pace>,
}

/// What an Account says of the speed of its AWS account.
struct Pace {
    account_id: String,
    limits: Option<Limits>,
}

/// For which requests a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Session {
    /// Reads, which many objects share.
    Reads,
    /// Writes of one namespace, and reads that are nobody else's.
    Writes,
}

/// How a service is reached.
pub(super) struct Reach {
    /// The SDK's settings.
    pub config: SdkConfig,
    /// The service's address, where the Account gives one.
    pub endpoint: Option<String>,
}

/// Why an object has no place in AWS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// It may not live where it says.
    #[error(transparent)]
    NotAllowed(#[from] Refusal),
    /// AWS did not say who we are, or nothing can be said yet.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl Accounts {
    /// The operator's own identity, as the environment gives it: environment variables, profile, web identity, container
    /// or Pod Identity, instance metadata, in this order. `AWS_ENDPOINT_URL` and its like work as everywhere. `region` is
    /// the default Region; absent, the environment's.
    pub async fn from_environment(cluster: String, region: Option<Region>, gate: Arc<Gate>, clock: Clock) -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(https_client())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts())
            .identity_cache(identity_cache())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(name) = app_name() {
            loader = loader.app_name(name);
        }
        if let Some(region) = &region {
            loader = loader.region(aws_config::Region::new(region.as_str().to_owned()));
        }
        let base = loader.load().await;
        let region = region.or_else(|| base.region().and_then(|region| region.as_ref().parse().ok()));
        Self::new(base, cluster, region, gate, clock)
    }

    /// An identity for tests in one process: requests go to `http`, time and sleep are the test's own.
    pub fn in_process(
        cluster: String,
        region: Region,
        gate: Arc<Gate>,
        http: SharedHttpClient,
        time: SharedTimeSource,
        sleep: SharedAsyncSleep,
        credentials: impl ProvideCredentials + 'static,
    ) -> Self {
        let mut base = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(aws_config::Region::new(region.as_str().to_owned()))
            .http_client(http)
            .time_source(time.clone())
            .sleep_impl(sleep)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .identity_cache(identity_cache())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        base.set_app_name(app_name());
        Self::new(base.build(), cluster, Some(region), gate, clock_of(time))
    }

    fn new(base: SdkConfig, cluster: String, region: Option<Region>, gate: Arc<Gate>, clock: Clock) -> Self {
        Self {
            base,
            cluster,
            house: House { region, account_required: false },
            clock,
            gate,
            book: AccountBook::empty(),
            callers: Mutex::default(),
            sessions: Sessions::default(),
            paces: Mutex::default(),
        }
    }

    /// Whether every object needs an Account object (`--require-account`): then none is reached by the operator's own
    /// identity.
    pub fn requiring_account(mut self, required: bool) -> Self {
        self.house.account_required = required;
        self
    }

    /// Resolves by this book; without it, there is no Account object.
    pub fn with_book(mut self, book: AccountBook) -> Self {
        self.book = book;
        self
    }

    /// What Account objects there are.
    pub fn book(&self) -> &AccountBook {
        &self.book
    }

    /// What the operator was told at its start.
    pub fn house(&self) -> &House {
        &self.house
    }

    /// Where an object lives.
    ///
    /// # Errors
    /// When it may not live there, or AWS does not say who we are.
    pub async fn scope_of<K: Kind>(&self, object: &K::Object) -> Result<Scope, ScopeError> {
        let namespace = object.namespace().unwrap_or_default();
        let (account, region) = K::place(object);
        let wish = Wish { kind: K::NAME, namespace: &namespace, account, region };
        self.resolve_if(&wish, |allow| K::may(object, allow)).await
    }

    /// Where an object with this wish lives. What is refused costs no request to AWS.
    ///
    /// # Errors
    /// When it may not live there, or AWS does not say who we are.
    pub async fn resolve(&self, wish: &Wish<'_>) -> Result<Scope, ScopeError> {
        self.resolve_if(wish, |_| Ok(())).await
    }

    /// The same, where it also may what it asks for.
    async fn resolve_if(
        &self,
        wish: &Wish<'_>,
        may: impl Fn(&Allow) -> Result<(), String>,
    ) -> Result<Scope, ScopeError> {
        let book = self.book.now().ok_or_else(|| not_yet("the Account objects"))?;
        self.forget_paces(&book);
        let may = |allow: &Allow| may(allow).map_err(|text| ScopeError::from(Refusal::Wish(text)));
        let (entry, region) = match book.judge(wish, &self.house) {
            Judgement::Own(region) => {
                let caller = self.caller(None, || self.own_identity(&region)).await?;
                return Ok(self.scope(caller, region, Allow::own(), Identity::Own));
            }
            Judgement::In(entry, region) => (entry, region),
            Judgement::Refused(refusal) => return Err(refusal.into()),
            Judgement::NotYet => return Err(not_yet("the namespaces").into()),
        };
        may(&entry.allow())?;
        let mandate = Arc::new(entry.mandate(wish.namespace));
        let caller = self.caller_of(&entry, &mandate, &region).await?;
        match entry.mismatch(&caller.account) {
            Some(refusal) => Err(refusal.into()),
            None => Ok(self.scope(caller, region, entry.allow(), Identity::Account(mandate))),
        }
    }

    /// Where an object lives that names neither account nor Region, while there is no Account object.
    ///
    /// # Errors
    /// When there is no such place, or AWS does not say who we are.
    pub async fn home(&self) -> Result<Scope, ScopeError> {
        self.resolve(&Wish { kind: "", namespace: "", account: None, region: None }).await
    }

    /// Who an Account's identity is, for its status.
    pub async fn found(&self, entry: &Entry) -> Found {
        let region = entry.spec.as_ref().ok().and_then(|spec| spec.region.as_ref());
        let Some(region) = region.or(self.house.region.as_ref()) else {
            return Found::Refused {
                class: Class::Rejected,
                text: Refusal::NoRegion.to_string(),
                since: (self.clock)(),
            };
        };
        let mandate = entry.mandate("");
        let answer = self.caller_of(entry, &mandate, region).await;
        let refused = lock(&self.callers).get(&who(&mandate)).and_then(|caller| caller.refused());
        match (answer, refused) {
            // An identity that is only remembered is no news.
            (_, Some((error, since))) => Found::Refused { class: error.class, text: error.to_string(), since },
            (Ok(CallerIdentity { account, arn, .. }), None) => Found::Caller { account_id: account, arn },
            (Err(error), None) => Found::Refused { class: error.class, text: error.to_string(), since: (self.clock)() },
        }
    }

    /// What the time is, by the clock that requests are signed by.
    pub fn clock(&self) -> Clock {
        Arc::clone(&self.clock)
    }

    /// The gate that every request passes.
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    /// How a service is reached in a scope: by whose credentials, and where.
    pub(super) fn reach(&self, scope: &Scope, session: Session, service: Service) -> Reach {
        match &scope.identity {
            Identity::Own => {
                let inner = self.base.identity_cache().unwrap_or_else(identity_cache);
                let bound = Bound { inner, identity: Identity::Own, session, book: self.book.clone() };
                let config = self.base.to_builder().identity_cache(bound).region(sdk_region(&scope.region)).build();
                Reach { config, endpoint: None }
            }
            Identity::Account(mandate) => Reach {
                config: self.session(mandate, session, &scope.region),
                endpoint: endpoint(&mandate.endpoints, service).cloned(),
            },
        }
    }

    /// How many sessions of Accounts are remembered.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    fn session(&self, mandate: &Mandate, session: Session, region: &Region) -> SdkConfig {
        let sts = mandate.region.as_ref().or(self.house.region.as_ref()).unwrap_or(region);
        let way = self.way_to_sts(sts);
        let means = Means { base: &self.base, book: &self.book, cluster: &self.cluster, region: sts, way };
        let config = self.sessions.config(mandate, session, means, (self.clock)());
        config.into_builder().region(sdk_region(region)).build()
    }

    fn scope(&self, caller: CallerIdentity, region: Region, allow: Allow, identity: Identity) -> Scope {
        Scope {
            cluster: self.cluster.clone(),
            account: caller.account,
            partition: caller.partition,
            region,
            allow,
            identity,
        }
    }

    async fn own_identity(&self, region: &Region) -> Result<CallerIdentity, AwsError> {
        let home = self.house.region.as_ref().unwrap_or(region);
        let config = self.base.to_builder().region(sdk_region(home)).build();
        caller_identity(&config, None, &self.way_to_sts(home)).await
    }

    /// Who an Account's identity is, by the session of its shared reads.
    async fn caller_of(&self, entry: &Entry, mandate: &Mandate, region: &Region) -> Result<CallerIdentity, AwsError> {
        let sts = mandate.region.as_ref().or(self.house.region.as_ref()).unwrap_or(region);
        let ask = || async {
            let config = self.session(mandate, Session::Reads, sts);
            let endpoint = endpoint(&mandate.endpoints, Service::Sts);
            caller_identity(&config, endpoint.map(String::as_str), &self.way_to_sts(sts)).await
        };
        let caller = self.caller(who(mandate), ask).await?;
        self.pace(entry, &caller.account);
        Ok(caller)
    }

    async fn caller<F>(&self, who: Who, ask: impl FnOnce() -> F) -> Result<CallerIdentity, AwsError>
    where
        F: Future<Output = Result<CallerIdentity, AwsError>>,
    {
        let caller = {
            let mut callers = lock(&self.callers);
            if !callers.contains_key(&who) {
                // A new version of an Account: what was known of the one before is of no use.
                let uid = who.as_ref().map(|(uid, _)| uid);
                callers.retain(|other, _| other.as_ref().map(|(uid, _)| uid) != uid || uid.is_none());
                self.forget_the_gone(&mut callers);
            }
            Arc::clone(callers.entry(who).or_default())
        };
        caller.is(&self.clock, ask).await
    }

    fn forget_the_gone(&self, callers: &mut HashMap<Who, Arc<Caller>>) {
        let Some(book) = self.book.now() else { return };
        callers.retain(|who, _| match who {
            None => true,
            Some((uid, _)) => book.accounts.values().any(|entry| entry.uid == *uid),
        });
    }

    /// Tells the gate how fast an AWS account may be asked: as the slowest Account says that leads to it.
    fn pace(&self, entry: &Entry, account_id: &str) {
        let limits = entry.spec.as_ref().ok().and_then(|spec| spec.limits.as_ref()).map(limits);
        let mut paces = lock(&self.paces);
        let before = paces.by.get(&entry.name);
        if before.is_some_and(|pace| pace.account_id == account_id && pace.limits == limits) {
            return;
        }
        if self.book.now().is_some_and(|book| !book.accounts.contains_key(&entry.name)) {
            return;
        }
        let old = paces.by.insert(entry.name.clone(), Pace { account_id: account_id.to_owned(), limits });
        for account_id in old.iter().map(|pace| pace.account_id.as_str()).chain([account_id]) {
            self.keep_pace(&paces.by, account_id);
        }
    }

    /// An Account that is gone limits nobody.
    fn forget_paces(&self, book: &Arc<Book>) {
        let mut paces = lock(&self.paces);
        if paces.book.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, book)) {
            return;
        }
        paces.book = Some(Arc::clone(book));
        let of_book = |(name, _): &(String, Pace)| book.accounts.contains_key(name);
        let (kept, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut paces.by).into_iter().partition(of_book);
        paces.by = kept;
        for pace in gone.values() {
            self.keep_pace(&paces.by, &pace.account_id);
        }
    }

    fn keep_pace(&self, paces: &BTreeMap<String, Pace>, account_id: &str) {
        let of_it = paces.values().filter(|pace| pace.account_id == account_id).filter_map(|pace| pace.limits);
        self.gate.limit(account_id, of_it.min_by(|a, b| a.ceiling.total_cmp(&b.ceiling)));
    }

    fn way_to_sts(&self, region: &Region) -> Way {
        Way::new(Arc::clone(&self.gate), Service::Sts, "", region.as_str(), Urgency::Urgent)
    }
}

fn who(mandate: &Mandate) -> Who {
    Some((mandate.uid.clone(), mandate.generation))
}

fn endpoint(endpoints: &Endpoints, service: Service) -> Option<&String> {
    let own = match service {
        Service::AppStream => &endpoints.appstream,
        Service::Lightsail => &endpoints.lightsail,
        Service::GameLift => &endpoints.gamelift,
        Service::Sts => &endpoints.sts,
    };
    own.as_ref().or(endpoints.all.as_ref())
}

fn limits(said: &RequestLimits) -> Limits {
    let ceiling = said.requests_per_second.map_or(CEILING, f64::from);
    let half = (ceiling * BURST / CEILING).max(1.0);
    Limits { ceiling, burst: said.burst.map_or(half, f64::from) }
}

/// Nothing can be said of anybody yet.
fn not_yet(what: &str) -> AwsError {
    AwsError {
        operation: "Resolve",
        class: Class::NotSent,
        code: "NotListed".to_owned(),
        message: format!("{what} have not been listed yet"),
        request_id: None,
    }
}

fn sdk_region(region: &Region) -> aws_config::Region {
    aws_config::Region::new(region.as_str().to_owned())
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(OPERATION_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

fn identity_cache() -> aws_smithy_runtime_api::client::identity::SharedIdentityCache {
    IdentityCache::lazy().buffer_time(CREDENTIALS_RESERVE).load_timeout(CREDENTIALS_TIMEOUT).build()
}

/// How CloudTrail's user agent names us. An app name has no slash, so the version follows a dash.
fn app_name() -> Option<AppName> {
    AppName::new(concat!("windlass-", env!("CARGO_PKG_VERSION"))).ok()
}

fn clock_of(time: SharedTimeSource) -> Clock {
    Arc::new(move || Timestamp::try_from(time.now()).unwrap_or(Timestamp::MAX))
}
