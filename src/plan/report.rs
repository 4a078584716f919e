//! What a pass shows, as far as it is the same for every kind: what failed, what differs and since when, what is news.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Resource, ResourceExt};

use crate::api::common::{Impact, PendingChange};
use crate::api::{Arn, RECONCILE_REQUESTED_AT};

use super::conditions::{self, Fact, bounded, to_the_second};
use super::life::Life;
use super::reason::{Stall, Verdict, Waiting};
use super::{Class, Failure, Input, Kind, News, Status};

/// How long AWS's errors, or its refusal of our identity, must last to count as something that only a person can mend.
pub const TEN_MINUTES: Duration = Duration::from_secs(600);
/// How long AWS may be unreadable before what was Ready is no longer called so: shorter troubles pass unseen.
const UNSEEN: Duration = Duration::from_secs(300);
/// The same for what was not Ready: the reason why does not give way to a passing one.
const NOT_READY_UNSEEN: Duration = Duration::from_secs(30);
/// The longest that AWS's words are shown at: a status has three places for them, and an object has 1.5 MiB in all.
pub const WORDS: usize = 1024;
/// The bound of `from` and `to` in `pendingChanges`.
pub const SHORT: usize = 256;

/// What a change waits for that is only observed.
pub const OBSERVED: &str = "managementPolicy is Observe: nothing is written";
/// What a stop waits for that the policy forbids.
pub const NEVER: &str = "disruption.policy is Never";
/// What a stop or a cut waits for until a window opens.
pub const FOR_WINDOW: &str = "waiting for a window of disruption.windows to open";
/// What a stop or a cut waits for until nobody streams.
pub const FOR_SESSIONS: &str = "waiting for user sessions to end";

/// What is known of AWS for a report.
#[derive(Debug)]
pub enum Known<'a, F> {
    /// Nothing new: what the status said stays.
    Nothing,
    /// There is no such resource.
    Absent,
    /// There is one of that name, and it is not ours.
    Foreign,
    /// This.
    There(&'a F),
}

impl<F> Clone for Known<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Known<'_, F> {}

/// Everything that goes into a status.
#[derive(Debug)]
pub struct Report<'a, K: Life> {
    /// The pass.
    pub input: &'a Input<'a, K>,
    /// What is known of AWS.
    pub known: Known<'a, K::Facts>,
    /// What the kind shows besides.
    pub shown: K::Shown,
    /// The differences.
    pub changes: Vec<PendingChange>,
    /// The stamps to keep.
    pub stamps: K::Stamps,
    /// The ARN to keep.
    pub arn: Option<Arn>,
    /// The outcome.
    pub verdict: Verdict,
}

impl<'a, K: Life> Report<'a, K> {
    /// A report that keeps the stamps as they are.
    pub fn new(input: &'a Input<'a, K>, known: Known<'a, K::Facts>, verdict: Verdict) -> Self {
        let earlier = K::earlier(input.object);
        Self {
            input,
            known,
            shown: K::Shown::default(),
            changes: Vec::new(),
            stamps: K::stamps(earlier).clone(),
            arn: earlier.arn().cloned(),
            verdict,
        }
    }

    /// The status.
    pub fn status(self) -> K::Status {
        K::status(self)
    }

    /// The conditions; whether users can use it is the kind's to say.
    pub fn conditions(&self, available: Fact) -> Vec<Condition> {
        let synced = match self.input.object.meta().deletion_timestamp {
            // Nothing is compared any more.
            Some(_) => Fact::no(self.verdict.reason(), self.verdict.message()),
            None => synced(&self.known, &self.changes, &self.verdict),
        };
        let earlier = K::earlier(self.input.object).conditions();
        let generation = generation(self.input.object);
        conditions::conditions(earlier, generation, self.input.now, &self.verdict, available, synced)
    }

    /// `Available` as it was, where nothing new is known; not available if it was not.
    pub fn available_as_before(&self) -> Fact {
        match conditions::find(K::earlier(self.input.object).conditions(), "Available") {
            Some(before) if before.status == "True" => Fact::yes(before.reason.clone(), before.message.clone()),
            Some(_) | None => Fact::no(self.verdict.reason(), self.verdict.message()),
        }
    }
}

fn synced<F>(known: &Known<'_, F>, changes: &[PendingChange], verdict: &Verdict) -> Fact {
    match (known, changes) {
        (Known::There(_), []) => match verdict {
            Verdict::Stalled(
                why @ (Stall::InvalidSpec
                | Stall::NotOwned
                | Stall::NotAllowed
                | Stall::AccountMoved
                | Stall::ImmutableDiffers),
                text,
            ) => Fact::no(why.to_string(), text.clone()),
            // What cannot be seen may differ.
            Verdict::Working(Waiting::AccessDenied, text) | Verdict::Stalled(Stall::AccessDenied, text) => {
                Fact::no(verdict.reason(), text.clone())
            }
            Verdict::Ready(_) | Verdict::Working(..) | Verdict::Stalled(..) => {
                Fact::yes("Synced", "AWS equals the spec")
            }
        },
        (Known::There(_), changes) => {
            let mut waits: Vec<&str> = changes.iter().filter_map(|c| c.waiting_for.as_deref()).collect();
            waits.dedup();
            let fields: Vec<&str> = changes.iter().map(|c| c.field.as_str()).collect();
            let wait = if waits.is_empty() { String::new() } else { format!(": {}", waits.join("; ")) };
            Fact::no("Differs", format!("{}{wait}", fields.join(", ")))
        }
        (Known::Absent | Known::Foreign | Known::Nothing, _) => Fact::no(verdict.reason(), verdict.message()),
    }
}

/// A short stand-in for a long text (FNV-1a, 64 bits): equal texts have equal ones, in every version.
pub fn digest(text: &str) -> String {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, fold))
}

/// The object's generation.
pub fn generation(object: &impl Resource) -> i64 {
    object.meta().generation.unwrap_or_default()
}

/// How long ago something was; nothing for what is still to come.
pub fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or(Duration::ZERO)
}

/// Whether somebody has asked for a pass that was not made yet.
pub fn asked_again<K: Kind>(object: &K::Object, last_handled: Option<&String>) -> bool {
    let asked = object.annotations().get(RECONCILE_REQUESTED_AT);
    asked.is_some() && asked != last_handled
}

/// Whether the same operation has failed in the same way for ten minutes.
pub fn lasting<K: Kind>(failure: &Failure<K>) -> bool {
    elapsed(failure.since, failure.at) >= TEN_MINUTES
}

/// How long AWS may refuse what an object that is out of service waits for, before it goes back as it was: a passing refusal
/// (rights that are not known everywhere yet) is over by then.
pub const PASSING: Duration = Duration::from_secs(60);
/// The same where AWS says of AppStream that something else is going on there: its advice is to wait a few minutes.
/// <https://docs.aws.amazon.com/appstream2/latest/APIReference/CommonErrors.html>
pub const AT_WORK: Duration = Duration::from_secs(180);

/// Whether a refusal is for good or has lasted, over more than one try, too long to keep a fleet or an instance down for it,
/// or a stack without a fleet. `busy` is how long that is while AWS is at work on it.
pub fn hopeless<K: Kind>(failure: &Failure<K>, busy: Duration) -> bool {
    match failure.class {
        Class::Rejected => true,
        Class::QuotaExceeded | Class::AccountPending | Class::AccessDenied | Class::NotFound | Class::AlreadyExists => {
            elapsed(failure.since, failure.at) >= PASSING
        }
        Class::InUse | Class::Busy => elapsed(failure.since, failure.at) >= busy,
        Class::Throttled | Class::Unavailable | Class::NotSent => lasting(failure),
    }
}

/// Whether a failure is of the generation that is carried out now: an older one says nothing of what was mended.
pub fn of_now<K: Kind>(failure: &Failure<K>, input: &Input<'_, K>) -> bool {
    failure.generation == generation(input.object)
}

/// Whether exactly this call has just failed.
pub fn failed<K: Kind>(input: &Input<'_, K>, call: &K::Call) -> bool {
    input.failure.is_some_and(|f| f.call.as_ref() == Some(call))
}

/// What the failure of exactly this call says, if it is worth showing.
pub fn trouble_with<K: Kind>(input: &Input<'_, K>, call: &K::Call) -> Option<Verdict> {
    let failed = input.failure.filter(|f| f.call.as_ref() == Some(call) && of_now(f, input));
    failed.and_then(|f| trouble(f, input.now))
}

/// What a failure says, if it is worth showing.
pub fn trouble<K: Kind>(failure: &Failure<K>, now: Timestamp) -> Option<Verdict> {
    let words = bounded(&format!("{}: {}: {}", failure.operation, failure.code, failure.message), WORDS);
    let lasting = elapsed(failure.since, now) >= TEN_MINUTES;
    match failure.class {
        Class::Throttled => Some(Verdict::Working(Waiting::Throttled, words)),
        Class::Busy => Some(Verdict::Working(Waiting::AwsBusy, words)),
        Class::QuotaExceeded => Some(Verdict::Working(Waiting::QuotaExceeded, words)),
        Class::AccountPending => Some(Verdict::Working(Waiting::AccountPending, words)),
        Class::AccessDenied if lasting => Some(Verdict::Stalled(Stall::AccessDenied, words)),
        Class::AccessDenied => Some(Verdict::Working(Waiting::AccessDenied, words)),
        // No edit of the spec mends a read.
        Class::Rejected if failure.call.is_none() => Some(Verdict::Working(Waiting::AwsUnavailable, words)),
        Class::Rejected => Some(Verdict::Stalled(Stall::Rejected, words)),
        Class::Unavailable => Some(Verdict::Working(Waiting::AwsUnavailable, words)),
        Class::NotFound => Some(Verdict::Working(Waiting::DependencyNotReady, words)),
        // In the ordinary case the next look tells; what comes again is worth knowing.
        Class::AlreadyExists | Class::InUse if failure.at > failure.since => {
            Some(Verdict::Working(Waiting::AwsBusy, words))
        }
        Class::AlreadyExists | Class::InUse | Class::NotSent => None,
    }
}

/// The status while AWS cannot be read: what was said of this generation stays for a while, longer if it was Ready.
pub fn unseen<K: Life>(input: &Input<'_, K>, shown: K::Shown, hint: &str) -> K::Status {
    let before = K::earlier(input.object);
    let failure = input.failure;
    let age = failure.map_or(Duration::ZERO, |f| elapsed(f.since, input.now));
    let ready = conditions::find(before.conditions(), "Ready")
        .filter(|c| c.observed_generation == input.object.meta().generation);
    let patience = match ready {
        Some(ready) if ready.status == "True" => UNSEEN,
        Some(_) => NOT_READY_UNSEEN,
        None => Duration::ZERO,
    };
    let paused = conditions::find(before.conditions(), "Paused").is_some();
    if age < patience && !paused {
        return before.clone();
    }
    let quiet = || Verdict::Working(Waiting::AwsUnavailable, "AWS could not be read".into());
    let verdict = failure.and_then(|f| trouble(f, input.now)).unwrap_or_else(quiet).hinting(hint);
    let changes = before.pending_changes().to_vec();
    Report { shown, changes, ..Report::new(input, Known::Nothing, verdict) }.status()
}

/// One pending change, first seen now or earlier.
pub fn pending<K: Life>(
    input: &Input<'_, K>,
    field: &str,
    from: &str,
    to: &str,
    impact: Impact,
    waiting_for: Option<String>,
) -> PendingChange {
    let waiting_for = waiting_for.map(|text| bounded(&text, WORDS));
    let left = left_alone::<K>(impact, waiting_for.as_deref());
    PendingChange {
        field: field.to_owned(),
        from: bounded(from, SHORT),
        to: bounded(to, SHORT),
        impact,
        waiting_for,
        since: since(input, field, to, left),
    }
}

/// Since when a difference is known, or, if it was `left` alone at first, since when it is to be carried out: `forceAfter`
/// must not count the time in which nobody was asked to leave.
pub fn since<K: Life>(input: &Input<'_, K>, field: &str, to: &str, left: bool) -> Timestamp {
    let earlier = K::earlier(input.object);
    let paused = conditions::find(earlier.conditions(), "Paused").is_some();
    earlier
        .pending_changes()
        .iter()
        .find(|c| {
            !paused && c.field == field && c.to == to && (left || !left_alone::<K>(c.impact, c.waiting_for.as_deref()))
        })
        .map_or_else(|| to_the_second(input.now), |c| c.since)
}

fn left_alone<K: Life>(impact: Impact, waiting_for: Option<&str>) -> bool {
    impact == Impact::Refused || waiting_for.is_some_and(|wait| !K::counts(wait))
}

/// News, unless the status already said so.
pub fn news<K: Life>(input: &Input<'_, K>, action: &'static str, verdict: &Verdict) -> Vec<News> {
    news_after(K::earlier(input.object).conditions(), action, verdict)
}

/// News, unless these conditions already said so.
pub fn news_after(earlier: &[Condition], action: &'static str, verdict: &Verdict) -> Vec<News> {
    let said = conditions::find(earlier, "Ready")
        .is_some_and(|c| c.reason == verdict.reason() && c.message == verdict.message());
    let (reason, warning) = match verdict {
        Verdict::Ready(_) => return Vec::new(),
        Verdict::Working(
            Waiting::QuotaExceeded
            | Waiting::AccessDenied
            | Waiting::FleetErrors
            | Waiting::ImageBuilderErrors
            | Waiting::DeletionProtected
            | Waiting::DependencyNotReady
            | Waiting::UnknownState
            | Waiting::AccountPending
            | Waiting::CreateFailed
            | Waiting::PowerContested
            | Waiting::AutoSnapshotsKept
            | Waiting::ComputeNotFound
            | Waiting::SecretNotWritten,
            _,
        )
        | Verdict::Stalled(..) => (verdict.reason(), true),
        Verdict::Working(Waiting::WaitingForSessions | Waiting::WaitingForWindow | Waiting::DisruptionNever, _) => {
            (verdict.reason(), false)
        }
        Verdict::Working(
            Waiting::Creating
            | Waiting::Starting
            | Waiting::Stopping
            | Waiting::Updating
            | Waiting::Deleting
            | Waiting::Throttled
            | Waiting::NotStarted
            | Waiting::InstanceNotRunning
            | Waiting::NoAddress
            | Waiting::HostKeysUnknown
            | Waiting::PasswordNotReady
            | Waiting::FleetNotActive
            | Waiting::Issuing
            | Waiting::AwsUnavailable
            | Waiting::AwsBusy,
            _,
        ) => return Vec::new(),
    };
    if said { Vec::new() } else { vec![News { reason, action, warning, note: bounded(verdict.message(), 1024) }] }
}
