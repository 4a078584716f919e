//! The scene of an Instance that AWS's catalogue does not allow: refused before anything is created, with what would fit.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::stage::Stage;

use super::tell::{condition, heading, object, show, show_conditions, text, until, watch};

const INSTANCE: &str = "lsinstance/desktop";

/// A Windows machine on a bundle for Linux: nothing is created; with a bundle of those that were named, it is.
pub fn refuse_and_mend(stage: &Stage) -> Result<()> {
    heading(
        "2. A Windows instance on a bundle for Linux: refused before anything is created, with the bundles that fit",
    );
    let manifest = json!({
        "apiVersion": "lightsail.windlass.dev/v1alpha1",
        "kind": "Instance",
        "metadata": { "name": "desktop" },
        "spec": { "availabilityZone": "us-east-1a", "blueprintId": "windows_server_2022", "bundleId": "nano_3_0" },
    });
    let file = stage.control_plane.folder().path().join("desktop.json");
    std::fs::write(&file, manifest.to_string())?;
    show(stage, &["apply", "-f", &file.display().to_string()])?;
    until("the object is Stalled and names what would fit", || {
        let (stalled, reason, words) = condition(&object(stage, INSTANCE)?, "Stalled");
        Ok(stalled == "True" && reason == "CatalogueMismatch" && words.contains("_win_"))
    })?;
    show_conditions(stage, INSTANCE)?;
    let made = stage.simulator.lightsail("GetInstance", &json!({ "instanceName": "desktop" }));
    ensure!(made.is_err(), "it was created all the same");
    let (_, _, words) = condition(&object(stage, INSTANCE)?, "Stalled");
    let fits = words.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').find(|word| word.contains("_win_"));
    let patch = json!({ "spec": { "bundleId": fits } }).to_string();
    show(stage, &["patch", INSTANCE, "--type=merge", "-p", &patch])?;
    watch(stage, "lsinstance", "the instance runs", || {
        let desktop = object(stage, INSTANCE)?;
        Ok(condition(&desktop, "Ready").0 == "True" && !text(&desktop, "/status/publicIpAddress").is_empty())
    })?;
    show(stage, &["delete", INSTANCE, "--wait=false"])?;
    Ok(())
}
