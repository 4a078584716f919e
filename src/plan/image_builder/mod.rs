//! The rules of an ImageBuilder: what is wanted against what AWS says, one write at a time.
//!
//! AWS changes nothing of it but tags and power. Nothing is sent while AWS is at something, and least of all while an image
//! is being made. Whether a person is working on it AWS tells nobody.

pub mod call;
pub mod diff;
mod image;
mod report;
mod run;
pub mod state;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::common::{Common, RecreatePolicy};
use crate::api::fleet::DesiredState;
use crate::api::image_builder::{BuilderApplied, BuilderInternal, ImageBuilder, ImageBuilderStatus};
use crate::api::{AccountName, Arn, AwsName, Intent, Region};

use super::figures::Figures;
use super::leave::Going;
use super::life::{self, Absent, Creation, Facts, Found, Life, Stamps, There};
use super::reason::Stall;
use super::report::Report;
use super::shared_status::shared_status;
use super::unshown::{self, Changes};
use super::{Face, Input, Kind, Plan, Reply, Status};

pub use call::{BuilderCall, BuilderCreate};
pub use image::named as named_image;
pub use report::Shown;
pub use state::{BuilderFacts, BuilderLook, BuilderState, Phase};

/// The kind ImageBuilder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageBuilderKind;

/// What the object asks for.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The object.
    pub object: &'a ImageBuilder,
    /// The image builder's name in AWS.
    pub name: AwsName,
    /// On or off.
    pub power: DesiredState,
}

impl Kind for ImageBuilderKind {
    const NAME: &'static str = "ImageBuilder.appstream.windlass.dev";
    type Object = ImageBuilder;
    type Status = ImageBuilderStatus;
    type State = BuilderState;
    type Look = BuilderLook;
    type Call = BuilderCall;

    fn plan(input: &Input<'_, Self>) -> Plan<Self> {
        unshown::plan(input)
    }

    fn after(status: &ImageBuilderStatus, call: &BuilderCall, reply: &Reply) -> Option<ImageBuilderStatus> {
        match call {
            BuilderCall::Create(_) => {
                let arn = reply.arn.clone()?;
                Some(ImageBuilderStatus { arn: Some(arn), ..status.clone() })
            }
            BuilderCall::Start(_)
            | BuilderCall::Stop(_)
            | BuilderCall::Delete(_)
            | BuilderCall::Tag { .. }
            | BuilderCall::Untag { .. } => None,
        }
    }

    fn place(object: &ImageBuilder) -> (Option<&AccountName>, Option<&Region>) {
        object.spec.common.place()
    }

    fn face(object: &ImageBuilder) -> Face {
        Face { address: report::earlier(object).private_ip_address.clone(), ..life::face::<Self>(object) }
    }
}

impl Life for ImageBuilderKind {
    const NOUN: &'static str = "image builder";
    // What was installed on one that is gone is gone with it: none is made again unasked.
    const RECREATE: RecreatePolicy = RecreatePolicy::Never;
    const TAGS: BuilderLook = BuilderLook::Tags;
    const LEAVING: &'static [BuilderLook] = &[];

    const KEPT_THOUGH_DIFFERENT: bool = true;

    type Wanted<'a> = Wanted<'a>;
    type Facts = BuilderFacts;
    type Stamps = BuilderInternal;
    type Shown = Shown;

    fn common(object: &ImageBuilder) -> &Common {
        &object.spec.common
    }

    fn earlier(object: &ImageBuilder) -> &ImageBuilderStatus {
        report::earlier(object)
    }

    fn stamps(status: &ImageBuilderStatus) -> &BuilderInternal {
        &status.internal
    }

    fn name(object: &ImageBuilder) -> Result<String, String> {
        name(object).map(|name| name.to_string())
    }

    fn read(object: &ImageBuilder, _now: Timestamp) -> Result<Wanted<'_>, (Stall, String)> {
        let name = name(object).map_err(|text| (Stall::InvalidSpec, text))?;
        Ok(Wanted { object, name, power: object.spec.desired_state })
    }

    fn shown(wanted: &Wanted<'_>) -> Shown {
        Shown { power: Some(wanted.power) }
    }

    fn found(state: &BuilderState) -> Found<'_, BuilderFacts> {
        Found { began: state.began, facts: state.builder.as_ref(), tags: state.tags.as_ref() }
    }

    fn creation(absent: &Absent<'_, '_, Self>) -> Creation<Self> {
        run::creation(absent)
    }

    fn immutable(there: &There<'_, '_, Self>) -> Option<String> {
        diff::immutable(&there.wanted.object.spec.settings, there.facts)
    }

    fn keep(there: &There<'_, '_, Self>) -> Plan<Self> {
        run::keep(there)
    }

    fn observe(there: &There<'_, '_, Self>) -> Plan<Self> {
        run::observe(there)
    }

    fn leave(going: &Going<'_, Self>) -> Plan<Self> {
        run::leave(going)
    }

    fn changes(call: &BuilderCall) -> Changes {
        match call {
            BuilderCall::Create(_)
            | BuilderCall::Start(_)
            | BuilderCall::Stop(_)
            | BuilderCall::Delete(_)
            | BuilderCall::Tag { .. }
            | BuilderCall::Untag { .. } => Changes::Nothing,
        }
    }

    fn tag(facts: &BuilderFacts, tags: BTreeMap<String, String>) -> BuilderCall {
        BuilderCall::Tag { arn: facts.arn.clone(), tags }
    }

    fn untag(facts: &BuilderFacts, keys: BTreeSet<String>) -> BuilderCall {
        BuilderCall::Untag { arn: facts.arn.clone(), keys }
    }

    fn status(report: Report<'_, Self>) -> ImageBuilderStatus {
        report::status(report)
    }
}

/// The image builder's name in AWS: the spec's, else the object's own.
pub fn name(object: &ImageBuilder) -> Result<AwsName, String> {
    match &object.spec.name {
        Some(name) => Ok(name.clone()),
        None => AwsName::try_from(object.name_any()).map_err(|e| format!("name: {e}")),
    }
}

impl Facts for BuilderFacts {
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

impl Stamps for BuilderInternal {
    fn intent(&self) -> Option<&Intent> {
        self.intent.as_ref()
    }
    fn intend(&mut self, intent: Option<Intent>) {
        self.intent = intent;
    }
    fn begin_anew(&mut self) {
        self.applied = BuilderApplied::default();
    }
}

impl Status for ImageBuilderStatus {
    shared_status!();

    // It has no counts.
    fn with_counts_of(self, _other: &Self) -> Self {
        self
    }

    fn figures(&self) -> Figures {
        Figures { errors: self.image_builder_errors.len(), ..Figures::default() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
