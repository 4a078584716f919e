//! What AWS says about an instance.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::api::instance::{IpAddressType, MetadataOptions};
use crate::api::{Arn, LightsailName};

use crate::plan::looked::Looked;
use crate::plan::tags::Tagged;

use super::catalogue::Catalogue;
use super::ports::PortRule;

/// What AWS says about an instance: the shared read, and whatever was looked at besides.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceState {
    /// When the read of `instance` began.
    pub began: Timestamp,
    /// GetInstances or GetInstance; `None` when there is no such instance.
    pub instance: Option<InstanceFacts>,
    /// Its tags, which come with it.
    pub tags: Option<Tagged>,
    /// GetStaticIps, by name: where the object has, or had, to do with one.
    pub static_ips: Option<Arc<BTreeMap<String, StaticIpFacts>>>,
    /// What the Region offers: the last known, at no cost, unless [`InstanceLook::Catalogue`] asked for one of this hour.
    pub catalogue: Option<Arc<Catalogue>>,
    /// The CreateInstance operations of GetOperationsForResource, oldest first ([`InstanceLook::Operations`]).
    pub creates: Option<Vec<OperationFacts>>,
    /// The days of GetAutoSnapshots, newest first ([`InstanceLook::AutoSnapshots`]); not asked for, and none, where the spec
    /// lets them go with the instance and where AWS lists no such add-on.
    pub auto_snapshots: Option<Looked<Vec<String>>>,
}

/// Reads beside the shared ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceLook {
    /// GetInstance, in this pass: the tags come with it, and nothing is written to what was not read anew.
    Anew,
    /// GetBlueprints, GetBundles and GetRegions: shared by all objects of the Region for an hour.
    Catalogue,
    /// GetOperationsForResource: what became of a create, while it shows no instance.
    Operations,
    /// The key of a Secret or ConfigMap that the user data is in: when a create is due.
    UserData,
    /// GetAutoSnapshots: before a delete that they would hold back.
    AutoSnapshots,
}

/// One instance of GetInstances.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceFacts {
    /// Its ARN.
    pub arn: Arn,
    /// Its name.
    pub name: LightsailName,
    /// Its tags, for [`InstanceState::tags`]; a key without a value has the empty one.
    pub tags: BTreeMap<String, String>,
    /// When it was created.
    pub created_time: Option<Timestamp>,
    /// Its Availability Zone.
    pub zone: Option<String>,
    /// What it was made of.
    pub blueprint_id: Option<String>,
    /// Its size.
    pub bundle_id: Option<String>,
    /// Its state.
    pub power: Power,
    /// Its public IPv4 address, which may come after `running`.
    pub public_ip: Option<String>,
    /// Its private IPv4 address.
    pub private_ip: Option<String>,
    /// Its IPv6 addresses.
    pub ipv6: Vec<String>,
    /// Whether the public address is a static IP.
    pub is_static_ip: bool,
    /// Which addresses it has, if AWS says.
    pub ip_address_type: Option<IpAddressType>,
    /// Whom to log in as.
    pub username: Option<String>,
    /// The key pair that it was made with.
    pub key_pair_name: Option<String>,
    /// The open ports, if AWS says; instances with the same ones share them.
    pub ports: Option<Arc<BTreeSet<PortRule>>>,
    /// The add-on AutoSnapshot, which stays listed when it is disabled.
    pub auto_snapshot: Option<AutoSnapshotFacts>,
    /// The instance metadata service, if AWS says.
    pub metadata: Option<MetadataFacts>,
}

/// AWS's name of the state of an instance. The codes beside the names are not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Power {
    /// pending
    Pending,
    /// running
    Running,
    /// stopping
    Stopping,
    /// stopped
    Stopped,
    /// shutting-down: it is being deleted.
    ShuttingDown,
    /// terminated: it is deleted, and still shown.
    Terminated,
    /// A state that this version does not know: nothing is written while it lasts.
    Unrecognised(String),
}

impl Power {
    /// Reads AWS's word.
    pub fn read(word: &str) -> Self {
        match word {
            "pending" => Self::Pending,
            "running" => Self::Running,
            "stopping" => Self::Stopping,
            "stopped" => Self::Stopped,
            "shutting-down" => Self::ShuttingDown,
            "terminated" => Self::Terminated,
            other => Self::Unrecognised(other.to_owned()),
        }
    }

    /// AWS's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Unrecognised(word) => word,
        }
    }
}

/// The add-on AutoSnapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoSnapshotFacts {
    /// How it stands.
    pub status: AddOnStatus,
    /// When a snapshot begins, such as `06:00`.
    pub time: Option<String>,
}

/// AWS's `status` of an add-on: a text, whose values CloudFormation's handlers name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddOnStatus {
    /// Enabling, Disabling, Terminating: AWS is at it.
    Changing(String),
    /// Enabled
    Enabled,
    /// Disabled, Terminated
    Disabled,
    /// Failed
    Failed,
    /// A status that this version does not know: nothing is written while it lasts.
    Unrecognised(String),
}

impl AddOnStatus {
    /// Reads AWS's word.
    pub fn read(word: &str) -> Self {
        match word {
            "Enabling" | "Disabling" | "Terminating" => Self::Changing(word.to_owned()),
            "Enabled" => Self::Enabled,
            "Disabled" | "Terminated" => Self::Disabled,
            "Failed" => Self::Failed,
            other => Self::Unrecognised(other.to_owned()),
        }
    }

    /// AWS's word, as far as it matters.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::Failed => "Failed",
            Self::Changing(word) | Self::Unrecognised(word) => word,
        }
    }
}

/// The instance metadata service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataFacts {
    /// Whether a change is still being carried out (`pending`).
    pub pending: bool,
    /// The options.
    pub options: MetadataOptions,
}

/// A static IP of GetStaticIps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticIpFacts {
    /// Its address.
    pub address: Option<String>,
    /// The instance that it is attached to.
    pub attached_to: Option<String>,
}

/// An operation that made, or was to make, an instance of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationFacts {
    /// When AWS began it.
    pub created_at: Option<Timestamp>,
    /// Whether AWS has given up on it.
    pub failed: bool,
    /// AWS's code, where it failed.
    pub code: String,
    /// AWS's words, where it failed.
    pub message: String,
}
