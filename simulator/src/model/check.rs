//! Checks an input against the API model, in AWS's words.

use serde_json::Value as Json;

use super::{Member, Shape, Text};
use crate::wire::Refusal;

/// Refuses an input that the model does not take: SerializationException for a wrong type, the service's own `code` with
/// every failed constraint otherwise. Members that the model does not have are ignored.
pub(crate) fn input(members: &'static [Member], input: &Json, code: &str) -> Result<(), Refusal> {
    let mut failed = Vec::new();
    structure(members, input, "", &mut failed)?;
    if failed.is_empty() {
        return Ok(());
    }
    let count = failed.len();
    let noun = if count == 1 { "error" } else { "errors" };
    Err(Refusal::new(code, format!("{count} validation {noun} detected: {}", failed.join("; "))))
}

fn structure(members: &[Member], input: &Json, path: &str, failed: &mut Vec<String>) -> Result<(), Refusal> {
    for Member { name, required, shape } in members {
        let here = if path.is_empty() { lower_first(name) } else { format!("{path}.{}", lower_first(name)) };
        match input.get(*name) {
            None | Some(Json::Null) if *required => {
                failed.push(format!("Value null at '{here}' failed to satisfy constraint: Member must not be null"));
            }
            None | Some(Json::Null) => {}
            Some(value) => check(shape, value, &here, failed)?,
        }
    }
    Ok(())
}

fn check(shape: &Shape, value: &Json, path: &str, failed: &mut Vec<String>) -> Result<(), Refusal> {
    match (shape, value) {
        (Shape::Text(bounds), Json::String(text)) => check_text(bounds, text, path, failed),
        (Shape::Flag, Json::Bool(_)) => {}
        (Shape::Int { low, high }, Json::Number(number)) => {
            let Some(number) = number.as_i64() else {
                return Err(mistyped(value, "an Integer"));
            };
            let mut fail = |rule: String| {
                failed.push(format!("Value '{number}' at '{path}' failed to satisfy constraint: {rule}"));
            };
            if number < *low {
                fail(format!("Member must have value greater than or equal to {low}"));
            }
            if number > *high {
                fail(format!("Member must have value less than or equal to {high}"));
            }
        }
        (Shape::List { item, low, high }, Json::Array(items)) => {
            count(items.len(), *low, *high, &Json::to_string(value), path, failed);
            for (index, one) in items.iter().enumerate() {
                check(item, one, &format!("{path}.{}.member", index + 1), failed)?;
            }
        }
        (Shape::Map { key, value: item, low, high }, Json::Object(entries)) => {
            count(entries.len(), *low, *high, &Json::to_string(value), path, failed);
            for (name, one) in entries {
                check_text(key, name, path, failed);
                check(item, one, &format!("{path}.{name}.member"), failed)?;
            }
        }
        (Shape::Struct(members), Json::Object(_)) => structure(members, value, path, failed)?,
        (Shape::Text(_), _) => return Err(mistyped(value, "a String")),
        (Shape::Flag, _) => return Err(mistyped(value, "a Boolean")),
        (Shape::Int { .. }, _) => return Err(mistyped(value, "an Integer")),
        (Shape::List { .. }, _) => return Err(mistyped(value, "a List")),
        (Shape::Map { .. } | Shape::Struct(_), _) => return Err(mistyped(value, "a Structure")),
    }
    Ok(())
}

fn check_text(bounds: &Text, text: &str, path: &str, failed: &mut Vec<String>) {
    let mut fail =
        |rule: String| failed.push(format!("Value '{text}' at '{path}' failed to satisfy constraint: {rule}"));
    let length = text.chars().count();
    if length > bounds.high {
        fail(format!("Member must have length less than or equal to {}", bounds.high));
    }
    if length < bounds.low {
        fail(format!("Member must have length greater than or equal to {}", bounds.low));
    }
    if let Some(pattern) = bounds.pattern.filter(|pattern| !pattern.fits(text)) {
        fail(format!("Member must satisfy regular expression pattern: {}", pattern.text()));
    }
    if !bounds.values.is_empty() && !bounds.values.contains(&text) {
        fail(format!("Member must satisfy enum value set: [{}]", bounds.values.join(", ")));
    }
}

fn count(length: usize, low: usize, high: usize, value: &str, path: &str, failed: &mut Vec<String>) {
    let mut fail = |rule: String| {
        failed.push(format!("Value '{value}' at '{path}' failed to satisfy constraint: {rule}"));
    };
    if length > high {
        fail(format!("Member must have length less than or equal to {high}"));
    }
    if length < low {
        fail(format!("Member must have length greater than or equal to {low}"));
    }
}

fn mistyped(value: &Json, wanted: &str) -> Refusal {
    let found = match value {
        Json::Null => "NULL_VALUE",
        Json::Bool(true) => "TRUE_VALUE",
        Json::Bool(false) => "FALSE_VALUE",
        Json::Number(_) => "NUMBER_VALUE",
        Json::String(_) => "STRING_VALUE",
        Json::Array(_) => "START_ARRAY",
        Json::Object(_) => "START_OBJECT",
    };
    Refusal::serialization(&format!("{found} can not be converted to {wanted}"))
}

fn lower_first(name: &str) -> String {
    let mut rest = name.chars();
    rest.next().map_or_else(String::new, |first| first.to_lowercase().chain(rest).collect())
}
