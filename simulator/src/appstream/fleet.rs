//! Fleets: create, describe, start, stop, delete. Their updates are in `fleet_update`, their instances in `capacity`.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::capacity::Instance;
use super::fleet_rules::{check_combination, check_one_image, check_quota, fill_defaults, resolve_image};
use super::session::Session;
use super::{Call, already_exists, names, not_found, page, read_tags, text};
use crate::clock::later;
use crate::place::Place;
use crate::settings::Timings;
use crate::wire::{Refusal, Value, map, nothing};

/// State of a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FleetState {
    /// On its way up; stays here for ever when something is wrong.
    Starting,
    /// Users can stream.
    Running,
    /// On its way down.
    Stopping,
    /// Where every fleet begins.
    Stopped,
}

impl FleetState {
    /// As AWS spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
            Self::Stopped => "STOPPED",
        }
    }

    /// The word of AWS's own error texts, which speak of ACTIVE and INACTIVE.
    pub(crate) fn internal_word(self) -> &'static str {
        match self {
            Self::Starting => "STARTING",
            Self::Running => "ACTIVE",
            Self::Stopping => "STOPPING",
            Self::Stopped => "INACTIVE",
        }
    }
}

/// A fleet's VpcConfig.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VpcConfig {
    /// Subnets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_ids: Option<Vec<String>>,
    /// Security groups; AWS fills in the default one of the VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_group_ids: Option<Vec<String>>,
}

/// A fleet's DomainJoinInfo.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DomainJoinInfo {
    /// Fully qualified name of the directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory_name: Option<String>,
    /// Organizational unit for computer accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizational_unit_distinguished_name: Option<String>,
}

/// Where a session script lies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct S3Location {
    /// Bucket.
    pub s3_bucket: String,
    /// Key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3_key: Option<String>,
}

/// The root volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VolumeConfig {
    /// Size in GB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_size_in_gb: Option<i64>,
}

/// What CreateFleet and UpdateFleet take and DescribeFleets gives back as it is. Absent is unset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // They are AWS's own members, by AWS's own names.
pub struct FleetSettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_arn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_user_duration_in_seconds: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnect_timeout_in_seconds: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_disconnect_timeout_in_seconds: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_config: Option<VpcConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_default_internet_access: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_join_info: Option<DomainJoinInfo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam_role_arn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_view: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent_sessions: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usb_device_filter_strings: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_script_s3_location: Option<S3Location>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_sessions_per_instance: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_volume_config: Option<VolumeConfig>,
    #[serde(default, rename = "DisableIMDSV1", skip_serializing_if = "Option::is_none")]
    pub disable_imdsv1: Option<bool>,
}

impl FleetSettings {
    pub(crate) fn max_user_duration(&self) -> Duration {
        Duration::from_secs(self.max_user_duration_in_seconds.unwrap_or(57_600).unsigned_abs())
    }

    pub(crate) fn disconnect_timeout(&self) -> Duration {
        Duration::from_secs(self.disconnect_timeout_in_seconds.unwrap_or(900).unsigned_abs())
    }

    pub(crate) fn is_elastic(&self) -> bool {
        self.fleet_type.as_deref() == Some("ELASTIC")
    }
}

/// One fleet of one account and region.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) created_at: Timestamp,
    pub(crate) settings: FleetSettings,
    pub(crate) desired_instances: i64,
    pub(crate) desired_sessions: Option<i64>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) state: FleetState,
    pub(crate) state_since: Timestamp,
    /// When the present state ends, in STARTING and STOPPING.
    pub(crate) until: Option<Timestamp>,
    /// FleetErrors; while there are any, STARTING does not end.
    pub(crate) trouble: Vec<String>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) sessions_killed: usize,
    /// The next instant at which something happens by itself.
    pub(crate) due: Timestamp,
    pub(crate) pace: Timings,
    /// Seed and counter of instance ids.
    pub(crate) ids: u64,
    pub(crate) serial: u64,
}

impl Fleet {
    pub(crate) fn is_elastic(&self) -> bool {
        self.settings.is_elastic()
    }

    /// The Fleet of AWS's answers.
    pub(crate) fn spell(&self, now: Timestamp) -> Value {
        let as_value = |json: Result<serde_json::Value, _>| json.map_or(Value::Null, Value::from);
        let mut fleet = map([
            ("Arn", self.arn.as_str().into()),
            ("Name", self.name.as_str().into()),
            ("State", self.state.as_str().into()),
            ("CreatedTime", self.created_at.into()),
            ("ComputeCapacityStatus", as_value(serde_json::to_value(self.capacity(now)))),
        ]);
        if let (Value::Map(members), Value::Map(set)) = (&mut fleet, as_value(serde_json::to_value(&self.settings))) {
            members.extend(set);
        }
        if !self.trouble.is_empty() {
            let error = |code: &String| {
                let message = format!("AppStream 2.0 could not provision instances for the fleet: {code}.");
                map([("ErrorCode", code.as_str().into()), ("ErrorMessage", message.into())])
            };
            fleet.set("FleetErrors", Value::List(self.trouble.iter().map(error).collect()));
        }
        fleet
    }
}

/// CreateFleet: the fleet begins STOPPED.
pub(crate) fn create(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = text(call, "Name").to_owned();
    if place.fleets.contains_key(&name) {
        return Err(already_exists("fleet", &name, &place.account));
    }
    let mut settings: FleetSettings = super::parse(call)?;
    check_one_image(call.input)?;
    let elastic = settings.is_elastic();
    let capacity = &call.input["ComputeCapacity"];
    let desired = (capacity["DesiredInstances"].as_i64(), capacity["DesiredSessions"].as_i64());
    check_combination(&settings, Some(desired))?;
    if !elastic {
        let image = resolve_image(place, &settings)?;
        settings.image_name = Some(image.name.clone());
        settings.image_arn = Some(image.arn.clone());
        settings.platform.get_or_insert(image.platform.clone());
    }
    fill_defaults(&mut settings);
    let (instances, sessions) = instances_for(desired, settings.max_sessions_per_instance);
    check_quota(place, &name, &settings, instances)?;
    let fleet = Fleet {
        arn: place.arn(&format!("fleet/{name}")),
        name: name.clone(),
        created_at: call.now,
        settings,
        desired_instances: instances,
        desired_sessions: sessions,
        tags: read_tags(call),
        state: FleetState::Stopped,
        state_since: call.now,
        until: None,
        trouble: Vec::new(),
        instances: Vec::new(),
        sessions: Vec::new(),
        sessions_killed: 0,
        due: Timestamp::MAX,
        pace: place.laws.pace,
        ids: place.rng.random(),
        serial: 0,
    };
    let answer = map([("Fleet", fleet.spell(call.now))]);
    place.fleets.insert(name, fleet);
    Ok(answer)
}

/// Instances for what was asked in ComputeCapacity, and the sessions to echo.
pub(crate) fn instances_for(desired: (Option<i64>, Option<i64>), per_instance: Option<i64>) -> (i64, Option<i64>) {
    match (desired, per_instance) {
        ((_, Some(sessions)), Some(slots)) if slots > 0 => (sessions.saturating_add(slots - 1) / slots, Some(sessions)),
        ((Some(instances), _), _) => (instances, None),
        ((None, _), _) => (0, None),
    }
}

/// DescribeFleets: all by name, page by page, or the named ones; one unknown name fails the call.
pub(crate) fn describe(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let asked = names(call, "Names");
    // The page's instant is the reader's, which lags behind the clock when reads do.
    let now = call.seen_at;
    let chosen: Vec<&Fleet> = if asked.is_empty() {
        place.fleets.values().collect()
    } else {
        let find = |name: &&str| place.fleets.get(*name).ok_or_else(|| unknown(place, name));
        asked.iter().map(find).collect::<Result<_, _>>()?
    };
    let spelled = chosen.into_iter().map(|fleet| (fleet.name.clone(), fleet)).collect();
    super::page_of(call, &place.laws, place.laws.page_size, "Fleets", spelled, |fleet| fleet.spell(now))
}

/// StartFleet.
pub(crate) fn start(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = text(call, "Name").to_owned();
    let Some(fleet) = place.fleets.get(&name) else {
        return Err(unknown(place, &name));
    };
    if fleet.state != FleetState::Stopped {
        let message = format!("The fleet {name} is {}. It must be stopped to be started.", fleet.state.internal_word());
        return Err(Refusal::new("OperationNotPermittedException", message));
    }
    if !fleet.is_elastic() {
        resolve_image(place, &fleet.settings)?;
        check_quota(place, &name, &fleet.settings, fleet.desired_instances)?;
    }
    if let Some(fleet) = place.fleets.get_mut(&name) {
        fleet.begin_start(call.now);
    }
    Ok(nothing())
}

/// StopFleet: ends every live session. On a fleet that is stopped or stopping it does nothing and succeeds.
pub(crate) fn stop(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = text(call, "Name");
    match place.fleets.get_mut(name) {
        None => Err(unknown(place, name)),
        Some(fleet) => {
            match fleet.state {
                FleetState::Starting | FleetState::Running => {
                    fleet.begin_stop(call.now);
                }
                FleetState::Stopping | FleetState::Stopped => {}
            }
            Ok(nothing())
        }
    }
}

/// DeleteFleet: STOPPED and without a stack only; gone at once.
pub(crate) fn delete(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = text(call, "Name");
    let Some(fleet) = place.fleets.get(name) else {
        return Err(unknown(place, name));
    };
    if !place.stacks_of(name).is_empty() {
        let message = format!(
            "The fleet {name} is associated with a stack. To delete the fleet, you must dissociate it from the stack."
        );
        return Err(Refusal::new("ResourceInUseException", message));
    }
    if fleet.state != FleetState::Stopped {
        let word = fleet.state.internal_word();
        let message = format!(
            "Cannot delete the fleet {name} when it is {word}. The fleet must be stopped to complete this action."
        );
        return Err(Refusal::new("ResourceInUseException", message));
    }
    place.fleets.remove(name);
    place.application_associations.retain(|(fleet, _)| fleet != name);
    Ok(nothing())
}

/// ResourceNotFoundException for a fleet.
pub(crate) fn unknown(place: &Place, name: &str) -> Refusal {
    not_found(format!("The fleet {name} for account {} does not exist.", place.account))
}

/// ListAssociatedStacks; it has no modelled error, so an unknown fleet has no stacks.
pub(crate) fn list_stacks(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let stacks = place.stacks_of(text(call, "FleetName"));
    let spelled = stacks.into_iter().map(|name| (name.clone(), name.into())).collect();
    page(call, &place.laws, place.laws.page_size, "Names", spelled)
}

/// The instant `by` after the call.
pub(crate) fn after(call: &Call<'_>, by: Duration) -> Timestamp {
    later(call.now, by)
}
