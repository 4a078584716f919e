//! What no single field of a Stack can be judged by, and the forms of its texts.

use crate::api::schema::{Rule, forbid, form, require};

/// Rules on the whole object.
pub const OBJECT: [Rule; 2] = [
    form(
        "has(self.spec.name) || self.metadata.name.size() <= 101",
        "the object's name is the stack's name in AWS, which has at most 101 characters: give a shorter spec.name",
    ),
    forbid(
        ".spec.name",
        "(has(self.spec.name) ? self.spec.name : self.metadata.name) == (has(oldSelf.spec.name) ? oldSelf.spec.name : oldSelf.metadata.name)",
        "the name of a stack cannot be changed: create a Stack object with the other name, send users there, then delete this one",
    ),
];

/// Rules on the spec.
pub const SPEC: [Rule; 3] = [
    forbid(
        ".region",
        "!has(oldSelf.region) || has(self.region) && self.region == oldSelf.region",
        "the Region cannot be changed or taken away once it is set: create a Stack object with another name there, then delete this one",
    ),
    // When Account objects exist, this rule gives way to the one that `region` has.
    forbid(
        ".account",
        "!has(self.account)",
        "Account objects come with a later release: leave account out, and the operator's own AWS identity is used",
    ),
    forbid(
        ".fleetName",
        "!(has(self.fleetRef) && has(self.fleetName))",
        "fleetRef and fleetName name the same thing: give fleetRef for a Fleet object of this namespace, or fleetName for another fleet",
    ),
];

/// Rules on a storage connector.
pub const STORAGE_CONNECTOR: [Rule; 2] = [
    forbid(
        ".domains",
        "self.connectorType != 'HOMEFOLDERS' || !has(self.domains)",
        "home folders have no domains: give domains with GOOGLE_DRIVE or ONE_DRIVE",
    ),
    forbid(
        ".domainsRequireAdminConsent",
        "self.connectorType == 'ONE_DRIVE' || !has(self.domainsRequireAdminConsent)",
        "only ONE_DRIVE knows domainsRequireAdminConsent: leave it out of other connectors",
    ),
];

/// Rules on a user setting (`UserSetting` in the AppStream API model).
pub const USER_SETTING: [Rule; 2] = [
    forbid(
        ".maximumLength",
        "!has(self.maximumLength) || self.action in ['CLIPBOARD_COPY_FROM_LOCAL_DEVICE', 'CLIPBOARD_COPY_TO_LOCAL_DEVICE']",
        "maximumLength is for the two clipboard actions: leave it out of others",
    ),
    forbid(
        ".maximumLength",
        "!has(self.maximumLength) || self.permission == 'ENABLED'",
        "maximumLength says how much may be copied: leave it out where copying is DISABLED",
    ),
];

/// Rules on `agentAccessConfig`.
pub const AGENT_ACCESS: [Rule; 1] = [require(
    ".s3BucketArn",
    "!has(self.screenshotsUploadEnabled) || !self.screenshotsUploadEnabled || has(self.s3BucketArn)",
    "screenshots are kept in a bucket: give s3BucketArn, or leave screenshotsUploadEnabled out",
)];

/// A URL that people are sent to.
pub const URL: [Rule; 1] =
    [form("self.matches('^https?://[^ ]+$')", "this is not a URL, which looks like https://example.com/goodbye")];

/// A pattern of URLs: all that `UrlPattern` has taken in any AppStream API model (`*` alone is refused by the latest).
pub const URL_PATTERN: [Rule; 1] = [form(
    "self.matches('^([*]|((https?|ftp|sftp)://|mailto:)[^ ,;]+)$')",
    "a URL pattern begins with https://, http://, ftp://, sftp:// or mailto: and has no space, comma or semicolon, such as https://*.example.com/*",
)];

/// A domain that may embed a session (`EmbedHostDomain` in the AppStream API model).
pub const EMBED_HOST: [Rule; 1] = [form(
    "self.matches('^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$')",
    "this is not a domain in lower-case letters, which looks like portal.example.com",
)];

/// An action: AWS's list grows.
pub const ACTION: [Rule; 1] = [form(
    "self.matches('^[A-Z][A-Z0-9_]*$')",
    "an action is spelt as AWS spells it: upper-case letters, digits and `_`, such as FILE_UPLOAD",
)];

/// A word of AWS's about software agents: its lists grow.
pub const AGENT_WORD: [Rule; 1] = [form(
    "self.matches('^[A-Za-z][A-Za-z0-9_]*$')",
    "this is spelt as AWS spells it: letters, digits and `_`, such as W_1280xH_720 or PNG",
)];

/// The ARN of an S3 bucket (`S3BucketArn` in the AppStream API model).
pub const BUCKET_ARN: [Rule; 1] = [form(
    "self.matches('^arn:aws[a-z-]*:s3:::[a-z0-9][a-z0-9.-]*[a-z0-9]$')",
    "this is not the ARN of an S3 bucket, which looks like arn:aws:s3:::my-bucket",
)];

/// The type of an interface VPC endpoint: AWS's list grows.
pub const ENDPOINT_TYPE: [Rule; 1] = [form(
    "self.matches('^[A-Z][A-Z0-9_]*$')",
    "a type of endpoint is spelt as AWS spells it: upper-case letters, digits and `_`, such as STREAMING",
)];

/// The id of an interface VPC endpoint.
pub const VPCE_ID: [Rule; 1] = [form(
    "self.matches('^vpce-[0-9a-z]+$')",
    "this is not the id of a VPC endpoint, which looks like vpce-0a1b2c3d4e5f67890",
)];
