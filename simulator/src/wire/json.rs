//! AWS JSON 1.1: operation in `X-Amz-Target`, timestamps as epoch seconds, errors with `__type` and `Message` (Lightsail: `message`
//! and perhaps `code`).

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::{Refusal, Service, Value};

/// Content type of both directions.
pub(crate) const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// The request's input. An empty body is an empty input.
pub(crate) fn decode(body: &[u8]) -> Result<Json, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(json!({}));
    }
    match serde_json::from_slice(body) {
        Ok(input @ Json::Object(_)) => Ok(input),
        Ok(_) => Err(Refusal::serialization("Unexpected value type in payload")),
        Err(_) => Err(Refusal::serialization("Could not parse the payload as JSON")),
    }
}

pub(crate) fn encode(answer: &Value) -> Vec<u8> {
    spell(answer).to_string().into_bytes()
}

/// Lightsail's errors carry a `code` of their own, which the Rust SDK takes for the type.
pub(crate) fn encode_error(refusal: &Refusal, service: Service) -> Vec<u8> {
    let spelled = match (service, &refusal.sub_code) {
        (Service::Lightsail, Some(sub_code)) => {
            json!({"__type": refusal.code, "code": sub_code, "message": refusal.message})
        }
        (Service::Lightsail, None) => json!({"__type": refusal.code, "message": refusal.message}),
        (Service::AppStream | Service::GameLift | Service::Sts, _) => {
            json!({"__type": refusal.code, "Message": refusal.message})
        }
    };
    spelled.to_string().into_bytes()
}

/// JSON with timestamps as epoch seconds, whole when they are whole.
pub(crate) fn spell(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => json!(flag),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Time(at) if at.subsec_nanosecond() == 0 => json!(at.as_second()),
        Value::Time(at) => json!(epoch_seconds(*at)),
        Value::List(items) => Json::Array(items.iter().map(spell).collect()),
        Value::Map(members) => Json::Object(members.iter().map(|(name, value)| (name.clone(), spell(value))).collect()),
    }
}

/// Seconds since 1970 with milliseconds, the finest that AWS sends.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn epoch_seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}
