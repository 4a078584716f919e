//! Bad manifests are refused at apply, each with a sentence that says what is wrong, by a real API server; good ones are
//! taken and come back as they went.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access_grant;
mod account;
mod bounds;
mod examples;
mod fleet;
mod good;
mod image_builder;
mod instance;
mod rules;
mod stack;
mod updates;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;
use testbed::ControlPlane;
use tokio::sync::OnceCell;

/// An API server that serves the definitions in `crds/`, and a namespace of one's own in it.
struct Cluster {
    client: kube::Client,
    namespace: String,
    control_plane: &'static ControlPlane,
}

impl Cluster {
    async fn with(prefix: &str) -> Self {
        static DEFINITIONS: OnceCell<()> = OnceCell::const_new();
        let control_plane = ControlPlane::shared().await;
        DEFINITIONS.get_or_init(|| async { control_plane.apply_crds(folder("crds")).await.unwrap() }).await;
        let client = control_plane.admin_client().await;
        Self { client, namespace: control_plane.namespace(prefix).await, control_plane }
    }

    /// Creates the object, or only asks whether it could be.
    async fn create(&self, manifest: &Value, dry_run: bool) -> Result<Value, String> {
        let dry_run = if dry_run { "&dryRun=All" } else { "" };
        let path = format!("{}?fieldValidation=Strict{dry_run}", self.path(manifest));
        let mut named = manifest.clone();
        named["metadata"]["name"] = self.name(manifest).into();
        self.request("POST", &path, "application/json", &named).await
    }

    /// Asks whether an object that was made from a manifest could be changed by this merge patch.
    async fn could_change(&self, manifest: &Value, patch: &Value) -> Result<Value, String> {
        let path = format!("{}?fieldValidation=Strict&dryRun=All", self.path_of(manifest));
        self.request("PATCH", &path, "application/merge-patch+json", patch).await
    }

    /// Sends a request; a refusal is the API server's message.
    async fn request(&self, method: &str, path: &str, content: &str, body: &Value) -> Result<Value, String> {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content)
            .body(serde_json::to_vec(body).unwrap())
            .unwrap();
        match self.client.request::<Value>(request).await {
            Ok(answer) => Ok(answer),
            Err(kube::Error::Api(status)) => Err(status.message),
            Err(other) => panic!("{method} {path}: {other}"),
        }
    }

    /// The path of a manifest's kind.
    fn path(&self, manifest: &Value) -> String {
        let names = &definition(manifest["kind"].as_str().unwrap()).spec.names;
        let version = manifest["apiVersion"].as_str().unwrap();
        match has_a_namespace(manifest) {
            true => format!("/apis/{version}/namespaces/{}/{}", self.namespace, names.plural),
            false => format!("/apis/{version}/{}", names.plural),
        }
    }

    /// The name of a manifest's object: what has no namespace shares its names with the tests beside this one.
    fn name(&self, manifest: &Value) -> String {
        let name = manifest["metadata"]["name"].as_str().unwrap();
        match has_a_namespace(manifest) {
            true => name.to_owned(),
            false => format!("{}-{name}", self.namespace),
        }
    }

    /// The path of a manifest's object.
    fn path_of(&self, manifest: &Value) -> String {
        format!("{}/{}", self.path(manifest), self.name(manifest))
    }
}

fn has_a_namespace(manifest: &Value) -> bool {
    definition(manifest["kind"].as_str().unwrap()).spec.scope == "Namespaced"
}

/// A folder of this repository.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A good manifest: what it is called here, and its text. The first of a kind is the smallest; together they have every
/// field.
#[derive(Clone, Copy)]
struct Good(&'static str, &'static str);

impl Good {
    /// The manifest, changed by a merge patch in YAML.
    fn but(self, patch: &str) -> Value {
        let mut manifest: Value = serde_yaml::from_str(self.1).unwrap();
        merge(&mut manifest, &serde_yaml::from_str(patch).unwrap());
        manifest
    }
}

impl fmt::Debug for Good {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A good manifest, what is changed in it, and what the API server says of it.
type Wrong = (Good, &'static str, &'static str);

/// A good manifest, its own change before it is created, the later change, and what the API server says of that; an empty
/// sentence means that it is taken.
type Change = (Good, &'static str, &'static str, &'static str);

/// Everything that is tried of one kind.
struct Tried {
    kind: &'static str,
    /// The first is the smallest; together they have every field.
    good: &'static [Good],
    /// Fields of the spec that have a value when they are left out.
    defaults: &'static [(&'static str, &'static str)],
    bounds: fn() -> Vec<bounds::Bound>,
    wrong: &'static [Wrong],
    changes: &'static [Change],
    /// A status with everything in it.
    status: fn() -> Value,
    /// What `kubectl get` shows.
    columns: &'static [&'static str],
}

/// Every kind.
const KINDS: [&Tried; 6] =
    [&fleet::TRIED, &stack::TRIED, &image_builder::TRIED, &instance::TRIED, &access_grant::TRIED, &account::TRIED];

/// The definition of a kind.
fn definition(kind: &str) -> &'static CustomResourceDefinition {
    static ALL: LazyLock<Vec<CustomResourceDefinition>> = LazyLock::new(windlass::crds::all);
    ALL.iter().find(|definition| definition.spec.names.kind == kind).unwrap()
}

/// The schema of a kind, as JSON.
fn schema(kind: &str) -> Value {
    serde_json::to_value(&definition(kind).spec.versions[0].schema).unwrap()["openAPIV3Schema"].clone()
}

#[test]
fn every_kind_is_tried() {
    let tried: Vec<&str> = KINDS.iter().map(|tried| tried.kind).collect();
    let there: Vec<String> = windlass::crds::all().into_iter().map(|definition| definition.spec.names.kind).collect();
    assert_eq!(tried, there);
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = serde_json::json!({});
    }
    let target = target.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
