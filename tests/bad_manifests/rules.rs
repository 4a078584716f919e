//! Every rule of the schema, broken once: the sentence that a person reads.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Good::{Elastic, Full, MultiSession, Smallest};
use super::{Cluster, Good};

/// A good manifest, what is changed in it, and what the API server says of it.
type Row = (Good, &'static str, &'static str);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // Which fields go together.
    (Smallest, "spec: {imageName: null}", "spec.imageName: Required value: an ALWAYS_ON or ON_DEMAND fleet needs an image: give imageName, or imageArn for an image that another account shares"),
    (Smallest, "spec: {imageArn: 'arn:aws:appstream:eu-central-1::image/a'}", "spec.imageName: Forbidden: imageName and imageArn name the same thing: give one of them, imageArn for an image that another account shares"),
    (Elastic, "spec: {imageName: a, imageArn: 'arn:aws:appstream:eu-central-1::image/a'}", "spec.imageName: Forbidden: imageName and imageArn name the same thing"),
    (Smallest, "spec: {instanceType: null}", "spec.instanceType: Required value"),
    (Smallest, "spec: {computeCapacity: {}}", "give exactly one of desiredInstances (a single-session fleet) and desiredSessions (a multi-session fleet)"),
    (MultiSession, "spec: {computeCapacity: {desiredInstances: 1}}", "give exactly one of desiredInstances (a single-session fleet) and desiredSessions (a multi-session fleet)"),
    (MultiSession, "spec: {computeCapacity: {desiredInstances: 1, desiredSessions: null}}", "spec.computeCapacity.desiredInstances: Forbidden: maxSessionsPerInstance makes a multi-session fleet, whose capacity is desiredSessions: give that instead of desiredInstances, or leave maxSessionsPerInstance out"),
    (Smallest, "spec: {computeCapacity: {desiredSessions: 5}}", "spec.maxSessionsPerInstance: Required value: desiredSessions is for multi-session fleets: give maxSessionsPerInstance too, or desiredInstances instead"),
    (Elastic, "spec: {computeCapacity: {desiredInstances: 1}}", "spec.computeCapacity: Forbidden: AWS manages the capacity of an ELASTIC fleet: leave computeCapacity out and give maxConcurrentSessions"),
    (Elastic, "spec: {maxSessionsPerInstance: 2}", "spec.maxSessionsPerInstance: Forbidden: an ELASTIC fleet has one session per instance: leave maxSessionsPerInstance out and give maxConcurrentSessions"),
    (Elastic, "spec: {domainJoinInfo: {directoryName: corp.example.com}}", "spec.domainJoinInfo: Forbidden: an ELASTIC fleet cannot join a domain: leave domainJoinInfo out"),
    (Elastic, "spec: {maxConcurrentSessions: null}", "spec.maxConcurrentSessions: Required value: an ELASTIC fleet needs maxConcurrentSessions, the number of users at once"),
    (Elastic, "spec: {platform: null}", "spec.platform: Required value: an ELASTIC fleet needs a platform, such as AMAZON_LINUX2 or WINDOWS_SERVER_2019"),
    (Elastic, "spec: {vpcConfig: null}", "spec.vpcConfig: Required value: an ELASTIC fleet needs vpcConfig.subnetIds with at least two subnets in different Availability Zones"),
    (Elastic, "spec: {vpcConfig: {subnetIds: [subnet-0a]}}", "spec.vpcConfig: Required value: an ELASTIC fleet needs vpcConfig.subnetIds with at least two subnets in different Availability Zones"),
    (Elastic, "spec: {vpcConfig: {subnetIds: null, securityGroupIds: [sg-0a]}}", "spec.vpcConfig: Required value: an ELASTIC fleet needs vpcConfig.subnetIds"),
    (Elastic, "spec: {disruption: {drain: true}}", "spec.disruption.drain: Forbidden: an ELASTIC fleet cannot be drained, because it has no capacity to set to 0: leave drain out"),
    (Smallest, "spec: {maxConcurrentSessions: 5}", "spec.maxConcurrentSessions: Forbidden: maxConcurrentSessions is for ELASTIC fleets: give computeCapacity instead"),
    (Smallest, "spec: {sessionScriptS3Location: {s3Bucket: abc, s3Key: d}}", "spec.sessionScriptS3Location: Forbidden: sessionScriptS3Location is for ELASTIC fleets: other fleets have their session scripts in the image"),
    (Smallest, "spec: {applicationArns: []}", "spec.applicationArns: Forbidden: applicationArns is for ELASTIC fleets: other fleets have their applications in the image"),
    (Smallest, "spec: {vpcConfig: {}}", "vpcConfig is empty: give subnetIds or securityGroupIds, or leave it out for AWS's choice"),
    (Smallest, "spec: {domainJoinInfo: {}}", "spec.domainJoinInfo.directoryName: Required value"),
    (Elastic, "spec: {sessionScriptS3Location: {s3Key: null}}", "spec.sessionScriptS3Location.s3Key: Required value"),
    (Smallest, "spec: {idleDisconnectTimeoutInSeconds: 1}", "the idle timeout is 0 (never disconnect) or at least 60 seconds"),
    (Smallest, "spec: {idleDisconnectTimeoutInSeconds: 59}", "the idle timeout is 0 (never disconnect) or at least 60 seconds"),
    (Smallest, "spec: {powerSchedule: [{name: a, start: '0 8 * * *', stop: '0 8 * * *'}]}", "start and stop are the same, so the fleet would never be on by this entry"),
    (Smallest, "metadata: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}", "the object's name is the fleet's name in AWS, which has at most 101 characters: give a shorter spec.name"),
    // Forms.
    (Smallest, "spec: {name: -a}", "an AWS name has 1 to 101 letters, digits, `_`, `.` and `-`, and begins with a letter or digit"),
    (Smallest, "spec: {name: a b}", "an AWS name has 1 to 101 letters, digits"),
    (Smallest, "spec: {name: ä}", "an AWS name has 1 to 101 letters, digits"),
    (Smallest, "spec: {imageName: a/b}", "spec.imageName: Invalid value: \"a/b\": an AWS name has 1 to 101 letters"),
    (Smallest, "spec: {account: -a}", "the name of an object has lower-case letters, digits, `-` and `.`, and begins and ends with a letter or digit"),
    (Smallest, "spec: {region: Frankfurt}", "spec.region: Invalid value: \"Frankfurt\": this is not an AWS Region, which looks like eu-central-1"),
    (Smallest, "spec: {region: eu-central-1a}", "this is not an AWS Region, which looks like eu-central-1"),
    (Smallest, "spec: {region: EU-CENTRAL-1}", "this is not an AWS Region, which looks like eu-central-1"),
    (Smallest, "spec: {instanceType: 'stream standard'}", "an instance type has letters, digits, `_`, `.` and `-`, such as stream.standard.medium"),
    (Smallest, "spec: {platform: windows}", "a platform is spelt as AWS spells it: upper-case letters, digits and `_`, such as WINDOWS_SERVER_2022"),
    (Full, "spec: {imageArn: windlass-demo-v1}", "this is not the ARN of an AppStream image, which looks like arn:aws:appstream:eu-central-1:123456789012:image/my-image (no account for a public image)"),
    (Full, "spec: {imageArn: 'arn:aws:appstream:eu-central-1:123456789012:fleet/a'}", "this is not the ARN of an AppStream image"),
    (Full, "spec: {imageArn: 'arn:aws:appstream:eu-central-1:123:image/a'}", "this is not the ARN of an AppStream image"),
    (Full, "spec: {imageArn: 'arn:aws:ec2:eu-central-1::image/ami-1'}", "this is not the ARN of an AppStream image"),
    (Full, "spec: {iamRoleArn: 'arn:aws:iam::123456789012:user/a'}", "this is not the ARN of an IAM role, which looks like arn:aws:iam::123456789012:role/my-role"),
    (Full, "spec: {iamRoleArn: my-role}", "this is not the ARN of an IAM role"),
    (Elastic, "spec: {applicationArns: ['arn:aws:appstream:eu-central-1:123456789012:app-block/a']}", "spec.applicationArns[0]: Invalid value: \"arn:aws:appstream:eu-central-1:123456789012:app-block/a\": this is not the ARN of an AppStream application, which looks like arn:aws:appstream:eu-central-1:123456789012:application/my-application"),
    (Elastic, "spec: {applicationArns: ['arn:aws:appstream:eu-central-1:123456789012:application/a', 'arn:aws:appstream:eu-central-1:123456789012:application/a']}", "spec.applicationArns[1]: Duplicate value"),
    (Smallest, "spec: {vpcConfig: {subnetIds: [vpc-0a]}}", "spec.vpcConfig.subnetIds[0]: Invalid value: \"vpc-0a\": this is not a subnet id, which looks like subnet-0a1b2c3d4e5f67890"),
    (Smallest, "spec: {vpcConfig: {subnetIds: [subnet-0a, subnet-0a]}}", "spec.vpcConfig.subnetIds[1]: Duplicate value: \"subnet-0a\""),
    (Smallest, "spec: {vpcConfig: {securityGroupIds: [default]}}", "this is not a security group id, which looks like sg-0a1b2c3d4e5f67890"),
    (Smallest, "spec: {vpcConfig: {securityGroupIds: [sg-0a, sg-0a]}}", "spec.vpcConfig.securityGroupIds[1]: Duplicate value: \"sg-0a\""),
    (Smallest, "spec: {usbDeviceFilterStrings: ['Wacom, 3, *, *, 1386, *, 1']}", "a USB filter has eight fields with commas between (name, class, subclass, protocol, vendor, product, autoshare, skip reset), the last two 0 or 1, such as \"Mass storage, 8, *, *, *, *, 1, 0\""),
    (Smallest, "spec: {usbDeviceFilterStrings: ['Wacom, 3, *, *, 1386, *, 1, 2']}", "a USB filter has eight fields"),
    (Elastic, "spec: {sessionScriptS3Location: {s3Bucket: Upper_Case}}", "a bucket name has 3 to 63 lower-case letters, digits, `.` and `-`, and does not end with `.`"),
    (Elastic, "spec: {sessionScriptS3Location: {s3Bucket: dot.}}", "a bucket name has 3 to 63 lower-case letters"),
    // Durations.
    (Smallest, "spec: {disruption: {forceAfter: 90}}", "spec.disruption.forceAfter in body must be of type string"),
    (Smallest, "spec: {disruption: {forceAfter: '90'}}", "spec.disruption.forceAfter: Invalid value: \"90\": a duration is written in hours, minutes and seconds, in this order, such as 1h30m, 45m or 2h"),
    (Smallest, "spec: {disruption: {forceAfter: 30m1h}}", "a duration is written in hours, minutes and seconds, in this order"),
    (Smallest, "spec: {disruption: {forceAfter: 1.5h}}", "a duration is written in hours, minutes and seconds"),
    (Smallest, "spec: {disruption: {forceAfter: -1h}}", "a duration is written in hours, minutes and seconds"),
    (Smallest, "spec: {disruption: {forceAfter: P1D}}", "a duration is written in hours, minutes and seconds"),
    (Smallest, "spec: {disruption: {forceAfter: 0s}}", "a duration must be longer than zero"),
    (Smallest, "spec: {disruption: {forceAfter: 8761h}}", "a duration can be one year (8760h) at most"),
    (Smallest, "spec: {disruption: {forceAfter: 999999h999999m999999s}}", "a duration can be one year (8760h) at most"),
    (Smallest, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: 0h0m}]}}", "spec.disruption.windows[0].duration: Invalid value: \"0h0m\": a duration must be longer than zero"),
    (Smallest, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: two hours}]}}", "a duration is written in hours, minutes and seconds"),
    // Windows and schedules.
    (Smallest, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *'}]}}", "spec.disruption.windows[0].duration: Required value"),
    (Smallest, "spec: {disruption: {windows: [{name: a, duration: 1h}]}}", "spec.disruption.windows[0].start: Required value"),
    (Smallest, "spec: {disruption: {windows: [{start: '0 1 * * *', duration: 1h}]}}", "spec.disruption.windows[0].name: Required value"),
    (Smallest, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: 1h}, {name: a, start: '0 2 * * *', duration: 1h}]}}", "spec.disruption.windows[1]: Duplicate value: {\"name\":\"a\"}"),
    (Smallest, "spec: {disruption: {windows: [{name: Night, start: '0 1 * * *', duration: 1h}]}}", "this name has 1 to 63 lower-case letters, digits and `-`, and begins and ends with a letter or digit"),
    (Smallest, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: 1h, timeZone: 'UTC+1 h'}]}}", "this is not an IANA time zone, which looks like Europe/Berlin or UTC"),
    (Smallest, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: 1h, timeZone: '+01:00'}]}}", "this is not an IANA time zone"),
    (Smallest, "spec: {powerSchedule: [{name: a, start: '0 8 * * *'}]}", "spec.powerSchedule[0].stop: Required value"),
    (Smallest, "spec: {powerSchedule: [{name: a, start: '0 8 * * *', stop: '0 9 * * *'}, {name: a, start: '0 8 * * *', stop: '0 9 * * *'}]}", "spec.powerSchedule[1]: Duplicate value: {\"name\":\"a\"}"),
    // Cron expressions.
    (Smallest, "spec: {powerSchedule: [{name: a, start: '0 8 * * * *', stop: '0 9 * * *'}]}", "spec.powerSchedule[0].start: Invalid value: \"0 8 * * * *\": a cron expression has five fields with spaces between: minute (0-59), hour (0-23), day of month (1-31), month (1-12 or JAN-DEC), day of week (0-7 or SUN-SAT), such as \"0 22 * * MON-FRI\""),
    (Smallest, "spec: {powerSchedule: [{name: a, start: '0 8 * * ', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (Smallest, "spec: {powerSchedule: [{name: a, start: '60 8 * * *', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (Smallest, "spec: {powerSchedule: [{name: a, start: '0 24 * * *', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (Smallest, "spec: {powerSchedule: [{name: a, start: '0 8 0 * *', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (Smallest, "spec: {powerSchedule: [{name: a, start: '0 8 32 * *', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (Smallest, "spec: {powerSchedule: [{name: a, start: '0 8 * 13 *', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (Smallest, "spec: {powerSchedule: [{name: a, start: '0 8 * FOO *', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (Smallest, "spec: {powerSchedule: [{name: a, start: '0 8 * * 8', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (Smallest, "spec: {powerSchedule: [{name: a, start: '0 8 * * FOO', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (Smallest, "spec: {powerSchedule: [{name: a, start: '0 8 * * MONDAY', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (Smallest, "spec: {powerSchedule: [{name: a, start: '@every day', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (Smallest, "spec: {powerSchedule: [{name: a, start: 'every day at 8', stop: '0 9 * * *'}]}", "a cron expression has five fields"),
    (Smallest, "spec: {disruption: {windows: [{name: a, start: '0 0 30 2 *', duration: 1h}]}}", "spec.disruption.windows[0].start: Invalid value: \"0 0 30 2 *\": this cron expression names days that no year has (the 30th or 31st of a month that is shorter), so it would never come true"),
    (Smallest, "spec: {disruption: {windows: [{name: a, start: '0 0 30,31 feb *', duration: 1h}]}}", "this cron expression names days that no year has"),
    (Smallest, "spec: {disruption: {windows: [{name: a, start: '0 0 31 4,6,Sep,11 *', duration: 1h}]}}", "this cron expression names days that no year has"),
    (Smallest, "spec: {powerSchedule: [{name: a, start: '0 0 31 2 *', stop: '0 0 * * *'}]}", "this cron expression names days that no year has"),
    // Tags.
    (Smallest, "spec: {tags: {'aws:owner': a}}", "spec.tags: Invalid value: tag keys that begin with `aws:` belong to AWS"),
    (Smallest, "spec: {tags: {'AWS:owner': a}}", "tag keys that begin with `aws:` belong to AWS"),
    (Smallest, "spec: {tags: {windlass.dev/uid: a}}", "tag keys that begin with `windlass.dev/` belong to the operator, which sets them itself"),
    (Smallest, "spec: {tags: {'': a}}", "a tag key has 1 to 128 characters"),
    (Smallest, "spec: {tags: {aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: b}}", "a tag key has 1 to 128 characters"),
    (Smallest, "spec: {tags: {'a#b': c}}", "a tag key has letters, digits, spaces and `_ . : / = + - @`"),
    (Smallest, "spec: {tags: {a: 'b*'}}", "a tag value has letters, digits, spaces and `_ . : / = + - @`"),
    (Smallest, "spec: {tags: {a: 1}}", "spec.tags.a in body must be of type string"),
    // Choices.
    (Smallest, "spec: {fleetType: on_demand}", "spec.fleetType: Unsupported value: \"on_demand\": supported values: \"ALWAYS_ON\", \"ON_DEMAND\", \"ELASTIC\""),
    (Smallest, "spec: {desiredState: RUNNING}", "spec.desiredState: Unsupported value: \"RUNNING\": supported values: \"Running\", \"Stopped\""),
    (Smallest, "spec: {streamView: Desktop}", "spec.streamView: Unsupported value: \"Desktop\": supported values: \"APP\", \"DESKTOP\""),
    (Smallest, "spec: {deletionPolicy: Orphan}", "spec.deletionPolicy: Unsupported value: \"Orphan\": supported values: \"Delete\", \"Retain\""),
    (Smallest, "spec: {adoptionPolicy: Always}", "spec.adoptionPolicy: Unsupported value: \"Always\": supported values: \"Never\", \"IfExists\""),
    (Smallest, "spec: {managementPolicy: Off}", "spec.managementPolicy"),
    (Smallest, "spec: {recreatePolicy: Maybe}", "spec.recreatePolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"Never\""),
    (Smallest, "spec: {updateStrategy: {type: Rolling}}", "spec.updateStrategy.type: Unsupported value: \"Rolling\": supported values: \"Restart\", \"OnStop\""),
    (Smallest, "spec: {updateStrategy: {whileRunning: All}}", "spec.updateStrategy.whileRunning: Unsupported value: \"All\": supported values: \"Minimal\", \"Documented\""),
    (Smallest, "spec: {disruption: {policy: Always}}", "spec.disruption.policy: Unsupported value: \"Always\": supported values: \"WhenIdle\", \"Immediate\", \"Never\""),
    // Closed.
    (Smallest, "spec: {instancetype: a}", "unknown field \"spec.instancetype\""),
    (Smallest, "spec: {computeCapacity: {desiredInstances: 1, desired: 1}}", "unknown field \"spec.computeCapacity.desired\""),
    (Smallest, "spec: {disruption: {windows: [{name: a, start: '0 1 * * *', duration: 1h, timezone: UTC}]}}", "unknown field \"spec.disruption.windows[0].timezone\""),
    (Smallest, "data: {a: b}", "unknown field \"data\""),
];

#[tokio::test]
async fn a_bad_manifest_is_refused_with_a_sentence() {
    let cluster = Cluster::with("bad").await;
    let mut wrong = Vec::new();
    for (good, patch, sentence) in ROWS {
        match cluster.create(&good.but(patch), true).await {
            Ok(_) => wrong.push(format!("{good:?} with {patch}\n   was taken, and not refused with: {sentence}")),
            Err(said) if said.contains(sentence) => {}
            Err(said) => wrong.push(format!("{good:?} with {patch}\n   said:     {said}\n   expected: {sentence}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows are wrong:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
}

#[test]
fn every_rule_is_broken_by_a_row() {
    let mut sentences = BTreeSet::new();
    for definition in windlass::crds::all() {
        collect(&serde_json::to_value(&definition.spec.versions[0].schema).unwrap(), &mut sentences);
    }
    assert!(sentences.len() > 35, "the walk found only {} rules", sentences.len());
    let unbroken: Vec<&String> = sentences
        .iter()
        .filter(|sentence| {
            let row = ROWS.iter().any(|(_, _, said)| said.contains(sentence.as_str()));
            !row && !super::updates::ROWS.iter().any(|(_, _, _, said)| said.contains(sentence.as_str()))
                && !super::good::STATUS_RULES.contains(&sentence.as_str())
        })
        .collect();
    assert_eq!(unbroken, Vec::<&String>::new());
}

fn collect(value: &Value, sentences: &mut BTreeSet<String>) {
    for rule in value["x-kubernetes-validations"].as_array().into_iter().flatten() {
        sentences.insert(rule["message"].as_str().unwrap().to_owned());
    }
    match value {
        Value::Object(fields) => fields.values().for_each(|field| collect(field, sentences)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, sentences)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
