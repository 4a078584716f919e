//! Programs from Go modules: built once into the user's cache, for every clone and every test of the machine.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

/// A set of programs that one go.mod pins.
pub(crate) struct Source {
    /// What they are, for people; with spaces as dashes it is their folder in the cache.
    pub what: &'static str,
    /// Their version, which is a folder of the cache, too.
    pub version: &'static str,
    /// The folder of go.mod, beside `src`.
    pub folder: &'static str,
    /// That go.mod.
    pub go_mod: &'static str,
    /// What `go build -ldflags` is told.
    pub ldflags: String,
    /// The programs.
    pub programs: &'static [Program],
}

/// A program to be built.
pub(crate) struct Program {
    /// Its file name.
    pub name: &'static str,
    /// Its Go package.
    pub package: &'static str,
    /// What it usually takes to build on two cores without a build cache.
    pub usual: &'static str,
}

impl Source {
    /// The folder in the cache (`${XDG_CACHE_HOME:-$HOME/.cache}/windlass/<what>/<version>/`) that has every program which is not
    /// in `given`. Says on standard error what it builds.
    ///
    /// # Errors
    /// There is no usable Go (the error names the command that installs it), or a build failed.
    pub fn find_or_build(&self, given: Option<&Path>) -> Result<PathBuf> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
        let base = base.context("find the cache folder: neither XDG_CACHE_HOME nor HOME is set")?;
        let cache = base.join("windlass").join(self.what.replace(' ', "-").to_lowercase()).join(self.version);
        let present = |program: &Program| {
            let folders = [given, Some(cache.as_path())];
            folders.into_iter().flatten().any(|folder| folder.join(program.name).is_file())
        };
        if !self.programs.iter().all(present) {
            self.build(&cache, present)?;
        }
        Ok(cache)
    }

    /// Builds what `present` does not know yet, one process at a time for the whole machine.
    fn build(&self, cache: &Path, present: impl Fn(&Program) -> bool) -> Result<()> {
        fs::create_dir_all(cache).with_context(|| format!("make {}", cache.display()))?;
        let lock =
            File::create(cache.join(".lock")).with_context(|| format!("open the lock of {}", cache.display()))?;
        if lock.try_lock().is_err() {
            self.say("another process builds it; waiting for that");
            lock.lock().with_context(|| format!("lock {}", cache.display()))?;
        }
        let folder = self.source_folder();
        let go = self.usable_go(&folder)?;
        for program in self.programs.iter().filter(|program| !present(program)) {
            let Program { name, package, usual } = program;
            self.say(&format!("building {name} ({package}) from source, once: {usual} on 2 cores"));
            let started = Instant::now();
            // Built aside and renamed, so that a build that was cut off leaves nothing that looks like a program.
            let aside = cache.join(format!(".{name}.{}", std::process::id()));
            let status = Command::new(&go)
                .args(["build", "-trimpath", "-buildvcs=false", "-ldflags", &self.ldflags, "-o"])
                .arg(&aside)
                .arg(package)
                .current_dir(&folder)
                .env("CGO_ENABLED", "0")
                .stdin(Stdio::null())
                .status()
                .with_context(|| format!("run go build for {name}"))?;
            if !status.success() {
                let _ = fs::remove_file(&aside);
                bail!("go build of {name} failed ({status}); its own words are above");
            }
            fs::rename(&aside, cache.join(name)).with_context(|| format!("put {name} into the cache"))?;
            self.say(&format!("built {name} in {} s", started.elapsed().as_secs()));
        }
        Ok(())
    }

    /// Where go.mod is.
    pub fn source_folder(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(self.folder)
    }

    /// The go command, if there is one that can build in `folder`. Run there, an older Go fetches the toolchain that go.mod
    /// asks for by itself where it may.
    pub fn usable_go(&self, folder: &Path) -> Result<PathBuf> {
        let wanted = self.go_mod.lines().find_map(|line| line.strip_prefix("go ")).unwrap_or("1.26.0").trim();
        let advice = format!(
            "install Go {wanted} or later, see https://go.dev/doc/install (testbed/preflight.sh go says the command)"
        );
        // The official package installs here, which login shells know and others often do not.
        for go in ["go", "/usr/local/go/bin/go"] {
            let asked = Command::new(go).args(["env", "GOVERSION"]).current_dir(folder).stdin(Stdio::null()).output();
            let Ok(answer) = asked else { continue };
            let has = String::from_utf8_lossy(&answer.stdout).trim().trim_start_matches("go").to_owned();
            if answer.status.success() && numbers(&has) >= numbers(wanted) {
                return Ok(PathBuf::from(OsStr::new(go)));
            }
            bail!("the {} needs Go {wanted}, here is Go {has}: {advice}", self.what);
        }
        bail!("the {} is not built yet and Go is missing: {advice}", self.what)
    }

    /// Straight to standard error: the test harness holds back what `eprintln!` prints, and this wait wants an explanation.
    fn say(&self, line: &str) {
        let _ = writeln!(std::io::stderr(), "{} {}: {line}", self.what, self.version);
    }
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}
