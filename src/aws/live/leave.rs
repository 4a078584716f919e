//! Asks the lease right before each mutating request goes onto the wire.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::aws::Leave;

/// An interceptor that lets no mutating request out without leave. It knows reads by their names, so that a new operation
/// is asked about unless it is plainly a read.
pub(super) struct AskLeave(pub Arc<dyn Leave>);

/// This process may not write now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this process does not hold the lease")]
pub(super) struct NoLease;

impl fmt::Debug for AskLeave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AskLeave")
    }
}

#[dyn_dispatch_hint]
impl Intercept for AskLeave {
    fn name(&self) -> &'static str {
        "AskLeave"
    }

    // After signing and as late as the SDK allows: nothing but the connection's own write comes after it.
    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let read = config.load::<Metadata>().is_some_and(|operation| reads(operation.name()));
        if read || self.0.granted() { Ok(()) } else { Err(NoLease.into()) }
    }
}

fn reads(operation: &str) -> bool {
    ["Describe", "List", "Get"].iter().any(|verb| operation.starts_with(verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_plainly_a_read_needs_no_leave() {
        for read in ["DescribeFleets", "ListTagsForResource", "GetCallerIdentity"] {
            assert!(reads(read), "{read}");
        }
        for write in ["CreateFleet", "UpdateFleet", "StartFleet", "StopFleet", "DeleteFleet", "TagResource", "Xyz"] {
            assert!(!reads(write), "{write}");
        }
    }
}
