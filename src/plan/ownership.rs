//! Whose a resource is, by the five tags written in its create call.

use std::collections::BTreeMap;

use super::{Kind, Scope};
use kube::ResourceExt;

/// The key prefix of every tag of ours.
pub const PREFIX: &str = "windlass.dev/";
const CLUSTER: &str = "windlass.dev/cluster";
const KIND: &str = "windlass.dev/kind";
const NAMESPACE: &str = "windlass.dev/namespace";
const NAME: &str = "windlass.dev/name";
const UID: &str = "windlass.dev/uid";

/// Whose a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Cluster and uid match.
    Ours,
    /// It carries no tag of ours.
    Nobody,
    /// Cluster, kind, namespace and name match: this object, restored under a new uid.
    Restored,
    /// It is another object's.
    Other,
}

/// The tags that make a resource ours.
pub fn tags<K: Kind>(scope: &Scope, object: &K::Object) -> BTreeMap<String, String> {
    [
        (CLUSTER, scope.cluster.clone()),
        (KIND, K::NAME.to_owned()),
        (NAMESPACE, object.namespace().unwrap_or_default()),
        (NAME, object.name_any()),
        (UID, object.uid().unwrap_or_default()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// Whose a resource with these tags is.
pub fn owner<K: Kind>(scope: &Scope, object: &K::Object, tags: &BTreeMap<String, String>) -> Owner {
    let ours = self::tags::<K>(scope, object);
    let same = |key: &str| tags.get(key) == ours.get(key);
    if !tags.keys().any(|key| key.starts_with(PREFIX)) {
        Owner::Nobody
    } else if same(CLUSTER) && same(UID) {
        Owner::Ours
    } else if same(CLUSTER) && same(KIND) && same(NAMESPACE) && same(NAME) {
        Owner::Restored
    } else {
        Owner::Other
    }
}

/// Whether the tags carry this object's uid, whatever else they say.
pub fn has_uid_of<K: Kind>(object: &K::Object, tags: &BTreeMap<String, String>) -> bool {
    object.uid().is_some_and(|uid| tags.get(UID) == Some(&uid))
}

/// The object that tags name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// The object of this cluster and kind that tags name, if they name one.
pub fn claim<K: Kind>(scope: &Scope, tags: &BTreeMap<String, String>) -> Option<Claim> {
    let value = |key: &str| tags.get(key).cloned();
    let ours = tags.get(CLUSTER) == Some(&scope.cluster) && tags.get(KIND).is_some_and(|kind| kind == K::NAME);
    ours.then_some(())?;
    Some(Claim { namespace: value(NAMESPACE)?, name: value(NAME)?, uid: value(UID)? })
}
