//! The programs of the demo and the benchmark, running together: control plane, simulator, operator.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use testbed::{ControlPlane, Daemon, Options, free_port};

use crate::simulator::Simulator;

/// A control plane with our definitions, and a simulated AWS. The operator is started apart.
pub struct Stage {
    pub simulator: Simulator,
    pub control_plane: ControlPlane,
    /// The administrator's kubeconfig, for kubectl.
    pub kubeconfig: PathBuf,
    /// The operator's own, so that the API server's audit log tells its requests from ours.
    operator_kubeconfig: PathBuf,
}

/// A running `windlass run`.
pub struct Operator {
    pub daemon: Daemon,
    /// Where it serves /readyz and /metrics.
    pub port: u16,
    /// When its process was started.
    pub started: Instant,
}

/// The name that the operator has in this control plane.
pub const OPERATOR_USER: &str = "windlass";

/// Loading caches takes well under a second; this bound is for a machine that is busy.
const READY_WITHIN: Duration = Duration::from_secs(60);

impl Stage {
    /// Starts both. `simulator_flags` go to `windlass-simulator` as they are.
    pub async fn start(options: Options, simulator_flags: &[&str]) -> Result<Self> {
        let control_plane = tokio::task::spawn_blocking(move || ControlPlane::start(options)).await??;
        let simulator = Simulator::start(control_plane.folder(), &program("windlass-simulator")?, simulator_flags)?;
        control_plane.apply_crds(repository().join("crds")).await?;
        let kubeconfig = control_plane.write_kubeconfig(&control_plane.admin());
        let operator = control_plane.user(OPERATOR_USER, &["system:masters"]);
        let operator_kubeconfig = control_plane.write_kubeconfig(&operator);
        Ok(Self { simulator, control_plane, kubeconfig, operator_kubeconfig })
    }

    /// Starts `windlass run` against both; `flags` are added to those that it needs here.
    pub fn start_operator(&self, flags: &[&str]) -> Result<Operator> {
        let port = free_port();
        let mut command = Command::new(program("windlass")?);
        command
            .args(["run", "--region", "us-east-1", "--cluster-id", "demo", "--lease-namespace", "default"])
            .arg(format!("--listen=127.0.0.1:{port}"))
            .args(flags)
            .env("KUBECONFIG", &self.operator_kubeconfig)
            .env("AWS_ENDPOINT_URL", self.simulator.url())
            // As in the image.
            .env("MALLOC_ARENA_MAX", "1")
            .env("AWS_ACCESS_KEY_ID", crate::simulator::ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", "any-secret-will-do");
        let started = Instant::now();
        let daemon = Daemon::spawn_in(self.control_plane.folder(), "windlass", command)?;
        Ok(Operator { daemon, port, started })
    }

    /// A kubectl command for the administrator.
    pub fn kubectl(&self, arguments: &[&str]) -> Command {
        let mut command = self.control_plane.kubectl(&self.kubeconfig);
        command.args(arguments);
        command
    }

    /// Keeps the logs of all programs and says where they will be.
    pub fn keep_logs(&self) -> &Path {
        self.control_plane.folder().keep_logs();
        self.control_plane.folder().kept_logs()
    }
}

impl Operator {
    /// Waits until `/readyz` says so.
    pub fn wait_until_ready(&self) -> Result<()> {
        let end = Instant::now() + READY_WITHIN;
        while let Err(error) = crate::http::ask(self.port, "GET", "/readyz", &[], "") {
            if let Some(code) = self.daemon.exit_code() {
                bail!("windlass ended with code {code}:\n{}", self.daemon.log());
            }
            if Instant::now() >= end {
                return Err(error.context("wait until the operator is ready"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// The repository's folder, where `crds/` and `examples/` are.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_path_buf()
}

/// A program of this workspace, built into the same folder as this one.
pub fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("find the folder of this program")?;
    let path = own.with_file_name(name);
    if !path.is_file() {
        bail!("{} is not built: run cargo build --workspace", path.display());
    }
    Ok(path)
}
