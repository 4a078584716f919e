//! Objects of every kind on a bed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bed::Bed;
use crate::stage::{SOON, Which, ask, condition, repository, shown, word};

/// The path of a kind's objects; `namespace` is empty where it has none.
pub fn objects(which: &Which, namespace: &str) -> String {
    let within = if namespace.is_empty() { String::new() } else { format!("namespaces/{namespace}/") };
    format!("/apis/{}/v1alpha1/{within}{}", which.group, which.plural)
}

impl Bed {
    /// Creates an object.
    pub async fn make(&self, which: &Which, namespace: &str, name: &str, spec: Value) -> Value {
        let object = json!({
            "apiVersion": format!("{}/v1alpha1", which.group), "kind": which.kind,
            "metadata": { "name": name }, "spec": spec,
        });
        ask(&self.admin, "POST", &objects(which, namespace), Some(&object)).await.unwrap()
    }

    /// Merges this into an object.
    pub async fn edit(&self, which: &Which, namespace: &str, name: &str, patch: Value) {
        ask(&self.admin, "PATCH", &format!("{}/{name}", objects(which, namespace)), Some(&patch)).await.unwrap();
    }

    /// Deletes an object, without waiting.
    pub async fn unmake(&self, which: &Which, namespace: &str, name: &str) {
        ask(&self.admin, "DELETE", &format!("{}/{name}", objects(which, namespace)), None).await.unwrap();
    }

    /// The object, or nothing.
    pub async fn object(&self, which: &Which, namespace: &str, name: &str) -> Option<Value> {
        ask(&self.admin, "GET", &format!("{}/{name}", objects(which, namespace)), None).await.ok()
    }

    /// Waits until the object is so.
    pub async fn until_of(
        &self,
        which: &Which,
        namespace: &str,
        name: &str,
        what: &str,
        so: impl Fn(&Value) -> bool,
    ) -> Value {
        let end = Instant::now() + SOON;
        loop {
            let object = self.object(which, namespace, name).await.unwrap_or_default();
            if so(&object) {
                return object;
            }
            assert!(Instant::now() < end, "waited in vain for {} {name}: {what}:\n{}", which.kind, shown(&object));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Everything of these kinds that AWS has, by kind and name.
    pub fn all_in_aws(&self, kinds: &[&Which]) -> Vec<String> {
        let of_kind = |which: &&Which| {
            let all = testbed::http::get(self.aws.port(), &format!("/_sim/{}", which.in_aws)).unwrap();
            let names = all[which.in_aws].as_array().unwrap().iter().map(|one| word(one, "/name"));
            names.map(|name| format!("{} {name}", which.kind)).collect::<Vec<_>>()
        };
        kinds.iter().flat_map(of_kind).collect()
    }

    /// What the API server refused the operator: verb, resource and namespace, each once.
    pub fn refused(&self) -> Vec<String> {
        let user = format!("system:serviceaccount:{}:{}", crate::bed::NAMESPACE, crate::bed::RELEASE);
        let log = std::fs::read_to_string(self.control_plane.audit_log()).unwrap();
        let events = log.lines().filter(|line| line.contains(&user));
        let events = events.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let refused = events.filter(|event| event["responseStatus"]["code"] == 403);
        let mut refused: Vec<String> = refused
            .map(|event| {
                let [resource, namespace] =
                    ["resource", "namespace"].map(|name| word(&event["objectRef"], &format!("/{name}")));
                format!("{} {resource} in {namespace}", word(&event, "/verb"))
            })
            .collect();
        refused.sort();
        refused.dedup();
        refused
    }

    /// Keeps the object as a sample for the scripts in `deploy/argocd`, when told to write, if this condition is still True (a
    /// deletion is for good).
    pub async fn sample(&self, health: &str, state: &str, which: &Which, namespace: &str, name: &str) {
        if std::env::var_os("WINDLASS_WRITE").is_none() {
            return;
        }
        let Some(mut object) = self.object(which, namespace, name).await else { return };
        if condition(&object, state).0 != "True" {
            return;
        }
        object["metadata"].as_object_mut().unwrap().remove("managedFields");
        let deleted = if object["metadata"]["deletionTimestamp"].is_string() { "-deleted" } else { "" };
        let file = format!("deploy/argocd/samples/{health}-{}{deleted}.yaml", which.kind.to_lowercase());
        std::fs::write(repository().join(file), serde_yaml::to_string(&object).unwrap()).unwrap();
    }
}
