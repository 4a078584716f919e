//! What the probes ask: is everything there that work needs, and do the engines still turn?

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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

/// Asks everything that must turn whether it does; what nobody has named yet is not asked for. Clones share it.
#[derive(Clone, Default)]
pub struct Heartbeat(Arc<Mutex<Vec<Pulse>>>);

/// Says what is stuck, if anything is.
type Pulse = Box<dyn Fn() -> Option<Stuck> + Send + Sync>;

/// Something that has not turned for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck {
    /// Whose it is.
    pub of: &'static str,
    /// Which part.
    pub part: Part,
    /// For how long.
    pub since: Duration,
}

/// What can be stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The loop that takes in what the watch shows.
    Loop,
    /// All workers at once.
    Workers,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (of, seconds) = (self.of, self.since.as_secs());
        match self.part {
            Part::Loop => write!(f, "the loop of {of} has not turned for {seconds} s"),
            Part::Workers => write!(f, "no worker of {of} has ended a pass for {seconds} s"),
        }
    }
}

impl Heartbeat {
    /// Asks this one too from now on.
    pub fn ask(&self, pulse: impl Fn() -> Option<Stuck> + Send + Sync + 'static) {
        self.pulses().push(Box::new(pulse));
    }

    /// Everything that is stuck; empty while all of it turns.
    pub fn stuck(&self) -> Vec<Stuck> {
        self.pulses().iter().filter_map(|pulse| pulse()).collect()
    }

    fn pulses(&self) -> MutexGuard<'_, Vec<Pulse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn the_heart_names_everything_that_is_stuck() {
        let heart = Heartbeat::default();
        assert_eq!(heart.stuck(), []);
        let stuck = |part| Stuck { of: "Fleet.appstream.windlass.dev", part, since: Duration::from_millis(61_500) };
        heart.ask(|| None);
        heart.ask(move || Some(stuck(Part::Loop)));
        heart.clone().ask(move || Some(stuck(Part::Workers)));
        assert_eq!(heart.stuck(), [stuck(Part::Loop), stuck(Part::Workers)]);
        let said: Vec<String> = heart.stuck().iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "the loop of Fleet.appstream.windlass.dev has not turned for 61 s",
                "no worker of Fleet.appstream.windlass.dev has ended a pass for 61 s",
            ]
        );
    }
}
