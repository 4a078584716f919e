//! What is tried of an ImageBuilder.

use serde_json::{Value, json};

use super::bounds::{Bound, letters, list, long, padded, row};
use super::{Change, Good, Tried, Wrong};

pub const TRIED: Tried = Tried {
    kind: "ImageBuilder",
    good: &[SMALLEST, FULL],
    defaults: &[
        ("desiredState", "Running"),
        ("deletionPolicy", "Delete"),
        ("adoptionPolicy", "Never"),
        ("managementPolicy", "Manage"),
        ("recreatePolicy", "Never"),
    ],
    bounds: rows,
    wrong: WRONG,
    changes: CHANGES,
    status,
    columns: &["NAME", "STATE", "IMAGE", "IP", "READY", "AGE"],
};

#[rustfmt::skip]
const WRONG: &[Wrong] = &[
    // Which fields go together.
    (SMALLEST, "spec: {imageName: null}", "spec.imageName: Required value: an image builder begins with an image: give imageName, or imageArn for an image that another account shares"),
    (SMALLEST, "spec: {imageArn: 'arn:aws:appstream:eu-central-1::image/a'}", "spec.imageName: Forbidden: imageName and imageArn name the same thing: give one of them, imageArn for an image that another account shares"),
    (SMALLEST, "spec: {instanceType: null}", "spec.instanceType: Required value"),
    (SMALLEST, "spec: {vpcConfig: {}}", "vpcConfig is empty: give subnetIds or securityGroupIds, or leave it out for AWS's choice"),
    (SMALLEST, "spec: {vpcConfig: {subnetIds: [subnet-0a, subnet-0b]}}", "spec.vpcConfig.subnetIds: Too many: 2: must have at most 1 item"),
    (SMALLEST, "spec: {domainJoinInfo: {}}", "spec.domainJoinInfo.directoryName: Required value"),
    (SMALLEST, "spec: {rootVolumeConfig: {}}", "spec.rootVolumeConfig.volumeSizeInGb: Required value"),
    (SMALLEST, "metadata: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}", "the object's name is the image builder's name in AWS, which has at most 101 characters: give a shorter spec.name"),
    // Forms.
    (SMALLEST, "spec: {name: -a}", "an AWS name has 1 to 101 letters, digits, `_`, `.` and `-`, and begins with a letter or digit"),
    (SMALLEST, "spec: {imageName: a/b}", "spec.imageName: Invalid value: \"a/b\": an AWS name has 1 to 101 letters"),
    (SMALLEST, "spec: {region: Frankfurt}", "this is not an AWS Region, which looks like eu-central-1"),
    (SMALLEST, "spec: {account: -a}", "the name of an object has lower-case letters, digits, `-` and `.`, and begins and ends with a letter or digit"),
    (SMALLEST, "spec: {instanceType: 'stream standard'}", "an instance type has letters, digits, `_`, `.` and `-`, such as stream.standard.medium"),
    (FULL, "spec: {imageArn: windlass-demo-v1}", "this is not the ARN of an AppStream image, which looks like arn:aws:appstream:eu-central-1:123456789012:image/my-image (no account for a public image)"),
    (FULL, "spec: {iamRoleArn: my-role}", "this is not the ARN of an IAM role, which looks like arn:aws:iam::123456789012:role/my-role"),
    (SMALLEST, "spec: {vpcConfig: {subnetIds: [vpc-0a]}}", "this is not a subnet id, which looks like subnet-0a1b2c3d4e5f67890"),
    (SMALLEST, "spec: {vpcConfig: {securityGroupIds: [subnet-0a]}}", "this is not a security group id, which looks like sg-0a1b2c3d4e5f67890"),
    (SMALLEST, "spec: {accessEndpoints: [{endpointType: streaming, vpceId: vpce-0a}]}", "a type of endpoint is spelt as AWS spells it: upper-case letters, digits and `_`, such as STREAMING"),
    (SMALLEST, "spec: {accessEndpoints: [{endpointType: STREAMING, vpceId: vpc-0a}]}", "this is not the id of a VPC endpoint, which looks like vpce-0a1b2c3d4e5f67890"),
    // Tags.
    (SMALLEST, "spec: {tags: {'aws:owner': a}}", "tag keys that begin with `aws:` belong to AWS"),
    (SMALLEST, "spec: {tags: {windlass.dev/uid: a}}", "tag keys that begin with `windlass.dev/` belong to the operator, which sets them itself"),
    (SMALLEST, "spec: {tags: {'': a}}", "a tag key has 1 to 128 characters"),
    (SMALLEST, "spec: {tags: {'a#b': c}}", "a tag key has letters, digits, spaces and `_ . : / = + - @`"),
    (SMALLEST, "spec: {tags: {a: 'b*'}}", "a tag value has letters, digits, spaces and `_ . : / = + - @`"),
    // Choices, and what does not exist.
    (SMALLEST, "spec: {desiredState: RUNNING}", "spec.desiredState: Unsupported value: \"RUNNING\": supported values: \"Running\", \"Stopped\""),
    (SMALLEST, "spec: {disruption: {policy: Never}}", "unknown field \"spec.disruption\""),
];

#[rustfmt::skip]
const CHANGES: &[Change] = &[
    (FULL, "{}", "spec: {name: other}", "spec.name: Forbidden: the name of an image builder cannot be changed: create an ImageBuilder object with the other name, then delete this one"),
    (SMALLEST, "{}", "spec: {name: good}", ""),
    (SMALLEST, "{}", "spec: {region: eu-west-1}", ""),
    (SMALLEST, "{}", "spec: {account: other}", ""),
    (FULL, "{}", "spec: {account: other}", "spec.account: Forbidden: the account cannot be changed or taken away once it is set: create an ImageBuilder object with another name there, then delete this one"),
    (FULL, "{}", "spec: {account: null}", "spec.account: Forbidden: the account cannot be changed or taken away once it is set"),
    (FULL, "{}", "spec: {region: null}", "spec.region: Forbidden: the Region cannot be changed or taken away once it is set: create an ImageBuilder object with another name there, then delete this one"),
    (SMALLEST, "{}", "spec: {desiredState: Stopped, tags: {a: b}, deletionPolicy: Retain, recreatePolicy: Always}", ""),
    (SMALLEST, "{}", "spec: {instanceType: stream.standard.large}", "spec.instanceType: Forbidden: AWS cannot change instanceType of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"),
    (SMALLEST, "{}", "spec: {imageName: other}", "spec.imageName: Forbidden: AWS cannot change imageName of an image builder"),
    (SMALLEST, "{}", "spec: {imageName: other}", "AWS cannot change imageName of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"),
    (FULL, "{}", "spec: {imageArn: 'arn:aws:appstream:eu-central-1::image/a'}", "AWS cannot change imageArn of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"),
    (FULL, "{}", "spec: {displayName: a}", "AWS cannot change displayName of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"),
    (FULL, "{}", "spec: {description: null}", "AWS cannot change description of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"),
    (SMALLEST, "{}", "spec: {vpcConfig: {subnetIds: [subnet-0a]}}", "AWS cannot change vpcConfig of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"),
    (FULL, "{}", "spec: {iamRoleArn: null}", "AWS cannot change iamRoleArn of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"),
    (FULL, "{}", "spec: {enableDefaultInternetAccess: false}", "AWS cannot change enableDefaultInternetAccess of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"),
    (FULL, "{}", "spec: {domainJoinInfo: {directoryName: a}}", "AWS cannot change domainJoinInfo of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"),
    (FULL, "{}", "spec: {appstreamAgentVersion: '1'}", "AWS cannot change appstreamAgentVersion of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"),
    (FULL, "{}", "spec: {accessEndpoints: null}", "AWS cannot change accessEndpoints of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"),
    (FULL, "{}", "spec: {rootVolumeConfig: {volumeSizeInGb: 400}}", "AWS cannot change rootVolumeConfig of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"),
    (FULL, "{}", "spec: {softwaresToInstall: null}", "AWS cannot change softwaresToInstall of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"),
    (FULL, "{}", "spec: {softwaresToUninstall: [a]}", "AWS cannot change softwaresToUninstall of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"),
    (FULL, "{}", "spec: {disableIMDSV1: false}", "AWS cannot change disableIMDSV1 of an image builder: create an ImageBuilder object with another name and the other value, then delete this one"),
];

fn rows() -> Vec<Bound> {
    vec![
        row(SMALLEST, "name", (1, 101), letters),
        row(SMALLEST, "instanceType", (1, 128), letters),
        row(SMALLEST, "imageName", (1, 101), letters),
        row(SMALLEST, "displayName", (1, 100), letters),
        row(SMALLEST, "description", (1, 256), letters),
        row(SMALLEST, "appstreamAgentVersion", (1, 100), letters),
        row(SMALLEST, "domainJoinInfo.directoryName", (1, 255), letters),
        row(FULL, "domainJoinInfo.organizationalUnitDistinguishedName", (1, 2000), letters),
        row(SMALLEST, "tags.a", (0, 256), letters),
        row(SMALLEST, "account", (1, 253), letters),
        long(SMALLEST, "region", (1, 32), |size| padded("aa-", size, "-1")),
        long(FULL, "imageArn", (1, 2048), |size| padded("arn:aws:appstream:::image/", size, "")),
        long(FULL, "iamRoleArn", (1, 2048), |size| padded("arn:aws:iam::123456789012:role/", size, "")),
        row(SMALLEST, "vpcConfig.subnetIds", (1, 1), |size| list(size, |n| json!(format!("subnet-{n}")))),
        long(SMALLEST, "vpcConfig.subnetIds.0", (1, 64), |size| padded("subnet-", size, "")),
        row(SMALLEST, "vpcConfig.securityGroupIds", (1, 5), |size| list(size, |n| json!(format!("sg-{n}")))),
        long(SMALLEST, "vpcConfig.securityGroupIds.0", (1, 64), |size| padded("sg-", size, "")),
        row(SMALLEST, "accessEndpoints", (1, 4), |size| {
            list(size, |n| json!({ "endpointType": "STREAMING", "vpceId": format!("vpce-{n}") }))
        }),
        row(FULL, "accessEndpoints.0.endpointType", (1, 64), |size| "A".repeat(size as usize).into()),
        long(FULL, "accessEndpoints.0.vpceId", (1, 64), |size| padded("vpce-", size, "")),
        row(FULL, "rootVolumeConfig.volumeSizeInGb", (200, 500), |size| size.into()),
        row(SMALLEST, "softwaresToInstall", (1, 32), |size| list(size, |n| json!(format!("s{n}")))),
        row(SMALLEST, "softwaresToInstall.0", (1, 256), letters),
        row(SMALLEST, "softwaresToUninstall", (1, 32), |size| list(size, |n| json!(format!("s{n}")))),
        row(SMALLEST, "softwaresToUninstall.0", (1, 256), letters),
        row(SMALLEST, "tags", (0, 45), |size| {
            (0..size).map(|n| (format!("key-{n}"), json!("value"))).collect::<serde_json::Map<_, _>>().into()
        }),
    ]
}

/// A status with everything in it, as large as the operator may write it.
fn status() -> Value {
    let at = "2026-01-02T03:04:05Z";
    json!({
        "observedGeneration": 1, "lastHandledReconcileAt": "x", "name": "good", "state": "RUNNING",
        "arn": "arn:aws-us-gov:appstream:us-gov-west-1:123456789012:image-builder/good",
        "conditions": [{"type": "Ready", "status": "True", "reason": "Available", "message": "", "observedGeneration": 1, "lastTransitionTime": at}],
        "stateChangeReason": {"code": "IMAGE_UNAVAILABLE", "message": "m"},
        "instanceType": "stream.standard.medium", "imageName": "a", "imageArn": "arn:aws:appstream:eu-central-1::image/a",
        "platform": "WINDOWS", "appstreamAgentVersion": "01-01-2026", "privateIpAddress": "10.0.0.1", "createdTime": at,
        "imageBuilderErrors": vec![json!({"errorCode": "SUBNET_NOT_FOUND", "errorMessage": "m".repeat(4096), "errorTimestamp": at}); 100],
        "pendingChanges": vec![json!({"field": "desiredState", "from": "a", "to": "b", "impact": "None", "waitingFor": "aws", "since": at}); 100],
        "internal": {
            "intent": {"name": "good", "at": at, "account": "123456789012", "region": "us-gov-west-1"}, "stateSince": at,
            "applied": {"tags": ["a", "b"]}
        }
    })
}

const SMALLEST: Good = Good(
    "SMALLEST",
    "
apiVersion: appstream.windlass.dev/v1alpha1
kind: ImageBuilder
metadata: {name: good}
spec: {instanceType: stream.standard.medium, imageName: windlass-demo-v1}
",
);

const FULL: Good = Good(
    "FULL",
    "
apiVersion: appstream.windlass.dev/v1alpha1
kind: ImageBuilder
metadata: {name: good}
spec:
  name: Good_Builder.1
  desiredState: Stopped
  account: production
  region: us-gov-west-1
  tags: {team: a}
  deletionPolicy: Retain
  adoptionPolicy: IfExists
  managementPolicy: Observe
  recreatePolicy: Always
  deletionProtection: true
  instanceType: stream.graphics.g4dn.xlarge
  imageArn: arn:aws:appstream:eu-central-1:123456789012:image/cad-2026
  displayName: Bürö №1
  description: With every field
  vpcConfig: {subnetIds: [subnet-0a1b2c3d4e5f67890], securityGroupIds: [sg-0a1b2c3d]}
  iamRoleArn: arn:aws-us-gov:iam::123456789012:role/path/builder
  enableDefaultInternetAccess: true
  domainJoinInfo: {directoryName: corp.example.com, organizationalUnitDistinguishedName: 'OU=Builders,DC=corp'}
  appstreamAgentVersion: LATEST
  accessEndpoints:
  - {endpointType: STREAMING, vpceId: vpce-0a1b2c3d4e5f67890}
  rootVolumeConfig: {volumeSizeInGb: 300}
  softwaresToInstall: [Microsoft_Office_2024_LTSC_Standard_64Bit]
  softwaresToUninstall: [Microsoft_Visio_2021_LTSC_Standard_64Bit]
  disableIMDSV1: true
",
);
