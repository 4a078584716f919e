//! The Stack's custom resource definition: the types' own schema with the rules, defaults and columns that they cannot say.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::{Stack, rules};
use crate::api::definition::{Column, Definition};

/// What `kubectl get asstack` shows: name, type, path, description.
const COLUMNS: [Column; 3] = [
    ("Fleet", "string", ".status.fleetName", "The fleet that AWS has it associated with"),
    (
        "Ready",
        "string",
        ".status.conditions[?(@.type==\"Ready\")].status",
        "Whether users can use it and nothing is left to do",
    ),
    ("Age", "date", ".metadata.creationTimestamp", "When the object was created"),
];

/// What `-o wide` shows besides.
const WIDE_COLUMNS: [Column; 3] = [
    ("Reason", "string", ".status.conditions[?(@.type==\"Ready\")].reason", "Why it is ready or not"),
    ("Synced", "string", ".status.conditions[?(@.type==\"Synced\")].status", "Whether AWS equals the spec"),
    ("Name", "string", ".status.name", "The name in AWS"),
];

/// The policies that every kind has, with the defaults that suit a stack: it holds nothing that a new one would lack.
const POLICIES: [(&str, &str); 4] = [
    ("deletionPolicy", "Delete"),
    ("adoptionPolicy", "Never"),
    ("managementPolicy", "Manage"),
    ("recreatePolicy", "Always"),
];

/// The definition as the API server is given it. `Stack::crd()` lacks most of it: never install that one.
pub fn definition() -> CustomResourceDefinition {
    Definition {
        columns: &COLUMNS,
        wide_columns: &WIDE_COLUMNS,
        defaults: &POLICIES,
        object_rules: &rules::OBJECT,
        spec_rules: &rules::SPEC,
    }
    .complete(Stack::crd())
}
