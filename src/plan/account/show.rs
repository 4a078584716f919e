//! What an Account's status shows: a pure function of the object, the others, and what AWS last said of its identity.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::Entry;
use crate::api::{Account, AccountStatus};
use crate::plan::Class;
use crate::plan::conditions::{Fact, condition};
use crate::plan::reason::{Stall, Verdict, Waiting};

/// How long AWS refuses an identity before only a person can help: as for every kind.
const TEN_MINUTES: Duration = Duration::from_secs(600);

/// What AWS last said of an Account's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is this one.
    Caller {
        /// The 12-digit account.
        account_id: String,
        /// Its ARN.
        arn: String,
    },
    /// It could not be told.
    Refused {
        /// What kind of failure it was.
        class: Class,
        /// AWS's code and words.
        text: String,
        /// Since when it fails like that.
        since: Timestamp,
    },
}

/// The status of an Account. `others` are the other Accounts that say that they are the default, if it says so itself.
pub fn status(account: &Account, others: &[&str], found: &Found, now: Timestamp) -> AccountStatus {
    let earlier = account.status.clone().unwrap_or_default();
    let generation = account.metadata.generation.unwrap_or_default();
    let verdict = verdict(account, others, found, now);
    let conditions = conditions(&earlier.conditions, generation, now, &verdict);
    let (account_id, caller_arn) = match found {
        Found::Caller { account_id, arn } => (Some(account_id.clone()), Some(arn.clone())),
        Found::Refused { .. } => (earlier.account_id, earlier.caller_arn),
    };
    AccountStatus { observed_generation: generation, conditions, account_id, caller_arn }
}

fn verdict(account: &Account, others: &[&str], found: &Found, now: Timestamp) -> Verdict {
    let entry = Entry::of(account);
    if !others.is_empty() {
        let text = format!(
            "Account {} says default: true too: leave it at one of them; until then, objects that name no account live nowhere",
            others.join(", ")
        );
        return Verdict::Stalled(Stall::DefaultConflict, text);
    }
    match found {
        Found::Caller { account_id, .. } => match entry.mismatch(account_id) {
            Some(refusal) => Verdict::Stalled(Stall::AccountMismatch, refusal.to_string()),
            None => Verdict::Ready(available(account, account_id)),
        },
        Found::Refused { class, text, since } => {
            let long = now.duration_since(*since).unsigned_abs() >= TEN_MINUTES;
            match class {
                Class::AccessDenied if long => Verdict::Stalled(Stall::AccessDenied, text.clone()),
                Class::AccessDenied => Verdict::Working(Waiting::AccessDenied, text.clone()),
                Class::Rejected => Verdict::Stalled(Stall::Rejected, text.clone()),
                Class::Throttled => Verdict::Working(Waiting::Throttled, text.clone()),
                Class::NotFound
                | Class::AlreadyExists
                | Class::InUse
                | Class::Busy
                | Class::AccountPending
                | Class::QuotaExceeded
                | Class::Unavailable
                | Class::NotSent => Verdict::Working(Waiting::AwsUnavailable, text.clone()),
            }
        }
    }
}

fn available(account: &Account, account_id: &str) -> String {
    let namespaces = account.spec.namespaces.as_ref();
    let anybody = namespaces.is_some_and(|namespaces| {
        namespaces.selector.is_some() || namespaces.names.as_ref().is_some_and(|names| !names.is_empty())
    });
    match anybody {
        true => format!("AWS account {account_id} is reached"),
        false => format!("AWS account {account_id} is reached, and no namespace may use it: give namespaces"),
    }
}

/// `Ready`, and what is so beside it. `lastTransitionTime` moves only when the status word flips.
fn conditions(earlier: &[Condition], generation: i64, now: Timestamp, verdict: &Verdict) -> Vec<Condition> {
    let (reason, message) = (verdict.reason(), verdict.message().to_owned());
    let facts = match verdict {
        Verdict::Ready(_) => vec![("Ready", Fact::yes(reason, message))],
        Verdict::Working(..) => {
            vec![("Ready", Fact::no(reason.clone(), message.clone())), ("Reconciling", Fact::yes(reason, message))]
        }
        Verdict::Stalled(..) => {
            vec![("Ready", Fact::no(reason.clone(), message.clone())), ("Stalled", Fact::yes(reason, message))]
        }
    };
    facts.into_iter().map(|(name, fact)| condition(earlier, name, fact, generation, now)).collect()
}

impl Entry {
    /// An Account object as the book has it.
    pub fn of(account: &Account) -> Self {
        Self {
            name: account.metadata.name.clone().unwrap_or_default(),
            uid: account.metadata.uid.clone().unwrap_or_default(),
            generation: account.metadata.generation.unwrap_or_default(),
            spec: Ok(account.spec.clone()),
        }
    }
}
