//! The fault script: what goes wrong, with which call.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One line of the fault script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Operation name as AWS spells it (`CreateFleet`), or `*` for every operation.
    pub operation: String,
    /// Which matching call it befalls, counted from 1 since the fault was scripted. Absent: every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u32>,
    /// Only calls that name this resource (fleet, stack, builder, instance, static IP or session id). Absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What happens.
    pub effect: FaultEffect,
}

impl Fault {
    /// The `nth` call of `operation` meets `effect`.
    #[must_use]
    pub fn nth(operation: &str, nth: u32, effect: FaultEffect) -> Self {
        Self { operation: operation.to_owned(), nth: Some(nth), resource: None, effect }
    }

    /// Every call of `operation` meets `effect`, until [`World::clear_faults`](crate::World::clear_faults).
    #[must_use]
    pub fn every(operation: &str, effect: FaultEffect) -> Self {
        Self { operation: operation.to_owned(), nth: None, resource: None, effect }
    }

    /// The same fault, for calls that name `resource` only.
    #[must_use]
    pub fn on(mut self, resource: &str) -> Self {
        self.resource = Some(resource.to_owned());
        self
    }
}

/// What a fault does to the call that it befalls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FaultEffect {
    /// `ThrottlingException`, "Rate exceeded"; nothing is applied.
    Throttle,
    /// `InternalFailure` with HTTP 500; nothing is applied.
    ServerError,
    /// No answer for so long. AWS acts at the end of it: a caller that has hung up by then changes nothing.
    Hang(Duration),
    /// The connection breaks before anything is applied.
    NotAppliedNoAnswer,
    /// AWS does what was asked, and the connection breaks before the answer.
    AppliedNoAnswer,
    /// AWS does what was asked at once, and answers after so long: the caller's deadline comes first.
    AppliedThenHang(Duration),
    /// AWS does what was asked, and answers `InternalFailure` with HTTP 500.
    AppliedServerError,
    /// AWS does what was asked, and the second half of the answer's body never comes.
    AppliedHalfAnswer,
    /// AWS does what was asked, and the answer's body comes whole but for its first byte, so that nobody can read it.
    AppliedGarbled,
    /// AWS does what was asked, and the answer's body comes under another HTTP status.
    AppliedAs {
        /// HTTP status.
        status: u16,
    },
    /// Any error; nothing is applied.
    Coded {
        /// Error code as AWS spells it.
        code: String,
        /// Message text.
        message: String,
        /// HTTP status.
        status: u16,
    },
    /// Any error of Lightsail with a `code` member beside its type; nothing is applied. The Rust SDK takes that for the code.
    SubCoded {
        /// Error type as AWS spells it.
        code: String,
        /// The `code` member.
        sub_code: String,
        /// Message text.
        message: String,
    },
    /// AWS accepts the request, and the operation that it began fails later (Lightsail): a create leaves nothing, a start
    /// leaves the instance stopped, a stop leaves it running, anything else changes nothing.
    FailsLater {
        /// `errorCode` of the operation.
        code: String,
        /// `errorDetails` of the operation.
        details: String,
    },
    /// A list ends after `keep` items and goes on with a NextToken (0 makes an empty page that is not the last).
    Partial {
        /// Items on this page.
        keep: usize,
    },
}

/// The script with its counters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    lines: Vec<(Fault, u32)>,
}

impl Script {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.lines.push((fault, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.lines.clear();
    }

    pub(crate) fn lines(&self) -> Vec<Fault> {
        self.lines.iter().map(|(fault, _)| fault.clone()).collect()
    }

    /// Counts this call on every line that matches, and returns the effect of the first line whose turn it is.
    /// A line with a number is used up by it.
    pub(crate) fn strike(&mut self, operation: &str, resources: &[String]) -> Option<FaultEffect> {
        let mut struck = None;
        for (index, (fault, seen)) in self.lines.iter_mut().enumerate() {
            let named = fault.resource.as_ref().is_none_or(|name| resources.contains(name));
            if !named || (fault.operation != operation && fault.operation != "*") {
                continue;
            }
            *seen += 1;
            if struck.is_none() && fault.nth.is_none_or(|nth| nth == *seen) {
                struck = Some(index);
            }
        }
        let index = struck?;
        let effect = self.lines[index].0.effect.clone();
        if self.lines[index].0.nth.is_some() {
            self.lines.remove(index);
        }
        Some(effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numbered_fault_befalls_that_call_only() {
        let mut script = Script::default();
        script.add(Fault::nth("CreateFleet", 2, FaultEffect::Throttle));
        let calls: Vec<_> = (0..4).map(|_| script.strike("CreateFleet", &[])).collect();
        assert_eq!(calls, [None, Some(FaultEffect::Throttle), None, None]);
    }

    #[test]
    fn a_fault_for_a_resource_counts_only_calls_that_name_it() {
        let mut script = Script::default();
        script.add(Fault::nth("StopFleet", 1, FaultEffect::ServerError).on("a"));
        assert_eq!(script.strike("StopFleet", &["b".into()]), None);
        assert_eq!(script.strike("StartFleet", &["a".into()]), None);
        assert_eq!(script.strike("StopFleet", &["a".into()]), Some(FaultEffect::ServerError));
        assert_eq!(script.strike("StopFleet", &["a".into()]), None);
    }
}
