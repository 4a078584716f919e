//! What the probes ask: is everything there that work needs, and does the engine still turn?

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Named gates that all must be open before the process is ready. Clones share them.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, Gate>>>);

#[derive(Debug)]
enum Gate {
    Open,
    Closed { why: String },
}

impl Readiness {
    /// All gates closed, each waiting for its first opening.
    pub fn new(gates: impl IntoIterator<Item = &'static str>) -> Self {
        let closed = |name| (name, Gate::Closed { why: "not yet".to_owned() });
        Self(Arc::new(Mutex::new(gates.into_iter().map(closed).collect())))
    }

    /// What this gate stands for is there.
    pub fn open(&self, gate: &'static str) {
        self.gates().insert(gate, Gate::Open);
    }

    /// What this gate stands for is missing; `why` is shown to whoever asks.
    pub fn close(&self, gate: &'static str, why: impl Into<String>) {
        self.gates().insert(gate, Gate::Closed { why: why.into() });
    }

    /// The closed gates, each as `name: why`; empty when ready.
    pub fn missing(&self) -> Vec<String> {
        let closed = |(name, gate): (&&'static str, &Gate)| match gate {
            Gate::Open => None,
            Gate::Closed { why } => Some(format!("{name}: {why}")),
        };
        self.gates().iter().filter_map(closed).collect()
    }

    fn gates(&self) -> MutexGuard<'_, BTreeMap<&'static str, Gate>> {
        // Whoever panicked while it held the lock had no half-done change: every one is a single insert.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sign of life of the engine's loop, by the monotonic clock. Clones share it.
#[derive(Debug, Clone)]
pub struct Heartbeat(Arc<Beats>);

#[derive(Debug)]
struct Beats {
    began: Instant,
    /// Milliseconds from `began` to the last beat.
    last: AtomicU64,
    bound: Duration,
}

impl Heartbeat {
    /// Beats once now; late when no beat follows within `bound`.
    pub fn new(bound: Duration) -> Self {
        Self(Arc::new(Beats { began: Instant::now(), last: AtomicU64::new(0), bound }))
    }

    /// The loop turned.
    pub fn beat(&self) {
        self.0.last.store(self.elapsed(), Ordering::Relaxed);
    }

    /// How long ago the last beat was, if that is too long.
    pub fn late(&self) -> Option<Duration> {
        let age = Duration::from_millis(self.elapsed().saturating_sub(self.0.last.load(Ordering::Relaxed)));
        (age > self.0.bound).then_some(age)
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_names_what_is_missing_and_why() {
        let readiness = Readiness::new(["fleets", "cluster id"]);
        assert_eq!(readiness.missing(), ["cluster id: not yet", "fleets: not yet"]);
        readiness.open("cluster id");
        readiness.close("fleets", "the CRD is not installed");
        assert_eq!(readiness.missing(), ["fleets: the CRD is not installed"]);
        readiness.clone().open("fleets");
        assert_eq!(readiness.missing(), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn a_heart_is_late_only_past_its_bound() {
        let heart = Heartbeat::new(Duration::from_secs(60));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(heart.late(), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(heart.late(), Some(Duration::from_secs(61)));
        heart.beat();
        assert_eq!(heart.late(), None);
    }
}
