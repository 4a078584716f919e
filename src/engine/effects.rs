//! What a pass does to the world, one effect at a time: each asks the lease, has a deadline, is numbered on the stage and
//! counted, and its failure is remembered.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::Resource;
use kube::core::object::HasStatus;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::aws::accounts::ScopeError;
use crate::aws::{Ask, AwsError, AwsPort};
use crate::plan::{Answered, Call, Class, Failure, KeyFound, KeyRef, Kind, Scope, Seen};
use crate::telemetry::labels::{Label, PassOutcome};

use super::memory::Hold;
use super::outcome::{Outcome, backoff};
use super::pass::Pass;
use super::port::{EffectName, KUBE_DEADLINE, KubeEffect, KubeError, KubeOutcome, KubePort};
use super::queue::CLOCK;

/// How long an AWS read may take: a full list has many pages, each with the request deadline of its own.
const OBSERVE_DEADLINE: Duration = Duration::from_secs(120);
/// A little more than the SDK's own operation timeout, which should come first.
const SEND_DEADLINE: Duration = Duration::from_secs(45);

/// How long until an object that the API server denied, and the watch still shows, is looked at again.
const GONE: Duration = Duration::from_secs(60);

/// AWS refused a write or did not answer.
pub(super) struct Refusal {
    pub(super) class: Class,
    /// How long AWS is left alone for it.
    pub(super) wait: Duration,
}

impl<K: Kind, P: KubePort<K>, A: AwsPort<K>> Pass<'_, K, P, A> {
    /// Reads AWS.
    pub(super) async fn observe(
        &self,
        object: &Arc<K::Object>,
        looks: &BTreeSet<K::Look>,
        not_before: Timestamp,
    ) -> Result<(Option<Scope>, Seen<K::State>), Outcome> {
        let aws = &self.engine.parts().aws;
        let read = async {
            let scope = aws.scope(object).await?;
            self.engine.lives_in(&scope);
            let ask = Ask { looks, not_before, urgency: self.urgency };
            let state = aws.observe(&scope, object, ask).await?;
            Ok::<_, ScopeError>((scope, state))
        };
        let timed = async {
            let late = || Err(ScopeError::Aws(AwsError::timeout("Describe", OBSERVE_DEADLINE)));
            Ok(self.before_its_end(object, read).await?.unwrap_or_else(late))
        };
        Ok(match self.engine.parts().stage.play(|| observe(looks), false, timed).await? {
            Ok((scope, state)) => {
                // What AWS was not asked for says nothing of what it refuses.
                if K::asks_aws(looks) {
                    self.memory(|memory| {
                        if let Some(failure) = memory.read_failure.take() {
                            memory.since.remove(&failure.operation);
                        }
                    });
                }
                (Some(scope), Seen::Found(state))
            }
            Err(ScopeError::Aws(error)) => {
                self.remember(object, None, &error);
                (None, Seen::Unknown)
            }
            Err(ScopeError::NotAllowed(refusal)) => (None, Seen::NotAllowed(refusal.to_string())),
        })
    }

    /// What AWS says by the deadline of a look, if it does. As soon as the object's Secret has to go the pass ends, and the
    /// next one begins with the Secret.
    pub(super) async fn before_its_end<T>(
        &self,
        object: &K::Object,
        look: impl Future<Output = T>,
    ) -> Result<Option<T>, Outcome> {
        let ends = |object: &K::Object| K::ends(object).is_some_and(|at| at <= (self.engine.parts().clock)());
        if K::secret(object).is_none() || ends(object) {
            return Ok(tokio::time::timeout(OBSERVE_DEADLINE, look).await.ok());
        }
        let (mut look, late) = (std::pin::pin!(look), Instant::now() + OBSERVE_DEADLINE);
        while Instant::now() < late {
            if let Ok(said) = tokio::time::timeout(CLOCK, &mut look).await {
                return Ok(Some(said));
            }
            if self.engine.object(self.id).is_none_or(|now| ends(&now)) {
                return Err(Outcome::now(PassOutcome::Held));
            }
        }
        Ok(None)
    }

    /// Makes one AWS write.
    pub(super) async fn send(&self, scope: &Scope, call: &K::Call, object: &Arc<K::Object>) -> Result<(), Refusal> {
        let operation = call.operation();
        let parts = self.engine.parts();
        let sent = async {
            if !self.leads() {
                return Err(AwsError::no_lease(operation));
            }
            match tokio::time::timeout(SEND_DEADLINE, parts.aws.send(scope, call, self.urgency)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(AwsError::timeout(operation, SEND_DEADLINE)),
            }
        };
        // Whatever becomes of this pass, AWS may have been told from here on.
        let before = self.memory(|memory| memory.last_write.replace((parts.clock)()));
        let outcome = parts.stage.play(|| format!("aws {operation}"), true, sent).await;
        let ended = (parts.clock)();
        match outcome {
            Ok(reply) => {
                info!(kind = K::NAME, object = %self.id, operation, request = reply.request_id.as_deref(), "sent");
                self.memory(|memory| {
                    memory.last_write = Some(ended);
                    memory.answered.retain(|answered| answered.call.operation() != operation);
                    memory.answered.insert(0, Answered { call: call.without_secrets(), at: ended });
                    memory.lagged = 0;
                    memory.write_failure = None;
                    memory.since.remove(operation);
                    memory.failures = 0;
                    memory.hold = None;
                    memory.not_before = Some(ended);
                    memory.waited = Duration::from_secs(1);
                });
                let status = object.status().cloned().unwrap_or_default();
                if let Some(status) = K::after(&status, call, &reply) {
                    // What does not get into the status now is seen in AWS by the next pass.
                    self.report(object, status).await.ok();
                }
                Ok(())
            }
            Err(error) => {
                info!(kind = K::NAME, object = %self.id, operation, code = %error.code, "refused or unanswered: {}", error.message);
                self.memory(|memory| {
                    // What was refused did not happen; what was not answered may have, until then.
                    memory.last_write = if error.class == Class::Unavailable { Some(ended) } else { before };
                    memory.not_before = Some(ended);
                });
                let wait = self.remember(object, Some(call), &error);
                Err(Refusal { class: error.class, wait })
            }
        }
    }

    /// Writes the whole status; the object as it is then.
    pub(super) async fn report(&self, object: &Arc<K::Object>, status: K::Status) -> Result<Arc<K::Object>, Outcome> {
        let written = self.write(KubeEffect::Report(Arc::clone(object), Box::new(status))).await?;
        self.memory(|memory| memory.reported = Some(self.now));
        Ok(written)
    }

    /// Writes to the API server; the object as it is then.
    pub(super) async fn write(&self, effect: KubeEffect<K>) -> Result<Arc<K::Object>, Outcome> {
        self.kept(self.perform(effect).await)
    }

    /// The object as the API server itself has it now.
    pub(super) async fn read_again(&self) -> Result<Arc<K::Object>, Outcome> {
        self.kept(self.perform(KubeEffect::Read(self.id.clone())).await)
    }

    fn kept(&self, outcome: Result<Option<Arc<K::Object>>, KubeError>) -> Result<Arc<K::Object>, Outcome> {
        match outcome {
            Ok(Some(object)) => {
                self.engine.keep(self.id, &object);
                Ok(object)
            }
            // The watch takes out what is really gone.
            Ok(None) => Err(Outcome::after(PassOutcome::Released, GONE)),
            Err(error) => Err(self.trouble(&error)),
        }
    }

    /// Reads the keys that these looks ask for, each once in a pass.
    pub(super) async fn read_keys(
        &self,
        object: &Arc<K::Object>,
        looks: &BTreeSet<K::Look>,
        keys: &mut BTreeMap<KeyRef, KeyFound>,
    ) {
        for key in looks.iter().filter_map(|look| K::key(object, *look)) {
            if let Entry::Vacant(unread) = keys.entry(key.clone()) {
                unread.insert(self.read_key(&key).await);
            }
        }
    }

    async fn read_key(&self, key: &KeyRef) -> KeyFound {
        let parts = self.engine.parts();
        let act = async {
            let read = parts.kube.read_key(&self.id.namespace, key);
            tokio::time::timeout(KUBE_DEADLINE, read).await.unwrap_or(KeyFound::Unknown)
        };
        let name = EffectName::ReadKey;
        let found = parts.stage.play(|| format!("kube {}", name.label()), false, act).await;
        parts.metrics.kube_request(name, KubeOutcome::of_key(&found));
        found
    }

    async fn perform(&self, effect: KubeEffect<K>) -> Result<Option<Arc<K::Object>>, KubeError> {
        let (name, mutating) = (effect.name(), effect.mutating());
        let parts = self.engine.parts();
        let act = async {
            if mutating && !self.leads() {
                return Err(KubeError::NoLease);
            }
            match tokio::time::timeout(KUBE_DEADLINE, parts.kube.perform(effect)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(KubeError::Unavailable("deadline exceeded".into())),
            }
        };
        let outcome = parts.stage.play(|| format!("kube {}", name.label()), mutating, act).await;
        parts.metrics.kube_request(name, KubeOutcome::of(&outcome));
        outcome
    }

    /// Whether this process still holds the lease under which this pass began.
    fn leads(&self) -> bool {
        self.engine.parts().leave.granted() && self.engine.leader_since() == Some(self.term)
    }

    fn trouble(&self, error: &KubeError) -> Outcome {
        let wait = match error {
            // The watch brings the newer object; this is for when it does not.
            KubeError::Conflict => Duration::from_millis(200),
            KubeError::Gone => GONE,
            KubeError::Refused(_) => Duration::from_secs(30),
            KubeError::Unavailable(_) | KubeError::NoLease => Duration::from_secs(2),
        };
        match error {
            KubeError::Conflict | KubeError::Gone => debug!(kind = K::NAME, object = %self.id, %error, "held"),
            KubeError::Refused(_) | KubeError::Unavailable(_) | KubeError::NoLease => {
                warn!(kind = K::NAME, object = %self.id, %error, "could not write to the API server");
            }
        }
        Outcome::after(PassOutcome::Failed, wait)
    }

    /// Remembers a failure and says how long AWS is left alone for it.
    fn remember(&self, object: &Arc<K::Object>, call: Option<&K::Call>, error: &AwsError) -> Duration {
        let at = (self.engine.parts().clock)();
        let chance = (self.engine.parts().chance)();
        self.memory(|memory| {
            let before = if call.is_some() { &mut memory.write_failure } else { &mut memory.read_failure };
            let known = memory.since.get(error.operation).filter(|(code, _)| *code == error.code);
            let since = known.map_or(at, |(_, since)| *since);
            memory.since.insert(error.operation.to_owned(), (error.code.clone(), since));
            *before = Some(Failure {
                call: call.map(Call::without_secrets),
                operation: error.operation.to_owned(),
                class: error.class,
                code: error.code.clone(),
                message: error.message.clone(),
                generation: object.meta().generation.unwrap_or_default(),
                since,
                at,
            });
            memory.failures = memory.failures.saturating_add(1);
            let wait = backoff(error.class, memory.failures, chance);
            memory.hold = Some(Hold { until: Instant::now() + wait, ends_with_edit: error.class.is_final() });
            wait
        })
    }
}

/// The name of a look: what it looks for beside what every look shows.
fn observe(looks: &BTreeSet<impl Debug>) -> String {
    looks.iter().fold("aws observe".to_owned(), |name, look| format!("{name} {look:?}"))
}
