//! Where the walk over each kind begins, and what need not show.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::mutations::Field;
use super::stage::{Stage, repository, word};

/// Every kind: one line each.
pub const ALL: [&Kind; 4] = [&FLEET, &STACK, &IMAGE_BUILDER, &INSTANCE];

/// Kinds that are not walked over, and why.
pub const NOT_WALKED: [(&str, &str); 2] = [
    ("Account", "it has nothing in AWS, and rules what other objects may do: tests/accounts.rs, tests/account_life.rs"),
    ("AccessGrant", "nothing of it can be changed but for a shorter duration, which tests/grant_life.rs plays"),
];

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
    /// Fields of which no change is ever taken, and why. Made anew with another value, AWS or the status shows it.
    pub fixed: &'static [(&'static str, &'static str)],
    /// Fields that can be set once, and not be left out again.
    pub once: &'static [&'static str],
    /// What AWS, and the namespace, must have before.
    pub seed: fn(Stage) -> BoxFuture<'static, ()>,
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
    once: &["account", "region"],
    seed: |stage| {
        async move {
            for name in ["browser", "walk-0", "walk-1"] {
                stage.aws.put_application(name).unwrap();
            }
        }
        .boxed()
    },
    in_aws: |port| named(&testbed::http::get(port, "/_sim/fleets").unwrap()["fleets"], "/name"),
};

static STACK: Kind = Kind {
    name: "Stack",
    bases: &[
        Base { example: "stack-office.yaml", but: "{fleetRef: {name: walk-a}}" },
        Base { example: "stack-embedded.yaml", but: "{streamingExperienceSettings: {preferredProtocol: UDP}}" },
        Base {
            example: "stack-embedded.yaml",
            but: "{storageConnectors: [{connectorType: ONE_DRIVE, domains: [a.example], domainsRequireAdminConsent: [a.example]}], \
                  userSettings: [{action: CLIPBOARD_COPY_FROM_LOCAL_DEVICE, permission: ENABLED, maximumLength: 100}], \
                  agentAccessConfig: {settings: [{agentAction: COMPUTER_VISION, permission: ENABLED}], \
                  s3BucketArn: 'arn:aws:s3:::walk-2', screenResolution: W_1280xH_720, screenImageFormat: PNG}}",
        },
    ],
    texts: &[
        ("fleetName", ["walk-a", "walk-b"]),
        ("fleetRef.name", ["walk-a", "walk-b"]),
        // Disabled, unless one says otherwise.
        ("userSettings[].action", ["DOMAIN_SMART_CARD_SIGNIN", "SMART_CARD_REDIRECTION"]),
        ("accessEndpoints[].endpointType", ["STREAMING", "STREAMING"]),
        ("agentAccessConfig.settings[].agentAction", ["COMPUTER_VISION", "FORWARD_MCP_TOOLS"]),
        // What is not listed and not permitted stays as it is.
        ("agentAccessConfig.settings[].permission", ["ENABLED", "ENABLED"]),
        ("agentAccessConfig.screenResolution", ["W_1280xH_720", "W_1920xH_1080"]),
        ("agentAccessConfig.screenImageFormat", ["PNG", "JPEG"]),
        ("agentAccessConfig.userControlMode", ["VIEW_ONLY", "VIEW_STOP"]),
    ],
    policy: &[
        DELETION,
        PROTECTION,
        ADOPTION,
        RECREATE,
        MANAGEMENT,
        ("disruption", "rules when the stack is taken out of a fleet; nobody is there"),
    ],
    // UpdateStack's AttributesToDelete has no word for them, or none for a part of what it clears.
    kept: &[
        "displayName",
        "description",
        "applicationSettings",
        "userSettings",
        "storageConnectors[].resourceIdentifier",
        "storageConnectors[].domains",
        "storageConnectors[].domainsRequireAdminConsent",
        "agentAccessConfig.s3BucketArn",
        "agentAccessConfig.screenshotsUploadEnabled",
        "agentAccessConfig.userControlMode",
    ],
    fixed: &[("account", "Account objects come later"), ("name", "AWS cannot change it")],
    once: &["account", "region"],
    seed: |stage| {
        async move {
            for name in ["walk-a", "walk-b"] {
                stage.create(name, super::stage::spec(json!({}))).await;
                stage.until(name, "Ready", super::stage::ready).await;
            }
        }
        .boxed()
    },
    in_aws: |port| named(&testbed::http::get(port, "/_sim/stacks").unwrap()["stacks"], "/name"),
};

static IMAGE_BUILDER: Kind = Kind {
    name: "ImageBuilder",
    bases: &[
        Base::example("imagebuilder-office.yaml"),
        Base {
            example: "imagebuilder-office.yaml",
            but: "{imageName: null, imageArn: 'arn:aws:appstream:us-east-1:123456789012:image/windlass-demo-v1'}",
        },
    ],
    texts: &[
        ("imageName", ["windlass-demo-v2", "windlass-demo-v3"]),
        ("instanceType", ["stream.standard.large", "stream.standard.small"]),
        ("accessEndpoints[].endpointType", ["STREAMING", "STREAMING"]),
    ],
    policy: &[
        DELETION,
        PROTECTION,
        ADOPTION,
        RECREATE,
        MANAGEMENT,
        ("softwaresToInstall", "AWS does not tell it again"),
        ("softwaresToUninstall", "AWS does not tell it again"),
    ],
    kept: &[],
    fixed: &[
        ("account", "Account objects come later"),
        ("name", "AWS cannot change it"),
        ("instanceType", "AWS cannot change it"),
        ("imageName", "AWS cannot change it"),
        ("imageArn", "AWS cannot change it"),
        ("displayName", "AWS cannot change it"),
        ("description", "AWS cannot change it"),
        ("vpcConfig", "AWS cannot change it"),
        ("iamRoleArn", "AWS cannot change it"),
        ("enableDefaultInternetAccess", "AWS cannot change it"),
        ("domainJoinInfo", "AWS cannot change it"),
        ("appstreamAgentVersion", "AWS cannot change it"),
        ("accessEndpoints", "AWS cannot change it"),
        ("rootVolumeConfig", "AWS cannot change it"),
        ("softwaresToInstall", "AWS cannot change it"),
        ("softwaresToUninstall", "AWS cannot change it"),
        ("disableIMDSV1", "AWS cannot change it"),
    ],
    once: &["account", "region"],
    seed: nothing,
    in_aws: |port| named(&testbed::http::get(port, "/_sim/builders").unwrap()["builders"], "/name"),
};

static INSTANCE: Kind = Kind {
    name: "Instance",
    bases: &[
        Base::example("instance-linux.yaml"),
        Base { example: "instance-linux.yaml", but: "{staticIp: null, userData: null}" },
        Base::example("instance-ipv6.yaml"),
    ],
    texts: &[
        ("bundleId", ["micro_3_0", "small_3_0"]),
        ("blueprintId", ["debian_12", "amazon_linux_2023"]),
        ("availabilityZone", ["us-east-1b", "us-east-1c"]),
        ("region", ["us-east-1", "us-west-2"]),
        ("publicPorts[].protocol", ["udp", "tcp"]),
        ("keyPairName", ["walk-0", "walk-1"]),
        // The first of them is not there, so that one object at a time has the second.
        ("staticIp.name", ["walk-none", "walk-address"]),
    ],
    policy: &[
        DELETION,
        PROTECTION,
        ADOPTION,
        RECREATE,
        MANAGEMENT,
        ("disruption", "rules when a restart is made; none is wanted"),
        ("autoSnapshotsOnDelete", "rules what a deletion does"),
    ],
    // Left out, they are AWS's own, which is not known here.
    kept: &["ipAddressType", "publicPorts", "metadataOptions", "addOns.autoSnapshot.snapshotTimeOfDay"],
    fixed: &[
        ("account", "Account objects come later"),
        ("name", "AWS cannot change it"),
        ("availabilityZone", "AWS cannot change it"),
        ("blueprintId", "AWS cannot change it"),
        ("keyPairName", "AWS cannot change it"),
        ("userData", "AWS runs it once"),
        ("userDataFrom", "AWS runs it once"),
    ],
    // A server-side apply that takes the only member out of an object leaves null, which the API server then refuses.
    once: &["account", "region", "staticIp.name"],
    seed: |stage| {
        async move {
            let by_hand = |operation: &str, input: Value| {
                stage.sim("POST", &format!("/by-hand/lightsail/{operation}"), &input);
            };
            by_hand("AllocateStaticIp", json!({ "staticIpName": "walk-address" }));
            by_hand("CreateKeyPair", json!({ "keyPairName": "walk-0" }));
            by_hand("CreateKeyPair", json!({ "keyPairName": "walk-1" }));
        }
        .boxed()
    },
    in_aws: |port| {
        let mut all = testbed::http::get(port, "/_sim/instances").unwrap();
        // AWS drops `::/0` with the IPv6 addresses. It has been seen to write "everybody" with and without it, so that the
        // operator takes both for the same, and does not bring it back.
        let ports = all["instances"].as_array_mut().unwrap().iter_mut().filter_map(|one| one["ports"].as_array_mut());
        for port in ports.flatten().filter(|port| port["cidrs"] == json!(["0.0.0.0/0"])) {
            port["ipv6Cidrs"].as_array_mut().unwrap().retain(|range| range != "::/0");
        }
        named(&all["instances"], "/name")
    },
};

fn nothing(_: Stage) -> BoxFuture<'static, ()> {
    std::future::ready(()).boxed()
}

/// Resources by the name that is at a pointer.
fn named(resources: &Value, pointer: &str) -> BTreeMap<String, Value> {
    let all = resources.as_array().cloned().unwrap_or_else(|| panic!("no list of resources: {}", json!(resources)));
    all.into_iter().map(|resource| (word(&resource, pointer), resource)).collect()
}
