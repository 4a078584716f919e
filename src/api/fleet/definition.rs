//! The Fleet's custom resource definition: the types' own schema with the rules, defaults and columns that they cannot say.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::{Fleet, rules};
use crate::api::definition::{Column, Definition};

/// What `kubectl get asfleet` shows: name, type, path, description.
const COLUMNS: [Column; 7] = [
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
const WIDE_COLUMNS: [Column; 4] = [
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
    Definition {
        columns: &COLUMNS,
        wide_columns: &WIDE_COLUMNS,
        defaults: &POLICIES,
        object_rules: &rules::OBJECT,
        spec_rules: &rules::SPEC,
    }
    .complete(Fleet::crd())
}
