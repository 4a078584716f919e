//! AWS as the engine sees it: a port with two methods, and errors that say what they mean.

pub mod accounts;
pub mod batch;
pub mod codes;
pub mod gate;
pub mod listing;
pub mod live;

use std::collections::BTreeSet;
use std::future::Future;

use jiff::Timestamp;

pub use crate::plan::Reply;
use crate::plan::{Class, Kind, Scope};

/// A kind's way to AWS.
pub trait AwsPort<K: Kind>: Send + Sync + 'static {
    /// Reads what AWS says about an object. No read that it rests on began before `not_before`; reads named in `looks`
    /// are made for this call alone.
    ///
    /// # Errors
    /// When AWS could not be read; what is not there is no error.
    fn observe(
        &self,
        scope: &Scope,
        object: &K::Object,
        looks: &BTreeSet<K::Look>,
        not_before: Timestamp,
    ) -> impl Future<Output = Result<K::State, AwsError>> + Send;

    /// Makes one write.
    ///
    /// # Errors
    /// When AWS refused it, or no answer came by the deadline.
    fn send(&self, scope: &Scope, call: &K::Call) -> impl Future<Output = Result<Reply, AwsError>> + Send;
}

/// A call that AWS refused or did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {code}: {message}")]
pub struct AwsError {
    /// AWS's name of the operation.
    pub operation: &'static str,
    /// What it means.
    pub class: Class,
    /// AWS's code, or our word for what is none of AWS's (`Timeout`, `NoLease`).
    pub code: String,
    /// AWS's words, without secrets.
    pub message: String,
    /// AWS's request id.
    pub request_id: Option<String>,
}

/// Whether this process may still write: the lease, asked right before each mutating request is sent.
pub trait Leave: Send + Sync + 'static {
    /// True while this process holds the lease (or needs none).
    fn granted(&self) -> bool;
}
