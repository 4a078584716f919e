//! AppStream 2.0: its operations by name, and what they have in common.

pub(crate) mod application;
pub(crate) mod builder;
pub(crate) mod capacity;
pub(crate) mod fleet;
mod fleet_rules;
pub(crate) mod fleet_update;
pub(crate) mod image;
mod model;
pub(crate) mod people;
pub(crate) mod session;
pub(crate) mod stack;
pub(crate) mod stack_update;
mod tags;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::call::Call;
use crate::model::check;
use crate::page;
use crate::place::{Laws, Place};
use crate::wire::{Refusal, Value, map};
use crate::world::State;

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
    check::input(members, call.input, "ValidationException")?;
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
    let (listed, next) = page::cut(call, "NextToken", size, items)
        .ok_or_else(|| Refusal::new("InvalidParameterCombinationException", "The NextToken is not valid."))?;
    let mut answer = map([(member, Value::List(listed.into_iter().map(spell).collect()))]);
    match next {
        Some(next) => answer.set("NextToken", next),
        None if laws.empty_next_token => answer.set("NextToken", ""),
        None => {}
    }
    Ok(answer)
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
