//! What is seen of an object at one moment: its status and its resource in AWS, without what changes by itself.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{is_ready, is_stalled, stage, waits};

/// Every object of a kind and every resource, at one moment: the objects first.
#[derive(Default)]
pub struct Snapshot {
    objects: BTreeMap<String, Value>,
    in_aws: BTreeMap<String, Value>,
}

/// One object.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The generation that its status speaks of.
    pub generation: i64,
    pub ready: bool,
    pub stalled: bool,
    /// Whether it waits for what comes from outside.
    pub waits: bool,
    pub conditions: Value,
    /// The status, without what changes by itself.
    pub status: Value,
    /// The resource, without what changes by itself.
    pub aws: Value,
}

impl Snapshot {
    /// From a list of objects, and of AWS's resources by name.
    pub fn new(objects: &Value, in_aws: BTreeMap<String, Value>) -> Self {
        let objects = objects["items"].as_array().cloned().unwrap_or_default();
        Self {
            objects: objects.into_iter().map(|object| (stage::word(&object, "/metadata/name"), object)).collect(),
            in_aws,
        }
    }

    /// An object that has a status.
    pub fn of(&self, name: &str) -> Option<Seen> {
        let object = self.objects.get(name)?;
        let status = &object["status"];
        Some(Seen {
            generation: status["observedGeneration"].as_i64()?,
            ready: is_ready(object),
            stalled: is_stalled(object),
            waits: waits(object),
            conditions: status["conditions"].clone(),
            status: without(status, &VOLATILE),
            aws: without(self.in_aws.get(name).unwrap_or(&Value::Null), &VOLATILE),
        })
    }
}

/// Times, counts and memories.
const VOLATILE: [&str; 13] = [
    "observedGeneration",
    "lastTransitionTime",
    "since",
    "internal",
    "state_since",
    "created_at",
    "createdTime",
    "sessions",
    "sessions_killed",
    "capacity",
    "actual",
    "lastHandledReconcileAt",
    "id",
];

fn without(value: &Value, names: &[&str]) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| !names.contains(&name.as_str()));
            let mut kept: serde_json::Map<String, Value> =
                kept.map(|(name, value)| (name.clone(), without(value, names))).collect();
            // Of the counts, the one that is wanted.
            for wanted in ["Desired", "desired"] {
                if let Some(count) = members.get("capacity").and_then(|capacity| capacity.get(wanted)) {
                    kept.insert("desired".into(), count.clone());
                }
            }
            Value::Object(kept)
        }
        Value::Array(items) => items.iter().map(|item| without(item, names)).collect(),
        other => other.clone(),
    }
}

/// The paths at which two values differ.
pub fn differences(one: &Value, other: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", one, other, &mut found);
    found
}

fn compare(path: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, value) in a {
                compare(&format!("{path}.{name}"), value, b.get(name).unwrap_or(&Value::Null), found);
            }
            for (name, value) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
                compare(&format!("{path}.{name}"), &Value::Null, value, found);
            }
        }
        // AWS gives back an empty list for none.
        (a, b) if a == b || (is_empty(a) && is_empty(b)) => {}
        (_, _) => found.push(path.to_owned()),
    }
}

/// Whether a value is somewhere in another one.
pub fn holds(all: &Value, value: &Value) -> bool {
    all == value
        || match all {
            Value::Object(members) => members.values().any(|member| holds(member, value)),
            Value::Array(items) => items.iter().any(|item| holds(item, value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
