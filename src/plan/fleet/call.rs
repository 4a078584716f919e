//! Every AWS write that a Fleet may ask for.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::fleet::{FleetSettings, FleetType};
use crate::api::{Arn, AwsName};
use crate::plan::Call;

/// An AWS write for a Fleet.
#[derive(Debug, Clone, PartialEq)]
pub enum FleetCall {
    /// CreateFleet
    Create(Box<FleetCreate>),
    /// UpdateFleet
    Update(Box<FleetPatch>),
    /// StartFleet
    Start(AwsName),
    /// StopFleet
    Stop(AwsName),
    /// DeleteFleet
    Delete(AwsName),
    /// TagResource
    Tag {
        /// The fleet.
        arn: Arn,
        /// Keys and values to set.
        tags: BTreeMap<String, String>,
    },
    /// UntagResource
    Untag {
        /// The fleet.
        arn: Arn,
        /// Keys to take off.
        keys: BTreeSet<String>,
    },
    /// AssociateApplicationFleet
    AssociateApplication {
        /// The fleet.
        name: AwsName,
        /// The application.
        application: Arn,
    },
    /// DisassociateApplicationFleet
    DisassociateApplication {
        /// The fleet.
        name: AwsName,
        /// The application.
        application: Arn,
    },
}

/// What CreateFleet is told.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetCreate {
    /// The name.
    pub name: AwsName,
    /// The type.
    pub fleet_type: FleetType,
    /// Everything else.
    pub settings: FleetSettings,
    /// The user's tags and our ownership tags.
    pub tags: BTreeMap<String, String>,
}

/// What UpdateFleet is told: the changed fields alone.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetPatch {
    /// The fleet.
    pub name: AwsName,
    /// The fields to set; absent ones keep their value.
    pub set: FleetSettings,
    /// The attributes to clear.
    pub clear: BTreeSet<AttributeToDelete>,
}

/// AWS's `AttributesToDelete` of UpdateFleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttributeToDelete {
    /// VPC_CONFIGURATION
    VpcConfiguration,
    /// VPC_CONFIGURATION_SECURITY_GROUP_IDS
    VpcConfigurationSecurityGroupIds,
    /// DOMAIN_JOIN_INFO
    DomainJoinInfo,
    /// IAM_ROLE_ARN
    IamRoleArn,
    /// USB_DEVICE_FILTER_STRINGS
    UsbDeviceFilterStrings,
    /// SESSION_SCRIPT_S3_LOCATION
    SessionScriptS3Location,
    /// MAX_SESSIONS_PER_INSTANCE
    MaxSessionsPerInstance,
    /// VOLUME_CONFIGURATION
    VolumeConfiguration,
}

impl Call for FleetCall {
    fn operation(&self) -> &'static str {
        match self {
            Self::Create(_) => "CreateFleet",
            Self::Update(_) => "UpdateFleet",
            Self::Start(_) => "StartFleet",
            Self::Stop(_) => "StopFleet",
            Self::Delete(_) => "DeleteFleet",
            Self::Tag { .. } => "TagResource",
            Self::Untag { .. } => "UntagResource",
            Self::AssociateApplication { .. } => "AssociateApplicationFleet",
            Self::DisassociateApplication { .. } => "DisassociateApplicationFleet",
        }
    }

    fn creates(&self) -> bool {
        matches!(self, Self::Create(_))
    }
}
