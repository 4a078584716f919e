//! The admin routes under `/_sim/`: what tests and demos do to a world over HTTP. Documented in the README.

mod appstream;
mod gamelift;
mod lightsail;

use std::time::Duration;

use axum::extract::{Path, Query, State as Extract};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::audit::summarize;
use crate::faults::{Fault, FaultEffect};
use crate::roles::Role;
use crate::violations::Rule;
use crate::world::World;

/// The routes, relative to `/_sim`.
pub(crate) fn routes() -> Router<World> {
    Router::new()
        .route("/clock", get(read_clock))
        .route("/clock/advance", post(advance))
        .route("/faults", get(list_faults).post(script).delete(clear_faults))
        .route("/by-hand/{service}/{operation}", post(by_hand))
        .route("/audit", get(audit))
        .route("/violations", get(violations))
        .route("/judge/{access_key}", post(judge))
        .route("/pardon/{rule}", post(pardon))
        .route("/secrets", get(secrets))
        .route("/reset", post(reset))
        .route("/roles", post(make_role))
        .route("/roles/sessions", get(role_sessions))
        .merge(appstream::routes())
        .merge(lightsail::routes())
        .merge(gamelift::routes())
}

async fn read_clock(Extract(world): Extract<World>) -> Json<Value> {
    Json(json!({"now": world.now()}))
}

#[derive(Deserialize)]
struct Advance {
    seconds: f64,
}

async fn advance(Extract(world): Extract<World>, Json(by): Json<Advance>) -> Response {
    match Duration::try_from_secs_f64(by.seconds) {
        Ok(by) => {
            world.advance(by);
            Json(json!({"now": world.now()})).into_response()
        }
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// A fault in the admin's own spelling: one word for the plain effects, members for the others.
#[derive(Deserialize)]
struct FaultLine {
    operation: String,
    nth: Option<u32>,
    resource: Option<String>,
    effect: String,
    seconds: Option<f64>,
    code: Option<String>,
    sub_code: Option<String>,
    message: Option<String>,
    status: Option<u16>,
    keep: Option<usize>,
}

async fn script(Extract(world): Extract<World>, Json(line): Json<FaultLine>) -> Response {
    let hang = line.seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let effect = match (line.effect.as_str(), hang, line.code, line.keep) {
        ("Throttle", ..) => FaultEffect::Throttle,
        ("ServerError", ..) => FaultEffect::ServerError,
        ("Hang", Some(wait), ..) => FaultEffect::Hang(wait),
        ("NotAppliedNoAnswer", ..) => FaultEffect::NotAppliedNoAnswer,
        ("AppliedNoAnswer", ..) => FaultEffect::AppliedNoAnswer,
        ("AppliedThenHang", Some(wait), ..) => FaultEffect::AppliedThenHang(wait),
        ("AppliedServerError", ..) => FaultEffect::AppliedServerError,
        ("AppliedHalfAnswer", ..) => FaultEffect::AppliedHalfAnswer,
        ("AppliedGarbled", ..) => FaultEffect::AppliedGarbled,
        ("AppliedAs", ..) => FaultEffect::AppliedAs { status: line.status.unwrap_or(500) },
        ("Coded", _, Some(code), _) if line.sub_code.is_some() => {
            let (sub_code, message) = (line.sub_code.unwrap_or_default(), line.message.unwrap_or_default());
            FaultEffect::SubCoded { code, sub_code, message }
        }
        ("Coded", _, Some(code), _) => {
            FaultEffect::Coded { code, message: line.message.unwrap_or_default(), status: line.status.unwrap_or(400) }
        }
        ("FailsLater", _, Some(code), _) => FaultEffect::FailsLater { code, details: line.message.unwrap_or_default() },
        ("Partial", _, _, Some(keep)) => FaultEffect::Partial { keep },
        (other, ..) => {
            let text = format!(
                "effect {other} is unknown or lacks a member (Hang, AppliedThenHang: seconds, Coded, FailsLater: code, Partial: keep)"
            );
            return refuse(StatusCode::BAD_REQUEST, &text);
        }
    };
    world.script(Fault { operation: line.operation, nth: line.nth, resource: line.resource, effect });
    StatusCode::NO_CONTENT.into_response()
}

async fn make_role(Extract(world): Extract<World>, Json(role): Json<Role>) -> StatusCode {
    world.make_role(role);
    StatusCode::NO_CONTENT
}

async fn role_sessions(Extract(world): Extract<World>) -> Json<Value> {
    Json(json!({"sessions": world.role_sessions()}))
}

async fn list_faults(Extract(world): Extract<World>) -> Json<Value> {
    Json(json!({"faults": world.faults()}))
}

async fn clear_faults(Extract(world): Extract<World>) -> StatusCode {
    world.clear_faults();
    StatusCode::NO_CONTENT
}

async fn by_hand(
    Extract(world): Extract<World>,
    Path((service, operation)): Path<(String, String)>,
    Json(input): Json<Value>,
) -> Response {
    match world.out_of_band(&service, &operation, &input) {
        Ok(answer) => Json(answer).into_response(),
        Err(denied) => refuse(StatusCode::CONFLICT, &denied.to_string()),
    }
}

#[derive(Deserialize)]
struct AuditQuery {
    /// Index of the first entry.
    since: Option<usize>,
    /// `1`: counts only.
    summary: Option<String>,
}

async fn audit(Extract(world): Extract<World>, Query(query): Query<AuditQuery>) -> Json<Value> {
    let since = query.since.unwrap_or(0);
    let entries = world.audit_from(since);
    let next = since + entries.len();
    if query.summary.is_some_and(|summary| summary != "0") {
        return Json(json!({"next": next, "summary": summarize(&entries)}));
    }
    Json(json!({"next": next, "entries": entries}))
}

async fn violations(Extract(world): Extract<World>) -> Json<Value> {
    Json(json!({"violations": world.violations()}))
}

async fn secrets(Extract(world): Extract<World>) -> Json<Value> {
    Json(json!({"secrets": world.secrets()}))
}

async fn judge(Extract(world): Extract<World>, Path(access_key): Path<String>) -> StatusCode {
    world.judge(&access_key);
    StatusCode::NO_CONTENT
}

async fn pardon(Extract(world): Extract<World>, Path(rule): Path<Rule>) -> StatusCode {
    world.pardon(rule);
    StatusCode::NO_CONTENT
}

async fn reset(Extract(world): Extract<World>) -> StatusCode {
    world.reset();
    StatusCode::NO_CONTENT
}

fn found(there: bool) -> Response {
    if there {
        StatusCode::NO_CONTENT.into_response()
    } else {
        refuse(StatusCode::NOT_FOUND, "there is no such thing, or not in a state for this")
    }
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({"error": error}))).into_response()
}
