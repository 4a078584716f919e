//! The engine.

pub mod events;
