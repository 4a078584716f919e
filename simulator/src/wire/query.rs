//! AWS query/XML: `Action=…` in a form body, answers and errors in XML. Only STS speaks it here.

use serde_json::{Map, Value as Json};

use super::{Refusal, Value};

/// Content type of the answer.
pub(crate) const CONTENT_TYPE: &str = "text/xml";

/// XML namespace of STS, from its published model.
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The form's members, flat, as they were sent (`Tags.member.1.Key` stays one name).
pub(crate) fn decode(body: &[u8]) -> Map<String, Json> {
    let text = String::from_utf8_lossy(body);
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescape(name), Json::String(unescape(value)))
        })
        .collect()
}

pub(crate) fn encode(operation: &str, answer: &Value, request_id: &str) -> Vec<u8> {
    let mut inner = String::new();
    spell(answer, &mut inner);
    format!(
        "<{operation}Response xmlns=\"{NAMESPACE}\">\n<{operation}Result>{inner}</{operation}Result>\n\
         <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\n</{operation}Response>\n"
    )
    .into_bytes()
}

pub(crate) fn encode_error(refusal: &Refusal, request_id: &str) -> Vec<u8> {
    let kind = if refusal.status >= 500 { "Receiver" } else { "Sender" };
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\">\n<Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message></Error>\n\
         <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n",
        escape(&refusal.code),
        escape(&refusal.message)
    )
    .into_bytes()
}

fn spell(value: &Value, out: &mut String) {
    match value {
        Value::Null => {}
        Value::Bool(flag) => out.push_str(&flag.to_string()),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&number.to_string()),
        Value::Text(text) => out.push_str(&escape(text)),
        // RFC 3339 in whole seconds, as STS sends `Expiration`.
        Value::Time(at) => out.push_str(&at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        Value::List(items) => {
            for item in items {
                out.push_str("<member>");
                spell(item, out);
                out.push_str("</member>");
            }
        }
        Value::Map(members) => {
            for (name, value) in members {
                out.push_str(&format!("<{name}>"));
                spell(value, out);
                out.push_str(&format!("</{name}>"));
            }
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Percent-decoding of a form; what is no valid escape stays as it is.
pub(crate) fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[at], escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}
