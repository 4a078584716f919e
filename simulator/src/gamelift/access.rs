//! GetInstanceAccess and GetComputeAccess: the calls that hand out credentials.

use rand::Rng;
use rand::rngs::StdRng;

use super::fleet::{Fleet, GameFleetKind, GameFleetStatus};
use super::{invalid, not_found};
use crate::call::Call;
use crate::keys::rsa::{self, Purpose};
use crate::place::Place;
use crate::wire::{Refusal, Value, map};

/// The user of every instance (developer guide).
const USER: &str = "gl-user-remote";

/// The server SDK from which on instances are reached through Systems Manager.
const SSM_SINCE: u8 = 5;

/// GetInstanceAccess: a key or a password for an instance of an EC2 fleet whose build uses server SDK 4 or older. The same
/// at every call.
pub(crate) fn of_instance(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let fleet = place.game_fleet(call.text("FleetId"))?;
    let id = &fleet.id;
    if fleet.kind != GameFleetKind::Ec2 || fleet.server_sdk >= SSM_SINCE {
        return Err(invalid(format!(
            "GetInstanceAccess is not supported for fleet {id}. Use GetComputeAccess instead."
        )));
    }
    check_status(fleet, &[GameFleetStatus::Activating, GameFleetStatus::Active, GameFleetStatus::Error])?;
    let asked = call.text("InstanceId");
    let instances = fleet.instances();
    let missing = || not_found(format!("Instance {asked} was not found in fleet {id}."));
    let instance = instances.get(asked).ok_or_else(missing)?;
    let secret = if fleet.operating_system.starts_with("WINDOWS") {
        instance.password.0.clone()
    } else {
        // AWS's own sample has no newline at the end.
        rsa::key(Purpose::GameServer, instance.key)?.pem().trim_end().to_owned()
    };
    let access = map([
        ("FleetId", id.as_str().into()),
        ("InstanceId", asked.into()),
        ("IpAddress", instance.address.as_str().into()),
        ("OperatingSystem", fleet.operating_system.as_str().into()),
        ("Credentials", map([("UserName", USER.into()), ("Secret", secret.into())])),
    ]);
    Ok(map([("InstanceAccess", access)]))
}

/// GetComputeAccess: new AWS credentials for Systems Manager at every call, without a word on how long they are valid.
pub(crate) fn of_compute(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let (account, mut rng) = (place.account.clone(), place.rng.clone());
    let fleet = place.game_fleet(call.text("FleetId"))?;
    let id = &fleet.id;
    match fleet.kind {
        GameFleetKind::Anywhere => {
            return Err(invalid(format!("GetComputeAccess is not supported for Anywhere fleets: {id}")));
        }
        GameFleetKind::Ec2 if fleet.server_sdk < SSM_SINCE => {
            let text = format!("GetComputeAccess is not supported for fleet {id}. Use GetInstanceAccess instead.");
            return Err(invalid(text));
        }
        GameFleetKind::Ec2 => {
            check_status(fleet, &[GameFleetStatus::Activating, GameFleetStatus::Active, GameFleetStatus::Error])?;
        }
        GameFleetKind::Container => {
            check_status(fleet, &[GameFleetStatus::Activating, GameFleetStatus::Active, GameFleetStatus::Updating])?;
        }
    }
    let compute = fleet.compute(call.text("ComputeName"))?;
    let credentials = credentials(&account, &mut rng);
    // Samples of EC2 fleets have nothing but the credentials.
    let mut answer = map([("Credentials", credentials)]);
    if fleet.kind == GameFleetKind::Container {
        answer.set("FleetId", id.as_str());
        answer.set("FleetArn", fleet.arn.as_str());
        answer.set("ComputeName", compute.name.as_str());
        answer.set("ComputeArn", compute.arn.clone());
        answer.set("Target", compute.instance_id.clone());
        let containers = compute.containers.iter().map(super::compute::GameContainer::spell).collect();
        answer.set("ContainerIdentifiers", Value::List(containers));
    }
    place.rng = rng;
    Ok(answer)
}

/// What AWS answers for another status is not written down; of the errors that the model has, this one fits.
fn check_status(fleet: &Fleet, taken: &[GameFleetStatus]) -> Result<(), Refusal> {
    if taken.contains(&fleet.status) {
        return Ok(());
    }
    Err(invalid(format!("Fleet {} cannot be accessed while it is {}.", fleet.id, fleet.status.as_str())))
}

/// Temporary credentials as STS makes them. No service here takes them: they are for Systems Manager.
fn credentials(account: &str, rng: &mut StdRng) -> Value {
    let mut text = |length: usize| -> String {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        (0..length).map(|_| char::from(letters[rng.random_range(0..letters.len())])).collect()
    };
    let (secret, token) = (text(40), text(300));
    let number: u16 = rng.random();
    map([
        ("AccessKeyId", format!("ASIA{account}{number:04X}").into()),
        ("SecretAccessKey", secret.into()),
        ("SessionToken", format!("IQoJb3JpZ2luX2Vj{token}").into()),
    ])
}
