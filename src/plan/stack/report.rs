//! What a pass shows of a stack: AWS's facts, and whether users can use it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::api::AwsName;
use crate::api::fleet::SessionsStatus;
use crate::api::stack::{Stack, StackError, StackStatus};
use crate::plan::conditions::{Fact, bounded, to_the_second};
use crate::plan::report::{self, Known, WORDS};

use super::StackKind;
use super::state::StackFacts;

/// What the status shows besides facts and changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shown {
    /// The fleets that it is associated with; `None` when nobody looked.
    pub fleets: Option<BTreeSet<AwsName>>,
    /// Whether it is associated as the spec wants it; `None` when that cannot be told.
    pub associated: Option<bool>,
    /// The sessions that a cut waits for.
    pub sessions: Option<SessionsStatus>,
}

/// The status.
pub fn status(report: report::Report<'_, StackKind>) -> StackStatus {
    let (now, object) = (report.input.now, report.input.object);
    let earlier = earlier(object);
    let available = available(&report);
    let mut status = StackStatus {
        observed_generation: report::generation(object),
        last_handled_reconcile_at: earlier.last_handled_reconcile_at.clone(),
        conditions: report.conditions(available),
        arn: report.arn,
        pending_changes: report.changes,
        sessions: report.shown.sessions,
        internal: report.stamps,
        ..facts(&report.known, report.shown.fleets.as_ref(), earlier)
    };
    if let Known::There(facts) = report.known
        && earlier.stack_errors != errors(facts)
    {
        status.internal.state_since = Some(to_the_second(now));
    }
    status
}

/// The status as the object has it.
pub fn earlier(object: &Stack) -> &StackStatus {
    static NONE: LazyLock<StackStatus> = LazyLock::new(StackStatus::default);
    object.status.as_ref().unwrap_or_else(|| &NONE)
}

fn facts(known: &Known<'_, StackFacts>, fleets: Option<&BTreeSet<AwsName>>, earlier: &StackStatus) -> StackStatus {
    match known {
        Known::Nothing => earlier.clone(),
        // When ours was created tells it from another that comes under its name.
        Known::Absent | Known::Foreign => StackStatus { created_time: earlier.created_time, ..StackStatus::default() },
        Known::There(facts) => StackStatus {
            name: Some(facts.name.to_string()),
            fleet_name: match fleets {
                Some(fleets) => (!fleets.is_empty()).then(|| bounded(&names(fleets), 1024)),
                None => earlier.fleet_name.clone(),
            },
            created_time: facts.created_time,
            stack_errors: errors(facts),
            ..StackStatus::default()
        },
    }
}

/// Fleets with commas between.
pub fn names(fleets: &BTreeSet<AwsName>) -> String {
    fleets.iter().map(AwsName::as_str).collect::<Vec<_>>().join(",")
}

/// AWS's errors within the bounds of `status.stackErrors`.
fn errors(facts: &StackFacts) -> Vec<StackError> {
    let short = |e: &StackError| StackError { code: bounded(&e.code, 256), message: bounded(&e.message, WORDS) };
    facts.errors.iter().take(100).map(short).collect()
}

/// AWS's errors in one line; empty if there are none.
pub fn wrong(facts: &StackFacts) -> String {
    let all: Vec<String> = facts.errors.iter().map(|e| format!("{}: {}", e.code, e.message)).collect();
    bounded(&all.join("; "), 2048)
}

fn available(report: &report::Report<'_, StackKind>) -> Fact {
    match (&report.known, report.shown.associated) {
        (Known::Nothing, _) | (Known::There(_), None) => report.available_as_before(),
        (Known::Absent | Known::Foreign, _) | (Known::There(_), Some(false)) => {
            Fact::no(report.verdict.reason(), report.verdict.message())
        }
        (Known::There(facts), Some(true)) => {
            Fact::yes("Exists", format!("stack {} is there, as its fleet is", facts.name))
        }
    }
}
