//! What users write and read: the custom resources, and the shapes common to all of them.

pub mod access_grant;
pub mod account;
pub mod common;
pub mod definition;
pub mod fleet;
pub mod form;
pub mod image_builder;
pub mod instance;
pub mod schema;
pub mod stack;
pub mod text;

pub use access_grant::{AccessGrant, AccessGrantSpec, AccessGrantStatus};
pub use account::{Account, AccountSpec, AccountStatus};
pub use common::{
    AdoptionPolicy, Common, DeletionPolicy, Impact, Intent, ManagementPolicy, PendingChange, RecreatePolicy,
};
pub use fleet::{Fleet, FleetSettings, FleetSpec, FleetStatus};
pub use image_builder::{BuilderSettings, ImageBuilder, ImageBuilderSpec, ImageBuilderStatus};
pub use instance::{Instance, InstanceSpec, InstanceStatus};
pub use stack::{Stack, StackSettings, StackSpec, StackStatus};
pub use text::{AccountName, Arn, AwsName, LightsailName, Region};

/// The finalizer on every object that may own something in AWS.
pub const FINALIZER: &str = "windlass.dev/finalizer";
/// The field manager of every write to the API server.
pub const FIELD_MANAGER: &str = "windlass";
/// Annotation that holds everything, deletion too, while its value is `true`.
pub const PAUSED: &str = "windlass.dev/paused";
/// Annotation whose change asks for a pass at once; echoed in `status.lastHandledReconcileAt`.
pub const RECONCILE_REQUESTED_AT: &str = "windlass.dev/reconcile-requested-at";
