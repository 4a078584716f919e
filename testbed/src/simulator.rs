//! The simulated AWS as a running program: its admin routes, and AWS itself as a person with credentials sees it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::{Daemon, Scratch, free_port, http};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

/// A running `windlass-simulator`.
pub struct Simulator {
    daemon: Daemon,
    port: u16,
}

/// The operator's access key. A key that begins with `AKIA` and twelve digits belongs to the account of that number.
pub const ACCESS_KEY: &str = "AKIA123456789012OPER";

/// The access key of the people in the demo, so that the audit log tells them from the operator.
const PERSON: &str = "AKIA123456789012HAND";

impl Simulator {
    /// Starts it on a free loopback port and waits until it answers.
    ///
    /// # Errors
    /// It did not start, or does not answer.
    pub fn start(scratch: &Scratch, program: &Path, flags: &[&str]) -> Result<Self> {
        let port = free_port();
        let mut command = Command::new(program);
        command.arg(format!("--listen=127.0.0.1:{port}")).args(flags);
        let daemon = Daemon::spawn_in(scratch, "windlass-simulator", command)?;
        let simulator = Self { daemon, port };
        let end = Instant::now() + Duration::from_secs(20);
        while let Err(error) = simulator.violations() {
            if let Some(code) = simulator.daemon.exit_code() {
                bail!("windlass-simulator ended with code {code}:\n{}", simulator.daemon.log());
            }
            if Instant::now() >= end {
                return Err(error.context("wait until the simulator answers"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // What people do by hand is not the operator's fault.
        http::post(port, &format!("/_sim/judge/{ACCESS_KEY}"), &Value::Null)?;
        Ok(simulator)
    }

    /// The port that it listens on, for its admin routes.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What `AWS_ENDPOINT_URL` is set to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a careful operator never does; empty when all is well.
    ///
    /// # Errors
    /// It does not answer, or not as expected.
    pub fn violations(&self) -> Result<Vec<Value>> {
        list(http::get(self.port, "/_sim/violations")?, "violations")
    }

    /// The requests that AWS has received, from the one with this number on (the first is 0).
    ///
    /// # Errors
    /// It does not answer, or not as expected.
    pub fn audit(&self, since: usize) -> Result<Vec<Value>> {
        list(http::get(self.port, &format!("/_sim/audit?since={since}"))?, "entries")
    }

    /// Counts of the requests received: `requests`, `mutating`, `by_code` and more.
    ///
    /// # Errors
    /// It does not answer, or not as expected.
    pub fn summary(&self) -> Result<Value> {
        let mut answer = http::get(self.port, "/_sim/audit?summary=1")?;
        Ok(answer["summary"].take())
    }

    /// An application that ELASTIC fleets can use, by its name.
    ///
    /// # Errors
    /// It does not answer, or not as expected.
    pub fn put_application(&self, name: &str) -> Result<()> {
        http::post(self.port, "/_sim/applications", &json!({ "name": name })).map(|_| ())
    }

    /// A user begins to stream from the fleet through the stack. Returns the session's id.
    ///
    /// # Errors
    /// It does not answer, or not as expected.
    pub fn open_session(&self, stack: &str, fleet: &str, user: &str) -> Result<String> {
        let body = json!({ "stack": stack, "fleet": fleet, "user": user });
        let answer = http::post(self.port, "/_sim/sessions", &body)?;
        let id = answer.get("id").and_then(Value::as_str).context("the simulator opened a session without an id")?;
        Ok(id.to_owned())
    }

    /// The user leaves.
    ///
    /// # Errors
    /// It does not answer, or not as expected.
    pub fn end_session(&self, id: &str) -> Result<()> {
        http::ask(self.port, "DELETE", &format!("/_sim/sessions/{id}"), &[], "").map(|_| ())
    }

    /// One AppStream call over the JSON protocol, as a person makes it with the aws CLI.
    ///
    /// # Errors
    /// AWS refuses it.
    pub fn appstream(&self, operation: &str, input: &Value) -> Result<Value> {
        self.appstream_as(PERSON, operation, input)
    }

    /// One AppStream call over the JSON protocol, by whoever has this access key.
    ///
    /// # Errors
    /// AWS refuses it.
    pub fn appstream_as(&self, access_key: &str, operation: &str, input: &Value) -> Result<Value> {
        self.call(access_key, "appstream", &format!("PhotonAdminProxyService.{operation}"), input)
    }

    /// One Lightsail call, as a person makes it with the aws CLI.
    ///
    /// # Errors
    /// AWS refuses it.
    pub fn lightsail(&self, operation: &str, input: &Value) -> Result<Value> {
        self.call(PERSON, "lightsail", &format!("Lightsail_20161128.{operation}"), input)
    }

    /// A running Linux instance of this name, which nobody owns.
    ///
    /// # Errors
    /// AWS would not make it.
    pub fn put_instance(&self, name: &str) -> Result<()> {
        http::post(self.port, "/_sim/instances", &json!({ "name": name })).map(|_| ())
    }

    /// The line of `TrustedUserCAKeys` that instances have.
    ///
    /// # Errors
    /// It does not answer, or not as expected.
    pub fn ssh_authority(&self) -> Result<String> {
        let answer = http::get(self.port, "/_sim/ssh-authority")?;
        let line = answer.get("public_key").and_then(Value::as_str);
        Ok(line.context("no public key in the simulator's answer")?.to_owned())
    }

    /// The private host keys of an instance, each as a file for `HostKey` of `sshd_config`.
    ///
    /// # Errors
    /// There is no such instance, or it has no SSH.
    pub fn host_key_files(&self, instance: &str) -> Result<Vec<String>> {
        let keys = list(http::get(self.port, &format!("/_sim/instances/{instance}/host-keys"))?, "host_keys")?;
        let file = |key: Value| key.get("private_key").and_then(Value::as_str).map(str::to_owned);
        keys.into_iter().map(file).collect::<Option<_>>().context("a host key without its file")
    }

    /// Every secret that AWS has handed out: `operation`, `resource`, `member`, `value`, `canaries`.
    ///
    /// # Errors
    /// It does not answer, or not as expected.
    pub fn secrets(&self) -> Result<Vec<Value>> {
        list(http::get(self.port, "/_sim/secrets")?, "secrets")
    }

    /// One GameLift call over the JSON protocol, as a person makes it with the aws CLI.
    ///
    /// # Errors
    /// AWS refuses it.
    pub fn gamelift(&self, operation: &str, input: &Value) -> Result<Value> {
        self.call(PERSON, "gamelift", &format!("GameLift.{operation}"), input)
    }

    /// A GameLift fleet of somebody's, as the simulator's route takes it; answers its id.
    ///
    /// # Errors
    /// It does not answer, or not as expected.
    pub fn put_game_fleet(&self, seed: &Value) -> Result<String> {
        let fleet = http::post(self.port, "/_sim/gamelift/fleets", seed)?;
        Ok(fleet.get("id").and_then(Value::as_str).context("a fleet without an id")?.to_owned())
    }

    /// A compute of a GameLift fleet, as the simulator's route takes it; answers its name.
    ///
    /// # Errors
    /// There is no such fleet, or it does not answer as expected.
    pub fn put_compute(&self, fleet: &str, seed: &Value) -> Result<String> {
        let compute = http::post(self.port, &format!("/_sim/gamelift/fleets/{fleet}/computes"), seed)?;
        Ok(compute.get("name").and_then(Value::as_str).context("a compute without a name")?.to_owned())
    }

    fn call(&self, access_key: &str, service: &str, target: &str, input: &Value) -> Result<Value> {
        // The simulator reads account and region from the signature's scope; it knows no secrets to check one with.
        let scope = format!("{access_key}/20260101/us-east-1/{service}/aws4_request");
        let signature = "0".repeat(64);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date;x-amz-target, Signature={signature}"
        );
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target),
            ("x-amz-date", "20260101T000000Z"),
            ("authorization", authorization.as_str()),
        ];
        let text = http::ask(self.port, "POST", "/", &headers, &input.to_string())?;
        serde_json::from_str(&text).with_context(|| format!("parse AWS's answer to {target}"))
    }

    /// The fleet as AWS describes it, or nothing when there is none of this name.
    ///
    /// # Errors
    /// It does not answer, or not as expected.
    pub fn fleet(&self, name: &str) -> Result<Option<Value>> {
        Ok(self.fleets()?.into_iter().find(|fleet| fleet.get("Name").and_then(Value::as_str) == Some(name)))
    }

    /// All fleets as AWS describes them.
    ///
    /// # Errors
    /// It does not answer, or not as expected.
    pub fn fleets(&self) -> Result<Vec<Value>> {
        let mut fleets = Vec::new();
        let mut input = json!({});
        loop {
            let mut page = self.appstream("DescribeFleets", &input)?;
            if let Some(Value::Array(part)) = page.get_mut("Fleets").map(Value::take) {
                fleets.extend(part);
            }
            match page.get("NextToken").and_then(Value::as_str) {
                Some(token) if !token.is_empty() => input = json!({ "NextToken": token }),
                Some(_) | None => return Ok(fleets),
            }
        }
    }
}

/// The list itself, or the one list under `key`.
fn list(answer: Value, key: &str) -> Result<Vec<Value>> {
    match answer {
        Value::Array(items) => Ok(items),
        Value::Object(mut object) => match object.remove(key) {
            Some(Value::Array(items)) => Ok(items),
            other => bail!("no list `{key}` in the simulator's answer: {other:?}"),
        },
        other => bail!("no list in the simulator's answer: {other}"),
    }
}
