//! What an object rests on in its own namespace: other objects of ours, and keys of Secrets and ConfigMaps.

use std::collections::BTreeMap;
use std::fmt;

use super::secret::{SecretFailure, SecretSeen};
use crate::api::Arn;

/// Everything that was found of what an object names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Beside {
    /// The objects of [`super::Kind::rests_on`]; `None`: there is none of that name.
    pub objects: BTreeMap<Neighbour, Option<Face>>,
    /// The keys that looks of this pass asked for ([`super::Kind::key`]).
    pub keys: BTreeMap<KeyRef, KeyFound>,
    /// The Secret of [`super::Kind::secret`].
    pub secret: SecretSeen,
    /// The last write to it that failed, until one succeeds.
    pub secret_failure: Option<SecretFailure>,
}

/// Another object of the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Neighbour {
    /// [`super::Kind::NAME`] of its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

/// What an object shows to those who rest on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Face {
    /// Its uid.
    pub uid: String,
    /// The name of its resource in AWS.
    pub aws_name: String,
    /// The ARN of its resource, once it existed.
    pub arn: Option<Arn>,
    /// Where users reach it, if it has an address.
    pub address: Option<String>,
    /// Whether its condition `Available` is True.
    pub available: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// A key of a Secret or ConfigMap in the object's namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyRef {
    /// Which of the two.
    pub source: KeySource,
    /// The name of the Secret or ConfigMap.
    pub name: String,
    /// The key in it.
    pub key: String,
}

/// Where a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeySource {
    /// In a Secret.
    Secret,
    /// In a ConfigMap.
    ConfigMap,
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            KeySource::Secret => "Secret",
            KeySource::ConfigMap => "ConfigMap",
        };
        write!(f, "key {} of {source} {}", self.key, self.name)
    }
}

/// What was found under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFound {
    /// Its value.
    Value(SecretText),
    /// There is no such Secret, ConfigMap or key.
    Absent,
    /// The operator may not read it; the API server's words.
    NotPermitted(String),
    /// It could not be read now.
    Unknown,
    /// It is no UTF-8 text.
    NotText,
}

/// A text that is never printed, and overwritten when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(zeroize::Zeroizing<String>);

impl SecretText {
    /// Keeps a text.
    pub fn new(text: String) -> Self {
        Self(zeroize::Zeroizing::new(text))
    }

    /// The text, for the one request that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText")
    }
}
