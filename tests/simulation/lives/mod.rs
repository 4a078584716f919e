//! What is lived: one story for each kind.

mod fleet;

use super::life::Story;

/// Every life: one line for each kind.
pub const ALL: [&Story; 1] = [&fleet::LIFE];
