//! The planner of a grant: tables over (time, target, Secret, Account).

mod bed;
mod ends;
mod files;
mod issues;
mod machines;
mod refusals;
