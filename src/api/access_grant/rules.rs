//! What no single field of an AccessGrant can be judged by, and the forms of its texts.

use crate::api::form;
use crate::api::schema::{Rule, forbid, form as shape};

/// Rules on the spec: one target; nothing changes but a `duration` that becomes shorter.
pub const SPEC: [Rule; 13] = [
    shape(
        "[has(self.lightsailInstance), has(self.gameLiftInstance), has(self.gameLiftCompute)].filter(given, given).size() == 1",
        "a grant has exactly one target: give one of lightsailInstance, gameLiftInstance and gameLiftCompute",
    ),
    forbid(
        ".decryptionKeyRef",
        "!has(self.decryptionKeyRef) || has(self.lightsailInstance) && self.lightsailInstance.protocol == 'rdp'",
        "decryptionKeyRef decrypts the password of a Lightsail instance with Windows: leave it out, or give lightsailInstance with protocol rdp",
    ),
    forbid(
        ".lightsailInstance",
        "has(self.lightsailInstance) == has(oldSelf.lightsailInstance) && (!has(self.lightsailInstance) || self.lightsailInstance == oldSelf.lightsailInstance)",
        "the target of a grant cannot be changed: create an AccessGrant object for the other one",
    ),
    forbid(
        ".gameLiftInstance",
        "has(self.gameLiftInstance) == has(oldSelf.gameLiftInstance) && (!has(self.gameLiftInstance) || self.gameLiftInstance == oldSelf.gameLiftInstance)",
        "the target of a grant cannot be changed: create an AccessGrant object for the other one",
    ),
    forbid(
        ".gameLiftCompute",
        "has(self.gameLiftCompute) == has(oldSelf.gameLiftCompute) && (!has(self.gameLiftCompute) || self.gameLiftCompute == oldSelf.gameLiftCompute)",
        "the target of a grant cannot be changed: create an AccessGrant object for the other one",
    ),
    forbid(
        ".duration",
        "!self.duration.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') || self.duration == '' || duration(self.duration) <= duration(oldSelf.duration)",
        "a grant can be shortened and not made longer: create another AccessGrant object for the time after it",
    ),
    forbid(
        ".startsAt",
        "has(self.startsAt) == has(oldSelf.startsAt) && (!has(self.startsAt) || self.startsAt == oldSelf.startsAt)",
        "the beginning of a grant cannot be changed: create an AccessGrant object with the other one, then delete this one",
    ),
    forbid(
        ".reason",
        "has(self.reason) == has(oldSelf.reason) && (!has(self.reason) || self.reason == oldSelf.reason)",
        "the reason of a grant cannot be changed, because it is in the records already: create another AccessGrant object",
    ),
    forbid(
        ".refresh",
        "has(self.refresh) == has(oldSelf.refresh) && (!has(self.refresh) || self.refresh == oldSelf.refresh)",
        "how often a grant is renewed cannot be changed: create an AccessGrant object with the other interval, then delete this one",
    ),
    forbid(
        ".secret",
        "has(self.secret) == has(oldSelf.secret) && (!has(self.secret) || self.secret == oldSelf.secret)",
        "the Secret of a grant cannot be changed: create an AccessGrant object with the other one, then delete this one",
    ),
    forbid(
        ".decryptionKeyRef",
        "has(self.decryptionKeyRef) == has(oldSelf.decryptionKeyRef) && (!has(self.decryptionKeyRef) || self.decryptionKeyRef == oldSelf.decryptionKeyRef)",
        "the decryption key of a grant cannot be changed: create an AccessGrant object with the other one, then delete this one",
    ),
    forbid(
        ".account",
        "has(self.account) == has(oldSelf.account) && (!has(self.account) || self.account == oldSelf.account)",
        "the account of a grant cannot be changed: create an AccessGrant object there, then delete this one",
    ),
    forbid(
        ".region",
        "has(self.region) == has(oldSelf.region) && (!has(self.region) || self.region == oldSelf.region)",
        "the Region of a grant cannot be changed: create an AccessGrant object there, then delete this one",
    ),
];

/// Rules on `lightsailInstance`.
pub const LIGHTSAIL_INSTANCE: [Rule; 1] = [shape(
    "has(self.instanceRef) != has(self.name)",
    "give exactly one of instanceRef (an Instance object of this namespace) and name (an instance in AWS)",
)];

/// Rules on `duration`.
pub const LASTS: [Rule; 4] = [
    form::DURATION[0],
    form::DURATION[1],
    form::DURATION[2],
    shape(
        "!self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') || self == '' || duration(self) <= duration('0s') || duration(self) >= duration('1m')",
        "a grant lasts one minute (1m) at least",
    ),
];

/// Rules on `refresh.interval`.
pub const INTERVAL: [Rule; 4] = [
    form::DURATION[0],
    form::DURATION[1],
    shape(
        "!self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') || self == '' || duration(self) <= duration('0s') || duration(self) >= duration('1m')",
        "credentials are renewed once a minute (1m) at most",
    ),
    shape(
        "!self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') || self == '' || duration(self) <= duration('24h')",
        "credentials are renewed once a day (24h) at least",
    ),
];

/// The id or ARN of a GameLift fleet (`FleetIdOrArn` in the GameLift API model).
pub const FLEET_ID: [Rule; 1] = [shape(
    "self.matches('^[a-z]*fleet-[a-zA-Z0-9-]+$') || self.matches('^arn:.*:[a-z]*fleet/[a-z]*fleet-[a-zA-Z0-9-]+$')",
    "this is not the id or ARN of a GameLift fleet, which look like fleet-1a2b3c4d-0000-1111-2222-333344445555 and arn:aws:gamelift:eu-central-1:123456789012:fleet/fleet-1a2b3c4d-0000-1111-2222-333344445555",
)];

/// The id of an instance of a GameLift fleet (`InstanceId` in the GameLift API model).
pub const INSTANCE_ID: [Rule; 1] = [shape(
    "self.matches('^[a-zA-Z0-9.-]+$')",
    "this is not the id of an instance, which looks like i-0a1b2c3d4e5f67890",
)];

/// The name or ARN of a GameLift compute (`ComputeNameOrArn` in the GameLift API model).
pub const COMPUTE_NAME: [Rule; 1] = [shape(
    "self.matches('^[a-zA-Z0-9-]+(/[a-zA-Z0-9-]+)?$') || self.matches('^arn:.*:compute/[a-zA-Z0-9-]+(/[a-zA-Z0-9-]+)?$')",
    "this is not the name or ARN of a GameLift compute, which look like compute-1a2b3c4d or i-0a1b2c3d4e5f67890, and arn:aws:gamelift:eu-central-1:123456789012:compute/compute-1a2b3c4d",
)];

const KEY: &str = "self.all(key, key.size() <= 317 && key.matches('^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$'))";
const OURS: &str = "self.all(key, !key.startsWith('windlass.dev/'))";

/// Rules on `secret.labels` (the forms are Kubernetes' own).
pub const LABELS: [Rule; 3] = [
    shape(
        KEY,
        "a label key has letters, digits, `-`, `_` and `.`, at most 63 characters, such as team or example.com/team",
    ),
    shape(OURS, "labels that begin with `windlass.dev/` belong to the operator, which sets them itself"),
    shape(
        "self.all(key, self[key].matches('^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$'))",
        "a label value has letters, digits, `-`, `_` and `.`, and begins and ends with a letter or digit",
    ),
];

/// Rules on `secret.annotations` (the forms are Kubernetes' own).
pub const ANNOTATIONS: [Rule; 2] = [
    shape(
        KEY,
        "an annotation key has letters, digits, `-`, `_` and `.`, at most 63 characters, such as note or example.com/note",
    ),
    shape(OURS, "annotations that begin with `windlass.dev/` belong to the operator, which sets them itself"),
];
