//! Admin routes of GameLift's fleets and computes. A compute's name may have a slash: it is the last part of its route.

use axum::extract::{Path, State as Extract};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{found, refuse};
use crate::gamelift::compute::ComputeState;
use crate::gamelift::people::{ComputeSeed, GameFleetEdit, GameFleetSeed};
use crate::world::World;

/// The routes, relative to `/_sim`.
pub(super) fn routes() -> Router<World> {
    Router::new()
        .route("/gamelift/fleets", get(list).post(put))
        .route("/gamelift/fleets/{id}", get(show).patch(edit).delete(remove))
        .route("/gamelift/fleets/{id}/computes", post(put_compute))
        .route("/gamelift/fleets/{id}/computes/{*name}", axum::routing::patch(edit_compute).delete(remove_compute))
        .route("/gamelift/fleets/{id}/restarts/{*name}", post(restart_containers))
}

async fn list(Extract(world): Extract<World>) -> Json<Value> {
    Json(json!({"fleets": world.game_fleets()}))
}

async fn show(Extract(world): Extract<World>, Path(id): Path<String>) -> Response {
    match world.game_fleets().into_iter().find(|fleet| fleet.id == id) {
        Some(fleet) => Json(json!(fleet)).into_response(),
        None => refuse(StatusCode::NOT_FOUND, "no such fleet"),
    }
}

async fn put(Extract(world): Extract<World>, Json(seed): Json<GameFleetSeed>) -> Json<Value> {
    Json(json!(world.put_game_fleet(&seed)))
}

async fn edit(Extract(world): Extract<World>, Path(id): Path<String>, Json(edit): Json<GameFleetEdit>) -> Response {
    found(world.edit_game_fleet(&id, edit))
}

async fn remove(Extract(world): Extract<World>, Path(id): Path<String>) -> Response {
    found(world.remove_game_fleet(&id))
}

async fn put_compute(
    Extract(world): Extract<World>,
    Path(fleet): Path<String>,
    Json(seed): Json<ComputeSeed>,
) -> Response {
    match world.put_compute(&fleet, &seed) {
        Some(compute) => Json(json!(compute)).into_response(),
        None => refuse(StatusCode::NOT_FOUND, "no such fleet, or no such location in it"),
    }
}

#[derive(Deserialize)]
struct ComputeEdit {
    status: ComputeState,
}

async fn edit_compute(
    Extract(world): Extract<World>,
    Path((fleet, name)): Path<(String, String)>,
    Json(edit): Json<ComputeEdit>,
) -> Response {
    found(world.edit_compute(&fleet, &name, edit.status))
}

async fn remove_compute(Extract(world): Extract<World>, Path((fleet, name)): Path<(String, String)>) -> Response {
    found(world.remove_compute(&fleet, &name))
}

async fn restart_containers(Extract(world): Extract<World>, Path((fleet, name)): Path<(String, String)>) -> Response {
    found(world.restart_containers(&fleet, &name))
}
