//! A Git repository, served over HTTP as a forge does: `git http-backend` behind a small server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A repository with a working copy; its server ends with the process.
pub struct Repository {
    work: PathBuf,
    port: u16,
}

impl Repository {
    /// A new one in this folder, with nothing in it.
    pub fn new(folder: &Path) -> Self {
        let (bare, work) = (folder.join("git/desks.git"), folder.join("desks"));
        std::fs::create_dir_all(&bare).unwrap();
        git(&bare, &["init", "--bare", "--quiet", "--initial-branch=main"]);
        git(folder, &["init", "--quiet", "--initial-branch=main", work.to_str().unwrap()]);
        git(&work, &["remote", "add", "origin", bare.to_str().unwrap()]);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let root = folder.join("git");
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let root = root.clone();
                // A client that goes away is no failure of the server.
                std::thread::spawn(move || drop(answer(&connection, &root)));
            }
        });
        Self { work, port }
    }

    /// What a GitRepository's `url` is set to.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/desks.git", self.port)
    }

    /// The working copy.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// Commits all of the working copy and pushes it; the revision as Flux writes it.
    pub fn push(&self, message: &str) -> String {
        git(&self.work, &["add", "--all"]);
        git(&self.work, &["commit", "--quiet", "--allow-empty", "-m", message]);
        git(&self.work, &["push", "--quiet", "origin", "main"]);
        format!("main@sha1:{}", git(&self.work, &["rev-parse", "HEAD"]).trim())
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"]);
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// One request, by CGI.
fn answer(connection: &TcpStream, root: &Path) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REMOTE_ADDR", "127.0.0.1");
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "content-type" => drop(command.env("CONTENT_TYPE", value)),
            "content-encoding" => drop(command.env("HTTP_CONTENT_ENCODING", value)),
            "git-protocol" => drop(command.env("GIT_PROTOCOL", value)),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    command.env("CONTENT_LENGTH", length.to_string());
    let mut cgi = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    // What is asked is small, so that nobody waits for the other.
    if let Some(mut stdin) = cgi.stdin.take() {
        stdin.write_all(&body)?;
    }
    let said = cgi.wait_with_output()?.stdout;
    let end = said.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(said.len(), |at| at + 4);
    let headers = String::from_utf8_lossy(&said[..end]).into_owned();
    let status = headers.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let mut out = connection;
    write!(out, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n", said.len() - end)?;
    out.write_all(&said[..])
}
