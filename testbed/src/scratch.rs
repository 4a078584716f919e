//! A temp folder that goes with its owner, even when the owner is killed.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, Once, OnceLock, PoisonError};

use anyhow::{Context as _, Result};

/// A temp folder, removed when this value is dropped or when the process that holds it ends in any way: a shell outside
/// our process group reads a pipe that only we hold open, and removes the folder when the pipe ends.
///
/// The files in its `logs` folder are kept in [`Scratch::kept_logs`] when a thread of this process has panicked, or when
/// [`Scratch::keep_logs`] was called.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    kept_logs: PathBuf,
    guard: Option<Child>,
}

/// `$1` is the folder, `$2` where its logs go when they are to be kept. The wait gives the processes that write there
/// the time to be killed by their own guards. Removing is tried again because a dying process may still create a file.
const GUARD: &str = r#"
read -r word
[ "$word" = closed ] || sleep 0.2
if [ -e "$1/keep-logs" ]; then mkdir -p "$2" && cp -R "$1/logs/." "$2/"; fi
tries=0
while [ -e "$1" ] && [ "$tries" -lt 50 ]; do
  rm -rf "$1" && break
  tries=$((tries + 1)); sleep 0.1
done
"#;

/// The folders of this process that a panic marks.
static LIVE: Mutex<Vec<(PathBuf, PathBuf)>> = Mutex::new(Vec::new());

impl Scratch {
    /// A new folder under the system's temp folder, with an empty `logs` inside. `name` becomes a part of its name.
    ///
    /// # Errors
    /// The folder or the guard could not be made.
    pub fn new(name: &str) -> Result<Self> {
        mark_on_panic();
        let folder = tempfile::Builder::new()
            .prefix(&format!("windlass-{name}-"))
            .tempdir()
            .context("make a temp folder")?
            .keep();
        let own_name = folder.file_name().unwrap_or_default().to_owned();
        let kept_logs = target_folder()
            .join("testbed-logs")
            .join(std::process::id().to_string())
            .join(own_name);
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "windlass-scratch"])
            .args([&folder, &kept_logs])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Its own group: Ctrl-C in a terminal goes to ours, and must not end the one that cleans up.
            .process_group(0)
            .spawn()
            .context("start the shell that removes the temp folder")?;
        fs::create_dir(folder.join("logs"))
            .with_context(|| format!("make {}/logs", folder.display()))?;
        live().push((folder.clone(), kept_logs.clone()));
        Ok(Self {
            folder,
            kept_logs,
            guard: Some(guard),
        })
    }

    /// The folder of this process for programs that belong to no control plane. It goes when the process ends.
    ///
    /// # Errors
    /// As [`Scratch::new`].
    pub fn of_process() -> Result<&'static Self> {
        static OF_PROCESS: OnceLock<Scratch> = OnceLock::new();
        if let Some(scratch) = OF_PROCESS.get() {
            return Ok(scratch);
        }
        let made = Self::new("process")?;
        Ok(OF_PROCESS.get_or_init(|| made))
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Where programs of this folder write their logs.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// Where the logs are after the end, if they are kept: `target/testbed-logs/<pid>/<folder's name>`.
    #[must_use]
    pub fn kept_logs(&self) -> &Path {
        &self.kept_logs
    }

    /// Keeps the logs when the folder goes, as a panic does; for a test that fails by returning an error.
    pub fn keep_logs(&self) {
        // Without the marker the logs are lost, nothing worse: there is nobody to tell in the middle of a failure.
        let _ = fs::write(self.folder.join("keep-logs"), "");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        live().retain(|(folder, _)| *folder != self.folder);
        if let Some(mut guard) = self.guard.take() {
            if let Some(mut pipe) = guard.stdin.take() {
                // A broken pipe means that the guard has gone already, with the folder.
                let _ = pipe.write_all(b"closed\n");
            }
            let _ = guard.wait();
        }
    }
}

/// Cargo's target folder that this program was built into (the one with cargo's `CACHEDIR.TAG`), else the temp folder.
#[must_use]
pub fn target_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let target = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists());
    target.map_or_else(std::env::temp_dir, Path::to_path_buf)
}

fn live() -> std::sync::MutexGuard<'static, Vec<(PathBuf, PathBuf)>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes every panic of this process mark its folders, so that their logs outlive it.
fn mark_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            before(panic);
            // `try_lock`: the panic may be in the thread that holds the list.
            if let Ok(folders) = LIVE.try_lock() {
                for (folder, kept) in folders.iter() {
                    let _ = fs::write(folder.join("keep-logs"), "");
                    eprintln!("logs will be in {}", kept.display());
                }
            }
        }));
    });
}
