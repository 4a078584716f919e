//! Many objects: creating them, waiting for them, editing them, and counting what the operator wrote.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::{Value, json};

use crate::stage::OPERATOR_USER;

/// The objects of the benchmark in one namespace, named `f-0` onwards.
pub struct Load {
    api: Api<DynamicObject>,
    resource: ApiResource,
    /// The spec of the object of this number.
    spec: fn(usize) -> Value,
}

/// Objects created at once: enough to keep a 2-core API server busy without queueing in it.
const AT_ONCE: usize = 8;

impl Load {
    /// Objects of that kind in the namespace.
    pub fn new(client: kube::Client, namespace: &str, resource: ApiResource, spec: fn(usize) -> Value) -> Self {
        Self { api: Api::namespaced_with(client, namespace, &resource), resource, spec }
    }

    /// The name of the object and of its resource in AWS.
    pub fn name(number: usize) -> String {
        format!("f-{number}")
    }

    /// Creates the objects of these numbers; returns for each name the moment right before the request was sent.
    pub async fn create(&self, numbers: Range<usize>) -> Result<BTreeMap<String, SystemTime>> {
        let created = futures::stream::iter(numbers).map(|number| async move {
            let name = Self::name(number);
            let object = DynamicObject::new(&name, &self.resource).data(json!({ "spec": (self.spec)(number) }));
            let sent = SystemTime::now();
            self.api.create(&PostParams::default(), &object).await.with_context(|| format!("create {name}"))?;
            Ok((name, sent))
        });
        created.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Returns when `count` objects are Ready, at most after `bound`.
    pub async fn wait_until_ready(&self, count: usize, bound: Duration) -> Result<()> {
        let mut events = std::pin::pin!(watcher(self.api.clone(), watcher::Config::default()));
        let mut ready = HashSet::new();
        let end = Instant::now() + bound;
        while ready.len() < count {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(event) = tokio::time::timeout(left, events.next()).await else {
                bail!("{} of {count} {} are Ready after {bound:?}", ready.len(), self.resource.plural);
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
    pub async fn edit(&self, number: usize, change: &Value) -> Result<SystemTime> {
        let patch = Patch::Merge(change);
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

/// One write of the operator that the API server has carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// When it was answered.
    pub at: SystemTime,
    /// `create`, `update`, `patch` or `delete`.
    pub verb: String,
    /// Its plural, as in a URL.
    pub resource: String,
    /// The object's name.
    pub name: String,
}

/// The operator's writes in the API server's audit log, but those of the Lease, which belong to no object and go on for ever.
pub fn kubernetes_writes(audit_log: &Path) -> Result<Vec<Write>> {
    let text = fs::read_to_string(audit_log).with_context(|| format!("read {}", audit_log.display()))?;
    Ok(text.lines().filter(|line| line.contains(OPERATOR_USER)).filter_map(write_of).collect())
}

/// The write that a line tells of, if it is one of ours. The last line may be half written.
fn write_of(line: &str) -> Option<Write> {
    let event: Value = serde_json::from_str(line).ok()?;
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let write = Write {
        at: text("/stageTimestamp")?.parse::<jiff::Timestamp>().ok()?.into(),
        verb: text("/verb")?,
        resource: text("/objectRef/resource")?,
        name: text("/objectRef/name").unwrap_or_default(),
    };
    let done = event.pointer("/responseStatus/code").and_then(Value::as_u64).is_some_and(|code| code < 300);
    let writes = matches!(write.verb.as_str(), "create" | "update" | "patch" | "delete");
    let ours = text("/user/username").as_deref() == Some(OPERATOR_USER);
    (ours && writes && done && write.resource != "leases").then_some(write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_operators_writes_that_were_carried_out_count() {
        let line = |user: &str, verb: &str, resource: &str, code: u64| {
            json!({
                "user": { "username": user }, "verb": verb, "stageTimestamp": "2026-01-01T00:00:01.500000Z",
                "objectRef": { "resource": resource, "name": "f-1" }, "responseStatus": { "code": code },
            })
            .to_string()
        };
        let at = "2026-01-01T00:00:01.5Z".parse::<jiff::Timestamp>().unwrap().into();
        let write = Write { at, verb: "create".into(), resource: "secrets".into(), name: "f-1".into() };
        assert_eq!(write_of(&line(OPERATOR_USER, "create", "secrets", 201)), Some(write));
        for (user, verb, resource, code) in [
            (OPERATOR_USER, "get", "secrets", 200),
            (OPERATOR_USER, "create", "secrets", 409),
            (OPERATOR_USER, "update", "leases", 200),
            ("admin", "create", "secrets", 201),
        ] {
            assert_eq!(write_of(&line(user, verb, resource, code)), None, "{user} {verb} {resource} {code}");
        }
        assert_eq!(write_of(&line(OPERATOR_USER, "create", "secrets", 201)[..40]), None);
    }
}
