//! A Secret of an object's own: what is seen of it, and every write that a plan may ask for. Its data is never read.

use std::collections::BTreeMap;
use std::fmt;

/// What is seen of the Secret of an object's name for it: metadata alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SecretSeen {
    /// Not known yet: the watch of the namespace's Secrets is not complete.
    #[default]
    Unknown,
    /// The operator may not see Secrets in this namespace; the API server's words.
    Denied(String),
    /// There is none of ours of that name. One of somebody else's may be there: a create says so.
    Absent,
    /// There is one with our label.
    There(SecretFacts),
}

/// The metadata of a Secret with our label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFacts {
    /// The value of the label `windlass.dev/grant-uid`: the uid of the object that it belongs to.
    pub of: String,
    /// Its own uid.
    pub uid: String,
    /// Its resourceVersion.
    pub version: String,
    /// Whether the object is its controlling owner.
    pub owned: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether somebody else has written its data or type since we did (by its managed fields).
    pub edited: bool,
    /// Our annotations on it, without the prefix `windlass.dev/`: what it says of the credentials in it.
    pub stamps: BTreeMap<String, String>,
}

/// The API group of what keeps Secrets.
pub const KEEPERS: &str = "access.windlass.dev";

/// The label on every Secret of ours: the uid of the object that it belongs to.
pub const GRANT_UID: &str = "windlass.dev/grant-uid";

/// A write to a Secret.
#[derive(Debug, Clone, PartialEq)]
pub enum SecretWrite {
    /// POST: fails if there is one of that name.
    Create(SecretBody),
    /// PUT, whole; only if uid and resourceVersion are these.
    Replace {
        /// What it becomes.
        body: SecretBody,
        /// Its uid.
        uid: String,
        /// Its resourceVersion.
        version: String,
    },
    /// DELETE; only if the uid is this.
    Delete {
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
    },
}

impl SecretWrite {
    /// The Secret's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Create(body) | Self::Replace { body, .. } => &body.name,
            Self::Delete { name, .. } => name,
        }
    }

    /// What it does.
    pub fn verb(&self) -> SecretVerb {
        match self {
            Self::Create(_) => SecretVerb::Create,
            Self::Replace { .. } => SecretVerb::Replace,
            Self::Delete { .. } => SecretVerb::Delete,
        }
    }
}

/// What a write to a Secret does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SecretVerb {
    Create,
    Replace,
    Delete,
}

impl SecretVerb {
    /// The verb and what it is done to, in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "CreateSecret",
            Self::Replace => "ReplaceSecret",
            Self::Delete => "DeleteSecret",
        }
    }
}

/// A whole Secret. The engine adds the namespace, the owner reference and our label.
#[derive(Debug, Clone, PartialEq)]
pub struct SecretBody {
    /// Its name.
    pub name: String,
    /// Its type: one of a fixed list.
    pub kind: SecretKind,
    /// Labels that the user asks for.
    pub labels: BTreeMap<String, String>,
    /// Annotations that the user asks for.
    pub annotations: BTreeMap<String, String>,
    /// Annotations of ours, without the prefix `windlass.dev/`: nothing secret.
    pub stamps: BTreeMap<String, String>,
    /// Its data.
    pub data: SecretMaterial,
}

/// The types of Secret that are ever written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// `kubernetes.io/ssh-auth`
    SshAuth,
    /// `Opaque`
    Opaque,
}

impl SecretKind {
    /// The word in the Secret's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SshAuth => "kubernetes.io/ssh-auth",
            Self::Opaque => "Opaque",
        }
    }
}

/// The data of a Secret: printed by nobody, overwritten when it goes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretMaterial(BTreeMap<&'static str, zeroize::Zeroizing<Vec<u8>>>);

impl SecretMaterial {
    /// Adds a key.
    pub fn put(&mut self, key: &'static str, value: impl Into<Vec<u8>>) {
        self.0.insert(key, zeroize::Zeroizing::new(value.into()));
    }

    /// Its keys.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// Keys and values, for the one request that needs them.
    pub fn reveal(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.0.iter().map(|(key, value)| (*key, value.as_slice()))
    }
}

impl fmt::Debug for SecretMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys()).finish()
    }
}

/// The last write to the object's Secret that the API server refused or did not answer, until one succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFailure {
    /// What was refused.
    pub verb: SecretVerb,
    /// What it means.
    pub why: SecretRefusal,
    /// The API server's words; never the Secret's.
    pub message: String,
    /// When.
    pub at: jiff::Timestamp,
    /// How many times in a row, from 1.
    pub times: u32,
}

/// Why a write to a Secret failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretRefusal {
    /// There is another Secret of that name.
    Taken,
    /// It changed meanwhile, or is gone: look again.
    Conflict,
    /// The operator may not.
    Denied,
    /// The API server (a policy, a quota, a namespace that goes) refuses it as it is.
    Refused,
    /// No answer came: it may have happened.
    Unavailable,
}
