//! What cannot change once it is there, and what can.

use super::Good::{Elastic, Full, Smallest};
use super::{Cluster, Good};

/// A good manifest, its own change before it is created, the later change, and what the API server says of that; an empty
/// sentence means that it is taken.
type Row = (Good, &'static str, &'static str, &'static str);

#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    (Full, "{}", "spec: {name: other}", "spec.name: Forbidden: the name of a fleet cannot be changed: create a Fleet object with the other name, move the stacks to it, then delete this one"),
    (Full, "{}", "spec: {name: null}", "spec.name: Forbidden: the name of a fleet cannot be changed"),
    (Smallest, "{}", "spec: {name: other}", "spec.name: Forbidden: the name of a fleet cannot be changed"),
    (Smallest, "{}", "spec: {name: good}", ""),
    (Smallest, "spec: {name: good}", "spec: {name: null}", ""),
    (Smallest, "{}", "spec: {fleetType: ALWAYS_ON}", "spec.fleetType: Forbidden: AWS cannot change the type of a fleet: create a Fleet object with another name and the other type, move the stacks to it, then delete this one"),
    // Taking it away brings the default back, which is another type.
    (Full, "{}", "spec: {fleetType: null}", "spec.fleetType: Forbidden: AWS cannot change the type of a fleet"),
    (Smallest, "spec: {fleetType: ON_DEMAND}", "spec: {fleetType: null}", ""),
    (Smallest, "{}", "spec: {region: eu-west-1}", ""),
    (Full, "{}", "spec: {region: eu-west-1}", "spec.region: Forbidden: the Region cannot be changed or taken away once it is set: create a Fleet object with another name there, then delete this one"),
    (Full, "{}", "spec: {region: null}", "spec.region: Forbidden: the Region cannot be changed or taken away once it is set"),
    (Smallest, "{}", "spec: {account: other}", ""),
    (Full, "{}", "spec: {account: other}", "spec.account: Forbidden: the account cannot be changed or taken away once it is set: create a Fleet object with another name there, then delete this one"),
    (Full, "{}", "spec: {account: null}", "spec.account: Forbidden: the account cannot be changed or taken away once it is set"),
    (Smallest, "{}", "spec: {imageName: null}", "spec.imageName: Required value: an ALWAYS_ON or ON_DEMAND fleet needs an image"),
    (Smallest, "{}", "spec: {imageName: null, imageArn: 'arn:aws:appstream:eu-central-1::image/a'}", ""),
    (Smallest, "{}", "spec: {instanceType: stream.standard.large, displayName: Other, desiredState: Stopped, computeCapacity: {desiredInstances: 3}}", ""),
    (Full, "{}", "spec: {displayName: null, description: null, tags: null, computeCapacity: null, vpcConfig: null, disruption: null, powerSchedule: null, updateStrategy: null}", ""),
    (Full, "{}", "spec: {deletionPolicy: Delete, adoptionPolicy: Never, managementPolicy: Manage, recreatePolicy: Always, deletionProtection: false}", ""),
    (Elastic, "{}", "spec: {vpcConfig: {subnetIds: [subnet-0a]}}", "an ELASTIC fleet needs vpcConfig.subnetIds with at least two subnets"),
];

#[tokio::test]
async fn a_change_that_cannot_be_made_is_refused_and_says_what_to_do_instead() {
    let cluster = Cluster::with("changes").await;
    let mut wrong = Vec::new();
    for (number, (good, before, patch, sentence)) in ROWS.iter().enumerate() {
        let mut manifest = good.but(before);
        // The name is the object's own unless the row is about it, when each row has the one that it needs.
        let name = if manifest["spec"]["name"] == "good" || patch.contains("name: good") {
            "good".to_owned()
        } else {
            format!("row-{number}")
        };
        manifest["metadata"]["name"] = name.clone().into();
        cluster.create(&manifest, false).await.unwrap();
        match (cluster.could_change(&name, &serde_yaml::from_str(patch).unwrap()).await, sentence.is_empty()) {
            (Ok(_), true) => {}
            (Err(said), false) if said.contains(sentence) => {}
            (Ok(_), false) => {
                wrong.push(format!("{good:?} then {patch}\n   was taken, and not refused with: {sentence}"))
            }
            (Err(said), _) => {
                wrong.push(format!("{good:?} then {patch}\n   said:     {said}\n   expected: {sentence}"))
            }
        }
        let path = format!("{}/{name}", cluster.path());
        cluster.request("DELETE", &path, "application/json", &serde_json::json!({})).await.unwrap();
    }
    assert!(wrong.is_empty(), "{} of {} rows are wrong:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
}
