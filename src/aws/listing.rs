//! Resources that AWS lists page by page or by name: which of the two a question costs.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::AwsError;
use super::batch::{Clock, Shared, Snapshot, age, lock};
use super::gate::Urgency;
use crate::plan::Class;

/// While fewer reads by name than this were made since the last complete read, another one by name is made: for a handful
/// of resources a complete read answers no sooner.
const FEW: u32 = 3;
/// A question about what was so at most this long ago comes from somebody who has just written: a complete read that
/// answers it answers nobody else.
const FRESH: Duration = Duration::from_secs(5);
/// Names in one request. The API model sets no bound; 25 is the largest page that it names anywhere (DescribeImages).
const NAMES_AT_ONCE: usize = 25;

/// All resources of one place, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct All<V> {
    /// The resources.
    pub items: HashMap<String, Arc<V>>,
    /// The pages, one request each, that it took.
    pub pages: u32,
}

/// How AWS is asked.
pub trait Source<V>: Send + Sync {
    /// Every resource, all pages.
    fn all(&self) -> BoxFuture<'static, Result<All<V>, AwsError>>;
    /// The resources of these names; a name left out is one that AWS says it does not have.
    fn named(&self, names: Vec<String>) -> BoxFuture<'static, Result<HashMap<String, Arc<V>>, AwsError>>;
}

/// What is known of one resource.
pub type Known<V> = Arc<Snapshot<Option<Arc<V>>>>;

/// The resources of many places, each read at the least cost.
pub struct Listings<K, V> {
    clock: Clock,
    all: Shared<K, All<V>>,
    named: Shared<(K, String), Option<Arc<V>>>,
    counters: Mutex<HashMap<K, Arc<Counter>>>,
    written: Mutex<HashMap<(K, String), Written>>,
}

/// The last write to a name.
#[derive(Clone, Copy)]
struct Written {
    at: Timestamp,
    /// Whether it is believed to be there since.
    there: bool,
}

/// Where questions by name about one place are put together.
#[derive(Default)]
struct Counter {
    /// One request at a time: what is asked meanwhile goes together into the next.
    turn: tokio::sync::Mutex<()>,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    by_name_since_all: u32,
    /// Questions since the last complete read began, and between the two before.
    asked: u32,
    asked_before: u32,
    waiting: Vec<String>,
    failed: HashMap<String, (Timestamp, AwsError)>,
}

impl<K, V> Listings<K, V>
where
    K: Eq + Hash + Clone + Send + 'static,
    V: Send + Sync + 'static,
{
    /// Nothing known yet; what nobody asked for during `unused_after` is forgotten. The clock must be a [`strictly`]
    /// increasing one.
    ///
    /// [`strictly`]: super::batch::strictly
    pub fn new(clock: Clock, unused_after: Duration) -> Self {
        Self {
            all: Shared::new(Arc::clone(&clock), unused_after),
            named: Shared::new(Arc::clone(&clock), unused_after),
            clock,
            counters: Mutex::default(),
            written: Mutex::default(),
        }
    }

    /// One resource, by a read that began at or after `not_before`.
    ///
    /// What is known already costs nothing. An urgent question is asked by name at once, so that it never waits for pages.
    /// Somebody who has just written asks by name too, together with all others who do. Everybody else asks by name while
    /// they are few, and then by one complete read for all.
    ///
    /// # Errors
    /// Those of the read.
    pub async fn one(
        &self,
        key: &K,
        name: &str,
        not_before: Timestamp,
        urgency: Urgency,
        source: &dyn Source<V>,
    ) -> Result<Known<V>, AwsError> {
        let not_before = self.last_write(key, name).map_or(not_before, |last| not_before.max(last.at));
        if let Some(known) = self.known(key, name).filter(|known| known.began >= not_before) {
            return Ok(known);
        }
        {
            let counter = self.counter(key);
            let mut line = lock(&counter.line);
            line.asked = line.asked.saturating_add(1);
        }
        match urgency {
            Urgency::Urgent => return self.alone(key, name, not_before, source).await,
            Urgency::Routine => {}
        }
        let covered = self.all.running_since(key).is_some_and(|began| began >= not_before);
        if !covered {
            let fresh = age(not_before, (self.clock)()) < FRESH;
            if fresh && self.expects(key, name) {
                return self.together(key, name, not_before, source).await;
            }
            if self.spend(key, fresh) {
                return self.alone(key, name, not_before, source).await;
            }
        }
        let all = self.all(key, not_before, source).await?;
        Ok(picked(&all, name))
    }

    /// Every resource, by a complete read that began at or after `not_before`.
    ///
    /// # Errors
    /// Those of the read.
    pub async fn all(
        &self,
        key: &K,
        not_before: Timestamp,
        source: &dyn Source<V>,
    ) -> Result<Arc<Snapshot<All<V>>>, AwsError> {
        let counter = self.counter(key);
        let read = || {
            let mut line = lock(&counter.line);
            line.by_name_since_all = 0;
            line.asked_before = std::mem::take(&mut line.asked);
            source.all()
        };
        let all = self.all.since(key, not_before, read).await?;
        self.named.forget_older(all.began, |(place, _)| place == key);
        Ok(all)
    }

    /// How many resources the last complete read showed; 0 before the first.
    pub fn size(&self, key: &K) -> u32 {
        self.all.latest(key).map_or(0, |all| u32::try_from(all.value.items.len()).unwrap_or(u32::MAX))
    }

    /// Tells that a write to a name has just ended, however it ended: no read that began before it answers any more.
    /// `there` says whether the name is believed to be there since, and may be asked for together with others, for AWS
    /// refuses the whole request when it does not know one name; `None` changes nothing about that.
    pub fn wrote(&self, key: &K, name: &str, there: Option<bool>) {
        let at = (self.clock)();
        let there = there.unwrap_or_else(|| self.expects(key, name));
        lock(&self.written).insert((key.clone(), name.to_owned()), Written { at, there });
    }

    /// Forgets what has not been asked for in a long time.
    pub fn evict(&self) {
        self.all.evict();
        self.named.evict();
        let now = (self.clock)();
        lock(&self.written).retain(|_, last| age(last.at, now) < self.all.unused_after());
    }

    /// The later of what a complete read and a read by name said.
    fn known(&self, key: &K, name: &str) -> Option<Known<V>> {
        let named = self.named.latest(&(key.clone(), name.to_owned()));
        let all = self.all.latest(key);
        match (named, all) {
            (Some(named), Some(all)) if named.began >= all.began => Some(named),
            (_, Some(all)) => Some(picked(&all, name)),
            (named, None) => named,
        }
    }

    /// Whether a name is believed to be there.
    fn expects(&self, key: &K, name: &str) -> bool {
        match (self.last_write(key, name), self.known(key, name)) {
            (Some(last), Some(known)) if last.at >= known.began => last.there,
            (_, Some(known)) => known.value.is_some(),
            (Some(last), None) => last.there,
            (None, None) => false,
        }
    }

    fn last_write(&self, key: &K, name: &str) -> Option<Written> {
        lock(&self.written).get(&(key.clone(), name.to_owned())).copied()
    }

    /// Asks for one name in a request of its own; who asks for the same meanwhile shares it.
    async fn alone(
        &self,
        key: &K,
        name: &str,
        not_before: Timestamp,
        source: &dyn Source<V>,
    ) -> Result<Known<V>, AwsError> {
        let read = || -> BoxFuture<'static, _> {
            let (asked, name) = (source.named(vec![name.to_owned()]), name.to_owned());
            Box::pin(async move { Ok(asked.await?.remove(&name)) })
        };
        self.named.since(&(key.clone(), name.to_owned()), not_before, read).await
    }

    /// Asks for a name together with all others that wait: one request at a time.
    async fn together(
        &self,
        key: &K,
        name: &str,
        not_before: Timestamp,
        source: &dyn Source<V>,
    ) -> Result<Known<V>, AwsError> {
        let counter = self.counter(key);
        lock(&counter.line).waiting.push(name.to_owned());
        let turn = counter.turn.lock().await;
        let names = {
            let mut line = lock(&counter.line);
            let failed = line.failed.remove(name);
            let known = self.known(key, name).filter(|known| known.began >= not_before);
            line.waiting.retain(|waiting| waiting != name);
            match (known, failed) {
                // Somebody before us asked for it too.
                (Some(known), _) => return Ok(known),
                (None, Some((began, error))) if began >= not_before => return Err(error),
                (None, _) => {}
            }
            line.failed.clear();
            let others = line.waiting.len().min(NAMES_AT_ONCE - 1);
            let mut names: Vec<String> = line.waiting.drain(..others).collect();
            names.push(name.to_owned());
            names.sort();
            names.dedup();
            names
        };
        let began = (self.clock)();
        if began < not_before {
            // Nobody writes in the future; a clock that was set back is waited for by the other way.
            drop(turn);
            return self.alone(key, name, not_before, source).await;
        }
        match source.named(names.clone()).await {
            Ok(found) => {
                let mut mine = None;
                for asked in names {
                    let snapshot = Arc::new(Snapshot { began, value: found.get(&asked).cloned() });
                    if asked == name {
                        mine = Some(Arc::clone(&snapshot));
                    }
                    self.named.learn(&(key.clone(), asked), snapshot);
                }
                Ok(mine.unwrap_or_else(|| Arc::new(Snapshot { began, value: None })))
            }
            Err(error) => {
                // How many names one request may hold is not published: where they are too many, each asks alone.
                if names.len() > 1 && error.class == Class::Rejected {
                    drop(turn);
                    return self.alone(key, name, not_before, source).await;
                }
                let told = names.into_iter().filter(|asked| asked != name).map(|asked| (asked, (began, error.clone())));
                lock(&counter.line).failed.extend(told);
                Err(error)
            }
        }
    }

    /// Whether another read by name is made before the next complete one. Who has just written would not share a complete
    /// read, so that such reads go on until they have cost as much as one.
    fn spend(&self, key: &K, fresh: bool) -> bool {
        let pages = self.all.latest(key).map_or(FEW, |all| all.value.pages);
        let enough = if fresh { pages.max(FEW) } else { FEW };
        let counter = self.counter(key);
        let mut line = lock(&counter.line);
        // Where one complete read answered many questions the last time, it does so again: a resync of many objects.
        if line.by_name_since_all >= enough || !fresh && line.asked_before > pages + FEW {
            return false;
        }
        line.by_name_since_all += 1;
        true
    }

    fn counter(&self, key: &K) -> Arc<Counter> {
        Arc::clone(lock(&self.counters).entry(key.clone()).or_default())
    }
}

fn picked<V>(all: &Snapshot<All<V>>, name: &str) -> Known<V> {
    Arc::new(Snapshot { began: all.began, value: all.value.items.get(name).cloned() })
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
