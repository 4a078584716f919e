//! What people do to GameLift: put fleets and computes into the home account and region, change them, take them away.

use jiff::Timestamp;
use rand::Rng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::compute::{Compute, ComputeState, GameContainer};
use super::fleet::{Fleet, GameFleetKind, GameFleetStatus};
use crate::keys::Password;
use crate::lightsail::address::public_ipv4;
use crate::place::uuid;
use crate::world::World;

/// GameLift keys that there are in a process before one is used again.
const DISTINCT_KEYS: u64 = 8;

/// A fleet to be put.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", default)]
pub struct GameFleetSeed {
    /// What it runs on.
    pub kind: GameFleetKind,
    /// As AWS spells it (`AMAZON_LINUX_2023`, `WINDOWS_2022`).
    pub operating_system: String,
    /// Major version of the build's server SDK: up to 4 GetInstanceAccess answers, from 5 on GetComputeAccess.
    pub server_sdk: u8,
    /// Locations besides the home Region; for an Anywhere fleet its custom locations.
    pub locations: Vec<String>,
}

impl Default for GameFleetSeed {
    fn default() -> Self {
        Self {
            kind: GameFleetKind::Ec2,
            operating_system: "AMAZON_LINUX_2023".to_owned(),
            server_sdk: 5,
            locations: Vec::new(),
        }
    }
}

/// A compute to be put.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", default)]
pub struct ComputeSeed {
    /// Its name in an Anywhere fleet; elsewhere AWS makes one.
    pub name: Option<String>,
    /// A location of the fleet. Absent: its first one.
    pub location: Option<String>,
    /// An instance that is there already, in a container fleet. Absent: a new one.
    pub instance_id: Option<String>,
    /// Names of its containers, in a container fleet. None: one container, `game`.
    pub containers: Vec<String>,
}

/// What may be changed of a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct GameFleetEdit {
    /// Its status.
    pub status: GameFleetStatus,
}

/// A fleet as an inspector sees it, without any lag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GameFleetView {
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Id.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// What it runs on.
    pub kind: GameFleetKind,
    /// Status.
    pub status: GameFleetStatus,
    /// Operating system.
    pub operating_system: String,
    /// Locations, the home Region first.
    pub locations: Vec<String>,
    /// Computes by name.
    pub computes: Vec<ComputeView>,
}

/// A compute as an inspector sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComputeView {
    /// Name; the instance's id in an EC2 fleet.
    pub name: String,
    /// ARN, but in EC2 fleets.
    pub arn: Option<String>,
    /// The instance below it.
    pub instance_id: Option<String>,
    /// Address.
    pub ip_address: String,
    /// Location.
    pub location: String,
    /// Status.
    pub status: ComputeState,
    /// Containers.
    pub containers: Vec<GameContainer>,
}

impl World {
    /// Puts an ACTIVE fleet into the home account and region.
    pub fn put_game_fleet(&self, seed: &GameFleetSeed) -> GameFleetView {
        let mut state = self.lock();
        let (home, now) = (state.home(), state.clock.now());
        let place = state.change(&home);
        let id = match seed.kind {
            GameFleetKind::Ec2 | GameFleetKind::Anywhere => format!("fleet-{}", place.uuid()),
            GameFleetKind::Container => format!("containerfleet-{}", place.uuid()),
        };
        // AWS's samples of fleet ARNs have no account in them; those of what belongs to containers do.
        let arn = match seed.kind {
            GameFleetKind::Ec2 | GameFleetKind::Anywhere => {
                crate::place::arn("gamelift", &place.region, "", &format!("fleet/{id}"))
            }
            GameFleetKind::Container => place.arn_of("gamelift", &format!("containerfleet/{id}")),
        };
        let home_region = Some(place.region.clone()).filter(|_| seed.kind != GameFleetKind::Anywhere);
        let fleet = Fleet {
            id: id.clone(),
            arn,
            kind: seed.kind,
            status: GameFleetStatus::Active,
            created_at: now,
            operating_system: seed.operating_system.clone(),
            instance_type: "c5.large".to_owned(),
            server_sdk: seed.server_sdk,
            locations: home_region.into_iter().chain(seed.locations.iter().cloned()).collect(),
            computes: Default::default(),
        };
        let view = view(&home.0, &home.1, &fleet);
        place.gamelift.fleets.insert(id, fleet);
        view
    }

    /// Every fleet of GameLift, by account, region and id.
    #[must_use]
    pub fn game_fleets(&self) -> Vec<GameFleetView> {
        let mut state = self.lock();
        let now = state.clock.now();
        let places = state.timelines.values_mut().map(|timeline| timeline.now(now));
        places
            .flat_map(|place| {
                let (account, region) = (place.account.clone(), place.region.clone());
                place.gamelift.fleets.values().map(|fleet| view(&account, &region, fleet)).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Changes a fleet of the home account and region. False: there is none of this id.
    pub fn edit_game_fleet(&self, id: &str, edit: GameFleetEdit) -> bool {
        self.on_game_fleet(id, |fleet, _, _| fleet.status = edit.status).is_some()
    }

    /// Takes a fleet and its computes away. False: there is none of this id.
    pub fn remove_game_fleet(&self, id: &str) -> bool {
        let mut state = self.lock();
        let home = state.home();
        state.change(&home).gamelift.fleets.remove(id).is_some()
    }

    /// Adds an ACTIVE compute to a fleet. `None`: there is no such fleet, or it has no such location.
    pub fn put_compute(&self, fleet: &str, seed: &ComputeSeed) -> Option<ComputeView> {
        let mut state = self.lock();
        let (home, now) = (state.home(), state.clock.now());
        let place = state.change(&home);
        let mut rng = place.rng.clone();
        let serial = place.gamelift.computes_made;
        let (account, region) = (place.account.clone(), place.region.clone());
        let fleet = place.gamelift.fleets.get_mut(fleet)?;
        let location = seed.location.clone().or_else(|| fleet.locations.first().cloned())?;
        if !fleet.locations.contains(&location) {
            return None;
        }
        let mut made = new_compute(fleet, seed, location, serial, now, &mut rng);
        if fleet.kind != GameFleetKind::Ec2 {
            made.arn = Some(crate::place::arn("gamelift", &region, &account, &format!("compute/{}", made.name)));
        }
        let shown = compute_view(&made);
        fleet.computes.insert(made.name.clone(), made);
        place.gamelift.computes_made += 1;
        place.rng = rng;
        Some(shown)
    }

    /// Puts a compute of this name into another state. False: there is no such fleet or compute.
    pub fn edit_compute(&self, fleet: &str, name: &str, to: ComputeState) -> bool {
        let change = |fleet: &mut Fleet, _: Timestamp, _: &mut StdRng| {
            fleet.computes.get_mut(name).map(|compute| compute.state = to).is_some()
        };
        self.on_game_fleet(fleet, change).unwrap_or(false)
    }

    /// Restarts the containers of a compute: they have other runtime ids afterwards. False: there is no such fleet or
    /// compute, or it has no container.
    pub fn restart_containers(&self, fleet: &str, name: &str) -> bool {
        let change = |fleet: &mut Fleet, _: Timestamp, rng: &mut StdRng| {
            let Some(compute) = fleet.computes.get_mut(name) else { return false };
            for container in &mut compute.containers {
                container.runtime_id = runtime_id(rng);
            }
            !compute.containers.is_empty()
        };
        self.on_game_fleet(fleet, change).unwrap_or(false)
    }

    /// Takes a compute away, as scaling in does. False: there is no such fleet or compute.
    pub fn remove_compute(&self, fleet: &str, name: &str) -> bool {
        self.on_game_fleet(fleet, |fleet, _, _| fleet.computes.remove(name).is_some()).unwrap_or(false)
    }

    fn on_game_fleet<T>(&self, id: &str, change: impl FnOnce(&mut Fleet, Timestamp, &mut StdRng) -> T) -> Option<T> {
        let mut state = self.lock();
        let (home, now) = (state.home(), state.clock.now());
        let place = state.change(&home);
        let mut rng = place.rng.clone();
        let changed = change(place.gamelift.fleets.get_mut(id)?, now, &mut rng);
        place.rng = rng;
        Some(changed)
    }
}

/// A compute without its ARN.
fn new_compute(
    fleet: &Fleet,
    seed: &ComputeSeed,
    location: String,
    serial: u64,
    now: Timestamp,
    rng: &mut StdRng,
) -> Compute {
    let new_instance = format!("i-0{:016x}", rng.random::<u64>() & 0x00ff_ffff_ffff_ffff);
    let instance_id = match fleet.kind {
        GameFleetKind::Ec2 => Some(new_instance),
        GameFleetKind::Container => Some(seed.instance_id.clone().unwrap_or(new_instance)),
        GameFleetKind::Anywhere => None,
    };
    // A container compute's name is two ids, as in the API reference's example.
    let name = match (fleet.kind, &instance_id) {
        (GameFleetKind::Ec2, Some(instance)) => instance.clone(),
        (GameFleetKind::Container, _) => format!("{:032x}/{}", rng.random::<u128>(), uuid(rng)),
        (GameFleetKind::Anywhere, _) | (GameFleetKind::Ec2, None) => {
            seed.name.clone().unwrap_or_else(|| format!("compute-{serial}"))
        }
    };
    // Computes on one instance share its address.
    let neighbour = fleet.computes.values().find(|one| one.instance_id.is_some() && one.instance_id == instance_id);
    let address = neighbour.map_or_else(|| public_ipv4(rng), |one| one.address.clone());
    let dns_name = match fleet.kind {
        GameFleetKind::Ec2 | GameFleetKind::Container => {
            Some(format!("ec2-{}.{location}.compute.amazonaws.com", address.replace('.', "-")))
        }
        GameFleetKind::Anywhere => None,
    };
    let named = if seed.containers.is_empty() { vec!["game".to_owned()] } else { seed.containers.clone() };
    let containers = match fleet.kind {
        GameFleetKind::Container => {
            named.into_iter().map(|name| GameContainer { name, runtime_id: runtime_id(rng) }).collect()
        }
        GameFleetKind::Ec2 | GameFleetKind::Anywhere => Vec::new(),
    };
    let password = Password((0..20).map(|_| char::from(rng.random_range(b'A'..=b'Z'))).collect());
    Compute {
        name,
        arn: None,
        instance_id,
        address,
        dns_name,
        location,
        state: ComputeState::Active,
        created_at: now,
        containers,
        key: serial % DISTINCT_KEYS,
        password,
    }
}

/// What Docker calls a container: 64 hex digits.
fn runtime_id(rng: &mut StdRng) -> String {
    format!("{:032x}{:032x}", rng.random::<u128>(), rng.random::<u128>())
}

fn view(account: &str, region: &str, fleet: &Fleet) -> GameFleetView {
    GameFleetView {
        account: account.to_owned(),
        region: region.to_owned(),
        id: fleet.id.clone(),
        arn: fleet.arn.clone(),
        kind: fleet.kind,
        status: fleet.status,
        operating_system: fleet.operating_system.clone(),
        locations: fleet.locations.clone(),
        computes: fleet.computes.values().map(compute_view).collect(),
    }
}

fn compute_view(compute: &Compute) -> ComputeView {
    ComputeView {
        name: compute.name.clone(),
        arn: compute.arn.clone(),
        instance_id: compute.instance_id.clone(),
        ip_address: compute.address.clone(),
        location: compute.location.clone(),
        status: compute.state,
        containers: compute.containers.clone(),
    }
}
