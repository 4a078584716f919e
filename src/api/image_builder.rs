//! The ImageBuilder: an AppStream 2.0 (WorkSpaces Applications) image builder, the machine that images are made on.
//!
//! AWS changes nothing of an image builder but its tags and its power, so that everything else is refused by a rule when it
//! changes. Bounds are the widest that AWS has ever had (AppStream API models of 2017 to 2026).

mod definition;
mod rules;
mod status;

use std::collections::BTreeSet;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::Common;
use super::fleet::{DesiredState, DomainJoinInfo, RootVolumeConfig};
use super::form;
use super::schema::{field_words_first, members};
use super::stack::AccessEndpoint;
use super::text::{Arn, AwsName};
pub use definition::definition;
pub use status::{BuilderApplied, BuilderError, BuilderInternal, ImageBuilderStatus, StateChangeReason};

/// The image builder that is wanted. A field that is left out is not compared with AWS.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "appstream.windlass.dev",
    version = "v1alpha1",
    kind = "ImageBuilder",
    plural = "imagebuilders",
    namespaced
)]
#[kube(
    status = "ImageBuilderStatus",
    derive = "PartialEq",
    shortname = "asbuilder",
    category = "windlass",
    category = "aws"
)]
#[kube(
    doc = "An Amazon AppStream 2.0 (WorkSpaces Applications) image builder: the machine on which an administrator makes images. AWS tells nobody whether a person is working on it: turn it off only when nobody is.",
    selectable = ".spec.desiredState",
    selectable = ".status.state"
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = field_words_first)]
pub struct ImageBuilderSpec {
    /// The image builder's name in AWS, 1 to 101 letters, digits, `_`, `.` and `-`, beginning with a letter or digit; unique
    /// in its account and Region. Default: the object's own name. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<AwsName>,
    /// Whether the image builder should be on. `Running`: it is started. `Stopped`: it is stopped at once, once AWS has
    /// finished what it is at (making an image, above all); AWS does not tell whether a person is working on it.
    #[serde(default)]
    pub desired_state: DesiredState,
    /// The fields that AWS knows.
    #[serde(flatten)]
    pub settings: BuilderSettings,
    /// The fields common to every kind.
    #[serde(flatten)]
    pub common: Common,
}

/// Every field of CreateImageBuilder. AWS can change none of them later.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuilderSettings {
    /// The instance type, such as `stream.standard.medium`, 1 to 128 characters. Required. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(required, length(min = 1, max = 128), extend("x-kubernetes-validations" = form::INSTANCE_TYPE))]
    pub instance_type: Option<String>,
    /// The image to begin with by name, 1 to 101 characters; exactly one of `imageName` and `imageArn`. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_name: Option<AwsName>,
    /// The image to begin with by ARN, 1 to 2048 characters; needed for an image that another account shares. See
    /// `imageName`. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = form::IMAGE_ARN))]
    pub image_arn: Option<Arn>,
    /// The name that administrators see, 1 to 100 characters. Default: AWS's own. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub display_name: Option<String>,
    /// A description for administrators, 1 to 256 characters. Default: none. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub description: Option<String>,
    /// The subnet and security groups of the machine. Default: AWS's choice. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_config: Option<BuilderVpcConfig>,
    /// The IAM role that programs on the machine may use, as an ARN of 1 to 2048 characters. Default: none. An Account
    /// object must allow it, so without one the image builder is Stalled with reason `NotAllowed`. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = form::ROLE_ARN))]
    pub iam_role_arn: Option<Arn>,
    /// Whether the machine reaches the internet through an address that AWS gives it. Default: AWS's own (it does not).
    /// Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_default_internet_access: Option<bool>,
    /// The Active Directory domain that the machine joins. Default: none. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_join_info: Option<DomainJoinInfo>,
    /// The version of AWS's agent on the machine, or `LATEST`, 1 to 100 characters. Default: that of the image. Cannot be
    /// changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub appstream_agent_version: Option<String>,
    /// The interface VPC endpoints that administrators must come through, 1 to 4. Default: none. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4), extend("x-kubernetes-list-type" = "atomic"))]
    pub access_endpoints: Option<Vec<AccessEndpoint>>,
    /// The root volume of the machine. Default: AWS's own (200 GiB). Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_volume_config: Option<RootVolumeConfig>,
    /// Licensed programs to install when the machine is created, as AWS names them, 1 to 32 names of at most 256 characters,
    /// such as `Microsoft_Office_2024_LTSC_Standard_64Bit`. Default: none. Cannot be changed, and AWS does not tell it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "set"), transform = members(1, 256, &[]))]
    pub softwares_to_install: Option<BTreeSet<String>>,
    /// Licensed programs of the image to take off when the machine is created, 1 to 32 names of at most 256 characters.
    /// Default: none. Cannot be changed, and AWS does not tell it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "set"), transform = members(1, 256, &[]))]
    pub softwares_to_uninstall: Option<BTreeSet<String>>,
    /// Whether version 1 of the instance metadata service is turned off. Default: AWS's own. Cannot be changed.
    #[serde(rename = "disableIMDSV1", skip_serializing_if = "Option::is_none")]
    pub disable_imdsv1: Option<bool>,
}

/// The subnet and security groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::VPC_CONFIG))]
pub struct BuilderVpcConfig {
    /// The subnet that the machine is put in, 1 to 1 id of at most 64 characters. Default: AWS's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1), extend("x-kubernetes-list-type" = "set"), transform = members(1, 64, &form::SUBNET_ID))]
    pub subnet_ids: Option<BTreeSet<String>>,
    /// The security groups of the machine, 1 to 5 ids of at most 64 characters. Default: the VPC's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 5), extend("x-kubernetes-list-type" = "set"), transform = members(1, 64, &form::SECURITY_GROUP_ID))]
    pub security_group_ids: Option<BTreeSet<String>>,
}
