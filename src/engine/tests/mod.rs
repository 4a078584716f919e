//! The engine with two small kinds, one of which may rest on the other, an API server and an AWS of a few lines, and a clock
//! that tests drive.

mod alive;
mod bed;
mod neighbours;
mod sweeps;
mod unreadable;
