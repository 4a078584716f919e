//! The admin routes under `/_sim/`: what tests and demos do to a world over HTTP. Documented in the README.

use std::time::Duration;

use axum::extract::{Path, Query, State as Extract};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::appstream::image::ImageSeed;
use crate::appstream::session::AuthenticationType;
use crate::audit::summarize;
use crate::faults::{Fault, FaultEffect};
use crate::lightsail::people::InstanceSeed;
use crate::people::{Denied, SessionId};
use crate::violations::Rule;
use crate::world::World;

/// The routes, relative to `/_sim`.
pub(crate) fn routes() -> Router<World> {
    Router::new()
        .route("/clock", get(read_clock))
        .route("/clock/advance", post(advance))
        .route("/images", post(put_image))
        .route("/stacks", post(put_stack))
        .route("/associations", post(associate).delete(disassociate))
        .route("/applications", post(put_application))
        .route("/sessions", post(open_session))
        .route("/sessions/{id}", delete(end_session))
        .route("/sessions/{id}/disconnect", post(disconnect_session))
        .route("/streams/{token}", get(follow_stream))
        .route("/faults", get(list_faults).post(script).delete(clear_faults))
        .route("/fleets", get(list_fleets))
        .route("/fleets/{name}", get(show_fleet).patch(edit_fleet).delete(delete_fleet))
        .route("/fleets/{name}/start", post(start_fleet))
        .route("/fleets/{name}/stop", post(stop_fleet))
        .route("/fleets/{name}/errors", post(fleet_errors))
        .route("/fleets/{name}/allow-stopping-sessions", post(allow_stopping))
        .route("/instances", get(list_instances).post(put_instance))
        .route("/instances/{name}", get(show_instance))
        .route("/static-ips", get(list_static_ips))
        .route("/lightsail-names", post(put_lightsail_name))
        .route("/catalogue/{id}", delete(retire))
        .route("/by-hand/{service}/{operation}", post(by_hand))
        .route("/audit", get(audit))
        .route("/violations", get(violations))
        .route("/judge/{access_key}", post(judge))
        .route("/pardon/{rule}", post(pardon))
        .route("/reset", post(reset))
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

/// A fault in the admin's own spelling: one word for the plain effects, members for the others.
#[derive(Deserialize)]
struct FaultLine {
    operation: String,
    nth: Option<u32>,
    resource: Option<String>,
    effect: String,
    seconds: Option<f64>,
    code: Option<String>,
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

async fn list_faults(Extract(world): Extract<World>) -> Json<Value> {
    Json(json!({"faults": world.faults()}))
}

async fn clear_faults(Extract(world): Extract<World>) -> StatusCode {
    world.clear_faults();
    StatusCode::NO_CONTENT
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

fn opened(session: Result<SessionId, Denied>) -> Response {
    match session {
        Ok(id) => (StatusCode::CREATED, Json(json!({"id": id}))).into_response(),
        Err(denied) => refuse(StatusCode::CONFLICT, &denied.to_string()),
    }
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({"error": error}))).into_response()
}
