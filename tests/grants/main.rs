//! Access grants on every kind of target, against a real API server, the real operator with exactly its rights and AWS over HTTP:
//! what their Secrets have, and that nothing of it is anywhere else.
#![allow(clippy::unwrap_used, clippy::panic)]

mod bed;
mod canary;
#[allow(dead_code)]
#[path = "../end_to_end/collector.rs"]
mod collector;
mod detector;
mod places;
#[allow(dead_code)]
#[path = "../end_to_end/stage.rs"]
mod stage;
mod targets;
