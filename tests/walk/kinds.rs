//! Where the walk over each kind begins, and what need not show.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::mutations::Field;
use super::stage::{Stage, repository, word};

/// Every kind: one line each.
pub const ALL: [&Kind; 1] = [&FLEET];

/// What the walk must be told of a kind. Paths are those of the spec, without `spec.`; an entry of a table holds for all
/// that is below it, too.
pub struct Kind {
    /// The kind's name in its definition.
    pub name: &'static str,
    /// Where a change begins: the first that takes it.
    pub bases: &'static [Base],
    /// Two texts for a field whose value no form tells; more are in `texts.rs`, by form.
    pub texts: &'static [(&'static str, [&'static str; 2])],
    /// Fields that rule what the operator does in a case that does not come up here, and why.
    pub policy: &'static [(&'static str, &'static str)],
    /// Fields that AWS cannot clear: left out, they are not compared any more, as their definition says.
    pub kept: &'static [&'static str],
    /// Fields of which no change is ever taken, and why.
    pub fixed: &'static [(&'static str, &'static str)],
    /// Fields that can be set once, and not be left out again.
    pub once: &'static [&'static str],
    /// What AWS must have before.
    pub seed: fn(&Stage),
    /// Everything of this kind that AWS has, by name, from the simulator at this port.
    pub in_aws: fn(u16) -> BTreeMap<String, Value>,
}

/// An example, and what is merged over its spec.
pub struct Base {
    pub example: &'static str,
    pub but: &'static str,
}

impl Base {
    const fn example(example: &'static str) -> Self {
        Self { example, but: "{}" }
    }

    /// The spec.
    pub fn spec(&self) -> Value {
        let text = std::fs::read_to_string(repository().join("examples").join(self.example)).unwrap();
        let manifest: Value = serde_yaml::from_str(&text).unwrap();
        let mut spec = manifest["spec"].clone();
        let but: Value = serde_yaml::from_str(self.but).unwrap();
        for (name, value) in but.as_object().unwrap() {
            match value {
                Value::Null => spec.as_object_mut().unwrap().remove(name),
                value => spec.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        spec
    }
}

impl Kind {
    pub fn is_policy(&self, path: &str) -> bool {
        self.policy.iter().any(|(above, _)| within(path, above))
    }

    pub fn is_kept(&self, path: &str) -> bool {
        self.kept.iter().any(|above| within(path, above))
    }

    pub fn is_fixed(&self, path: &str) -> bool {
        self.fixed.iter().any(|(above, _)| within(path, above))
    }

    pub fn is_once(&self, path: &str) -> bool {
        self.once.contains(&path)
    }

    /// No table speaks of a field that is not there.
    pub fn check_tables(&self, fields: &[Field]) {
        let tables = self.policy.iter().chain(self.fixed).map(|(path, _)| *path);
        for path in
            tables.chain(self.kept.iter().chain(self.once).copied()).chain(self.texts.iter().map(|(path, _)| *path))
        {
            let known = fields.iter().any(|field| field.path == path || field.path == path.trim_end_matches("[]"));
            assert!(known, "{} has no field {path}", self.name);
        }
    }
}

fn within(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Policies that all kinds have.
const DELETION: (&str, &str) = ("deletionPolicy", "rules what a deletion does");
const PROTECTION: (&str, &str) = ("deletionProtection", "rules what a deletion does");
const ADOPTION: (&str, &str) = ("adoptionPolicy", "rules what is done with what existed before");
const RECREATE: (&str, &str) = ("recreatePolicy", "rules what is done when somebody deletes it in AWS");
const MANAGEMENT: (&str, &str) = ("managementPolicy", "rules whether a difference is mended; there is none");

static FLEET: Kind = Kind {
    name: "Fleet",
    bases: &[
        Base::example("fleet-on-demand.yaml"),
        Base::example("fleet-always-on-multi-session.yaml"),
        Base {
            example: "fleet-on-demand.yaml",
            but: "{imageName: null, imageArn: 'arn:aws:appstream:us-east-1:123456789012:image/windlass-demo-v1'}",
        },
        Base::example("fleet-elastic.yaml"),
    ],
    texts: &[
        ("imageName", ["windlass-demo-v2", "windlass-demo-v3"]),
        ("instanceType", ["stream.standard.large", "stream.standard.small"]),
        ("platform", ["WINDOWS_SERVER_2022", "WINDOWS_SERVER_2019"]),
    ],
    policy: &[
        DELETION,
        PROTECTION,
        ADOPTION,
        RECREATE,
        MANAGEMENT,
        ("disruption", "rules when a stop is made; none is wanted"),
        ("updateStrategy", "rules how a change is carried out; there is none"),
        ("powerSchedule[].name", "tells the entries apart"),
    ],
    // UpdateFleet's AttributesToDelete has no word for them.
    kept: &[
        "imageName",
        "imageArn",
        "computeCapacity",
        "maxUserDurationInSeconds",
        "disconnectTimeoutInSeconds",
        "idleDisconnectTimeoutInSeconds",
        "displayName",
        "description",
        "enableDefaultInternetAccess",
        "streamView",
        "platform",
        "disableIMDSV1",
    ],
    fixed: &[
        ("account", "Account objects come later"),
        ("fleetType", "AWS cannot change it"),
        ("name", "AWS cannot change it"),
    ],
    once: &["region"],
    seed: |stage| {
        for name in ["browser", "walk-0", "walk-1"] {
            stage.aws.put_application(name).unwrap();
        }
    },
    in_aws: |port| named(&testbed::http::get(port, "/_sim/fleets").unwrap()["fleets"], "/name"),
};

/// Resources by the name that is at a pointer.
fn named(resources: &Value, pointer: &str) -> BTreeMap<String, Value> {
    let all = resources.as_array().cloned().unwrap_or_else(|| panic!("no list of resources: {}", json!(resources)));
    all.into_iter().map(|resource| (word(&resource, pointer), resource)).collect()
}
