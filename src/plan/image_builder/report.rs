//! What a pass shows of an image builder: AWS's facts, and whether it can be used.

use std::sync::LazyLock;

use crate::api::fleet::DesiredState;
use crate::api::image_builder::{BuilderError, ImageBuilder, ImageBuilderStatus, StateChangeReason};
use crate::plan::conditions::{Fact, bounded, to_the_second};
use crate::plan::report::{self, Known, WORDS};

use super::ImageBuilderKind;
use super::state::{BuilderFacts, Phase};

/// What the status shows besides facts and changes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Shown {
    /// The power state that is wanted; `None` when that cannot be told.
    pub power: Option<DesiredState>,
}

/// The status.
pub fn status(report: report::Report<'_, ImageBuilderKind>) -> ImageBuilderStatus {
    let (now, object) = (report.input.now, report.input.object);
    let earlier = earlier(object);
    let available = available(&report);
    let mut status = ImageBuilderStatus {
        observed_generation: report::generation(object),
        last_handled_reconcile_at: earlier.last_handled_reconcile_at.clone(),
        conditions: report.conditions(available),
        arn: report.arn,
        pending_changes: report.changes,
        internal: report.stamps,
        ..facts(&report.known, earlier)
    };
    if let Known::There(facts) = report.known
        && !same_answer(earlier, facts)
    {
        status.internal.state_since = Some(to_the_second(now));
    }
    status
}

/// The status as the object has it.
pub fn earlier(object: &ImageBuilder) -> &ImageBuilderStatus {
    static NONE: LazyLock<ImageBuilderStatus> = LazyLock::new(ImageBuilderStatus::default);
    object.status.as_ref().unwrap_or_else(|| &NONE)
}

fn facts(known: &Known<'_, BuilderFacts>, earlier: &ImageBuilderStatus) -> ImageBuilderStatus {
    match known {
        Known::Nothing => earlier.clone(),
        // When ours was created tells it from another that comes under its name.
        Known::Absent | Known::Foreign => {
            ImageBuilderStatus { created_time: earlier.created_time, ..ImageBuilderStatus::default() }
        }
        Known::There(facts) => {
            let arn = facts.settings.image_arn.as_ref().map(ToString::to_string);
            let tail = arn.as_deref().and_then(|arn| arn.split_once(":image/")).map(|(_, name)| name.to_owned());
            ImageBuilderStatus {
                name: Some(facts.name.to_string()),
                state: Some(state(facts)),
                state_change_reason: facts.reason.as_ref().map(reason),
                instance_type: facts.settings.instance_type.as_deref().map(|text| bounded(text, 256)),
                image_name: facts.settings.image_name.as_ref().map(ToString::to_string).or(tail),
                image_arn: arn,
                platform: facts.platform.as_deref().map(|text| bounded(text, 128)),
                appstream_agent_version: facts
                    .settings
                    .appstream_agent_version
                    .as_deref()
                    .map(|text| bounded(text, 128)),
                private_ip_address: facts.private_ip_address.as_deref().map(|text| bounded(text, 64)),
                created_time: facts.created_time,
                image_builder_errors: errors(facts),
                ..ImageBuilderStatus::default()
            }
        }
    }
}

/// AWS's state within the bound of `status.state`.
fn state(facts: &BuilderFacts) -> String {
    bounded(facts.phase.as_str(), 64)
}

fn reason(reason: &StateChangeReason) -> StateChangeReason {
    StateChangeReason { code: bounded(&reason.code, 256), message: bounded(&reason.message, WORDS) }
}

/// AWS's errors within the bounds of `status.imageBuilderErrors`.
fn errors(facts: &BuilderFacts) -> Vec<BuilderError> {
    let short = |e: &BuilderError| BuilderError {
        code: bounded(&e.code, 256),
        message: bounded(&e.message, WORDS),
        at: e.at.map(to_the_second),
    };
    facts.errors.iter().take(100).map(short).collect()
}

/// Whether AWS says of the image builder what the status said already, in state and errors.
pub fn same_answer(earlier: &ImageBuilderStatus, facts: &BuilderFacts) -> bool {
    earlier.state.as_ref() == Some(&state(facts)) && earlier.image_builder_errors == errors(facts)
}

fn available(report: &report::Report<'_, ImageBuilderKind>) -> Fact {
    let (reason, message) = (report.verdict.reason(), report.verdict.message());
    match (&report.known, report.shown.power) {
        (Known::Nothing, _) => report.available_as_before(),
        (Known::Absent | Known::Foreign, _) => Fact::no(reason, message),
        (Known::There(facts), power) => match (power, &facts.phase) {
            (Some(DesiredState::Running), Phase::Running) => Fact::yes("Running", "the image builder is RUNNING"),
            (Some(DesiredState::Stopped), Phase::Stopped) => {
                Fact::yes("Stopped", "the image builder is STOPPED, as wanted")
            }
            (None, Phase::Running) => report.available_as_before(),
            (Some(_) | None, _) => Fact::no(reason, message),
        },
    }
}

/// What AWS says is wrong, in one line; empty if nothing is.
pub fn wrong(facts: &BuilderFacts) -> String {
    let reason = facts.reason.iter().map(|r| (&r.code, &r.message));
    let errors = facts.errors.iter().map(|e| (&e.code, &e.message));
    let all: Vec<String> = reason.chain(errors).map(|(code, message)| format!("{code}: {message}")).collect();
    bounded(&all.join("; "), 2048)
}
