//! The AccessGrant's custom resource definition: the types' own schema with the rules and columns that they cannot say.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::{AccessGrant, rules};
use crate::api::definition::{Column, Definition};

/// What `kubectl get grant` shows: name, type, path, description.
const COLUMNS: [Column; 4] = [
    ("Target", "string", ".status.target", "What the grant opens"),
    ("Expires", "string", ".status.endsAt", "When the grant ends"),
    (
        "Ready",
        "string",
        ".status.conditions[?(@.type==\"Ready\")].status",
        "Whether the Secret has credentials that work; empty when the grant is over",
    ),
    ("Age", "date", ".metadata.creationTimestamp", "When the object was created"),
];

/// What `-o wide` shows besides.
const WIDE_COLUMNS: [Column; 4] = [
    ("Reason", "string", ".status.conditions[?(@.type==\"Ready\")].reason", "Why it is ready or not"),
    ("Ended", "string", ".status.conditions[?(@.type==\"Ended\")].reason", "Why the grant is over"),
    ("Secret", "string", ".status.secretName", "Where the credentials are"),
    ("Credentials", "string", ".status.credentialExpiresAt", "When the present credentials expire"),
];

/// The definition as the API server is given it. `AccessGrant::crd()` lacks most of it: never install that one.
pub fn definition() -> CustomResourceDefinition {
    Definition {
        columns: &COLUMNS,
        wide_columns: &WIDE_COLUMNS,
        defaults: &[],
        object_rules: &[],
        spec_rules: &rules::SPEC,
    }
    .complete(AccessGrant::crd())
}
