//! AppStream 2.0: its operations by name, and what they have in common.

pub(crate) mod application;
pub(crate) mod builder;
pub(crate) mod capacity;
mod check;
pub(crate) mod fleet;
mod fleet_rules;
pub(crate) mod fleet_update;
pub(crate) mod image;
mod model;
mod pattern;
pub(crate) mod session;
pub(crate) mod stack;
pub(crate) mod stack_update;
mod tags;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::place::{Laws, Place, PlaceKey};
use crate::wire::{Refusal, Value, map};
use crate::world::State;

/// One request to AppStream.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) operation: &'a str,
    pub(crate) input: &'a Json,
    pub(crate) place: PlaceKey,
    pub(crate) now: Timestamp,
    /// The instant that a read shows: earlier than `now` by the visibility lag.
    pub(crate) seen_at: Timestamp,
    /// A fault's limit for this page.
    pub(crate) keep: Option<usize>,
    pub(crate) origin: &'a str,
}

/// Whether this AWS knows the operation.
pub(crate) fn knows(operation: &str) -> bool {
    model::input(operation).is_some()
}

/// Whether the operation changes anything.
pub(crate) fn mutates(operation: &str) -> bool {
    !["Describe", "List", "CreateStreamingURL", "CreateImageBuilderStreamingURL"]
        .iter()
        .any(|prefix| operation.starts_with(prefix))
}

/// Every name in the request that a resource could go by, the most telling one first.
pub(crate) fn resources(input: &Json) -> Vec<String> {
    let named = ["Name", "FleetName", "StackName", "SessionId", "ResourceArn", "ApplicationArn"];
    let mut found: Vec<String> = named.iter().filter_map(|member| input[*member].as_str()).map(str::to_owned).collect();
    found.extend(input["Names"].as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned));
    let tail = input["ResourceArn"].as_str().and_then(|arn| arn.split_once('/')).map(|(_, name)| name.to_owned());
    found.extend(tail);
    found
}

/// Checks the input against the API model, then does what is asked.
pub(crate) fn act(state: &mut State, call: &Call<'_>) -> Result<Value, Refusal> {
    let Some(members) = model::input(call.operation) else {
        return Err(Refusal::new("UnknownOperationException", ""));
    };
    check::input(members, call.input)?;
    if !mutates(call.operation) {
        return read(state, call);
    }
    write(state.change(&call.place), call)
}

fn read(state: &mut State, call: &Call<'_>) -> Result<Value, Refusal> {
    if call.operation == "CreateStreamingURL" {
        let valid = session::streaming_url(state.seen(&call.place), call)?;
        let url = session::StreamingUrl {
            place: call.place.clone(),
            stack: text(call, "StackName").to_owned(),
            fleet: text(call, "FleetName").to_owned(),
            user: text(call, "UserId").to_owned(),
            expires_at: fleet::after(call, valid),
        };
        let expires = url.expires_at;
        let token = state.hand_out(url);
        let url = format!("{}/_sim/streams/{token}", call.origin);
        return Ok(map([("StreamingURL", url.into()), ("Expires", expires.into())]));
    }
    let place = state.seen(&call.place);
    match call.operation {
        "DescribeFleets" => fleet::describe(place, call),
        "ListAssociatedStacks" => fleet::list_stacks(place, call),
        "DescribeStacks" => stack::describe(place, call),
        "ListAssociatedFleets" => stack::list_fleets(place, call),
        "DescribeImages" => image::describe(place, call),
        "DescribeSessions" => session::describe(place, call),
        "DescribeImageBuilders" => builder::describe(place, call),
        "CreateImageBuilderStreamingURL" => builder::streaming_url(place, call),
        "DescribeApplicationFleetAssociations" => application::describe(place, call),
        "ListTagsForResource" => tags::list(place, call),
        _ => Err(Refusal::new("UnknownOperationException", "")),
    }
}

fn write(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    match call.operation {
        "CreateFleet" => fleet::create(place, call),
        "UpdateFleet" => fleet_update::update(place, call),
        "StartFleet" => fleet::start(place, call),
        "StopFleet" => fleet::stop(place, call),
        "DeleteFleet" => fleet::delete(place, call),
        "AssociateFleet" => stack::associate(place, call),
        "DisassociateFleet" => stack::disassociate(place, call),
        "AssociateApplicationFleet" => application::associate(place, call),
        "DisassociateApplicationFleet" => Ok(application::disassociate(place, call)),
        "CreateStack" => stack::create(place, call),
        "UpdateStack" => stack_update::update(place, call),
        "DeleteStack" => stack::delete(place, call),
        "ExpireSession" => Ok(session::expire(place, call)),
        "DrainSessionInstance" => session::drain(place, call),
        "CreateImageBuilder" => builder::create(place, call),
        "UpdateImageBuilder" => builder::update(place, call),
        "StartImageBuilder" => builder::start(place, call),
        "StopImageBuilder" => builder::stop(place, call),
        "DeleteImageBuilder" => builder::delete(place, call),
        "TagResource" => tags::tag(place, call),
        "UntagResource" => tags::untag(place, call),
        _ => Err(Refusal::new("UnknownOperationException", "")),
    }
}

/// A text member that the model requires (checked before), or "".
fn text<'a>(call: &'a Call<'_>, member: &str) -> &'a str {
    call.input[member].as_str().unwrap_or_default()
}

/// A list of texts; absent is empty.
fn names<'a>(call: &'a Call<'_>, member: &str) -> Vec<&'a str> {
    call.input[member].as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

/// The input as a type. Its shape was checked before; members that the type does not have are ignored.
fn parse<T: DeserializeOwned>(call: &Call<'_>) -> Result<T, Refusal> {
    T::deserialize(call.input).map_err(|_| Refusal::serialization("Unexpected value type in payload"))
}

/// The `Tags` member.
fn read_tags(call: &Call<'_>) -> BTreeMap<String, String> {
    let tags = call.input["Tags"].as_object().into_iter().flatten();
    tags.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// One page of values that are spelled already.
fn page(
    call: &Call<'_>,
    laws: &Laws,
    size: usize,
    member: &str,
    items: Vec<(String, Value)>,
) -> Result<Value, Refusal> {
    page_of(call, laws, size, member, items, |value| value)
}

/// One page: `size` items after the one that NextToken names, and the token for the rest.
fn page_of<T>(
    call: &Call<'_>,
    laws: &Laws,
    size: usize,
    member: &str,
    items: Vec<(String, T)>,
    spell: impl Fn(T) -> Value,
) -> Result<Value, Refusal> {
    let size = call.keep.unwrap_or(size);
    let first = match call.input["NextToken"].as_str().filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => {
            let cursor = open_token(call.operation, token)
                .ok_or_else(|| Refusal::new("InvalidParameterCombinationException", "The NextToken is not valid."))?;
            let next = items.iter().position(|(key, _)| *key == cursor);
            next.unwrap_or_else(|| items.iter().position(|(key, _)| *key > cursor).unwrap_or(items.len()))
        }
    };
    let rest = items.get(first + size).map(|(key, _)| key.clone());
    let listed = items.into_iter().skip(first).take(size).map(|(_, item)| spell(item)).collect();
    let mut answer = map([(member, Value::List(listed))]);
    match rest {
        Some(next) => answer.set("NextToken", seal_token(call.operation, &next)),
        None if laws.empty_next_token => answer.set("NextToken", ""),
        None => {}
    }
    Ok(answer)
}

/// A token that a caller cannot take for a number or a name.
fn seal_token(operation: &str, next: &str) -> String {
    format!("{operation}/{next}").bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn open_token(operation: &str, token: &str) -> Option<String> {
    let digits = token.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> =
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    let text = String::from_utf8(bytes?).ok()?;
    text.strip_prefix(operation)?.strip_prefix('/').map(str::to_owned)
}

fn not_found(message: String) -> Refusal {
    Refusal::new("ResourceNotFoundException", message)
}

fn already_exists(kind: &str, name: &str, account: &str) -> Refusal {
    Refusal::new("ResourceAlreadyExistsException", format!("The {kind} {name} for account {account} already exists."))
}

fn invalid_combination(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterCombinationException", message)
}
