//! A real Kubernetes control plane, built from source when it is not at hand, for tests, the demo and the benchmark.
//!
//! [`ControlPlane`] is etcd and kube-apiserver (and kube-controller-manager when asked) on free loopback ports; it hands
//! out kubeconfigs for an administrator, for any user and for any ServiceAccount. [`Daemon`] runs one more program, such
//! as the operator or the simulator, beside it. Neither leaves a process or a folder behind, however the test ends:
//! each is watched by a small shell that kills and removes when its owner is gone (see [`Scratch`]).
//!
//! [`simulator::Simulator`] is our AWS as a running program, with its admin routes; [`Sshd`] stands for one of its
//! instances.
//!
//! The functions that tests call most (those that return no `Result`) panic when they fail, as an assertion does.

mod binaries;
mod certs;
mod control_plane;
mod crds;
mod daemon;
mod flux;
mod helm;
pub mod http;
mod kubeconfig;
mod scratch;
pub mod simulator;
mod source;
mod sshd;

pub use binaries::{Binaries, version};
pub use control_plane::{ControlPlane, Options};
pub use daemon::{Daemon, free_port};
pub use flux::Flux;
pub use helm::Helm;
pub use scratch::{Scratch, target_folder};
pub use sshd::{Sshd, SshdOptions, ssh};

/// Ends the test with `doing` and the error's whole chain, as a failed assertion would.
#[track_caller]
pub(crate) fn must<T>(result: anyhow::Result<T>, doing: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{doing}: {error:#}"),
    }
}
