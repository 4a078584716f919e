//! What the operator tells about itself: the pages that are made from the code, and the chart's dashboards and alerts, each
//! expression of which is run by a real Prometheus that scrapes the real operator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod chart;
#[allow(dead_code)]
#[path = "../end_to_end/collector.rs"]
mod collector;
mod pages;
mod prometheus;
#[path = "../end_to_end/stage.rs"]
#[allow(dead_code)]
mod stage;
mod traces;
