//! Sees every version of every object of a kind on a stage, and says at the end whether any of them was wrong.

use std::sync::{Arc, Mutex};

use futures::{StreamExt, TryStreamExt};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, WatchEvent, WatchParams};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::stage::{Stage, condition, shown};

/// A watch on a stage's objects of the kind that it speaks of.
pub struct Witness {
    seen: Arc<Mutex<Vec<Value>>>,
    watching: JoinHandle<()>,
}

impl Witness {
    /// Watches from now on.
    pub fn of(stage: &Stage) -> Self {
        let kind = ApiResource {
            group: stage.which.group.into(),
            version: "v1alpha1".into(),
            api_version: format!("{}/v1alpha1", stage.which.group),
            kind: stage.which.kind.into(),
            plural: stage.which.plural.into(),
        };
        let api: Api<DynamicObject> = Api::namespaced_with(stage.admin.clone(), &stage.namespace, &kind);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let watching = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                // The namespace is empty at first, so nothing is missed. The server may close a watch of five minutes.
                let params = WatchParams::default().timeout(290);
                let mut events = api.watch(&params, "0").await.unwrap().boxed();
                while let Some(event) = events.try_next().await.unwrap() {
                    match event {
                        WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object) => {
                            seen.lock().unwrap().push(serde_json::to_value(object).unwrap());
                        }
                        WatchEvent::Bookmark(_) | WatchEvent::Error(_) => {}
                    }
                }
            }
        });
        Self { seen, watching }
    }

    /// Ends the watch and judges what was seen.
    ///
    /// # Panics
    /// When something was wrong.
    pub fn testify(self) {
        assert!(!self.watching.is_finished(), "the watch ended before the test");
        self.watching.abort();
        let seen = self.seen.lock().unwrap();
        assert!(!seen.is_empty(), "nothing was seen");
        for fleet in seen.iter() {
            one_state_at_a_time(fleet);
            only_our_parts_are_ours(fleet);
        }
    }
}

/// Never two of Ready, Reconciling and Stalled, and always a Ready from the first status on.
fn one_state_at_a_time(fleet: &Value) {
    let states = ["Ready", "Reconciling", "Stalled"];
    let holds = states.iter().filter(|name| condition(fleet, name).0 == "True").count();
    let begun = fleet.pointer("/status/conditions").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    assert!(holds <= 1, "{holds} of {states:?} hold:\n{}", shown(fleet));
    assert!(!begun || !condition(fleet, "Ready").0.is_empty(), "no Ready:\n{}", shown(fleet));
    let ready = condition(fleet, "Ready").0 == "True";
    let current = fleet["status"]["observedGeneration"] == fleet["metadata"]["generation"];
    let edited = !current && fleet["status"]["observedGeneration"].as_i64() < fleet["metadata"]["generation"].as_i64();
    assert!(!ready || current || edited, "Ready for a generation to come:\n{}", shown(fleet));
}

/// The field manager `windlass` owns its finalizer and the status, and nothing of the user's.
fn only_our_parts_are_ours(fleet: &Value) {
    let entries = fleet.pointer("/metadata/managedFields").and_then(Value::as_array).cloned().unwrap_or_default();
    for entry in entries.iter().filter(|entry| entry["manager"] == "windlass") {
        let fields = entry["fieldsV1"].as_object().unwrap();
        for (path, below) in fields {
            let ours = match path.as_str() {
                "f:status" => entry["subresource"] == "status",
                "f:metadata" => below.as_object().unwrap().keys().all(|key| key == "f:finalizers"),
                _ => false,
            };
            assert!(ours, "windlass owns {path} {below}:\n{}", shown(fleet));
        }
    }
    // Nobody else writes status.
    let others = entries.iter().filter(|entry| entry["subresource"] == "status" && entry["manager"] != "windlass");
    assert_eq!(others.count(), 0, "somebody else writes the status");
}
