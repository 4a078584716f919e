//! UpdateFleet: a patch, and which of its members a fleet takes in which state.

use serde_json::Value as Json;

use super::fleet::{Fleet, FleetSettings, FleetState, instances_for, unknown};
use super::fleet_rules::{Asked, check_combination, check_one_image, check_quota, fill_defaults, resolve_image};
use super::{Call, invalid_combination, text};
use crate::place::Place;
use crate::settings::RunningRule;
use crate::wire::{Refusal, Value, map};

/// Members that the request wants changed: what it sends, and `AttributesToDelete` by its own words.
pub(crate) fn touched(input: &Json) -> Vec<String> {
    let members = input.as_object().into_iter().flatten();
    let sent =
        members.filter(|(name, value)| !["Name", "AttributesToDelete"].contains(&name.as_str()) && !value.is_null());
    let sent = sent.filter(|(name, value)| name.as_str() != "DeleteVpcConfig" || value.as_bool() == Some(true));
    let deleted = input["AttributesToDelete"].as_array().into_iter().flatten().filter_map(Json::as_str);
    sent.map(|(name, _)| name.clone()).chain(deleted.map(str::to_owned)).collect()
}

/// Those of `touched` that a fleet of this type in this state does not take.
pub(crate) fn forbidden(fleet: &Fleet, rules: RunningRule, touched: &[String]) -> Vec<String> {
    let running: &[&str] = match (rules, fleet.is_elastic()) {
        (RunningRule::Y2017, _) => &["DisplayName", "ComputeCapacity"],
        // MaxSessionsPerInstance is not in the API reference's list but was seen to work.
        (RunningRule::Today, false) => &[
            "DisplayName",
            "ComputeCapacity",
            "ImageName",
            "ImageArn",
            "IdleDisconnectTimeoutInSeconds",
            "DisconnectTimeoutInSeconds",
            "MaxSessionsPerInstance",
        ],
        (RunningRule::Today, true) => &[
            "DisplayName",
            "IdleDisconnectTimeoutInSeconds",
            "DisconnectTimeoutInSeconds",
            "MaxConcurrentSessions",
            "SessionScriptS3Location",
            "UsbDeviceFilterStrings",
            "SESSION_SCRIPT_S3_LOCATION",
            "USB_DEVICE_FILTER_STRINGS",
        ],
    };
    let allowed: &[&str] = match fleet.state {
        FleetState::Stopped => return Vec::new(),
        FleetState::Running => running,
        FleetState::Starting | FleetState::Stopping => &[],
    };
    touched.iter().filter(|name| !allowed.contains(&name.as_str())).cloned().collect()
}

/// UpdateFleet. Absent members keep their value; the answer is the whole fleet.
pub(crate) fn update(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = text(call, "Name").to_owned();
    let Some(fleet) = place.fleets.get(&name) else {
        return Err(unknown(place, &name));
    };
    check_one_image(call.input)?;
    let touched = touched(call.input);
    let moving = matches!(fleet.state, FleetState::Starting | FleetState::Stopping);
    if moving || !forbidden(fleet, place.laws.rules, &touched).is_empty() {
        return Err(in_use(fleet));
    }
    let mut settings = merge(&fleet.settings, super::parse(call)?);
    delete_attributes(&mut settings, &touched);
    let asked = asked_capacity(call, fleet, &settings)?;
    check_combination(&settings, asked)?;
    let image_sent = ["ImageName", "ImageArn"].iter().any(|member| touched.iter().any(|name| name == member));
    let type_sent = touched.iter().any(|name| name == "InstanceType");
    if !settings.is_elastic() && (image_sent || type_sent) {
        if image_sent && !touched.iter().any(|name| name == "Platform") {
            settings.platform = None;
        }
        let image = resolve_image(place, &settings)?;
        if fleet.state == FleetState::Running && fleet.settings.platform.as_ref() != Some(&image.platform) {
            // Developer guide: another operating system only on a stopped fleet.
            return Err(in_use(fleet));
        }
        settings.image_name = Some(image.name.clone());
        settings.image_arn = Some(image.arn.clone());
        settings.platform = Some(image.platform.clone());
    }
    fill_defaults(&mut settings);
    let (instances, sessions) = match asked {
        None => (fleet.desired_instances, fleet.desired_sessions),
        Some(desired) => instances_for(desired, settings.max_sessions_per_instance),
    };
    if instances > fleet.desired_instances || type_sent {
        check_quota(place, &name, &settings, instances)?;
    }
    let Some(fleet) = place.fleets.get_mut(&name) else {
        return Err(Refusal::internal());
    };
    fleet.settings = settings;
    fleet.desired_instances = instances;
    fleet.desired_sessions = sessions;
    fleet.rescale(call.now);
    Ok(map([("Fleet", fleet.spell(call.now))]))
}

/// AWS's sentence, which says ACTIVE for RUNNING.
fn in_use(fleet: &Fleet) -> Refusal {
    let (name, word) = (&fleet.name, fleet.state.internal_word());
    let message = format!(
        "Cannot update the attribute for fleet {name} when it is {word}. The fleet must be stopped to complete this action."
    );
    Refusal::new("ResourceInUseException", message)
}

fn merge(old: &FleetSettings, new: FleetSettings) -> FleetSettings {
    // Whichever of the two names an image, the other follows it.
    let (image_name, image_arn) = match (new.image_name, new.image_arn) {
        (None, None) => (old.image_name.clone(), old.image_arn.clone()),
        (name, arn) => (name, arn),
    };
    let vpc_config = match (new.vpc_config, old.vpc_config.clone()) {
        (None, kept) => kept,
        (Some(sent), None) => Some(sent),
        (Some(sent), Some(kept)) => Some(super::fleet::VpcConfig {
            subnet_ids: sent.subnet_ids.or(kept.subnet_ids),
            security_group_ids: sent.security_group_ids.or(kept.security_group_ids),
        }),
    };
    // Whether an empty text clears is not documented; it is taken as "no text".
    let text = |sent: Option<String>, kept: &Option<String>| match sent {
        None => kept.clone(),
        Some(empty) if empty.is_empty() => None,
        Some(text) => Some(text),
    };
    FleetSettings {
        display_name: text(new.display_name, &old.display_name),
        description: text(new.description, &old.description),
        image_name,
        image_arn,
        instance_type: new.instance_type.or_else(|| old.instance_type.clone()),
        // Not a member of UpdateFleet: ignored when sent.
        fleet_type: old.fleet_type.clone(),
        max_user_duration_in_seconds: new.max_user_duration_in_seconds.or(old.max_user_duration_in_seconds),
        disconnect_timeout_in_seconds: new.disconnect_timeout_in_seconds.or(old.disconnect_timeout_in_seconds),
        idle_disconnect_timeout_in_seconds: new
            .idle_disconnect_timeout_in_seconds
            .or(old.idle_disconnect_timeout_in_seconds),
        vpc_config,
        enable_default_internet_access: new.enable_default_internet_access.or(old.enable_default_internet_access),
        domain_join_info: new.domain_join_info.or_else(|| old.domain_join_info.clone()),
        iam_role_arn: new.iam_role_arn.or_else(|| old.iam_role_arn.clone()),
        stream_view: new.stream_view.or_else(|| old.stream_view.clone()),
        platform: new.platform.or_else(|| old.platform.clone()),
        max_concurrent_sessions: new.max_concurrent_sessions.or(old.max_concurrent_sessions),
        usb_device_filter_strings: new.usb_device_filter_strings.or_else(|| old.usb_device_filter_strings.clone()),
        session_script_s3_location: new.session_script_s3_location.or_else(|| old.session_script_s3_location.clone()),
        max_sessions_per_instance: new.max_sessions_per_instance.or(old.max_sessions_per_instance),
        root_volume_config: new.root_volume_config.or_else(|| old.root_volume_config.clone()),
        disable_imdsv1: new.disable_imdsv1.or(old.disable_imdsv1),
    }
}

fn delete_attributes(settings: &mut FleetSettings, touched: &[String]) {
    for attribute in touched {
        match attribute.as_str() {
            "VPC_CONFIGURATION" | "DeleteVpcConfig" => settings.vpc_config = None,
            "VPC_CONFIGURATION_SECURITY_GROUP_IDS" => {
                if let Some(vpc) = &mut settings.vpc_config {
                    vpc.security_group_ids = None;
                }
            }
            "DOMAIN_JOIN_INFO" => settings.domain_join_info = None,
            "IAM_ROLE_ARN" => settings.iam_role_arn = None,
            "USB_DEVICE_FILTER_STRINGS" => settings.usb_device_filter_strings = None,
            "SESSION_SCRIPT_S3_LOCATION" => settings.session_script_s3_location = None,
            "MAX_SESSIONS_PER_INSTANCE" => settings.max_sessions_per_instance = None,
            "VOLUME_CONFIGURATION" => settings.root_volume_config = None,
            // A member that was sent and merged.
            _ => {}
        }
    }
}

/// The capacity to check and set. A fleet that becomes or stops being multi-session needs the other kind of capacity.
fn asked_capacity(call: &Call<'_>, fleet: &Fleet, settings: &FleetSettings) -> Result<Asked, Refusal> {
    let sent = &call.input["ComputeCapacity"];
    if sent.is_object() {
        return Ok(Some((sent["DesiredInstances"].as_i64(), sent["DesiredSessions"].as_i64())));
    }
    let was_multi = fleet.settings.max_sessions_per_instance.is_some();
    if was_multi != settings.max_sessions_per_instance.is_some() {
        let message =
            "ComputeCapacity must be specified when a fleet changes between single-session and multi-session.";
        return Err(invalid_combination(message));
    }
    match (fleet.desired_sessions, settings.max_sessions_per_instance) {
        // More or fewer sessions on an instance: the number of instances follows.
        (Some(sessions), Some(_)) => Ok(Some((None, Some(sessions)))),
        (Some(_), None) | (None, _) => Ok(None),
    }
}
