//! Smithy RPC v2 CBOR: operation in the path, timestamps as tag 1, errors with `__type` and `Message`.

use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value as Json};

use super::json::epoch_seconds;
use super::{Refusal, Value};

/// Content type of both directions.
pub(crate) const CONTENT_TYPE: &str = "application/cbor";

/// Value of the `smithy-protocol` header in both directions.
pub(crate) const PROTOCOL: &str = "rpc-v2-cbor";

/// How deep a request may nest. The deepest input of AppStream has five levels.
const DEPTH: usize = 32;

/// The request's input as JSON: nothing that AppStream or GameLift takes needs more. An empty body is an empty input.
pub(crate) fn decode(body: &[u8]) -> Result<Json, Refusal> {
    if body.is_empty() {
        return Ok(Json::Object(Map::new()));
    }
    let parsed: Result<Cbor, _> = ciborium::de::from_reader_with_recursion_limit(body, DEPTH);
    match parsed.map(read) {
        Ok(Some(input @ Json::Object(_))) => Ok(input),
        Ok(_) => Err(Refusal::serialization("Unexpected value type in payload")),
        Err(_) => Err(Refusal::serialization("Could not parse the payload as CBOR")),
    }
}

fn read(value: Cbor) -> Option<Json> {
    Some(match value {
        Cbor::Null => Json::Null,
        Cbor::Bool(flag) => Json::Bool(flag),
        Cbor::Integer(number) => Json::Number(Number::from(i64::try_from(number).ok()?)),
        Cbor::Float(number) => Json::Number(Number::from_f64(number)?),
        Cbor::Text(text) => Json::String(text),
        Cbor::Tag(_, inner) => read(*inner)?,
        Cbor::Array(items) => Json::Array(items.into_iter().map(read).collect::<Option<_>>()?),
        Cbor::Map(members) => {
            let read_member = |(name, value): (Cbor, Cbor)| Some((name.into_text().ok()?, read(value)?));
            Json::Object(members.into_iter().map(read_member).collect::<Option<_>>()?)
        }
        // Byte strings occur in no input of the operations we know, and ciborium may add variants.
        _ => return None,
    })
}

pub(crate) fn encode(answer: &Value) -> Vec<u8> {
    write(&spell(answer))
}

/// `namespace` is the service's Smithy namespace (`com.amazonaws.appstream`).
pub(crate) fn encode_error(refusal: &Refusal, namespace: &str) -> Vec<u8> {
    let kind = format!("{namespace}#{}", refusal.code);
    write(&Cbor::Map(vec![
        (Cbor::Text("__type".to_owned()), Cbor::Text(kind)),
        (Cbor::Text("Message".to_owned()), Cbor::Text(refusal.message.clone())),
    ]))
}

fn spell(value: &Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(flag) => Cbor::Bool(*flag),
        Value::Int(number) => Cbor::Integer((*number).into()),
        Value::Float(number) => Cbor::Float(*number),
        Value::Text(text) => Cbor::Text(text.clone()),
        Value::Time(at) => Cbor::Tag(1, Box::new(Cbor::Float(epoch_seconds(*at)))),
        Value::List(items) => Cbor::Array(items.iter().map(spell).collect()),
        Value::Map(members) => {
            Cbor::Map(members.iter().map(|(name, value)| (Cbor::Text(name.clone()), spell(value))).collect())
        }
    }
}

fn write(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing into a Vec fails only when serialization itself does, which these values never do; an empty body
    // would then fail the client's test, which is what it is for.
    if ciborium::into_writer(value, &mut bytes).is_err() {
        bytes.clear();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_cbor_are_refused_and_never_panic() {
        for body in [&[0xff_u8][..], &[0x9f; 4000], &[0xa1, 0x01, 0x02], &[0x81, 0x40], &[0x1b, 0xff]] {
            let code = decode(body).err().map(|refusal| refusal.code);
            assert_eq!(code.as_deref(), Some("SerializationException"), "{body:?}");
        }
    }
}
