//! The Account: which namespaces may act in which AWS account, by which role, and what they may ask for.
//!
//! It is cluster-scoped, for cluster administrators: whoever writes Fleets or Instances never names a role.

mod definition;
mod rules;
mod status;

use std::collections::{BTreeMap, BTreeSet};

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::form;
use super::schema::{field_words_first, members};
use super::text::{Arn, Region};
pub use definition::definition;
pub use status::AccountStatus;

/// Where objects of which namespaces may live, and what they may ask for.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "aws.windlass.dev", version = "v1alpha1", kind = "Account", plural = "accounts")]
#[kube(status = "AccountStatus", derive = "PartialEq", shortname = "awsacct", category = "windlass", category = "aws")]
#[kube(
    doc = "An AWS account that objects of some namespaces may live in: by which role it is reached, and what they may ask for."
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = field_words_first)]
pub struct AccountSpec {
    /// The Region of objects that name none, such as `eu-central-1`, 1 to 32 characters. Default: the operator's own
    /// (`--region`). When it changes, objects that rested on it are Stalled with reason `AccountMoved` until it is back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// The Regions that objects may live in, 1 to 64 of 1 to 32 characters. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("x-kubernetes-list-type" = "set"), transform = members(1, 32, &form::REGION))]
    pub allowed_regions: Option<BTreeSet<Region>>,
    /// The roles by which AWS is reached, 1 to 4, each assumed by the one before and the first by the operator's own
    /// identity. Default: the operator's own identity. The session is named `windlass-<namespace>`; reads that many objects
    /// share have one of their own, `windlass-reads`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4), extend("x-kubernetes-list-type" = "atomic"))]
    pub assume_roles: Option<Vec<AssumeRole>>,
    /// Whether the session of the last role carries the tags `windlass.dev/cluster` and `windlass.dev/namespace`, for
    /// policies that look at them. The trust policy of that role must then allow `sts:TagSession`. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_tags: Option<bool>,
    /// Addresses of AWS's services other than its public ones. Default: as the operator's environment says
    /// (`AWS_ENDPOINT_URL`), else AWS's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,
    /// The AWS account that this must be, 12 digits. It is asked for (GetCallerIdentity) before the first use: if it is
    /// another, nothing is done in it. Default: whichever the identity belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 12, max = 12), extend("x-kubernetes-validations" = rules::ACCOUNT_ID))]
    pub expected_account_id: Option<String>,
    /// Whether objects that name no Account live here. Two that say so are both Stalled with reason `DefaultConflict`, and
    /// serve as default for nobody. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
    /// The namespaces whose objects may live here: those named and those selected. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<Namespaces>,
    /// What they may ask for. Default: every kind, and nothing that needs leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<Allowance>,
    /// How fast AWS is asked. Default: 100 requests a second and 50 at once, and slower while AWS throttles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<RequestLimits>,
}

/// A role on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssumeRole {
    /// The role, as an ARN of 1 to 2048 characters. Required.
    #[schemars(extend("x-kubernetes-validations" = form::ROLE_ARN))]
    pub arn: Arn,
    /// The external id that the role's trust policy asks for, 2 to 1224 characters. It is no secret. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 1224), extend("x-kubernetes-validations" = rules::EXTERNAL_ID))]
    pub external_id: Option<String>,
}

/// Addresses of services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// The address of AppStream, 1 to 2048 characters. Default: `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), extend("x-kubernetes-validations" = rules::ENDPOINT))]
    pub appstream: Option<String>,
    /// The address of Lightsail, 1 to 2048 characters. Default: `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), extend("x-kubernetes-validations" = rules::ENDPOINT))]
    pub lightsail: Option<String>,
    /// The address of GameLift, 1 to 2048 characters. Default: `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), extend("x-kubernetes-validations" = rules::ENDPOINT))]
    pub gamelift: Option<String>,
    /// The address of STS, 1 to 2048 characters. Default: `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), extend("x-kubernetes-validations" = rules::ENDPOINT))]
    pub sts: Option<String>,
    /// The address of every service that has none of its own here, 1 to 2048 characters. Default: as the operator's
    /// environment says, else AWS's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), extend("x-kubernetes-validations" = rules::ENDPOINT))]
    pub all: Option<String>,
}

/// Namespaces: those named, and those selected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Namespaces {
    /// Namespaces by name, at most 1000 of 1 to 63 characters. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000), extend("x-kubernetes-list-type" = "set"), transform = members(1, 63, &rules::NAMESPACE))]
    pub names: Option<BTreeSet<String>>,
    /// Namespaces by their labels; an empty selector means every namespace. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
}

/// A label selector, as Kubernetes has it: everything that it says must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// Labels that must be there with these values, at most 64; values of at most 63 characters. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 64), transform = members(0, 63, &[]))]
    pub match_labels: Option<BTreeMap<String, String>>,
    /// What must hold of labels besides, at most 64 conditions. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub match_expressions: Option<Vec<Requirement>>,
}

/// What must hold of one label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = field_words_first, extend("x-kubernetes-validations" = rules::REQUIREMENT))]
pub struct Requirement {
    /// The label's key, 1 to 317 characters. Required.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// `In`: its value is one of `values`. `NotIn`: it is none of them, or the label is not there. `Exists`: the label is
    /// there. `DoesNotExist`: it is not. Required.
    pub operator: Operator,
    /// The values that `In` and `NotIn` look for, 1 to 256 of at most 63 characters. Default: none, as `Exists` and
    /// `DoesNotExist` have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), extend("x-kubernetes-list-type" = "set"), transform = members(0, 63, &[]))]
    pub values: Option<BTreeSet<String>>,
}

/// How a label is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Operator {
    /// Its value is one of these.
    In,
    /// It is not there, or its value is none of these.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

/// What objects may ask for. What is left out is not allowed, but for `kinds`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Allowance {
    /// The kinds whose objects may live here: `Fleet`, `Stack`, `ImageBuilder`, `Instance`, `AccessGrant`; 1 to 5.
    /// Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 5), extend("x-kubernetes-list-type" = "set"))]
    pub kinds: Option<BTreeSet<AllowedKind>>,
    /// Whether resources that exist already may be taken over (`adoptionPolicy: IfExists`). Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adoption: Option<bool>,
    /// Whether a Stack may be joined to a fleet that is none of the operator's (`fleetName`). Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign_fleets: Option<bool>,
    /// The roles that may be given to AWS resources (`iamRoleArn`), as at most 64 ARNs of 1 to 2048 characters in which `*`
    /// stands for any text. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "set"), transform = members(1, 2048, &rules::ROLE_PATTERN))]
    pub pass_roles: Option<BTreeSet<String>>,
    /// What an AccessGrant may ask for. Default: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<AllowedGrants>,
}

/// A kind that objects may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum AllowedKind {
    Fleet,
    Stack,
    ImageBuilder,
    Instance,
    AccessGrant,
}

impl AllowedKind {
    /// The name of the kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fleet => "Fleet",
            Self::Stack => "Stack",
            Self::ImageBuilder => "ImageBuilder",
            Self::Instance => "Instance",
            Self::AccessGrant => "AccessGrant",
        }
    }
}

/// What an AccessGrant may ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowedGrants {
    /// The targets that a grant may have: `LightsailInstance`, `GameLiftInstance`, `GameLiftCompute`; at most 3.
    /// Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 3), extend("x-kubernetes-list-type" = "set"))]
    pub targets: Option<BTreeSet<GrantTarget>>,
    /// Whether a grant may name a target that is no object of its namespace: a machine by its name in AWS, and anything of
    /// GameLift. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmanaged: Option<bool>,
    /// The longest that a grant may last, such as `8h`, 2 to 21 characters. Default: as long as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 21), extend("x-kubernetes-validations" = form::DURATION))]
    pub max_duration: Option<String>,
}

/// What a grant opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum GrantTarget {
    /// A Lightsail instance.
    LightsailInstance,
    /// An instance of a GameLift fleet.
    GameLiftInstance,
    /// A compute of a GameLift fleet.
    GameLiftCompute,
}

/// How fast AWS is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestLimits {
    /// Requests a second, for each Region and service, reads and writes apart, 1 to 10000. Where several Accounts are one
    /// AWS account, the lowest counts. Default: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub requests_per_second: Option<i32>,
    /// Requests at once after a pause, 1 to 10000. Default: half of a second's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub burst: Option<i32>,
}
