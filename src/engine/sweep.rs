//! The orphan sweeper: what carries this cluster's tags in AWS and has no object is reported, never deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::core::object::HasStatus;
use tracing::warn;

use crate::aws::AwsPort;
use crate::plan::{Kind, News, Scope, Status, ownership};

use super::port::KubePort;
use super::{Engine, lock};

/// When is looked first: by then every object of a thousand has been looked at once.
pub const FIRST: Duration = Duration::from_secs(300);
/// How often is looked. Each look costs one full list and the tags of what no object claims.
pub const EVERY: Duration = Duration::from_secs(3600);

impl<K: Kind, P: KubePort<K>, A: AwsPort<K>> Engine<K, P, A> {
    /// Looks once, in every place where an object lives, or has lived since this process began, and in `home`, where the
    /// operator puts what names no place: so that what the last object of a place left behind is found. The number of
    /// orphans found.
    pub async fn sweep(&self, home: Option<Scope>) -> usize {
        let objects = self.everything();
        let claimed: BTreeSet<_> = objects.iter().filter_map(|o| o.status().and_then(|s| s.arn()).cloned()).collect();
        for object in &objects {
            if let Ok(scope) = self.parts().aws.scope(object).await {
                self.lives_in(&scope);
            }
        }
        home.iter().for_each(|home| self.lives_in(home));
        let places: Vec<Scope> = lock(&self.places).values().cloned().collect();
        let mut orphans = 0;
        for scope in places {
            let strays = match self.parts().aws.strays(&scope, &claimed).await {
                Ok(strays) => strays,
                Err(error) => {
                    warn!(kind = K::NAME, "looking for orphans: {error}");
                    continue;
                }
            };
            for stray in strays {
                let Some(owner) = ownership::claim::<K>(&scope, &stray.tags) else { continue };
                let watched = &self.parts().settings.namespaces;
                if !watched.is_empty() && !watched.contains(&owner.namespace) {
                    continue;
                }
                // Looked up now: the object may have come while AWS was read.
                if self.exists(&owner.uid) {
                    continue;
                }
                orphans += 1;
                warn!(kind = K::NAME, arn = %stray.arn, object = %owner.name, namespace = %owner.namespace, "orphan: tagged as ours, and no object has it");
                let about = ObjectReference {
                    api_version: Some(K::Object::api_version(&()).into_owned()),
                    kind: Some(K::Object::kind(&()).into_owned()),
                    namespace: Some(owner.namespace),
                    name: Some(owner.name),
                    uid: Some(owner.uid),
                    ..ObjectReference::default()
                };
                let note = format!("{} carries this object's ownership tags, but the object does not exist", stray.arn);
                self.parts()
                    .herald
                    .tell(&about, News { reason: "Orphan".into(), action: "Sweep", warning: true, note });
            }
        }
        self.parts().metrics.orphans(K::NAME, orphans);
        orphans
    }

    /// Remembers a place where an object lives: the last one of it may leave something behind.
    pub(super) fn lives_in(&self, scope: &Scope) {
        lock(&self.places).insert((scope.account.clone(), scope.region.clone()), scope.clone());
    }
}
