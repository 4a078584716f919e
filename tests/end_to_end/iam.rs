//! What the operator asked of AWS, against what the policies in deploy/iam allow.

use std::collections::BTreeSet;

use serde_json::Value;
use testbed::simulator::ACCESS_KEY;

use crate::stage::{Stage, repository, word};

/// What the walk over all fields (`tests/walk`) has no use for, and the lives of `tests/fleet_life.rs` have: it deletes nothing in AWS.
pub const NOT_WALKED: [&str; 6] = [
    "appstream:DeleteFleet",
    "appstream:DeleteImageBuilder",
    "appstream:DeleteStack",
    "lightsail:DeleteInstance",
    "lightsail:GetAutoSnapshots",
    "lightsail:GetOperationsForResource",
];

/// The actions that the operator asked of AWS on this stage, as policies call them.
pub fn asked(stage: &Stage) -> BTreeSet<String> {
    let audit = stage.aws.audit(0).unwrap();
    let own = audit.iter().filter(|entry| entry["access_key"] == ACCESS_KEY && entry["service"] != "sts");
    own.map(|entry| format!("{}:{}", word(entry, "/service"), word(entry, "/operation"))).collect()
}

/// Nothing is asked that these policies (without names: all of them) do not allow.
pub fn nothing_is_missing(stage: &Stage, files: &[&str]) {
    let (asked, allowed) = (asked(stage), allowed(files));
    assert!(!asked.is_empty(), "the audit was not read: {asked:?}");
    let missing: Vec<&String> = asked.difference(&allowed).collect();
    assert_eq!(missing, Vec::<&String>::new(), "deploy/iam does not allow what was asked for");
}

/// The actions that the policies allow; without files, those of all of them.
pub fn allowed(files: &[&str]) -> BTreeSet<String> {
    let folder = std::fs::read_dir(repository().join("deploy/iam")).unwrap().map(|entry| entry.unwrap().path());
    let mut actions = BTreeSet::new();
    for file in folder {
        let name = file.file_stem().unwrap().to_str().unwrap();
        if files.is_empty() || files.contains(&name) {
            let policy: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            let statements = policy["Statement"].as_array().unwrap().iter();
            let listed = statements.flat_map(|statement| statement["Action"].as_array().unwrap());
            actions.extend(listed.map(|action| word(action, "")));
        }
    }
    // The operator's own identity passes roles and assumes them in AWS, not here.
    actions.retain(|action| !action.starts_with("iam:") && !action.starts_with("sts:"));
    actions
}
