//! The planner, without I/O: a bed to make passes in, tables, and every combination of what matters.

mod bed;
mod converge;
mod every;
mod laws;
mod refusals;
mod reviewed;
mod rules;
mod stops;
mod tenancy;
