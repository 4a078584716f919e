//! Windlass: AppStream 2.0 fleets, stacks and image builders, and Lightsail instances as Kubernetes objects, reconciled
//! against AWS.

pub mod api;
pub mod aws;
pub mod causes;
pub mod cli;
pub mod crds;
pub mod engine;
pub mod kinds;
pub mod kube_client;
pub mod lease;
pub mod memory;
pub mod plan;
pub mod run;
pub mod settings;
pub mod telemetry;
