//! Image builders: created running, stopped and started by hand, deleted through DELETING. Making images is up to people.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::fleet::{FleetSettings, after};
use super::fleet_rules::resolve_image;
use super::{Call, already_exists, invalid_combination, names, not_found, page_of, read_tags, text};
use crate::clock::later;
use crate::place::Place;
use crate::settings::Timings;
use crate::wire::{Refusal, Value, map};

/// State of an image builder. What no operation here leads to is entered by people
/// ([`World::put_builder_into`](crate::World::put_builder_into)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)] // They are AWS's own states, by AWS's own names.
pub enum BuilderState {
    Pending,
    UpdatingAgent,
    Running,
    Stopping,
    Stopped,
    Rebooting,
    Snapshotting,
    Deleting,
    Failed,
    Updating,
    PendingQualification,
    PendingSyncingApps,
    SyncingApps,
    PendingImageImport,
}

impl BuilderState {
    /// As AWS spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::UpdatingAgent => "UPDATING_AGENT",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
            Self::Stopped => "STOPPED",
            Self::Rebooting => "REBOOTING",
            Self::Snapshotting => "SNAPSHOTTING",
            Self::Deleting => "DELETING",
            Self::Failed => "FAILED",
            Self::Updating => "UPDATING",
            Self::PendingQualification => "PENDING_QUALIFICATION",
            Self::PendingSyncingApps => "PENDING_SYNCING_APPS",
            Self::SyncingApps => "SYNCING_APPS",
            Self::PendingImageImport => "PENDING_IMAGE_IMPORT",
        }
    }

    /// Whether AWS is at work on it: no action is possible until it is done.
    pub(crate) fn is_transition(self) -> bool {
        match self {
            Self::Running | Self::Stopped | Self::Failed => false,
            Self::Pending
            | Self::UpdatingAgent
            | Self::Stopping
            | Self::Rebooting
            | Self::Snapshotting
            | Self::Deleting
            | Self::Updating
            | Self::PendingQualification
            | Self::PendingSyncingApps
            | Self::SyncingApps
            | Self::PendingImageImport => true,
        }
    }
}

/// One image builder. Its settings are kept as AWS's own members.
#[derive(Clone, Debug)]
pub(crate) struct Builder {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) created_at: Timestamp,
    pub(crate) settings: Map<String, Json>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) state: BuilderState,
    pub(crate) state_since: Timestamp,
    until: Option<Timestamp>,
    /// ImageBuilderErrors: code and when.
    pub(crate) errors: Vec<(String, Timestamp)>,
    /// StateChangeReason.
    pub(crate) reason: Option<(String, String)>,
}

/// Members of CreateImageBuilder that are given back as they are.
const MEMBERS: [&str; 12] = [
    "InstanceType",
    "Description",
    "DisplayName",
    "VpcConfig",
    "IamRoleArn",
    "EnableDefaultInternetAccess",
    "DomainJoinInfo",
    "AppstreamAgentVersion",
    "AccessEndpoints",
    "RootVolumeConfig",
    "DisableIMDSV1",
    "AgentAccessConfig",
];

/// The default security group of the VPC, which AWS adds to a subnet without one.
const DEFAULT_SECURITY_GROUP: &str = "sg-0default0000000";

impl Builder {
    /// Does what is due. False when the builder is gone.
    pub(crate) fn settle(&mut self, now: Timestamp) -> bool {
        let Some(until) = self.until.filter(|until| *until <= now) else {
            return true;
        };
        self.until = None;
        self.state_since = until;
        match self.state {
            BuilderState::Deleting => return false,
            BuilderState::Pending => self.state = BuilderState::Running,
            BuilderState::Stopping => self.state = BuilderState::Stopped,
            // Nobody gives the others an end: they last until people say otherwise.
            BuilderState::UpdatingAgent
            | BuilderState::Running
            | BuilderState::Stopped
            | BuilderState::Rebooting
            | BuilderState::Snapshotting
            | BuilderState::Failed
            | BuilderState::Updating
            | BuilderState::PendingQualification
            | BuilderState::PendingSyncingApps
            | BuilderState::SyncingApps
            | BuilderState::PendingImageImport => {}
        }
        true
    }

    pub(crate) fn enter(&mut self, state: BuilderState, now: Timestamp, pace: &Timings) {
        self.state = state;
        self.state_since = now;
        self.until = match state {
            BuilderState::Pending => Some(later(now, pace.start_builder)),
            BuilderState::Stopping => Some(later(now, pace.stop_builder)),
            BuilderState::Deleting => Some(later(now, pace.delete_builder)),
            BuilderState::UpdatingAgent
            | BuilderState::Running
            | BuilderState::Stopped
            | BuilderState::Rebooting
            | BuilderState::Snapshotting
            | BuilderState::Failed
            | BuilderState::Updating
            | BuilderState::PendingQualification
            | BuilderState::PendingSyncingApps
            | BuilderState::SyncingApps
            | BuilderState::PendingImageImport => None,
        };
    }

    fn spell(&self) -> Value {
        let mut spelled = map([
            ("Name", self.name.as_str().into()),
            ("Arn", self.arn.as_str().into()),
            ("State", self.state.as_str().into()),
            ("CreatedTime", self.created_at.into()),
        ]);
        for (member, value) in &self.settings {
            spelled.set(member, value.clone());
        }
        if self.state == BuilderState::Running {
            let network =
                map([("EniPrivateIpAddress", "172.31.0.9".into()), ("EniId", "eni-0b0000000000000b1".into())]);
            spelled.set("NetworkAccessConfiguration", network);
        }
        if let Some((code, message)) = &self.reason {
            let reason = map([("Code", code.as_str().into()), ("Message", message.as_str().into())]);
            spelled.set("StateChangeReason", reason);
        }
        if !self.errors.is_empty() {
            let error = |(code, at): &(String, Timestamp)| {
                let message = format!("The image builder could not be provisioned: {code}.");
                map([
                    ("ErrorCode", code.as_str().into()),
                    ("ErrorMessage", message.into()),
                    ("ErrorTimestamp", (*at).into()),
                ])
            };
            spelled.set("ImageBuilderErrors", Value::List(self.errors.iter().map(error).collect()));
        }
        spelled
    }
}

/// CreateImageBuilder: it starts by itself.
pub(crate) fn create(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = text(call, "Name");
    if place.builders.contains_key(name) {
        return Err(already_exists("image builder", name, &place.account));
    }
    if place.laws.quotas.image_builders.is_some_and(|limit| place.builders.len() >= limit) {
        let message = format!("The image builder limit for account {} was exceeded.", place.account);
        return Err(Refusal::new("LimitExceededException", message));
    }
    super::fleet_rules::check_one_image(call.input)?;
    let asked: FleetSettings = super::parse(call)?;
    let subnets = asked.vpc_config.as_ref().and_then(|vpc| vpc.subnet_ids.as_ref()).map_or(0, Vec::len);
    if subnets > 1 {
        return Err(invalid_combination("An image builder supports one subnet only."));
    }
    let image = resolve_image(place, &asked)?;
    let sent = |member: &&str| Some(((*member).to_owned(), call.input.get(*member)?.clone()));
    let mut settings: Map<String, Json> = MEMBERS.iter().filter_map(sent).filter(|(_, value)| is_set(value)).collect();
    if let Some(Json::Object(vpc)) = settings.get_mut("VpcConfig").filter(|_| subnets > 0) {
        let none = vpc.get("SecurityGroupIds").and_then(Json::as_array).is_none_or(Vec::is_empty);
        if none {
            vpc.insert("SecurityGroupIds".to_owned(), json!([DEFAULT_SECURITY_GROUP]));
        }
    }
    // Without a version AWS installs the latest one.
    let latest = settings.get("AppstreamAgentVersion").is_none_or(|version| version == "LATEST");
    settings.insert("LatestAppstreamAgentVersion".to_owned(), json!(if latest { "TRUE" } else { "FALSE" }));
    settings.insert("ImageArn".to_owned(), json!(image.arn));
    settings.insert("Platform".to_owned(), json!(image.platform));
    settings.entry("EnableDefaultInternetAccess").or_insert(json!(false));
    let mut builder = Builder {
        name: name.to_owned(),
        arn: place.arn(&format!("image-builder/{name}")),
        created_at: call.now,
        settings,
        tags: read_tags(call),
        state: BuilderState::Pending,
        state_since: call.now,
        until: None,
        errors: Vec::new(),
        reason: None,
    };
    builder.enter(BuilderState::Pending, call.now, &place.laws.pace);
    let answer = map([("ImageBuilder", builder.spell())]);
    place.builders.insert(name.to_owned(), builder);
    Ok(answer)
}

/// UpdateImageBuilder: STOPPED only.
pub(crate) fn update(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let builder = stopped_or(place, call, &[BuilderState::Stopped], "updated")?;
    for member in ["DisplayName", "Description", "AgentAccessConfig"] {
        match call.input.get(member).filter(|value| !value.is_null()) {
            Some(sent) if is_set(sent) => {
                builder.settings.insert(member.to_owned(), sent.clone());
            }
            // An empty text clears it.
            Some(_) => {
                builder.settings.remove(member);
            }
            None => {}
        }
    }
    if names(call, "AttributesToDelete").contains(&"AGENT_ACCESS_CONFIG") {
        builder.settings.remove("AgentAccessConfig");
    }
    Ok(map([("ImageBuilder", builder.spell())]))
}

/// StartImageBuilder: from STOPPED, with another agent when one is named.
pub(crate) fn start(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    if let Some(version) = call.input["AppstreamAgentVersion"].as_str() {
        let builder = stopped_or(place, call, &[BuilderState::Stopped], "started")?;
        let latest = if version == "LATEST" { "TRUE" } else { "FALSE" };
        builder.settings.insert("AppstreamAgentVersion".to_owned(), json!(version));
        builder.settings.insert("LatestAppstreamAgentVersion".to_owned(), json!(latest));
    }
    turn(place, call, &[BuilderState::Stopped], BuilderState::Pending, "started")
}

/// StopImageBuilder: from RUNNING.
pub(crate) fn stop(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    turn(place, call, &[BuilderState::Running], BuilderState::Stopping, "stopped")
}

/// DeleteImageBuilder: from RUNNING, STOPPED or FAILED.
pub(crate) fn delete(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let from = [BuilderState::Running, BuilderState::Stopped, BuilderState::Failed];
    turn(place, call, &from, BuilderState::Deleting, "deleted")
}

/// A member that is there: AWS takes an empty text for none.
fn is_set(value: &Json) -> bool {
    !value.is_null() && value != ""
}

fn turn(
    place: &mut Place,
    call: &Call<'_>,
    from: &[BuilderState],
    to: BuilderState,
    verb: &str,
) -> Result<Value, Refusal> {
    let pace = place.laws.pace;
    let builder = stopped_or(place, call, from, verb)?;
    builder.enter(to, call.now, &pace);
    Ok(map([("ImageBuilder", builder.spell())]))
}

/// The builder, if it is in one of these states.
fn stopped_or<'a>(
    place: &'a mut Place,
    call: &Call<'_>,
    from: &[BuilderState],
    verb: &str,
) -> Result<&'a mut Builder, Refusal> {
    let name = text(call, "Name");
    let missing = unknown(place, name);
    let builder = place.builders.get_mut(name).ok_or(missing)?;
    if from.contains(&builder.state) {
        return Ok(builder);
    }
    let message = format!("The image builder {name} cannot be {verb} when it is {}.", builder.state.as_str());
    Err(Refusal::new("OperationNotPermittedException", message))
}

/// DescribeImageBuilders.
pub(crate) fn describe(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let asked = names(call, "Names");
    let chosen: Vec<&Builder> = if asked.is_empty() {
        place.builders.values().collect()
    } else {
        let find = |name: &&str| place.builders.get(*name).ok_or_else(|| unknown(place, name));
        asked.iter().map(find).collect::<Result<_, _>>()?
    };
    let spelled = chosen.into_iter().map(|builder| (builder.name.clone(), builder)).collect();
    let size = call.input["MaxResults"].as_i64().and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    page_of(call, &place.laws, size.unwrap_or(place.laws.page_size), "ImageBuilders", spelled, Builder::spell)
}

/// CreateImageBuilderStreamingURL: RUNNING only. Following it opens nothing here.
pub(crate) fn streaming_url(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = text(call, "Name");
    let Some(builder) = place.builders.get(name) else {
        return Err(unknown(place, name));
    };
    if builder.state != BuilderState::Running {
        let message = format!("The image builder {name} is not running.");
        return Err(Refusal::new("OperationNotPermittedException", message));
    }
    let valid = match call.input["Validity"].as_i64() {
        // The default of image builders is an hour (API reference).
        None => std::time::Duration::from_secs(3600),
        Some(_) => super::session::validity(call)?,
    };
    let url = format!("{}/_sim/image-builders/{name}", call.origin);
    Ok(map([("StreamingURL", url.into()), ("Expires", after(call, valid).into())]))
}

fn unknown(place: &Place, name: &str) -> Refusal {
    not_found(format!("The image builder {name} for account {} does not exist.", place.account))
}
