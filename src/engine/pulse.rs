//! Signs of life: when the engine's loop last turned, and since when each worker has been in its pass.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::{FIGURES, PASS_DEADLINE};
use crate::telemetry::probes::{Part, Stuck};

/// How long the loop may stand still: it turns with every tick of the figures, so this is four of them missed.
const LOOP: Duration = Duration::from_secs(60);
/// How long every worker may be in one and the same pass: a pass that waits ends by its deadline, and is given one tick to
/// be put away.
const WORKERS: Duration = PASS_DEADLINE.saturating_add(FIGURES);

/// One engine's signs of life, by the monotonic clock.
#[derive(Debug)]
pub(super) struct Pulse {
    began: Instant,
    /// Milliseconds from `began` to the loop's last turn.
    turned: AtomicU64,
    /// For each worker the milliseconds from `began` to the begin of its pass, or [`IDLE`].
    workers: Vec<AtomicU64>,
}

/// The worker is in no pass.
const IDLE: u64 = u64::MAX;

impl Pulse {
    pub(super) fn new(workers: usize) -> Self {
        let idle = || AtomicU64::new(IDLE);
        Self {
            began: Instant::now(),
            turned: AtomicU64::new(0),
            workers: std::iter::repeat_with(idle).take(workers).collect(),
        }
    }

    /// The loop turned.
    pub(super) fn turn(&self) {
        self.turned.store(self.elapsed(), Ordering::Relaxed);
    }

    /// A worker comes to work.
    pub(super) fn worker(&self, n: usize) -> Worker<'_> {
        Worker { pulse: self, in_pass_since: self.workers.get(n) }
    }

    /// What stands still for too long: an engine without work, without the lease or without an API server turns on.
    pub(super) fn stuck(&self, of: &'static str) -> Option<Stuck> {
        let now = self.elapsed();
        let since = |at: u64| Duration::from_millis(now.saturating_sub(at));
        let stood = since(self.turned.load(Ordering::Relaxed));
        if stood > LOOP {
            return Some(Stuck { of, part: Part::Loop, since: stood });
        }
        let last = self.workers.iter().map(|worker| worker.load(Ordering::Relaxed)).max()?;
        let busy = since(last);
        (last != IDLE && busy > WORKERS).then_some(Stuck { of, part: Part::Workers, since: busy })
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(IDLE - 1)
    }
}

/// A worker's sign; one that is dropped works no more, and counts as stuck from the first.
pub(super) struct Worker<'a> {
    pulse: &'a Pulse,
    in_pass_since: Option<&'a AtomicU64>,
}

impl Worker<'_> {
    /// A pass begins.
    pub(super) fn begin(&self) {
        self.set(self.pulse.elapsed());
    }

    /// It ended.
    pub(super) fn end(&self) {
        self.set(IDLE);
    }

    fn set(&self, at: u64) {
        if let Some(since) = self.in_pass_since {
            since.store(at, Ordering::Relaxed);
        }
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuck(part: Part, seconds: u64) -> Option<Stuck> {
        Some(Stuck { of: "kind", part, since: Duration::from_secs(seconds) })
    }

    async fn after(pulse: &Pulse, seconds: u64) -> Option<Stuck> {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        pulse.stuck("kind")
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stands_still_is_stuck_until_it_turns() {
        let pulse = Pulse::new(2);
        assert_eq!(after(&pulse, 60).await, None);
        assert_eq!(after(&pulse, 1).await, stuck(Part::Loop, 61));
        pulse.turn();
        assert_eq!(pulse.stuck("kind"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn workers_are_stuck_when_the_last_of_them_is_past_the_deadline_of_its_pass() {
        let pulse = Pulse::new(2);
        let (first, second) = (pulse.worker(0), pulse.worker(1));
        first.begin();
        tokio::time::advance(Duration::from_secs(1000)).await;
        pulse.turn();
        assert_eq!(pulse.stuck("kind"), None, "one is idle");
        second.begin();
        tokio::time::advance(Duration::from_secs(195)).await;
        pulse.turn();
        assert_eq!(pulse.stuck("kind"), None, "one may still end in time");
        assert_eq!(after(&pulse, 1).await, stuck(Part::Workers, 196));
        first.end();
        assert_eq!(pulse.stuck("kind"), None);
        drop(first);
        assert_eq!(pulse.stuck("kind"), stuck(Part::Workers, 196), "one is dead, and the other still in its pass");
    }
}
