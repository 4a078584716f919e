//! Resources that AWS lists page by page or by name: which of the two a question costs.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::AwsError;
use super::batch::{Clock, Shared, Snapshot, lock};
use super::gate::Urgency;

/// While fewer reads by name than this were made since the last complete read, another one by name is made: for a handful
/// of resources a complete read answers no sooner.
const FEW: u32 = 3;

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
    /// One resource; `None` when AWS says that there is none.
    fn named(&self, name: &str) -> BoxFuture<'static, Result<Option<Arc<V>>, AwsError>>;
}

/// What is known of one resource.
pub type Known<V> = Arc<Snapshot<Option<Arc<V>>>>;

/// The resources of many places, each read at the least cost.
pub struct Listings<K, V> {
    all: Shared<K, All<V>>,
    named: Shared<(K, String), Option<Arc<V>>>,
    by_name_since_all: Mutex<HashMap<K, u32>>,
}

impl<K, V> Listings<K, V>
where
    K: Eq + Hash + Clone + Send + 'static,
    V: Send + Sync + 'static,
{
    /// Nothing known yet; what nobody asked for during `unused_after` is forgotten.
    pub fn new(clock: Clock, unused_after: Duration) -> Self {
        Self {
            all: Shared::new(Arc::clone(&clock), unused_after),
            named: Shared::new(clock, unused_after),
            by_name_since_all: Mutex::default(),
        }
    }

    /// One resource, by a read that began at or after `not_before`.
    ///
    /// What is known already costs nothing. An urgent question is asked by name at once, so that it never waits for a
    /// sequence of pages. Routine ones are asked by name until they have cost as much as a complete read; the next one
    /// makes a complete read, which answers all that wait. So together they never cost more than twice the cheaper way.
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
        if let Some(known) = self.known(key, name).filter(|known| known.began >= not_before) {
            return Ok(known);
        }
        let by_name = match urgency {
            Urgency::Urgent => true,
            Urgency::Routine => {
                let covered = self.all.running_since(key).is_some_and(|began| began >= not_before);
                !covered && self.spend(key)
            }
        };
        if by_name {
            return self.named.since(&(key.clone(), name.to_owned()), not_before, || source.named(name)).await;
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
        let read = || {
            lock(&self.by_name_since_all).insert(key.clone(), 0);
            source.all()
        };
        let all = self.all.since(key, not_before, read).await?;
        self.named.forget_older(all.began, |(place, _)| place == key);
        Ok(all)
    }

    /// Forgets what has not been asked for in a long time.
    pub fn evict(&self) {
        self.all.evict();
        self.named.evict();
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

    /// Whether another read by name is cheaper than a complete one.
    fn spend(&self, key: &K) -> bool {
        let enough = self.all.latest(key).map_or(FEW, |all| all.value.pages.max(FEW));
        let mut spent = lock(&self.by_name_since_all);
        let spent = spent.entry(key.clone()).or_default();
        if *spent >= enough {
            return false;
        }
        *spent += 1;
        true
    }
}

fn picked<V>(all: &Snapshot<All<V>>, name: &str) -> Known<V> {
    Arc::new(Snapshot { began: all.began, value: all.value.items.get(name).cloned() })
}
