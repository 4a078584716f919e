//! What AWS says about an image builder.

use jiff::Timestamp;

use crate::api::image_builder::{BuilderError, BuilderSettings, StateChangeReason};
use crate::api::{Arn, AwsName};
use crate::plan::fleet::ImageFacts;
use crate::plan::tags::Tagged;

/// What AWS says about an image builder: the shared read, and whatever was looked at besides.
#[derive(Debug, Clone, PartialEq)]
pub struct BuilderState {
    /// When the read of `builder` began.
    pub began: Timestamp,
    /// DescribeImageBuilders; `None` when there is no such image builder.
    pub builder: Option<BuilderFacts>,
    /// ListTagsForResource: the last known, at no cost, unless [`BuilderLook::Tags`] asked for a new one.
    pub tags: Option<Tagged>,
    /// DescribeImages for the image that the spec names ([`BuilderLook::Image`]); the inner `None` means that there is none.
    pub image: Option<Option<ImageFacts>>,
}

/// Reads beside the shared DescribeImageBuilders that cost a call of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuilderLook {
    /// ListTagsForResource: before a write, and at most hourly otherwise.
    Tags,
    /// DescribeImages (shared for a minute among objects that name the same image): before a create.
    Image,
}

/// One image builder of DescribeImageBuilders.
#[derive(Debug, Clone, PartialEq)]
pub struct BuilderFacts {
    /// Its ARN.
    pub arn: Arn,
    /// Its name.
    pub name: AwsName,
    /// Its state.
    pub phase: Phase,
    /// Why the state changed last, if AWS says.
    pub reason: Option<StateChangeReason>,
    /// Its settings in the spec's own shape. AWS gives the image by ARN only, and no software.
    pub settings: BuilderSettings,
    /// Its platform, if AWS says.
    pub platform: Option<String>,
    /// Its address in the VPC, if it has one.
    pub private_ip_address: Option<String>,
    /// AWS's errors, sorted.
    pub errors: Vec<BuilderError>,
    /// When it was created.
    pub created_time: Option<Timestamp>,
}

/// AWS's `State` of an image builder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// PENDING
    Pending,
    /// UPDATING_AGENT
    UpdatingAgent,
    /// RUNNING
    Running,
    /// STOPPING
    Stopping,
    /// STOPPED
    Stopped,
    /// REBOOTING
    Rebooting,
    /// SNAPSHOTTING: it is making an image.
    Snapshotting,
    /// DELETING
    Deleting,
    /// FAILED
    Failed,
    /// UPDATING
    Updating,
    /// PENDING_QUALIFICATION
    PendingQualification,
    /// PENDING_SYNCING_APPS
    PendingSyncingApps,
    /// SYNCING_APPS
    SyncingApps,
    /// PENDING_IMAGE_IMPORT
    PendingImageImport,
    /// A state that this version does not know: nothing is written while it lasts.
    Unrecognised(String),
}

impl Phase {
    /// AWS's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "PENDING",
            Self::UpdatingAgent => "UPDATING_AGENT",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
            Self::Stopped => "STOPPED",
            Self::Rebooting => "REBOOTING",
            Self::Snapshotting => "SNAPSHOTTING",
            Self::Deleting => "DELETING",
            Self::Failed => "FAILED",
            Self::Updating => "UPDATING",
            Self::PendingQualification => "PENDING_QUALIFICATION",
            Self::PendingSyncingApps => "PENDING_SYNCING_APPS",
            Self::SyncingApps => "SYNCING_APPS",
            Self::PendingImageImport => "PENDING_IMAGE_IMPORT",
            Self::Unrecognised(word) => word,
        }
    }
}
