//! The Fleet's custom resource definition: the types' own schema with the rules, defaults and columns that they cannot say.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, JSON, JSONSchemaProps,
};
use kube::CustomResourceExt;
use serde_json::json;

use super::{Fleet, rules};
use crate::api::schema::{add_rules, field, tidy, without_defaults};

/// What `kubectl get asfleet` shows: name, type, path, description.
const COLUMNS: [(&str, &str, &str, &str); 7] = [
    ("State", "string", ".status.state", "AWS's state of the fleet"),
    ("Desired", "integer", ".status.capacity.desired", "Instances wanted"),
    ("Running", "integer", ".status.capacity.running", "Instances running"),
    ("In use", "integer", ".status.capacity.inUse", "Instances with users"),
    ("Image", "string", ".status.imageName", "The image that AWS has"),
    (
        "Ready",
        "string",
        ".status.conditions[?(@.type==\"Ready\")].status",
        "Whether users can use it and nothing is left to do",
    ),
    ("Age", "date", ".metadata.creationTimestamp", "When the object was created"),
];

/// What `-o wide` shows besides.
const WIDE_COLUMNS: [(&str, &str, &str, &str); 4] = [
    ("Reason", "string", ".status.conditions[?(@.type==\"Ready\")].reason", "Why it is ready or not"),
    ("Synced", "string", ".status.conditions[?(@.type==\"Synced\")].status", "Whether AWS equals the spec"),
    ("Type", "string", ".spec.fleetType", "How instances are kept ready"),
    ("Name", "string", ".status.name", "The name in AWS"),
];

/// The policies that every kind has, with the defaults that suit a fleet: it holds nothing that a new one would lack.
const POLICIES: [(&str, &str); 4] = [
    ("deletionPolicy", "Delete"),
    ("adoptionPolicy", "Never"),
    ("managementPolicy", "Manage"),
    ("recreatePolicy", "Always"),
];

/// The definition as the API server is given it. `Fleet::crd()` lacks most of it: never install that one.
pub fn definition() -> CustomResourceDefinition {
    let mut definition = Fleet::crd();
    for version in &mut definition.spec.versions {
        version.additional_printer_columns = Some(columns());
        if let Some(object) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            complete(object);
        }
    }
    definition
}

fn complete(object: &mut JSONSchemaProps) {
    tidy(object);
    add_rules(object, &rules::OBJECT);
    if let Some(spec) = field(object, "spec") {
        add_rules(spec, &rules::SPEC);
        for (name, value) in POLICIES {
            if let Some(policy) = field(spec, name) {
                policy.default = Some(JSON(json!(value)));
            }
        }
    }
    if let Some(status) = field(object, "status") {
        without_defaults(status);
        // Tools that wait for an object call one without a status ready; this says that nobody has looked at it yet.
        status.default = Some(JSON(json!({ "observedGeneration": -1 })));
    }
}

fn columns() -> Vec<CustomResourceColumnDefinition> {
    let column =
        |(name, type_, path, description): (&str, &str, &str, &str), priority| CustomResourceColumnDefinition {
            name: name.to_owned(),
            type_: type_.to_owned(),
            json_path: path.to_owned(),
            description: Some(description.to_owned()),
            format: None,
            priority,
        };
    let always = COLUMNS.into_iter().map(|told| column(told, None));
    always.chain(WIDE_COLUMNS.into_iter().map(|told| column(told, Some(1)))).collect()
}
