//! The ImageBuilder's custom resource definition: the types' own schema with the rules, defaults and columns that they
//! cannot say.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::{ImageBuilder, rules};
use crate::api::definition::{Column, Definition};

/// What `kubectl get asbuilder` shows: name, type, path, description.
const COLUMNS: [Column; 5] = [
    ("State", "string", ".status.state", "AWS's state of the image builder"),
    ("Image", "string", ".status.imageName", "The image that it began with"),
    ("IP", "string", ".status.privateIpAddress", "Its address in the VPC"),
    (
        "Ready",
        "string",
        ".status.conditions[?(@.type==\"Ready\")].status",
        "Whether it can be used and nothing is left to do",
    ),
    ("Age", "date", ".metadata.creationTimestamp", "When the object was created"),
];

/// What `-o wide` shows besides.
const WIDE_COLUMNS: [Column; 5] = [
    ("Reason", "string", ".status.conditions[?(@.type==\"Ready\")].reason", "Why it is ready or not"),
    ("Synced", "string", ".status.conditions[?(@.type==\"Synced\")].status", "Whether AWS equals the spec"),
    ("Platform", "string", ".status.platform", "The operating system"),
    ("Type", "string", ".status.instanceType", "The instance type"),
    ("Name", "string", ".status.name", "The name in AWS"),
];

/// The policies that every kind has, with the defaults that suit an image builder: what was installed on one that is gone
/// is gone with it, so that none is made again unasked.
const POLICIES: [(&str, &str); 4] = [
    ("deletionPolicy", "Delete"),
    ("adoptionPolicy", "Never"),
    ("managementPolicy", "Manage"),
    ("recreatePolicy", "Never"),
];

/// The definition as the API server is given it. `ImageBuilder::crd()` lacks most of it: never install that one.
pub fn definition() -> CustomResourceDefinition {
    Definition {
        columns: &COLUMNS,
        wide_columns: &WIDE_COLUMNS,
        defaults: &POLICIES,
        object_rules: &rules::OBJECT,
        spec_rules: &rules::SPEC,
    }
    .complete(ImageBuilder::crd())
}
