//! The Instance's custom resource definition: the types' own schema with the rules, defaults and columns that they cannot
//! say.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::{Instance, rules};
use crate::api::definition::{Column, Definition};

/// What `kubectl get lsinstance` shows: name, type, path, description.
const COLUMNS: [Column; 6] = [
    ("State", "string", ".status.state", "AWS's state of the instance"),
    ("IP", "string", ".status.address", "Where users reach it"),
    ("Bundle", "string", ".status.bundleId", "The size that AWS has"),
    ("Blueprint", "string", ".status.blueprintId", "What AWS made it of"),
    (
        "Ready",
        "string",
        ".status.conditions[?(@.type==\"Ready\")].status",
        "Whether users can use it and nothing is left to do",
    ),
    ("Age", "date", ".metadata.creationTimestamp", "When the object was created"),
];

/// What `-o wide` shows besides.
const WIDE_COLUMNS: [Column; 7] = [
    ("Reason", "string", ".status.conditions[?(@.type==\"Ready\")].reason", "Why it is ready or not"),
    ("Synced", "string", ".status.conditions[?(@.type==\"Synced\")].status", "Whether AWS equals the spec"),
    ("Zone", "string", ".status.availabilityZone", "The Availability Zone"),
    ("Username", "string", ".status.username", "Whom to log in as"),
    ("Platform", "string", ".status.platform", "The platform of the blueprint"),
    ("USD/month", "string", ".status.monthlyPrice", "The list price of the bundle"),
    ("Name", "string", ".status.name", "The name in AWS"),
];

/// The policies that every kind has, with the defaults that suit an instance: what was on its disk went with it.
const POLICIES: [(&str, &str); 4] = [
    ("deletionPolicy", "Delete"),
    ("adoptionPolicy", "Never"),
    ("managementPolicy", "Manage"),
    ("recreatePolicy", "Never"),
];

/// The definition as the API server is given it. `Instance::crd()` lacks most of it: never install that one.
pub fn definition() -> CustomResourceDefinition {
    Definition {
        columns: &COLUMNS,
        wide_columns: &WIDE_COLUMNS,
        defaults: &POLICIES,
        object_rules: &rules::OBJECT,
        spec_rules: &rules::SPEC,
    }
    .complete(Instance::crd())
}
