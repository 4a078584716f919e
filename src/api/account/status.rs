//! What an Account's status shows.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema::{conditions, field_words_first};

/// Whom the Account's roles lead to, and whether it can be used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = field_words_first)]
pub struct AccountStatus {
    /// The generation of the spec that this status is about; -1 until the operator has looked at the object.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// What holds for the object: `Ready` always; `Reconciling` and `Stalled` while so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = conditions)]
    pub conditions: Vec<Condition>,
    /// The AWS account that the identity belongs to, at most 64 characters, as AWS last said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub account_id: Option<String>,
    /// The identity that shared reads are made by, as an ARN of at most 2048 characters, as AWS last said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub caller_arn: Option<String>,
}
