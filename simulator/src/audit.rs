//! The audit log: one entry for every request that reached this AWS.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

/// One request, as CloudTrail would show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// When AWS acted on it, on the world's clock.
    pub at: Timestamp,
    /// Operation as AWS spells it.
    pub operation: String,
    /// Service by its signing name (`appstream`, `lightsail`, `sts`).
    pub service: String,
    /// Protocol that it came in: `rpc-v2-cbor`, `json-1.1` or `query`.
    pub protocol: String,
    /// Account of the caller.
    pub account: String,
    /// Region of the signature.
    pub region: String,
    /// ARN of the caller.
    pub caller: String,
    /// Access key that signed, empty for an unsigned call.
    pub access_key: String,
    /// What the request names first (a fleet, a stack, an instance, an ARN, a session id).
    pub resource: Option<String>,
    /// Whether the operation changes anything.
    pub mutating: bool,
    /// How AWS decided.
    pub outcome: Outcome,
    /// False when a fault kept the answer, or a part of it, from the caller.
    pub answered: bool,
    /// The id that was (or would have been) in `x-amzn-RequestId`.
    pub request_id: String,
}

/// How AWS decided a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// Done.
    Ok,
    /// Refused.
    Err {
        /// Error code as AWS spells it.
        code: String,
    },
}

/// Counts of an audit log by operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// All requests.
    pub requests: u64,
    /// Requests of a mutating operation.
    pub mutating: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Requests by operation.
    pub by_operation: BTreeMap<String, u64>,
    /// Refused requests by code.
    pub by_code: BTreeMap<String, u64>,
}

/// Counts these entries.
#[must_use]
pub fn summarize(entries: &[AuditEntry]) -> Summary {
    let mut summary = Summary::default();
    for entry in entries {
        summary.requests += 1;
        summary.mutating += u64::from(entry.mutating);
        *summary.by_operation.entry(entry.operation.clone()).or_default() += 1;
        if let Outcome::Err { code } = &entry.outcome {
            summary.refused += 1;
            *summary.by_code.entry(code.clone()).or_default() += 1;
        }
    }
    summary
}
