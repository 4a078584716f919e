//! Flux's controllers, as clusters run them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::source::{Program, Source};

/// Flux's programs and definitions.
#[derive(Clone, Debug)]
pub struct Flux {
    /// It fetches repositories.
    pub source_controller: PathBuf,
    /// It applies what is in them.
    pub kustomize_controller: PathBuf,
    /// A folder with the definitions of both.
    pub definitions: PathBuf,
}

/// Named in the cache's folder: both versions that `testbed/flux/go.mod` requires (a test holds them equal).
const VERSION: &str = "v1.9.6-v1.9.5";
const GO_MOD: &str = include_str!("../flux/go.mod");

const MODULES: [&str; 2] = ["github.com/fluxcd/source-controller", "github.com/fluxcd/kustomize-controller"];

const PROGRAMS: [Program; 2] = [
    Program { name: "source-controller", package: MODULES[0], usual: "about 10 minutes" },
    Program { name: "kustomize-controller", package: MODULES[1], usual: "about 4 minutes" },
];

impl Flux {
    /// Finds them in the cache (`${XDG_CACHE_HOME:-$HOME/.cache}/windlass/flux/`), or builds them into it.
    ///
    /// # Errors
    /// There is no usable Go (the error names the command that installs it), a build failed, or a module has no definitions.
    pub fn find_or_build() -> Result<Self> {
        let source = Source {
            what: "Flux",
            version: VERSION,
            folder: "flux",
            go_mod: GO_MOD,
            ldflags: "-s -w".to_owned(),
            programs: &PROGRAMS,
        };
        let cache = source.find_or_build(None)?;
        let definitions = cache.join("definitions");
        if !definitions.is_dir() {
            // Aside and renamed, as the programs are.
            let aside = cache.join(format!(".definitions.{}", std::process::id()));
            fs::create_dir_all(&aside).with_context(|| format!("make {}", aside.display()))?;
            for module in MODULES {
                copy_definitions(&source, module, &aside)?;
            }
            if fs::rename(&aside, &definitions).is_err() && !definitions.is_dir() {
                bail!("put Flux's definitions into {}", definitions.display());
            }
        }
        Ok(Self {
            source_controller: cache.join("source-controller"),
            kustomize_controller: cache.join("kustomize-controller"),
            definitions,
        })
    }
}

/// The definitions that a module brings in its source.
fn copy_definitions(source: &Source, module: &str, to: &Path) -> Result<()> {
    let folder = source.source_folder();
    let mut go = Command::new(source.usable_go(&folder)?);
    // `go mod download` first where the module's source is not at hand any more; `list` says where it is.
    go.args(["list", "-m", "-f", "{{.Dir}}", module]).current_dir(&folder).stdin(Stdio::null());
    let answer = go.output().with_context(|| format!("ask go where {module} is"))?;
    let there = PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim()).join("config/crd/bases");
    let files =
        fs::read_dir(&there).with_context(|| format!("read the definitions of {module} in {}", there.display()))?;
    for file in files {
        let file = file.with_context(|| format!("read {}", there.display()))?.path();
        let text = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        let name = file.file_name().unwrap_or_default();
        fs::write(to.join(name), text).with_context(|| format!("write {}", to.join(name).display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_named_after_the_versions_that_are_built() {
        for (module, version) in MODULES.into_iter().zip(VERSION.split('-')) {
            let line = format!("{module} ");
            let required = GO_MOD.lines().find_map(|text| text.trim().strip_prefix(&line));
            assert_eq!(required.map(|rest| rest.split(' ').next().unwrap_or_default()), Some(version));
        }
    }
}
