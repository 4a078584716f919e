//! What tests of grants have in common: a control plane whose default Account allows every grant, the Secrets, the machines.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use testbed::simulator::Simulator;
use testbed::{ControlPlane, Options};
use tokio::sync::OnceCell;

use crate::stage::{self, GRANT, Stage, apply, ask, repository};

/// What an Account allows whose namespaces may ask for every grant.
pub fn every_grant() -> Value {
    json!({
        "targets": ["LightsailInstance", "GameLiftInstance", "GameLiftCompute"], "unmanaged": true, "maxDuration": "8h",
    })
}

/// The control plane of this test binary.
pub async fn control_plane() -> &'static ControlPlane {
    static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
    let start = || async {
        let options = Options { controller_manager: true, audit_log: true };
        let started = tokio::task::spawn_blocking(move || ControlPlane::start(options)).await.unwrap().unwrap();
        started.apply_crds(repository().join("crds")).await.unwrap();
        let admin = started.admin_client().await;
        apply(&admin, include_str!("../rbac/cluster.yaml")).await;
        let account = json!({
            "apiVersion": "aws.windlass.dev/v1alpha1", "kind": "Account", "metadata": { "name": "all" },
            "spec": { "default": true, "namespaces": { "selector": {} }, "allow": { "grants": every_grant() } },
        });
        ask(&admin, "POST", "/apis/aws.windlass.dev/v1alpha1/accounts", Some(&account)).await.unwrap();
        started
    };
    SHARED.get_or_init(start).await
}

/// A stage whose operator may keep Secrets, and an AWS of its own.
pub async fn stage(prefix: &str, flags: &[&str]) -> Stage {
    let control_plane = control_plane().await;
    let program = Path::new(env!("CARGO_BIN_EXE_windlass")).with_file_name("windlass-simulator");
    assert!(program.is_file(), "{} is not built: run cargo build --workspace", program.display());
    let aws = Arc::new(Simulator::start(control_plane.folder(), &program, flags).unwrap());
    let stage = Stage::on(control_plane, prefix, aws).await;
    apply(&stage.admin, &include_str!("../rbac/secrets.yaml").replace("NAMESPACE", &stage.namespace)).await;
    stage
}

pub fn secrets(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/secrets")
}

pub async fn secret(stage: &Stage, name: &str) -> Option<Value> {
    match ask(&stage.admin, "GET", &format!("{}/{name}", secrets(&stage.namespace)), None).await {
        Ok(secret) => Some(secret),
        Err(kube::Error::Api(status)) if status.code == 404 => None,
        Err(error) => panic!("reading Secret {name}: {error}"),
    }
}

pub fn file(secret: &Value, name: &str) -> String {
    let bytes = STANDARD.decode(secret["data"][name].as_str().unwrap_or_default()).unwrap();
    String::from_utf8(bytes).unwrap()
}

pub async fn until_secret(stage: &Stage, name: &str, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + stage::SOON;
    loop {
        let found = secret(stage, name).await;
        if let Some(found) = found.as_ref().filter(|found| so(found)) {
            return found.clone();
        }
        let grants = stage.of(&GRANT).all().await;
        assert!(Instant::now() < end, "waited in vain for Secret {name}: {what}: {grants:#?}");
        tokio::time::sleep(stage.poll).await;
    }
}
