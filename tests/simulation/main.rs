//! The shipped planner, engine and AWS layer, with an API server and an AWS in memory, on a virtual clock: whole lives of
//! objects, stopped at every effect, met with every error, and by seeded chance.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bench;
mod engine;
mod faults;
mod grants;
mod kube;
mod life;
mod lives;
mod random;
