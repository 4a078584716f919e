//! The pure core: from (object, what AWS says, now) to at most one AWS write and the status to show.
//!
//! Nothing in here waits, reads a clock, rolls a die or fails: refusals and waits are values.

pub mod access_grant;
pub mod account;
pub mod advice;
pub mod beside;
pub mod conditions;
pub mod figures;
pub mod fleet;
pub mod image_builder;
pub mod instance;
pub mod leave;
pub mod life;
pub mod looked;
pub mod ownership;
pub mod reason;
pub mod report;
pub mod roles;
pub mod schedule;
pub mod secret;
mod shared_status;
pub mod stack;
pub mod tags;
pub mod unshown;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::account::GrantTarget;
use crate::api::common::PendingChange;
use crate::api::{AccountName, Arn, Region};

use figures::Figures;
use secret::SecretWrite;

pub use account::{Identity, Mandate, Refusal};
pub use beside::{Beside, Face, KeyFound, KeyRef, KeySource, Neighbour, SecretText};

/// A custom resource and the rules by which it is made true.
pub trait Kind: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// `Fleet.appstream.windlass.dev`: the value of the ownership tag `windlass.dev/kind`, and the metric label.
    const NAME: &'static str;
    /// The custom resource.
    type Object: kube::Resource<DynamicType = ()>
        + kube::core::object::HasStatus<Status = Self::Status>
        + serde::Serialize
        + serde::de::DeserializeOwned
        + Clone
        + Debug
        + Send
        + Sync
        + 'static;
    /// Its status.
    type Status: Status;
    /// What AWS says about it.
    type State: Debug + Send + Sync + 'static;
    /// Reads that a plan asks for only when it needs them, since they cost a call of their own.
    type Look: Copy + Ord + Debug + Send + Sync + 'static;
    /// Every AWS write that this kind may ask for.
    type Call: Call;

    /// Decides what to do next and what to show.
    fn plan(input: &Input<'_, Self>) -> Plan<Self>;
    /// The status after a write that AWS answered, where something must be remembered at once: the ARN of what was
    /// created, what was cleared. `None`: the next pass will see.
    fn after(status: &Self::Status, call: &Self::Call, reply: &Reply) -> Option<Self::Status>;
    /// What the object shows to others that rest on it.
    fn face(object: &Self::Object) -> Face;
    /// The Account and the Region that the object names.
    fn place(object: &Self::Object) -> (Option<&AccountName>, Option<&Region>);
    /// The objects of its namespace that it rests on: a change of theirs is looked at at once.
    fn rests_on(_object: &Self::Object) -> Vec<Neighbour> {
        Vec::new()
    }
    /// The name of the Secret that it keeps in its namespace, if its kind keeps one.
    fn secret(_object: &Self::Object) -> Option<String> {
        None
    }
    /// Whether its status says that the Secret is there.
    fn shows_secret(_object: &Self::Object) -> bool {
        false
    }
    /// Why it may not ask for what it asks for, by what its Account allows it: judged before AWS is asked for anything.
    ///
    /// # Errors
    /// The sentence that says so.
    fn may(_object: &Self::Object, _allow: &Allow) -> Result<(), String> {
        Ok(())
    }
    /// Whether such a look asks AWS for anything.
    fn asks_aws(_looks: &BTreeSet<Self::Look>) -> bool {
        true
    }
    /// From when on that Secret has to go, be it at the end or because the object goes: a pass is due then that nothing else
    /// keeps waiting, and no look at AWS lasts longer.
    fn ends(_object: &Self::Object) -> Option<Timestamp> {
        None
    }
    /// The key of a Secret or ConfigMap of its namespace that a look asks for.
    fn key(_object: &Self::Object, _look: Self::Look) -> Option<KeyRef> {
        None
    }
}

/// The part of a status that is the same for every kind.
pub trait Status: Clone + Default + PartialEq + Debug + serde::Serialize + Send + Sync + 'static {
    /// The generation that it is about; -1 before anybody looked.
    fn observed_generation(&self) -> i64;
    /// The conditions.
    fn conditions(&self) -> &[Condition];
    /// This status with other conditions, about that generation.
    fn with_conditions(self, generation: i64, conditions: Vec<Condition>) -> Self;
    /// The value of the annotation that asks for a pass, as it was last acted on.
    fn last_handled(&self) -> Option<&String>;
    /// The ARN of what we made or took over: it existed.
    fn arn(&self) -> Option<&Arn>;
    /// When AWS created it: tells it from another that comes under its name.
    fn created_time(&self) -> Option<Timestamp>;
    /// The differences that were shown.
    fn pending_changes(&self) -> &[PendingChange];
    /// Whether the stamps are the same: where they are not, the status is written before anything is sent.
    fn same_stamps(&self, other: &Self) -> bool;
    /// This status with the counts of another: counts alone cause at most one write in five minutes.
    fn with_counts_of(self, other: &Self) -> Self;
    /// This status with the annotation's value that was acted on.
    fn with_last_handled(self, value: Option<String>) -> Self;
    /// The numbers in it that are worth a metric.
    fn figures(&self) -> Figures {
        Figures::default()
    }
}

/// Everything that a plan may look at.
#[derive(Debug)]
pub struct Input<'a, K: Kind> {
    /// The time of this pass.
    pub now: Timestamp,
    /// The object, as the API server has it.
    pub object: &'a K::Object,
    /// Where it lives, and what it may ask for; `None` before AWS was looked at, or when that could not be told.
    pub scope: Option<&'a Scope>,
    /// What AWS says.
    pub seen: &'a Seen<K::State>,
    /// The last AWS refusal or failure for this object in this process, until a write succeeds.
    pub failure: Option<&'a Failure<K>>,
    /// The latest of our last mutating call for this object and the taking of the lease: "absent" is believed only from a
    /// read that began [`UNCERTAINTY`] after it.
    pub quiet_since: Timestamp,
    /// The last write of each operation that AWS has answered in this process, newest first: reads that do not show it much
    /// later never will.
    pub answered: &'a [Answered<K>],
    /// What was found of what the object names in its namespace.
    pub beside: &'a Beside,
}

/// A write that AWS answered, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered<K: Kind> {
    /// The write.
    pub call: K::Call,
    /// When the answer came.
    pub at: Timestamp,
}

/// How long after a mutating call, or after the intent of one, its effect may still be unseen: 5 s from the intent to the
/// engine's send, 5 s for a permit (`aws::live`), 30 s for the request, 20 s for the lag of AWS's own reads (no number is
/// published; tools that poll AppStream use 10 to 30 s).
pub const UNCERTAINTY: Duration = Duration::from_secs(60);

/// What a plan decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan<K: Kind> {
    /// What to do.
    pub next: Next<K>,
    /// The whole status to show; written only if it differs.
    pub status: K::Status,
    /// What a person wants to be told.
    pub news: Vec<News>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next<K: Kind> {
    /// Read AWS, these too, then plan again in the same pass.
    Look(BTreeSet<K::Look>),
    /// Make exactly one AWS write, then look again.
    Send(K::Call),
    /// Make exactly one write to the object's own Secret, then look again.
    Keep(Box<SecretWrite>),
    /// Look again after this long: AWS is working, or something is waited for.
    Wait(Duration),
    /// Nothing to do until something changes, the resync, or this point in time.
    Settled(Option<Timestamp>),
    /// Nothing is left to guard: take the finalizer off.
    Release,
}

impl<K: Kind> Next<K> {
    /// One word for it: AWS's name of the operation, where it is one.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Look(_) => "Look",
            Self::Send(call) => call.operation(),
            Self::Keep(write) => write.verb().word(),
            Self::Wait(_) => "Wait",
            Self::Settled(_) => "Settled",
            Self::Release => "Release",
        }
    }
}

/// What AWS says about an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen<S> {
    /// AWS has not been asked: the plan says [`Next::Look`] if it must be.
    NotLooked,
    /// This object may not live where it says; the sentence says why.
    NotAllowed(String),
    /// It could not be read; the failure says why.
    Unknown,
    /// This was found, which may be that it is not there.
    Found(S),
}

/// A write to AWS.
pub trait Call: Clone + PartialEq + Debug + Send + Sync + 'static {
    /// AWS's name of the operation.
    fn operation(&self) -> &'static str;
    /// Whether it makes something that did not exist: then the intent is written first.
    fn creates(&self) -> bool;
    /// As it is remembered after it was sent: without what nobody needs to know any more. Two calls that differ in that alone
    /// are then the same.
    fn without_secrets(&self) -> Self {
        self.clone()
    }
}

/// What a write gave back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// The ARN of what was created.
    pub arn: Option<Arn>,
    /// AWS's request id, which joins our log with CloudTrail.
    pub request_id: Option<String>,
}

/// Where an object lives in AWS, by whom it is reached, and what it may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The id of this cluster, part of the ownership tags.
    pub cluster: String,
    /// The 12-digit AWS account.
    pub account: String,
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The Region.
    pub region: Region,
    /// What may be asked for.
    pub allow: Allow,
    /// By which identity it is reached.
    pub identity: Identity,
}

/// What objects of a namespace may ask for. Its default is nothing at all; [`Allow::own`] is what holds without an Account
/// object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow {
    /// Take over what exists.
    pub adoption: bool,
    /// Join a stack of ours to a fleet that is not ours.
    pub foreign_fleets: bool,
    /// Patterns of role ARNs that may be passed.
    pub pass_roles: Vec<String>,
    /// What a grant may ask for.
    pub grants: AllowGrants,
}

/// What access grants of a namespace may ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowGrants {
    /// What they may open.
    pub targets: BTreeSet<GrantTarget>,
    /// Whether a target may be none of the operator's objects.
    pub unmanaged: bool,
    /// The longest that one may last; `None` is as long as it says.
    pub max_duration: Option<Duration>,
}

/// A call that AWS refused or did not answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure<K: Kind> {
    /// The write that failed; `None` for a read.
    pub call: Option<K::Call>,
    /// AWS's name of the operation.
    pub operation: String,
    /// What kind of failure it is.
    pub class: Class,
    /// AWS's code.
    pub code: String,
    /// AWS's words.
    pub message: String,
    /// The generation that was being carried out.
    pub generation: i64,
    /// Since when the same operation fails with the same code.
    pub since: Timestamp,
    /// When it failed last.
    pub at: Timestamp,
}

/// What a failure means for what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It is not there.
    NotFound,
    /// The name is taken: maybe by us.
    AlreadyExists,
    /// Wrong order or state: look again, then decide anew.
    InUse,
    /// Too many requests.
    Throttled,
    /// AWS asks for patience (a change just made is not known everywhere yet).
    Busy,
    /// A quota is reached.
    QuotaExceeded,
    /// The account, or a Region of it, is not set up or verified yet: AWS is at it, for minutes to hours.
    AccountPending,
    /// The identity may not do this.
    AccessDenied,
    /// The request can never succeed as it is.
    Rejected,
    /// AWS could not answer, or no answer came: what was asked may have happened.
    Unavailable,
    /// It was not sent (no lease, no permit in time).
    NotSent,
}

impl Class {
    /// Whether the same request would be refused again: something must change first.
    pub fn is_final(self) -> bool {
        match self {
            Self::Rejected | Self::QuotaExceeded | Self::AccessDenied | Self::NotFound => true,
            Self::AlreadyExists
            | Self::InUse
            | Self::Throttled
            | Self::Busy
            | Self::AccountPending
            | Self::Unavailable
            | Self::NotSent => false,
        }
    }
}

/// An event for people: what happened, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// CamelCase reason.
    pub reason: String,
    /// What was done, CamelCase.
    pub action: &'static str,
    /// Whether it is a warning.
    pub warning: bool,
    /// One sentence.
    pub note: String,
}

impl News {
    /// News of something done.
    pub fn done(reason: &str, action: &'static str, note: String) -> Self {
        Self { reason: reason.to_owned(), action, warning: false, note }
    }
}
