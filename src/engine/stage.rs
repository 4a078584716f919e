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

    /// A stage on which one moment never ends: `number:before` or `number:answered` of all effects, or
    /// `name#number:before`, `name#number:answered` of the effects of that name (`aws StopFleet#2:answered`), from 1. It says
    /// in the log when it is reached, for a test that then kills the process. `None` when the text says something else.
    pub fn holding(at: &str) -> Option<Self> {
        let (at, when) = at.rsplit_once(':')?;
        let (name, number) = at.rsplit_once('#').map_or((None, at), |(name, number)| (Some(name.to_owned()), number));
        let number: u64 = number.parse().ok()?;
        let when = match when {
            "before" => When::Before,
            "answered" => When::Answered,
            _ => return None,
        };
        let (begun, meant) = (AtomicU64::new(0), AtomicU64::new(0));
        let meant = move |moment: &Moment| {
            if moment.when == When::Before && name.as_ref().is_none_or(|name| *name == moment.effect) {
                let nth = begun.fetch_add(1, Ordering::Relaxed) + 1;
                if (if name.is_some() { nth } else { moment.number }) == number {
                    meant.store(moment.number, Ordering::Relaxed);
                }
            }
            moment.when == when && moment.number == meant.load(Ordering::Relaxed)
        };
        Some(Self::watched(Arc::new(move |moment: Moment| {
            let hold = meant(&moment);
            Box::pin(async move {
                let (number, effect) = (moment.number, &moment.effect);
                tracing::info!(number, %effect, when = ?moment.when, "effect");
                if hold {
                    tracing::info!(number, %effect, when = ?moment.when, "held at effect");
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_moment_that_is_named_never_ends_and_all_others_do() {
        for (at, held) in [
            ("3:before", Some((3, 0))),
            ("3:answered", Some((3, 1))),
            ("aws stop#2:before", Some((3, 0))),
            ("aws stop#2:answered", Some((3, 1))),
            ("kube read#1:answered", Some((2, 1))),
            ("kube read#2:before", None),
            ("0:before", None),
        ] {
            let stage = Stage::holding(at).unwrap();
            let mut seen = None;
            for (number, effect) in [(1, "aws stop"), (2, "kube read"), (3, "aws stop")] {
                let made = AtomicU64::new(0);
                let act = async { made.fetch_add(1, Ordering::Relaxed) };
                let played = stage.play(|| effect.to_owned(), true, act);
                if tokio::time::timeout(Duration::from_secs(1), played).await.is_err() {
                    seen = Some((number, made.load(Ordering::Relaxed)));
                    break;
                }
            }
            assert_eq!(seen, held, "{at}");
        }
        for wrong in ["", "3", "3:after", "x:before", "aws stop#:before"] {
            assert!(Stage::holding(wrong).is_none(), "{wrong}");
        }
    }
}
