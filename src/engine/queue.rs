//! What is due: one entry for each object, two lanes, the urgent one first; and, apart from both, which Secrets have to go
//! when.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Id, lock};
use crate::aws::gate::Urgency;

/// How often the clock is asked whether something has ended: whoever sets it forward makes no end later than this.
pub(super) const CLOCK: Duration = Duration::from_secs(1);

/// What is due, and when.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Id, Entry>,
    urgent: BTreeSet<(Instant, Id)>,
    routine: BTreeSet<(Instant, Id)>,
    ends: BTreeSet<(Timestamp, Id)>,
    end_of: HashMap<Id, Timestamp>,
}

#[derive(Debug, Clone, Copy)]
enum Entry {
    Waiting(Instant, Urgency),
    /// A worker has it; what was asked for meanwhile comes after.
    Taken(Option<(Instant, Urgency)>),
    /// A worker has it, and it was forgotten; only what was asked for since comes after.
    Left(Option<(Instant, Urgency)>),
}

impl Queue {
    /// Asks for a pass at that time. An earlier or more urgent wish stands.
    pub fn ask(&self, id: Id, at: Instant, urgency: Urgency) {
        let mut state = lock(&self.state);
        let first = match state.entries.get(&id).copied() {
            None => state.put(id, at, urgency),
            Some(Entry::Waiting(was, lane)) => {
                state.lane(lane).remove(&(was, id.clone()));
                let (at, urgency) = both((was, lane), (at, urgency));
                state.put(id, at, urgency)
            }
            Some(Entry::Taken(next)) => {
                let next = next.map_or((at, urgency), |next| both(next, (at, urgency)));
                state.entries.insert(id, Entry::Taken(Some(next)));
                false
            }
            Some(Entry::Left(next)) => {
                let next = next.map_or((at, urgency), |next| both(next, (at, urgency)));
                state.entries.insert(id, Entry::Left(Some(next)));
                false
            }
        };
        drop(state);
        self.wake(first);
    }

    /// Waits for something due that this lane may take: an urgent worker takes urgent things only.
    pub async fn take(&self, lane: Urgency) -> (Id, Urgency) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let next = match lock(&self.state).take(lane, Instant::now()) {
                Ok(taken) => return taken,
                Err(next) => next,
            };
            match next {
                Some(at) => tokio::select! { () = changed => {} () = sleep_until(at) => {} },
                None => changed.await,
            }
        }
    }

    /// Says when an object's Secret has to go: whoever waits for ends takes it then, whatever else it is due for.
    pub fn ends(&self, id: &Id, at: Option<Timestamp>) {
        let mut state = lock(&self.state);
        state.ends(id, at);
        drop(state);
        self.wake(at.is_some());
    }

    /// Waits for something whose Secret has to go, by that clock.
    pub async fn take_end(&self, clock: &(dyn Fn() -> Timestamp + Send + Sync)) -> Id {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let now = clock();
            let next = match lock(&self.state).take_end(now) {
                Ok(id) => return id,
                Err(next) => next,
            };
            match next {
                Some(at) => {
                    let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
                    tokio::select! { () = changed => {} () = sleep(left.min(CLOCK)) => {} }
                }
                None => changed.await,
            }
        }
    }

    /// A pass ended; `next` is when the object is due again, unless it was asked for earlier meanwhile.
    pub fn done(&self, id: &Id, next: Option<(Instant, Urgency)>) {
        let mut state = lock(&self.state);
        let next = match state.entries.remove(id) {
            Some(Entry::Taken(Some(asked))) => Some(next.map_or(asked, |next| both(next, asked))),
            Some(Entry::Taken(None)) => next,
            Some(Entry::Left(asked)) => asked,
            Some(Entry::Waiting(..)) | None => return,
        };
        let first = next.is_some_and(|(at, urgency)| state.put(id.clone(), at, urgency));
        let ends = state.end_of.contains_key(id);
        drop(state);
        self.wake(first || ends);
    }

    /// Workers sleep until the first thing of their lanes: only a new first needs to wake them.
    fn wake(&self, first: bool) {
        if first {
            self.changed.notify_waiters();
        }
    }

    /// The object is gone. A pass under way ends, and until then nobody else begins one for another object of this name.
    pub fn forget(&self, id: &Id) {
        let mut state = lock(&self.state);
        state.ends(id, None);
        match state.entries.remove(id) {
            Some(Entry::Waiting(at, lane)) => {
                state.lane(lane).remove(&(at, id.clone()));
            }
            Some(Entry::Taken(_) | Entry::Left(_)) => {
                state.entries.insert(id.clone(), Entry::Left(None));
            }
            None => {}
        }
    }

    /// How many are due now in a lane.
    pub fn depth(&self, lane: Urgency) -> usize {
        let now = Instant::now();
        let mut state = lock(&self.state);
        state.lane(lane).iter().take_while(|(at, _)| *at <= now).count()
    }
}

impl State {
    fn lane(&mut self, lane: Urgency) -> &mut BTreeSet<(Instant, Id)> {
        match lane {
            Urgency::Urgent => &mut self.urgent,
            Urgency::Routine => &mut self.routine,
        }
    }

    /// Whether it is now the first of its lane.
    fn put(&mut self, id: Id, at: Instant, urgency: Urgency) -> bool {
        self.entries.insert(id.clone(), Entry::Waiting(at, urgency));
        let lane = self.lane(urgency);
        lane.insert((at, id.clone()));
        lane.first() == Some(&(at, id))
    }

    fn ends(&mut self, id: &Id, at: Option<Timestamp>) {
        let before = match at {
            Some(at) => self.end_of.insert(id.clone(), at),
            None => self.end_of.remove(id),
        };
        if let Some(before) = before {
            self.ends.remove(&(before, id.clone()));
        }
        if let Some(at) = at {
            self.ends.insert((at, id.clone()));
        }
    }

    /// What has ended and no worker has, or when the next thing ends.
    fn take_end(&mut self, now: Timestamp) -> Result<Id, Option<Timestamp>> {
        let free = |id: &Id| !matches!(self.entries.get(id), Some(Entry::Taken(_) | Entry::Left(_)));
        let ended = self.ends.iter().take_while(|(at, _)| *at <= now).find(|(_, id)| free(id));
        let Some((_, id)) = ended.cloned() else {
            return Err(self.ends.iter().map(|(at, _)| *at).find(|at| *at > now));
        };
        self.ends(&id, None);
        if let Some(Entry::Waiting(at, lane)) = self.entries.insert(id.clone(), Entry::Taken(None)) {
            self.lane(lane).remove(&(at, id.clone()));
        }
        Ok(id)
    }

    /// What is due, or when the next thing is.
    fn take(&mut self, lane: Urgency, now: Instant) -> Result<(Id, Urgency), Option<Instant>> {
        let lanes: &[Urgency] = match lane {
            Urgency::Urgent => &[Urgency::Urgent],
            Urgency::Routine => &[Urgency::Urgent, Urgency::Routine],
        };
        for lane in lanes {
            if self.lane(*lane).first().is_some_and(|(at, _)| *at <= now)
                && let Some((_, id)) = self.lane(*lane).pop_first()
            {
                self.entries.insert(id.clone(), Entry::Taken(None));
                return Ok((id, *lane));
            }
        }
        Err(lanes.iter().filter_map(|lane| self.lane(*lane).first().map(|(at, _)| *at)).min())
    }
}

/// The earlier time in the more urgent lane.
fn both(one: (Instant, Urgency), other: (Instant, Urgency)) -> (Instant, Urgency) {
    let urgency = match (one.1, other.1) {
        (Urgency::Routine, Urgency::Routine) => Urgency::Routine,
        (Urgency::Urgent, _) | (_, Urgency::Urgent) => Urgency::Urgent,
    };
    (one.0.min(other.0), urgency)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn id(name: &str) -> Id {
        Id { namespace: "ns".into(), name: name.into() }
    }

    #[tokio::test(start_paused = true)]
    async fn an_urgent_object_overtakes_routine_ones_that_were_due_before() {
        let (queue, now) = (Queue::default(), Instant::now());
        queue.ask(id("a"), now, Urgency::Routine);
        queue.ask(id("b"), now, Urgency::Routine);
        tokio::time::advance(Duration::from_secs(1)).await;
        queue.ask(id("c"), Instant::now(), Urgency::Urgent);
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(queue.take(Urgency::Routine).await.0);
        }
        assert_eq!(taken, [id("c"), id("a"), id("b")]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_for_during_a_pass_comes_right_after_it() {
        let (queue, now) = (Queue::default(), Instant::now());
        queue.ask(id("a"), now, Urgency::Routine);
        assert_eq!(queue.take(Urgency::Routine).await, (id("a"), Urgency::Routine));
        queue.ask(id("a"), now, Urgency::Urgent);
        queue.done(&id("a"), Some((now + Duration::from_secs(60), Urgency::Routine)));
        assert_eq!(queue.take(Urgency::Urgent).await, (id("a"), Urgency::Urgent));
        assert_eq!(Instant::now(), now);
    }

    #[tokio::test(start_paused = true)]
    async fn one_object_is_never_taken_twice_at_once() {
        let (queue, now) = (Queue::default(), Instant::now());
        queue.ask(id("a"), now, Urgency::Urgent);
        queue.take(Urgency::Urgent).await;
        queue.ask(id("a"), now, Urgency::Urgent);
        let second = tokio::time::timeout(Duration::from_secs(3600), queue.take(Urgency::Routine)).await;
        assert!(second.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_is_taken_at_its_time_whatever_the_object_is_due_for_and_whoever_sets_the_clock() {
        let start: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let (ahead, began) = (std::sync::atomic::AtomicI64::new(0), Instant::now());
        let now = || {
            start + began.elapsed() + jiff::SignedDuration::from_secs(ahead.load(std::sync::atomic::Ordering::SeqCst))
        };
        let queue = Queue::default();
        queue.ask(id("a"), began + Duration::from_secs(600), Urgency::Routine);
        queue.ends(&id("a"), Some(start + Duration::from_secs(30)));
        assert_eq!(queue.take_end(&now).await, id("a"));
        assert_eq!(began.elapsed(), Duration::from_secs(30));
        // A worker has it: it is due again only when that one says so.
        queue.ends(&id("a"), Some(now()));
        assert!(tokio::time::timeout(Duration::from_secs(5), queue.take_end(&now)).await.is_err());
        queue.done(&id("a"), None);
        assert_eq!(queue.take_end(&now).await, id("a"));
        queue.ends(&id("b"), Some(now() + Duration::from_secs(3600)));
        let waits = queue.take_end(&now);
        tokio::pin!(waits);
        assert!(tokio::time::timeout(Duration::from_secs(10), &mut waits).await.is_err());
        ahead.store(7200, std::sync::atomic::Ordering::SeqCst);
        let set = Instant::now();
        assert_eq!(waits.await, id("b"));
        assert!(set.elapsed() <= CLOCK);
        // What is forgotten, or over, ends no more.
        queue.ends(&id("c"), Some(now()));
        queue.forget(&id("c"));
        queue.ends(&id("d"), Some(now()));
        queue.ends(&id("d"), None);
        assert!(tokio::time::timeout(Duration::from_secs(5), queue.take_end(&now)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_sleeps_until_later_wakes_for_something_sooner() {
        let (queue, now) = (std::sync::Arc::new(Queue::default()), Instant::now());
        queue.ask(id("late"), now + Duration::from_secs(600), Urgency::Routine);
        let worker = tokio::spawn({
            let queue = std::sync::Arc::clone(&queue);
            async move { queue.take(Urgency::Routine).await.0 }
        });
        tokio::time::sleep(Duration::from_secs(5)).await;
        queue.ask(id("soon"), Instant::now() + Duration::from_secs(1), Urgency::Routine);
        assert_eq!(worker.await.ok(), Some(id("soon")));
        assert_eq!(Instant::now() - now, Duration::from_secs(6));
    }

    #[tokio::test(start_paused = true)]
    async fn a_forgotten_object_is_not_due_again_after_its_pass() {
        let (queue, now) = (Queue::default(), Instant::now());
        queue.ask(id("a"), now, Urgency::Urgent);
        queue.take(Urgency::Urgent).await;
        queue.forget(&id("a"));
        queue.done(&id("a"), Some((now, Urgency::Urgent)));
        assert_eq!(queue.depth(Urgency::Urgent), 0);
        assert!(lock(&queue.state).entries.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn another_object_of_a_forgotten_name_waits_for_the_pass_under_way() {
        let (queue, now) = (Queue::default(), Instant::now());
        queue.ask(id("a"), now, Urgency::Urgent);
        queue.take(Urgency::Urgent).await;
        queue.forget(&id("a"));
        queue.ask(id("a"), now, Urgency::Urgent);
        let second = tokio::time::timeout(Duration::from_secs(3600), queue.take(Urgency::Routine)).await;
        assert!(second.is_err());
        queue.done(&id("a"), None);
        assert_eq!(queue.take(Urgency::Routine).await, (id("a"), Urgency::Urgent));
    }
}
