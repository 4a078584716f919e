//! What people do to instances behind the operator's back, and what an inspector sees of Lightsail.
//!
//! None of it is audited or judged. An instance is found by its name in the home account and region first, then
//! anywhere. Everything that the API can do is open to people as well, by [`World::out_of_band`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::instance::{Instance, InstanceState, IpAddressType, Outcome};
use super::ports::Port;
use crate::keys::certificate;
use crate::keys::host::{self, HostKey};
use crate::people::Denied;
use crate::place::{Place, PlaceKey, mix};
use crate::world::World;

/// An instance as an inspector sees it, without any lag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstanceView {
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Name.
    pub name: String,
    /// ARN.
    pub arn: String,
    /// Availability zone.
    pub availability_zone: String,
    /// State.
    pub state: InstanceState,
    /// Since when.
    pub state_since: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
    /// Blueprint.
    pub blueprint_id: String,
    /// Bundle; it changes with the address type and the generation.
    pub bundle_id: String,
    /// Key pair.
    pub key_pair_name: String,
    /// User data of the create, which no answer of AWS has.
    pub user_data: Option<String>,
    /// Address type.
    pub ip_address_type: IpAddressType,
    /// The address that GetInstance shows now.
    pub public_ip_address: Option<String>,
    /// Private address.
    pub private_ip_address: String,
    /// IPv6 address.
    pub ipv6_address: Option<String>,
    /// Static IP that is attached.
    pub static_ip: Option<String>,
    /// Tags; a key-only tag has an empty value.
    pub tags: BTreeMap<String, String>,
    /// Firewall.
    pub ports: Vec<Port>,
    /// `AutoSnapshot` and its time of day, while it is enabled.
    pub auto_snapshot: Option<String>,
    /// Automatic snapshots there are.
    pub auto_snapshots: usize,
    /// Metadata options by AWS's names, without their state.
    pub metadata_options: BTreeMap<String, String>,
    /// The user that certificates are for.
    pub username: String,
    /// The first password of a Windows instance, whether Lightsail knows it already or not.
    pub windows_password: Option<String>,
}

/// A static IP as an inspector sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StaticIpView {
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Name.
    pub name: String,
    /// Address.
    pub ip_address: String,
    /// Instance that has it.
    pub attached_to: Option<String>,
}

/// What an out-of-band change may touch directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceEdit {
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Firewall.
    pub ports: Vec<Port>,
}

/// An instance that is running already, whoever made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceSeed {
    /// Name.
    pub name: String,
    /// Blueprint.
    pub blueprint_id: String,
    /// Bundle.
    pub bundle_id: String,
    /// Tags: none, or somebody else's.
    pub tags: BTreeMap<String, String>,
}

impl InstanceSeed {
    /// A small Linux instance without tags.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            blueprint_id: "ubuntu_24_04".to_owned(),
            bundle_id: "nano_3_0".to_owned(),
            tags: BTreeMap::new(),
        }
    }
}

impl World {
    /// An instance, or `None`.
    #[must_use]
    pub fn instance(&self, account: &str, region: &str, name: &str) -> Option<InstanceView> {
        self.instances().into_iter().find(|one| (&*one.account, &*one.region, &*one.name) == (account, region, name))
    }

    /// Every instance, by account, region and name.
    #[must_use]
    pub fn instances(&self) -> Vec<InstanceView> {
        let mut state = self.lock();
        let now = state.clock.now();
        let look = |place: &Place| -> Vec<InstanceView> {
            place.lightsail.instances.values().map(|one| view(place, one, now)).collect()
        };
        state.timelines.values_mut().flat_map(|timeline| look(timeline.now(now))).collect()
    }

    /// Every static IP, by account, region and name.
    #[must_use]
    pub fn static_ips(&self) -> Vec<StaticIpView> {
        let mut state = self.lock();
        let now = state.clock.now();
        let look = |place: &Place| -> Vec<StaticIpView> {
            let one = |ip: &super::StaticIp| StaticIpView {
                account: place.account.clone(),
                region: place.region.clone(),
                name: ip.name.clone(),
                ip_address: ip.address.clone(),
                attached_to: ip.attached_to.clone(),
            };
            place.lightsail.static_ips.values().map(one).collect()
        };
        state.timelines.values_mut().flat_map(|timeline| look(timeline.now(now))).collect()
    }

    /// Puts a running instance into the home account and region, as a console user would have it.
    ///
    /// # Errors
    /// What AWS would say to its CreateInstances.
    pub fn put_instance(&self, seed: &InstanceSeed) -> Result<(), Denied> {
        let home = self.lock().home();
        let tags: Vec<Json> = seed.tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        let input = json!({
            "instanceNames": [seed.name],
            "availabilityZone": format!("{}a", home.1),
            "blueprintId": seed.blueprint_id,
            "bundleId": seed.bundle_id,
            "tags": tags,
        });
        self.out_of_band("lightsail", "CreateInstances", &input)?;
        self.on_instance(&seed.name, |instance, now| {
            instance.state = InstanceState::Running;
            instance.until = None;
            instance.is_new = false;
            if let Some((_, shown)) = &mut instance.public_ip {
                *shown = now;
            }
            instance.host_keys_at = now;
        });
        Ok(())
    }

    /// Changes an instance's tags or firewall as a console user would. False: there is no such instance.
    pub fn edit_instance(&self, name: &str, change: impl FnOnce(&mut InstanceEdit)) -> bool {
        self.on_instance(name, |instance, _| {
            let mut edit = InstanceEdit { tags: instance.tags.clone(), ports: instance.ports.clone() };
            change(&mut edit);
            instance.tags = edit.tags;
            instance.ports = edit.ports;
        })
        .is_some()
    }

    /// Puts an instance onto another bundle (an older generation's), whatever AWS allows. False: there is no such
    /// instance or bundle.
    pub fn edit_instance_bundle(&self, name: &str, bundle: &str) -> bool {
        let Some(key) = self.place_of_instance(name) else {
            return false;
        };
        let mut state = self.lock();
        let place = state.change(&key);
        let found = place.bundle(bundle);
        match (place.lightsail.instances.get_mut(name), found) {
            (Some(instance), Some(bundle)) => {
                instance.bundle = bundle;
                true
            }
            (_, _) => false,
        }
    }

    /// Starts an instance as a console user would. False: it is not there or AWS would not.
    pub fn start_instance_out_of_band(&self, name: &str) -> bool {
        self.on_named("StartInstance", name, json!({}))
    }

    /// Stops an instance as a console user would. False: it is not there or AWS would not.
    pub fn stop_instance_out_of_band(&self, name: &str) -> bool {
        self.on_named("StopInstance", name, json!({}))
    }

    /// Deletes an instance with its add-ons as a console user would. False: it is not there.
    pub fn delete_instance_out_of_band(&self, name: &str) -> bool {
        self.on_named("DeleteInstance", name, json!({"forceDeleteAddOns": true}))
    }

    /// Attaches an extra disk, whose name is in use from now on. False: there is no such instance.
    pub fn attach_disk(&self, instance: &str, disk: &str) -> bool {
        let Some(key) = self.place_of_instance(instance) else {
            return false;
        };
        let mut state = self.lock();
        let lightsail = &mut state.change(&key).lightsail;
        lightsail.others.insert(disk.to_owned(), "Disk".to_owned());
        lightsail.instances.get_mut(instance).is_some_and(|one| {
            one.disks.push(disk.to_owned());
            true
        })
    }

    /// The instance hangs in the transition that it is in, until [`World::unhang_instance`] (a stop by force also ends
    /// it). False: there is no such instance, or it is in no transition.
    pub fn hang_instance(&self, name: &str) -> bool {
        self.on_instance(name, |instance, _| instance.until.take().is_some()).unwrap_or(false)
    }

    /// The transition that an instance hangs in is over. False: there is no such instance, or it is in no transition.
    pub fn unhang_instance(&self, name: &str) -> bool {
        let unhang = |instance: &mut Instance, now| {
            let moving = matches!(instance.state, InstanceState::Pending | InstanceState::Stopping);
            if moving {
                instance.until = Some((now, Outcome::Next));
            }
            moving
        };
        self.on_instance(name, unhang).unwrap_or(false)
    }

    /// The SSH host keys of an instance with their private halves, whether Lightsail knows them already or not. `None`:
    /// there is no such instance, or it is a Windows one.
    #[must_use]
    pub fn host_keys(&self, name: &str) -> Option<Vec<HostKey>> {
        let key = self.place_of_instance(name)?;
        let mut state = self.lock();
        let now = state.clock.now();
        let instance = state.timeline(&key).now(now).lightsail.instances.get(name)?;
        if instance.blueprint.windows { None } else { host::ssh_keys(instance.host_seed).ok() }
    }

    /// Somebody installs the instance anew: it has other host keys from now on, which Lightsail sees at once. False: there
    /// is no such instance.
    pub fn change_host_keys(&self, name: &str) -> bool {
        self.on_instance(name, |instance, now| {
            instance.host_seed = mix(instance.host_seed);
            instance.host_keys_at = now;
        })
        .is_some()
    }

    /// The public key that instances trust for certificates, as a line of `TrustedUserCAKeys`.
    ///
    /// # Errors
    /// The crypto library could not make the key.
    pub fn ssh_authority(&self) -> Result<String, Denied> {
        let failed = |_| Denied { code: "InternalFailure".to_owned(), message: "no key could be made".to_owned() };
        certificate::authority().map_err(failed)
    }

    /// Gives a name to a resource of another type (a disk, a domain) in the home account and region.
    pub fn put_lightsail_name(&self, name: &str, resource_type: &str) {
        let mut state = self.lock();
        let home = state.home();
        state.change(&home).lightsail.others.insert(name.to_owned(), resource_type.to_owned());
    }

    /// AWS withdraws a blueprint or bundle from new instances of the home account and region.
    pub fn retire_from_catalogue(&self, id: &str) {
        let mut state = self.lock();
        let home = state.home();
        state.change(&home).lightsail.retired.insert(id.to_owned());
    }

    fn on_named(&self, operation: &str, name: &str, mut input: Json) -> bool {
        let key = self.place_of_instance(name);
        input["instanceName"] = json!(name);
        key.is_some_and(|(account, region)| {
            self.out_of_band_in(&account, &region, "lightsail", operation, &input).is_ok()
        })
    }

    fn on_instance<T>(&self, name: &str, change: impl FnOnce(&mut Instance, Timestamp) -> T) -> Option<T> {
        let key = self.place_of_instance(name)?;
        let mut state = self.lock();
        let now = state.clock.now();
        state.change(&key).lightsail.instances.get_mut(name).map(|instance| change(instance, now))
    }

    /// Where an instance of this name is: at home first.
    fn place_of_instance(&self, name: &str) -> Option<PlaceKey> {
        let state = self.lock();
        let home = state.home();
        let has = |key: &PlaceKey| {
            state.timelines.get(key).is_some_and(|line| line.peek().lightsail.instances.contains_key(name))
        };
        if has(&home) {
            return Some(home);
        }
        state.timelines.keys().find(|key| has(key)).cloned()
    }
}

fn view(place: &Place, instance: &Instance, now: Timestamp) -> InstanceView {
    let attached = place.lightsail.static_ips.values().find(|ip| ip.is_attached_to(&instance.name));
    let add_on = instance.add_on.as_ref();
    let options = &instance.metadata;
    let metadata_options = [
        ("httpTokens", options.http_tokens.clone()),
        ("httpEndpoint", options.http_endpoint.clone()),
        ("httpPutResponseHopLimit", options.hop_limit.to_string()),
        ("httpProtocolIpv6", options.http_protocol_ipv6.clone()),
    ];
    InstanceView {
        account: place.account.clone(),
        region: place.region.clone(),
        name: instance.name.clone(),
        arn: instance.arn.clone(),
        availability_zone: instance.zone.clone(),
        state: instance.state,
        state_since: instance.state_since,
        created_at: instance.created_at,
        blueprint_id: instance.blueprint.id.to_owned(),
        bundle_id: instance.bundle.id.clone(),
        key_pair_name: instance.key_pair.clone(),
        user_data: instance.user_data.clone(),
        ip_address_type: instance.ip_type,
        public_ip_address: instance.public_address(attached.map(|ip| ip.address.as_str()), now),
        private_ip_address: instance.private_ip.clone(),
        ipv6_address: instance.ipv6.clone(),
        static_ip: attached.map(|ip| ip.name.clone()),
        tags: instance.tags.clone(),
        ports: instance.ports.clone(),
        auto_snapshot: add_on.filter(|one| one.enabled).map(|one| one.time_of_day.clone()),
        auto_snapshots: add_on.map_or(0, |one| one.snapshots.len()),
        metadata_options: metadata_options.map(|(name, value)| (name.to_owned(), value)).into(),
        username: instance.blueprint.username.to_owned(),
        windows_password: instance.windows.as_ref().map(|windows| windows.clear.0.clone()),
    }
}
