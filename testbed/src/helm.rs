//! Helm 3 and Helm 4, as users have them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::scratch::Scratch;
use crate::source::{Program, Source};

/// Helm's programs.
#[derive(Clone, Debug)]
pub struct Helm {
    /// Helm 3.
    pub three: PathBuf,
    /// Helm 4.
    pub four: PathBuf,
}

/// Named in the cache's folder: both versions that `testbed/helm/go.mod` requires (a test holds them equal).
const VERSION: &str = "v3.22.0-v4.3.1";
const GO_MOD: &str = include_str!("../helm/go.mod");

const PROGRAMS: [Program; 2] = [
    Program { name: "helm3", package: "helm.sh/helm/v3/cmd/helm", usual: "about 3 minutes" },
    Program { name: "helm4", package: "helm.sh/helm/v4/cmd/helm", usual: "about 1 minute" },
];

impl Helm {
    /// Finds both in the cache (`${XDG_CACHE_HOME:-$HOME/.cache}/windlass/helm/`), or builds them into it.
    ///
    /// # Errors
    /// There is no usable Go (the error names the command that installs it), or a build failed.
    pub fn find_or_build() -> Result<Self> {
        let source = Source {
            what: "Helm",
            version: VERSION,
            folder: "helm",
            go_mod: GO_MOD,
            ldflags: ldflags(),
            programs: &PROGRAMS,
        };
        let cache = source.find_or_build(None)?;
        Ok(Self { three: cache.join("helm3"), four: cache.join("helm4") })
    }

    /// A command that runs `program`, one of the two, with folders of its own.
    #[must_use]
    pub fn command(program: &Path, scratch: &Scratch) -> Command {
        let home = scratch.path().join("helm");
        let mut command = Command::new(program);
        for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(name, &home);
        }
        command
    }
}

/// Helm 3 believes in Kubernetes 1.20 unless it is told which client libraries it was built with (its Makefile does so, too).
fn ldflags() -> String {
    let packages = ["helm.sh/helm/v3/pkg/chartutil", "helm.sh/helm/v3/pkg/lint/rules"];
    let versions =
        packages.map(|package| format!("-X {package}.k8sVersionMajor=1 -X {package}.k8sVersionMinor={}", minor()));
    format!("-s -w {}", versions.join(" "))
}

/// The minor version of Kubernetes whose client libraries Helm is built with: client-go 0.37 is Kubernetes 1.37.
fn minor() -> &'static str {
    let required = GO_MOD.lines().find_map(|line| line.trim().strip_prefix("k8s.io/client-go v0."));
    required.and_then(|rest| rest.split('.').next()).unwrap_or("36")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_named_after_the_versions_that_are_built() {
        for (line, version) in ["helm.sh/helm/v3 ", "helm.sh/helm/v4 "].into_iter().zip(VERSION.split('-')) {
            let required = GO_MOD.lines().find_map(|text| text.trim().strip_prefix(line));
            assert_eq!(required.map(|rest| rest.split(' ').next().unwrap_or_default()), Some(version));
        }
        assert!(minor().parse::<u32>().is_ok_and(|minor| minor >= 36), "{}", minor());
    }
}
