//! Admin routes of fleets, sessions, stacks, image builders and images.

use axum::extract::{Path, State as Extract};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{found, refuse};
use crate::appstream::builder::BuilderState;
use crate::appstream::image::ImageSeed;
use crate::appstream::session::AuthenticationType;
use crate::people::{Denied, SessionId};
use crate::world::World;

/// The routes, relative to `/_sim`.
pub(super) fn routes() -> Router<World> {
    Router::new()
        .route("/images", post(put_image))
        .route("/stacks", get(list_stacks).post(put_stack))
        .route("/associations", post(associate).delete(disassociate))
        .route("/applications", post(put_application))
        .route("/sessions", post(open_session))
        .route("/sessions/{id}", delete(end_session))
        .route("/sessions/{id}/disconnect", post(disconnect_session))
        .route("/streams/{token}", get(follow_stream))
        .route("/fleets", get(list_fleets))
        .route("/fleets/{name}", get(show_fleet).patch(edit_fleet).delete(delete_fleet))
        .route("/fleets/{name}/start", post(start_fleet))
        .route("/fleets/{name}/stop", post(stop_fleet))
        .route("/fleets/{name}/errors", post(fleet_errors))
        .route("/fleets/{name}/allow-stopping-sessions", post(allow_stopping))
        .route("/stacks/{name}", get(show_stack))
        .route("/builders", get(list_builders))
        .route("/builders/{name}/state", post(put_builder_into))
        .route("/builders/{name}/snapshot", post(begin_snapshot).delete(finish_snapshot))
        .route("/builders/{name}/errors", post(fail_builder))
}

async fn put_image(Extract(world): Extract<World>, Json(seed): Json<ImageSeed>) -> StatusCode {
    world.put_image(seed);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

async fn put_stack(Extract(world): Extract<World>, Json(stack): Json<Named>) -> StatusCode {
    world.put_stack(&stack.name);
    StatusCode::NO_CONTENT
}

async fn put_application(Extract(world): Extract<World>, Json(application): Json<Named>) -> Json<Value> {
    Json(json!({"arn": world.put_application(&application.name)}))
}

#[derive(Deserialize)]
struct Association {
    fleet: String,
    stack: String,
}

async fn associate(Extract(world): Extract<World>, Json(pair): Json<Association>) -> Response {
    found(world.associate(&pair.fleet, &pair.stack))
}

async fn disassociate(Extract(world): Extract<World>, Json(pair): Json<Association>) -> Response {
    found(world.disassociate(&pair.fleet, &pair.stack))
}

#[derive(Deserialize)]
struct NewSession {
    stack: String,
    fleet: String,
    user: String,
    #[serde(default)]
    authentication: AuthenticationType,
}

async fn open_session(Extract(world): Extract<World>, Json(session): Json<NewSession>) -> Response {
    opened(world.open_session(&session.stack, &session.fleet, &session.user, session.authentication))
}

async fn follow_stream(Extract(world): Extract<World>, Path(token): Path<String>) -> Response {
    opened(world.follow_streaming_url(&token))
}

async fn end_session(Extract(world): Extract<World>, Path(id): Path<String>) -> Response {
    found(world.end_session(&SessionId(id)))
}

async fn disconnect_session(Extract(world): Extract<World>, Path(id): Path<String>) -> Response {
    found(world.disconnect_session(&SessionId(id)))
}

async fn list_fleets(Extract(world): Extract<World>) -> Json<Value> {
    Json(json!({"fleets": world.fleets()}))
}

async fn show_fleet(Extract(world): Extract<World>, Path(name): Path<String>) -> Response {
    match world.fleets().into_iter().find(|fleet| fleet.name == name) {
        Some(fleet) => Json(json!(fleet)).into_response(),
        None => refuse(StatusCode::NOT_FOUND, "no such fleet"),
    }
}

/// A change by hand; absent members stay. `settings` takes AWS's own member names.
#[derive(Deserialize)]
struct Edit {
    #[serde(default)]
    settings: serde_json::Map<String, Value>,
    desired_instances: Option<i64>,
    tags: Option<std::collections::BTreeMap<String, String>>,
}

async fn edit_fleet(Extract(world): Extract<World>, Path(name): Path<String>, Json(edit): Json<Edit>) -> Response {
    let mut refused = None;
    let there = world.edit_fleet(&name, |fleet| {
        let merged = serde_json::to_value(&fleet.settings).map(|mut old| {
            if let Some(members) = old.as_object_mut() {
                members.extend(edit.settings);
            }
            old
        });
        match merged.and_then(serde_json::from_value) {
            Ok(settings) => fleet.settings = settings,
            Err(error) => refused = Some(error.to_string()),
        }
        fleet.desired_instances = edit.desired_instances.unwrap_or(fleet.desired_instances);
        if let Some(tags) = edit.tags {
            fleet.tags = tags;
        }
    });
    match refused {
        Some(error) => refuse(StatusCode::BAD_REQUEST, &error),
        None => found(there),
    }
}

async fn delete_fleet(Extract(world): Extract<World>, Path(name): Path<String>) -> Response {
    found(world.delete_fleet_out_of_band(&name))
}

async fn start_fleet(Extract(world): Extract<World>, Path(name): Path<String>) -> Response {
    found(world.start_fleet_out_of_band(&name))
}

async fn stop_fleet(Extract(world): Extract<World>, Path(name): Path<String>) -> Response {
    found(world.stop_fleet_out_of_band(&name))
}

#[derive(Deserialize)]
struct Codes {
    codes: Vec<String>,
}

async fn fleet_errors(Extract(world): Extract<World>, Path(name): Path<String>, Json(errors): Json<Codes>) -> Response {
    let codes: Vec<&str> = errors.codes.iter().map(String::as_str).collect();
    found(world.fleet_errors(&name, &codes))
}

async fn allow_stopping(Extract(world): Extract<World>, Path(name): Path<String>) -> StatusCode {
    world.allow_stopping_sessions(&name);
    StatusCode::NO_CONTENT
}

async fn list_stacks(Extract(world): Extract<World>) -> Json<Value> {
    Json(json!({"stacks": world.stacks()}))
}

async fn show_stack(Extract(world): Extract<World>, Path(name): Path<String>) -> Response {
    match world.stacks().into_iter().find(|stack| stack.name == name) {
        Some(stack) => Json(json!(stack)).into_response(),
        None => refuse(StatusCode::NOT_FOUND, "no such stack"),
    }
}

async fn list_builders(Extract(world): Extract<World>) -> Json<Value> {
    Json(json!({"builders": world.builders()}))
}

#[derive(Deserialize)]
struct NewState {
    state: BuilderState,
}

async fn put_builder_into(
    Extract(world): Extract<World>,
    Path(name): Path<String>,
    Json(new): Json<NewState>,
) -> Response {
    found(world.put_builder_into(&name, new.state))
}

#[derive(Deserialize)]
struct Snapshot {
    image: String,
}

async fn begin_snapshot(
    Extract(world): Extract<World>,
    Path(name): Path<String>,
    Json(snapshot): Json<Snapshot>,
) -> Response {
    found(world.begin_snapshot(&name, &snapshot.image))
}

async fn finish_snapshot(
    Extract(world): Extract<World>,
    Path(name): Path<String>,
    Json(snapshot): Json<Snapshot>,
) -> Response {
    found(world.finish_snapshot(&name, &snapshot.image))
}

async fn fail_builder(Extract(world): Extract<World>, Path(name): Path<String>, Json(errors): Json<Codes>) -> Response {
    let codes: Vec<&str> = errors.codes.iter().map(String::as_str).collect();
    found(world.fail_builder(&name, &codes))
}

fn opened(session: Result<SessionId, Denied>) -> Response {
    match session {
        Ok(id) => (StatusCode::CREATED, Json(json!({"id": id}))).into_response(),
        Err(denied) => refuse(StatusCode::CONFLICT, &denied.to_string()),
    }
}
