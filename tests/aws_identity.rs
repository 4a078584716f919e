//! Where the operator's credentials may come from: each source is tried by a process of its own, since a process has but
//! one environment, against the simulator over HTTP.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use axum::Json;
use axum::routing::{get, put};
use jiff::Timestamp;
use serde_json::json;
use simulator::{Fault, FaultEffect, Settings, World};

use windlass::aws::accounts::Accounts;
use windlass::aws::gate::{Gate, Limits, Unobserved};
use windlass::plan::account::Wish;

/// Says who it is. Run by the other tests in a process of its own.
#[tokio::test]
#[ignore = "the other tests of this file run it"]
async fn child() {
    let gate = Arc::new(Gate::new(Limits::default(), Arc::new(Unobserved)));
    let accounts = Accounts::from_environment("cluster-1".to_owned(), None, gate, Arc::new(Timestamp::now)).await;
    match accounts.resolve(&Wish { kind: "Fleet", namespace: "team-a", account: None, region: None }).await {
        Ok(scope) => println!("is {} {} {}", scope.partition, scope.account, scope.region),
        Err(error) => println!("is nobody: {error}"),
    }
}

/// What the child says with this environment.
async fn who(variables: &[(&str, &str)]) -> String {
    let output: Output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("HOME", "/nonexistent")
        .envs(variables.iter().copied())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().find_map(|line| line.split_once("is ").map(|(_, who)| who.to_owned())).unwrap_or(said)
}

/// The simulator over HTTP.
async fn simulator(world: World) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(simulator::serve(world, listener));
    url
}

/// The credentials endpoints of a container and of an instance.
async fn machine() -> String {
    let credentials = |account: &str| {
        let (id, secret) = simulator::credentials(account);
        let expires = Timestamp::now() + std::time::Duration::from_secs(3600);
        Json(json!({
            "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": Timestamp::now().to_string(),
            "AccessKeyId": id, "SecretAccessKey": secret, "Token": "token", "Expiration": expires.to_string(),
        }))
    };
    let roles = "/latest/meta-data/iam/security-credentials";
    let extended = "/latest/meta-data/iam/security-credentials-extended";
    let router = axum::Router::new()
        .route("/pod", get(move || async move { credentials("444444444444") }))
        .route("/latest/api/token", put(|| async { ([("x-aws-ec2-metadata-token-ttl-seconds", "21600")], "token") }))
        .route(&format!("{roles}/"), get(|| async { "node" }))
        .route(&format!("{roles}/node"), get(move || async move { credentials("555555555555") }))
        .route(&format!("{extended}/"), get(|| async { "node" }))
        .route(&format!("{extended}/node"), get(move || async move { credentials("555555555555") }))
        .route("/latest/meta-data/placement/region", get(|| async { "eu-west-1" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn written<'a>(path: &'a Path, text: &str) -> &'a str {
    std::fs::write(path, text).unwrap();
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_source_of_credentials_works_in_this_build() {
    let (aws, machine) = (simulator(World::new(Settings::default())).await, machine().await);
    let folder = tempfile::tempdir().unwrap();
    let at = [("AWS_ENDPOINT_URL", aws.as_str()), ("AWS_REGION", "eu-central-1")];
    let with = |more: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        at.iter().chain(more).map(|(key, value)| (*key, (*value).to_owned())).collect()
    };
    let asked = async |variables: Vec<(&'static str, String)>| {
        let variables: Vec<(&str, &str)> = variables.iter().map(|(key, value)| (*key, value.as_str())).collect();
        who(&variables).await
    };

    let (id, secret) = simulator::credentials("111111111111");
    let from_variables = with(&[("AWS_ACCESS_KEY_ID", id.as_str()), ("AWS_SECRET_ACCESS_KEY", secret.as_str())]);
    assert_eq!(asked(from_variables).await, "aws 111111111111 eu-central-1");

    let (id, secret) = simulator::credentials("222222222222");
    let profile = format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    let path = folder.path().join("credentials");
    let from_profile = with(&[("AWS_SHARED_CREDENTIALS_FILE", written(&path, &profile))]);
    assert_eq!(asked(from_profile).await, "aws 222222222222 eu-central-1");

    let path = folder.path().join("token");
    let from_web_identity = with(&[
        ("AWS_WEB_IDENTITY_TOKEN_FILE", written(&path, "header.payload.signature")),
        ("AWS_ROLE_ARN", "arn:aws:iam::333333333333:role/windlass"),
        ("AWS_ROLE_SESSION_NAME", "windlass"),
    ]);
    assert_eq!(asked(from_web_identity).await, "aws 333333333333 eu-central-1");

    let pod = format!("{machine}/pod");
    let from_container = with(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", pod.as_str())]);
    assert_eq!(asked(from_container).await, "aws 444444444444 eu-central-1");

    // The instance also says which Region it is in.
    let from_instance = vec![
        ("AWS_ENDPOINT_URL", aws.clone()),
        ("AWS_EC2_METADATA_DISABLED", "false".to_owned()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", machine.clone()),
    ];
    assert_eq!(asked(from_instance).await, "aws 555555555555 eu-west-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_said() {
    let world = World::new(Settings::default());
    let aws = simulator(world.clone()).await;
    let nobody = who(&[("AWS_ENDPOINT_URL", &aws), ("AWS_REGION", "eu-central-1")]).await;
    assert_eq!(
        nobody,
        "nobody: GetCallerIdentity: NoCredentials: no AWS credentials were found in the environment, the profile, a web \
         identity, the container or the instance"
    );
    world.script(Fault::every(
        "AssumeRoleWithWebIdentity",
        FaultEffect::Coded {
            code: "AccessDenied".to_owned(),
            message: "Not authorized to perform sts:AssumeRoleWithWebIdentity".to_owned(),
            status: 403,
        },
    ));
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    let distrusted = [
        ("AWS_ENDPOINT_URL", aws.as_str()),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", written(&token, "token-canary")),
        ("AWS_ROLE_ARN", "arn:aws:iam::333333333333:role/windlass"),
    ];
    assert_eq!(
        who(&distrusted).await,
        "nobody: GetCallerIdentity: AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
    );
    let (id, secret) = simulator::credentials("111111111111");
    let keys = [("AWS_ACCESS_KEY_ID", id.as_str()), ("AWS_SECRET_ACCESS_KEY", secret.as_str())];
    assert_eq!(
        who(&keys).await,
        "nobody: no AWS Region is known: set `region`, or start the operator with --region or AWS_REGION"
    );
    let closed = [("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_REGION", "eu-central-1"), keys[0], keys[1]];
    let unreachable = who(&closed).await;
    assert!(unreachable.starts_with("nobody: GetCallerIdentity: NoConnection: "), "{unreachable}");
    assert!(unreachable.contains("Connection refused"), "{unreachable}");
}
