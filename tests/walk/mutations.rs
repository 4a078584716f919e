//! What is done to a field, by its schema alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kinds::Kind;
use super::texts;

/// A field of a spec.
#[derive(Debug, Clone)]
pub struct Field {
    /// `disruption.windows[].name`.
    pub path: String,
    steps: Vec<Step>,
    schema: Value,
    required: bool,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    /// The first item of a list.
    First,
}

/// A change of one field.
#[derive(Debug, Clone)]
pub struct Mutation {
    /// The field's path.
    pub field: String,
    /// The field and what is done to it.
    pub title: String,
    /// The spec before.
    pub from: Value,
    /// The spec after.
    pub to: Value,
    /// Whether the field is left out after it.
    pub clears: bool,
    /// What it is set to, where it was left out before.
    pub sets: Option<Value>,
}

impl Mutation {
    /// Whether a refusal speaks of the field, or of what it is in.
    pub fn names(&self, said: &str) -> bool {
        self.field.split('.').any(|part| said.contains(part.trim_end_matches("[]")))
    }
}

/// Every field of a spec's schema, also of what is in lists.
pub fn fields(spec: &Value) -> Vec<Field> {
    let mut found = Vec::new();
    members(spec, "", &[], &mut found);
    found
}

fn members(schema: &Value, above: &str, steps: &[Step], found: &mut Vec<Field>) {
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        let steps: Vec<Step> = steps.iter().cloned().chain([Step::Member(name.clone())]).collect();
        let required = schema["required"].as_array().is_some_and(|all| all.contains(&json!(name)));
        found.push(Field { path: path.clone(), steps: steps.clone(), schema: member.clone(), required });
        members(member, &path, &steps, found);
        let items: Vec<Step> = steps.iter().cloned().chain([Step::First]).collect();
        members(&member["items"], &format!("{path}[]"), &items, found);
    }
}

/// Every change of every field from this base, by title.
pub fn all(kind: &Kind, spec: &Value, fields: &[Field], base: &Value, now: Timestamp) -> BTreeMap<String, Mutation> {
    let samples = Samples { kind, spec, now };
    fields.iter().flat_map(|field| samples.changes(field, base)).map(|change| (change.title.clone(), change)).collect()
}

struct Samples<'a> {
    kind: &'a Kind,
    /// The schema of the spec.
    spec: &'a Value,
    now: Timestamp,
}

impl Samples<'_> {
    fn changes(&self, field: &Field, base: &Value) -> Vec<Mutation> {
        let change = |what: &str, from: &Value, to: Option<&Value>| Mutation {
            field: field.path.clone(),
            title: format!("{}: {what}", field.path),
            from: from.clone(),
            to: match to {
                Some(value) => self.with(from, &field.steps, value.clone()),
                None => without(from, &field.steps),
            },
            clears: to.is_none(),
            sets: to.filter(|_| what == "set").cloned(),
        };
        let mut all = Vec::new();
        let (from, value) = match get(base, &field.steps) {
            Some(value) => {
                if !field.required {
                    all.push(change("clear", base, None));
                }
                (base.clone(), value.clone())
            }
            None => {
                // What has a default is there; the default comes first.
                let value = match &field.schema["default"] {
                    Value::Null => self.sample(&field.schema, &field.path, 0),
                    default => default.clone(),
                };
                all.push(change("set", base, Some(&value)));
                (self.with(base, &field.steps, value.clone()), value)
            }
        };
        let others = self.others(field, &value);
        all.extend(others.iter().map(|(what, value)| change(what, &from, Some(value))));
        all
    }

    /// Every other value that a field may have, and what it is.
    fn others(&self, field: &Field, value: &Value) -> Vec<(String, Value)> {
        let schema = &field.schema;
        if let Some(choices) = schema["enum"].as_array() {
            let others = choices.iter().filter(|choice| *choice != value);
            return others
                .map(|choice| (format!("choose {}", choice.as_str().unwrap_or("?")), choice.clone()))
                .collect();
        }
        match value {
            Value::Bool(on) => vec![("flip".into(), json!(!on))],
            Value::Number(number) => {
                let number = number.as_i64().unwrap();
                let bound = |name: &str, none: i64| schema[name].as_f64().map_or(none, |bound| bound as i64);
                // AWS rounds some numbers: far enough that it shows.
                let (least, most) = (bound("minimum", i64::MIN), bound("maximum", i64::MAX));
                let both = [("grow", (number * 2).max(number + 1).min(most)), ("shrink", (number / 2).max(least))];
                both.into_iter().filter(|(_, n)| *n != number).map(|(what, n)| (what.into(), json!(n))).collect()
            }
            Value::String(present) => {
                let samples = [0, 1].map(|n| self.sample(schema, &field.path, n));
                let told = texts::has_form(schema) || self.told(&field.path).is_some();
                let other = match samples.into_iter().find(|sample| sample != value) {
                    Some(sample) if told => sample,
                    Some(_) | None => json!(texts::other(schema, present)),
                };
                vec![("another text".into(), other)]
            }
            Value::Array(items) => {
                let mut more = items.clone();
                let new = (0..3).map(|n| self.sample(&schema["items"], &format!("{}[]", field.path), n));
                let name = |item: &Value| item.get("name").cloned().unwrap_or_else(|| item.clone());
                more.extend(new.into_iter().find(|new| items.iter().all(|item| name(item) != name(new))));
                let mut all = vec![("add an item".to_owned(), Value::Array(more.clone()))];
                if items.len() > 1 {
                    all.push(("remove an item".into(), Value::Array(items[1..].to_vec())));
                }
                if !items[0].is_object() && more.len() > items.len() {
                    more.swap_remove(0);
                    all.push(("another item".into(), Value::Array(more)));
                }
                all
            }
            // A map: what is in an object has fields of its own.
            Value::Object(entries) if schema["additionalProperties"].is_object() => {
                let mut more = entries.clone();
                more.insert("walk-more".into(), self.sample(&schema["additionalProperties"], &field.path, 0));
                let mut all = vec![("add an entry".to_owned(), Value::Object(more))];
                if let Some((first, _)) = entries.iter().next() {
                    let mut other = entries.clone();
                    other.insert(first.clone(), self.sample(&schema["additionalProperties"], &field.path, 1));
                    all.push(("another entry".into(), Value::Object(other)));
                    let mut fewer = entries.clone();
                    fewer.remove(first);
                    all.push(("remove an entry".into(), Value::Object(fewer)));
                }
                all
            }
            Value::Object(_) | Value::Null => Vec::new(),
        }
    }

    fn told(&self, path: &str) -> Option<&[&'static str; 2]> {
        self.kind.texts.iter().find(|(told, _)| *told == path).map(|(_, texts)| texts)
    }

    /// The nth value that fits a schema.
    fn sample(&self, schema: &Value, path: &str, n: usize) -> Value {
        if let Some(choices) = schema["enum"].as_array() {
            return choices[n % choices.len()].clone();
        }
        match schema["type"].as_str() {
            Some("string") => match self.told(path) {
                Some(texts) => json!(texts[n % 2]),
                None => json!(texts::text(schema, path.rsplit('.').next().unwrap_or_default(), n, self.now)),
            },
            Some("integer") => json!(schema["minimum"].as_f64().unwrap_or(0.0) as i64 + 1 + n as i64),
            Some("boolean") => json!(n % 2 == 0),
            Some("array") => {
                let least = schema["minItems"].as_u64().unwrap_or(1).max(1) as usize;
                (0..least).map(|more| self.sample(&schema["items"], &format!("{path}[]"), n + more)).collect()
            }
            Some("object") if schema["additionalProperties"].is_object() => {
                json!({ "walk": self.sample(&schema["additionalProperties"], path, n) })
            }
            Some("object") => {
                let mut members = self.required(schema, path, n);
                // An object that must not be empty says so by a rule.
                let ruled = schema["x-kubernetes-validations"].is_array() || schema["minProperties"].is_number();
                if let Some((name, member)) = schema["properties"].as_object().and_then(|all| all.iter().next())
                    && members.is_empty()
                    && ruled
                {
                    members.insert(name.clone(), self.sample(member, &format!("{path}.{name}"), n));
                }
                Value::Object(members)
            }
            other => panic!("{path} has the type {other:?}"),
        }
    }

    fn required(&self, schema: &Value, path: &str, n: usize) -> serde_json::Map<String, Value> {
        let names = schema["required"].as_array().cloned().unwrap_or_default();
        let names = names.iter().filter_map(Value::as_str);
        names
            .map(|name| (name.to_owned(), self.sample(&schema["properties"][name], &format!("{path}.{name}"), n)))
            .collect()
    }

    /// A spec with this value at a path; what is above it is made with what it requires.
    fn with(&self, spec: &Value, steps: &[Step], value: Value) -> Value {
        let mut spec = spec.clone();
        let (mut at, mut schema, mut path) = (&mut spec, self.spec, String::new());
        for (depth, step) in steps.iter().enumerate() {
            let missing = match step {
                Step::Member(name) => at.get(name).is_none(),
                Step::First => at.get(0).is_none(),
            };
            schema = match step {
                Step::Member(name) => &schema["properties"][name],
                Step::First => &schema["items"],
            };
            match step {
                Step::Member(name) if path.is_empty() => path.clone_from(name),
                Step::Member(name) => path = format!("{path}.{name}"),
                Step::First => path.push_str("[]"),
            }
            if missing {
                let new = match schema["type"].as_str() {
                    Some("object") if depth + 1 < steps.len() => Value::Object(self.required(schema, &path, 0)),
                    Some("array") if depth + 1 < steps.len() => json!([]),
                    _ => Value::Null,
                };
                match (step, &mut *at) {
                    (Step::Member(name), Value::Object(members)) => {
                        members.insert(name.clone(), new);
                    }
                    (Step::First, Value::Array(items)) => items.push(new),
                    (step, at) => panic!("{path}: no {step:?} in {at}"),
                }
            }
            at = match step {
                Step::Member(name) => &mut at[name.as_str()],
                Step::First => &mut at[0],
            };
        }
        *at = value;
        spec
    }
}

fn get<'a>(spec: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    steps.iter().try_fold(spec, |at, step| match step {
        Step::Member(name) => at.get(name),
        Step::First => at.get(0),
    })
}

fn without(spec: &Value, steps: &[Step]) -> Value {
    let mut spec = spec.clone();
    let Some((Step::Member(last), above)) = steps.split_last() else { return spec };
    let mut at = &mut spec;
    for step in above {
        at = match step {
            Step::Member(name) => &mut at[name.as_str()],
            Step::First => &mut at[0],
        };
    }
    if let Some(members) = at.as_object_mut() {
        members.remove(last);
    }
    spec
}
