//! AWS as the engine sees it: a port with two methods, and errors that say what they mean.

pub mod accounts;
pub mod batch;
pub mod codes;
pub mod gate;
pub mod listing;
pub mod live;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::Arn;
pub use crate::plan::Reply;
use crate::plan::{Class, Kind, Scope};
use accounts::ScopeError;
use gate::Urgency;

/// A kind's way to AWS.
pub trait AwsPort<K: Kind>: Send + Sync + 'static {
    /// Where an object lives, and by whom it is reached.
    ///
    /// # Errors
    /// When it may not live where it says, or AWS does not say who we are.
    fn scope(&self, object: &K::Object) -> impl Future<Output = Result<Scope, ScopeError>> + Send;

    /// Reads what AWS says about an object.
    ///
    /// # Errors
    /// When AWS could not be read; what is not there is no error.
    fn observe(
        &self,
        scope: &Scope,
        object: &K::Object,
        ask: Ask<'_, K::Look>,
    ) -> impl Future<Output = Result<K::State, AwsError>> + Send;

    /// Makes one write.
    ///
    /// # Errors
    /// When AWS refused it, or no answer came by the deadline.
    fn send(
        &self,
        scope: &Scope,
        call: &K::Call,
        urgency: Urgency,
    ) -> impl Future<Output = Result<Reply, AwsError>> + Send;

    /// Everything of this kind in a place, with its tags, but what is `claimed` already.
    ///
    /// # Errors
    /// When AWS could not be read.
    fn strays(
        &self,
        scope: &Scope,
        claimed: &BTreeSet<Arn>,
    ) -> impl Future<Output = Result<Vec<Stray>, AwsError>> + Send;
}

/// One way for several kinds.
impl<K: Kind, A: AwsPort<K>> AwsPort<K> for Arc<A> {
    async fn scope(&self, object: &K::Object) -> Result<Scope, ScopeError> {
        self.as_ref().scope(object).await
    }

    async fn observe(&self, scope: &Scope, object: &K::Object, ask: Ask<'_, K::Look>) -> Result<K::State, AwsError> {
        self.as_ref().observe(scope, object, ask).await
    }

    async fn send(&self, scope: &Scope, call: &K::Call, urgency: Urgency) -> Result<Reply, AwsError> {
        self.as_ref().send(scope, call, urgency).await
    }

    async fn strays(&self, scope: &Scope, claimed: &BTreeSet<Arn>) -> Result<Vec<Stray>, AwsError> {
        self.as_ref().strays(scope, claimed).await
    }
}

/// What is asked of AWS about one object.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a, L> {
    /// Reads beside the shared one, each made for this question alone.
    pub looks: &'a BTreeSet<L>,
    /// No read that the answer rests on began before this.
    pub not_before: Timestamp,
    /// Who goes first.
    pub urgency: Urgency,
}

/// A resource that no object claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Its ARN.
    pub arn: Arn,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
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

impl AwsError {
    /// No answer came in time: what was asked may have happened.
    pub fn timeout(operation: &'static str, after: Duration) -> Self {
        let message = format!("no answer within {} s", after.as_secs());
        Self { operation, class: Class::Unavailable, code: "Timeout".into(), message, request_id: None }
    }

    /// It was not sent, since this process does not hold the lease.
    pub fn no_lease(operation: &'static str) -> Self {
        let message = "this process does not hold the lease".into();
        Self { operation, class: Class::NotSent, code: "NoLease".into(), message, request_id: None }
    }
}

/// Whether this process may still write: the lease, asked right before each mutating request is sent.
pub trait Leave: Send + Sync + 'static {
    /// True while this process holds the lease (or needs none).
    fn granted(&self) -> bool;
}
