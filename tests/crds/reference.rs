//! `docs/reference/`: the schema as pages for people without a cluster at hand; the same words as `kubectl explain`.

use std::fmt::Write as _;
use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

#[test]
fn the_reference_is_what_the_schema_says() {
    for definition in windlass::crds::all() {
        let name = format!("docs/reference/{}.md", definition.spec.names.kind.to_lowercase());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
        let wanted = page(&definition);
        if std::env::var_os("UPDATE_REFERENCE").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == wanted, "{name} is not what the schema says: run `UPDATE_REFERENCE=1 cargo test --test crds`");
    }
}

fn page(definition: &CustomResourceDefinition) -> String {
    let names = &definition.spec.names;
    let version = &definition.spec.versions[0];
    let schema = serde_json::to_value(&version.schema).unwrap();
    let root = &schema["openAPIV3Schema"];
    let mut page = format!(
        "<!-- Generated from the schema by the test `crds`. Do not edit. -->\n# {}\n\n{}\n\n`apiVersion: {}/{}`, `kind: {}`, short name `{}`.\n",
        names.kind,
        root["description"].as_str().unwrap(),
        definition.spec.group,
        version.name,
        names.kind,
        names.short_names.as_ref().unwrap().join("`, `"),
    );
    let mut refusals = Vec::new();
    for part in ["spec", "status"] {
        object(part, &root["properties"][part], &mut page);
        collect("", part, &root["properties"][part], &mut refusals);
    }
    page.push_str("\n## What is refused\n\nBeside a value out of its bounds and a field that does not exist:\n\n");
    collect(
        "",
        "the object",
        &serde_json::json!({ "x-kubernetes-validations": root["x-kubernetes-validations"] }),
        &mut refusals,
    );
    refusals.retain(|(path, _)| !path.starts_with("status"));
    for (path, sentence) in refusals {
        let _ = writeln!(page, "- `{path}`: {sentence}");
    }
    page
}

/// A table of an object's fields, then one for each object in it.
fn object(path: &str, schema: &Value, page: &mut String) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let _ = write!(page, "\n## {path}\n\n| field | type | default | |\n|---|---|---|---|\n");
    let mut inner = Vec::new();
    for (name, field) in schema["properties"].as_object().unwrap() {
        let default = match &field["default"] {
            Value::Null if required.contains(&name.as_str().into()) => "required".to_owned(),
            Value::Null => String::new(),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        let words = field["description"].as_str().unwrap().replace('|', "\\|");
        let _ = writeln!(page, "| `{name}` | {} | {default} | {words} |", kind(field));
        if field["properties"].is_object() {
            inner.push((format!("{path}.{name}"), field));
        } else if field["items"]["properties"].is_object() {
            inner.push((format!("{path}.{name}[]"), &field["items"]));
        }
    }
    for (path, schema) in inner {
        object(&path, schema, page);
    }
}

fn kind(schema: &Value) -> String {
    match schema["type"].as_str().unwrap() {
        "array" => format!("list of {}s", kind(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("map of {}s", kind(&schema["additionalProperties"]))
        }
        "string" if schema["format"] == "date-time" => "time".to_owned(),
        other => other.to_owned(),
    }
}

fn collect(above: &str, name: &str, schema: &Value, found: &mut Vec<(String, String)>) {
    let path = match (above, name) {
        ("", name) => name.to_owned(),
        (above, "[]") => format!("{above}[]"),
        (above, name) => format!("{above}.{name}"),
    };
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let field = match (path.as_str(), rule["fieldPath"].as_str()) {
            ("the object", Some(field)) => field.trim_start_matches('.').to_owned(),
            ("the object", None) => "metadata.name".to_owned(),
            (path, field) => format!("{path}{}", field.unwrap_or_default()),
        };
        found.push((field, rule["message"].as_str().unwrap().to_owned()));
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        collect(&path, name, field, found);
    }
    if schema["items"].is_object() {
        collect(&path, "[]", &schema["items"], found);
    }
}
