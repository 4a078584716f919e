//! GameLift, as far as access goes: is the machine there, and the two calls that open it.

use aws_sdk_gamelift::Client;
use aws_sdk_gamelift::types as sdk;
use futures::future::BoxFuture;

use super::errors::ours;
use super::request::Way;
use super::translate::{timestamp, unreadable};
use crate::api::access_grant::{GameLiftComputeTarget, GameLiftInstanceTarget};
use crate::aws::AwsError;
use crate::plan::access_grant::{AccessSeen, ComputeAccess, Credentials, Doing, Login, TargetFacts};
use crate::plan::{Class, SecretText};

const DESCRIBE_FLEET_ATTRIBUTES: &str = "DescribeFleetAttributes";
const DESCRIBE_CONTAINER_FLEET: &str = "DescribeContainerFleet";
const DESCRIBE_LOCATIONS: &str = "DescribeFleetLocationAttributes";
const DESCRIBE_INSTANCES: &str = "DescribeInstances";
const DESCRIBE_COMPUTE: &str = "DescribeCompute";
const GET_INSTANCE_ACCESS: &str = "GetInstanceAccess";
const GET_COMPUTE_ACCESS: &str = "GetComputeAccess";
/// More pages than a fleet has locations (a few dozen Regions): an endless list is an error.
const PAGES: usize = 20;

/// What a fleet is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fleet {
    /// There is none.
    Absent,
    /// Of EC2 instances.
    Ec2 { arn: String, status: String },
    /// Of somebody else's machines.
    Anywhere,
    /// Of containers.
    Container { arn: String, status: String },
}

/// A machine of a fleet, before its fleet is looked at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Machine {
    name: String,
    arn: Option<String>,
    created: Option<jiff::Timestamp>,
    status: String,
    address: Option<String>,
    windows: bool,
    location: Option<String>,
}

impl Machine {
    /// As a plan sees it.
    pub(super) fn facts(&self, fleet_arn: &str, fleet_status: &str) -> TargetFacts {
        let (doing, passing) = open(fleet_status);
        let own = self.arn.clone().unwrap_or_else(|| format!("{fleet_arn}/{}", self.name));
        let terminating =
            self.status.eq_ignore_ascii_case("TERMINATING") || self.status.eq_ignore_ascii_case("TERMINATED");
        let here = if terminating { Doing::NotRunning(self.status.clone()) } else { Doing::Running };
        TargetFacts {
            id: own,
            arn: fleet_arn.parse().ok(),
            created: self.created,
            tags: Default::default(),
            doing: doing.unwrap_or(here),
            passing,
            address: self.address.clone(),
            windows: self.windows,
            location: self.location.clone(),
        }
    }
}

/// Whether a fleet gives access: AWS documents it for those that are up, and for those that are being activated or have failed
/// while they last, where it may be refused.
fn open(status: &str) -> (Option<Doing>, Option<String>) {
    match status {
        // Not said: the call knows.
        "ACTIVE" | "UPDATING" | "" => (None, None),
        "ACTIVATING" | "ERROR" => (None, Some(status.to_owned())),
        _ => (Some(Doing::FleetNot(status.to_owned())), None),
    }
}

/// Whether an id or ARN is that of a container fleet.
fn of_containers(fleet: &str) -> bool {
    fleet.rsplit('/').next().unwrap_or(fleet).starts_with("containerfleet-")
}

/// What a fleet is. Ids that DescribeFleetAttributes does not know it leaves out.
pub(super) fn fleet(client: &Client, way: &Way, id: &str) -> BoxFuture<'static, Result<Fleet, AwsError>> {
    let (client, way, id) = (client.clone(), way.clone(), id.to_owned());
    Box::pin(async move {
        if of_containers(&id) {
            let answer =
                way.read(DESCRIBE_CONTAINER_FLEET, client.describe_container_fleet().fleet_id(&id).send()).await;
            let Some(fleet) = found(answer)?.and_then(|said| said.container_fleet) else { return Ok(Fleet::Absent) };
            let arn = fleet.fleet_arn.unwrap_or(id);
            return Ok(Fleet::Container {
                arn,
                status: word(fleet.status.as_ref().map(sdk::ContainerFleetStatus::as_str)),
            });
        }
        let answer =
            way.read(DESCRIBE_FLEET_ATTRIBUTES, client.describe_fleet_attributes().fleet_ids(&id).send()).await;
        let fleets = found(answer)?.and_then(|said| said.fleet_attributes).unwrap_or_default();
        let Some(fleet) = fleets.into_iter().next() else { return Ok(Fleet::Absent) };
        let arn = fleet.fleet_arn.unwrap_or(id);
        let status = word(fleet.status.as_ref().map(sdk::FleetStatus::as_str));
        Ok(match fleet.compute_type {
            Some(sdk::ComputeType::Anywhere) => Fleet::Anywhere,
            Some(other) if other.as_str() == "CONTAINER" => Fleet::Container { arn, status },
            Some(_) | None => Fleet::Ec2 { arn, status },
        })
    })
}

/// An instance of an EC2 fleet, wherever the fleet has locations: the fleet's id alone means its home Region.
pub(super) fn instance(
    client: &Client,
    way: &Way,
    target: &GameLiftInstanceTarget,
) -> BoxFuture<'static, Result<Option<Machine>, AwsError>> {
    let (client, way, target) = (client.clone(), way.clone(), target.clone());
    Box::pin(async move {
        if let Some(machine) = instance_at(&client, &way, &target, None).await? {
            return Ok(Some(machine));
        }
        for location in locations(&client, &way, &target.fleet_id).await? {
            if let Some(machine) = instance_at(&client, &way, &target, Some(location)).await? {
                return Ok(Some(machine));
            }
        }
        Ok(None)
    })
}

async fn instance_at(
    client: &Client,
    way: &Way,
    target: &GameLiftInstanceTarget,
    location: Option<String>,
) -> Result<Option<Machine>, AwsError> {
    let request = client.describe_instances().fleet_id(&target.fleet_id).instance_id(&target.instance_id);
    let answer = way.read(DESCRIBE_INSTANCES, request.set_location(location).send()).await;
    let instances = found(answer)?.and_then(|said| said.instances).unwrap_or_default();
    let wanted = instances.into_iter().find(|one| one.instance_id.as_deref() == Some(&target.instance_id));
    Ok(wanted.map(|instance| Machine {
        name: target.instance_id.clone(),
        arn: None,
        created: instance.creation_time.as_ref().and_then(timestamp),
        status: word(instance.status.as_ref().map(sdk::InstanceStatus::as_str)),
        address: some_text(instance.ip_address),
        windows: windows(instance.operating_system.as_ref()),
        location: some_text(instance.location),
    }))
}

/// The locations of a fleet. Where AWS has no fleets with several, it says so, and there are no more.
async fn locations(client: &Client, way: &Way, fleet: &str) -> Result<Vec<String>, AwsError> {
    let mut locations = Vec::new();
    let mut token = None;
    for _ in 0..PAGES {
        let request = client.describe_fleet_location_attributes().fleet_id(fleet).set_next_token(token);
        let page = match way.read(DESCRIBE_LOCATIONS, request.send()).await {
            Ok(page) => page,
            Err(error) if error.code == "UnsupportedRegionException" || error.class == Class::NotFound => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        let states = page.location_attributes.unwrap_or_default().into_iter();
        locations.extend(states.filter_map(|location| location.location_state?.location));
        token = some_text(page.next_token);
        if token.is_none() {
            return Ok(locations);
        }
    }
    Err(unreadable(DESCRIBE_LOCATIONS, "a list of locations without an end"))
}

/// A compute of a fleet.
pub(super) fn compute(
    client: &Client,
    way: &Way,
    target: &GameLiftComputeTarget,
) -> BoxFuture<'static, Result<Option<Machine>, AwsError>> {
    let (client, way, target) = (client.clone(), way.clone(), target.clone());
    Box::pin(async move {
        let request = client.describe_compute().fleet_id(&target.fleet_id).compute_name(&target.compute_name);
        let answer = way.read(DESCRIBE_COMPUTE, request.send()).await;
        let Some(compute) = found(answer)?.and_then(|said| said.compute) else { return Ok(None) };
        Ok(Some(Machine {
            name: target.compute_name.clone(),
            arn: some_text(compute.compute_arn),
            created: compute.creation_time.as_ref().and_then(timestamp),
            status: word(compute.compute_status.as_ref().map(sdk::ComputeStatus::as_str)),
            address: some_text(compute.ip_address),
            windows: windows(compute.operating_system.as_ref()),
            location: some_text(compute.location),
        }))
    })
}

/// Whom GameLift lets in to an instance, on Linux and on Windows.
/// <https://docs.aws.amazon.com/gamelift/latest/developerguide/fleets-remote-access.html>
const USER: &str = "gl-user-remote";

/// GetInstanceAccess. Neither its answer nor its error is ever formatted: both may hold the credentials.
pub(super) async fn instance_access(
    client: &Client,
    way: &Way,
    target: &GameLiftInstanceTarget,
    described_windows: bool,
) -> Result<AccessSeen, AwsError> {
    let request = client.get_instance_access().fleet_id(&target.fleet_id).instance_id(&target.instance_id);
    let access = match answered(way.read(GET_INSTANCE_ACCESS, request.send()).await)? {
        Ok(said) => said.instance_access,
        Err(seen) => return Ok(seen),
    };
    let lacks = || ours(GET_INSTANCE_ACCESS, Class::Unavailable, "Unreadable", "the answer holds no credentials");
    let access = access.ok_or_else(lacks)?;
    let windows = access.operating_system.as_ref().map_or(described_windows, |system| windows(Some(system)));
    let credentials = access.credentials.ok_or_else(lacks)?;
    let login = Login {
        host: some_text(access.ip_address),
        username: some_text(credentials.user_name).unwrap_or_else(|| USER.to_owned()),
        secret: SecretText::new(credentials.secret.unwrap_or_default()),
    };
    Ok(AccessSeen::Given(if windows { Credentials::GameLiftRdp(login) } else { Credentials::GameLiftSsh(login) }))
}

/// GetComputeAccess. Neither its answer nor its error is ever formatted: both may hold the credentials.
pub(super) async fn compute_access(
    client: &Client,
    way: &Way,
    target: &GameLiftComputeTarget,
    region: &str,
) -> Result<AccessSeen, AwsError> {
    let request = client.get_compute_access().fleet_id(&target.fleet_id).compute_name(&target.compute_name);
    let said = match answered(way.read(GET_COMPUTE_ACCESS, request.send()).await)? {
        Ok(said) => said,
        Err(seen) => return Ok(seen),
    };
    let lacks = || ours(GET_COMPUTE_ACCESS, Class::Unavailable, "Unreadable", "the answer holds no credentials");
    let credentials = said.credentials.ok_or_else(lacks)?;
    let secret = |text: Option<String>| SecretText::new(text.unwrap_or_default());
    let containers = said.container_identifiers.unwrap_or_default().into_iter();
    Ok(AccessSeen::Given(Credentials::Compute(ComputeAccess {
        access_key_id: secret(credentials.access_key_id),
        secret_access_key: secret(credentials.secret_access_key),
        session_token: secret(credentials.session_token),
        // For EC2 fleets AWS may leave it out: there the compute's name is the instance's id.
        target: some_text(said.target).unwrap_or_else(|| target.compute_name.clone()),
        region: region.to_owned(),
        containers: containers
            .map(|one| (one.container_name.unwrap_or_default(), one.container_runtime_id.unwrap_or_default()))
            .collect(),
    })))
}

/// What an access call says that is no failure of ours to ask: absence, refusal, "not now".
pub(super) fn answered<T>(answer: Result<T, AwsError>) -> Result<Result<T, AccessSeen>, AwsError> {
    match answer {
        Ok(said) => Ok(Ok(said)),
        Err(error) => match error.class {
            Class::NotFound => Ok(Err(AccessSeen::NotFound)),
            Class::Rejected => Ok(Err(AccessSeen::Refused(error.code, error.message))),
            Class::InUse | Class::Busy => Ok(Err(AccessSeen::NotYet(error.message))),
            Class::AlreadyExists
            | Class::Throttled
            | Class::QuotaExceeded
            | Class::AccountPending
            | Class::AccessDenied
            | Class::Unavailable
            | Class::NotSent => Err(error),
        },
    }
}

fn found<T>(answer: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(said) => Ok(Some(said)),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn windows(system: Option<&sdk::OperatingSystem>) -> bool {
    system.is_some_and(|system| system.as_str().starts_with("WINDOWS"))
}

fn word(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn some_text(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
