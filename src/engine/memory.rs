//! What this process remembers of an object between passes. All of it is safe to lose.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::plan::secret::SecretFailure;
use crate::plan::{Answered, Failure, Kind};

/// An object as this process knows it.
#[derive(Debug)]
pub(super) struct Held<K: Kind> {
    /// As the watch last showed it, or as our own last write or read gave it back.
    pub object: Arc<K::Object>,
    /// When a write or read of our own was newer than the watch.
    pub ahead: Option<Instant>,
    /// What is remembered of it.
    pub memory: Memory<K>,
}

/// What is remembered of an object.
#[derive(Debug)]
pub struct Memory<K: Kind> {
    /// The last write that AWS refused or did not answer, until one succeeds.
    pub write_failure: Option<Failure<K>>,
    /// The last read that failed, until one succeeds.
    pub read_failure: Option<Failure<K>>,
    /// The last write to its Secret that failed, until one succeeds.
    pub secret_failure: Option<SecretFailure>,
    /// Since when each operation fails, and with which code, until it succeeds: another failure between two of it does not
    /// make it new.
    pub since: BTreeMap<String, (String, Timestamp)>,
    /// Failures in a row.
    pub failures: u32,
    /// Until when no pass begins.
    pub hold: Option<Hold>,
    /// When our last mutating AWS call for it ended.
    pub last_write: Option<Timestamp>,
    /// The last write of each operation that AWS answered, newest first: its reads may lag behind them.
    pub answered: Vec<Answered<K>>,
    /// How often AWS's reads lagged behind the newest.
    pub lagged: u32,
    /// What a pass rests on must have begun at or after this; `None`: half a resync may have passed.
    pub not_before: Option<Timestamp>,
    /// When a status was last written.
    pub reported: Option<Timestamp>,
    /// When a pass last began.
    pub looked: Option<Timestamp>,
    /// How long the pass before wanted to wait.
    pub waited: Duration,
    /// Panics in a row.
    pub panics: u32,
}

/// A time in which no pass begins, whatever the watch shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Until then, by the clock that nobody sets back.
    pub until: Instant,
    /// Whether an edit, a deletion or an annotation of ours ends it: what AWS refused may be mended by it, and what AWS could
    /// not answer is not.
    pub ends_with_edit: bool,
}

impl Hold {
    /// How much of it is left.
    pub fn left(self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

impl<K: Kind> Memory<K> {
    /// Somebody changed what is wanted: what was refused or went wrong before may be tried at once.
    pub fn edited(&mut self) {
        self.since.clear();
        if self.hold.is_some_and(|hold| hold.ends_with_edit) {
            self.hold = None;
            self.failures = 0;
        }
    }

    /// What is worth remembering for another object under the same name: AWS knows only names.
    pub fn for_another(&self) -> Self {
        Self { last_write: self.last_write, ..Self::default() }
    }
}

impl<K: Kind> Default for Memory<K> {
    fn default() -> Self {
        Self {
            write_failure: None,
            read_failure: None,
            secret_failure: None,
            since: BTreeMap::new(),
            failures: 0,
            hold: None,
            last_write: None,
            answered: Vec::new(),
            lagged: 0,
            not_before: None,
            reported: None,
            looked: None,
            waited: Duration::ZERO,
            panics: 0,
        }
    }
}
