//! The wire: which protocol and operation a request speaks, who signed it, and how its answer is spelled.

pub(crate) mod auth;
mod cbor;
pub(crate) mod json;
mod query;
mod value;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use serde_json::Value as Json;

pub(crate) use auth::Signature;
pub(crate) use value::{Value, map, nothing};

use crate::world::World;

/// Services of this AWS, by the protocols that name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    AppStream,
    Lightsail,
    GameLift,
    Sts,
}

impl Service {
    /// The name in a SigV4 credential scope.
    pub(crate) fn signing_name(self) -> &'static str {
        match self {
            Self::AppStream => "appstream",
            Self::Lightsail => "lightsail",
            Self::GameLift => "gamelift",
            Self::Sts => "sts",
        }
    }

    /// The Smithy namespace of its shapes, which CBOR errors carry.
    fn namespace(self) -> &'static str {
        match self {
            Self::AppStream => "com.amazonaws.appstream",
            Self::Lightsail => "com.amazonaws.lightsail",
            Self::GameLift => "com.amazonaws.gamelift",
            Self::Sts => "com.amazonaws.sts",
        }
    }
}

/// AppStream's service shape, in `X-Amz-Target` and in the CBOR path.
const APPSTREAM_SHAPE: &str = "PhotonAdminProxyService";

/// GameLift's service shape, in `X-Amz-Target` and in the CBOR path.
const GAMELIFT_SHAPE: &str = "GameLift";

/// Lightsail's service shape, in `X-Amz-Target`. It has no CBOR.
const LIGHTSAIL_SHAPE: &str = "Lightsail_20161128";

/// An error as AWS answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) status: u16,
    /// Lightsail's `code` member beside `__type`.
    pub(crate) sub_code: Option<String>,
}

impl Refusal {
    /// A client error: HTTP 400, as for all of AppStream but ResourceNotFound over CBOR.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status: 400, sub_code: None }
    }

    pub(crate) fn with_status(code: &str, message: impl Into<String>, status: u16) -> Self {
        Self { code: code.to_owned(), message: message.into(), status, sub_code: None }
    }

    pub(crate) fn with_sub_code(mut self, sub_code: &str) -> Self {
        self.sub_code = Some(sub_code.to_owned());
        self
    }

    pub(crate) fn serialization(message: &str) -> Self {
        Self::new("SerializationException", message)
    }

    pub(crate) fn throttled() -> Self {
        Self::new("ThrottlingException", "Rate exceeded")
    }

    pub(crate) fn internal() -> Self {
        Self::with_status(
            "InternalFailure",
            "The request processing has failed because of an unknown error, exception or failure.",
            500,
        )
    }
}

/// What comes back to the caller.
#[derive(Debug)]
pub(crate) enum Reply {
    /// An answer.
    Answer(Response<Bytes>),
    /// Nothing: the connection breaks.
    Cut,
    /// The head of an answer and the first half of its body.
    Half(Response<Bytes>),
}

/// How an answer is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Json,
    Cbor,
    Query,
}

impl Protocol {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json-1.1",
            Self::Cbor => "rpc-v2-cbor",
            Self::Query => "query",
        }
    }
}

/// A request, read from the wire.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) service: Service,
    pub(crate) protocol: Protocol,
    pub(crate) operation: String,
    pub(crate) signature: Result<Option<Signature>, Refusal>,
    pub(crate) input: Result<Json, Refusal>,
    /// Scheme and host that the caller used, for the URLs in answers.
    pub(crate) origin: String,
}

/// Answers one request. Waits only when the fault script says so.
pub(crate) async fn answer(world: &World, request: Request<Bytes>) -> Reply {
    let Some(incoming) = read(&request) else {
        return Reply::Answer(unknown(&request));
    };
    let handled = world.act(&incoming).await;
    let spelled = spell(&incoming, &handled.result, &handled.request_id);
    match handled.delivery {
        Delivery::Whole => Reply::Answer(spelled),
        Delivery::Half => Reply::Half(spelled),
        Delivery::Garbled => Reply::Answer(spelled.map(|body| body.slice(1.min(body.len())..))),
        Delivery::As(status) => {
            let (mut parts, body) = spelled.into_parts();
            parts.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Reply::Answer(Response::from_parts(parts, body))
        }
        Delivery::None => Reply::Cut,
    }
}

/// What a world made of a request.
#[derive(Debug)]
pub(crate) struct Handled {
    pub(crate) result: Result<Value, Refusal>,
    pub(crate) request_id: String,
    pub(crate) delivery: Delivery,
}

/// How much of the answer reaches the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    Half,
    /// All but its first byte.
    Garbled,
    /// Under this HTTP status.
    As(u16),
    None,
}

fn read(request: &Request<Bytes>) -> Option<Incoming> {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signature = auth::read(headers);
    let origin = origin(request);
    let body = request.body();
    let incoming = |service, protocol, operation: &str, input| Incoming {
        service,
        protocol,
        operation: operation.to_owned(),
        signature: signature.clone(),
        input,
        origin: origin.clone(),
    };
    if let Some(rest) = request.uri().path().strip_prefix("/service/") {
        let (shape, operation) = rest.split_once("/operation/")?;
        let speaks = text("smithy-protocol") == Some(cbor::PROTOCOL);
        let service = match shape {
            APPSTREAM_SHAPE => Service::AppStream,
            GAMELIFT_SHAPE => Service::GameLift,
            _ => return None,
        };
        return speaks.then(|| incoming(service, Protocol::Cbor, operation, cbor::decode(body)));
    }
    if let Some(target) = text("x-amz-target") {
        let (shape, operation) = target.split_once('.')?;
        let service = match shape {
            APPSTREAM_SHAPE => Service::AppStream,
            LIGHTSAIL_SHAPE => Service::Lightsail,
            GAMELIFT_SHAPE => Service::GameLift,
            _ => return None,
        };
        return Some(incoming(service, Protocol::Json, operation, json::decode(body)));
    }
    let form = text("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !form {
        return None;
    }
    let members = query::decode(body);
    let operation = members.get("Action")?.as_str()?.to_owned();
    Some(incoming(Service::Sts, Protocol::Query, &operation, Ok(Json::Object(members))))
}

fn origin(request: &Request<Bytes>) -> String {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    let scheme = request.uri().scheme_str().unwrap_or("http");
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    format!("{scheme}://{}", host.or(authority).unwrap_or("localhost"))
}

/// What AWS front ends answer to a request that no service knows.
fn unknown(request: &Request<Bytes>) -> Response<Bytes> {
    let refusal = Refusal::with_status("UnknownOperationException", "", 404);
    let spelled = if request.uri().path().starts_with("/service/") {
        (cbor::CONTENT_TYPE, cbor::encode_error(&refusal, Service::AppStream.namespace()))
    } else {
        (json::CONTENT_TYPE, json::encode_error(&refusal, Service::AppStream))
    };
    respond(404, spelled.0, spelled.1, "00000000-0000-0000-0000-000000000000", spelled.0 == cbor::CONTENT_TYPE)
}

fn spell(incoming: &Incoming, result: &Result<Value, Refusal>, request_id: &str) -> Response<Bytes> {
    let (status, body) = match (result, incoming.protocol) {
        (Ok(value), Protocol::Json) => (200, json::encode(value)),
        (Ok(value), Protocol::Cbor) => (200, cbor::encode(value)),
        (Ok(value), Protocol::Query) => (200, query::encode(&incoming.operation, value, request_id)),
        (Err(refusal), Protocol::Json) => (refusal.status, json::encode_error(refusal, incoming.service)),
        (Err(refusal), Protocol::Cbor) => {
            (cbor_status(refusal), cbor::encode_error(refusal, incoming.service.namespace()))
        }
        (Err(refusal), Protocol::Query) => (refusal.status, query::encode_error(refusal, request_id)),
    };
    let kind = match incoming.protocol {
        Protocol::Json => json::CONTENT_TYPE,
        Protocol::Cbor => cbor::CONTENT_TYPE,
        Protocol::Query => query::CONTENT_TYPE,
    };
    respond(status, kind, body, request_id, incoming.protocol == Protocol::Cbor)
}

/// The current model gives ResourceNotFoundException HTTP 404; JSON 1.1 answers stay with 400.
fn cbor_status(refusal: &Refusal) -> u16 {
    match refusal.code.as_str() {
        "ResourceNotFoundException" if refusal.status == 400 => 404,
        _ => refusal.status,
    }
}

fn respond(status: u16, kind: &str, body: Vec<u8>, request_id: &str, cbor: bool) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut set = |name: &'static str, text: &str| {
        if let Ok(value) = text.parse() {
            response.headers_mut().insert(name, value);
        }
    };
    set("content-type", kind);
    set("x-amzn-requestid", request_id);
    if cbor {
        set("smithy-protocol", cbor::PROTOCOL);
    }
    response
}
