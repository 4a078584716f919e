//! What this process remembers of an object between passes. All of it is safe to lose.

use std::time::Duration;

use jiff::Timestamp;

use crate::plan::{Failure, Kind};

/// What is remembered of an object.
#[derive(Debug)]
pub struct Memory<K: Kind> {
    /// The last write that AWS refused or did not answer, until one succeeds.
    pub write_failure: Option<Failure<K>>,
    /// The last read that failed, until one succeeds.
    pub read_failure: Option<Failure<K>>,
    /// Failures in a row.
    pub failures: u32,
    /// AWS is left alone until then.
    pub backoff_until: Option<Timestamp>,
    /// When our last mutating AWS call for it ended.
    pub last_write: Option<Timestamp>,
    /// The last write that AWS answered, and when: its reads may lag behind it.
    pub last_sent: Option<(K::Call, Timestamp)>,
    /// What a pass rests on must have begun at or after this; `None`: half a resync may have passed.
    pub not_before: Option<Timestamp>,
    /// When a status was last written.
    pub reported: Option<Timestamp>,
    /// The annotation's value that was last acted on by this process.
    pub requested: Option<String>,
    /// How long the pass before wanted to wait.
    pub waited: Duration,
    /// Panics in a row.
    pub panics: u32,
}

impl<K: Kind> Default for Memory<K> {
    fn default() -> Self {
        Self {
            write_failure: None,
            read_failure: None,
            failures: 0,
            backoff_until: None,
            last_write: None,
            last_sent: None,
            not_before: None,
            reported: None,
            requested: None,
            waited: Duration::ZERO,
            panics: 0,
        }
    }
}
