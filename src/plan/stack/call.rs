//! Every AWS write that a Stack may ask for.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::stack::StackSettings;
use crate::api::{Arn, AwsName};
use crate::plan::Call;

/// An AWS write for a Stack.
#[derive(Debug, Clone, PartialEq)]
pub enum StackCall {
    /// CreateStack
    Create(Box<StackCreate>),
    /// UpdateStack
    Update(Box<StackPatch>),
    /// DeleteStack
    Delete(AwsName),
    /// AssociateFleet
    Associate {
        /// The stack.
        stack: AwsName,
        /// The fleet.
        fleet: AwsName,
    },
    /// DisassociateFleet
    Disassociate {
        /// The stack.
        stack: AwsName,
        /// The fleet.
        fleet: AwsName,
    },
    /// TagResource
    Tag {
        /// The stack.
        arn: Arn,
        /// Keys and values to set.
        tags: BTreeMap<String, String>,
    },
    /// UntagResource
    Untag {
        /// The stack.
        arn: Arn,
        /// Keys to take off.
        keys: BTreeSet<String>,
    },
}

/// What CreateStack is told.
#[derive(Debug, Clone, PartialEq)]
pub struct StackCreate {
    /// The name.
    pub name: AwsName,
    /// Everything else.
    pub settings: StackSettings,
    /// The user's tags and our ownership tags.
    pub tags: BTreeMap<String, String>,
}

/// What UpdateStack is told: the changed fields alone.
#[derive(Debug, Clone, PartialEq)]
pub struct StackPatch {
    /// The stack.
    pub name: AwsName,
    /// The fields to set; absent ones keep their value.
    pub set: StackSettings,
    /// The attributes to clear.
    pub clear: BTreeSet<StackAttribute>,
}

/// AWS's `AttributesToDelete` of UpdateStack, as far as this kind sets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StackAttribute {
    /// STORAGE_CONNECTOR_HOMEFOLDERS
    HomeFolders,
    /// STORAGE_CONNECTOR_GOOGLE_DRIVE
    GoogleDrive,
    /// STORAGE_CONNECTOR_ONE_DRIVE
    OneDrive,
    /// REDIRECT_URL
    RedirectUrl,
    /// FEEDBACK_URL
    FeedbackUrl,
    /// USER_SETTINGS
    UserSettings,
    /// EMBED_HOST_DOMAINS
    EmbedHostDomains,
    /// ACCESS_ENDPOINTS
    AccessEndpoints,
    /// STREAMING_EXPERIENCE_SETTINGS
    StreamingExperienceSettings,
    /// CONTENT_REDIRECTION
    ContentRedirection,
    /// AGENT_ACCESS_CONFIG
    AgentAccessConfig,
    /// STORAGE_CONNECTOR_AUTHENTICATION
    StorageConnectorAuthentication,
}

impl Call for StackCall {
    fn operation(&self) -> &'static str {
        match self {
            Self::Create(_) => "CreateStack",
            Self::Update(_) => "UpdateStack",
            Self::Delete(_) => "DeleteStack",
            Self::Associate { .. } => "AssociateFleet",
            Self::Disassociate { .. } => "DisassociateFleet",
            Self::Tag { .. } => "TagResource",
            Self::Untag { .. } => "UntagResource",
        }
    }

    fn creates(&self) -> bool {
        matches!(self, Self::Create(_))
    }
}
