//! What the statuses of kinds with a resource of their own have in common.

/// What is one and the same in `impl Status` of every kind with a resource of its own: their statuses have these fields by
/// these names, and Rust has no other way to say so. What counts are is left to the kind.
macro_rules! shared_status {
    () => {
        fn observed_generation(&self) -> i64 {
            self.observed_generation
        }
        fn conditions(&self) -> &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition] {
            &self.conditions
        }
        fn with_conditions(
            mut self,
            generation: i64,
            conditions: Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>,
        ) -> Self {
            (self.observed_generation, self.conditions) = (generation, conditions);
            self
        }
        fn last_handled(&self) -> Option<&String> {
            self.last_handled_reconcile_at.as_ref()
        }
        fn arn(&self) -> Option<&$crate::api::Arn> {
            self.arn.as_ref()
        }
        fn created_time(&self) -> Option<jiff::Timestamp> {
            self.created_time
        }
        fn pending_changes(&self) -> &[$crate::api::common::PendingChange] {
            &self.pending_changes
        }
        fn same_stamps(&self, other: &Self) -> bool {
            self.internal == other.internal && self.arn == other.arn
        }
        fn with_last_handled(mut self, value: Option<String>) -> Self {
            self.last_handled_reconcile_at = value;
            self
        }
    };
}
pub(crate) use shared_status;
