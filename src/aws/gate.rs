//! The gate that every AWS request passes: a token bucket per account, Region, service and class, which slows down when
//! AWS throttles and recovers by itself.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::batch::lock;
use super::codes::Service;
use crate::plan::Class;

/// Requests a second that a bucket allows at most, and at the start. AWS publishes no figure for AppStream; the ceiling
/// only keeps one controller from being the loudest caller of an account, and [`SLOWDOWN`] finds the real limit.
pub const CEILING: f64 = 100.0;
/// Requests that may be made at once after a pause: half a second's worth.
pub const BURST: f64 = 50.0;
/// The slowest that throttling makes a bucket: it must keep probing to notice that the limit is gone.
pub const FLOOR: f64 = 1.0;
/// What a throttled answer leaves of the rate (multiplicative decrease, as in TCP and the AWS SDKs' adaptive mode).
pub const SLOWDOWN: f64 = 0.5;
/// Throttled answers within this time are one sign, not many: they were under way together.
pub const SLOWDOWN_SPACING: Duration = Duration::from_secs(1);
/// How long after the last throttled answer the rate begins to recover.
pub const RECOVERY_AFTER: Duration = Duration::from_secs(5);
/// The share of the ceiling that comes back each second: all of it in 20 seconds.
pub const RECOVERY: f64 = 0.05;
/// While urgent requests wait, every eighth permit still goes to a routine one, so that none waits for ever.
const ROUTINE_SHARE: u32 = 8;

/// Reads and writes have a bucket each: a burst of reads must not hold up a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Changes nothing.
    Read,
    /// Changes something.
    Write,
}

impl Access {
    /// The name that metrics show.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody waits for it: an edit, a deletion.
    Urgent,
    /// Nobody does: a resync, a poll.
    Routine,
}

/// Which bucket a request draws from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketKey {
    /// The AWS account; empty while it is not known yet.
    pub account: Arc<str>,
    /// The Region.
    pub region: Arc<str>,
    /// The service.
    pub service: Service,
    /// Reads or writes.
    pub access: Access,
}

/// No permit came in time: the request was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rate limit left no room for it within {0:?}")]
pub struct NoPermit(pub Duration);

/// What is told about every request; telemetry listens.
pub trait GateObserver: Send + Sync + 'static {
    /// A request ended: `None` is success, else the class of its failure. `took` does not count the wait for a permit.
    fn request(&self, service: Service, operation: &'static str, failure: Option<Class>, took: Duration);
    /// AWS throttled a request.
    fn throttled(&self, service: Service, operation: &'static str);
    /// How full a bucket is after a permit was given or a request throttled, and how fast it fills (tokens a second).
    fn tokens(&self, bucket: &BucketKey, tokens: f64, rate: f64);
    /// A permit was given, or refused, after this wait.
    fn waited(&self, bucket: &BucketKey, wait: Duration);
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl GateObserver for Unobserved {
    fn request(&self, _: Service, _: &'static str, _: Option<Class>, _: Duration) {}
    fn throttled(&self, _: Service, _: &'static str) {}
    fn tokens(&self, _: &BucketKey, _: f64, _: f64) {}
    fn waited(&self, _: &BucketKey, _: Duration) {}
}

/// How fast a bucket may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Tokens a second, at most and at the start.
    pub ceiling: f64,
    /// Tokens that a bucket holds while it runs at the ceiling.
    pub burst: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { ceiling: CEILING, burst: BURST }
    }
}

/// All buckets of this process.
pub struct Gate {
    limits: Limits,
    observer: Arc<dyn GateObserver>,
    buckets: Mutex<HashMap<BucketKey, Arc<Bucket>>>,
    /// Accounts that have limits of their own.
    accounts: Mutex<HashMap<Arc<str>, Limits>>,
}

impl Gate {
    /// A gate whose buckets all begin full.
    pub fn new(limits: Limits, observer: Arc<dyn GateObserver>) -> Self {
        Self { limits, observer, buckets: Mutex::default(), accounts: Mutex::default() }
    }

    /// Waits for a permit, at most for `patience`; urgent requests go before routine ones, each lane in order of arrival.
    ///
    /// # Errors
    /// When no permit came in time.
    pub async fn take(&self, key: &BucketKey, urgency: Urgency, patience: Duration) -> Result<(), NoPermit> {
        let bucket = self.bucket(key);
        let came = Instant::now();
        let granted = tokio::time::timeout(patience, bucket.take(urgency)).await;
        self.observer.waited(key, came.elapsed());
        self.show(key, &bucket);
        granted.map_err(|_| NoPermit(patience))
    }

    /// Tells how a request ended; a throttled one slows its bucket down.
    pub fn ended(&self, key: &BucketKey, operation: &'static str, failure: Option<Class>, took: Duration) {
        self.observer.request(key.service, operation, failure, took);
        if failure == Some(Class::Throttled) {
            let bucket = self.bucket(key);
            lock(&bucket.level).throttle(Instant::now());
            self.observer.throttled(key.service, operation);
            self.show(key, &bucket);
        }
    }

    /// Gives an account limits of its own, or takes them away; its buckets go by them from now on.
    pub fn limit(&self, account: &str, limits: Option<Limits>) {
        {
            let mut accounts = lock(&self.accounts);
            if accounts.get(account) == limits.as_ref() {
                return;
            }
            match limits {
                Some(limits) => accounts.insert(account.into(), limits),
                None => accounts.remove(account),
            };
        }
        let limits = limits.unwrap_or(self.limits);
        let buckets: Vec<Arc<Bucket>> = {
            let buckets = lock(&self.buckets);
            buckets.iter().filter(|(key, _)| &*key.account == account).map(|(_, bucket)| Arc::clone(bucket)).collect()
        };
        buckets.iter().for_each(|bucket| lock(&bucket.level).limit(limits, Instant::now()));
    }

    fn show(&self, key: &BucketKey, bucket: &Bucket) {
        let (tokens, rate) = {
            let mut level = lock(&bucket.level);
            level.advance(Instant::now());
            (level.tokens, level.rate)
        };
        self.observer.tokens(key, tokens, rate);
    }

    fn bucket(&self, key: &BucketKey) -> Arc<Bucket> {
        let mut buckets = lock(&self.buckets);
        if let Some(bucket) = buckets.get(key) {
            return Arc::clone(bucket);
        }
        let limits = lock(&self.accounts).get(&key.account).copied().unwrap_or(self.limits);
        let bucket = Arc::new(Bucket::new(limits));
        buckets.insert(key.clone(), Arc::clone(&bucket));
        bucket
    }
}

/// One bucket and who waits at it.
struct Bucket {
    level: Mutex<Level>,
    queue: Mutex<Queue>,
}

impl Bucket {
    fn new(limits: Limits) -> Self {
        Self { level: Mutex::new(Level::full(limits, Instant::now())), queue: Mutex::default() }
    }

    async fn take(&self, urgency: Urgency) {
        let mut place = self.join(urgency);
        loop {
            let next = {
                let queue = lock(&self.queue);
                queue.next().is_some_and(|next| Arc::ptr_eq(next, &place.turn))
            };
            if !next {
                place.turn.notified().await;
                continue;
            }
            let wait = lock(&self.level).take(Instant::now());
            match wait {
                None => {
                    place.served = true;
                    return;
                }
                // Whoever has the turn waits alone for the next token; an urgent arrival takes the turn over.
                Some(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    fn join(&self, urgency: Urgency) -> Place<'_> {
        let turn = Arc::new(Notify::new());
        let mut queue = lock(&self.queue);
        match urgency {
            Urgency::Urgent => queue.urgent.push_back(Arc::clone(&turn)),
            Urgency::Routine => queue.routine.push_back(Arc::clone(&turn)),
        }
        Place { bucket: self, urgency, turn, served: false }
    }
}

/// A place in a lane, given up when it is dropped: after a permit, a timeout or a cancelled pass.
struct Place<'a> {
    bucket: &'a Bucket,
    urgency: Urgency,
    turn: Arc<Notify>,
    served: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queue = lock(&self.bucket.queue);
        let lane = match self.urgency {
            Urgency::Urgent => &mut queue.urgent,
            Urgency::Routine => &mut queue.routine,
        };
        if let Some(at) = lane.iter().position(|turn| Arc::ptr_eq(turn, &self.turn)) {
            lane.remove(at);
        }
        if self.served {
            queue.urgent_in_a_row = match self.urgency {
                Urgency::Urgent => queue.urgent_in_a_row + 1,
                Urgency::Routine => 0,
            };
        }
        if let Some(next) = queue.next() {
            next.notify_one();
        }
    }
}

/// Who waits at a bucket.
#[derive(Default)]
struct Queue {
    urgent: VecDeque<Arc<Notify>>,
    routine: VecDeque<Arc<Notify>>,
    urgent_in_a_row: u32,
}

impl Queue {
    fn next(&self) -> Option<&Arc<Notify>> {
        let routine = self.routine.front();
        if self.urgent_in_a_row + 1 >= ROUTINE_SHARE && routine.is_some() {
            return routine;
        }
        self.urgent.front().or(routine)
    }
}

/// How full a bucket is and how fast it fills.
struct Level {
    limits: Limits,
    tokens: f64,
    rate: f64,
    at: Instant,
    throttled: Option<Instant>,
}

impl Level {
    fn full(limits: Limits, now: Instant) -> Self {
        Self { limits, tokens: limits.burst, rate: limits.ceiling, at: now, throttled: None }
    }

    /// Takes a token, or says how long the next one takes.
    fn take(&mut self, now: Instant) -> Option<Duration> {
        self.advance(now);
        // A nanosecond's rounding must not cost a whole turn of waiting.
        if self.tokens >= 1.0 - 1e-6 {
            self.tokens -= 1.0;
            return None;
        }
        Some(Duration::from_secs_f64((1.0 - self.tokens) / self.rate))
    }

    fn advance(&mut self, now: Instant) {
        let before = self.rate;
        if let Some(throttled) = self.throttled {
            let recovering_since = (throttled + RECOVERY_AFTER).max(self.at);
            let recovered = now.saturating_duration_since(recovering_since).as_secs_f64();
            self.rate = (self.rate + RECOVERY * self.limits.ceiling * recovered).min(self.limits.ceiling);
        }
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * (before + self.rate) / 2.0).min(self.room());
        self.at = self.at.max(now);
    }

    /// Other limits from now on: a rate that throttling lowered stays as low a share of them.
    fn limit(&mut self, limits: Limits, now: Instant) {
        self.advance(now);
        self.rate = (self.rate / self.limits.ceiling * limits.ceiling).clamp(FLOOR.min(limits.ceiling), limits.ceiling);
        self.limits = limits;
        self.tokens = self.tokens.min(self.room());
    }

    fn throttle(&mut self, now: Instant) {
        self.advance(now);
        let same_sign = self.throttled.is_some_and(|last| now.saturating_duration_since(last) < SLOWDOWN_SPACING);
        if !same_sign {
            self.rate = (self.rate * SLOWDOWN).max(FLOOR.min(self.limits.ceiling));
            self.throttled = Some(now);
            self.tokens = self.tokens.min(self.room());
        }
    }

    /// A slowed bucket also bursts less.
    fn room(&self) -> f64 {
        (self.limits.burst * self.rate / self.limits.ceiling).max(1.0)
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
