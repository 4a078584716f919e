//! The rules of a Fleet.

pub mod call;
pub mod state;

pub use call::{AttributeToDelete, FleetCall, FleetCreate, FleetPatch};
pub use state::{AssociatedStack, FleetFacts, FleetLook, FleetState, ImageFacts, ImageRef, Power, SessionFacts, Tagged};
