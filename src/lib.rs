//! Windlass: AppStream 2.0 fleets as Kubernetes objects, reconciled against AWS.

pub mod api;
pub mod aws;
pub mod crds;
pub mod plan;
