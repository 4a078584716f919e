//! Shared reads: many observers of one account, Region and service cost one read, not one each, and nobody is given a
//! read that began before what they have just written.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared as SharedFuture, WeakShared};
use jiff::Timestamp;

use super::AwsError;

/// What the time is; production and tests give their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A clock that never shows the same time twice: what began before a write can then be told from what began after it,
/// however coarse the clock underneath is.
pub fn strictly(clock: Clock) -> Clock {
    let last = Mutex::new(Timestamp::MIN);
    Arc::new(move || {
        let mut last = lock(&last);
        let next = last.checked_add(Duration::from_nanos(1)).unwrap_or(*last);
        *last = clock().max(next);
        *last
    })
}

/// A complete read, and when it began: what was written before `began` is in it (but for AWS's own lag).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot<V> {
    /// Taken before the first page was asked for.
    pub began: Timestamp,
    /// What was read.
    pub value: V,
}

/// What a read gives to each of those who wait for it.
pub type ReadResult<V> = Result<Arc<Snapshot<V>>, AwsError>;

/// Reads of one kind, shared by key: of one key they run one at a time, and each serves everybody whose `not_before` it
/// satisfies. A failed read fails for all who waited, and is not kept. A read that nobody waits for any more ends.
pub struct Shared<K, V> {
    clock: Clock,
    unused_after: Duration,
    entries: Mutex<HashMap<K, Entry<V>>>,
}

type Reading<V> = SharedFuture<BoxFuture<'static, ReadResult<V>>>;

struct Entry<V> {
    latest: Option<Arc<Snapshot<V>>>,
    running: Option<Running<V>>,
    reads: u64,
    used: Timestamp,
}

/// A read under way. It is held weakly: those who wait for it drive it, and when the last one leaves it is dropped.
struct Running<V> {
    number: u64,
    began: Timestamp,
    read: WeakShared<BoxFuture<'static, ReadResult<V>>>,
}

impl<V> Entry<V> {
    fn new(now: Timestamp) -> Self {
        Self { latest: None, running: None, reads: 0, used: now }
    }

    fn keep(&mut self, snapshot: Arc<Snapshot<V>>) {
        if self.latest.as_ref().is_none_or(|latest| latest.began < snapshot.began) {
            self.latest = Some(snapshot);
        }
    }

    fn under_way(&self) -> Option<(u64, Timestamp, Reading<V>)> {
        let running = self.running.as_ref()?;
        Some((running.number, running.began, running.read.upgrade()?))
    }
}

enum Step<V> {
    Have(Arc<Snapshot<V>>),
    Join(u64, Reading<V>),
    Queue(u64, Reading<V>),
    Early(Duration),
}

impl<K, V> Shared<K, V>
where
    K: Eq + Hash + Clone + Send + 'static,
    V: Send + Sync + 'static,
{
    /// Nothing read yet; what nobody asked for during `unused_after` is forgotten.
    pub fn new(clock: Clock, unused_after: Duration) -> Self {
        Self { clock, unused_after, entries: Mutex::default() }
    }

    /// A read that began at or after `not_before`: the last one, the one under way, or a new one by `read`.
    ///
    /// # Errors
    /// Those of the read.
    pub async fn since<F>(&self, key: &K, not_before: Timestamp, read: F) -> ReadResult<V>
    where
        F: Fn() -> BoxFuture<'static, Result<V, AwsError>>,
    {
        loop {
            match self.step(key, not_before, &read) {
                Step::Have(snapshot) => return Ok(snapshot),
                Step::Join(number, reading) => {
                    let result = reading.await;
                    self.ended(key, number, &result);
                    return result;
                }
                // Its outcome is none of ours: it began too early.
                Step::Queue(number, reading) => {
                    let result = reading.await;
                    self.ended(key, number, &result);
                }
                Step::Early(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// The last complete read, however old.
    pub fn latest(&self, key: &K) -> Option<Arc<Snapshot<V>>> {
        let now = (self.clock)();
        let mut entries = lock(&self.entries);
        let entry = entries.get_mut(key)?;
        entry.used = now;
        entry.latest.clone()
    }

    /// Keeps what was read in another way.
    pub fn learn(&self, key: &K, snapshot: Arc<Snapshot<V>>) {
        let now = (self.clock)();
        let mut entries = lock(&self.entries);
        entries.entry(key.clone()).or_insert_with(|| Entry::new(now)).keep(snapshot);
    }

    /// How long what nobody asks for is kept.
    pub fn unused_after(&self) -> Duration {
        self.unused_after
    }

    /// When the read under way began.
    pub fn running_since(&self, key: &K) -> Option<Timestamp> {
        lock(&self.entries).get(key)?.under_way().map(|(_, began, _)| began)
    }

    /// Forgets reads that began before another one that says the same and more.
    pub fn forget_older(&self, began: Timestamp, covered: impl Fn(&K) -> bool) {
        lock(&self.entries).retain(|key, entry| {
            let stays = entry.latest.as_ref().is_none_or(|latest| latest.began > began);
            stays || entry.under_way().is_some() || !covered(key)
        });
    }

    /// Forgets what has not been asked for in a long time.
    pub fn evict(&self) {
        let now = (self.clock)();
        lock(&self.entries).retain(|_, entry| entry.under_way().is_some() || age(entry.used, now) < self.unused_after);
    }

    fn step<F>(&self, key: &K, not_before: Timestamp, read: &F) -> Step<V>
    where
        F: Fn() -> BoxFuture<'static, Result<V, AwsError>>,
    {
        let now = (self.clock)();
        let mut entries = lock(&self.entries);
        let entry =
            entries.entry(key.clone()).or_insert_with(|| Entry { latest: None, running: None, reads: 0, used: now });
        entry.used = now;
        if let Some(latest) = entry.latest.as_ref().filter(|latest| latest.began >= not_before) {
            return Step::Have(Arc::clone(latest));
        }
        if let Some((number, began, reading)) = entry.under_way() {
            return if began >= not_before { Step::Join(number, reading) } else { Step::Queue(number, reading) };
        }
        if now < not_before {
            return Step::Early(age(now, not_before));
        }
        let read = read();
        let reading = async move { Ok(Arc::new(Snapshot { began: now, value: read.await? })) }.boxed().shared();
        entry.reads += 1;
        let number = entry.reads;
        entry.running = reading.downgrade().map(|read| Running { number, began: now, read });
        Step::Join(number, reading)
    }

    fn ended(&self, key: &K, number: u64, result: &ReadResult<V>) {
        let mut entries = lock(&self.entries);
        let Some(entry) = entries.get_mut(key) else { return };
        // Somebody may still hold the ended read; nobody is to join it any more.
        entry.running = entry.running.take().filter(|running| running.number != number);
        if let Ok(snapshot) = result {
            entry.keep(Arc::clone(snapshot));
        }
    }
}

/// How long from one time to another, zero when it is the other way round.
pub(crate) fn age(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// A poisoned lock guards nothing that a panic can leave half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "batch_tests.rs"]
pub(crate) mod tests;
