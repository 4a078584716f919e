//! What the scenes are told with: kubectl's own output, the objects, and AWS's side of them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use testbed::Daemon;

use crate::simulator::ACCESS_KEY;
use crate::stage::{Stage, repository};

/// The longest that a scene may wait for something; most wait ten seconds.
pub const SCENE: Duration = Duration::from_secs(120);

/// Runs kubectl and prints the command and what it answered.
pub fn show(stage: &Stage, arguments: &[&str]) -> Result<String> {
    let quoted = arguments
        .iter()
        .map(|word| if word.contains([' ', '"', '{', '[', '*']) { format!("'{word}'") } else { (*word).to_owned() });
    let root = format!("{}/", repository().display());
    say(&format!("$ kubectl {}", quoted.collect::<Vec<_>>().join(" ").replace(&root, "")));
    let answer = ask(stage, arguments)?;
    say(answer.trim_end());
    Ok(answer)
}

/// `what` is a kind and a name, as kubectl has them: `asfleet/office`.
pub fn show_conditions(stage: &Stage, what: &str) -> Result<()> {
    let path = r#"jsonpath={range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\n"}{end}"#;
    show(stage, &["get", what, "-o", path]).map(|_| ())
}

pub fn ask(stage: &Stage, arguments: &[&str]) -> Result<String> {
    let output = stage.kubectl(arguments).output().context("run kubectl")?;
    if !output.status.success() {
        bail!("kubectl {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// Waits until `so` while `kubectl get KIND --watch` runs, and prints its lines; not those that differ from the object's
/// line before in nothing but the age.
pub fn watch(stage: &Stage, kind: &str, what: &str, mut so: impl FnMut() -> Result<bool>) -> Result<()> {
    say(&format!("$ kubectl get {kind} --watch"));
    let command = stage.kubectl(&["get", kind, "--watch"]);
    let watching = Daemon::spawn_in(stage.control_plane.folder(), "kubectl-watch", command)?;
    let mut printed = 0;
    let mut rows: BTreeMap<String, String> = BTreeMap::new();
    let mut print_new = || {
        let log = watching.log();
        // A line without its end is still being written.
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        for line in whole.lines().skip(printed) {
            printed += 1;
            let (row, _age) = line.trim_end().rsplit_once(' ').unwrap_or((line, ""));
            let name = row.split_whitespace().next().unwrap_or_default();
            if rows.insert(name.to_owned(), row.trim_end().to_owned()).as_deref() != Some(row.trim_end()) {
                say(line);
            }
        }
    };
    let done = until(what, || {
        print_new();
        so()
    });
    // The watch may be a moment behind what was asked for.
    std::thread::sleep(Duration::from_millis(300));
    print_new();
    done
}

/// Waits until `so`, at most [`SCENE`].
pub fn until(what: &str, so: impl FnMut() -> Result<bool>) -> Result<()> {
    until_within(SCENE, what, so)
}

/// Waits until `so`, at most that long.
pub fn until_within(bound: Duration, what: &str, mut so: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + bound;
    while !so()? {
        ensure!(Instant::now() < end, "not in {bound:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// All objects of these kinds, by their short names with commas between.
pub fn objects(stage: &Stage, kinds: &str) -> Result<Vec<Value>> {
    let mut list: Value = serde_json::from_str(&ask(stage, &["get", kinds, "-o", "json"])?)?;
    match list["items"].take() {
        Value::Array(items) => Ok(items),
        other => bail!("kubectl answered no list of {kinds}: {other}"),
    }
}

/// The object of that kind and name, such as `asfleet/office`, if there is one.
pub fn find(stage: &Stage, what: &str) -> Result<Option<Value>> {
    let (kind, name) = what.split_once('/').context("a kind and a name")?;
    Ok(objects(stage, kind)?.into_iter().find(|object| text(object, "/metadata/name") == name))
}

pub fn object(stage: &Stage, what: &str) -> Result<Value> {
    find(stage, what)?.with_context(|| format!("find the object {what}"))
}

/// Status, reason and message of a condition; empty when there is none of this type.
pub fn condition(object: &Value, kind: &str) -> (String, String, String) {
    let all = object.pointer("/status/conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let found = all.iter().find(|condition| text(condition, "/type") == kind).cloned().unwrap_or_default();
    // A condition of an older generation says nothing about this spec.
    let current = found.get("observedGeneration") == object.pointer("/metadata/generation");
    if current {
        (text(&found, "/status"), text(&found, "/reason"), text(&found, "/message"))
    } else {
        Default::default()
    }
}

/// The resource's name in AWS: `spec.name`, else the object's.
pub fn name_in_aws(object: &Value) -> String {
    let name = text(object, "/spec/name");
    if name.is_empty() { text(object, "/metadata/name") } else { name }
}

pub fn aws_name(stage: &Stage, what: &str) -> Result<String> {
    Ok(name_in_aws(&object(stage, what)?))
}

/// The fleet of this name, as AWS describes it.
pub fn in_aws(stage: &Stage, aws_name: &str) -> Result<Value> {
    stage.simulator.fleet(aws_name)?.with_context(|| format!("find the fleet {aws_name} in AWS"))
}

/// The operator's writes for the fleet of this name from the request with number `since` on, in order.
pub fn sent(stage: &Stage, aws_name: &str, since: usize) -> Result<Vec<String>> {
    let ours = stage.simulator.audit(since)?.into_iter().filter(|entry| {
        let by_operator = text(entry, "/access_key") == ACCESS_KEY;
        let resource = text(entry, "/resource");
        by_operator && entry["mutating"] == true && resource.rsplit('/').next() == Some(aws_name)
    });
    Ok(ours.map(|entry| text(&entry, "/operation")).collect())
}

pub fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub fn heading(line: &str) {
    say(&format!("\n== {line}"));
}

pub fn say(line: &str) {
    println!("{line}");
}
