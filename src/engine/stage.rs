//! Where effects are numbered: every effect of every port passes here before it is made and after it was answered, so that
//! a test can stop the process at any of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One moment of an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The effect's number in this process, from 1.
    pub number: u64,
    /// What is done: `kube report`, `aws CreateFleet`.
    pub effect: String,
    /// Whether it changes anything.
    pub mutating: bool,
    /// Before it is made, or after it was answered and before the engine is told.
    pub when: When,
}

/// Which moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// Before it is made.
    Before,
    /// It was made, and the engine does not know yet.
    Answered,
}

/// Somebody who watches effects, and may hold one for ever.
pub type Watcher = Arc<dyn Fn(Moment) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Where effects pass.
#[derive(Clone, Default)]
pub struct Stage {
    watcher: Option<Watcher>,
    count: Arc<AtomicU64>,
}

impl Stage {
    /// A stage that nobody watches.
    pub fn unwatched() -> Self {
        Self::default()
    }

    /// A stage that somebody watches.
    pub fn watched(watcher: Watcher) -> Self {
        Self { watcher: Some(watcher), count: Arc::default() }
    }

    /// Makes an effect.
    pub async fn play<T>(&self, effect: impl FnOnce() -> String, mutating: bool, act: impl Future<Output = T>) -> T {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(watcher) = &self.watcher else { return act.await };
        let effect = effect();
        let moment = |when| Moment { number, effect: effect.clone(), mutating, when };
        watcher(moment(When::Before)).await;
        let outcome = act.await;
        watcher(moment(When::Answered)).await;
        outcome
    }
}
