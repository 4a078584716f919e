//! Kubeconfigs as values: one cluster, one user, one context, everything inside.

use anyhow::{Context as _, Result};
use k8s_openapi::ByteString;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use crate::certs::Identity;

/// A kubeconfig for a user who shows a client certificate.
pub(crate) fn with_certificate(
    url: &str,
    authority: &str,
    identity: &Identity,
) -> Result<Kubeconfig> {
    let user = json!({
        "client-certificate-data": base64(&identity.certificate),
        "client-key-data": base64(&identity.key),
    });
    with_user(url, authority, &user)
}

/// A kubeconfig for whoever the bearer token says.
pub(crate) fn with_token(url: &str, authority: &str, token: &str) -> Result<Kubeconfig> {
    with_user(url, authority, &json!({ "token": token }))
}

/// A client for a kubeconfig, with connections of its own.
pub(crate) async fn client(kubeconfig: Kubeconfig) -> Result<kube::Client> {
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .context("read the kubeconfig")?;
    kube::Client::try_from(config).context("make a client from the kubeconfig")
}

fn with_user(url: &str, authority: &str, user: &Value) -> Result<Kubeconfig> {
    serde_json::from_value(json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "testbed",
            "cluster": { "server": url, "certificate-authority-data": base64(authority) },
        }],
        "users": [{ "name": "testbed", "user": user }],
        "contexts": [{ "name": "testbed", "context": { "cluster": "testbed", "user": "testbed" } }],
        "current-context": "testbed",
    }))
    .context("compose a kubeconfig")
}

/// Kubernetes writes bytes as base64 in JSON, and `ByteString` does so.
fn base64(text: &str) -> Value {
    json!(ByteString(text.as_bytes().to_vec()))
}
