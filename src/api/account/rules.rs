//! What no type of an Account's fields can say.

use crate::api::schema::{Rule, forbid, form, require};

/// Rules on the spec.
pub const SPEC: [Rule; 1] = [forbid(
    ".region",
    "!has(self.region) || !has(self.allowedRegions) || self.region in self.allowedRegions",
    "the default region is not one of allowedRegions: add it there, or leave region out",
)];

/// Rules on an entry of `matchExpressions`.
pub const REQUIREMENT: [Rule; 2] = [
    require(
        ".values",
        "!(self.operator in ['In', 'NotIn']) || has(self.values)",
        "In and NotIn look for values: give values, or use Exists or DoesNotExist",
    ),
    forbid(
        ".values",
        "self.operator in ['In', 'NotIn'] || !has(self.values)",
        "Exists and DoesNotExist look at no value: leave values out, or use In or NotIn",
    ),
];

/// An AWS account.
pub const ACCOUNT_ID: [Rule; 1] = [form(
    "self.matches('^[0-9]{12}$')",
    "this is not the id of an AWS account, which has 12 digits (quote it in YAML)",
)];

/// An external id (`externalIdType` in the STS API model).
pub const EXTERNAL_ID: [Rule; 1] = [form(
    "self.matches('^[A-Za-z0-9_+=,.@:/-]*$')",
    "an external id has letters, digits and `_ + = , . @ : / -`, and no spaces",
)];

/// An address of a service.
pub const ENDPOINT: [Rule; 1] = [form(
    "self.matches('^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/.*)?$') || self.matches('^https?://[[][0-9a-fA-F:.]+[]](:[0-9]{1,5})?(/.*)?$')",
    "this is not the address of a service, which looks like https://sts.eu-central-1.amazonaws.com",
)];

/// The name of a namespace.
pub const NAMESPACE: [Rule; 1] = [form(
    "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    "the name of a namespace has lower-case letters, digits and `-`, and begins and ends with a letter or digit",
)];

/// Roles, with `*` for any text.
pub const ROLE_PATTERN: [Rule; 1] = [form(
    "self == '*' || self.matches('^arn:(aws[a-z-]*|[*]):iam::([0-9]{12}|[*]):role/.+$')",
    "this is not the ARN of an IAM role with `*` for any text, which looks like arn:aws:iam::123456789012:role/stream-*",
)];
