//! A read beside the shared one, that AWS may refuse: what it does not let us see is not the same as what is not there.

use jiff::Timestamp;

use super::reason::{Stall, Verdict, Waiting};
use super::report::{TEN_MINUTES, elapsed};

/// What a look found, or that AWS does not let this identity look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked<T> {
    /// This.
    Found(T),
    /// AWS refuses the read.
    Refused(Refusal),
}

/// A read that AWS refuses this identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// AWS's name of the operation.
    pub operation: &'static str,
    /// AWS's code.
    pub code: String,
    /// AWS's words.
    pub message: String,
    /// Since when it does, look after look.
    pub since: Timestamp,
}

impl Refusal {
    /// What is said of it: nothing is done that rests on what cannot be seen. What lasts, only a person can mend.
    pub fn verdict(&self, now: Timestamp) -> Verdict {
        let text = format!("{}: {}: {}", self.operation, self.code, self.message);
        match elapsed(self.since, now) >= TEN_MINUTES {
            true => Verdict::Stalled(Stall::AccessDenied, text),
            false => Verdict::Working(Waiting::AccessDenied, text),
        }
    }
}
