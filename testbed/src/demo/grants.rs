//! The scenes of access that ends: a login with the files of a grant's Secret, its renewal and its end; GameLift, and a
//! namespace that its Account refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use testbed::{Sshd, SshdOptions};

use crate::stage::{Stage, repository};

use super::tell::{
    ask, aws_name, condition, find, heading, object, say, show, show_conditions, text, until, until_within,
};

/// The Instance of the examples that is logged in to.
const INSTANCE: &str = "lsinstance/web";
const GRANT: &str = "grant/fix-the-disk";
/// Its name, and that of its Secret.
const NAME: &str = "fix-the-disk";
/// The shortest that a grant may last.
const SHORTEST: Duration = Duration::from_secs(60);

/// How long the simulated AWS's certificates live in the demo: long enough for a login, short enough to see the renewal.
pub const CERT_TTL: &str = "40s";

/// A grant on an Instance: a login with the files of its Secret, the renewal, the early end.
pub fn log_in(stage: &Stage) -> Result<()> {
    heading("6. Access for a while: a grant's Secret has all that ssh needs, is renewed, and goes with the grant");
    let began = Instant::now();
    show(stage, &["apply", "-f", &example("accessgrant-ssh.yaml").display().to_string()])?;
    show(stage, &["wait", "--for=condition=Ready", GRANT, "--timeout=30s"])?;
    say(&format!("ready {:.1} s after kubectl was called", began.elapsed().as_secs_f64()));
    show(stage, &["get", GRANT])?;
    show(stage, &["describe", &format!("secret/{NAME}")])?;

    let instance = aws_name(stage, INSTANCE)?;
    let sshd = Sshd::start(
        stage.control_plane.folder(),
        &SshdOptions {
            authority: &stage.simulator.ssh_authority()?,
            host_keys: &stage.simulator.host_key_files(&instance)?,
            principal: &text(&object(stage, INSTANCE)?, "/status/username"),
        },
    )?;
    say(
        "(on this machine) an sshd with the instance's host keys stands for the instance: it takes AWS's certificates alone",
    );
    let folder = stage.control_plane.folder().path();
    let first = files(stage, NAME, &folder.join("first"))?;
    let (done, said) = ssh(&sshd, &first, NAME)?;
    ensure!(done, "the login failed: {said}\n{}", sshd.log());

    let expires = |stage: &Stage| Ok::<_, anyhow::Error>(text(&object(stage, GRANT)?, "/status/credentialExpiresAt"));
    let before = expires(stage)?;
    until_within(Duration::from_secs(60), "the certificate is renewed", || Ok(expires(stage)? != before))?;
    say(&format!(
        "the certificate would have expired at {before}; it was renewed and now lives until {}",
        expires(stage)?
    ));
    let second = files(stage, NAME, &folder.join("second"))?;
    let (done, said) = ssh(&sshd, &second, NAME)?;
    ensure!(done, "the login after the renewal failed: {said}\n{}", sshd.log());

    // A grant can only be made shorter. Its end is counted from its creation: shortened to less than has passed, it is over.
    std::thread::sleep((SHORTEST + Duration::from_secs(2)).saturating_sub(began.elapsed()));
    show(stage, &["patch", GRANT, "--type=merge", "-p", r#"{"spec":{"duration":"1m"}}"#])?;
    let shortened = Instant::now();
    until("the Secret is gone", || Ok(find(stage, &format!("secret/{NAME}"))?.is_none()))?;
    say(&format!("the Secret is gone {:.1} s later", shortened.elapsed().as_secs_f64()));
    until("the grant has ended", || Ok(condition(&object(stage, GRANT)?, "Ended").0 == "True"))?;
    show_conditions(stage, GRANT)?;
    show(stage, &["delete", GRANT])?;
    Ok(())
}

/// GameLift's machines need an Account that allows them; a namespace that it does not name gets nothing.
pub fn by_account(stage: &Stage) -> Result<()> {
    heading("8. An Account says which namespace may ask for what: GameLift for one, nothing for another");
    let account = json!({
        "apiVersion": "aws.windlass.dev/v1alpha1",
        "kind": "Account",
        "metadata": { "name": "games" },
        "spec": {
            "default": true,
            "namespaces": { "names": ["demo"] },
            "allow": { "grants": {
                "targets": ["GameLiftInstance", "GameLiftCompute"], "unmanaged": true, "maxDuration": "8h",
            } },
        },
    });
    apply(stage, &account)?;
    until("the Account is Ready", || Ok(condition(&object(stage, "awsacct/games")?, "Ready").0 == "True"))?;
    let servers = stage.simulator.put_game_fleet(&json!({ "kind": "EC2", "server_sdk": 4 }))?;
    let machine = stage.simulator.put_compute(&servers, &json!({}))?;
    let containers = stage.simulator.put_game_fleet(&json!({ "kind": "CONTAINER" }))?;
    let container = stage.simulator.put_compute(&containers, &json!({}))?;
    say(&format!("(in AWS) somebody has GameLift fleets: {servers} with {machine}, and {containers} with {container}"));
    say("the examples of both, with these ids");
    let mut on_machine = manifest("accessgrant-gamelift-instance.yaml")?;
    on_machine["spec"]["gameLiftInstance"] = json!({ "fleetId": servers, "instanceId": machine });
    apply(stage, &on_machine)?;
    let mut on_container = manifest("accessgrant-gamelift-compute.yaml")?;
    on_container["spec"]["gameLiftCompute"] = json!({ "fleetId": containers, "computeName": container });
    // It begins now, whatever day it is.
    on_container["spec"].as_object_mut().context("an example without a spec")?.remove("startsAt");
    apply(stage, &on_container)?;
    show(stage, &["wait", "--for=condition=Ready", "grant/game-server", "grant/game-container", "--timeout=30s"])?;
    show(stage, &["get", "grant"])?;
    show(stage, &["describe", "secret/game-server", "secret/game-container"])?;

    show(stage, &["create", "namespace", "elsewhere"])?;
    let before = stage.simulator.audit(0)?.len();
    on_machine["metadata"] = json!({ "name": "not-for-us", "namespace": "elsewhere" });
    apply(stage, &on_machine)?;
    let refused = || -> Result<Value> {
        let answer = ask(stage, &["get", "grant/not-for-us", "--namespace=elsewhere", "--output=json"])?;
        serde_json::from_str(&answer).context("parse the grant")
    };
    until("the grant is refused", || Ok(condition(&refused()?, "Stalled").1 == "NotAllowed"))?;
    say(&format!("in the other namespace: {}", condition(&refused()?, "Stalled").2));
    let asked = stage.simulator.audit(0)?.split_off(before);
    let asked: Vec<_> =
        asked.iter().filter(|entry| text(entry, "/operation").starts_with("GetInstanceAccess")).collect();
    ensure!(asked.is_empty(), "AWS was asked for it: {asked:#?}");
    show(stage, &["delete", "namespace/elsewhere", "--wait=false"])?;
    show(stage, &["delete", "grant", "--all", "--all-namespaces"])?;
    until("no Secret is left", || {
        let left =
            ask(stage, &["get", "secrets", "--selector=windlass.dev/grant-uid", "--all-namespaces", "--output=name"])?;
        Ok(!left.contains("secret/"))
    })?;
    show(stage, &["delete", "awsacct/games"])?;
    Ok(())
}

/// Writes what is in a Secret into a folder, each key as a file, as a person would.
fn files(stage: &Stage, secret: &str, folder: &Path) -> Result<PathBuf> {
    let secret = object(stage, &format!("secret/{secret}"))?;
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    for (key, value) in secret["data"].as_object().into_iter().flatten() {
        let value = BASE64.decode(value.as_str().unwrap_or_default()).with_context(|| format!("decode {key}"))?;
        let path = folder.join(key);
        fs::write(&path, value).with_context(|| format!("write {key}"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).with_context(|| format!("close {key}"))?;
    }
    Ok(folder.to_owned())
}

/// `ssh -F ssh_config GRANT` in that folder, but to the sshd on this machine.
fn ssh(sshd: &Sshd, folder: &Path, grant: &str) -> Result<(bool, String)> {
    let address = fs::read_to_string(folder.join("host")).context("read the host")?;
    say(&format!("$ ssh -F ssh_config {grant} echo logged in"));
    let mut arguments = vec!["-F".to_owned(), "ssh_config".to_owned()];
    arguments.extend(sshd.reach(address.trim()));
    arguments.extend([grant, "echo", "logged", "in"].map(str::to_owned));
    let (done, said) = testbed::ssh(folder, &arguments)?;
    let said = said.trim().to_owned();
    say(&said);
    Ok((done && said.contains("logged in"), said))
}

/// An example of a grant.
fn example(name: &str) -> PathBuf {
    repository().join("examples/access").join(name)
}

fn manifest(name: &str) -> Result<Value> {
    let path = example(name);
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    serde_yaml::from_str(&text).with_context(|| format!("parse {}", path.display()))
}

fn apply(stage: &Stage, manifest: &Value) -> Result<()> {
    let file = stage.control_plane.folder().path().join(format!("{}.json", text(manifest, "/metadata/name")));
    fs::write(&file, manifest.to_string()).context("write a manifest")?;
    show(stage, &["apply", "-f", &file.display().to_string()])?;
    Ok(())
}
