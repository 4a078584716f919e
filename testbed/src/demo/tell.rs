//! What the scenes are told with: kubectl's own output, the objects, and AWS's side of them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::stage::{Stage, repository};

/// The longest that a scene may wait for something; most wait ten seconds.
pub const SCENE: Duration = Duration::from_secs(120);

/// Runs kubectl and prints the command and what it answered.
pub fn show(stage: &Stage, arguments: &[&str]) -> Result<String> {
    let quoted = arguments.iter().map(|word| {
        if word.contains([' ', '"', '{', '[', '*']) {
            format!("'{word}'")
        } else {
            (*word).to_owned()
        }
    });
    let root = format!("{}/", repository().display());
    say(&format!(
        "$ kubectl {}",
        quoted.collect::<Vec<_>>().join(" ").replace(&root, "")
    ));
    let answer = ask(stage, arguments)?;
    say(answer.trim_end());
    Ok(answer)
}

pub fn show_conditions(stage: &Stage, fleet: &str) -> Result<()> {
    let path = r#"jsonpath={range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\n"}{end}"#;
    show(stage, &["get", "asfleet", fleet, "-o", path]).map(|_| ())
}

pub fn ask(stage: &Stage, arguments: &[&str]) -> Result<String> {
    let output = stage.kubectl(arguments).output().context("run kubectl")?;
    if !output.status.success() {
        bail!(
            "kubectl {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let said = if output.stdout.is_empty() {
        output.stderr
    } else {
        output.stdout
    };
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// Waits until `so`, printing `kubectl get asfleet` each time that one of its columns has moved.
pub fn watch(stage: &Stage, what: &str, mut so: impl FnMut() -> Result<bool>) -> Result<()> {
    say("$ kubectl get asfleet --watch");
    let mut shown: Vec<Vec<String>> = Vec::new();
    let mut show_moved = || -> Result<()> {
        let table = ask(stage, &["get", "asfleet"])?;
        for (number, line) in table.lines().enumerate() {
            let mut columns: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            // The age moves all the time.
            columns.pop();
            let is_new = !shown.contains(&columns);
            if is_new {
                shown.retain(|row| number == 0 || row.first() != columns.first());
                shown.push(columns);
                say(line);
            }
        }
        Ok(())
    };
    let done = until(what, || {
        show_moved()?;
        so()
    });
    show_moved()?;
    done
}

/// Waits until `so`, at most [`SCENE`].
pub fn until(what: &str, mut so: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + SCENE;
    while !so()? {
        ensure!(Instant::now() < end, "not in {SCENE:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

pub fn objects(stage: &Stage) -> Result<Vec<Value>> {
    let mut list: Value = serde_json::from_str(&ask(stage, &["get", "asfleet", "-o", "json"])?)?;
    match list["items"].take() {
        Value::Array(items) => Ok(items),
        other => bail!("kubectl answered no list of fleets: {other}"),
    }
}

pub fn find(stage: &Stage, name: &str) -> Result<Option<Value>> {
    Ok(objects(stage)?
        .into_iter()
        .find(|fleet| text(fleet, "/metadata/name") == name))
}

pub fn object(stage: &Stage, name: &str) -> Result<Value> {
    find(stage, name)?.with_context(|| format!("find the object {name}"))
}

/// Status, reason and message of a condition; empty when there is none of this type.
pub fn condition(object: &Value, kind: &str) -> (String, String, String) {
    let all = object
        .pointer("/status/conditions")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let found = all
        .iter()
        .find(|condition| text(condition, "/type") == kind)
        .cloned()
        .unwrap_or_default();
    // A condition of an older generation says nothing about this spec.
    let current = found.get("observedGeneration") == object.pointer("/metadata/generation");
    if current {
        (
            text(&found, "/status"),
            text(&found, "/reason"),
            text(&found, "/message"),
        )
    } else {
        Default::default()
    }
}

pub fn pending(stage: &Stage, fleet: &str) -> Result<String> {
    Ok(object(stage, fleet)?
        .pointer("/status/pendingChanges")
        .map(Value::to_string)
        .unwrap_or_default())
}

/// The fleet's name in AWS: `spec.name`, else the object's.
pub fn aws_name(stage: &Stage, fleet: &str) -> Result<String> {
    let object = object(stage, fleet)?;
    let name = object.pointer("/spec/name").and_then(Value::as_str);
    Ok(name.unwrap_or(fleet).to_owned())
}

pub fn in_aws(stage: &Stage, fleet: &str) -> Result<Value> {
    let name = aws_name(stage, fleet)?;
    stage
        .simulator
        .fleet(&name)?
        .with_context(|| format!("find the fleet {name} in AWS"))
}

/// The operator's writes for this fleet since the audit log had `before` entries, in order.
pub fn sent(stage: &Stage, fleet: &str, before: usize) -> Result<Vec<String>> {
    let name = aws_name(stage, fleet)?;
    let entries = stage.simulator.audit()?.into_iter().skip(before);
    let ours = entries.filter(|entry| {
        let by_operator = text(entry, "/access_key") == crate::simulator::ACCESS_KEY;
        by_operator && entry["mutating"] == true && text(entry, "/resource").ends_with(&name)
    });
    Ok(ours.map(|entry| text(&entry, "/operation")).collect())
}

pub fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

pub fn heading(line: &str) {
    say(&format!("\n== {line}"));
}

pub fn say(line: &str) {
    println!("{line}");
}
