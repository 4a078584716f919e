//! etcd, kube-apiserver and, when asked, kube-controller-manager, on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::config::Kubeconfig;
use tokio::sync::OnceCell;

use crate::certs::{Authority, Files};
use crate::daemon::{Daemon, free_port};
use crate::scratch::Scratch;
use crate::{Binaries, crds, kubeconfig, must};

/// A running control plane. It ends when this value is dropped, and also when the process ends without dropping it.
/// Nothing in it belongs to an async runtime, so tests with a runtime each can share one.
pub struct ControlPlane {
    url: String,
    authority: Authority,
    admin: Kubeconfig,
    binaries: Binaries,
    // Fields are dropped in this order: clients first, storage after them, the folder last.
    controller_manager: Option<Daemon>,
    apiserver: Daemon,
    etcd: Daemon,
    audit_log: PathBuf,
    scratch: Scratch,
}

/// What a control plane has beside etcd and kube-apiserver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Start kube-controller-manager: garbage collection, namespace deletion, ServiceAccounts and autoscaling.
    pub controller_manager: bool,
    /// Write one line per answered request to [`ControlPlane::audit_log`]. Every control plane does where `WINDLASS_AUDIT` names a
    /// folder, in which the logs of a whole run are kept.
    pub audit_log: bool,
}

/// The whole start takes two seconds on a free machine; this is for one that is busy compiling.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// How often a start is tried again when another process took a port between our look and the server's bind.
const PORT_TRIES: u32 = 5;

/// Records who did what to which object, without bodies, once per request.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
";

/// The controllers that make the API behave as users know it. Those of nodes, volumes and pods have nothing to do here.
const CONTROLLERS: &str = "garbage-collector-controller,namespace-controller,serviceaccount-controller,\
root-ca-certificate-publisher-controller,clusterrole-aggregation-controller,horizontal-pod-autoscaler-controller";

impl ControlPlane {
    /// Starts one and returns when it is ready. Builds the programs first when they are not at hand, which takes minutes
    /// and is said on standard error. Blocks the thread; in async code use `spawn_blocking` or [`ControlPlane::shared`].
    ///
    /// # Errors
    /// The programs cannot be found or built, or one of them did not become ready; its last log lines are in the error.
    pub fn start(options: Options) -> Result<Self> {
        let binaries = Binaries::find_or_build()?;
        let mut tries = 1;
        loop {
            match Self::start_once(&binaries, options) {
                Ok(control_plane) => return Ok(control_plane),
                Err(error) if tries < PORT_TRIES && error.is::<PortTaken>() => tries += 1,
                Err(error) => return Err(error.context("start the control plane")),
            }
        }
    }

    /// The one control plane (with default options) that the tests of this binary share, started at the first call.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        let start = || async {
            let started = tokio::task::spawn_blocking(|| Self::start(Options::default())).await;
            must(started.map_err(anyhow::Error::from).flatten(), "start the shared control plane")
        };
        SHARED.get_or_init(start).await
    }

    /// The API server's address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A kubeconfig for `admin` of `system:masters`, who may do everything.
    #[must_use]
    pub fn admin(&self) -> Kubeconfig {
        self.admin.clone()
    }

    /// A new client for the administrator. Not shared: a client belongs to the runtime that made it.
    ///
    /// # Panics
    /// When the client cannot be made.
    pub async fn admin_client(&self) -> Client {
        must(kubeconfig::client(self.admin()).await, "make the administrator's client")
    }

    /// A kubeconfig for a user with a client certificate. RBAC decides what the user may do: at first, nothing much.
    ///
    /// # Panics
    /// With more than two groups.
    #[must_use]
    pub fn user(&self, name: &str, groups: &[&str]) -> Kubeconfig {
        let identity = must(self.authority.client(name, groups), "make a user's certificate");
        let authority = &self.authority.certificate;
        must(kubeconfig::with_certificate(&self.url, authority, &identity), "make a user's kubeconfig")
    }

    /// A kubeconfig with a token for the ServiceAccount, which is created when it does not exist.
    ///
    /// # Panics
    /// When the namespace does not exist.
    pub async fn service_account(&self, namespace: &str, name: &str) -> Kubeconfig {
        must(self.request_token(namespace, name).await, "make a ServiceAccount's kubeconfig")
    }

    /// Writes a kubeconfig into the control plane's folder and returns its path.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn write_kubeconfig(&self, kubeconfig: &Kubeconfig) -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = self.scratch.path().join(format!("kubeconfig-{number}.yaml"));
        let text = serde_yaml::to_string(kubeconfig).context("format a kubeconfig");
        must(text.and_then(|text| fs::write(&path, text).context("write a kubeconfig")), "write a kubeconfig");
        path
    }

    /// Creates a namespace with a name of its own that begins with `prefix`, and returns the name.
    ///
    /// # Panics
    /// When the API server refuses it.
    pub async fn namespace(&self, prefix: &str) -> String {
        must(self.create_namespace(prefix).await, "create a namespace")
    }

    /// A command that runs this control plane's kubectl with the kubeconfig; add arguments and run it. It keeps its
    /// caches in the control plane's folder, not in the user's home.
    #[must_use]
    pub fn kubectl(&self, kubeconfig: &Path) -> Command {
        let mut command = Command::new(&self.binaries.kubectl);
        command
            .env("KUBECONFIG", kubeconfig)
            .env("KUBECACHEDIR", self.scratch.path().join("kubectl-cache"))
            .env("KUBERC", "off");
        command
    }

    /// Applies every CustomResourceDefinition in the `*.yaml` files of `folder`, and returns when their resources are
    /// served. Doing it twice changes nothing.
    ///
    /// # Errors
    /// A file cannot be read, the API server refuses it, or its resource is not served in time.
    pub async fn apply_crds(&self, folder: impl AsRef<Path>) -> Result<()> {
        let client = kubeconfig::client(self.admin()).await?;
        crds::apply(client, folder.as_ref()).await
    }

    /// The folder of everything that this control plane writes; gone when it ends.
    #[must_use]
    pub fn folder(&self) -> &Scratch {
        &self.scratch
    }

    /// Where its programs log.
    #[must_use]
    pub fn log_dir(&self) -> PathBuf {
        self.scratch.logs()
    }

    /// The audit log, one JSON event per line; the file exists when [`Options::audit_log`] was given.
    #[must_use]
    pub fn audit_log(&self) -> PathBuf {
        self.audit_log.clone()
    }

    /// The process numbers of everything that runs.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        let all = [Some(&self.etcd), Some(&self.apiserver), self.controller_manager.as_ref()];
        all.into_iter().flatten().map(Daemon::pid).collect()
    }

    /// Ends it now: the same as dropping it.
    pub fn stop(self) {
        drop(self);
    }

    fn start_once(binaries: &Binaries, options: Options) -> Result<Self> {
        let scratch = Scratch::new("control-plane")?;
        let authority = Authority::new()?;
        let files = Files::write(&authority, scratch.path())?;
        let (etcd_port, peer_port, port) = (free_port(), free_port(), free_port());
        let etcd = Daemon::spawn_in(&scratch, "etcd", etcd(binaries, &scratch, etcd_port, peer_port))?;
        let kept = audit_folder();
        let audited = options.audit_log || kept.is_some();
        let audit_log =
            kept.map_or_else(|| scratch.path().join("audit.jsonl"), |folder| folder.join(own_name(&scratch)));
        let audit = audited.then_some(audit_log.as_path());
        let command = apiserver(binaries, &scratch, &files, audit, etcd_port, port);
        let apiserver = Daemon::spawn_in(&scratch, "kube-apiserver", command)?;
        let url = format!("https://127.0.0.1:{port}");
        let identity = authority.client("admin", &["system:masters"])?;
        let admin = kubeconfig::with_certificate(&url, &authority.certificate, &identity)?;
        let mut control_plane = Self {
            url,
            authority,
            admin,
            binaries: binaries.clone(),
            controller_manager: None,
            apiserver,
            etcd,
            audit_log,
            scratch,
        };
        control_plane.wait_until_ready()?;
        if options.controller_manager {
            let kubeconfig = control_plane.write_kubeconfig(&control_plane.admin);
            let command = controller_manager(binaries, &files, &kubeconfig);
            let daemon = Daemon::spawn_in(&control_plane.scratch, "kube-controller-manager", command)?;
            control_plane.controller_manager = Some(daemon);
        }
        Ok(control_plane)
    }

    /// Asks `/readyz` until it says ok, on a thread and runtime of its own: the caller may be inside another runtime.
    fn wait_until_ready(&self) -> Result<()> {
        let asked = std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(self.ask_until_ready())
            });
            asking.join()
        });
        asked.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    async fn ask_until_ready(&self) -> Result<()> {
        let client = kubeconfig::client(self.admin()).await?;
        let end = Instant::now() + READY_WITHIN;
        loop {
            let request = http::Request::get("/readyz").body(Vec::new())?;
            let answer = tokio::time::timeout(Duration::from_secs(2), client.request_text(request)).await;
            if matches!(answer, Ok(Ok(text)) if text == "ok") {
                return Ok(());
            }
            for daemon in [&self.etcd, &self.apiserver] {
                if let Some(code) = daemon.exit_code() {
                    if daemon.log().contains("address already in use") {
                        return Err(PortTaken.into());
                    }
                    bail!("{} ended with code {code}:\n{}", daemon.name(), daemon.last_lines());
                }
            }
            if Instant::now() >= end {
                self.scratch.keep_logs();
                let kept = self.scratch.kept_logs().display();
                bail!("it is not ready after {READY_WITHIN:?}; logs: {kept}\n{}", self.apiserver.last_lines());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn request_token(&self, namespace: &str, name: &str) -> Result<Kubeconfig> {
        let accounts = Api::<ServiceAccount>::namespaced(kubeconfig::client(self.admin()).await?, namespace);
        let account = ServiceAccount {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            ..ServiceAccount::default()
        };
        match accounts.create(&PostParams::default(), &account).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => {
                return Err(error).with_context(|| format!("create ServiceAccount {namespace}/{name}"));
            }
        }
        // A day: longer than any test, and within what the API server allows.
        let spec = TokenRequestSpec { expiration_seconds: Some(86_400), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .with_context(|| format!("request a token for ServiceAccount {namespace}/{name}"))?;
        let token = answer.status.context("the token request was answered without a token")?.token;
        kubeconfig::with_token(&self.url, &self.authority.certificate, &token)
    }

    async fn create_namespace(&self, prefix: &str) -> Result<String> {
        let api = Api::<Namespace>::all(kubeconfig::client(self.admin()).await?);
        let metadata = ObjectMeta { generate_name: Some(format!("{prefix}-")), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        let created = api.create(&PostParams::default(), &namespace).await.context("create a namespace")?;
        created.metadata.name.context("the namespace was created without a name")
    }
}

/// Another process took a port between our look and the server's bind.
#[derive(Debug)]
struct PortTaken;

impl std::fmt::Display for PortTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("another process took the port first")
    }
}

impl std::error::Error for PortTaken {}

/// Where the audit logs of a whole run are kept, when they are.
fn audit_folder() -> Option<PathBuf> {
    std::env::var_os("WINDLASS_AUDIT").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// This control plane's log there: after the program that runs it, without cargo's hash, and the folder.
fn own_name(scratch: &Scratch) -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let stem = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = scratch.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    format!("{}.{folder}.jsonl", stem.rsplit_once('-').map_or(&*stem, |(name, _)| name))
}

fn etcd(binaries: &Binaries, scratch: &Scratch, port: u16, peer_port: u16) -> Command {
    let mut command = Command::new(&binaries.etcd);
    let (client, peer) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer_port}"));
    command
        .arg("--data-dir")
        .arg(scratch.path().join("etcd"))
        .args(["--name", "default", "--initial-cluster", &format!("default={peer}")])
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        // The storage dies with the test: waiting for the disk would only slow it down.
        .args(["--unsafe-no-fsync", "--log-level", "warn"]);
    command
}

fn apiserver(
    binaries: &Binaries,
    scratch: &Scratch,
    files: &Files,
    audit: Option<&Path>,
    etcd_port: u16,
    port: u16,
) -> Command {
    let mut command = Command::new(&binaries.apiserver);
    let path = |name: &str, path: &Path| format!("--{name}={}", path.display());
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{etcd_port}"))
        .arg(format!("--secure-port={port}"))
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"])
        .arg("--service-cluster-ip-range=10.0.0.0/24")
        .arg(path("cert-dir", scratch.path()))
        .arg(path("tls-cert-file", &files.server_certificate))
        .arg(path("tls-private-key-file", &files.server_key))
        .arg(path("client-ca-file", &files.authority))
        .arg("--authorization-mode=RBAC")
        .args(["--service-account-issuer=https://kubernetes.default.svc", "--profiling=false"])
        .arg(path("service-account-key-file", &files.service_account_public_key))
        .arg(path("service-account-signing-key-file", &files.service_account_key));
    if let Some(log) = audit {
        let policy = scratch.path().join("audit-policy.yaml");
        // A missing policy ends the API server with an error that names the file.
        let _ = fs::write(&policy, AUDIT_POLICY);
        command
            .arg(path("audit-policy-file", &policy))
            .arg(path("audit-log-path", log))
            // No rotation: the whole log is counted. Written before the answer is sent.
            .args(["--audit-log-maxsize=0", "--audit-log-mode=blocking"]);
    }
    command
}

fn controller_manager(binaries: &Binaries, files: &Files, kubeconfig: &Path) -> Command {
    let mut command = Command::new(&binaries.controller_manager);
    command
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .arg(format!("--root-ca-file={}", files.authority.display()))
        .arg(format!("--controllers={CONTROLLERS}"))
        // It serves nothing that is needed here; without a port it cannot collide with another one.
        .args(["--leader-elect=false", "--secure-port=0"]);
    command
}
