//! A program that runs beside a test and dies with it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::{Scratch, must};

/// One running program. It is killed when this value is dropped, and also when our process ends without dropping it
/// (panic, Ctrl-C, SIGKILL): its parent is a shell that reads a pipe which only we hold open.
///
/// Its output goes to [`Daemon::log_path`]. Nothing here belongs to an async runtime; what waits blocks the thread.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    pid: u32,
    log: PathBuf,
    guard: Mutex<Child>,
}

/// `$1` is the log, the rest the program. The child's number goes to our pipe. When the pipe ends (nobody writes to it),
/// the whole process group goes: the program, what it started, and the two shells. Otherwise the shell ends with the
/// program's own exit code.
const GUARD: &str = r#"
log=$1; shift
exec 3<&0
"$@" </dev/null 3<&- >>"$log" 2>&1 &
child=$!
echo "$child"
exec >/dev/null 2>&1
( read -r word <&3; kill -KILL 0 ) &
watcher=$!
wait "$child"
code=$?
kill -KILL "$watcher"
exit "$code"
"#;

/// How often a wait looks again: short beside what is waited for (tens of milliseconds and more).
const LOOK: Duration = Duration::from_millis(10);

impl Daemon {
    /// Starts `command` with its log in the folder of this process ([`Scratch::of_process`]). Takes over the command's
    /// program, arguments, environment changes and folder; `env_clear` and redirections are not seen.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(name: &str, command: Command) -> Self {
        must(Scratch::of_process().and_then(|scratch| Self::spawn_in(scratch, name, command)), "start a daemon")
    }

    /// Starts `command` with its log in `scratch`, which must outlive it.
    ///
    /// # Errors
    /// The shell that runs it could not be started. A missing program shows in the log and as exit code 127.
    pub fn spawn_in(scratch: &Scratch, name: &str, command: Command) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let log = scratch.logs().join(format!("{name}-{}.log", COUNT.fetch_add(1, Ordering::Relaxed)));
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", GUARD, "windlass-daemon"]).arg(&log).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(key, value),
                None => shell.env_remove(key),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        let mut guard = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Its own group: it is what gets killed as a whole, and Ctrl-C in a terminal must not end the guard first.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start the shell that guards {name}"))?;
        let mut line = String::new();
        if let Some(pipe) = guard.stdout.take() {
            BufReader::new(pipe).read_line(&mut line).with_context(|| format!("read the process number of {name}"))?;
        }
        let pid = line.trim().parse().with_context(|| format!("read the process number of {name}"))?;
        Ok(Self { name: name.to_owned(), pid, log, guard: Mutex::new(guard) })
    }

    /// The name that it was started with.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The program's process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The file with everything that the program printed.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Everything that the program has printed up to now.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.exit_code().is_none()
    }

    /// The exit code (128 and the signal's number for a killed one), or nothing while it runs.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        let mut guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner);
        match guard.try_wait() {
            Ok(Some(status)) => Some(status.code().unwrap_or(-1)),
            Ok(None) | Err(_) => None,
        }
    }

    /// Sends a signal by its short name (`TERM`, `STOP`, `CONT`, `INT`). Does nothing when the program has ended.
    pub fn signal(&self, name: &str) {
        if self.is_running() {
            let _ = Command::new("/bin/sh")
                .args(["-c", "kill -s \"$1\" \"$2\"", "signal", name, &self.pid.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&self) {
        self.signal("KILL");
        self.wait_exit(Duration::from_secs(10));
    }

    /// SIGTERM, then SIGKILL after ten seconds (the bound that the operator itself has for draining is shorter). Returns
    /// the exit code.
    pub fn stop(&self) -> Option<i32> {
        self.signal("TERM");
        self.wait_exit(Duration::from_secs(10)).or_else(|| {
            self.kill();
            self.exit_code()
        })
    }

    /// Waits for its end, at most `timeout`. Returns the exit code, or nothing when it still runs.
    pub fn wait_exit(&self, timeout: Duration) -> Option<i32> {
        let end = Instant::now() + timeout;
        loop {
            match self.exit_code() {
                Some(code) => return Some(code),
                None if Instant::now() >= end => return None,
                None => std::thread::sleep(LOOK),
            }
        }
    }

    /// Waits for a line that contains `pattern`, at most `timeout`, and returns the first one.
    ///
    /// # Errors
    /// The time is over or the program has ended; with the last lines of the log.
    pub fn wait_for_line(&self, pattern: &str, timeout: Duration) -> Result<String> {
        let end = Instant::now() + timeout;
        loop {
            // Asked before the log is read, so that the last lines of an ended program are not missed.
            let ended = self.exit_code();
            if let Some(line) = self.log().lines().find(|line| line.contains(pattern)) {
                return Ok(line.to_owned());
            }
            if let Some(code) = ended {
                bail!("{} ended with code {code} before it printed \"{pattern}\":\n{}", self.name, self.last_lines());
            }
            if Instant::now() >= end {
                bail!("{} has not printed \"{pattern}\" in {timeout:?}:\n{}", self.name, self.last_lines());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The last lines of the log, for error texts.
    pub(crate) fn last_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A loopback TCP port that nobody listens on now. Another process can still take it first: be ready to try again.
///
/// # Panics
/// When the system has no free port.
#[must_use]
pub fn free_port() -> u16 {
    /// How many this process has tried.
    static TRIED: AtomicU32 = AtomicU32::new(0);
    // Processes beside this one begin elsewhere.
    let begin = std::process::id().wrapping_mul(PORTS_OF_A_PROCESS);
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let next = || {
        let at = begin.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)) % u32::from(PORTS.end - PORTS.start);
        PORTS.start + u16::try_from(at).unwrap_or_default()
    };
    let found = std::iter::repeat_with(next).take(PORTS.len()).find(free);
    must(found.context("every port is taken"), "find a free port")
}

/// Below what Linux gives to outgoing connections (`ip_local_port_range` begins at 32768): one of those could take the port
/// before it is listened on.
const PORTS: std::ops::Range<u16> = 10_000..32_000;
/// How far apart the processes of a test run begin: each of them needs a few hundred.
const PORTS_OF_A_PROCESS: u32 = 997;
