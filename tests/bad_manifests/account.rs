//! The Account: manifests that are refused and taken.

use serde_json::{Value, json};

use super::bounds::{Bound, duration, letters, list, long, padded, row};
use super::{Change, Good, Tried, Wrong};

pub const TRIED: Tried = Tried {
    kind: "Account",
    good: &[SMALLEST, FULL],
    defaults: &[],
    bounds: rows,
    wrong: WRONG,
    changes: CHANGES,
    status,
    columns: &["NAME", "ACCOUNT ID", "REGION", "DEFAULT", "READY", "AGE"],
};

#[rustfmt::skip]
const WRONG: &[Wrong] = &[
    (SMALLEST, "spec: {region: Frankfurt}", "this is not an AWS Region, which looks like eu-central-1"),
    (SMALLEST, "spec: {region: eu-west-1, allowedRegions: [us-east-1]}", "spec.region: Forbidden: the default region is not one of allowedRegions: add it there, or leave region out"),
    (SMALLEST, "spec: {allowedRegions: [nowhere]}", "this is not an AWS Region, which looks like eu-central-1"),
    (SMALLEST, "spec: {assumeRoles: [{arn: 'arn:aws:iam::123456789012:user/a'}]}", "this is not the ARN of an IAM role, which looks like arn:aws:iam::123456789012:role/my-role"),
    (SMALLEST, "spec: {assumeRoles: [{arn: nobody}]}", "this is not the ARN of an IAM role, which looks like arn:aws:iam::123456789012:role/my-role"),
    (SMALLEST, "spec: {assumeRoles: [{externalId: ab}]}", "spec.assumeRoles[0].arn: Required value"),
    (SMALLEST, "spec: {assumeRoles: [{arn: 'arn:aws:iam::123456789012:role/a', externalId: 'a b'}]}", "an external id has letters, digits and `_ + = , . @ : / -`, and no spaces"),
    (SMALLEST, "spec: {endpoints: {sts: 'sts.amazonaws.com'}}", "this is not the address of a service, which looks like https://sts.eu-central-1.amazonaws.com"),
    (SMALLEST, "spec: {endpoints: {all: 'ftp://a'}}", "this is not the address of a service, which looks like https://sts.eu-central-1.amazonaws.com"),
    (SMALLEST, "spec: {expectedAccountId: 'abcdefghijkl'}", "this is not the id of an AWS account, which has 12 digits (quote it in YAML)"),
    (SMALLEST, "spec: {expectedAccountId: 123456789012}", "spec.expectedAccountId: Invalid value: \"integer\""),
    (SMALLEST, "spec: {namespaces: {names: [Team_A]}}", "the name of a namespace has lower-case letters, digits and `-`, and begins and ends with a letter or digit"),
    (SMALLEST, "spec: {namespaces: {selector: {matchExpressions: [{key: a, operator: In}]}}}", "Required value: In and NotIn look for values: give values, or use Exists or DoesNotExist"),
    (SMALLEST, "spec: {namespaces: {selector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}}", "Forbidden: Exists and DoesNotExist look at no value: leave values out, or use In or NotIn"),
    (SMALLEST, "spec: {namespaces: {selector: {matchExpressions: [{key: a, operator: Like}]}}}", "supported values: \"In\", \"NotIn\", \"Exists\", \"DoesNotExist\""),
    (SMALLEST, "spec: {namespaces: {all: true}}", "unknown field \"spec.namespaces.all\""),
    (SMALLEST, "spec: {allow: {kinds: [Pod]}}", "supported values: \"Fleet\", \"Stack\", \"ImageBuilder\", \"Instance\", \"AccessGrant\""),
    (SMALLEST, "spec: {allow: {kinds: [Fleet, Fleet]}}", "Duplicate value"),
    (SMALLEST, "spec: {allow: {passRoles: ['role/*']}}", "this is not the ARN of an IAM role with `*` for any text, which looks like arn:aws:iam::123456789012:role/stream-*"),
    (SMALLEST, "spec: {allow: {grants: {targets: [Ec2Instance]}}}", "supported values: \"LightsailInstance\", \"GameLiftInstance\", \"GameLiftCompute\""),
    (SMALLEST, "spec: {allow: {grants: {maxDuration: 1d}}}", "a duration is written in hours, minutes and seconds, in this order, such as 1h30m, 45m or 2h"),
    (SMALLEST, "spec: {allow: {grants: {maxDuration: 0s}}}", "a duration must be longer than zero"),
    (SMALLEST, "spec: {allow: {grants: {maxDuration: 8761h}}}", "a duration can be one year (8760h) at most"),
    (SMALLEST, "spec: {limits: {requestsPerSecond: 0}}", "spec.limits.requestsPerSecond in body should be greater than or equal to 1"),
];

#[rustfmt::skip]
const CHANGES: &[Change] = &[
    (SMALLEST, "{}", "spec: {default: true, region: eu-west-1, namespaces: {selector: {}}}", ""),
    (FULL, "{}", "spec: {assumeRoles: null, expectedAccountId: null, namespaces: null, allow: null}", ""),
    (FULL, "{}", "spec: {allowedRegions: [us-east-1]}", "the default region is not one of allowedRegions: add it there, or leave region out"),
];

fn rows() -> Vec<Bound> {
    vec![
        long(SMALLEST, "region", (1, 32), |size| padded("aa-", size, "-1")),
        row(SMALLEST, "allowedRegions", (1, 64), |size| list(size, |n| json!(format!("eu-west-{}", n + 1)))),
        long(SMALLEST, "allowedRegions.0", (1, 32), |size| padded("aa-", size, "-1")),
        row(SMALLEST, "assumeRoles", (1, 4), |size| {
            list(size, |n| json!({ "arn": format!("arn:aws:iam::123456789012:role/{n}") }))
        }),
        long(FULL, "assumeRoles.0.arn", (1, 2048), |size| padded("arn:aws:iam::123456789012:role/", size, "")),
        row(FULL, "assumeRoles.0.externalId", (2, 1224), letters),
        long(SMALLEST, "endpoints.appstream", (1, 2048), url),
        long(SMALLEST, "endpoints.lightsail", (1, 2048), url),
        long(SMALLEST, "endpoints.gamelift", (1, 2048), url),
        long(SMALLEST, "endpoints.sts", (1, 2048), url),
        long(SMALLEST, "endpoints.all", (1, 2048), url),
        row(SMALLEST, "expectedAccountId", (12, 12), |size| "1".repeat(size as usize).into()),
        row(SMALLEST, "namespaces.names", (0, 1000), |size| list(size, |n| json!(format!("n{n}")))),
        row(SMALLEST, "namespaces.names.0", (1, 63), letters),
        row(SMALLEST, "namespaces.selector.matchLabels", (0, 64), |size| {
            (0..size).map(|n| (format!("key-{n}"), json!("value"))).collect::<serde_json::Map<_, _>>().into()
        }),
        row(FULL, "namespaces.selector.matchLabels.{}", (0, 63), letters),
        row(SMALLEST, "namespaces.selector.matchExpressions", (0, 64), |size| {
            list(size, |n| json!({ "key": format!("k{n}"), "operator": "Exists" }))
        }),
        row(FULL, "namespaces.selector.matchExpressions.0.key", (1, 317), letters),
        row(FULL, "namespaces.selector.matchExpressions.0.values", (1, 256), |size| {
            list(size, |n| json!(format!("v{n}")))
        }),
        row(FULL, "namespaces.selector.matchExpressions.0.values.0", (0, 63), letters),
        row(SMALLEST, "allow.kinds", (1, 5), |size| {
            let kinds = ["Fleet", "Stack", "ImageBuilder", "Instance", "AccessGrant"];
            list(size, |n| json!(kinds[n as usize % 5]))
        }),
        row(SMALLEST, "allow.grants.targets", (0, 3), |size| {
            let targets = ["LightsailInstance", "GameLiftInstance", "GameLiftCompute"];
            list(size, |n| json!(targets[n as usize % 3]))
        }),
        row(SMALLEST, "allow.passRoles", (0, 64), |size| {
            list(size, |n| json!(format!("arn:aws:iam::123456789012:role/{n}")))
        }),
        long(SMALLEST, "allow.passRoles.0", (1, 2048), |size| padded("arn:aws:iam::123456789012:role/", size, "*")),
        long(SMALLEST, "allow.grants.maxDuration", (2, 21), duration),
        row(SMALLEST, "limits.requestsPerSecond", (1, 10_000), |size| size.into()),
        row(SMALLEST, "limits.burst", (1, 10_000), |size| size.into()),
    ]
}

fn url(size: i64) -> Value {
    padded("https://a/", size, "")
}

/// A status with everything in it.
fn status() -> Value {
    json!({
        "observedGeneration": 1, "accountId": "123456789012",
        "callerArn": "arn:aws:sts::123456789012:assumed-role/windlass/windlass-reads",
        "conditions": [{"type": "Ready", "status": "True", "reason": "Available", "message": "", "observedGeneration": 1, "lastTransitionTime": "2026-01-02T03:04:05Z"}],
    })
}

const SMALLEST: Good = Good(
    "SMALLEST",
    "
apiVersion: aws.windlass.dev/v1alpha1
kind: Account
metadata: {name: good}
spec: {}
",
);

const FULL: Good = Good(
    "FULL",
    "
apiVersion: aws.windlass.dev/v1alpha1
kind: Account
metadata: {name: good}
spec:
  region: eu-central-1
  allowedRegions: [eu-central-1, eu-west-1]
  assumeRoles:
  - {arn: 'arn:aws:iam::999988887777:role/path/hub', externalId: 'a+b=c,d.e@f:g/h-i_1'}
  - {arn: 'arn:aws-us-gov:iam::111122223333:role/windlass'}
  sessionTags: true
  endpoints:
    appstream: http://localhost:4566
    lightsail: https://lightsail.eu-central-1.amazonaws.com
    gamelift: https://vpce-1.gamelift.eu-central-1.vpce.amazonaws.com/path
    sts: https://[2001:db8::1]:8443
    all: http://127.0.0.1:4566
  expectedAccountId: '111122223333'
  default: false
  namespaces:
    names: [team-a, team-b]
    selector:
      matchLabels: {stage: production}
      matchExpressions:
      - {key: team, operator: NotIn, values: [a, b]}
      - {key: kubernetes.io/metadata.name, operator: Exists}
  allow:
    kinds: [Fleet, Instance, AccessGrant]
    adoption: true
    foreignFleets: true
    passRoles: ['*', 'arn:*:iam::123456789012:role/a', 'arn:aws:iam::*:role/stream-*']
    grants: {targets: [LightsailInstance, GameLiftCompute], unmanaged: true, maxDuration: 1h30m}
  limits: {requestsPerSecond: 10, burst: 5}
",
);
