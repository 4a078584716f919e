//! Admin routes of instances, static IPs and the catalogue.

use axum::extract::{Path, State as Extract};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{found, refuse};
use crate::lightsail::people::InstanceSeed;
use crate::world::World;

/// The routes, relative to `/_sim`.
pub(super) fn routes() -> Router<World> {
    Router::new()
        .route("/instances", get(list_instances).post(put_instance))
        .route("/instances/{name}", get(show_instance))
        .route("/instances/{name}/host-keys", get(show_host_keys).post(change_host_keys))
        .route("/ssh-authority", get(ssh_authority))
        .route("/static-ips", get(list_static_ips))
        .route("/lightsail-names", post(put_lightsail_name))
        .route("/catalogue/{id}", delete(retire))
}

async fn list_instances(Extract(world): Extract<World>) -> Json<Value> {
    Json(json!({"instances": world.instances()}))
}

async fn show_instance(Extract(world): Extract<World>, Path(name): Path<String>) -> Response {
    match world.instances().into_iter().find(|instance| instance.name == name) {
        Some(instance) => Json(json!(instance)).into_response(),
        None => refuse(StatusCode::NOT_FOUND, "no such instance"),
    }
}

#[derive(Deserialize)]
struct NewInstance {
    name: String,
    blueprint: Option<String>,
    bundle: Option<String>,
    #[serde(default)]
    tags: std::collections::BTreeMap<String, String>,
}

async fn put_instance(Extract(world): Extract<World>, Json(new): Json<NewInstance>) -> Response {
    let usual = InstanceSeed::named(&new.name);
    let seed = InstanceSeed {
        blueprint_id: new.blueprint.unwrap_or(usual.blueprint_id),
        bundle_id: new.bundle.unwrap_or(usual.bundle_id),
        tags: new.tags,
        name: new.name,
    };
    match world.put_instance(&seed) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(denied) => refuse(StatusCode::CONFLICT, &denied.to_string()),
    }
}

async fn show_host_keys(Extract(world): Extract<World>, Path(name): Path<String>) -> Response {
    match world.host_keys(&name) {
        Some(keys) => Json(json!({"host_keys": keys})).into_response(),
        None => refuse(StatusCode::NOT_FOUND, "no such instance, or one without SSH"),
    }
}

async fn change_host_keys(Extract(world): Extract<World>, Path(name): Path<String>) -> Response {
    found(world.change_host_keys(&name))
}

async fn ssh_authority(Extract(world): Extract<World>) -> Response {
    match world.ssh_authority() {
        Ok(line) => Json(json!({"public_key": line})).into_response(),
        Err(denied) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &denied.to_string()),
    }
}

async fn list_static_ips(Extract(world): Extract<World>) -> Json<Value> {
    Json(json!({"static_ips": world.static_ips()}))
}

#[derive(Deserialize)]
struct OtherName {
    name: String,
    resource_type: String,
}

async fn put_lightsail_name(Extract(world): Extract<World>, Json(other): Json<OtherName>) -> StatusCode {
    world.put_lightsail_name(&other.name, &other.resource_type);
    StatusCode::NO_CONTENT
}

async fn retire(Extract(world): Extract<World>, Path(id): Path<String>) -> StatusCode {
    world.retire_from_catalogue(&id);
    StatusCode::NO_CONTENT
}
