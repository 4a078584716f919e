//! A world judged from inside the crate: raw requests, time, people and violations.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod builders;
mod fleets;
mod judged;
mod junk;
mod places;

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::{Value as Json, json};

use crate::wire::{Reply, answer};
use crate::{
    AuthenticationType, BuilderState, Capacity, Fault, FaultEffect, FleetState, FleetView, InstanceSeed, Quotas, Rule,
    RunningRule, Settings, World, credentials,
};

const MINUTE: Duration = Duration::from_secs(60);

fn request(key: &str, operation: &str, body: &str) -> Request<Bytes> {
    request_to("appstream", "PhotonAdminProxyService", key, operation, body)
}

fn request_to(service: &str, shape: &str, key: &str, operation: &str, body: &str) -> Request<Bytes> {
    let scope = format!("{key}/20260101/us-east-1/{service}/aws4_request");
    Request::post("http://aws/")
        .header("x-amz-target", format!("{shape}.{operation}"))
        .header("authorization", format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"))
        .body(Bytes::from(body.to_owned()))
        .unwrap()
}

async fn send(world: &World, request: Request<Bytes>) -> (u16, Json) {
    match answer(world, request).await {
        Reply::Answer(response) => {
            (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or(Json::Null))
        }
        Reply::Cut | Reply::Half(_) => (0, Json::Null),
    }
}

/// The answer, or the code of the error.
async fn call(world: &World, operation: &str, input: Json) -> Result<Json, String> {
    call_as(world, &credentials("123456789012").0, operation, input).await
}

async fn call_as(world: &World, key: &str, operation: &str, input: Json) -> Result<Json, String> {
    match send(world, request(key, operation, &input.to_string())).await {
        (200, answer) => Ok(answer),
        (_, error) => Err(error["__type"].as_str().unwrap_or("none").to_owned()),
    }
}

fn fleet_named(name: &str, uid: &str) -> Json {
    json!({
        "Name": name,
        "InstanceType": "stream.standard.medium",
        "FleetType": "ON_DEMAND",
        "ImageName": "windlass-demo-v1",
        "ComputeCapacity": {"DesiredInstances": 2},
        "Tags": {"windlass.dev/cluster": "c1", "windlass.dev/uid": uid},
    })
}

fn look(world: &World, name: &str) -> FleetView {
    world.fleet("123456789012", "us-east-1", name).unwrap()
}

fn counts(world: &World) -> (i64, i64, i64, i64) {
    let Capacity { desired, running, in_use, available, .. } = look(world, "f").capacity;
    (desired, running.unwrap(), in_use.unwrap(), available.unwrap())
}

fn rules(world: &World) -> Vec<Rule> {
    world.violations().into_iter().map(|violation| violation.rule).collect()
}

/// A RUNNING fleet `f` with two instances, associated with the stack `desk`.
async fn running(settings: Settings) -> World {
    let world = World::new(settings);
    call(&world, "CreateFleet", fleet_named("f", "u")).await.unwrap();
    call(&world, "StartFleet", json!({"Name": "f"})).await.unwrap();
    world.advance(12 * MINUTE);
    world.associate("f", "desk");
    world
}

async fn scale(world: &World, instances: i64) {
    let input = json!({"Name": "f", "ComputeCapacity": {"DesiredInstances": instances}});
    call(world, "UpdateFleet", input).await.unwrap();
}

fn builder_named(name: &str, uid: &str) -> Json {
    json!({
        "Name": name,
        "InstanceType": "stream.standard.medium",
        "ImageName": "windlass-demo-v1",
        "Tags": {"windlass.dev/cluster": "c1", "windlass.dev/uid": uid},
    })
}

async fn builder_state(world: &World) -> String {
    let described = call(world, "DescribeImageBuilders", json!({"Names": ["b"]})).await.unwrap();
    described["ImageBuilders"][0]["State"].as_str().unwrap().to_owned()
}
