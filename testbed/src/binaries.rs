//! Where the control plane's programs come from: the environment, the cache, or the Go source.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::source::{Program, Source};

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

const PROGRAMS: [Program; 4] = [
    Program { name: "etcd", package: "go.etcd.io/etcd/server/v3", usual: "about 1 minute" },
    Program { name: "kubectl", package: "k8s.io/kubernetes/cmd/kubectl", usual: "about 2 minutes" },
    Program { name: "kube-apiserver", package: "k8s.io/kubernetes/cmd/kube-apiserver", usual: "about 3 minutes" },
    Program {
        name: "kube-controller-manager",
        package: "k8s.io/kubernetes/cmd/kube-controller-manager",
        usual: "about 1 minute",
    },
];

impl Binaries {
    /// Finds each program in `$KUBEBUILDER_ASSETS`, then in the cache (`${XDG_CACHE_HOME:-$HOME/.cache}/windlass/
    /// control-plane/<version>/`); builds into the cache what is in neither. Says on standard error what it builds.
    ///
    /// # Errors
    /// There is no usable Go (the error names the command that installs it), or a build failed.
    pub fn find_or_build() -> Result<Self> {
        let source = Source {
            what: "control plane",
            version: version(),
            folder: "control-plane",
            go_mod: GO_MOD,
            ldflags: ldflags(),
            programs: &PROGRAMS,
        };
        let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
        let cache = source.find_or_build(assets.as_deref())?;
        let found = |program: &str| {
            let folders = [assets.as_deref(), Some(cache.as_path())];
            let there = folders.into_iter().flatten().map(|folder| folder.join(program)).find(|path| path.is_file());
            there.with_context(|| format!("find {program} in {}", cache.display()))
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
    let required = GO_MOD.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "));
    required.and_then(|rest| rest.split_whitespace().next()).unwrap_or("unknown")
}

/// The programs print this version; without it they call themselves v0.0.0 and clients warn about the skew.
fn ldflags() -> String {
    let version = version();
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or("1"), numbers.next().unwrap_or("0"));
    let package = "k8s.io/component-base/version";
    format!("-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}")
}
