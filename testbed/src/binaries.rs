//! Where the control plane's programs come from: the environment, the cache, or the Go source.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

/// The programs of the control plane, all present. Tests get them through [`crate::ControlPlane`].
#[derive(Clone, Debug)]
pub struct Binaries {
    /// etcd's path.
    pub etcd: PathBuf,
    /// kube-apiserver's path.
    pub apiserver: PathBuf,
    /// kube-controller-manager's path.
    pub controller_manager: PathBuf,
    /// kubectl's path.
    pub kubectl: PathBuf,
}

const GO_MOD: &str = include_str!("../control-plane/go.mod");

/// Program, Go package, and what it usually takes to build on two cores without a build cache.
const PROGRAMS: [(&str, &str, &str); 4] = [
    ("etcd", "go.etcd.io/etcd/server/v3", "about 1 minute"),
    (
        "kubectl",
        "k8s.io/kubernetes/cmd/kubectl",
        "about 2 minutes",
    ),
    (
        "kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "about 3 minutes",
    ),
    (
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "about 1 minute",
    ),
];

impl Binaries {
    /// Finds each program in `$KUBEBUILDER_ASSETS`, then in the cache (`${XDG_CACHE_HOME:-$HOME/.cache}/windlass/
    /// control-plane/<version>/`); builds into the cache what is in neither. Says on standard error what it builds.
    ///
    /// # Errors
    /// There is no usable Go (the error names the command that installs it), or a build failed.
    pub fn find_or_build() -> Result<Self> {
        let cache = cache_folder()?;
        let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
        let find = |program: &str| {
            let folders = [assets.as_deref(), Some(cache.as_path())];
            folders
                .into_iter()
                .flatten()
                .map(|folder| folder.join(program))
                .find(|path| path.is_file())
        };
        if PROGRAMS
            .iter()
            .any(|(program, _, _)| find(program).is_none())
        {
            build(&cache, |program| find(program).is_some())?;
        }
        let found = |program: &str| {
            find(program).with_context(|| format!("find {program} in {}", cache.display()))
        };
        Ok(Self {
            etcd: found("etcd")?,
            apiserver: found("kube-apiserver")?,
            controller_manager: found("kube-controller-manager")?,
            kubectl: found("kubectl")?,
        })
    }
}

/// The Kubernetes version that `testbed/control-plane/go.mod` requires, such as `v1.36.3`.
#[must_use]
pub fn version() -> &'static str {
    let required = GO_MOD
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "));
    required
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap_or("unknown")
}

fn cache_folder() -> Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    let base = base.context("find the cache folder: neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(base.join("windlass/control-plane").join(version()))
}

/// Builds what `present` does not know yet, one process at a time for the whole machine.
fn build(cache: &Path, present: impl Fn(&str) -> bool) -> Result<()> {
    fs::create_dir_all(cache).with_context(|| format!("make {}", cache.display()))?;
    let lock =
        File::create(cache.join(".lock")).context("open the lock of the control plane's cache")?;
    if lock.try_lock().is_err() {
        say("another process builds the control plane; waiting for it");
        lock.lock().context("lock the control plane's cache")?;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("control-plane");
    let go = usable_go(&source)?;
    for (program, package, usual) in PROGRAMS
        .into_iter()
        .filter(|(program, _, _)| !present(program))
    {
        say(&format!(
            "building {program} ({package}) from source, once: {usual} on 2 cores"
        ));
        let started = Instant::now();
        // Built aside and renamed, so that a build that was cut off leaves nothing that looks like a program.
        let aside = cache.join(format!(".{program}.{}", std::process::id()));
        let status = Command::new(&go)
            .args([
                "build",
                "-trimpath",
                "-buildvcs=false",
                "-ldflags",
                &ldflags(),
                "-o",
            ])
            .arg(&aside)
            .arg(package)
            .current_dir(&source)
            .env("CGO_ENABLED", "0")
            .stdin(Stdio::null())
            .status()
            .with_context(|| format!("run go build for {program}"))?;
        if !status.success() {
            let _ = fs::remove_file(&aside);
            bail!("go build of {program} failed ({status}); its own words are above");
        }
        fs::rename(&aside, cache.join(program))
            .with_context(|| format!("put {program} into the cache"))?;
        say(&format!(
            "built {program} in {} s",
            started.elapsed().as_secs()
        ));
    }
    Ok(())
}

/// The programs print this version; without it they call themselves v0.0.0 and clients warn about the skew.
fn ldflags() -> String {
    let version = version();
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or("1"), numbers.next().unwrap_or("0"));
    let package = "k8s.io/component-base/version";
    format!(
        "-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"
    )
}

/// The go command, if there is one that can build `source`. Run in that folder, an older Go fetches the toolchain that
/// go.mod asks for by itself where it may.
fn usable_go(source: &Path) -> Result<PathBuf> {
    let wanted = GO_MOD
        .lines()
        .find_map(|line| line.strip_prefix("go "))
        .unwrap_or("1.26.0")
        .trim();
    let advice = format!(
        "install Go {wanted} or later, see https://go.dev/doc/install (testbed/preflight.sh go says the command)"
    );
    // The official package installs here, which login shells know and others often do not.
    for go in ["go", "/usr/local/go/bin/go"] {
        let asked = Command::new(go)
            .args(["env", "GOVERSION"])
            .current_dir(source)
            .stdin(Stdio::null())
            .output();
        let Ok(answer) = asked else { continue };
        let has = String::from_utf8_lossy(&answer.stdout)
            .trim()
            .trim_start_matches("go")
            .to_owned();
        if answer.status.success() && numbers(&has) >= numbers(wanted) {
            return Ok(PathBuf::from(OsStr::new(go)));
        }
        bail!("the control plane needs Go {wanted}, here is Go {has}: {advice}");
    }
    bail!("the control plane is not built yet and Go is missing: {advice}")
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

/// Straight to standard error: the test harness holds back what `eprintln!` prints, and this wait wants an explanation.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "control plane {}: {line}", version());
}
