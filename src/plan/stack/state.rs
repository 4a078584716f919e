//! What AWS says about a stack.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::api::stack::{StackError, StackSettings};
use crate::api::{Arn, AwsName};
use crate::plan::fleet::SessionFacts;
use crate::plan::looked::Looked;
use crate::plan::tags::Tagged;

/// What AWS says about a stack: the shared read, and whatever was looked at besides.
#[derive(Debug, Clone, PartialEq)]
pub struct StackState {
    /// When the read of `stack` began.
    pub began: Timestamp,
    /// How many stacks the account and Region had by the last complete read: the more there are, the less often what costs a
    /// request for each is asked.
    pub in_region: u32,
    /// DescribeStacks; `None` when there is no such stack.
    pub stack: Option<StackFacts>,
    /// ListTagsForResource: the last known, at no cost, unless [`StackLook::Tags`] asked for a new one.
    pub tags: Option<Tagged>,
    /// ListAssociatedFleets: the last known, at no cost, unless [`StackLook::Fleets`] asked for a new one.
    pub joined: Option<Looked<Joined>>,
    /// DescribeSessions over every associated fleet and every authentication type ([`StackLook::Sessions`]).
    pub sessions: Option<Looked<Vec<SessionFacts>>>,
    /// The fleet that `fleetName` names, and its tags ([`StackLook::NamedFleet`]); the inner `None` means that there is none.
    pub named_fleet: Option<Looked<Option<NamedFleet>>>,
}

/// Reads beside the shared DescribeStacks that cost a call of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StackLook {
    /// ListTagsForResource: before a write, and at most hourly otherwise.
    Tags,
    /// ListAssociatedFleets: before a write of the association, and every minute otherwise, less often among many stacks.
    Fleets,
    /// ListAssociatedFleets, then DescribeSessions for each fleet and each authentication type: right before a cut.
    Sessions,
    /// DescribeFleets for the fleet that `fleetName` names, and ListTagsForResource of it: before it is joined.
    NamedFleet,
}

/// One stack of DescribeStacks.
#[derive(Debug, Clone, PartialEq)]
pub struct StackFacts {
    /// Its ARN.
    pub arn: Arn,
    /// Its name.
    pub name: AwsName,
    /// Its settings in the spec's own shape.
    pub settings: StackSettings,
    /// AWS's errors, sorted.
    pub errors: Vec<StackError>,
    /// When it was created.
    pub created_time: Option<Timestamp>,
}

/// The fleets that a stack is associated with, and when the read of them began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// When the read began.
    pub began: Timestamp,
    /// The fleets; AWS has one for each stack, and nowhere says that it never will have more.
    pub fleets: BTreeSet<AwsName>,
}

/// The fleet that `fleetName` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFleet {
    /// Its ARN.
    pub arn: Arn,
    /// Its tags.
    pub tags: Tagged,
}
