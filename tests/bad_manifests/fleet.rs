//! What is tried of a Fleet.

use serde_json::{Value, json};

use super::bounds::{Bound, cron, duration, letters, list, long, padded, row};
use super::{Change, Cluster, Good, Tried, Wrong};

pub const TRIED: Tried = Tried {
    kind: "Fleet",
    good: &[SMALLEST, FULL, MULTI_SESSION, ELASTIC],
    defaults: &[
        ("fleetType", "ON_DEMAND"),
        ("desiredState", "Running"),
        ("deletionPolicy", "Delete"),
        ("adoptionPolicy", "Never"),
        ("managementPolicy", "Manage"),
        ("recreatePolicy", "Always"),
    ],
    bounds: rows,
    wrong: WRONG,
    changes: CHANGES,
    status,
    columns: &["NAME", "STATE", "DESIRED", "RUNNING", "IN USE", "IMAGE", "READY", "AGE"],
};

#[rustfmt::skip]
const WRONG: &[Wrong] = &[
    // Which fields go together.
    (SMALLEST, "spec: {imageName: null}", "spec.imageName: Required value: an ALWAYS_ON or ON_DEMAND fleet needs an image: give imageName, or imageArn for an image that another account shares"),
    (SMALLEST, "spec: {imageArn: 'arn:aws:appstream:eu-central-1::image/a'}", "spec.imageName: Forbidden: imageName and imageArn name the same thing: give one of them, imageArn for an image that another account shares"),
    (ELASTIC, "spec: {imageName: a, imageArn: 'arn:aws:appstream:eu-central-1::image/a'}", "spec.imageName: Forbidden: imageName and imageArn name the same thing"),
    (SMALLEST, "spec: {instanceType: null}", "spec.instanceType: Required value"),
    (SMALLEST, "spec: {computeCapacity: {}}", "give exactly one of desiredInstances (a single-session fleet) and desiredSessions (a multi-session fleet)"),
    (MULTI_SESSION, "spec: {computeCapacity: {desiredInstances: 1}}", "give exactly one of desiredInstances (a single-session fleet) and desiredSessions (a multi-session fleet)"),
    (MULTI_SESSION, "spec: {computeCapacity: {desiredInstances: 1, desiredSessions: null}}", "spec.computeCapacity.desiredInstances: Forbidden: maxSessionsPerInstance makes a multi-session fleet, whose capacity is desiredSessions: give that instead of desiredInstances, or leave maxSessionsPerInstance out"),
    (SMALLEST, "spec: {computeCapacity: {desiredSessions: 5}}", "spec.maxSessionsPerInstance: Required value: desiredSessions is for multi-session fleets: give maxSessionsPerInstance too, or desiredInstances instead"),
    (ELASTIC, "spec: {computeCapacity: {desiredInstances: 1}}", "spec.computeCapacity: Forbidden: AWS manages the capacity of an ELASTIC fleet: leave computeCapacity out and give maxConcurrentSessions"),
    (ELASTIC, "spec: {maxSessionsPerInstance: 2}", "spec.maxSessionsPerInstance: Forbidden: an ELASTIC fleet has one session per instance: leave maxSessionsPerInstance out and give maxConcurrentSessions"),
    (ELASTIC, "spec: {domainJoinInfo: {directoryName: corp.example.com}}", "spec.domainJoinInfo: Forbidden: an ELASTIC fleet cannot join a domain: leave domainJoinInfo out"),
    (ELASTIC, "spec: {maxConcurrentSessions: null}", "spec.maxConcurrentSessions: Required value: an ELASTIC fleet needs maxConcurrentSessions, the number of users at once"),
    (ELASTIC, "spec: {platform: null}", "spec.platform: Required value: an ELASTIC fleet needs a platform, such as AMAZON_LINUX2 or WINDOWS_SERVER_2019"),
    (ELASTIC, "spec: {vpcConfig: null}", "spec.vpcConfig: Required value: an ELASTIC fleet needs vpcConfig.subnetIds with at least two subnets in different Availability Zones"),
    (ELASTIC, "spec: {vpcConfig: {subnetIds: [subnet-0a]}}", "spec.vpcConfig: Required value: an ELASTIC fleet needs vpcConfig.subnetIds with at least two subnets in different Availability Zones"),
    (ELASTIC, "spec: {vpcConfig: {subnetIds: null, securityGroupIds: [sg-0a]}}", "spec.vpcConfig: Required value: an ELASTIC fleet needs vpcConfig.subnetIds"),
    (ELASTIC, "spec: {disruption: {drain: true}}", "spec.disruption.drain: Forbidden: an ELASTIC fleet cannot be drained, because it has no capacity to set to 0: leave drain out"),
    (SMALLEST, "spec: {maxConcurrentSessions: 5}", "spec.maxConcurrentSessions: Forbidden: maxConcurrentSessions is for ELASTIC fleets: give computeCapacity instead"),
    (SMALLEST, "spec: {sessionScriptS3Location: {s3Bucket: abc, s3Key: d}}", "spec.sessionScriptS3Location: Forbidden: sessionScriptS3Location is for ELASTIC fleets: other fleets have their session scripts in the image"),
    (SMALLEST, "spec: {applicationArns: []}", "spec.applicationArns: Forbidden: applicationArns is for ELASTIC fleets: other fleets have their applications in the image"),
    (SMALLEST, "spec: {vpcConfig: {}}", "vpcConfig is empty: give subnetIds or securityGroupIds, or leave it out for AWS's choice"),
    (SMALLEST, "spec: {domainJoinInfo: {}}", "spec.domainJoinInfo.directoryName: Required value"),
    (ELASTIC, "spec: {sessionScriptS3Location: {s3Key: null}}", "spec.sessionScriptS3Location.s3Key: Required value"),
    (SMALLEST, "spec: {idleDisconnectTimeoutInSeconds: 1}", "the idle timeout is 0 (never disconnect) or at least 60 seconds"),
    (SMALLEST, "spec: {idleDisconnectTimeoutInSeconds: 59}", "the idle timeout is 0 (never disconnect) or at least 60 seconds"),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '0 8 * * *', stop: '0 8 * * *'}]}", "start and stop are the same, so the fleet would never be on by this entry"),
    (SMALLEST, "metadata: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}", "the object's name is the fleet's name in AWS, which has at most 101 characters: give a shorter spec.name"),
    // Forms.
    (SMALLEST, "spec: {name: -a}", "an AWS name has 1 to 101 letters, digits, `_`, `.` and `-`, and begins with a letter or digit"),
    (SMALLEST, "spec: {name: a b}", "an AWS name has 1 to 101 letters, digits"),
    (SMALLEST, "spec: {name: ä}", "an AWS name has 1 to 101 letters, digits"),
    (SMALLEST, "spec: {imageName: a/b}", "spec.imageName: Invalid value: \"a/b\": an AWS name has 1 to 101 letters"),
    (SMALLEST, "spec: {account: -a}", "the name of an object has lower-case letters, digits, `-` and `.`, and begins and ends with a letter or digit"),
    (SMALLEST, "spec: {region: Frankfurt}", "spec.region: Invalid value: \"Frankfurt\": this is not an AWS Region, which looks like eu-central-1"),
    (SMALLEST, "spec: {region: eu-central-1a}", "this is not an AWS Region, which looks like eu-central-1"),
    (SMALLEST, "spec: {region: EU-CENTRAL-1}", "this is not an AWS Region, which looks like eu-central-1"),
    (SMALLEST, "spec: {instanceType: 'stream standard'}", "an instance type has letters, digits, `_`, `.` and `-`, such as stream.standard.medium"),
    (SMALLEST, "spec: {platform: windows}", "a platform is spelt as AWS spells it: upper-case letters, digits and `_`, such as WINDOWS_SERVER_2022"),
    (FULL, "spec: {imageArn: windlass-demo-v1}", "this is not the ARN of an AppStream image, which looks like arn:aws:appstream:eu-central-1:123456789012:image/my-image (no account for a public image)"),
    (FULL, "spec: {imageArn: 'arn:aws:appstream:eu-central-1:123456789012:fleet/a'}", "this is not the ARN of an AppStream image"),
    (FULL, "spec: {imageArn: 'arn:aws:appstream:eu-central-1:123:image/a'}", "this is not the ARN of an AppStream image"),
    (FULL, "spec: {imageArn: 'arn:aws:ec2:eu-central-1::image/ami-1'}", "this is not the ARN of an AppStream image"),
    (FULL, "spec: {iamRoleArn: 'arn:aws:iam::123456789012:user/a'}", "this is not the ARN of an IAM role, which looks like arn:aws:iam::123456789012:role/my-role"),
    (FULL, "spec: {iamRoleArn: my-role}", "this is not the ARN of an IAM role"),
    (ELASTIC, "spec: {applicationArns: ['arn:aws:appstream:eu-central-1:123456789012:app-block/a']}", "spec.applicationArns[0]: Invalid value: \"arn:aws:appstream:eu-central-1:123456789012:app-block/a\": this is not the ARN of an AppStream application, which looks like arn:aws:appstream:eu-central-1:123456789012:application/my-application"),
    (ELASTIC, "spec: {applicationArns: ['arn:aws:appstream:eu-central-1:123456789012:application/a', 'arn:aws:appstream:eu-central-1:123456789012:application/a']}", "spec.applicationArns[1]: Duplicate value"),
    (SMALLEST, "spec: {vpcConfig: {subnetIds: [vpc-0a]}}", "spec.vpcConfig.subnetIds[0]: Invalid value: \"vpc-0a\": this is not a subnet id, which looks like subnet-0a1b2c3d4e5f67890"),
    (SMALLEST, "spec: {vpcConfig: {subnetIds: [subnet-0a, subnet-0a]}}", "spec.vpcConfig.subnetIds[1]: Duplicate value: \"subnet-0a\""),
    (SMALLEST, "spec: {vpcConfig: {securityGroupIds: [default]}}", "this is not a security group id, which looks like sg-0a1b2c3d4e5f67890"),
    (SMALLEST, "spec: {vpcConfig: {securityGroupIds: [sg-0a, sg-0a]}}", "spec.vpcConfig.securityGroupIds[1]: Duplicate value: \"sg-0a\""),
    (SMALLEST, "spec: {usbDeviceFilterStrings: ['Wacom, 3, *, *, 1386, *, 1']}", "a USB filter has eight fields with commas between (name, class, subclass, protocol, vendor, product, autoshare, skip reset), the last two 0 or 1, such as \"Mass storage, 8, *, *, *, *, 1, 0\""),
    (SMALLEST, "spec: {usbDeviceFilterStrings: ['Wacom, 3, *, *, 1386, *, 1, 2']}", "a USB filter has eight fields"),
    (ELASTIC, "spec: {sessionScriptS3Location: {s3Bucket: Upper_Case}}", "a bucket name has 3 to 63 lower-case letters, digits, `.` and `-`, and does not end with `.`"),
    (ELASTIC, "spec: {sessionScriptS3Location: {s3Bucket: dot.}}", "a bucket name has 3 to 63 lower-case letters"),
    // Durations.
    (SMALLEST, "spec: {disruption: {forceAfter: 90}}", "spec.disruption.forceAfter in body must be of type string"),
    (SMALLEST, "spec: {disruption: {forceAfter: '90'}}", "spec.disruption.forceAfter: Invalid value: \"90\": a duration is written in hours, minutes and seconds, in this order, such as 1h30m, 45m or 2h"),
    (SMALLEST, "spec: {disruption: {forceAfter: 30m1h}}", "a duration is written in hours, minutes and seconds, in this order"),
    (SMALLEST, "spec: {disruption: {forceAfter: 1.5h}}", "a duration is written in hours, minutes and seconds"),
    (SMALLEST, "spec: {disruption: {forceAfter: -1h}}", "a duration is written in hours, minutes and seconds"),
    (SMALLEST, "spec: {disruption: {forceAfter: P1D}}", "a duration is written in hours, minutes and seconds"),
    (SMALLEST, "spec: {disruption: {forceAfter: 0s}}", "a duration must be longer than zero"),
    (SMALLEST, "spec: {disruption: {forceAfter: 8761h}}", "a duration can be one year (8760h) at most"),
    (SMALLEST, "spec: {disruption: {forceAfter: 999999h999999m999999s}}", "a duration can be one year (8760h) at most"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: 0h0m}]}}", "spec.disruption.windows[0].duration: Invalid value: \"0h0m\": a duration must be longer than zero"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: two hours}]}}", "a duration is written in hours, minutes and seconds"),
    // Windows and schedules.
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *'}]}}", "spec.disruption.windows[0].duration: Required value"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, duration: 1h}]}}", "spec.disruption.windows[0].start: Required value"),
    (SMALLEST, "spec: {disruption: {windows: [{start: '0 1 * * *', duration: 1h}]}}", "spec.disruption.windows[0].name: Required value"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: 1h}, {name: a, start: '0 2 * * *', duration: 1h}]}}", "spec.disruption.windows[1]: Duplicate value: {\"name\":\"a\"}"),
    (SMALLEST, "spec: {disruption: {windows: [{name: Night, start: '0 1 * * *', duration: 1h}]}}", "this name has 1 to 63 lower-case letters, digits and `-`, and begins and ends with a letter or digit"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: 1h, timeZone: 'UTC+1 h'}]}}", "this is not an IANA time zone, which looks like Europe/Berlin or UTC"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: 1h, timeZone: '+01:00'}]}}", "this is not an IANA time zone"),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '0 8 * * *'}]}", "spec.powerSchedule[0].stop: Required value"),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '0 8 * * *', stop: '0 9 * * *'}, {name: a, start: '0 8 * * *', stop: '0 9 * * *'}]}", "spec.powerSchedule[1]: Duplicate value: {\"name\":\"a\"}"),
    // Cron expressions.
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '0 8 * * * *', stop: '0 9 * * *'}]}", "spec.powerSchedule[0].start: Invalid value: \"0 8 * * * *\": a cron expression has five fields with spaces between: minute (0-59), hour (0-23), day of month (1-31), month (1-12 or JAN-DEC), day of week (0-7 or SUN-SAT), such as \"0 22 * * MON-FRI\""),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '0 8 * * ', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '60 8 * * *', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '0 24 * * *', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '0 8 0 * *', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '0 8 32 * *', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '0 8 * 13 *', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '0 8 * FOO *', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '0 8 * * 8', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '0 8 * * FOO', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '0 8 * * MONDAY', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '@every day', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: 'every day at 8', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 0 30 2 *', duration: 1h}]}}", "spec.disruption.windows[0].start: Invalid value: \"0 0 30 2 *\": this cron expression names days that no year has (the 30th or 31st of a month that is shorter), so it would never come true"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 0 30,31 feb *', duration: 1h}]}}", "this cron expression names days that no year has"),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 0 31 4,6,Sep,11 *', duration: 1h}]}}", "this cron expression names days that no year has"),
    (SMALLEST, "spec: {powerSchedule: [{name: a, start: '0 0 31 2 *', stop: '0 0 * * *'}]}", "this cron expression names days that no year has"),
    // Tags.
    (SMALLEST, "spec: {tags: {'aws:owner': a}}", "spec.tags: Invalid value: tag keys that begin with `aws:` belong to AWS"),
    (SMALLEST, "spec: {tags: {'AWS:owner': a}}", "tag keys that begin with `aws:` belong to AWS"),
    (SMALLEST, "spec: {tags: {windlass.dev/uid: a}}", "tag keys that begin with `windlass.dev/` belong to the operator, which sets them itself"),
    (SMALLEST, "spec: {tags: {'': a}}", "a tag key has 1 to 128 characters"),
    (SMALLEST, "spec: {tags: {aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: b}}", "a tag key has 1 to 128 characters"),
    (SMALLEST, "spec: {tags: {'a#b': c}}", "a tag key has letters, digits, spaces and `_ . : / = + - @`"),
    (SMALLEST, "spec: {tags: {a: 'b*'}}", "a tag value has letters, digits, spaces and `_ . : / = + - @`"),
    (SMALLEST, "spec: {tags: {a: 1}}", "spec.tags.a in body must be of type string"),
    // Choices.
    (SMALLEST, "spec: {fleetType: on_demand}", "spec.fleetType: Unsupported value: \"on_demand\": supported values: \"ALWAYS_ON\", \"ON_DEMAND\", \"ELASTIC\""),
    (SMALLEST, "spec: {desiredState: RUNNING}", "spec.desiredState: Unsupported value: \"RUNNING\": supported values: \"Running\", \"Stopped\""),
    (SMALLEST, "spec: {streamView: Desktop}", "spec.streamView: Unsupported value: \"Desktop\": supported values: \"APP\", \"DESKTOP\""),
    (SMALLEST, "spec: {deletionPolicy: Orphan}", "spec.deletionPolicy: Unsupported value: \"Orphan\": supported values: \"Delete\", \"Retain\""),
    (SMALLEST, "spec: {adoptionPolicy: Always}", "spec.adoptionPolicy: Unsupported value: \"Always\": supported values: \"Never\", \"IfExists\""),
    (SMALLEST, "spec: {managementPolicy: Off}", "spec.managementPolicy"),
    (SMALLEST, "spec: {recreatePolicy: Maybe}", "spec.recreatePolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"Never\""),
    (SMALLEST, "spec: {updateStrategy: {type: Rolling}}", "spec.updateStrategy.type: Unsupported value: \"Rolling\": supported values: \"Restart\", \"OnStop\""),
    (SMALLEST, "spec: {updateStrategy: {whileRunning: All}}", "spec.updateStrategy.whileRunning: Unsupported value: \"All\": supported values: \"Minimal\", \"Documented\""),
    (SMALLEST, "spec: {disruption: {policy: Always}}", "spec.disruption.policy: Unsupported value: \"Always\": supported values: \"WhenIdle\", \"Immediate\", \"Never\""),
    // Closed.
    (SMALLEST, "spec: {instancetype: a}", "unknown field \"spec.instancetype\""),
    (SMALLEST, "spec: {computeCapacity: {desiredInstances: 1, desired: 1}}", "unknown field \"spec.computeCapacity.desired\""),
    (SMALLEST, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: 1h, timezone: UTC}]}}", "unknown field \"spec.disruption.windows[0].timezone\""),
    (SMALLEST, "data: {a: b}", "unknown field \"data\""),
];

#[rustfmt::skip]
const CHANGES: &[Change] = &[
    (FULL, "{}", "spec: {name: other}", "spec.name: Forbidden: the name of a fleet cannot be changed: create a Fleet object with the other name, move the stacks to it, then delete this one"),
    (FULL, "{}", "spec: {name: null}", "spec.name: Forbidden: the name of a fleet cannot be changed"),
    (SMALLEST, "{}", "spec: {name: other}", "spec.name: Forbidden: the name of a fleet cannot be changed"),
    (SMALLEST, "{}", "spec: {name: good}", ""),
    (SMALLEST, "spec: {name: good}", "spec: {name: null}", ""),
    (SMALLEST, "{}", "spec: {fleetType: ALWAYS_ON}", "spec.fleetType: Forbidden: AWS cannot change the type of a fleet: create a Fleet object with another name and the other type, move the stacks to it, then delete this one"),
    // Taking it away brings the default back, which is another type.
    (FULL, "{}", "spec: {fleetType: null}", "spec.fleetType: Forbidden: AWS cannot change the type of a fleet"),
    (SMALLEST, "spec: {fleetType: ON_DEMAND}", "spec: {fleetType: null}", ""),
    (SMALLEST, "{}", "spec: {region: eu-west-1}", ""),
    (FULL, "{}", "spec: {region: eu-west-1}", "spec.region: Forbidden: the Region cannot be changed or taken away once it is set: create a Fleet object with another name there, then delete this one"),
    (SMALLEST, "{}", "spec: {account: other}", ""),
    (FULL, "{}", "spec: {account: other}", "spec.account: Forbidden: the account cannot be changed or taken away once it is set: create a Fleet object with another name there, then delete this one"),
    (FULL, "{}", "spec: {account: null}", "spec.account: Forbidden: the account cannot be changed or taken away once it is set"),
    (FULL, "{}", "spec: {region: null}", "spec.region: Forbidden: the Region cannot be changed or taken away once it is set"),
    (SMALLEST, "{}", "spec: {imageName: null}", "spec.imageName: Required value: an ALWAYS_ON or ON_DEMAND fleet needs an image"),
    (SMALLEST, "{}", "spec: {imageName: null, imageArn: 'arn:aws:appstream:eu-central-1::image/a'}", ""),
    (SMALLEST, "{}", "spec: {instanceType: stream.standard.large, displayName: Other, desiredState: Stopped, computeCapacity: {desiredInstances: 3}}", ""),
    (FULL, "{}", "spec: {displayName: null, description: null, tags: null, computeCapacity: null, vpcConfig: null, disruption: null, powerSchedule: null, updateStrategy: null}", ""),
    (FULL, "{}", "spec: {deletionPolicy: Delete, adoptionPolicy: Never, managementPolicy: Manage, recreatePolicy: Always, deletionProtection: false}", ""),
    (ELASTIC, "{}", "spec: {vpcConfig: {subnetIds: [subnet-0a]}}", "an ELASTIC fleet needs vpcConfig.subnetIds with at least two subnets"),
];

fn rows() -> Vec<Bound> {
    vec![
        row(SMALLEST, "name", (1, 101), letters),
        row(SMALLEST, "instanceType", (1, 128), letters),
        row(SMALLEST, "imageName", (1, 101), letters),
        row(SMALLEST, "displayName", (1, 100), letters),
        row(SMALLEST, "description", (1, 256), letters),
        row(SMALLEST, "platform", (1, 64), |size| "A".repeat(size as usize).into()),
        row(SMALLEST, "domainJoinInfo.directoryName", (1, 255), letters),
        row(FULL, "domainJoinInfo.organizationalUnitDistinguishedName", (1, 2000), letters),
        row(ELASTIC, "sessionScriptS3Location.s3Bucket", (3, 63), letters),
        row(ELASTIC, "sessionScriptS3Location.s3Key", (1, 1024), letters),
        row(SMALLEST, "tags.a", (0, 256), letters),
        row(FULL, "disruption.windows.0.name", (1, 63), letters),
        row(FULL, "powerSchedule.0.name", (1, 63), letters),
        row(FULL, "disruption.windows.0.timeZone", (1, 64), letters),
        row(FULL, "powerSchedule.0.timeZone", (1, 64), letters),
        row(SMALLEST, "account", (1, 253), letters),
        long(SMALLEST, "region", (1, 32), |size| padded("aa-", size, "-1")),
        long(FULL, "imageArn", (1, 2048), |size| padded("arn:aws:appstream:::image/", size, "")),
        long(FULL, "iamRoleArn", (1, 2048), |size| padded("arn:aws:iam::123456789012:role/", size, "")),
        long(ELASTIC, "applicationArns.0", (1, 2048), |size| {
            padded("arn:aws:appstream:a:123456789012:application/", size, "")
        }),
        long(SMALLEST, "vpcConfig.subnetIds.0", (1, 64), |size| padded("subnet-", size, "")),
        long(SMALLEST, "vpcConfig.securityGroupIds.0", (1, 64), |size| padded("sg-", size, "")),
        long(SMALLEST, "usbDeviceFilterStrings.0", (1, 100), |size| padded("", size, ",3,*,*,1386,*,1,0")),
        long(FULL, "disruption.forceAfter", (2, 21), duration),
        long(FULL, "disruption.windows.0.duration", (2, 21), duration),
        row(FULL, "disruption.windows.0.start", (9, 128), cron),
        row(FULL, "powerSchedule.0.start", (9, 128), cron),
        row(FULL, "powerSchedule.0.stop", (9, 128), cron),
        row(FULL, "computeCapacity.desiredInstances", (0, 1_000_000), |size| size.into()),
        row(MULTI_SESSION, "computeCapacity.desiredSessions", (0, 1_000_000), |size| size.into()),
        row(ELASTIC, "maxConcurrentSessions", (1, 1_000_000), |size| size.into()),
        row(MULTI_SESSION, "maxSessionsPerInstance", (2, 50), |size| size.into()),
        row(SMALLEST, "maxUserDurationInSeconds", (600, 432_000), |size| size.into()),
        row(SMALLEST, "disconnectTimeoutInSeconds", (60, 360_000), |size| size.into()),
        row(SMALLEST, "idleDisconnectTimeoutInSeconds", (0, 360_000), |size| size.into()),
        row(FULL, "rootVolumeConfig.volumeSizeInGb", (200, 500), |size| size.into()),
        row(SMALLEST, "tags", (0, 45), |size| {
            (0..size).map(|n| (format!("key-{n}"), json!("value"))).collect::<serde_json::Map<_, _>>().into()
        }),
        row(SMALLEST, "vpcConfig.subnetIds", (1, 16), |size| list(size, |n| json!(format!("subnet-{n}")))),
        row(SMALLEST, "vpcConfig.securityGroupIds", (1, 5), |size| list(size, |n| json!(format!("sg-{n}")))),
        row(SMALLEST, "usbDeviceFilterStrings", (1, 50), |size| {
            list(size, |n| json!(format!("d{n},3,*,*,1386,*,1,0")))
        }),
        row(ELASTIC, "applicationArns", (0, 50), |size| {
            list(size, |n| json!(format!("arn:aws:appstream:eu-central-1:123456789012:application/{n}")))
        }),
        row(SMALLEST, "disruption.windows", (1, 32), |size| {
            list(size, |n| json!({ "name": format!("w{n}"), "start": "0 1 * * *", "duration": "1h" }))
        }),
        row(SMALLEST, "powerSchedule", (1, 32), |size| {
            list(size, |n| json!({ "name": format!("p{n}"), "start": "0 1 * * *", "stop": "0 2 * * *" }))
        }),
    ]
}

/// A status with everything in it, as large as the operator may write it.
fn status() -> Value {
    let at = "2026-01-02T03:04:05Z";
    json!({
        "observedGeneration": 1, "lastHandledReconcileAt": "x", "name": "good", "state": "RUNNING",
        "arn": "arn:aws-us-gov:appstream:us-gov-west-1:123456789012:fleet/good",
        "conditions": [{"type": "Ready", "status": "True", "reason": "Available", "message": "", "observedGeneration": 1, "lastTransitionTime": at}],
        "instanceType": "stream.standard.medium", "imageName": "a", "platform": "WINDOWS", "createdTime": at,
        "imageArn": "arn:aws:appstream:eu-central-1::image/a",
        "capacity": {"desired": 1, "running": 1, "inUse": 0, "available": 1, "desiredUserSessions": 5, "availableUserSessions": 5,
            "activeUserSessions": 0, "actualUserSessions": 5},
        "fleetErrors": vec![json!({"errorCode": "SUBNET_NOT_FOUND", "errorMessage": "m".repeat(4096)}); 100],
        "selector": "windlass.dev/fleet-uid=0",
        "pendingChanges": vec![json!({"field": "instanceType", "from": "a", "to": "b", "impact": "Restart", "waitingFor": "users", "since": at}); 100],
        "sessions": {"count": 2, "oldest": at},
        "nextTransition": {"at": at, "to": "Stopped"},
        "internal": {
            "intent": {"name": "good", "at": at, "account": "123456789012", "region": "us-gov-west-1"}, "stateSince": at,
            "applied": {"tags": ["a", "b"], "fields": ["vpcConfig"], "applications": ["arn:aws:appstream:eu-central-1:123456789012:application/a"]},
            "rejected": {"generation": 1, "code": "InvalidParameterCombinationException", "message": "no", "change": "a=b"},
            "drainedFrom": 3
        }
    })
}

#[tokio::test]
async fn the_defaults_of_an_object_come_with_the_object() {
    let cluster = Cluster::with("defaults").await;
    let manifest = SMALLEST.but("spec: {updateStrategy: {}, disruption: {}}");
    let answer = cluster.create(&manifest, true).await.unwrap();
    assert_eq!(answer["spec"]["updateStrategy"], json!({ "type": "Restart", "whileRunning": "Minimal" }));
    assert_eq!(answer["spec"]["disruption"], json!({ "policy": "WhenIdle" }));
}

#[tokio::test]
async fn a_form_that_is_taken_is_one_that_the_cron_parser_reads() {
    let cluster = Cluster::with("cron").await;
    for cron in [
        "* * * * *",
        "0 0 29 2 *",
        "0 0 31 1-3 *",
        "0 0 31 2,3 *",
        "0 0 30 2 MON",
        "*/15 0-23/2 1,15 */3 1-5",
        "5/10 4 L * *",
        "0 9 15W * *",
        "0 9 * JAN,Jul sun",
        "0 9 * * 5#3",
        "0 9 * * 7L",
        "00 04 01 01 0",
        "1-5,7,*/20 * * * SAT,SUN",
        "0   9 * *  *",
    ] {
        let mut manifest = SMALLEST.but("spec: {powerSchedule: [{name: a, stop: '59 23 28 2 6', start: ''}]}");
        manifest["spec"]["powerSchedule"][0]["start"] = cron.into();
        let taken = cluster.create(&manifest, true).await;
        assert!(taken.is_ok(), "{cron}: {taken:?}");
        assert!(cronexpr::parse_crontab(&format!("{cron} UTC")).is_ok(), "{cron}");
    }
}

/// What the parser reads is not refused, but for dates that no year has: random expressions from a fixed seed.
#[tokio::test]
async fn a_cron_expression_that_the_parser_reads_is_taken() {
    let cluster = Cluster::with("crons").await;
    let fields: [&[&str]; 5] = [
        &["*", "0", "59", "07", "*/5", "0-59", "10-20/3", "5/10", "60", "5-1", "-1"],
        &["*", "0", "23", "09", "*/6", "8-18", "8-18/2", "20/2", "24", "1.5"],
        &["*", "1", "31", "30", "05", "*/2", "1-15", "10-20/3", "L", "15W", "1W", "0", "32", "LW"],
        &["*", "1", "12", "02", "feb", "JAN-MAR", "*/3", "1-6/2", "4/2", "0", "13", "sept"],
        &["*", "0", "7", "sun", "MON-FRI", "1-5", "*/2", "1-5/2", "5L", "2#1", "MON#2", "friL", "8", "1#6", "SUNDAY"],
    ];
    let mut seed = 2017_u32;
    let mut random = |below: usize| {
        // The constants of Numerical Recipes; the low bits of such a generator repeat soon, so the high ones are used.
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) as usize % below
    };
    let (mut read, mut wrong) = (0, Vec::new());
    for _ in 0..400 {
        let field = |choices: &[&'static str]| {
            let items: Vec<&str> = (0..=random(8) / 7).map(|_| choices[random(choices.len())]).collect();
            items.join(",")
        };
        let cron = fields.map(field).join(" ");
        let mut manifest = SMALLEST.but("spec: {powerSchedule: [{name: a, stop: '58 23 28 2 6', start: ''}]}");
        manifest["spec"]["powerSchedule"][0]["start"] = cron.as_str().into();
        let taken = cluster.create(&manifest, true).await;
        let parsed = cronexpr::parse_crontab(&format!("{cron} UTC"));
        read += usize::from(parsed.is_ok());
        match (parsed, taken) {
            (Ok(_), Ok(_)) | (Err(_), Err(_)) => {}
            (Ok(crontab), Err(said)) => {
                let never = crontab.find_next("2026-01-01T00:00:00Z").is_err();
                if !(never && said.contains("names days that no year has")) {
                    wrong.push(format!("{cron}: read, but refused: {said}"));
                }
            }
            // A step or range that only the parser judges shows in the status.
            (Err(_), Ok(_)) if cron.contains("5-1") => {}
            (Err(error), Ok(_)) => wrong.push(format!("{cron}: taken, but not read: {error}")),
        }
    }
    assert!(read > 50, "only {read} expressions were good");
    assert_eq!(wrong, Vec::<String>::new());
}

#[tokio::test]
async fn an_autoscaler_scales_what_has_instances_and_nothing_else() {
    let cluster = Cluster::with("scale").await;
    let scale = |count: i32| json!({ "spec": { "replicas": count } });
    for (number, (good, sentence)) in [
        (SMALLEST, ""),
        (MULTI_SESSION, "give exactly one of desiredInstances"),
        (ELASTIC, "AWS manages the capacity of an ELASTIC fleet"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut manifest = good.but("{}");
        let name = format!("good-{number}");
        manifest["metadata"]["name"] = name.clone().into();
        cluster.create(&manifest, false).await.unwrap();
        let path = format!("{}/{name}/scale", cluster.path(&manifest));
        match cluster.request("PATCH", &path, "application/merge-patch+json", &scale(7)).await {
            Ok(answer) => {
                assert_eq!(answer["spec"]["replicas"], 7);
                assert_eq!(sentence, "", "{good:?} was scaled");
            }
            Err(said) => assert!(!sentence.is_empty() && said.contains(sentence), "{good:?}: {said}"),
        }
    }
}

const SMALLEST: Good = Good(
    "SMALLEST",
    "
apiVersion: appstream.windlass.dev/v1alpha1
kind: Fleet
metadata: {name: good}
spec: {instanceType: stream.standard.medium, imageName: windlass-demo-v1}
",
);

const FULL: Good = Good("FULL", "
apiVersion: appstream.windlass.dev/v1alpha1
kind: Fleet
metadata: {name: good}
spec:
  name: Good_Fleet.1
  fleetType: ALWAYS_ON
  desiredState: Stopped
  account: production
  region: us-gov-west-1
  tags: {team: a, 'cost centre/é': 'x = y @ z:1+2-3', empty: ''}
  deletionPolicy: Retain
  adoptionPolicy: IfExists
  managementPolicy: Observe
  recreatePolicy: Never
  deletionProtection: true
  instanceType: stream.graphics.g4dn.xlarge
  imageArn: arn:aws:appstream:eu-central-1:123456789012:image/cad-2026
  computeCapacity: {desiredInstances: 0}
  vpcConfig: {subnetIds: [subnet-0a1b2c3d4e5f67890], securityGroupIds: [sg-0a1b2c3d]}
  maxUserDurationInSeconds: 57600
  disconnectTimeoutInSeconds: 900
  idleDisconnectTimeoutInSeconds: 70
  displayName: Bürö №1
  description: With every field
  enableDefaultInternetAccess: false
  domainJoinInfo: {directoryName: corp.example.com, organizationalUnitDistinguishedName: 'OU=Fleets,DC=corp,DC=example,DC=com'}
  iamRoleArn: arn:aws-us-gov:iam::123456789012:role/path/fleet
  streamView: DESKTOP
  platform: WINDOWS_SERVER_2022
  usbDeviceFilterStrings: ['Mass storage, 8, *, *, *, *, 1, 0', 'Wacom,3,*,*,1386,*,1,0']
  rootVolumeConfig: {volumeSizeInGb: 300}
  disableIMDSV1: true
  updateStrategy: {type: OnStop, whileRunning: Documented}
  disruption:
    policy: Never
    forceAfter: 1h30m
    drain: true
    windows:
    - {name: night, start: '0 22 * * SUN', duration: 2h, timeZone: Europe/Berlin}
    - {name: month-end, start: '*/5 0-6/2,23 L JAN-MAR,12 *', duration: 90s}
  powerSchedule:
  - {name: office, start: '0 8 * * mon-fri', stop: '30 18 * * 1-5', timeZone: America/Argentina/Buenos_Aires}
  - {name: market, start: '0 6 15W,31 1,7 *', stop: '0 20 * * 6#1,5L'}
");

const MULTI_SESSION: Good = Good(
    "MULTI_SESSION",
    "
apiVersion: appstream.windlass.dev/v1alpha1
kind: Fleet
metadata: {name: good}
spec:
  instanceType: stream.standard.large
  imageArn: arn:aws:appstream:eu-central-1::image/AppStream-WinServer2022-06-17-2024
  maxSessionsPerInstance: 5
  computeCapacity: {desiredSessions: 20}
",
);

const ELASTIC: Good = Good(
    "ELASTIC",
    "
apiVersion: appstream.windlass.dev/v1alpha1
kind: Fleet
metadata: {name: good}
spec:
  fleetType: ELASTIC
  instanceType: stream.standard.small
  platform: AMAZON_LINUX2
  maxConcurrentSessions: 10
  vpcConfig: {subnetIds: [subnet-0a1b2c3d4e5f67890, subnet-0a1b2c3d4e5f67891]}
  sessionScriptS3Location: {s3Bucket: scripts.example, s3Key: fleet/start.zip}
  applicationArns: ['arn:aws:appstream:eu-central-1:123456789012:application/browser']
",
);
