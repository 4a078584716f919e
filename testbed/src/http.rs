//! The least HTTP that speaks to the simulator and the operator on loopback.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Asks and returns the answer's text; an error when its status is not 2xx.
///
/// HTTP/1.0: the server answers in one piece and closes, so that no framing has to be read.
///
/// # Errors
/// Nobody listens, no answer comes in time, or it is not 2xx; the text is in the error.
pub fn ask(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<String> {
    let asking = || format!("{method} http://127.0.0.1:{port}{path}");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // Programs on the same machine answer in milliseconds; a busy one gets time.
    let patience = Duration::from_secs(20);
    let mut stream = TcpStream::connect_timeout(&address, patience).with_context(asking)?;
    stream.set_read_timeout(Some(patience)).with_context(asking)?;
    stream.set_nodelay(true).with_context(asking)?;
    let mut request =
        format!("{method} {path} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes()).with_context(asking)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(asking)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, text) = answer.split_once("\r\n\r\n").with_context(|| format!("{}: no HTTP answer", asking()))?;
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    ensure!(status.starts_with('2'), "{}: status {status}: {text}", asking());
    Ok(text.to_owned())
}

/// GET, and the answer as JSON.
///
/// # Errors
/// As [`ask`], or the answer is no JSON.
pub fn get(port: u16, path: &str) -> Result<Value> {
    let text = ask(port, "GET", path, &[], "")?;
    serde_json::from_str(&text).with_context(|| format!("parse the answer to GET {path}"))
}

/// POST of JSON, and the answer as JSON (null when it is empty).
///
/// # Errors
/// As [`ask`], or the answer is no JSON.
pub fn post(port: u16, path: &str, body: &Value) -> Result<Value> {
    let text = ask(port, "POST", path, &[("content-type", "application/json")], &body.to_string())?;
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text).with_context(|| format!("parse the answer to POST {path}"))
}
