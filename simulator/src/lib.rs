//! AWS for people without an account: AppStream 2.0, Lightsail, GameLift and STS over their real wire protocols.
//!
//! A [`World`] is one AWS: a clock, every account and region that was ever asked about, a fault script, an audit log
//! and the violations of a careful operator's rules. The same world serves the Rust SDK in process
//! ([`World::http_client`]) and every other client over HTTP ([`serve`]). It is written from AWS's public
//! documentation alone and shares nothing with the operator, so that a wrong belief of either shows as a failing test.
//!
//! A new service is one file beside `sts.rs` or one folder beside `appstream/`, `gamelift/` and `lightsail/`, a variant of `wire::Service`, and its
//! protocol in `wire/` if it speaks a new one.

mod admin;
mod appstream;
mod audit;
mod by_hand;
mod call;
mod clock;
mod faults;
mod gamelift;
mod in_process;
mod keys;
mod lightsail;
mod model;
mod page;
mod people;
mod place;
mod roles;
mod secrets;
mod serve;
mod settings;
mod sts;
#[cfg(test)]
mod tests;
mod violations;
mod wire;
mod world;

pub use appstream::builder::BuilderState;
pub use appstream::capacity::Capacity;
pub use appstream::fleet::{DomainJoinInfo, FleetSettings, FleetState, S3Location, VolumeConfig, VpcConfig};
pub use appstream::image::{ImageSeed, seeds};
pub use appstream::people::{BuilderView, StackView};
pub use appstream::session::AuthenticationType;
pub use audit::{AuditEntry, Outcome, Summary, summarize};
pub use faults::{Fault, FaultEffect};
pub use gamelift::compute::{ComputeState, GameContainer};
pub use gamelift::fleet::{GameFleetKind, GameFleetStatus};
pub use gamelift::people::{ComputeSeed, ComputeView, GameFleetEdit, GameFleetSeed, GameFleetView};
pub use in_process::InProcess;
pub use keys::host::HostKey;
pub use lightsail::instance::{InstanceState, IpAddressType};
pub use lightsail::people::{InstanceEdit, InstanceSeed, InstanceView, StaticIpView};
pub use lightsail::ports::Port;
pub use people::{Denied, FleetEdit, FleetView, SessionId, SessionView};
pub use roles::{Role, RoleSession};
pub use secrets::HandedOut;
pub use serve::serve;
pub use settings::{AccessWhenDown, DEFAULT_ACCOUNT, Quotas, RunningRule, Settings, Timings, WrongState};
pub use violations::{Rule, Violation};
pub use wire::auth::credentials;
pub use world::World;
