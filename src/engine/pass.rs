//! One pass: observe, plan, report, send. Then look again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::core::object::HasStatus;
use kube::{Resource, ResourceExt};
use tracing::{info, warn};

use crate::api::{FINALIZER, PAUSED, RECONCILE_REQUESTED_AT};
use crate::aws::AwsPort;
use crate::aws::accounts::ScopeError;
use crate::aws::gate::Urgency;
use crate::plan::secret::{SecretFailure, SecretRefusal, SecretSeen, SecretVerb, SecretWrite};
use crate::plan::{Beside, Call, Face, Input, Kind, Neighbour, News, Next, Plan, Scope, Seen, Status};
use crate::telemetry::labels::PassOutcome;

use super::Engine;
use super::memory::{Hold, Memory};
use super::outcome::{Again, Outcome};
use super::port::{Id, KubeEffect, KubePort};

/// How many times a plan may ask for more to look at: tags, image, sessions and one to spare.
const LOOKS: usize = 6;
/// How long AWS's reads may lag behind a write that it answered, before the same write is thought to be needed again. No
/// number is published; [`crate::plan::UNCERTAINTY`] counts with the same.
const LAG: Duration = Duration::from_secs(30);
/// The first wait while AWS's reads lag; each is twice the one before.
const LAGGING: Duration = Duration::from_secs(2);
/// Counts alone (in use, sessions) cause at most one status write in this long.
const COUNTS: Duration = Duration::from_secs(300);
/// What a write rests on is at most this old when it is decided on; what only a status rests on may be older.
const FRESH: Duration = Duration::from_secs(5);
/// A pass that has come no further in this long (a process that was frozen) begins anew instead of writing.
const STALE: Duration = Duration::from_secs(30);

/// One pass over one object.
pub(super) struct Pass<'a, K: Kind, P, A> {
    pub(super) engine: &'a Engine<K, P, A>,
    pub(super) id: &'a Id,
    pub(super) urgency: Urgency,
    /// When it began.
    pub(super) now: Timestamp,
    /// Since when this process leads: the pass ends with this term.
    pub(super) term: Timestamp,
    /// The object's uid: another object under the name has nothing to do with this pass.
    uid: Option<String>,
}

/// What a pass goes by.
pub(super) struct Known<K: Kind> {
    /// The object, as the API server has it.
    pub(super) object: Arc<K::Object>,
    /// Where it lives.
    pub(super) scope: Option<Scope>,
    /// What AWS says.
    pub(super) seen: Seen<K::State>,
    /// When AWS last answered.
    pub(super) told: Timestamp,
    /// What was found of what the object names in its namespace.
    pub(super) beside: Beside,
}

impl<K: Kind, P: KubePort<K>, A: AwsPort<K>> Engine<K, P, A> {
    /// Makes one pass over an object.
    pub(super) async fn pass(&self, id: &Id, urgency: Urgency) -> Outcome {
        let Some(object) = self.object(id) else { return Outcome::never(PassOutcome::Released) };
        // The lease came and went; whoever takes it next looks at everything.
        let Some(term) = self.leader_since() else { return Outcome::after(PassOutcome::Held, LAGGING) };
        let now = (self.parts().clock)();
        let pass = Pass { engine: self, id, urgency, now, term, uid: object.uid() };
        pass.begin(object).await.unwrap_or_else(|ended| ended)
    }
}

impl<K: Kind, P: KubePort<K>, A: AwsPort<K>> Pass<'_, K, P, A> {
    async fn begin(&self, object: Arc<K::Object>) -> Result<Outcome, Outcome> {
        let deleting = object.meta().deletion_timestamp.is_some();
        let guarded = object.finalizers().iter().any(|f| f == FINALIZER);
        let paused = object.annotations().get(PAUSED).is_some_and(|value| value == "true");
        if deleting && !guarded {
            return Err(Outcome::never(PassOutcome::Released));
        }
        let hold = self.memory(|memory| {
            memory.looked = Some(self.now);
            memory.hold.map(Hold::left).filter(|left| !left.is_zero())
        });
        if let Some(left) = hold {
            let known = match K::secret(&object).is_some() && guarded {
                true => self.known(object),
                false => None,
            };
            return match known {
                Some(known) => self.keep_while_aws_rests(known, left).await,
                None => Err(Outcome::after(PassOutcome::Held, left)),
            };
        }
        // Whoever waits for the first list of another kind is asked for when that is complete; the wait is for what was
        // forgotten.
        let waits = || Outcome::after(PassOutcome::Held, LAG);
        self.known(Arc::clone(&object)).ok_or_else(waits)?;
        let object = match (guarded, paused) {
            (true, _) | (false, true) => object,
            (false, false) => self.write(KubeEffect::Guard(object)).await?,
        };
        let known = self.known(object).ok_or_else(waits)?;
        self.decide(known).await
    }

    /// What is known before AWS is looked at; `None` while the object's neighbours cannot be known.
    fn known(&self, object: Arc<K::Object>) -> Option<Known<K>> {
        let objects = match self.faces(K::rests_on(&object)) {
            Some(faces) => faces,
            // What goes does not wait for neighbours that nobody can list.
            None if object.meta().deletion_timestamp.is_some() => BTreeMap::new(),
            None => return None,
        };
        let secrets = &self.engine.secrets;
        let secret = K::secret(&object).map(|name| secrets.seen(&self.id.namespace, &name)).unwrap_or_default();
        let secret_failure = self.memory(|memory| memory.secret_failure.clone());
        let beside = Beside { objects, keys: BTreeMap::new(), secret, secret_failure };
        Some(Known { object, scope: None, seen: Seen::NotLooked, told: self.now, beside })
    }

    /// AWS is left alone for so long; what is to be done at the API server alone, such as the end of a Secret, or what an
    /// Account has stopped to allow, is not put off.
    async fn keep_while_aws_rests(&self, mut known: Known<K>, left: Duration) -> Result<Outcome, Outcome> {
        self.look_by_name(&mut known).await;
        if let Some(plan) = without_aws(self.plan(&known)) {
            return self.act(known, plan).await;
        }
        match self.before_its_end(&known.object, self.engine.parts().aws.scope(&known.object)).await? {
            Some(Ok(scope)) => known.scope = Some(scope),
            Some(Err(ScopeError::NotAllowed(refusal))) => known.seen = Seen::NotAllowed(refusal.to_string()),
            Some(Err(ScopeError::Aws(_))) | None => {}
        }
        match without_aws(self.plan(&known)) {
            Some(plan) => self.act(known, plan).await,
            None => Err(Outcome::after(PassOutcome::Held, left)),
        }
    }

    /// Whoever says that a Secret is gone, and had said that it was there, has looked for it by its name: the watch shows only
    /// what has our label.
    async fn look_by_name(&self, known: &mut Known<K>) {
        let leaves =
            known.object.meta().deletion_timestamp.is_some() || K::ends(&known.object).is_some_and(|at| at <= self.now);
        if leaves && K::shows_secret(&known.object) {
            self.name_is_taken(known).await;
        }
    }

    /// Plans, and looks at AWS for as long as the plan asks for it; then does what the plan says.
    async fn decide(&self, mut known: Known<K>) -> Result<Outcome, Outcome> {
        self.look_by_name(&mut known).await;
        let mut plan = self.plan(&known);
        let mut name_looked_at = false;
        for _ in 0..LOOKS {
            let Next::Look(looks) = plan.next else { break };
            // Nobody asks AWS for what cannot be kept: the watch shows only Secrets with our label.
            if !looks.is_empty()
                && !std::mem::replace(&mut name_looked_at, true)
                && self.name_is_taken(&mut known).await
            {
                plan = self.plan(&known);
                continue;
            }
            self.read_keys(&known.object, &looks, &mut known.beside.keys).await;
            let not_before = self.not_before(&looks);
            (known.scope, known.seen) = self.observe(&known.object, &looks, not_before).await?;
            known.told = (self.engine.parts().clock)();
            plan = self.plan(&known);
        }
        self.act(known, plan).await
    }

    /// Does what the plan says.
    async fn act(&self, known: Known<K>, plan: Plan<K>) -> Result<Outcome, Outcome> {
        let Plan { next, status, news } = plan;
        match next {
            Next::Send(call) => self.carry_out(known, call, status, news).await,
            Next::Keep(write) => self.keep_secret(known, *write, status, news).await,
            Next::Wait(wait) => self.wait(&known, wait, status, news).await,
            Next::Settled(at) => self.settle(&known, at, status, news).await,
            Next::Release => self.release(&known, news).await,
            Next::Look(_) => {
                warn!(kind = K::NAME, object = %self.id, "the plan asks to look again and again");
                Err(Outcome::after(PassOutcome::Failed, LAG))
            }
        }
    }

    pub(super) fn plan(&self, known: &Known<K>) -> Plan<K> {
        let (object, scope, seen) = (&*known.object, &known.scope, &known.seen);
        let (failure, last_write, answered) = self.memory(|memory| {
            let failure = match seen {
                Seen::Unknown => &memory.read_failure,
                Seen::NotLooked | Seen::NotAllowed(_) | Seen::Found(_) => &memory.write_failure,
            };
            (failure.clone(), memory.last_write, memory.answered.clone())
        });
        let quiet_since = last_write.map_or(self.term, |at| at.max(self.term));
        let (scope, failure, answered) = (scope.as_ref(), failure.as_ref(), answered.as_slice());
        let beside = &known.beside;
        let input = Input { now: self.now, object, scope, seen, failure, quiet_since, answered, beside };
        let plan = K::plan(&input);
        let annotations = object.annotations();
        match annotations.get(PAUSED).map(String::as_str) {
            Some("true") => plan,
            Some(_) | None => {
                let requested = annotations.get(RECONCILE_REQUESTED_AT).cloned();
                Plan { status: plan.status.with_last_handled(requested), ..plan }
            }
        }
    }

    /// Whether there is a Secret of the name, which the watch does not show, where one is to be made.
    async fn name_is_taken(&self, known: &mut Known<K>) -> bool {
        let Some(name) = K::secret(&known.object).filter(|_| known.beside.secret == SecretSeen::Absent) else {
            return false;
        };
        let Some(facts) = self.engine.find_secret(&self.id.namespace, &name).await else { return false };
        known.beside.secret = SecretSeen::There(facts);
        true
    }

    /// A routine look may share a read that is up to half its own interval old; nothing older than our last write, and what
    /// more than a look may follow from is fresh.
    fn not_before(&self, looks: &BTreeSet<K::Look>) -> Timestamp {
        let (waited, demanded, last_write) = self.memory(|m| (m.waited, m.not_before, m.last_write));
        let slack = match (looks.is_empty(), waited.is_zero()) {
            (false, _) => FRESH,
            (true, true) => self.engine.parts().settings.resync / 2,
            (true, false) => waited / 2,
        };
        let oldest = self.now.checked_sub(slack).unwrap_or(self.now);
        [demanded, last_write].into_iter().flatten().fold(oldest, Timestamp::max)
    }

    /// Makes the one AWS write that the plan asks for, if nothing changed meanwhile.
    async fn carry_out(
        &self,
        known: Known<K>,
        call: K::Call,
        status: K::Status,
        news: Vec<News>,
    ) -> Result<Outcome, Outcome> {
        let Some(scope) = &known.scope else { return Err(Outcome::after(PassOutcome::Failed, LAG)) };
        if let Some(wait) = self.lagging(&call) {
            return Err(Outcome::after(PassOutcome::Waiting, wait));
        }
        let fresh = self.still_so(&known, status, call.creates()).await?;
        match self.send(scope, &call, &fresh).await {
            Ok(()) => {
                self.tell(&fresh, news);
                Ok(Outcome::now(PassOutcome::Sent))
            }
            Err(refusal) => {
                // What the refusal means for the status is the planner's to say.
                let known = Known { object: fresh, ..known };
                let Plan { next, status, news } = self.plan(&known);
                self.show(&known, status).await?;
                let other = match next {
                    Next::Send(next) => next != call,
                    Next::Keep(_) | Next::Wait(_) | Next::Settled(_) | Next::Release => {
                        self.tell(&known.object, news);
                        false
                    }
                    Next::Look(_) => false,
                };
                // What AWS refused for good it need not be spared for; twice in a row, and it is spared all the same.
                if other && refusal.class.is_final() && self.memory(|m| m.failures == 1) {
                    self.memory(|m| m.hold = None);
                    return Err(Outcome::now(PassOutcome::Failed));
                }
                Err(Outcome::after(PassOutcome::Failed, refusal.wait))
            }
        }
    }

    /// The object as the API server itself has it, if nothing changed since it was planned for. Stamps are written before
    /// anything is sent; otherwise the object is read again.
    async fn still_so(&self, known: &Known<K>, status: K::Status, creates: bool) -> Result<Arc<K::Object>, Outcome> {
        if self.outdated(known) {
            return Err(Outcome::now(PassOutcome::Held));
        }
        let stamped =
            known.object.status().is_some_and(|s| s.same_stamps(&status) && s.last_handled() == status.last_handled())
                || !differs(&*known.object, &status);
        let fresh = match stamped {
            true => self.read_again().await?,
            false => self.report(&known.object, status).await?,
        };
        match self.outdated(known) || !same_wish::<K>(&known.object, &fresh) {
            true => {
                // A create that was announced and is not sent after all would be waited for until its absence is certain.
                if let Some(before) = known.object.status().filter(|_| creates && !stamped) {
                    self.report(&fresh, before.clone()).await?;
                }
                Err(Outcome::now(PassOutcome::Held))
            }
            false => Ok(fresh),
        }
    }

    /// Whether what was planned for is too old, or something that the object rests on is another by now.
    fn outdated(&self, known: &Known<K>) -> bool {
        let old = (self.engine.parts().clock)().duration_since(known.told).unsigned_abs() > STALE;
        old || self.faces(known.beside.objects.keys().cloned()).is_none_or(|now| now != known.beside.objects)
    }

    /// Makes the one write to the object's Secret that the plan asks for, if nothing changed meanwhile.
    async fn keep_secret(
        &self,
        known: Known<K>,
        write: SecretWrite,
        status: K::Status,
        news: Vec<News>,
    ) -> Result<Outcome, Outcome> {
        let fresh = match self.still_so(&known, status, false).await {
            Ok(fresh) => fresh,
            Err(outcome) => {
                // What could not be written down before the Secret counts as a Secret that could not be written: nobody asks
                // AWS for credentials again and again that cannot be kept.
                if outcome.what == PassOutcome::Failed {
                    self.remember_secret(&write, SecretRefusal::Unavailable, "no answer from the API server".into());
                }
                return Err(outcome);
            }
        };
        // What AWS, or the API server, took long to answer must not come after the end.
        let over = K::ends(&fresh).is_some_and(|at| at <= (self.engine.parts().clock)());
        match write.verb() {
            SecretVerb::Create | SecretVerb::Replace if over => return Err(Outcome::now(PassOutcome::Held)),
            SecretVerb::Create | SecretVerb::Replace | SecretVerb::Delete => {}
        }
        let namespace = &self.id.namespace;
        match self.engine.perform_secret(namespace, Some(&*fresh), &write).await {
            Ok(facts) => {
                info!(kind = K::NAME, object = %self.id, secret = write.name(), "{:?} secret", write.verb());
                self.engine.secrets.learn(namespace, write.name(), facts);
                self.memory(|memory| memory.secret_failure = None);
                self.tell(&fresh, news);
                Ok(Outcome::now(PassOutcome::Sent))
            }
            Err(error) => {
                info!(kind = K::NAME, object = %self.id, secret = write.name(), why = ?error.why, "{:?} secret: {error}", write.verb());
                let wait = match error.why {
                    // The watch brings what it is now; this is for when it does not.
                    SecretRefusal::Conflict => Duration::from_secs(1),
                    SecretRefusal::Unavailable => Duration::from_secs(2),
                    SecretRefusal::Taken | SecretRefusal::Denied | SecretRefusal::Refused => LAG,
                };
                let failure = self.remember_secret(&write, error.why, error.message);
                // What the refusal means for the status is the planner's to say.
                let beside = Beside { secret_failure: Some(failure), ..known.beside };
                let known = Known { object: fresh, beside, ..known };
                let Plan { status, news, .. } = self.plan(&known);
                self.show(&known, status).await?;
                self.tell(&known.object, news);
                Err(Outcome::after(PassOutcome::Failed, wait))
            }
        }
    }

    /// Remembers that a Secret could not be written.
    fn remember_secret(&self, write: &SecretWrite, why: SecretRefusal, message: String) -> SecretFailure {
        let (verb, at) = (write.verb(), (self.engine.parts().clock)());
        self.memory(|memory| {
            let before = memory.secret_failure.take().filter(|before| before.why == why);
            let times = before.map_or(1, |before| before.times.saturating_add(1));
            memory.secret_failure.insert(SecretFailure { verb, why, message, at, times }).clone()
        })
    }

    async fn wait(
        &self,
        known: &Known<K>,
        wait: Duration,
        status: K::Status,
        news: Vec<News>,
    ) -> Result<Outcome, Outcome> {
        let held = self.memory(|memory| {
            memory.waited = wait;
            memory.panics = 0;
            if memory.write_failure.is_none() && memory.read_failure.is_none() {
                memory.failures = 0;
            }
            memory.hold
        });
        self.show(known, status).await?;
        self.tell(&known.object, news);
        Ok(match (&known.seen, held) {
            // AWS could not be read: tried again as soon as it may be.
            (Seen::Unknown, Some(hold)) => Outcome::after(PassOutcome::Failed, hold.left()),
            (Seen::Unknown, None) => Outcome::after(PassOutcome::Failed, wait),
            (Seen::NotLooked | Seen::NotAllowed(_) | Seen::Found(_), _) => Outcome::after(PassOutcome::Waiting, wait),
        })
    }

    async fn settle(
        &self,
        known: &Known<K>,
        at: Option<Timestamp>,
        status: K::Status,
        news: Vec<News>,
    ) -> Result<Outcome, Outcome> {
        self.memory(|memory| {
            memory.waited = Duration::ZERO;
            memory.not_before = None;
            memory.panics = 0;
            memory.failures = 0;
        });
        self.show(known, status).await?;
        self.tell(&known.object, news);
        let at_latest = at.map(|at| at.duration_since(self.now)).filter(|d| d.is_positive()).map(|d| d.unsigned_abs());
        Ok(Outcome { what: PassOutcome::Settled, again: Again::Resync { at_latest } })
    }

    async fn release(&self, known: &Known<K>, news: Vec<News>) -> Result<Outcome, Outcome> {
        self.write(KubeEffect::Release(Arc::clone(&known.object))).await?;
        info!(kind = K::NAME, object = %self.id, "released");
        self.tell(&known.object, news);
        Ok(Outcome::never(PassOutcome::Released))
    }

    /// Writes the status if it differs in more than counts that were shown lately.
    async fn show(&self, known: &Known<K>, status: K::Status) -> Result<(), Outcome> {
        if differs(&*known.object, &status) && !self.counts_only(&known.object, &status) {
            self.report(&known.object, status).await?;
        }
        Ok(())
    }

    fn counts_only(&self, object: &K::Object, status: &K::Status) -> bool {
        let Some(shown) = object.status() else { return false };
        let reported = self.memory(|memory| memory.reported);
        let lately = reported.is_some_and(|at| self.now.duration_since(at).unsigned_abs() < COUNTS);
        lately && status.clone().with_counts_of(shown) == *shown
    }

    /// How long until AWS is looked at again, where exactly this write was answered a moment ago and its reads do not show
    /// it yet: each look costs requests, so 2 s, 4 s, 8 s, and last at the end of [`LAG`].
    fn lagging(&self, call: &K::Call) -> Option<Duration> {
        let call = call.without_secrets();
        self.memory(|memory| {
            let at = memory.answered.iter().find(|answered| answered.call == call)?.at;
            let left = LAG.checked_sub(self.now.duration_since(at).unsigned_abs()).filter(|left| !left.is_zero())?;
            let wait = LAGGING * 2u32.pow(memory.lagged.min(4));
            memory.lagged = memory.lagged.saturating_add(1);
            Some(wait.min(left))
        })
    }

    /// What the object's neighbours show; `None` while a kind of theirs has not been listed.
    fn faces(&self, of: impl IntoIterator<Item = Neighbour>) -> Option<BTreeMap<Neighbour, Option<Face>>> {
        self.engine.parts().neighbourhood.faces(&self.id.namespace, of)
    }

    fn tell(&self, about: &K::Object, news: Vec<News>) {
        for news in news {
            self.engine.parts().herald.tell(&about.object_ref(&()), news);
        }
    }

    pub(super) fn memory<T>(&self, change: impl FnOnce(&mut Memory<K>) -> T) -> T {
        self.engine.with_memory(self.id, self.uid.as_deref(), change)
    }
}

/// The plan, if AWS is not needed for it.
fn without_aws<K: Kind>(plan: Plan<K>) -> Option<Plan<K>> {
    match plan.next {
        Next::Look(_) | Next::Send(_) => None,
        Next::Keep(_) | Next::Wait(_) | Next::Settled(_) | Next::Release => Some(plan),
    }
}

fn differs<O: HasStatus>(object: &O, status: &O::Status) -> bool
where
    O::Status: PartialEq,
{
    object.status() != Some(status)
}

/// Whether the object still says what was planned for. Pausing raises no generation, and holds everything.
fn same_wish<K: Kind>(planned: &K::Object, fresh: &K::Object) -> bool {
    let paused = |object: &K::Object| object.annotations().get(PAUSED).cloned();
    let same_pause = paused(planned) == paused(fresh);
    let (planned, fresh) = (planned.meta(), fresh.meta());
    planned.uid == fresh.uid
        && planned.generation == fresh.generation
        && planned.deletion_timestamp.is_some() == fresh.deletion_timestamp.is_some()
        && same_pause
}
