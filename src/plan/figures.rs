//! What of a status is worth a number over time; metrics are made of it.

use jiff::Timestamp;

/// The numbers that an object shows. What its kind does not have is `None`, or 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Its streaming instances.
    pub instances: Option<Instances>,
    /// The sessions that it has room for; multi-session fleets alone.
    pub sessions: Option<Sessions>,
    /// The sessions that a stop of it waits for, from 0.
    pub awaited_sessions: Option<i32>,
    /// When it ends by itself: a grant that has not ended.
    pub ends_at: Option<Timestamp>,
    /// The errors that AWS reports on its resource.
    pub errors: usize,
}

/// Instances, each from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Instances {
    /// Wanted.
    pub desired: i32,
    /// Running.
    pub running: Option<i32>,
    /// With users.
    pub in_use: Option<i32>,
    /// Free for users.
    pub available: Option<i32>,
}

/// Sessions, each from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sessions {
    /// Wanted.
    pub desired: Option<i32>,
    /// There is room for.
    pub actual: Option<i32>,
    /// In use.
    pub active: Option<i32>,
    /// Free for users.
    pub available: Option<i32>,
}
