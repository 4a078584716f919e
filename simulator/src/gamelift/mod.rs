//! GameLift, as far as access to game servers needs it: fleets of three kinds, their instances and computes, and the two
//! calls that hand out credentials. It speaks RPC v2 CBOR and JSON 1.1. Nothing is created over the API: a world's people
//! put fleets and computes into it.

mod access;
pub(crate) mod compute;
pub(crate) mod fleet;
mod model;
pub(crate) mod people;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::call::Call;
use crate::model::check;
use crate::page;
use crate::place::{Laws, Place};
use crate::wire::{Refusal, Value, map};
use crate::world::State;

use fleet::Fleet;

/// Everything GameLift keeps in one account and region.
#[derive(Clone, Debug, Default)]
pub(crate) struct GameLift {
    /// By id.
    pub(crate) fleets: BTreeMap<String, Fleet>,
    /// Computes so far.
    computes_made: u64,
}

/// Whether this AWS knows the operation.
pub(crate) fn knows(operation: &str) -> bool {
    model::input(operation).is_some()
}

/// Every name in the request that a resource could go by, the most telling one first.
pub(crate) fn resources(input: &Json) -> Vec<String> {
    let named = ["ComputeName", "InstanceId", "FleetId"];
    let single = named.iter().filter_map(|member| input[*member].as_str());
    let listed = input["FleetIds"].as_array().into_iter().flatten().filter_map(Json::as_str);
    single.chain(listed).map(str::to_owned).collect()
}

/// Checks the input against the API model, then answers. Nothing here changes anything.
pub(crate) fn act(state: &mut State, call: &Call<'_>) -> Result<Value, Refusal> {
    let Some(members) = model::input(call.operation) else {
        return Err(Refusal::new("UnknownOperationException", ""));
    };
    check::input(members, call.input, "InvalidRequestException")?;
    let place = state.seen(&call.place);
    match call.operation {
        "DescribeFleetAttributes" => fleet::describe(place, call),
        "DescribeFleetLocationAttributes" => fleet::describe_locations(place, call),
        "DescribeContainerFleet" => fleet::describe_container(place, call),
        "DescribeInstances" => compute::describe_instances(place, call),
        "ListCompute" => compute::list(place, call),
        "DescribeCompute" => compute::describe(place, call),
        "GetInstanceAccess" => access::of_instance(place, call),
        "GetComputeAccess" => access::of_compute(place, call),
        _ => Err(Refusal::new("UnknownOperationException", "")),
    }
}

/// Items on one page when the request says nothing. AWS documents no number.
const USUAL_PAGE: usize = 50;

/// One page of at most `Limit` items.
fn page_of<T>(
    call: &Call<'_>,
    laws: &Laws,
    member: &str,
    items: Vec<(String, T)>,
    spell: impl Fn(T) -> Value,
) -> Result<Value, Refusal> {
    let asked = call.input["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok());
    let size = asked.unwrap_or(USUAL_PAGE).min(laws.page_size);
    let (listed, next) =
        page::cut(call, "NextToken", size, items).ok_or_else(|| invalid("The NextToken is not valid."))?;
    let mut answer = map([(member, Value::List(listed.into_iter().map(spell).collect()))]);
    match next {
        Some(next) => answer.set("NextToken", next),
        None if laws.empty_next_token => answer.set("NextToken", ""),
        None => {}
    }
    Ok(answer)
}

impl Place {
    /// The fleet of this id or ARN.
    fn game_fleet(&self, id_or_arn: &str) -> Result<&Fleet, Refusal> {
        let fleets = self.gamelift.fleets.values();
        let mut found = fleets.filter(|fleet| fleet.id == id_or_arn || fleet.arn == id_or_arn);
        found.next().ok_or_else(|| not_found(format!("Fleet {id_or_arn} was not found.")))
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidRequestException", message)
}

fn not_found(message: impl Into<String>) -> Refusal {
    Refusal::new("NotFoundException", message)
}
