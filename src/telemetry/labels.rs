//! Label values of metrics: closed enums, so that no call site can invent a time series.

use crate::aws::gate::Urgency;
use crate::plan::Class;

/// A value of a metric label. Implement it for closed enums only: every value is a time series.
pub trait Label: Copy {
    /// Its spelling: snake_case.
    fn label(self) -> &'static str;
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PassOutcome {
    /// Nothing is left to do.
    Settled,
    /// AWS is working, or something is waited for.
    Waiting,
    /// An AWS write was made.
    Sent,
    /// The finalizer was taken off.
    Released,
    /// It was not begun: too early, no lease, paused.
    Held,
    /// AWS or the API server refused something.
    Failed,
    /// It did not end by its deadline.
    TimedOut,
    /// It panicked.
    Panicked,
}

impl PassOutcome {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Settled,
        Self::Waiting,
        Self::Sent,
        Self::Released,
        Self::Held,
        Self::Failed,
        Self::TimedOut,
        Self::Panicked,
    ];

    /// Whether AWS was looked at, or needed not be, and nothing went wrong.
    pub fn is_success(self) -> bool {
        match self {
            Self::Settled | Self::Waiting | Self::Sent => true,
            Self::Released | Self::Held | Self::Failed | Self::TimedOut | Self::Panicked => false,
        }
    }
}

impl Label for PassOutcome {
    fn label(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Released => "released",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Panicked => "panicked",
        }
    }
}

impl Label for Urgency {
    fn label(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Routine => "routine",
        }
    }
}

/// What became of an event for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventOutcome {
    /// A new Event object.
    Posted,
    /// The series of an Event that was there.
    Repeated,
    /// Only counted here: it was said lately.
    Counted,
    /// Not said: this object said too much, too many were waiting, or its namespace is being deleted.
    Dropped,
    /// The API server refused it, or did not answer in time.
    Failed,
}

impl Label for EventOutcome {
    fn label(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Repeated => "repeated",
            Self::Counted => "counted",
            Self::Dropped => "dropped",
            Self::Failed => "failed",
        }
    }
}

impl Label for Class {
    fn label(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::InUse => "in_use",
            Self::Throttled => "throttled",
            Self::Busy => "busy",
            Self::QuotaExceeded => "quota_exceeded",
            Self::AccountPending => "account_pending",
            Self::AccessDenied => "access_denied",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::NotSent => "not_sent",
        }
    }
}

/// An AWS request: answered as asked, or failed in some way.
impl Label for Result<(), Class> {
    fn label(self) -> &'static str {
        match self {
            Ok(()) => "ok",
            Err(class) => class.label(),
        }
    }
}
