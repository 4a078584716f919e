//! What no single field of a Fleet can be judged by: which fields go together, and which cannot change.

use crate::api::schema::{Rule, forbid, form, require};

/// Rules on the whole object.
pub const OBJECT: [Rule; 2] = [
    form(
        "has(self.spec.name) || self.metadata.name.size() <= 101",
        "the object's name is the fleet's name in AWS, which has at most 101 characters: give a shorter spec.name",
    ),
    forbid(
        ".spec.name",
        "(has(self.spec.name) ? self.spec.name : self.metadata.name) == (has(oldSelf.spec.name) ? oldSelf.spec.name : oldSelf.metadata.name)",
        "the name of a fleet cannot be changed: create a Fleet object with the other name, move the stacks to it, then delete this one",
    ),
];

/// Rules on the spec.
pub const SPEC: [Rule; 17] = [
    forbid(
        ".fleetType",
        "self.fleetType == oldSelf.fleetType",
        "AWS cannot change the type of a fleet: create a Fleet object with another name and the other type, move the stacks to it, then delete this one",
    ),
    forbid(
        ".region",
        "!has(oldSelf.region) || has(self.region) && self.region == oldSelf.region",
        "the Region cannot be changed or taken away once it is set: create a Fleet object with another name there, then delete this one",
    ),
    forbid(
        ".account",
        "!has(oldSelf.account) || has(self.account) && self.account == oldSelf.account",
        "the account cannot be changed or taken away once it is set: create a Fleet object with another name there, then delete this one",
    ),
    forbid(
        ".imageName",
        "!(has(self.imageName) && has(self.imageArn))",
        "imageName and imageArn name the same thing: give one of them, imageArn for an image that another account shares",
    ),
    require(
        ".imageName",
        "self.fleetType == 'ELASTIC' || has(self.imageName) || has(self.imageArn)",
        "an ALWAYS_ON or ON_DEMAND fleet needs an image: give imageName, or imageArn for an image that another account shares",
    ),
    forbid(
        ".computeCapacity",
        "self.fleetType != 'ELASTIC' || !has(self.computeCapacity)",
        "AWS manages the capacity of an ELASTIC fleet: leave computeCapacity out and give maxConcurrentSessions",
    ),
    forbid(
        ".maxSessionsPerInstance",
        "self.fleetType != 'ELASTIC' || !has(self.maxSessionsPerInstance)",
        "an ELASTIC fleet has one session per instance: leave maxSessionsPerInstance out and give maxConcurrentSessions",
    ),
    forbid(
        ".domainJoinInfo",
        "self.fleetType != 'ELASTIC' || !has(self.domainJoinInfo)",
        "an ELASTIC fleet cannot join a domain: leave domainJoinInfo out",
    ),
    require(
        ".maxConcurrentSessions",
        "self.fleetType != 'ELASTIC' || has(self.maxConcurrentSessions)",
        "an ELASTIC fleet needs maxConcurrentSessions, the number of users at once",
    ),
    require(
        ".platform",
        "self.fleetType != 'ELASTIC' || has(self.platform)",
        "an ELASTIC fleet needs a platform, such as AMAZON_LINUX2 or WINDOWS_SERVER_2019",
    ),
    require(
        ".vpcConfig",
        "self.fleetType != 'ELASTIC' || has(self.vpcConfig) && has(self.vpcConfig.subnetIds) && self.vpcConfig.subnetIds.size() >= 2",
        "an ELASTIC fleet needs vpcConfig.subnetIds with at least two subnets in different Availability Zones",
    ),
    forbid(
        ".maxConcurrentSessions",
        "self.fleetType == 'ELASTIC' || !has(self.maxConcurrentSessions)",
        "maxConcurrentSessions is for ELASTIC fleets: give computeCapacity instead",
    ),
    forbid(
        ".sessionScriptS3Location",
        "self.fleetType == 'ELASTIC' || !has(self.sessionScriptS3Location)",
        "sessionScriptS3Location is for ELASTIC fleets: other fleets have their session scripts in the image",
    ),
    forbid(
        ".applicationArns",
        "self.fleetType == 'ELASTIC' || !has(self.applicationArns)",
        "applicationArns is for ELASTIC fleets: other fleets have their applications in the image",
    ),
    require(
        ".maxSessionsPerInstance",
        "self.fleetType == 'ELASTIC' || !has(self.computeCapacity) || !has(self.computeCapacity.desiredSessions) || has(self.maxSessionsPerInstance)",
        "desiredSessions is for multi-session fleets: give maxSessionsPerInstance too, or desiredInstances instead",
    ),
    forbid(
        ".computeCapacity.desiredInstances",
        "self.fleetType == 'ELASTIC' || !has(self.maxSessionsPerInstance) || !has(self.computeCapacity) || !has(self.computeCapacity.desiredInstances)",
        "maxSessionsPerInstance makes a multi-session fleet, whose capacity is desiredSessions: give that instead of desiredInstances, or leave maxSessionsPerInstance out",
    ),
    forbid(
        ".disruption.drain",
        "self.fleetType != 'ELASTIC' || !has(self.disruption) || !has(self.disruption.drain) || !self.disruption.drain",
        "an ELASTIC fleet cannot be drained, because it has no capacity to set to 0: leave drain out",
    ),
];

/// Rules on `computeCapacity`.
pub const COMPUTE_CAPACITY: [Rule; 1] = [form(
    "has(self.desiredInstances) != has(self.desiredSessions)",
    "give exactly one of desiredInstances (a single-session fleet) and desiredSessions (a multi-session fleet)",
)];

/// Rules on an entry of `powerSchedule`.
pub const POWER_PERIOD: [Rule; 1] =
    [form("self.start != self.stop", "start and stop are the same, so the fleet would never be on by this entry")];

/// Rules on `idleDisconnectTimeoutInSeconds`.
pub const IDLE_TIMEOUT: [Rule; 1] =
    [form("self == 0 || self >= 60", "the idle timeout is 0 (never disconnect) or at least 60 seconds")];

/// Rules on `vpcConfig`.
pub const VPC_CONFIG: [Rule; 1] = [form(
    "has(self.subnetIds) || has(self.securityGroupIds)",
    "vpcConfig is empty: give subnetIds or securityGroupIds, or leave it out for AWS's choice",
)];
