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

    /// A stage on which one moment never ends: `number:before` or `number:answered`. It says on standard error when it is
    /// reached, for a test that then kills the process. `None` when the text says something else.
    pub fn holding(at: &str) -> Option<Self> {
        let (number, when) = at.split_once(':')?;
        let number: u64 = number.parse().ok()?;
        let when = match when {
            "before" => When::Before,
            "answered" => When::Answered,
            _ => return None,
        };
        Some(Self::watched(Arc::new(move |moment: Moment| {
            Box::pin(async move {
                tracing::info!(number = moment.number, effect = %moment.effect, when = ?moment.when, "effect");
                if moment.number == number && moment.when == when {
                    tracing::info!(number, "held at effect");
                    std::future::pending::<()>().await;
                }
            })
        })))
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
