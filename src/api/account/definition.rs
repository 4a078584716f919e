//! The Account's custom resource definition: the types' own schema with the rules and columns that they cannot say.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::{Account, rules};
use crate::api::definition::{Column, Definition};

/// What `kubectl get awsacct` shows: name, type, path, description.
const COLUMNS: [Column; 5] = [
    ("Account ID", "string", ".status.accountId", "The AWS account that the identity belongs to"),
    ("Region", "string", ".spec.region", "The Region of objects that name none"),
    ("Default", "boolean", ".spec.default", "Whether objects that name no Account live here"),
    ("Ready", "string", ".status.conditions[?(@.type==\"Ready\")].status", "Whether it can be used"),
    ("Age", "date", ".metadata.creationTimestamp", "When the object was created"),
];

/// What `-o wide` shows besides.
const WIDE_COLUMNS: [Column; 2] = [
    ("Reason", "string", ".status.conditions[?(@.type==\"Ready\")].reason", "Why it is ready or not"),
    ("Caller", "string", ".status.callerArn", "The identity that shared reads are made by"),
];

/// The definition as the API server is given it. `Account::crd()` lacks most of it: never install that one.
pub fn definition() -> CustomResourceDefinition {
    Definition {
        columns: &COLUMNS,
        wide_columns: &WIDE_COLUMNS,
        defaults: &[],
        object_rules: &[],
        spec_rules: &rules::SPEC,
    }
    .complete(Account::crd())
}
