//! Fleets of the three kinds, and how they are described.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::compute::Compute;
use super::{not_found, page_of};
use crate::call::Call;
use crate::place::Place;
use crate::wire::{Refusal, Value, map};

/// What a fleet's game servers run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum GameFleetKind {
    /// Instances that AWS manages.
    Ec2,
    /// Machines of one's own.
    Anywhere,
    /// Containers on instances that AWS manages.
    Container,
}

/// Status of a fleet: those of FleetStatus and of ContainerFleetStatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GameFleetStatus {
    /// Just made.
    New,
    /// The build is on its way to the first instance.
    Downloading,
    /// The build is looked at.
    Validating,
    /// The build is being installed.
    Building,
    /// The first servers start.
    Activating,
    /// Up.
    Active,
    /// On its way out.
    Deleting,
    /// Could not be activated; AWS deletes it soon.
    Error,
    /// Gone.
    Terminated,
    /// Too old to be run.
    Expired,
    /// Container fleets: just made.
    Pending,
    /// Container fleets: being made.
    Creating,
    /// Container fleets: made.
    Created,
    /// Container fleets: another deployment is under way.
    Updating,
}

impl GameFleetStatus {
    /// As AWS spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Downloading => "DOWNLOADING",
            Self::Validating => "VALIDATING",
            Self::Building => "BUILDING",
            Self::Activating => "ACTIVATING",
            Self::Active => "ACTIVE",
            Self::Deleting => "DELETING",
            Self::Error => "ERROR",
            Self::Terminated => "TERMINATED",
            Self::Expired => "EXPIRED",
            Self::Pending => "PENDING",
            Self::Creating => "CREATING",
            Self::Created => "CREATED",
            Self::Updating => "UPDATING",
        }
    }
}

/// One fleet.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) kind: GameFleetKind,
    pub(crate) status: GameFleetStatus,
    pub(crate) created_at: Timestamp,
    pub(crate) operating_system: String,
    pub(crate) instance_type: String,
    /// Major version of the server SDK that the build uses: it decides how instances are accessed.
    pub(crate) server_sdk: u8,
    /// The home Region first (a custom location for Anywhere fleets).
    pub(crate) locations: Vec<String>,
    /// By name.
    pub(crate) computes: BTreeMap<String, Compute>,
}

impl Fleet {
    /// What FleetAttributes shows. Members without meaning for a kind are left out, as in AWS's samples.
    fn spell(&self) -> Value {
        let managed = |value: &str| Some(value.to_owned()).filter(|_| self.kind == GameFleetKind::Ec2);
        let build = self.id.replace("fleet-", "build-");
        let anywhere = (self.kind == GameFleetKind::Anywhere).then(|| map([("Cost", "0.00".into())]));
        map([
            ("FleetId", self.id.as_str().into()),
            ("FleetArn", self.arn.as_str().into()),
            ("FleetType", managed("ON_DEMAND").into()),
            ("InstanceType", managed(&self.instance_type).into()),
            ("Name", format!("fleet of {}", self.operating_system).into()),
            ("CreationTime", self.created_at.into()),
            ("Status", self.status.as_str().into()),
            ("BuildId", managed(&build).into()),
            ("OperatingSystem", managed(&self.operating_system).into()),
            ("NewGameSessionProtectionPolicy", managed("NoProtection").into()),
            ("MetricGroups", Value::List(vec!["default".into()])),
            ("CertificateConfiguration", map([("CertificateType", "DISABLED".into())])),
            ("ComputeType", if self.kind == GameFleetKind::Anywhere { "ANYWHERE" } else { "EC2" }.into()),
            ("AnywhereConfiguration", anywhere.unwrap_or(Value::Null)),
        ])
    }

    fn spell_container(&self) -> Value {
        let locations = self
            .locations
            .iter()
            .map(|location| map([("Location", location.as_str().into()), ("Status", self.status.as_str().into())]));
        map([
            ("FleetId", self.id.as_str().into()),
            ("FleetArn", self.arn.as_str().into()),
            ("GameServerContainerGroupDefinitionName", super::compute::DEFINITION.into()),
            ("InstanceType", self.instance_type.as_str().into()),
            ("BillingType", "ON_DEMAND".into()),
            ("CreationTime", self.created_at.into()),
            ("NewGameSessionProtectionPolicy", "NoProtection".into()),
            ("Status", self.status.as_str().into()),
            ("LocationAttributes", Value::List(locations.collect())),
        ])
    }
}

/// DescribeFleetAttributes: EC2 and Anywhere fleets. Ids that are not there are left out without a word.
pub(crate) fn describe(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let fleets = place.gamelift.fleets.values().filter(|fleet| fleet.kind != GameFleetKind::Container);
    let Some(asked) = call.input["FleetIds"].as_array() else {
        let all = fleets.map(|fleet| (fleet.id.clone(), fleet)).collect();
        return page_of(call, &place.laws, "FleetAttributes", all, Fleet::spell);
    };
    let asked: Vec<&str> = asked.iter().filter_map(Json::as_str).collect();
    let named = fleets.filter(|fleet| asked.iter().any(|one| *one == fleet.id || *one == fleet.arn));
    Ok(map([("FleetAttributes", Value::List(named.map(Fleet::spell).collect()))]))
}

/// DescribeFleetLocationAttributes.
pub(crate) fn describe_locations(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let fleet = place.game_fleet(call.text("FleetId"))?;
    let asked: Option<Vec<&str>> =
        call.input["Locations"].as_array().map(|all| all.iter().filter_map(Json::as_str).collect());
    let wanted = |location: &&String| asked.as_ref().is_none_or(|all| all.contains(&location.as_str()));
    let listed = fleet.locations.iter().filter(wanted).map(|location| (location.clone(), location)).collect();
    let spell = |location: &String| {
        let state = map([("Location", location.as_str().into()), ("Status", fleet.status.as_str().into())]);
        map([("LocationState", state), ("StoppedActions", Value::List(Vec::new()))])
    };
    let mut answer = page_of(call, &place.laws, "LocationAttributes", listed, spell)?;
    answer.set("FleetId", fleet.id.as_str());
    answer.set("FleetArn", fleet.arn.as_str());
    Ok(answer)
}

/// DescribeContainerFleet.
pub(crate) fn describe_container(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let asked = call.text("FleetId");
    let fleet = place.game_fleet(asked)?;
    if fleet.kind != GameFleetKind::Container {
        return Err(not_found(format!("Container fleet {asked} was not found.")));
    }
    Ok(map([("ContainerFleet", fleet.spell_container())]))
}
