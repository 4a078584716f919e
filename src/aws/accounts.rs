//! Which AWS account and Region an object lives in, and by which identity it is reached.
//!
//! Account objects come later. Until then there is one identity, the operator's own, and it may be used by every namespace,
//! for what the operator itself makes.

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

use super::AwsError;
use super::batch::{Clock, age, lock};
use super::codes::Service;
use super::gate::{Gate, Urgency};
use super::live::sts::{CallerIdentity, caller_identity};
use super::live::{Way, https_client};
use crate::api::{AccountName, Region};
use crate::plan::{Allow, Scope};

/// How long a request may take, connection and all. [`crate::plan::UNCERTAINTY`] builds on it.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection may take: AWS's own default is 3.1 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long before they expire credentials are replaced: longer than a request lasts, shorter than any provider's reserve
/// (IMDS offers new ones five minutes before).
const CREDENTIALS_RESERVE: Duration = Duration::from_secs(60);
/// How long loading credentials may take; a chain that ends at IMDS tries for several seconds.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the account of an identity is believed: an identity practically never changes its account, but whoever
/// swaps the operator's credentials must not find fleets made again elsewhere for long. Twelve requests an hour.
const IDENTITY_LASTS: Duration = Duration::from_secs(300);
/// How long a refusal to say who we are is told again without asking: a thousand objects ask at once.
const REFUSAL_LASTS: Duration = Duration::from_secs(5);

/// The seam between objects and AWS identities.
pub struct Accounts {
    base: SdkConfig,
    cluster: String,
    region: Option<Region>,
    account_required: bool,
    clock: Clock,
    gate: Arc<Gate>,
    identity: Mutex<Identity>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Identity {
    known: Option<(CallerIdentity, Timestamp)>,
    refused: Option<(AwsError, Timestamp)>,
}

/// Why an object has no place in AWS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// The namespace may not use this account.
    #[error("account `{0}` may not be used: Account objects are not available yet, leave `account` out")]
    NotAllowed(AccountName),
    /// The operator was started so that its own identity serves nobody.
    #[error("the operator runs with --require-account, and Account objects are not available yet")]
    AccountRequired,
    /// No Region is set anywhere.
    #[error("no AWS Region is known: set `region`, or start the operator with --region or AWS_REGION")]
    NoRegion,
    /// AWS did not say who we are.
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
            region,
            account_required: false,
            clock,
            gate,
            identity: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// Whether every object needs an Account object (`--require-account`): then none is reached by the operator's own
    /// identity.
    pub fn requiring_account(mut self, required: bool) -> Self {
        self.account_required = required;
        self
    }

    /// Where an object of `namespace` lives that asks for this account and Region.
    ///
    /// # Errors
    /// When it may not live there, or AWS does not say who we are.
    pub async fn resolve(
        &self,
        _namespace: &str,
        account: Option<&AccountName>,
        region: Option<&Region>,
    ) -> Result<Scope, ScopeError> {
        if let Some(account) = account {
            return Err(ScopeError::NotAllowed(account.clone()));
        }
        if self.account_required {
            return Err(ScopeError::AccountRequired);
        }
        let region = region.or(self.region.as_ref()).ok_or(ScopeError::NoRegion)?;
        let identity = self.identity(region).await?;
        Ok(Scope {
            cluster: self.cluster.clone(),
            account: identity.account,
            partition: identity.partition,
            region: region.clone(),
            allow: Allow::default(),
        })
    }

    /// Where an object lives that names neither account nor Region.
    ///
    /// # Errors
    /// When there is no such place, or AWS does not say who we are.
    pub async fn home(&self) -> Result<Scope, ScopeError> {
        self.resolve("", None, None).await
    }

    /// What the time is, by the clock that requests are signed by.
    pub fn clock(&self) -> Clock {
        Arc::clone(&self.clock)
    }

    /// The gate that every request passes.
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    /// The SDK's settings for a scope: one identity, HTTP client and cache of credentials for all of them.
    pub(super) fn config(&self, region: &Region) -> SdkConfig {
        self.base.to_builder().region(aws_config::Region::new(region.as_str().to_owned())).build()
    }

    /// Who we are, asked at most every five minutes, by one caller at a time. An identity that was known is used on while it
    /// cannot be asked for: what else is wrong shows in the calls that follow.
    async fn identity(&self, region: &Region) -> Result<CallerIdentity, AwsError> {
        let old = match self.remembered() {
            Remembered::Known(identity) => return Ok(identity),
            Remembered::Refused(refusal) => return Err(refusal),
            Remembered::Old(identity) => Some(identity),
            Remembered::Nothing => None,
        };
        let turn = match (&old, self.asking.try_lock()) {
            (_, Ok(turn)) => turn,
            // Somebody is asking already.
            (Some(identity), Err(_)) => return Ok(identity.clone()),
            (None, Err(_)) => self.asking.lock().await,
        };
        match self.remembered() {
            Remembered::Known(identity) => return Ok(identity),
            Remembered::Refused(refusal) => return Err(refusal),
            Remembered::Old(_) | Remembered::Nothing => {}
        }
        let home = self.region.as_ref().unwrap_or(region);
        let way = Way::new(Arc::clone(&self.gate), Service::Sts, "", home.as_str(), Urgency::Urgent);
        let answer = caller_identity(&self.config(home), &way).await;
        let now = (self.clock)();
        let mut identity = lock(&self.identity);
        let told = match answer {
            Ok(answer) => {
                *identity = Identity { known: Some((answer.clone(), now)), refused: None };
                Ok(answer)
            }
            Err(refusal) => {
                identity.refused = Some((refusal.clone(), now));
                old.ok_or(refusal)
            }
        };
        drop(identity);
        drop(turn);
        told
    }

    fn remembered(&self) -> Remembered {
        let now = (self.clock)();
        let identity = lock(&self.identity);
        let refused = identity.refused.as_ref().filter(|(_, at)| age(*at, now) < REFUSAL_LASTS);
        match (&identity.known, refused) {
            (Some((known, at)), _) if age(*at, now) < IDENTITY_LASTS => Remembered::Known(known.clone()),
            // Just refused: the old one goes on without another question.
            (Some((known, _)), Some(_)) => Remembered::Known(known.clone()),
            (Some((known, _)), None) => Remembered::Old(known.clone()),
            (None, Some((refusal, _))) => Remembered::Refused(refusal.clone()),
            (None, None) => Remembered::Nothing,
        }
    }
}

enum Remembered {
    Known(CallerIdentity),
    Old(CallerIdentity),
    Refused(AwsError),
    Nothing,
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
