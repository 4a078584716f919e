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
        let at = At::parse(at)?;
        Some(Self::watched(Arc::new(move |moment: Moment| {
            let hold = at.is(&moment);
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

    /// A stage on which each of several moments, written as for [`Stage::holding`] and separated by commas, panics, with
    /// whatever the effect was given or answered in hand. `None` when the text says something else.
    #[cfg(debug_assertions)]
    #[allow(clippy::panic)]
    pub fn panicking(at: &str) -> Option<Self> {
        let all = at.split(',').map(At::parse).collect::<Option<Vec<At>>>()?;
        Some(Self::watched(Arc::new(move |moment: Moment| {
            // Each counts for itself.
            let panics = all.iter().filter(|at| at.is(&moment)).count() > 0;
            Box::pin(async move {
                if panics {
                    panic!("told to panic at {} {:?}", moment.effect, moment.when);
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

/// One moment, named before it comes.
struct At {
    name: Option<String>,
    number: u64,
    when: When,
    begun: AtomicU64,
    meant: AtomicU64,
}

impl At {
    fn parse(at: &str) -> Option<Self> {
        let (at, when) = at.rsplit_once(':')?;
        let (name, number) = at.rsplit_once('#').map_or((None, at), |(name, number)| (Some(name.to_owned()), number));
        let number = number.parse().ok()?;
        let when = match when {
            "before" => When::Before,
            "answered" => When::Answered,
            _ => return None,
        };
        Some(Self { name, number, when, begun: AtomicU64::new(0), meant: AtomicU64::new(0) })
    }

    /// Whether this is it; counts the effects of its name.
    fn is(&self, moment: &Moment) -> bool {
        if moment.when == When::Before && self.name.as_ref().is_none_or(|name| *name == moment.effect) {
            let nth = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
            if (if self.name.is_some() { nth } else { moment.number }) == self.number {
                self.meant.store(moment.number, Ordering::Relaxed);
            }
        }
        moment.when == self.when && moment.number == self.meant.load(Ordering::Relaxed)
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

    #[tokio::test]
    async fn the_moments_that_are_named_panic_and_all_others_do_not() {
        let stage = Stage::panicking("aws stop#2:answered,kube read#1:before").unwrap();
        let mut panicked = Vec::new();
        for effect in ["aws stop", "kube read", "aws stop", "kube read"] {
            let made = Arc::new(AtomicU64::new(0));
            let (stage, count) = (stage.clone(), Arc::clone(&made));
            let act = async move { count.fetch_add(1, Ordering::Relaxed) };
            let played = tokio::spawn(async move { stage.play(|| effect.to_owned(), true, act).await });
            panicked.push((played.await.is_err(), made.load(Ordering::Relaxed)));
        }
        assert_eq!(panicked, [(false, 1), (true, 0), (true, 1), (false, 1)]);
        assert!(Stage::panicking("aws stop#2:answered,").is_none());
    }
}
