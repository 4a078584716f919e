//! One leader at a time, by a `coordination.k8s.io/v1` Lease.
//!
//! Time is this process's own monotonic clock throughout: what others wrote is never compared with it. A holder stops
//! writing `renew_deadline` after the *start* of its last successful renewal; others wait for `duration` after they *saw*
//! that renewal, which is later. Linux stops that clock while the whole machine is suspended: a leader that wakes up then
//! believes its lease for what was left of it. Such a leader breaks nothing as long as its requests keep to their own
//! preconditions and deadlines.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease as Record, LeaseSpec};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::PostParams;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::aws::Leave;
use crate::settings::LeaseSettings;
use crate::telemetry::Metrics;

/// Whether this process may write. Clones share one answer.
#[derive(Debug, Clone)]
pub struct Lease(Arc<Shared>);

/// Whether this process leads, for whoever wants to be told. [`Lease::granted`] is exact, this follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// Another process leads, or nobody knows.
    Standby,
    /// This process leads.
    Held {
        /// When this process took the lease, by the wall clock.
        taken_at: Timestamp,
    },
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    /// Nanoseconds after `began` until which writing is granted; 0 is never, the largest is for ever.
    until: AtomicU64,
    state: watch::Sender<LeaseState>,
}

impl Lease {
    /// For a process that needs no lease: always granted, as if taken now.
    pub fn not_needed(now: Timestamp) -> Self {
        Self::new(u64::MAX, LeaseState::Held { taken_at: now })
    }

    fn standby() -> Self {
        Self::new(0, LeaseState::Standby)
    }

    fn new(until: u64, state: LeaseState) -> Self {
        let shared = Shared { began: Instant::now(), until: AtomicU64::new(until), state: watch::Sender::new(state) };
        Self(Arc::new(shared))
    }

    /// True while this process may write. Cheap: ask right before each write.
    pub fn granted(&self) -> bool {
        self.offset(Instant::now()) < self.0.until.load(Ordering::Acquire)
    }

    /// When this process took the lease that it holds now, by the wall clock; `None` while nothing is granted.
    pub fn taken_at(&self) -> Option<Timestamp> {
        let state = self.0.state.borrow();
        match *state {
            LeaseState::Held { taken_at } if self.granted() => Some(taken_at),
            LeaseState::Held { .. } | LeaseState::Standby => None,
        }
    }

    /// Tells of every taking and loss, and what holds now.
    pub fn watch(&self) -> watch::Receiver<LeaseState> {
        self.0.state.subscribe()
    }

    fn offset(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.0.began).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Grants until then. A grant that had run out makes a new term, which begins at `now`.
    fn grant(&self, until: Instant, now: Timestamp) {
        let lasts = self.granted();
        self.0.state.send_if_modified(|state| {
            // Under the channel's lock, so that nobody sees a grant without its beginning.
            self.0.until.store(self.offset(until), Ordering::Release);
            match *state {
                LeaseState::Held { .. } if lasts => false,
                LeaseState::Held { .. } | LeaseState::Standby => {
                    *state = LeaseState::Held { taken_at: now };
                    true
                }
            }
        });
    }

    fn withdraw(&self) {
        self.0.state.send_if_modified(|state| {
            self.0.until.store(0, Ordering::Release);
            match *state {
                LeaseState::Held { .. } => {
                    *state = LeaseState::Standby;
                    true
                }
                LeaseState::Standby => false,
            }
        });
    }

    fn held(&self) -> bool {
        match *self.0.state.borrow() {
            LeaseState::Held { .. } => true,
            LeaseState::Standby => false,
        }
    }

    fn ends(&self) -> Instant {
        self.0.began + Duration::from_nanos(self.0.until.load(Ordering::Acquire))
    }
}

impl Leave for Lease {
    fn granted(&self) -> bool {
        Lease::granted(self)
    }
}

/// The three requests that an election needs.
pub trait LeaseApi: Send + Sync + 'static {
    /// Reads the record; `None` when there is none.
    fn read(&self) -> impl Future<Output = Result<Option<Record>, LeaseFailure>> + Send;
    /// Makes the record; [`LeaseFailure::Conflict`] when there is one.
    fn create(&self, record: &Record) -> impl Future<Output = Result<Record, LeaseFailure>> + Send;
    /// Replaces the record; [`LeaseFailure::Conflict`] unless its resourceVersion is still that of `record`.
    fn replace(&self, record: &Record) -> impl Future<Output = Result<Record, LeaseFailure>> + Send;
}

/// Why a request for the lease failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseFailure {
    /// Somebody wrote it since it was read.
    #[error("somebody else wrote it")]
    Conflict,
    /// Anything else.
    #[error("{0}")]
    Other(String),
    /// No answer came in time.
    #[error("no answer came in time")]
    NoAnswer,
}

/// The Lease in a cluster.
pub struct ClusterLease {
    api: Api<Record>,
    namespaces: Api<Namespace>,
    namespace: String,
    name: String,
}

impl ClusterLease {
    /// `client` should have short deadlines and serve nothing else.
    pub fn new(client: kube::Client, settings: &LeaseSettings) -> Self {
        Self {
            api: Api::namespaced(client.clone(), &settings.namespace),
            namespaces: Api::all(client),
            namespace: settings.namespace.clone(),
            name: settings.name.clone(),
        }
    }
}

impl From<kube::Error> for LeaseFailure {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.code == 409 => Self::Conflict,
            other => Self::Other(other.to_string()),
        }
    }
}

impl LeaseApi for ClusterLease {
    async fn read(&self) -> Result<Option<Record>, LeaseFailure> {
        Ok(self.api.get_opt(&self.name).await?)
    }
    async fn create(&self, record: &Record) -> Result<Record, LeaseFailure> {
        let made = self.api.create(&PostParams::default(), record).await;
        match made {
            // Outside a pod nobody has made the default namespace yet. A pod's own always exists.
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                let namespace = Namespace {
                    metadata: ObjectMeta { name: Some(self.namespace.clone()), ..ObjectMeta::default() },
                    ..Namespace::default()
                };
                self.namespaces.create(&PostParams::default(), &namespace).await.map_err(|error| {
                    let name = &self.namespace;
                    LeaseFailure::Other(format!(
                        "there is no namespace {name} (kubectl create namespace {name}): {error}"
                    ))
                })?;
                Ok(self.api.create(&PostParams::default(), record).await?)
            }
            made => Ok(made?),
        }
    }
    async fn replace(&self, record: &Record) -> Result<Record, LeaseFailure> {
        Ok(self.api.replace(&self.name, &PostParams::default(), record).await?)
    }
}

/// One process in the election.
pub struct Contender<A> {
    api: A,
    settings: LeaseSettings,
    identity: String,
    clock: fn() -> Timestamp,
    metrics: Metrics,
    lease: Lease,
    /// The record as we last wrote it, while nothing suggests that it has changed.
    ours: Option<Record>,
    /// The uid and resourceVersion of another holder's record, and when we first saw it as it is. Any write counts as its
    /// holder's sign of life: `renewTime` is a remote clock, and a renewal that goes unseen would be worse than a wait.
    theirs: Option<(Sign, Instant)>,
    /// What the log last said about a failure, so that it says so once.
    complaint: Option<LeaseFailure>,
}

/// uid and resourceVersion of a record.
type Sign = (Option<String>, Option<String>);

/// A request for the lease takes no longer than this, even when its client would wait.
const REQUEST: Duration = Duration::from_secs(5);

impl<A: LeaseApi> Contender<A> {
    /// A contender that does not contend yet, and what it will hold. `clock` is the wall clock: it is only written down.
    pub fn new(
        api: A,
        settings: LeaseSettings,
        identity: String,
        clock: fn() -> Timestamp,
        metrics: Metrics,
    ) -> (Self, Lease) {
        let lease = Lease::standby();
        let contender = Self {
            api,
            settings,
            identity,
            clock,
            metrics,
            lease: lease.clone(),
            ours: None,
            theirs: None,
            complaint: None,
        };
        (contender, lease)
    }

    /// Contends until `stop`, then gives the lease back within 5 s. Let `stop` come after the last write.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        loop {
            let next = Instant::now() + self.settings.retry;
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = self.attempt() => {}
            }
            // Wakes up at the end of the grant too, so that its loss is told when it happens and not at the next attempt.
            while Instant::now() < next {
                let wake = if self.lease.held() { next.min(self.lease.ends()) } else { next };
                tokio::select! {
                    biased;
                    () = &mut stop => return self.release().await,
                    () = tokio::time::sleep_until(wake) => self.tell_loss(),
                }
            }
        }
        self.release().await;
    }

    /// One attempt to take or renew the lease, which ends with the grant at the latest: then its loss must be told.
    async fn attempt(&mut self) {
        let mut end = Instant::now() + REQUEST;
        if self.lease.held() {
            end = end.min(self.lease.ends());
        }
        let outcome = tokio::time::timeout_at(end, self.take_or_renew()).await;
        match outcome.unwrap_or(Err(LeaseFailure::NoAnswer)) {
            Ok(()) => self.complaint = None,
            Err(failure) => self.complain(failure),
        }
        self.tell_loss();
    }

    async fn take_or_renew(&mut self) -> Result<(), LeaseFailure> {
        // Taken out, not looked at: if the reply is lost, the next attempt must read what is there.
        let current = match self.ours.take() {
            Some(record) => Some(record),
            None => self.api.read().await?,
        };
        if let Some(record) = &current
            && !self.free(record)
        {
            return Ok(());
        }
        let sent = Instant::now();
        let mine = self.claim(current.as_ref());
        let written = match current {
            Some(_) => self.api.replace(&mine).await?,
            None => self.api.create(&mine).await?,
        };
        self.ours = Some(written);
        self.theirs = None;
        let until = sent + self.settings.renew_deadline;
        if Instant::now() < until {
            let was_held = self.lease.granted();
            self.lease.grant(until, (self.clock)());
            if !was_held {
                self.metrics.leader(true);
                tracing::info!(identity = self.identity, "took the lease");
            }
        }
        Ok(())
    }

    /// Whether the lease may be taken: it is ours, nobody's, or was not renewed for its whole duration before our eyes.
    fn free(&mut self, record: &Record) -> bool {
        let spec = record.spec.as_ref();
        let holder = spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return true;
        }
        let now = Instant::now();
        let sign = (record.metadata.uid.clone(), record.metadata.resource_version.clone());
        let since = match &self.theirs {
            Some((seen, since)) if *seen == sign => *since,
            Some(_) | None => {
                tracing::debug!(holder, "somebody else holds the lease");
                self.theirs = Some((sign, now));
                now
            }
        };
        // The longer of both: during an upgrade that shortens the duration, the old holder still counts on the old one.
        let seconds = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
        now >= since + self.settings.duration.max(Duration::from_secs(seconds.unwrap_or(0)))
    }

    /// The record with us as its holder from now on.
    fn claim(&self, current: Option<&Record>) -> Record {
        let now = MicroTime((self.clock)());
        let mut record = current.cloned().unwrap_or_else(|| Record {
            metadata: ObjectMeta {
                name: Some(self.settings.name.clone()),
                namespace: Some(self.settings.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: None,
        });
        let before = record.spec.take().unwrap_or_default();
        let renews = self.lease.granted() && before.holder_identity.as_deref() == Some(&self.identity);
        let taken_over = current.is_some() && !renews;
        record.spec = Some(LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(whole_seconds(self.settings.duration)),
            acquire_time: if renews { before.acquire_time } else { Some(now.clone()) },
            lease_transitions: Some(before.lease_transitions.unwrap_or(0).saturating_add(i32::from(taken_over))),
            renew_time: Some(now),
            ..LeaseSpec::default()
        });
        record
    }

    fn tell_loss(&mut self) {
        if self.lease.held() && !self.lease.granted() {
            self.lose();
            tracing::warn!(identity = self.identity, "lost the lease: it could not be renewed in time");
        }
    }

    fn lose(&mut self) {
        self.lease.withdraw();
        self.metrics.leader(false);
    }

    /// Says what went wrong once, not at every attempt. A conflict is how elections are lost, and no trouble.
    fn complain(&mut self, failure: LeaseFailure) {
        if self.complaint.as_ref() != Some(&failure) {
            match &failure {
                LeaseFailure::Conflict => tracing::debug!("writing the lease: {failure}"),
                LeaseFailure::Other(_) | LeaseFailure::NoAnswer => {
                    let LeaseSettings { namespace, name, .. } = &self.settings;
                    tracing::warn!("renewing the lease {namespace}/{name}: {failure}");
                }
            }
        }
        self.complaint = Some(failure);
    }

    /// Gives the lease back, so that the next leader need not wait. Nothing is granted from the first moment on.
    async fn release(mut self) {
        if !self.lease.held() {
            return;
        }
        self.lose();
        let given_back = tokio::time::timeout(REQUEST, self.give_back()).await;
        match given_back.unwrap_or(Err(LeaseFailure::NoAnswer)) {
            Ok(()) => tracing::info!(identity = self.identity, "gave the lease back"),
            Err(failure) => tracing::warn!("giving the lease back: {failure}; the next leader has to wait for its end"),
        }
    }

    async fn give_back(&mut self) -> Result<(), LeaseFailure> {
        let record = match self.ours.take() {
            Some(record) => Some(record),
            None => self.api.read().await?,
        };
        match self.empty(record).await {
            // A last renewal was under way when we were told to stop, and went through only now: what is there is ours.
            Err(LeaseFailure::Conflict) => self.empty(self.api.read().await?).await,
            done => done,
        }
    }

    /// Takes our name off the record; one that is gone or somebody else's stays as it is.
    async fn empty(&self, record: Option<Record>) -> Result<(), LeaseFailure> {
        let Some(mut record) = record else { return Ok(()) };
        let Some(spec) = record.spec.as_mut() else { return Ok(()) };
        if spec.holder_identity.as_deref() != Some(&self.identity) {
            return Ok(());
        }
        // Empty, as client-go writes it: an absent holder would read the same.
        spec.holder_identity = Some(String::new());
        spec.renew_time = Some(MicroTime((self.clock)()));
        self.api.replace(&record).await.map(drop)
    }
}

/// `leaseDurationSeconds` has no fractions: the next whole second, so that nobody takes over early.
fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(seconds.max(1)).unwrap_or(i32::MAX)
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
