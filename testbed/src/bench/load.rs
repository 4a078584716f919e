//! Many objects: creating them, waiting for them, editing them, and counting what the operator wrote.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::{Value, json};

use super::subject::Subject;
use crate::stage::OPERATOR_USER;

/// The objects of the benchmark in one namespace, named `f-0` onwards.
pub struct Load {
    api: Api<DynamicObject>,
    resource: ApiResource,
    subject: Subject,
}

/// Objects created at once: enough to keep a 2-core API server busy without queueing in it.
const AT_ONCE: usize = 8;

impl Load {
    /// Objects of that kind in the namespace.
    pub fn new(client: kube::Client, namespace: &str, subject: Subject) -> Self {
        let resource = subject.resource();
        Self { api: Api::namespaced_with(client, namespace, &resource), resource, subject }
    }

    /// The name of the object and of its resource in AWS.
    pub fn name(number: usize) -> String {
        format!("f-{number}")
    }

    /// Creates the objects of these numbers.
    pub async fn create(&self, numbers: std::ops::Range<usize>) -> Result<()> {
        let created = futures::stream::iter(numbers).map(|number| async move {
            let name = Self::name(number);
            let object = DynamicObject::new(&name, &self.resource).data(json!({ "spec": self.subject.spec() }));
            self.api.create(&PostParams::default(), &object).await.with_context(|| format!("create {name}"))
        });
        created.buffer_unordered(AT_ONCE).try_for_each(|_| async { Ok(()) }).await
    }

    /// Returns when `count` objects are Ready, at most after `bound`.
    pub async fn wait_until_ready(&self, count: usize, bound: Duration) -> Result<()> {
        let mut events = std::pin::pin!(watcher(self.api.clone(), watcher::Config::default()));
        let mut ready = HashSet::new();
        let end = Instant::now() + bound;
        while ready.len() < count {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(event) = tokio::time::timeout(left, events.next()).await else {
                bail!("{} of {count} {} are Ready after {bound:?}", ready.len(), self.subject.plural());
            };
            match event.context("the watch ended")? {
                Ok(Event::Apply(object) | Event::InitApply(object)) => {
                    let name = object.metadata.name.clone().unwrap_or_default();
                    if is_ready(&object) {
                        ready.insert(name)
                    } else {
                        ready.remove(&name)
                    };
                }
                Ok(Event::Delete(_) | Event::Init | Event::InitDone) => {}
                // The watcher lists again by itself.
                Err(error) => eprintln!("bench: watch: {error}"),
            }
        }
        Ok(())
    }

    /// Opens the connection that the next edit goes by: a person's own handshake is not the operator's time.
    pub async fn connect(&self) -> Result<()> {
        self.api.get_metadata(&Self::name(0)).await.map(drop).context("look at the first object")
    }

    /// Edits one; returns the moment right before the request was sent.
    pub async fn edit(&self, number: usize, word: &str) -> Result<SystemTime> {
        let patch = Patch::Merge(self.subject.edit(word));
        let sent = SystemTime::now();
        let name = Self::name(number);
        self.api.patch(&name, &PatchParams::default(), &patch).await.with_context(|| format!("edit {name}"))?;
        Ok(sent)
    }
}

fn is_ready(object: &DynamicObject) -> bool {
    let generation = object.metadata.generation.map(Value::from);
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    conditions.iter().any(|condition| {
        condition["type"] == "Ready"
            && condition["status"] == "True"
            && condition.get("observedGeneration") == generation.as_ref()
    })
}

/// The operator's writes in the API server's audit log, by resource.
pub fn kubernetes_writes(audit_log: &Path) -> Result<BTreeMap<String, usize>> {
    let text = fs::read_to_string(audit_log).with_context(|| format!("read {}", audit_log.display()))?;
    let mut counts = BTreeMap::new();
    for line in text.lines().filter(|line| line.contains(OPERATOR_USER)) {
        // The last line may be half written.
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let writes = matches!(event["verb"].as_str(), Some("create" | "update" | "patch" | "delete"));
        if writes && event.pointer("/user/username").and_then(Value::as_str) == Some(OPERATOR_USER) {
            let resource = event.pointer("/objectRef/resource").and_then(Value::as_str).unwrap_or("none");
            *counts.entry(resource.to_owned()).or_default() += 1;
        }
    }
    Ok(counts)
}

/// All of them but those of the Lease, which belong to no object and go on for ever.
pub fn without_leases(counts: &BTreeMap<String, usize>) -> usize {
    counts.iter().filter(|(resource, _)| *resource != "leases").map(|(_, count)| count).sum()
}
