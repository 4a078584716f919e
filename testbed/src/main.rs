//! `testbed control-plane`: has the control plane's programs built.

use std::process::ExitCode;

use clap::Parser;

/// A real Kubernetes control plane, built from source.
#[derive(Parser)]
enum Testbed {
    /// Find the control plane's programs, or build them, and print where they are.
    ControlPlane,
}

fn main() -> ExitCode {
    let done = match Testbed::parse() {
        Testbed::ControlPlane => control_plane(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("testbed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn control_plane() -> anyhow::Result<()> {
    let binaries = testbed::Binaries::find_or_build()?;
    for path in [
        binaries.etcd,
        binaries.apiserver,
        binaries.controller_manager,
        binaries.kubectl,
    ] {
        println!("{}", path.display());
    }
    Ok(())
}
