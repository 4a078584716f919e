//! The files in `crds/` are the ones that the types give, and the schemas keep the rules that every kind has to keep.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod reference;

use std::path::Path;

use serde_json::Value;

const PUT_RIGHT: &str = "run `make crds`";

#[test]
fn the_files_are_those_that_the_types_give() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let mut wanted: Vec<String> = windlass::crds::all().iter().map(windlass::crds::file_name).collect();
    wanted.sort();
    let mut there: Vec<String> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.sort();
    assert_eq!(there, wanted, "{PUT_RIGHT}");
    for definition in windlass::crds::all() {
        let path = folder.join(windlass::crds::file_name(&definition));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text == windlass::crds::yaml(&definition),
            "{} is not what the types give: {PUT_RIGHT}",
            path.display()
        );
    }
}

#[test]
fn every_field_says_what_it_is() {
    let silent: Vec<String> = all_fields()
        .into_iter()
        .filter(|(_, schema)| schema["description"].as_str().is_none_or(|text| text.len() < 12 || !text.ends_with('.')))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(silent, Vec::<String>::new(), "fields without a description that is a sentence");
}

#[test]
fn a_description_names_the_bounds_and_the_choices() {
    let mut lacking = Vec::new();
    for (path, schema) in all_fields() {
        // The bounds of conditions are those of meta/v1; they and `status` are read, not written, by people.
        if !path.contains(".spec.") {
            continue;
        }
        let text = schema["description"].as_str().unwrap_or_default().to_owned();
        let mut numbers = Vec::new();
        for key in ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties"] {
            numbers.extend(schema[key].as_f64().map(|bound| bound.to_string()));
        }
        for choice in schema["enum"].as_array().into_iter().flatten() {
            numbers.push(format!("`{}`", choice.as_str().unwrap()));
        }
        let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || ",.;:()".contains(c)).collect();
        for number in numbers {
            if !words.contains(&number.as_str()) {
                lacking.push(format!("{path} does not say {number}"));
            }
        }
    }
    assert_eq!(lacking, Vec::<String>::new());
}

#[test]
fn an_optional_field_of_the_spec_says_what_it_is_without() {
    let mut silent = Vec::new();
    for (path, schema) in nodes() {
        if !path.contains(".spec") {
            continue;
        }
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let text = field["description"].as_str().unwrap_or_default();
            // What is below one of these stands or falls with its siblings, by a rule of its own, or says who needs it.
            let told = [
                "Default",
                "default",
                "Required there",
                "exactly one of",
                "See `",
                "multi-session",
                "single-session",
                "Not available yet",
            ];
            if required.contains(&name.as_str()) {
                if !text.contains("Required") {
                    silent.push(format!("{path}.{name} is required and does not say so"));
                }
            } else if field["default"].is_null() && !told.iter().any(|words| text.contains(words)) {
                silent.push(format!("{path}.{name} does not say what holds without it"));
            }
        }
    }
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn everything_has_a_bound() {
    let mut unbounded = Vec::new();
    for (path, schema) in nodes() {
        let has = |key: &str| !schema[key].is_null();
        let bounded = match schema["type"].as_str() {
            // Generations count up from the API server's own counter: no upper bound has a meaning.
            Some("integer") => {
                has("minimum") && (has("maximum") || schema["format"] == "int64" && path.contains(".status"))
            }
            Some("string") => has("maxLength") || has("enum") || schema["format"] == "date-time",
            Some("array") => has("maxItems"),
            Some("object") => has("properties") || has("maxProperties"),
            Some("boolean") => true,
            Some(_) | None => false,
        };
        if !bounded {
            unbounded.push(path);
        }
    }
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn every_list_says_how_it_is_merged() {
    let mut untold = Vec::new();
    for (path, schema) in nodes() {
        let kind = schema["x-kubernetes-list-type"].as_str();
        let keys = &schema["x-kubernetes-list-map-keys"];
        match (schema["type"].as_str(), kind) {
            (Some("array"), Some("set" | "atomic")) if keys.is_null() => {}
            (Some("array"), Some("map")) if keys.is_array() => {}
            (Some("array"), _) => untold.push(path),
            (_, Some(_)) => untold.push(path),
            (_, None) => {}
        }
    }
    assert_eq!(untold, Vec::<String>::new());
}

#[test]
fn nothing_is_nullable_and_the_schema_is_closed() {
    let mut open = Vec::new();
    for (path, schema) in nodes() {
        for key in [
            "nullable",
            "x-kubernetes-preserve-unknown-fields",
            "x-kubernetes-embedded-resource",
            "anyOf",
            "oneOf",
            "allOf",
        ] {
            if !schema[key].is_null() {
                open.push(format!("{path}: {key}"));
            }
        }
    }
    assert_eq!(open, Vec::<String>::new());
}

#[test]
fn no_field_names_another_namespace() {
    let named: Vec<String> = all_fields()
        .into_iter()
        .map(|(path, _)| path)
        // An Account is cluster-scoped, and for administrators: it is what says which namespaces may use it.
        .filter(|path| !path.starts_with("Account."))
        .filter(|path| path.rsplit('.').next().unwrap().to_lowercase().contains("namespace"))
        .collect();
    assert_eq!(named, Vec::<String>::new());
}

#[test]
fn the_defaults_are_these_and_no_others() {
    let mut defaults: Vec<String> = nodes()
        .into_iter()
        .filter(|(_, schema)| !schema["default"].is_null())
        .map(|(path, schema)| format!("{path} = {}", schema["default"]))
        .collect();
    defaults.sort();
    assert_eq!(
        defaults,
        [
            r#"AccessGrant.spec.decryptionKeyRef.key = "ssh-privatekey""#,
            r#"AccessGrant.status = {"observedGeneration":-1}"#,
            r#"Account.status = {"observedGeneration":-1}"#,
            r#"Fleet.spec.adoptionPolicy = "Never""#,
            r#"Fleet.spec.deletionPolicy = "Delete""#,
            r#"Fleet.spec.desiredState = "Running""#,
            r#"Fleet.spec.disruption.policy = "WhenIdle""#,
            r#"Fleet.spec.disruption.windows[].timeZone = "UTC""#,
            r#"Fleet.spec.fleetType = "ON_DEMAND""#,
            r#"Fleet.spec.managementPolicy = "Manage""#,
            r#"Fleet.spec.powerSchedule[].timeZone = "UTC""#,
            r#"Fleet.spec.recreatePolicy = "Always""#,
            r#"Fleet.spec.updateStrategy.type = "Restart""#,
            r#"Fleet.spec.updateStrategy.whileRunning = "Minimal""#,
            r#"Fleet.status = {"observedGeneration":-1}"#,
            r#"ImageBuilder.spec.adoptionPolicy = "Never""#,
            r#"ImageBuilder.spec.deletionPolicy = "Delete""#,
            r#"ImageBuilder.spec.desiredState = "Running""#,
            r#"ImageBuilder.spec.managementPolicy = "Manage""#,
            r#"ImageBuilder.spec.recreatePolicy = "Never""#,
            r#"ImageBuilder.status = {"observedGeneration":-1}"#,
            r#"Instance.spec.adoptionPolicy = "Never""#,
            r#"Instance.spec.autoSnapshotsOnDelete = "Wait""#,
            r#"Instance.spec.deletionPolicy = "Delete""#,
            r#"Instance.spec.desiredState = "Running""#,
            r#"Instance.spec.disruption.policy = "Never""#,
            r#"Instance.spec.disruption.windows[].timeZone = "UTC""#,
            r#"Instance.spec.managementPolicy = "Manage""#,
            r#"Instance.spec.recreatePolicy = "Never""#,
            r#"Instance.status = {"observedGeneration":-1}"#,
            r#"Stack.spec.adoptionPolicy = "Never""#,
            r#"Stack.spec.deletionPolicy = "Delete""#,
            r#"Stack.spec.disruption.policy = "WhenIdle""#,
            r#"Stack.spec.disruption.windows[].timeZone = "UTC""#,
            r#"Stack.spec.managementPolicy = "Manage""#,
            r#"Stack.spec.recreatePolicy = "Always""#,
            r#"Stack.status = {"observedGeneration":-1}"#,
        ]
    );
}

#[test]
fn every_rule_has_a_sentence_and_a_reason() {
    let mut poor = Vec::new();
    for (path, schema) in nodes() {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let message = rule["message"].as_str().unwrap_or_default();
            if message.split(' ').count() < 5 || rule["reason"].is_null() {
                poor.push(format!("{path}: {rule}"));
            }
        }
    }
    assert_eq!(poor, Vec::<String>::new());
}

#[test]
fn a_fleet_is_named_shown_and_scaled_as_documented() {
    let fleet = windlass::crds::all().into_iter().find(|crd| crd.spec.names.kind == "Fleet").unwrap();
    assert_eq!(fleet.spec.names.short_names, Some(vec!["asfleet".to_owned()]));
    assert_eq!(fleet.spec.names.categories, Some(vec!["windlass".to_owned(), "aws".to_owned()]));
    let version = &fleet.spec.versions[0];
    let columns = version.additional_printer_columns.as_ref().unwrap();
    let shown: Vec<&str> =
        columns.iter().filter(|column| column.priority.is_none()).map(|column| column.name.as_str()).collect();
    assert_eq!(shown, ["State", "Desired", "Running", "In use", "Image", "Ready", "Age"]);
    let wide: Vec<&str> =
        columns.iter().filter(|column| column.priority == Some(1)).map(|column| column.name.as_str()).collect();
    assert_eq!(wide, ["Reason", "Synced", "Type", "Name"]);
    let scale = version.subresources.as_ref().unwrap().scale.as_ref().unwrap();
    assert_eq!(scale.spec_replicas_path, ".spec.computeCapacity.desiredInstances");
    assert_eq!(scale.status_replicas_path, ".status.capacity.desired");
    assert_eq!(scale.label_selector_path.as_deref(), Some(".status.selector"));
    let selectable: Vec<&str> =
        version.selectable_fields.as_ref().unwrap().iter().map(|field| field.json_path.as_str()).collect();
    assert_eq!(selectable, [".spec.desiredState", ".spec.fleetType", ".status.state"]);
}

#[test]
fn a_stack_and_an_image_builder_are_named_and_shown_as_documented() {
    for (kind, short, columns, wide) in [
        ("Stack", "asstack", ["Fleet", "Ready", "Age"].as_slice(), ["Reason", "Synced", "Name"].as_slice()),
        (
            "ImageBuilder",
            "asbuilder",
            ["State", "Image", "IP", "Ready", "Age"].as_slice(),
            ["Reason", "Synced", "Platform", "Type", "Name"].as_slice(),
        ),
    ] {
        let definition = windlass::crds::all().into_iter().find(|crd| crd.spec.names.kind == kind).unwrap();
        assert_eq!(definition.spec.names.short_names, Some(vec![short.to_owned()]));
        assert_eq!(definition.spec.names.categories, Some(vec!["windlass".to_owned(), "aws".to_owned()]));
        let all = definition.spec.versions[0].additional_printer_columns.clone().unwrap();
        let (first, more): (Vec<_>, Vec<_>) = all.into_iter().partition(|column| column.priority.is_none());
        assert_eq!(first.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), columns);
        assert_eq!(more.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), wide);
    }
}

#[test]
fn an_instance_is_named_and_shown_as_documented() {
    let instance = windlass::crds::all().into_iter().find(|crd| crd.spec.names.kind == "Instance").unwrap();
    assert_eq!(windlass::crds::file_name(&instance), "lightsail.windlass.dev_instances.yaml");
    assert_eq!(instance.spec.names.short_names, Some(vec!["lsinstance".to_owned()]));
    assert_eq!(instance.spec.names.categories, Some(vec!["windlass".to_owned(), "aws".to_owned()]));
    let version = &instance.spec.versions[0];
    let columns = version.additional_printer_columns.as_ref().unwrap();
    let shown: Vec<&str> =
        columns.iter().filter(|column| column.priority.is_none()).map(|column| column.name.as_str()).collect();
    assert_eq!(shown, ["State", "IP", "Bundle", "Blueprint", "Ready", "Age"]);
    let wide: Vec<&str> =
        columns.iter().filter(|column| column.priority == Some(1)).map(|column| column.name.as_str()).collect();
    assert_eq!(wide, ["Reason", "Synced", "Zone", "Username", "Platform", "USD/month", "Name"]);
    assert!(version.subresources.as_ref().unwrap().scale.is_none());
}

/// Every schema below the root of every kind, with its path (`Fleet.spec.tags{}`), as JSON.
fn nodes() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for definition in windlass::crds::all() {
        let root = &serde_json::to_value(&definition.spec.versions[0].schema).unwrap()["openAPIV3Schema"];
        for name in ["spec", "status"] {
            collect(&format!("{}.{name}", definition.spec.names.kind), &root["properties"][name], &mut found);
        }
    }
    assert!(found.len() > 80, "the walk found only {} schemas", found.len());
    found
}

/// Every schema that is a named field, not an item of a list or map.
fn all_fields() -> Vec<(String, Value)> {
    nodes().into_iter().filter(|(path, _)| !path.ends_with("[]") && !path.ends_with("{}")).collect()
}

fn collect(path: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
    found.push((path.to_owned(), schema.clone()));
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        collect(&format!("{path}.{name}"), field, found);
    }
    if schema["items"].is_object() {
        collect(&format!("{path}[]"), &schema["items"], found);
    }
    if schema["additionalProperties"].is_object() {
        collect(&format!("{path}{{}}"), &schema["additionalProperties"], found);
    }
}
