//! Instances: their states, what AWS shows of them, and the reads. Creating them is in `launch`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::access::WindowsPassword;
use super::add_on::AddOn;
use super::address::AddressChange;
use super::catalogue::{Blueprint, Bundle};
use super::metadata::Metadata;
use super::ports::Port;
use super::tags::{self, Tags};
use super::{not_found, page_of};
use crate::call::Call;
use crate::place::Place;
use crate::wire::{Refusal, Value, map};

/// State of an instance. Codes are EC2's; only `16 running` is in AWS's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// On its way up.
    Pending,
    /// Up.
    Running,
    /// Deleted, and still shown for a moment.
    ShuttingDown,
    /// Deleted, and still shown for another moment.
    Terminated,
    /// On its way down.
    Stopping,
    /// Down.
    Stopped,
}

impl InstanceState {
    /// As AWS spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    fn code(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    fn spell(self) -> Value {
        map([("code", self.code().into()), ("name", self.as_str().into())])
    }
}

/// Which addresses an instance has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpAddressType {
    /// Both; the default.
    Dualstack,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

impl IpAddressType {
    /// As AWS spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dualstack => "dualstack",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }

    pub(crate) fn read(text: &str) -> Self {
        match text {
            "ipv4" => Self::Ipv4,
            "ipv6" => Self::Ipv6,
            _ => Self::Dualstack,
        }
    }
}

/// Where a present state leads when its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// To the next state.
    Next,
    /// Back to where it came from: a create leaves nothing, a start leaves it stopped, a stop running.
    Fails,
}

/// Size of an extra disk in GB: the smallest that Lightsail sells.
const EXTRA_DISK: i64 = 8;

/// One instance.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) support_code: String,
    pub(crate) created_at: Timestamp,
    pub(crate) zone: String,
    pub(crate) blueprint: &'static Blueprint,
    pub(crate) bundle: Bundle,
    /// The bundle from before an update to a newer generation.
    pub(crate) original_bundle: Option<String>,
    pub(crate) key_pair: String,
    /// Write-only: no answer has it.
    pub(crate) user_data: Option<String>,
    pub(crate) tags: Tags,
    pub(crate) add_on: Option<AddOn>,
    pub(crate) ports: Vec<Port>,
    pub(crate) metadata: Metadata,
    pub(crate) state: InstanceState,
    pub(crate) state_since: Timestamp,
    /// When the present state ends, and how.
    pub(crate) until: Option<(Timestamp, Outcome)>,
    /// When a deleted instance is not shown any more.
    pub(crate) gone_at: Timestamp,
    /// Extra disks that are attached.
    pub(crate) disks: Vec<String>,
    /// It was never running: a failing create leaves nothing.
    pub(crate) is_new: bool,
    pub(crate) ip_type: IpAddressType,
    pub(crate) private_ip: String,
    /// Its own public IPv4 address, and from when on AWS shows it.
    pub(crate) public_ip: Option<(String, Timestamp)>,
    pub(crate) ipv6: Option<String>,
    pub(crate) address_change: Option<AddressChange>,
    /// What its host keys follow from, and from when on Lightsail knows them.
    pub(crate) host_seed: u64,
    pub(crate) host_keys_at: Timestamp,
    pub(crate) windows: Option<WindowsPassword>,
}

impl Instance {
    /// Does what is due. False when the instance is gone.
    pub(crate) fn settle(&mut self, now: Timestamp) -> bool {
        if let Some(change) = self.address_change.take_if(|change| change.at <= now) {
            self.apply_address_change(change);
        }
        if let Some(add_on) = &mut self.add_on {
            add_on.settle(now);
        }
        if self.is_leaving() && self.gone_at <= now {
            return false;
        }
        let Some((until, outcome)) = self.until.filter(|(until, _)| *until <= now) else {
            return true;
        };
        self.until = None;
        self.state_since = until;
        let next = match (self.state, outcome) {
            (InstanceState::ShuttingDown | InstanceState::Terminated, _) => InstanceState::Terminated,
            (InstanceState::Pending, Outcome::Fails) if self.is_new => return false,
            (InstanceState::Pending, Outcome::Fails) | (InstanceState::Stopping, Outcome::Next) => {
                InstanceState::Stopped
            }
            (InstanceState::Pending, Outcome::Next) | (InstanceState::Stopping, Outcome::Fails) => {
                InstanceState::Running
            }
            (InstanceState::Running | InstanceState::Stopped, _) => self.state,
        };
        self.state = next;
        match next {
            InstanceState::Running => self.is_new = false,
            // A stopped instance gives its own IPv4 address back and keeps its IPv6 one.
            InstanceState::Stopped => self.public_ip = None,
            InstanceState::Pending
            | InstanceState::Stopping
            | InstanceState::ShuttingDown
            | InstanceState::Terminated => {}
        }
        true
    }

    /// Whether it was deleted and is only shown still.
    pub(crate) fn is_leaving(&self) -> bool {
        matches!(self.state, InstanceState::ShuttingDown | InstanceState::Terminated)
    }

    /// The address that people reach it by, at this instant.
    pub(crate) fn public_address(&self, static_ip: Option<&str>, now: Timestamp) -> Option<String> {
        let own = self.public_ip.as_ref().filter(|(_, shown)| *shown <= now && self.state != InstanceState::Pending);
        match (static_ip, self.ip_type) {
            (_, IpAddressType::Ipv6) => None,
            (Some(address), IpAddressType::Dualstack | IpAddressType::Ipv4) => Some(address.to_owned()),
            (None, IpAddressType::Dualstack | IpAddressType::Ipv4) => own.map(|(address, _)| address.clone()),
        }
    }

    /// The Instance of AWS's answers.
    fn spell(&self, place: &Place, health: bool, now: Timestamp) -> Value {
        let attached = place.lightsail.static_ips.values().find(|ip| ip.attached_to.as_ref() == Some(&self.name));
        let address = self.public_address(attached.map(|ip| ip.address.as_str()), now);
        let location =
            map([("availabilityZone", self.zone.as_str().into()), ("regionName", place.region.as_str().into())]);
        let disk = map([
            ("createdAt", self.created_at.into()),
            ("sizeInGb", self.bundle.disk.into()),
            ("isSystemDisk", true.into()),
            // Three for each GB, as in AWS's sample of 80 GB.
            ("iops", (self.bundle.disk * 3).into()),
            ("path", if self.blueprint.windows { "/dev/sda1" } else { "/dev/xvda" }.into()),
            ("attachedTo", self.name.as_str().into()),
            ("attachmentState", "attached".into()),
        ]);
        let extra = self.disks.iter().map(|name| {
            map([
                ("name", name.as_str().into()),
                ("sizeInGb", EXTRA_DISK.into()),
                ("isSystemDisk", false.into()),
                ("path", "/dev/xvdf".into()),
                ("attachedTo", self.name.as_str().into()),
                ("attachmentState", "attached".into()),
            ])
        });
        let disks = std::iter::once(disk).chain(extra).collect();
        let mut spelled = map([
            ("name", self.name.as_str().into()),
            ("arn", self.arn.as_str().into()),
            ("supportCode", self.support_code.as_str().into()),
            ("createdAt", self.created_at.into()),
            ("location", location),
            ("resourceType", "Instance".into()),
            ("tags", tags::spell(&self.tags)),
            ("blueprintId", self.blueprint.id.into()),
            ("blueprintName", self.blueprint.name.into()),
            ("bundleId", self.bundle.id.as_str().into()),
            ("addOns", self.add_on.as_ref().map(|one| Value::List(vec![one.spell(now)])).unwrap_or(Value::Null)),
            ("isStaticIp", attached.is_some().into()),
            ("privateIpAddress", self.private_ip.as_str().into()),
            ("publicIpAddress", address.into()),
            ("ipv6Addresses", Value::List(self.ipv6.iter().map(|one| one.as_str().into()).collect())),
            ("ipAddressType", self.ip_type.as_str().into()),
            (
                "hardware",
                map([
                    ("cpuCount", self.bundle.cpu.into()),
                    ("disks", Value::List(disks)),
                    ("ramSizeInGb", Value::Float(self.bundle.ram)),
                ]),
            ),
            (
                "networking",
                map([
                    ("monthlyTransfer", map([("gbPerMonthAllocated", self.bundle.transfer.into())])),
                    ("ports", Value::List(self.ports.iter().map(Port::spell_info).collect())),
                ]),
            ),
            ("state", self.state.spell()),
            ("username", self.blueprint.username.into()),
            ("sshKeyName", self.key_pair.as_str().into()),
            ("metadataOptions", self.metadata.spell(now)),
        ]);
        if health {
            let status = match self.state {
                InstanceState::Running => "ok",
                InstanceState::Pending => "initializing",
                InstanceState::ShuttingDown
                | InstanceState::Terminated
                | InstanceState::Stopping
                | InstanceState::Stopped => "not-applicable",
            };
            spelled.set("instanceStatus", map([("status", status.into())]));
            spelled.set("systemStatus", map([("status", status.into())]));
        }
        spelled
    }
}

impl Place {
    /// The instance, to be looked at.
    pub(crate) fn instance(&self, name: &str) -> Result<&Instance, Refusal> {
        self.lightsail.instances.get(name).ok_or_else(|| not_found("Instance", name))
    }

    /// The instance, to be changed: it must not be on its way out, nor busy where that is refused.
    pub(crate) fn instance_to_change(&mut self, name: &str, now: Timestamp) -> Result<&mut Instance, Refusal> {
        if self.laws.refuse_overlap && self.is_busy(name, now) {
            let message = format!(
                "Another operation on the Instance {name} is in progress. Please wait for it to complete before trying again."
            );
            return Err(Refusal::new("OperationFailureException", message));
        }
        match self.lightsail.instances.get_mut(name) {
            None => Err(not_found("Instance", name)),
            Some(instance) if instance.is_leaving() => Err(not_found("Instance", name)),
            Some(instance) => Ok(instance),
        }
    }
}

/// GetInstance.
pub(crate) fn get(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let instance = place.instance(call.text("instanceName"))?;
    Ok(map([("instance", instance.spell(place, call.flag("includeHealthStatus"), call.seen_at))]))
}

/// GetInstances.
pub(crate) fn list(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let all = place.lightsail.instances.values().map(|one| (one.name.clone(), one)).collect();
    let health = call.flag("includeHealthStatus");
    page_of(call, &place.laws, "instances", all, |one| one.spell(place, health, call.seen_at))
}

/// GetInstanceState.
pub(crate) fn get_state(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    Ok(map([("state", place.instance(call.text("instanceName"))?.state.spell())]))
}
