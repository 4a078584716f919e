//! The planner alone.
