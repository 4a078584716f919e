//! The planner alone, against a small Lightsail that keeps AWS's rules and panics where one is broken.

mod answered;
mod bed;
mod create;
mod every;
mod keep;
mod leave;
