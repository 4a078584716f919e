//! Every AWS write that an ImageBuilder may ask for.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::image_builder::BuilderSettings;
use crate::api::{Arn, AwsName};
use crate::plan::Call;

/// An AWS write for an ImageBuilder.
#[derive(Debug, Clone, PartialEq)]
pub enum BuilderCall {
    /// CreateImageBuilder, which also starts it.
    Create(Box<BuilderCreate>),
    /// StartImageBuilder
    Start(AwsName),
    /// StopImageBuilder
    Stop(AwsName),
    /// DeleteImageBuilder
    Delete(AwsName),
    /// TagResource
    Tag {
        /// The image builder.
        arn: Arn,
        /// Keys and values to set.
        tags: BTreeMap<String, String>,
    },
    /// UntagResource
    Untag {
        /// The image builder.
        arn: Arn,
        /// Keys to take off.
        keys: BTreeSet<String>,
    },
}

/// What CreateImageBuilder is told.
#[derive(Debug, Clone, PartialEq)]
pub struct BuilderCreate {
    /// The name.
    pub name: AwsName,
    /// Everything else.
    pub settings: BuilderSettings,
    /// The user's tags and our ownership tags.
    pub tags: BTreeMap<String, String>,
}

impl Call for BuilderCall {
    fn operation(&self) -> &'static str {
        match self {
            Self::Create(_) => "CreateImageBuilder",
            Self::Start(_) => "StartImageBuilder",
            Self::Stop(_) => "StopImageBuilder",
            Self::Delete(_) => "DeleteImageBuilder",
            Self::Tag { .. } => "TagResource",
            Self::Untag { .. } => "UntagResource",
        }
    }

    fn creates(&self) -> bool {
        matches!(self, Self::Create(_))
    }
}
