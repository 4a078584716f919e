//! What the types alone cannot say about their schema: rules (CEL), the items of lists, no `nullable`, no accidental
//! defaults.
//!
//! Bounds stand beside the fields in the types; this file makes the generated schema into the one that the API server is
//! given. A form that a person may get wrong (an ARN, a duration) is a CEL rule and not a `pattern`, because a rule has
//! a sentence and a pattern only shows a regular expression.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool, ValidationRule,
};
use schemars::Schema;
use schemars::transform::transform_subschemas;
use serde::Serialize;
use serde_json::{Value, json};

/// A CEL rule and the sentence that a person reads when it is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// CEL; `self` is the value that the rule stands on, `oldSelf` its earlier value.
    pub rule: &'static str,
    /// What is wrong, and what to do instead.
    pub message: &'static str,
    /// Which kind of mistake it is; it decides how the API server begins its sentence.
    pub reason: Reason,
    /// The field to blame, below the one that the rule stands on (`.region`); absent: that one.
    #[serde(rename = "fieldPath", skip_serializing_if = "Option::is_none")]
    pub field: Option<&'static str>,
}

/// Which kind of mistake a rule finds (`x-kubernetes-validations[].reason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Reason {
    /// "Invalid value: …".
    FieldValueInvalid,
    /// "Forbidden: …": the field may not be there, or not change.
    FieldValueForbidden,
    /// "Required value: …": the field is missing.
    FieldValueRequired,
}

/// A rule about the form of one value.
pub const fn form(rule: &'static str, message: &'static str) -> Rule {
    Rule { rule, message, reason: Reason::FieldValueInvalid, field: None }
}

/// A rule that forbids a field, or a change of it.
pub const fn forbid(field: &'static str, rule: &'static str, message: &'static str) -> Rule {
    Rule { rule, message, reason: Reason::FieldValueForbidden, field: Some(field) }
}

/// A rule that asks for a field.
pub const fn require(field: &'static str, rule: &'static str, message: &'static str) -> Rule {
    Rule { rule, message, reason: Reason::FieldValueRequired, field: Some(field) }
}

impl Rule {
    fn to_kubernetes(self) -> ValidationRule {
        ValidationRule {
            rule: self.rule.to_owned(),
            message: Some(self.message.to_owned()),
            message_expression: None,
            reason: Some(format!("{:?}", self.reason)),
            field_path: self.field.map(str::to_owned),
            optional_old_self: None,
        }
    }
}

/// Gives a list or map of strings the schema of its members: their length, and the rules on each.
///
/// Written as a schemars transform, because the types say `BTreeSet<String>` and schemars has no attribute for the rules
/// of an item.
pub fn members(min: usize, max: usize, rules: &'static [Rule]) -> impl FnMut(&mut Schema) {
    move |schema| {
        let mut member = json!({ "type": "string", "minLength": min, "maxLength": max });
        if !rules.is_empty() {
            member["x-kubernetes-validations"] = json!(rules);
        }
        for key in ["items", "additionalProperties"] {
            if let Some(found) = schema.get_mut(key) {
                *found = member.clone();
            }
        }
    }
}

/// The conditions of an object: a list-map by `type`, with the bounds of meta/v1.
///
/// Source: the markers on `Condition` in k8s.io/apimachinery/pkg/apis/meta/v1/types.go.
pub fn conditions(schema: &mut Schema) {
    let kept = schema.get("description").cloned().unwrap_or(Value::Null);
    *schema = schemars::json_schema!({
        "description": kept,
        "type": "array",
        // More than the conditions that any kind has (seven), and room for those of later releases.
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "One statement about the object.",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "type": "string", "minLength": 1, "maxLength": 316,
                    "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                    "description": "What the statement is about, in CamelCase, 1 to 316 characters."
                },
                "status": {
                    "type": "string", "enum": ["True", "False", "Unknown"],
                    "description": "Whether it holds: `True`, `False` or `Unknown`."
                },
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "The generation of the spec that the statement is about, from 0."
                },
                "lastTransitionTime": {
                    "type": "string", "format": "date-time",
                    "description": "When `status` last changed (RFC 3339)."
                },
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "Why, as one CamelCase word of 1 to 1024 characters that programs may compare."
                },
                "message": {
                    "type": "string", "maxLength": 32768,
                    "description": "Why, as a sentence of at most 32768 characters for people."
                }
            }
        }
    });
}

/// Lets a field's own description stand above that of its type: without this an optional enum would show the enum's.
///
/// Written as a schemars transform, because later on the two are merged already.
pub fn field_words_first(schema: &mut Schema) {
    transform_subschemas(&mut field_words_first, schema);
    if schema.get("description").is_none() {
        return;
    }
    for key in ["anyOf", "allOf"] {
        for choice in schema.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(choice) = choice.as_object_mut() {
                choice.remove("description");
            }
        }
    }
}

/// Takes out of a generated schema what nobody meant: `nullable`, the null that comes with an optional enum, and the line
/// breaks of doc comments. Gives every list that has no type of its own `atomic`.
pub fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(values) = &mut schema.enum_ {
        values.retain(|JSON(value)| !value.is_null());
    }
    if let Some(text) = &mut schema.description {
        *text = one_line_per_paragraph(text);
    }
    if schema.type_.as_deref() == Some("array") && schema.x_kubernetes_list_type.is_none() {
        schema.x_kubernetes_list_type = Some("atomic".to_owned());
    }
    for child in children(schema) {
        tidy(child);
    }
}

/// Takes every default out of a schema and what is below it. Status has none: a `serde(default)` is about reading.
pub fn without_defaults(schema: &mut JSONSchemaProps) {
    schema.default = None;
    for child in children(schema) {
        without_defaults(child);
    }
}

/// Puts rules on a schema, after those that it has.
pub fn add_rules(schema: &mut JSONSchemaProps, rules: &[Rule]) {
    schema.x_kubernetes_validations.get_or_insert_default().extend(rules.iter().map(|rule| rule.to_kubernetes()));
}

/// The schema of a field, by its name.
pub fn field<'a>(schema: &'a mut JSONSchemaProps, name: &str) -> Option<&'a mut JSONSchemaProps> {
    schema.properties.as_mut()?.get_mut(name)
}

fn children(schema: &mut JSONSchemaProps) -> Vec<&mut JSONSchemaProps> {
    let mut found: Vec<&mut JSONSchemaProps> =
        schema.properties.as_mut().into_iter().flat_map(BTreeMap::values_mut).collect();
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &mut schema.items {
        found.push(item);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &mut schema.additional_properties {
        found.push(value);
    }
    found
}

fn one_line_per_paragraph(text: &str) -> String {
    text.split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("\n\n")
}
