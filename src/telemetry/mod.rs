//! What the controller says about itself: logs, metrics, traces, probes.

pub mod described;
pub mod labels;
pub mod logs;
pub mod metrics;
mod objects;
pub mod probes;
pub mod process;
pub mod server;
pub mod traces;

pub use labels::{Label, PassOutcome};
pub use logs::LogFormat;
pub use metrics::Metrics;
pub use probes::{Heartbeat, Readiness};
