//! A read beside the shared one, that AWS may refuse: what it does not let us see is not the same as what is not there.

use super::reason::{Verdict, Waiting};

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
}

impl Refusal {
    /// What is said of it: nothing is done that rests on what cannot be seen.
    pub fn verdict(&self) -> Verdict {
        Verdict::Working(Waiting::AccessDenied, self.text())
    }

    /// It in one line.
    pub fn text(&self) -> String {
        format!("{}: {}: {}", self.operation, self.code, self.message)
    }
}
