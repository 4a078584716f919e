//! What is measured: many objects of one kind, each settled, one of them edited.

use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

/// A kind whose objects are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// AppStream fleets, whose displayName is edited.
    Fleet,
    /// Lightsail instances, whose tags are edited.
    Instance,
}

/// A private image that the simulator begins with.
const IMAGE: &str = "windlass-demo-v1";

impl Subject {
    /// What a person calls them.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Fleet => "Fleets",
            Self::Instance => "Instances",
        }
    }

    /// Their API.
    pub fn resource(self) -> ApiResource {
        let (group, kind, plural) = match self {
            Self::Fleet => ("appstream.windlass.dev", "Fleet", "fleets"),
            Self::Instance => ("lightsail.windlass.dev", "Instance", "instances"),
        };
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1alpha1", kind), plural)
    }

    /// The smallest useful spec, whatever the object's number.
    pub fn spec(self) -> fn(usize) -> Value {
        match self {
            Self::Fleet => |_| {
                json!({
                    "fleetType": "ON_DEMAND",
                    "instanceType": "stream.standard.medium",
                    "imageName": IMAGE,
                    "displayName": "first",
                    "computeCapacity": { "desiredInstances": 1 },
                })
            },
            Self::Instance => |_| {
                json!({
                    "availabilityZone": "us-east-1a",
                    "blueprintId": "ubuntu_24_04",
                    "bundleId": "nano_3_0",
                    "tags": { "edit": "first" },
                })
            },
        }
    }

    /// An edit that AWS takes without a stop.
    pub fn edit(self, word: &str) -> Value {
        match self {
            Self::Fleet => json!({ "spec": { "displayName": word } }),
            Self::Instance => json!({ "spec": { "tags": { "edit": word } } }),
        }
    }

    /// The call that carries the edit out, and the edit's name in the table.
    pub fn edited(self) -> (&'static str, &'static str) {
        match self {
            Self::Fleet => ("UpdateFleet", "displayName edit → UpdateFleet, idle, p50 / max"),
            Self::Instance => ("TagResource", "tags edit → TagResource, idle, p50 / max"),
        }
    }
}
