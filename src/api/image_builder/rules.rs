//! What no single field of an ImageBuilder can be judged by: which fields go together, and that none of them can change.

use crate::api::schema::{Rule, forbid, form, require};

/// Rules on the whole object.
pub const OBJECT: [Rule; 2] = [
    form(
        "has(self.spec.name) || self.metadata.name.size() <= 101",
        "the object's name is the image builder's name in AWS, which has at most 101 characters: give a shorter spec.name",
    ),
    forbid(
        ".spec.name",
        "(has(self.spec.name) ? self.spec.name : self.metadata.name) == (has(oldSelf.spec.name) ? oldSelf.spec.name : oldSelf.metadata.name)",
        "the name of an image builder cannot be changed: create an ImageBuilder object with the other name, then delete this one",
    ),
];

/// A rule by which an optional field keeps its value.
macro_rules! unchanged {
    ($path:literal, $field:literal) => {
        forbid(
            $path,
            concat!(
                "has(self.", $field, ") == has(oldSelf.", $field, ") && (!has(self.", $field, ") || self.", $field,
                " == oldSelf.", $field, ")"
            ),
            concat!(
                "AWS cannot change ", $field,
                " of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"
            ),
        )
    };
}

/// Rules on the spec.
pub const SPEC: [Rule; 19] = [
    forbid(
        ".region",
        "!has(oldSelf.region) || has(self.region) && self.region == oldSelf.region",
        "the Region cannot be changed or taken away once it is set: create an ImageBuilder object with another name there, then delete this one",
    ),
    // When Account objects exist, this rule gives way to the one that `region` has.
    forbid(
        ".account",
        "!has(self.account)",
        "Account objects come with a later release: leave account out, and the operator's own AWS identity is used",
    ),
    forbid(
        ".imageName",
        "!(has(self.imageName) && has(self.imageArn))",
        "imageName and imageArn name the same thing: give one of them, imageArn for an image that another account shares",
    ),
    require(
        ".imageName",
        "has(self.imageName) || has(self.imageArn)",
        "an image builder begins with an image: give imageName, or imageArn for an image that another account shares",
    ),
    unchanged!(".instanceType", "instanceType"),
    unchanged!(".imageName", "imageName"),
    unchanged!(".imageArn", "imageArn"),
    unchanged!(".displayName", "displayName"),
    unchanged!(".description", "description"),
    unchanged!(".vpcConfig", "vpcConfig"),
    unchanged!(".iamRoleArn", "iamRoleArn"),
    unchanged!(".enableDefaultInternetAccess", "enableDefaultInternetAccess"),
    unchanged!(".domainJoinInfo", "domainJoinInfo"),
    unchanged!(".appstreamAgentVersion", "appstreamAgentVersion"),
    unchanged!(".accessEndpoints", "accessEndpoints"),
    unchanged!(".rootVolumeConfig", "rootVolumeConfig"),
    unchanged!(".softwaresToInstall", "softwaresToInstall"),
    unchanged!(".softwaresToUninstall", "softwaresToUninstall"),
    unchanged!(".disableIMDSV1", "disableIMDSV1"),
];

/// Rules on `vpcConfig`.
pub const VPC_CONFIG: [Rule; 1] = [form(
    "has(self.subnetIds) || has(self.securityGroupIds)",
    "vpcConfig is empty: give subnetIds or securityGroupIds, or leave it out for AWS's choice",
)];
