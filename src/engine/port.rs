//! The API server as the engine sees it: a closed set of effects on one object.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use kube::ResourceExt;

use crate::plan::secret::{SecretFacts, SecretRefusal, SecretVerb, SecretWrite};
use crate::plan::{KeyFound, KeyRef, Kind};
use crate::telemetry::labels::Label;

/// An object's namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Empty for cluster-scoped kinds.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl Id {
    /// The id of an object.
    pub fn of(object: &impl kube::Resource) -> Self {
        Self { namespace: object.namespace().unwrap_or_default().into(), name: object.name_any().into() }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What a watch shows.
#[derive(Debug, Clone)]
pub enum Sight<O> {
    /// An object, new or changed.
    There(Arc<O>),
    /// An object that this version cannot read: it is there.
    Unreadable(Unreadable),
    /// An object is gone.
    Gone(Id),
    /// A list is complete; what is not in it is gone.
    Complete {
        /// The namespace that was listed; `None` for all.
        within: Option<Arc<str>>,
        /// What was in it.
        all: HashSet<Id>,
    },
}

/// What is known of an object that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its namespace and name.
    pub id: Id,
    /// Its uid.
    pub uid: Option<String>,
    /// Its resourceVersion.
    pub version: Option<String>,
    /// What is wrong with it, in the parser's words: the field, and what was expected there.
    pub why: String,
}

/// Everything that is ever done to an object at the API server.
#[derive(Debug, Clone)]
pub enum KubeEffect<K: Kind> {
    /// Read it from the API server itself, not from a cache.
    Read(Id),
    /// Put our finalizer on; only if uid and resourceVersion are these.
    Guard(Arc<K::Object>),
    /// Write the whole status; only if the resourceVersion is this.
    Report(Arc<K::Object>, Box<K::Status>),
    /// Take our finalizer off; only if uid and resourceVersion are these.
    Release(Arc<K::Object>),
}

impl<K: Kind> KubeEffect<K> {
    /// Its name, for numbers and metrics.
    pub fn name(&self) -> EffectName {
        match self {
            Self::Read(_) => EffectName::Read,
            Self::Guard(_) => EffectName::Guard,
            Self::Report(..) => EffectName::Report,
            Self::Release(_) => EffectName::Release,
        }
    }

    /// Whether it changes anything: then the lease is asked first.
    pub fn mutating(&self) -> bool {
        match self {
            Self::Read(_) => false,
            Self::Guard(_) | Self::Report(..) | Self::Release(_) => true,
        }
    }
}

/// The names of effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum EffectName {
    Read,
    ReadKey,
    FindSecret,
    Guard,
    Report,
    Release,
    CreateSecret,
    ReplaceSecret,
    DeleteSecret,
}

impl From<SecretVerb> for EffectName {
    fn from(verb: SecretVerb) -> Self {
        match verb {
            SecretVerb::Create => Self::CreateSecret,
            SecretVerb::Replace => Self::ReplaceSecret,
            SecretVerb::Delete => Self::DeleteSecret,
        }
    }
}

impl Label for EffectName {
    fn label(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadKey => "read_key",
            Self::FindSecret => "find_secret",
            Self::Guard => "guard",
            Self::Report => "report",
            Self::Release => "release",
            Self::CreateSecret => "create_secret",
            Self::ReplaceSecret => "replace_secret",
            Self::DeleteSecret => "delete_secret",
        }
    }
}

/// How long any request to the API server may take: three of its own slow-request bounds (a request slower than a
/// second is logged there), and less than the lease.
pub const KUBE_DEADLINE: Duration = Duration::from_secs(10);

/// A request that the API server refused or did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KubeError {
    /// The object changed meanwhile: look again.
    #[error("the object changed meanwhile")]
    Conflict,
    /// The object, or its namespace, is gone.
    #[error("the object is gone")]
    Gone,
    /// The API server refused it.
    #[error("the API server refused it: {0}")]
    Refused(String),
    /// No answer came: what was asked may have happened.
    #[error("no answer from the API server: {0}")]
    Unavailable(String),
    /// This process may not write (any more).
    #[error("this process does not hold the lease")]
    NoLease,
}

/// What became of an effect, for the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum KubeOutcome {
    Ok,
    Conflict,
    Gone,
    Refused,
    Unavailable,
    NoLease,
}

impl KubeOutcome {
    /// That of a result.
    pub fn of<T>(result: &Result<T, KubeError>) -> Self {
        match result {
            Ok(_) => Self::Ok,
            Err(KubeError::Conflict) => Self::Conflict,
            Err(KubeError::Gone) => Self::Gone,
            Err(KubeError::Refused(_)) => Self::Refused,
            Err(KubeError::Unavailable(_)) => Self::Unavailable,
            Err(KubeError::NoLease) => Self::NoLease,
        }
    }

    /// That of a read of a key.
    pub fn of_key(found: &KeyFound) -> Self {
        match found {
            KeyFound::Value(_) | KeyFound::NotText => Self::Ok,
            KeyFound::Absent => Self::Gone,
            KeyFound::NotPermitted(_) => Self::Refused,
            KeyFound::Unknown => Self::Unavailable,
        }
    }
}

impl Label for KubeOutcome {
    fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Conflict => "conflict",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::NoLease => "no_lease",
        }
    }
}

/// What the watch of a namespace's Secrets shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSight {
    /// A Secret with our label, new or changed.
    There(String, SecretFacts),
    /// The Secret of this name is gone, or carries our label no more.
    Gone(String),
    /// The list is complete; what is not in it is gone.
    Complete(HashSet<String>),
    /// The operator may not see Secrets here; the API server's words.
    Denied(String),
}

/// A write to a Secret that the API server refused or did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SecretError {
    /// What it means.
    pub why: SecretRefusal,
    /// The API server's words, without anything of the Secret.
    pub message: String,
}

impl SecretError {
    /// No answer came in time, or this process may not write.
    pub fn unavailable(message: &str) -> Self {
        Self { why: SecretRefusal::Unavailable, message: message.to_owned() }
    }
}

/// A kind's way to the API server.
pub trait KubePort<K: Kind>: Send + Sync + 'static {
    /// Does it. `None` when the object is gone.
    ///
    /// # Errors
    /// When the API server refused it, or did not answer by the deadline.
    fn perform(&self, effect: KubeEffect<K>) -> impl Future<Output = Result<Option<Arc<K::Object>>, KubeError>> + Send;

    /// Reads a key of a Secret or ConfigMap of this namespace from the API server itself. Nothing of it is kept.
    fn read_key(&self, namespace: &str, key: &KeyRef) -> impl Future<Output = KeyFound> + Send;

    /// The Secret of this name, whoever's it is: its metadata, and nothing else of it.
    ///
    /// # Errors
    /// When the API server refused to say, or did not answer by the deadline.
    fn find_secret(
        &self,
        namespace: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<SecretFacts>, SecretError>> + Send;

    /// Writes the Secret that an object keeps, with that as its controlling owner (a deletion needs none); what is there then
    /// (`None`: nothing).
    ///
    /// # Errors
    /// When the API server refused it, or did not answer by the deadline.
    fn write_secret(
        &self,
        namespace: &str,
        owner: Option<&K::Object>,
        write: &SecretWrite,
    ) -> impl Future<Output = Result<Option<SecretFacts>, SecretError>> + Send;

    /// The metadata of every Secret with our label in a namespace, for as long as the process lives.
    fn secrets(&self, namespace: &str) -> BoxStream<'static, SecretSight>;
}
