//! Every AWS write that an Instance may ask for.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::instance::{IpAddressType, MetadataOptions, PublicPort};
use crate::api::{Arn, LightsailName};
use crate::plan::{Call, SecretText};

/// An AWS write for an Instance.
#[derive(Debug, Clone, PartialEq)]
pub enum InstanceCall {
    /// CreateInstances, of one
    Create(Box<InstanceCreate>),
    /// StartInstance
    Start {
        /// The instance.
        name: LightsailName,
        /// The newer generation of its bundle to start it with (`attributeUpdates`).
        bundle: Option<String>,
    },
    /// StopInstance
    Stop(LightsailName),
    /// DeleteInstance
    Delete {
        /// The instance.
        name: LightsailName,
        /// Whether its add-ons, and the automatic snapshots with them, go too.
        force_delete_add_ons: bool,
    },
    /// TagResource
    Tag {
        /// The instance.
        name: LightsailName,
        /// The instance.
        arn: Arn,
        /// Keys and values to set.
        tags: BTreeMap<String, String>,
    },
    /// UntagResource
    Untag {
        /// The instance.
        name: LightsailName,
        /// The instance.
        arn: Arn,
        /// Keys to take off.
        keys: BTreeSet<String>,
    },
    /// PutInstancePublicPorts
    PutPorts {
        /// The instance.
        name: LightsailName,
        /// All that is to be open.
        ports: Vec<PublicPort>,
    },
    /// SetIpAddressType
    SetIpAddressType {
        /// The instance.
        name: LightsailName,
        /// Which addresses it is to have.
        to: IpAddressType,
        /// Whether AWS may swap the bundle: it must, to and from IPv6 alone.
        accept_bundle_update: bool,
    },
    /// UpdateInstanceMetadataOptions
    UpdateMetadataOptions {
        /// The instance.
        name: LightsailName,
        /// All options: AWS resets `httpTokens` where it is left out.
        options: MetadataOptions,
    },
    /// EnableAddOn, of AutoSnapshot
    EnableAutoSnapshot {
        /// The instance.
        name: LightsailName,
        /// When a snapshot begins; absent: AWS's choice.
        time: Option<String>,
    },
    /// DisableAddOn, of AutoSnapshot
    DisableAutoSnapshot(LightsailName),
    /// AllocateStaticIp
    AllocateStaticIp(LightsailName),
    /// AttachStaticIp
    AttachStaticIp {
        /// The static IP.
        static_ip: LightsailName,
        /// The instance.
        name: LightsailName,
    },
    /// DetachStaticIp
    DetachStaticIp(LightsailName),
    /// ReleaseStaticIp
    ReleaseStaticIp(LightsailName),
}

/// What CreateInstances is told.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceCreate {
    /// The name.
    pub name: LightsailName,
    /// The Availability Zone.
    pub availability_zone: String,
    /// What it is made of.
    pub blueprint_id: String,
    /// Its size.
    pub bundle_id: String,
    /// Its key pair.
    pub key_pair_name: Option<String>,
    /// The script for its first start: a type that is never printed, since it may come from a Secret.
    pub user_data: Option<SecretText>,
    /// Which addresses it has.
    pub ip_address_type: Option<IpAddressType>,
    /// The user's tags and our ownership tags.
    pub tags: BTreeMap<String, String>,
}

impl Call for InstanceCall {
    fn operation(&self) -> &'static str {
        match self {
            Self::Create(_) => "CreateInstances",
            Self::Start { .. } => "StartInstance",
            Self::Stop(_) => "StopInstance",
            Self::Delete { .. } => "DeleteInstance",
            Self::Tag { .. } => "TagResource",
            Self::Untag { .. } => "UntagResource",
            Self::PutPorts { .. } => "PutInstancePublicPorts",
            Self::SetIpAddressType { .. } => "SetIpAddressType",
            Self::UpdateMetadataOptions { .. } => "UpdateInstanceMetadataOptions",
            Self::EnableAutoSnapshot { .. } => "EnableAddOn",
            Self::DisableAutoSnapshot(_) => "DisableAddOn",
            Self::AllocateStaticIp(_) => "AllocateStaticIp",
            Self::AttachStaticIp { .. } => "AttachStaticIp",
            Self::DetachStaticIp(_) => "DetachStaticIp",
            Self::ReleaseStaticIp(_) => "ReleaseStaticIp",
        }
    }

    fn creates(&self) -> bool {
        matches!(self, Self::Create(_))
    }

    fn without_secrets(&self) -> Self {
        match self {
            Self::Create(create) => Self::Create(Box::new(InstanceCreate { user_data: None, ..(**create).clone() })),
            Self::Start { .. }
            | Self::Stop(_)
            | Self::Delete { .. }
            | Self::Tag { .. }
            | Self::Untag { .. }
            | Self::PutPorts { .. }
            | Self::SetIpAddressType { .. }
            | Self::UpdateMetadataOptions { .. }
            | Self::EnableAutoSnapshot { .. }
            | Self::DisableAutoSnapshot(_)
            | Self::AllocateStaticIp(_)
            | Self::AttachStaticIp { .. }
            | Self::DetachStaticIp(_)
            | Self::ReleaseStaticIp(_) => self.clone(),
        }
    }
}
