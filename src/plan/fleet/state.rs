//! What AWS says about a fleet.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::api::fleet::{CapacityStatus, FleetError, FleetSettings, FleetType};
use crate::api::{Arn, AwsName};
use crate::plan::life;
use crate::plan::looked::Looked;
use crate::plan::tags::Tagged;

/// What AWS says about a fleet: the shared read, and whatever was looked at besides.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetState {
    /// When the read of `fleet` began.
    pub began: Timestamp,
    /// DescribeFleets; `None` when there is no such fleet.
    pub fleet: Option<FleetFacts>,
    /// ListTagsForResource, and when that read began: the last known, at no cost, unless [`FleetLook::Tags`] asked for a new one.
    pub tags: Option<Tagged>,
    /// DescribeImages for the image that the spec names ([`FleetLook::Image`]); the inner `None` means that there is none.
    pub image: Option<Option<ImageFacts>>,
    /// ListAssociatedStacks ([`FleetLook::Stacks`], [`FleetLook::Sessions`]).
    pub stacks: Option<Looked<Vec<AssociatedStack>>>,
    /// DescribeSessions over every associated stack and every authentication type ([`FleetLook::Sessions`]).
    pub sessions: Option<Looked<Vec<SessionFacts>>>,
    /// DescribeApplicationFleetAssociations ([`FleetLook::Applications`]).
    pub applications: Option<Looked<BTreeSet<Arn>>>,
}

/// Reads beside the shared DescribeFleets that cost a call of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FleetLook {
    /// ListTagsForResource: before a write, and at most hourly otherwise.
    Tags,
    /// DescribeImages (shared for a minute among fleets that name the same image).
    Image,
    /// ListAssociatedStacks: before a delete.
    Stacks,
    /// ListAssociatedStacks, then DescribeSessions for each stack and each authentication type: right before a stop.
    Sessions,
    /// DescribeApplicationFleetAssociations: ELASTIC fleets with `applicationArns`.
    Applications,
}

/// One fleet of DescribeFleets.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetFacts {
    /// Its ARN.
    pub arn: Arn,
    /// Its name.
    pub name: AwsName,
    /// Its type, if AWS says.
    pub fleet_type: Option<FleetType>,
    /// Its state.
    pub power: Power,
    /// Its settings in the spec's own shape. `compute_capacity` is filled from the desired counts: `desired_instances` from
    /// Desired, `desired_sessions` from DesiredUserSessions (both may be there).
    pub settings: FleetSettings,
    /// AWS's counts.
    pub capacity: CapacityStatus,
    /// AWS's errors, sorted.
    pub errors: Vec<FleetError>,
    /// When it was created.
    pub created_time: Option<Timestamp>,
}

impl life::Facts for FleetFacts {
    fn arn(&self) -> &Arn {
        &self.arn
    }
    fn name(&self) -> &str {
        self.name.as_str()
    }
    fn created_time(&self) -> Option<Timestamp> {
        self.created_time
    }
}

/// AWS's `State` of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Power {
    /// STOPPED
    Stopped,
    /// STARTING
    Starting,
    /// RUNNING
    Running,
    /// STOPPING
    Stopping,
    /// A state that this version does not know: nothing is written while it lasts.
    Unrecognised(String),
}

impl Power {
    /// AWS's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Stopped => "STOPPED",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
            Self::Unrecognised(word) => word,
        }
    }
}

/// How a spec names its image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageRef {
    /// By name; does not find images that another account shares.
    Name(AwsName),
    /// By ARN.
    Arn(Arn),
}

/// An image of DescribeImages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: Option<String>,
    /// AWS's `State`, such as AVAILABLE.
    pub state: String,
    /// Why it is in that state, when AWS says.
    pub state_reason: Option<String>,
    /// AWS's `Platform`.
    pub platform: Option<String>,
    /// PUBLIC, PRIVATE or SHARED.
    pub visibility: Option<String>,
    /// For a SHARED image: whether fleets may use it (`ImagePermissions.allowFleet`).
    pub allow_fleet: Option<bool>,
}

/// A stack that this fleet is associated with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AssociatedStack {
    /// Its name.
    pub name: AwsName,
}

/// A session of DescribeSessions that is not EXPIRED.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionFacts {
    /// Its id.
    pub id: String,
    /// When it began, if AWS says.
    pub started: Option<Timestamp>,
}
