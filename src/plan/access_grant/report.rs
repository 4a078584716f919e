//! The status of a grant: while it lasts, and when it is over.

use super::decide::Pass;
use super::earlier;
use super::standing::{self, Standing};
use super::term;
use crate::api::access_grant::{AccessGrantStatus, EndReason};
use crate::plan::conditions::{self, Fact, bounded};
use crate::plan::reason::{Stall, Verdict, Waiting};
use crate::plan::report::{WORDS, generation};
use crate::plan::secret::{SecretFacts, SecretFailure, SecretRefusal};
use crate::plan::{Next, Plan};

use super::GrantKind;

impl Pass<'_> {
    pub(super) fn said(&self) -> String {
        format!("Secret {} has credentials that work", self.secret)
    }

    /// The status of a grant that lasts.
    pub(super) fn status(
        &self,
        standing: &Standing,
        facts: Option<&SecretFacts>,
        verdict: Verdict,
    ) -> AccessGrantStatus {
        let (object, before) = (self.input.object, earlier(self.input.object));
        let verdict = match verdict {
            Verdict::Working(why, text) => Verdict::Working(why, bounded(&text, WORDS)),
            Verdict::Stalled(why, text) => Verdict::Stalled(why, bounded(&text, WORDS)),
            ready @ Verdict::Ready(_) => ready,
        };
        let available = match standing.works() {
            true => Fact::yes("Available", self.said()),
            false => Fact::no(verdict.reason(), verdict.message()),
        };
        let synced = match (standing.works(), &verdict) {
            (true, Verdict::Ready(_)) => Fact::yes("Synced", "the Secret is as the grant wants it"),
            (_, _) => Fact::no(verdict.reason(), verdict.message()),
        };
        let generation = generation(object);
        let all = conditions::conditions(&before.conditions, generation, self.input.now, &verdict, available, synced);
        AccessGrantStatus {
            conditions: all,
            secret_name: facts.map(|_| self.secret.clone()),
            credential_expires_at: facts.and_then(standing::expires_at),
            ..self.always()
        }
    }

    /// It is over, and its Secret is gone.
    pub(super) fn ended(&self, why: EndReason) -> Plan<GrantKind> {
        let before = earlier(self.input.object);
        let text = match why {
            EndReason::Expired => "the time of the grant is over; its Secret is gone",
            EndReason::TargetGone => "what the grant opened is gone; its Secret is gone",
        };
        let fact = Fact::yes(why.to_string(), text);
        let all = conditions::ended(&before.conditions, generation(self.input.object), self.input.now, fact);
        let status = AccessGrantStatus {
            conditions: all,
            // How long what was handed out may live on.
            credential_expires_at: before.credential_expires_at,
            ..self.always()
        };
        Plan { next: Next::Settled(None), status, news: Vec::new() }
    }

    fn always(&self) -> AccessGrantStatus {
        let (object, before) = (self.input.object, earlier(self.input.object));
        AccessGrantStatus {
            observed_generation: generation(object),
            last_handled_reconcile_at: before.last_handled_reconcile_at.clone(),
            conditions: Vec::new(),
            arn: self.arn.clone(),
            target: Some(term::target(object)),
            starts_at: self.term.map(|term| term.start),
            ends_at: self.term.map(|term| term.end),
            secret_name: None,
            credential_expires_at: None,
            internal: self.internal.clone(),
        }
    }
}

/// What a refused write to the Secret says.
pub(super) fn refusal(failure: &SecretFailure, name: &str) -> Verdict {
    let words = bounded(&failure.message, WORDS / 2);
    match failure.why {
        SecretRefusal::Taken => Verdict::Stalled(Stall::SecretNotOwned, taken(name)),
        SecretRefusal::Denied => {
            let text = format!("the operator may not keep Secrets in this namespace: {words}");
            Verdict::Stalled(Stall::SecretsNotPermitted, text)
        }
        SecretRefusal::Refused => {
            Verdict::Working(Waiting::SecretNotWritten, format!("Secret {name} is not taken: {words}"))
        }
        SecretRefusal::Conflict | SecretRefusal::Unavailable => {
            Verdict::Working(Waiting::SecretNotWritten, format!("Secret {name} could not be written: {words}"))
        }
    }
}

/// Why a name is not ours to write to.
pub(super) fn taken(name: &str) -> String {
    format!("a Secret {name} exists and is not this grant's: delete it, or choose another secret.name")
}
