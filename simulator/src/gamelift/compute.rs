//! Instances and computes: what a fleet's game servers run on, by both of its names.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fleet::{Fleet, GameFleetKind};
use super::{invalid, not_found, page_of};
use crate::call::Call;
use crate::keys::Password;
use crate::place::Place;
use crate::wire::{Refusal, Value, map};

/// The container group definition of every container fleet.
pub(crate) const DEFINITION: &str = "game-server";

/// Status of a compute or an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ComputeState {
    /// On its way up.
    Pending,
    /// Up.
    Active,
    /// On its way out.
    Terminating,
    /// Container fleets: a container has failed.
    Impaired,
}

impl ComputeState {
    /// As AWS spells it in enums.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Active => "ACTIVE",
            Self::Terminating => "TERMINATING",
            Self::Impaired => "IMPAIRED",
        }
    }

    /// As computes of EC2 and Anywhere fleets have it: no value of the enum (API reference).
    fn plain(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Active => "Active",
            Self::Terminating => "Terminating",
            Self::Impaired => "Impaired",
        }
    }
}

/// One container of a compute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GameContainer {
    /// Its name in the definition.
    pub name: String,
    /// What Docker calls it.
    pub runtime_id: String,
}

/// One compute. In an EC2 fleet it is an instance and has the instance's id for its name.
#[derive(Clone, Debug)]
pub(crate) struct Compute {
    pub(crate) name: String,
    /// Computes of EC2 fleets have none.
    pub(crate) arn: Option<String>,
    /// The instance below it; none in Anywhere fleets.
    pub(crate) instance_id: Option<String>,
    pub(crate) address: String,
    pub(crate) dns_name: Option<String>,
    pub(crate) location: String,
    pub(crate) state: ComputeState,
    pub(crate) created_at: Timestamp,
    pub(crate) containers: Vec<GameContainer>,
    /// Which of the world's keys GetInstanceAccess answers on Linux, and the password that it answers on Windows.
    pub(crate) key: u64,
    pub(crate) password: Password,
}

impl Compute {
    fn spell(&self, fleet: &Fleet, place: &Place) -> Value {
        let containers: Vec<Value> = self.containers.iter().map(GameContainer::spell).collect();
        let is = |kind: GameFleetKind| fleet.kind == kind;
        let machine = |value: &str| Some(value.to_owned()).filter(|_| !is(GameFleetKind::Anywhere));
        let endpoint = format!("wss://{}.api.amazongamelift.com", place.region);
        let definition = format!("containergroupdefinition/{DEFINITION}:1");
        map([
            ("FleetId", fleet.id.as_str().into()),
            ("FleetArn", fleet.arn.as_str().into()),
            ("ComputeName", self.name.as_str().into()),
            ("ComputeArn", self.arn.clone().into()),
            ("IpAddress", self.address.as_str().into()),
            ("DnsName", self.dns_name.clone().into()),
            (
                "ComputeStatus",
                if is(GameFleetKind::Container) { self.state.as_str() } else { self.state.plain() }.into(),
            ),
            ("Location", self.location.as_str().into()),
            ("CreationTime", self.created_at.into()),
            ("OperatingSystem", machine(&fleet.operating_system).into()),
            ("Type", machine(&fleet.instance_type).into()),
            ("GameLiftServiceSdkEndpoint", is(GameFleetKind::Anywhere).then_some(endpoint).into()),
            ("InstanceId", self.instance_id.clone().into()),
            ("ContainerAttributes", Some(containers).filter(|all| !all.is_empty()).into()),
            (
                "GameServerContainerGroupDefinitionArn",
                is(GameFleetKind::Container).then(|| place.arn_of("gamelift", &definition)).into(),
            ),
        ])
    }

    fn spell_instance(&self, fleet: &Fleet) -> Value {
        let status = match self.state {
            // An instance is not impaired when a container on it is.
            ComputeState::Impaired | ComputeState::Active => "ACTIVE",
            ComputeState::Pending => "PENDING",
            ComputeState::Terminating => "TERMINATING",
        };
        map([
            ("FleetId", fleet.id.as_str().into()),
            ("FleetArn", fleet.arn.as_str().into()),
            ("InstanceId", self.instance_id.clone().into()),
            ("IpAddress", self.address.as_str().into()),
            ("DnsName", self.dns_name.clone().into()),
            ("OperatingSystem", fleet.operating_system.as_str().into()),
            ("Type", fleet.instance_type.as_str().into()),
            ("Status", status.into()),
            ("CreationTime", self.created_at.into()),
            ("Location", self.location.as_str().into()),
        ])
    }
}

impl GameContainer {
    pub(crate) fn spell(&self) -> Value {
        map([("ContainerName", self.name.as_str().into()), ("ContainerRuntimeId", self.runtime_id.as_str().into())])
    }
}

impl Fleet {
    /// The compute of this name or ARN.
    pub(crate) fn compute(&self, name_or_arn: &str) -> Result<&Compute, Refusal> {
        let mut all = self.computes.values();
        let found = all.find(|one| one.name == name_or_arn || one.arn.as_deref() == Some(name_or_arn));
        found.ok_or_else(|| not_found(format!("Compute {name_or_arn} was not found in fleet {}.", self.id)))
    }

    /// Its instances, each once, by their ids: several computes of a container fleet may be on one.
    pub(crate) fn instances(&self) -> std::collections::BTreeMap<&str, &Compute> {
        self.computes.values().filter_map(|one| Some((one.instance_id.as_deref()?, one))).collect()
    }
}

/// DescribeInstances: of the home Region, unless another location is asked for.
pub(crate) fn describe_instances(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let fleet = place.game_fleet(call.text("FleetId"))?;
    if fleet.kind == GameFleetKind::Anywhere {
        return Err(invalid(format!("DescribeInstances is not supported for Anywhere fleets: {}", fleet.id)));
    }
    let location = call.input["Location"].as_str().unwrap_or(&place.region);
    let instances = fleet.instances().into_iter().filter(|(_, one)| one.location == location);
    let asked = call.input["InstanceId"].as_str();
    let named: Vec<(String, &Compute)> = instances
        .filter(|(id, _)| asked.is_none_or(|asked| asked == *id))
        .map(|(id, one)| (id.to_owned(), one))
        .collect();
    match asked {
        Some(id) if named.is_empty() => Err(not_found(format!("Instance {id} was not found in fleet {}.", fleet.id))),
        _ => page_of(call, &place.laws, "Instances", named, |one| one.spell_instance(fleet)),
    }
}

/// ListCompute. Its model has no NotFoundException, so that an unknown fleet is an invalid request.
pub(crate) fn list(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let fleet = place.game_fleet(call.text("FleetId")).map_err(|refusal| invalid(refusal.message))?;
    let definition = call.input["ContainerGroupDefinitionName"].as_str();
    let (location, status) = (call.input["Location"].as_str(), call.input["ComputeStatus"].as_str());
    let wanted = |one: &&Compute| {
        location.is_none_or(|asked| one.location == asked)
            && status.is_none_or(|asked| one.state.as_str() == asked)
            && definition.is_none_or(|asked| fleet.kind == GameFleetKind::Container && names_definition(asked))
    };
    let all = fleet.computes.values().filter(wanted).map(|one| (one.name.clone(), one)).collect();
    page_of(call, &place.laws, "ComputeList", all, |one| one.spell(fleet, place))
}

/// A definition goes by its name or by its ARN, which ends in a version.
fn names_definition(asked: &str) -> bool {
    let name = asked.rsplit_once('/').map_or(asked, |(_, name)| name);
    name.split(':').next() == Some(DEFINITION)
}

/// DescribeCompute.
pub(crate) fn describe(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let fleet = place.game_fleet(call.text("FleetId"))?;
    let compute = fleet.compute(call.text("ComputeName"))?;
    Ok(map([("Compute", compute.spell(fleet, place))]))
}
