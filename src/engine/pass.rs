//! One pass: observe, plan, report, send. Then look again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::core::object::HasStatus;
use kube::{Resource, ResourceExt};
use tracing::{debug, info, warn};

use crate::api::{FINALIZER, PAUSED, RECONCILE_REQUESTED_AT};
use crate::aws::accounts::ScopeError;
use crate::aws::gate::Urgency;
use crate::aws::{Ask, AwsError, AwsPort};
use crate::plan::{Answered, Call, Class, Failure, Input, Kind, Next, Plan, Scope, Seen, Status};
use crate::telemetry::labels::{Label, PassOutcome};

use super::Engine;
use super::outcome::{Again, Outcome, backoff};
use super::port::{Id, KubeEffect, KubeError, KubeOutcome, KubePort};

/// How many times a plan may ask for more to look at: tags, image, sessions and one to spare.
const LOOKS: usize = 6;
/// How long an AWS read may take: a full list has many pages, each with the request deadline of its own.
const OBSERVE_DEADLINE: Duration = Duration::from_secs(120);
/// How long AWS's reads may lag behind a write that it answered, before the same write is thought to be needed again. No
/// number is published; other tools allow 10 to 30 s.
const LAG: Duration = Duration::from_secs(15);
/// Counts alone (in use, sessions) cause at most one status write in this long.
const COUNTS: Duration = Duration::from_secs(300);

impl<K: Kind, P: KubePort<K>, A: AwsPort<K>> Engine<K, P, A> {
    /// Makes one pass over an object.
    pub(super) async fn pass(&self, id: &Id, urgency: Urgency) -> Outcome {
        let Some(object) = self.object(id) else { return never(PassOutcome::Released) };
        let now = (self.parts().clock)();
        let deleting = object.meta().deletion_timestamp.is_some();
        let guarded = object.finalizers().iter().any(|f| f == FINALIZER);
        let paused = object.annotations().get(PAUSED).is_some_and(|value| value == "true");
        let requested = object.annotations().get(RECONCILE_REQUESTED_AT).cloned();
        if deleting && !guarded {
            return never(PassOutcome::Released);
        }
        self.with_memory(id, |memory| {
            // Somebody asks for a pass: what failed before is tried again at once.
            if memory.requested != requested {
                memory.requested.clone_from(&requested);
                memory.write_failure = None;
            }
        });
        if let Some(until) = self.with_memory(id, |m| m.backoff_until).filter(|until| *until > now) {
            return Outcome::after(PassOutcome::Held, until.duration_since(now).unsigned_abs());
        }
        match (guarded, paused) {
            (true, _) | (false, true) => self.look_and_plan(id, object, urgency, now).await,
            (false, false) => match self.write(id, KubeEffect::Guard(object)).await {
                Ok(Some(object)) => self.look_and_plan(id, object, urgency, now).await,
                Ok(None) => never(PassOutcome::Released),
                Err(outcome) => outcome,
            },
        }
    }

    /// Plans, and looks at AWS for as long as the plan asks for it.
    async fn look_and_plan(&self, id: &Id, object: Arc<K::Object>, urgency: Urgency, now: Timestamp) -> Outcome {
        let resync = self.parts().settings.resync;
        let (waited, not_before, last_write) = self.with_memory(id, |m| (m.waited, m.not_before, m.last_write));
        // A routine look may share a read that is up to half its own interval old; nothing older than our last write.
        let slack = if waited.is_zero() { resync / 2 } else { waited / 2 };
        let oldest = now.checked_sub(slack).unwrap_or(now);
        let not_before = [Some(oldest), not_before, last_write].into_iter().flatten().max().unwrap_or(now);
        let quiet_since = [self.leader_since(), last_write].into_iter().flatten().max().unwrap_or(now);

        let mut scope: Option<Scope> = None;
        let mut seen = Seen::NotLooked;
        let mut plan = self.plan(id, &object, scope.as_ref(), &seen, now, quiet_since);
        for _ in 0..LOOKS {
            let Next::Look(looks) = &plan.next else { break };
            (scope, seen) = self.observe(id, &object, looks, not_before, urgency).await;
            plan = self.plan(id, &object, scope.as_ref(), &seen, now, quiet_since);
        }
        self.act(id, object, scope, seen, plan, urgency, now, quiet_since).await
    }

    fn plan(
        &self,
        id: &Id,
        object: &K::Object,
        scope: Option<&Scope>,
        seen: &Seen<K::State>,
        now: Timestamp,
        quiet_since: Timestamp,
    ) -> Plan<K> {
        let failure = self.with_memory(id, |m| match seen {
            Seen::Unknown => m.read_failure.clone(),
            Seen::NotLooked | Seen::NotAllowed(_) | Seen::Found(_) => m.write_failure.clone(),
        });
        let sent = self.with_memory(id, |m| m.last_sent.clone());
        let answered = sent.map(|(call, at)| Answered { call, at });
        let (failure, answered) = (failure.as_ref(), answered.as_ref());
        let input = Input { now, object, scope, seen, failure, quiet_since, answered };
        let plan = K::plan(&input);
        let requested = object.annotations().get(RECONCILE_REQUESTED_AT).cloned();
        let status = match object.annotations().get(PAUSED).map(String::as_str) {
            Some("true") => plan.status,
            Some(_) | None => plan.status.with_last_handled(requested),
        };
        Plan { status, ..plan }
    }

    async fn observe(
        &self,
        id: &Id,
        object: &Arc<K::Object>,
        looks: &BTreeSet<K::Look>,
        not_before: Timestamp,
        urgency: Urgency,
    ) -> (Option<Scope>, Seen<K::State>) {
        let read = async {
            let scope = self.parts().aws.scope(object).await?;
            let ask = Ask { looks, not_before, urgency };
            let state = self.parts().aws.observe(&scope, object, ask).await?;
            Ok::<_, ScopeError>((scope, state))
        };
        let timed = async {
            match tokio::time::timeout(OBSERVE_DEADLINE, read).await {
                Ok(outcome) => outcome,
                Err(_) => Err(ScopeError::Aws(AwsError::timeout("Describe", OBSERVE_DEADLINE))),
            }
        };
        match self.parts().stage.play(|| "aws observe".into(), false, timed).await {
            Ok((scope, state)) => {
                self.with_memory(id, |m| m.read_failure = None);
                (Some(scope), Seen::Found(state))
            }
            Err(ScopeError::Aws(error)) => {
                self.remember(id, object, None, &error);
                (None, Seen::Unknown)
            }
            Err(error @ (ScopeError::NotAllowed(_) | ScopeError::AccountRequired | ScopeError::NoRegion)) => {
                (None, Seen::NotAllowed(error.to_string()))
            }
        }
    }

    /// Does what the plan says.
    #[allow(clippy::too_many_arguments)]
    async fn act(
        &self,
        id: &Id,
        object: Arc<K::Object>,
        scope: Option<Scope>,
        seen: Seen<K::State>,
        plan: Plan<K>,
        urgency: Urgency,
        now: Timestamp,
        quiet_since: Timestamp,
    ) -> Outcome {
        let failed = matches!(seen, Seen::Unknown);
        match plan.next {
            Next::Send(call) => {
                let Some(scope) = scope else { return Outcome::after(PassOutcome::Failed, LAG) };
                if let Some(wait) = self.lagging(id, &call, now) {
                    return Outcome::after(PassOutcome::Waiting, wait);
                }
                let stamped = object.status().is_some_and(|s| s.same_stamps(&plan.status));
                let fresh = match stamped || !self.differs(&object, &plan.status) {
                    true => self.read_again(id, &object).await,
                    false => self.write(id, KubeEffect::Report(Arc::clone(&object), Box::new(plan.status))).await,
                };
                let fresh = match fresh {
                    Ok(Some(fresh)) if same_wish::<K>(&object, &fresh) => fresh,
                    Ok(Some(_)) => return Outcome::now(PassOutcome::Held),
                    Ok(None) => return never(PassOutcome::Released),
                    Err(outcome) => return outcome,
                };
                match self.send(id, &scope, &call, urgency, &fresh).await {
                    Ok(after) => {
                        plan.news.into_iter().for_each(|news| self.parts().herald.tell(&fresh.object_ref(&()), news));
                        after
                    }
                    Err(wait) => {
                        // What the refusal means for the status is the planner's to say.
                        let plan = self.plan(id, &fresh, Some(&scope), &seen, now, quiet_since);
                        self.show(id, fresh, plan, now).await.unwrap_or(Outcome::after(PassOutcome::Failed, wait))
                    }
                }
            }
            Next::Wait(wait) => {
                let what = if failed { PassOutcome::Failed } else { PassOutcome::Waiting };
                self.with_memory(id, |m| m.waited = wait);
                let plan = Plan { next: Next::Wait(wait), ..plan };
                self.show(id, object, plan, now).await.unwrap_or(Outcome::after(what, wait))
            }
            Next::Settled(at) => {
                self.with_memory(id, |m| {
                    m.waited = Duration::ZERO;
                    m.panics = 0;
                    if !failed {
                        m.failures = 0;
                    }
                });
                let counts_only = self.counts_only(id, &object, &plan.status, now);
                let at_latest =
                    at.map(|at| at.duration_since(now)).filter(|d| d.is_positive()).map(|d| d.unsigned_abs());
                let settled = Outcome { what: PassOutcome::Settled, again: Again::Resync { at_latest } };
                let plan = Plan { next: Next::Settled(at), ..plan };
                if counts_only { settled } else { self.show(id, object, plan, now).await.unwrap_or(settled) }
            }
            Next::Release => match self.write(id, KubeEffect::Release(Arc::clone(&object))).await {
                Ok(_) => {
                    info!(kind = K::NAME, object = %id, "released");
                    plan.news.into_iter().for_each(|news| self.parts().herald.tell(&object.object_ref(&()), news));
                    never(PassOutcome::Released)
                }
                Err(outcome) => outcome,
            },
            Next::Look(_) => {
                warn!(kind = K::NAME, object = %id, "the plan asks to look again and again");
                Outcome::after(PassOutcome::Failed, LAG)
            }
        }
    }

    /// Writes the status if it differs, and says the news. `Some` when that did not work.
    async fn show(&self, id: &Id, object: Arc<K::Object>, plan: Plan<K>, now: Timestamp) -> Option<Outcome> {
        if self.differs(&object, &plan.status) {
            if let Err(outcome) = self.write(id, KubeEffect::Report(Arc::clone(&object), Box::new(plan.status))).await {
                return Some(outcome);
            }
            self.with_memory(id, |m| m.reported = Some(now));
        }
        // News of a write belongs to the write.
        if !matches!(plan.next, Next::Send(_)) {
            plan.news.into_iter().for_each(|news| self.parts().herald.tell(&object.object_ref(&()), news));
        }
        None
    }

    fn differs(&self, object: &K::Object, status: &K::Status) -> bool {
        object.status() != Some(status)
    }

    fn counts_only(&self, id: &Id, object: &K::Object, status: &K::Status, now: Timestamp) -> bool {
        let Some(shown) = object.status() else { return false };
        let recent =
            self.with_memory(id, |m| m.reported).is_some_and(|at| now.duration_since(at).unsigned_abs() < COUNTS);
        recent && shown != status && status.clone().with_counts_of(shown) == *shown
    }

    /// How long to wait, if exactly this write was answered a moment ago and AWS's reads do not show it yet.
    fn lagging(&self, id: &Id, call: &K::Call, now: Timestamp) -> Option<Duration> {
        self.with_memory(id, |m| match &m.last_sent {
            Some((sent, at)) if sent == call && now.duration_since(*at).unsigned_abs() < LAG => {
                Some(Duration::from_secs(1))
            }
            Some(_) | None => None,
        })
    }

    /// The object as the API server itself has it now.
    async fn read_again(&self, id: &Id, object: &Arc<K::Object>) -> Result<Option<Arc<K::Object>>, Outcome> {
        let fresh = self.perform(KubeEffect::Read(Id::of(object.as_ref()))).await;
        fresh.map_err(|error| self.trouble(id, &error))
    }

    async fn write(&self, id: &Id, effect: KubeEffect<K>) -> Result<Option<Arc<K::Object>>, Outcome> {
        match self.perform(effect).await {
            Ok(object) => {
                if let Some(object) = &object {
                    self.keep(Arc::clone(object));
                }
                Ok(object)
            }
            Err(error) => Err(self.trouble(id, &error)),
        }
    }

    async fn perform(&self, effect: KubeEffect<K>) -> Result<Option<Arc<K::Object>>, KubeError> {
        let (name, mutating) = (effect.name(), effect.mutating());
        let act = async {
            if mutating && !self.parts().leave.granted() {
                return Err(KubeError::NoLease);
            }
            match tokio::time::timeout(super::port::KUBE_DEADLINE, self.parts().kube.perform(effect)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(KubeError::Unavailable("deadline exceeded".into())),
            }
        };
        let outcome = self.parts().stage.play(|| format!("kube {}", name.label()), mutating, act).await;
        self.parts().metrics.kube_request(name, KubeOutcome::of(&outcome));
        outcome
    }

    fn trouble(&self, id: &Id, error: &KubeError) -> Outcome {
        let wait = match error {
            // The watch brings the newer object; this is for when it does not.
            KubeError::Conflict => Duration::from_millis(200),
            KubeError::Gone => return never(PassOutcome::Released),
            KubeError::Refused(_) => Duration::from_secs(30),
            KubeError::Unavailable(_) | KubeError::NoLease => Duration::from_secs(2),
        };
        match error {
            KubeError::Conflict | KubeError::Gone => debug!(kind = K::NAME, object = %id, %error, "held"),
            KubeError::Refused(_) | KubeError::Unavailable(_) | KubeError::NoLease => {
                warn!(kind = K::NAME, object = %id, %error, "could not write to the API server");
            }
        }
        Outcome::after(PassOutcome::Failed, wait)
    }

    /// Makes one AWS write. `Err` says how long AWS is left alone.
    async fn send(
        &self,
        id: &Id,
        scope: &Scope,
        call: &K::Call,
        urgency: Urgency,
        object: &Arc<K::Object>,
    ) -> Result<Outcome, Duration> {
        let operation = call.operation();
        let sent = async {
            if !self.parts().leave.granted() {
                return Err(AwsError::no_lease(operation));
            }
            match tokio::time::timeout(SEND_DEADLINE, self.parts().aws.send(scope, call, urgency)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(AwsError::timeout(operation, SEND_DEADLINE)),
            }
        };
        let outcome = self.parts().stage.play(|| format!("aws {operation}"), true, sent).await;
        let ended = (self.parts().clock)();
        match outcome {
            Ok(reply) => {
                info!(kind = K::NAME, object = %id, operation, request = reply.request_id.as_deref(), "sent");
                self.with_memory(id, |m| {
                    m.last_write = Some(ended);
                    m.last_sent = Some((call.clone(), ended));
                    m.write_failure = None;
                    m.failures = 0;
                    m.backoff_until = None;
                    m.not_before = Some(ended);
                    m.waited = Duration::from_secs(1);
                });
                let status = object.status().cloned().unwrap_or_default();
                if let Some(status) = K::after(&status, call, &reply) {
                    self.write(id, KubeEffect::Report(Arc::clone(object), Box::new(status))).await.ok();
                }
                Ok(Outcome::now(PassOutcome::Sent))
            }
            Err(error) => {
                info!(kind = K::NAME, object = %id, operation, code = %error.code, "refused or unanswered: {}", error.message);
                self.with_memory(id, |m| {
                    // What was refused did not happen; what was not answered may have, until then.
                    if error.class == Class::Unavailable {
                        m.last_write = Some(ended);
                    }
                    m.not_before = Some(ended);
                });
                Err(self.remember(id, object, Some(call), &error))
            }
        }
    }

    /// Remembers a failure and says how long AWS is left alone for it.
    fn remember(&self, id: &Id, object: &Arc<K::Object>, call: Option<&K::Call>, error: &AwsError) -> Duration {
        let at = (self.parts().clock)();
        let chance = (self.parts().chance)();
        self.with_memory(id, |m| {
            let before = if call.is_some() { &mut m.write_failure } else { &mut m.read_failure };
            let since = before
                .as_ref()
                .filter(|f| f.operation == error.operation && f.code == error.code)
                .map_or(at, |f| f.since);
            *before = Some(Failure {
                call: call.cloned(),
                operation: error.operation.to_owned(),
                class: error.class,
                code: error.code.clone(),
                message: error.message.clone(),
                generation: object.meta().generation.unwrap_or_default(),
                since,
                at,
            });
            m.failures = m.failures.saturating_add(1);
            let wait = backoff(error.class, m.failures, chance);
            m.backoff_until = at.checked_add(wait).ok();
            wait
        })
    }
}

/// A little more than the SDK's own operation timeout, which should come first.
const SEND_DEADLINE: Duration = Duration::from_secs(45);

/// Whether the object still says what was planned for.
fn same_wish<K: Kind>(planned: &K::Object, fresh: &K::Object) -> bool {
    let (planned, fresh) = (planned.meta(), fresh.meta());
    planned.uid == fresh.uid
        && planned.generation == fresh.generation
        && planned.deletion_timestamp.is_some() == fresh.deletion_timestamp.is_some()
}

fn never(what: PassOutcome) -> Outcome {
    Outcome { what, again: Again::Never }
}
