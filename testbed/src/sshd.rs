//! OpenSSH's server, as an instance has it: who logs in with what the simulator hands out logs in to a real one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::{Daemon, Scratch, free_port};

/// What an instance is to its server.
#[derive(Clone, Debug)]
pub struct SshdOptions<'a> {
    /// A line for `TrustedUserCAKeys`: whose certificates it takes.
    pub authority: &'a str,
    /// Files of private host keys.
    pub host_keys: &'a [String],
    /// The certificates' user, such as `ubuntu`. There is no such user on this machine: whoever runs the test stands for it.
    pub principal: &'a str,
}

/// A running `sshd` on a free loopback port that takes certificates and nothing else.
///
/// One that is not root can log in only the user that runs it, and root needs no other: [`Sshd::reach`] names that user.
#[derive(Debug)]
pub struct Sshd {
    daemon: Daemon,
    port: u16,
    user: String,
}

impl Sshd {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// There is no sshd on this machine (the error names the command that installs it), or it does not start.
    pub fn start(scratch: &Scratch, options: &SshdOptions<'_>) -> Result<Self> {
        let program = find()?;
        let user = says("id", &["-un"])?;
        if says("id", &["-u"])? == "0" {
            // Where root's sshd locks itself in before anybody has logged in; Debian's service makes it at every boot.
            fs::create_dir_all("/run/sshd").context("make /run/sshd")?;
        }
        let folder = tempfile::Builder::new().prefix("sshd-").tempdir_in(scratch.path())?.keep();
        let port = free_port();
        let config = configure(&folder, port, options)?;
        let mut command = Command::new(program);
        command.args(["-D", "-e", "-f"]).arg(config);
        let daemon = Daemon::spawn_in(scratch, "sshd", command)?;
        daemon.wait_for_line("Server listening on", Duration::from_secs(20))?;
        Ok(Self { daemon, port, user })
    }

    /// Arguments that bring the `ssh` client here in place of the machine with this address: it still looks the host keys
    /// up under the address. They come after the client's other options and before the host.
    #[must_use]
    pub fn reach(&self, address: &str) -> Vec<String> {
        let settings = [
            "HostName=127.0.0.1".to_owned(),
            format!("Port={}", self.port),
            format!("HostKeyAlias={address}"),
            format!("User={}", self.user),
        ];
        settings.into_iter().flat_map(|setting| ["-o".to_owned(), setting]).collect()
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything that it has printed: logins, refusals and why.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// Waits for a line of its log, which comes a moment after the client has its answer.
    ///
    /// # Errors
    /// It has not come in time; the last lines are in the error.
    pub fn wait_for_line(&self, pattern: &str, timeout: Duration) -> Result<String> {
        self.daemon.wait_for_line(pattern, timeout)
    }
}

/// Runs the `ssh` client to its end in this folder with these arguments: whether it succeeded, and all that it printed.
///
/// # Errors
/// There is no ssh on this machine, or it took longer than half a minute.
pub fn ssh(folder: &Path, arguments: &[String]) -> Result<(bool, String)> {
    let mut child = Command::new("ssh")
        .current_dir(folder)
        .args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"])
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .context("run ssh (apt-get install openssh-client)")?;
    let end = Instant::now() + Duration::from_secs(30);
    while child.try_wait()?.is_none() {
        if Instant::now() >= end {
            child.kill()?;
            bail!("ssh has not ended in half a minute");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let done = child.wait_with_output()?;
    let text = [done.stdout, done.stderr].concat();
    Ok((done.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

/// sshd must be started by its full path; Debian keeps it where users' paths do not look.
fn find() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let found = folders.map(|folder| folder.join("sshd")).find(|program| program.is_absolute() && program.is_file());
    found.context("missing: sshd. Install it with: apt-get install openssh-server")
}

fn configure(folder: &Path, port: u16, options: &SshdOptions<'_>) -> Result<PathBuf> {
    let write = |name: &str, text: &str| -> Result<String> {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        // sshd refuses private keys that others may read.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path.display().to_string())
    };
    let mut config = format!("ListenAddress 127.0.0.1:{port}\n");
    for (at, key) in options.host_keys.iter().enumerate() {
        config.push_str(&format!("HostKey {}\n", write(&format!("host-key-{at}"), key)?));
    }
    config.push_str(&format!("TrustedUserCAKeys {}\n", write("authority.pub", &format!("{}\n", options.authority))?));
    let principals = write("principals", &format!("{}\n", options.principal))?;
    config.push_str(&format!("AuthorizedPrincipalsFile {principals}\n"));
    // The folder is in /tmp, which sshd does not trust by itself: hence StrictModes.
    config.push_str(
        "AuthenticationMethods publickey\nAuthorizedKeysFile none\nPermitRootLogin prohibit-password\nUsePAM no\n\
         StrictModes no\nPidFile none\nPrintMotd no\nLogLevel VERBOSE\n",
    );
    Ok(write("sshd_config", &config)?.into())
}

fn says(program: &str, arguments: &[&str]) -> Result<String> {
    let done = Command::new(program).args(arguments).output().with_context(|| format!("run {program}"))?;
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}
