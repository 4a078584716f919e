//! Lightsail: its operations by name, and what they have in common. It speaks JSON 1.1 only.

mod access;
pub(crate) mod add_on;
pub(crate) mod address;
pub(crate) mod catalogue;
pub(crate) mod instance;
pub(crate) mod judged;
mod key_pair;
mod launch;
mod metadata;
mod model;
pub(crate) mod names;
mod operation;
pub(crate) mod people;
pub(crate) mod ports;
mod power;
mod regions;
pub(crate) mod static_ip;
mod tags;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::call::Call;
use crate::model::check;
use crate::page;
use crate::place::{Laws, Place};
use crate::wire::{Refusal, Value, map};
use crate::world::State;

use instance::Instance;
use key_pair::KeyPair;
use operation::Operation;
use static_ip::StaticIp;

/// Everything Lightsail keeps in one account and region.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lightsail {
    pub(crate) instances: BTreeMap<String, Instance>,
    pub(crate) static_ips: BTreeMap<String, StaticIp>,
    pub(crate) key_pairs: BTreeMap<String, KeyPair>,
    /// Names of resources of other types (a disk, a domain), which no new resource can have.
    pub(crate) others: BTreeMap<String, String>,
    /// Blueprints and bundles that AWS has withdrawn from new instances, by id.
    pub(crate) retired: BTreeSet<String>,
    /// Temporary keys and key pairs so far.
    accesses: u64,
    key_pairs_made: u64,
    operations: VecDeque<Operation>,
    /// Operations so far, for their order.
    serial: u64,
}

impl Lightsail {
    /// Brings everything whose time has come up to `now`.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        self.instances.retain(|_, instance| instance.settle(now));
        for ip in self.static_ips.values_mut() {
            ip.attached_to = ip.attached_to.take().filter(|name| self.instances.contains_key(name));
        }
    }
}

/// Whether this AWS knows the operation.
pub(crate) fn knows(operation: &str) -> bool {
    model::input(operation).is_some()
}

/// Whether the operation changes anything.
pub(crate) fn mutates(operation: &str) -> bool {
    !operation.starts_with("Get")
}

/// Every name in the request that a resource could go by, the most telling one first.
pub(crate) fn resources(input: &Json) -> Vec<String> {
    let named = ["instanceName", "staticIpName", "resourceName", "keyPairName", "operationId"];
    let listed = input["instanceNames"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let single = named.iter().filter_map(|member| input[*member].as_str());
    listed.chain(single).map(str::to_owned).collect()
}

/// Checks the input against the API model, then does what is asked.
pub(crate) fn act(state: &mut State, call: &Call<'_>) -> Result<Value, Refusal> {
    let Some(members) = model::input(call.operation) else {
        return Err(Refusal::new("UnknownOperationException", ""));
    };
    check::input(members, call.input, "InvalidInputException")?;
    if mutates(call.operation) { write(state.change(&call.place), call) } else { read(state.seen(&call.place), call) }
}

fn read(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    match call.operation {
        "GetInstance" => instance::get(place, call),
        "GetInstances" => instance::list(place, call),
        "GetInstanceState" => instance::get_state(place, call),
        "GetInstanceAccessDetails" => access::get(place, call),
        "GetInstancePortStates" => ports::get_states(place, call),
        "GetStaticIp" => static_ip::get(place, call),
        "GetStaticIps" => static_ip::list(place, call),
        "GetAutoSnapshots" => add_on::get_snapshots(place, call),
        "GetBlueprints" => catalogue::get_blueprints(place, call),
        "GetBundles" => catalogue::get_bundles(place, call),
        "GetRegions" => Ok(regions::get(call)),
        "GetOperation" => operation::get(place, call),
        "GetOperations" => operation::list(place, call),
        "GetOperationsForResource" => operation::list_for_resource(place, call),
        "GetKeyPair" => key_pair::get(place, call),
        "GetKeyPairs" => key_pair::list(place, call),
        "GetActiveNames" => names::get_active(place, call),
        _ => Err(Refusal::new("UnknownOperationException", "")),
    }
}

fn write(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    match call.operation {
        "CreateInstances" => launch::create(place, call),
        "StartInstance" => power::start(place, call),
        "StopInstance" => power::stop(place, call),
        "RebootInstance" => power::reboot(place, call),
        "DeleteInstance" => power::delete(place, call),
        "PutInstancePublicPorts" => ports::put(place, call),
        "OpenInstancePublicPorts" => ports::open(place, call),
        "CloseInstancePublicPorts" => ports::close(place, call),
        "AllocateStaticIp" => static_ip::allocate(place, call),
        "AttachStaticIp" => static_ip::attach(place, call),
        "DetachStaticIp" => static_ip::detach(place, call),
        "ReleaseStaticIp" => static_ip::release(place, call),
        "EnableAddOn" => add_on::enable(place, call),
        "DisableAddOn" => add_on::disable(place, call),
        "SetIpAddressType" => address::set_type(place, call),
        "UpdateInstanceMetadataOptions" => metadata::update(place, call),
        "TagResource" => tags::tag(place, call),
        "UntagResource" => tags::untag(place, call),
        "CreateKeyPair" => key_pair::create(place, call),
        "ImportKeyPair" => key_pair::import(place, call),
        "DeleteKeyPair" => key_pair::delete(place, call),
        _ => Err(Refusal::new("UnknownOperationException", "")),
    }
}

/// One page: Lightsail has no size parameter, `pageToken` goes in and `nextPageToken` comes back.
fn page_of<T>(
    call: &Call<'_>,
    laws: &Laws,
    member: &str,
    items: Vec<(String, T)>,
    spell: impl Fn(T) -> Value,
) -> Result<Value, Refusal> {
    let cut = page::cut(call, "pageToken", laws.page_size, items);
    let (listed, next) = cut.ok_or_else(|| invalid("The page token is not valid."))?;
    let mut answer = map([(member, Value::List(listed.into_iter().map(spell).collect()))]);
    match next {
        Some(next) => answer.set("nextPageToken", next),
        None if laws.empty_next_token => answer.set("nextPageToken", ""),
        None => {}
    }
    Ok(answer)
}

/// The `operations` of most answers.
fn operations(all: Vec<Value>) -> Value {
    map([("operations", Value::List(all))])
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidInputException", message)
}

/// NotFoundException with the sub-code that hides it from the Rust SDK.
fn not_found(kind: &str, name: &str) -> Refusal {
    Refusal::new("NotFoundException", format!("The {kind} does not exist: {name}")).with_sub_code("DoesNotExist")
}
