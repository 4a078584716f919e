//! Installing CustomResourceDefinitions and waiting until they are served.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use serde_json::Value;

/// The API server serves a new definition within a second or two; loaded machines take longer.
const SERVED_WITHIN: Duration = Duration::from_secs(30);

/// Applies every `*.yaml` of `folder` and returns when each of its resources can be listed.
pub(crate) async fn apply(client: kube::Client, folder: &Path) -> Result<()> {
    let definitions = read(folder)?;
    ensure!(
        !definitions.is_empty(),
        "no CustomResourceDefinition in {}",
        folder.display()
    );
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    for definition in &definitions {
        let name = definition
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .context("a definition without a name")?;
        let params = PatchParams::apply("testbed").force();
        api.patch(name, &params, &Patch::Apply(definition))
            .await
            .with_context(|| format!("apply {name}"))?;
    }
    let end = Instant::now() + SERVED_WITHIN;
    for definition in &definitions {
        for path in served_paths(definition) {
            while let Err(error) = list(&client, &path).await {
                if Instant::now() >= end {
                    bail!(
                        "{path} is not served {SERVED_WITHIN:?} after its definition was applied: {error:#}"
                    );
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        }
    }
    Ok(())
}

async fn list(client: &kube::Client, path: &str) -> Result<()> {
    let request = http::Request::get(format!("{path}?limit=1")).body(Vec::new())?;
    client.request::<Value>(request).await?;
    Ok(())
}

fn served_paths(definition: &Value) -> Vec<String> {
    let text = |pointer: &str| {
        definition
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let versions = definition
        .pointer("/spec/versions")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let served = versions
        .iter()
        .filter(|version| version.get("served") == Some(&Value::Bool(true)));
    served
        .filter_map(|version| version.get("name").and_then(Value::as_str))
        .map(|version| {
            format!(
                "/apis/{}/{version}/{}",
                text("/spec/group"),
                text("/spec/names/plural")
            )
        })
        .collect()
}

fn read(folder: &Path) -> Result<Vec<Value>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("read the folder {}", folder.display()))?;
    let mut paths: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    paths.sort();
    let mut definitions = Vec::new();
    for path in paths {
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        for document in serde_yaml::Deserializer::from_str(&text) {
            let value: Value = serde::Deserialize::deserialize(document)
                .with_context(|| format!("parse {}", path.display()))?;
            if value.get("kind").and_then(Value::as_str) == Some("CustomResourceDefinition") {
                definitions.push(value);
            }
        }
    }
    Ok(definitions)
}
