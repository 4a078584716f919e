//! Which members of a fleet go together. Shared by CreateFleet, StartFleet and UpdateFleet.

use serde_json::Value as Json;

use super::fleet::{FleetSettings, FleetState};
use super::image::Image;
use super::{invalid_combination, not_found};
use crate::place::Place;
use crate::wire::Refusal;

/// What CreateFleet asked in ComputeCapacity: instances and sessions. `None` for an update that says nothing of it.
pub(crate) type Asked = Option<(Option<i64>, Option<i64>)>;

/// Platforms that an ELASTIC fleet may have (API reference).
const ELASTIC_PLATFORMS: [&str; 3] = ["WINDOWS_SERVER_2019", "AMAZON_LINUX2", "UBUNTU_PRO_2404"];

/// Refuses a request that names its image twice.
pub(crate) fn check_one_image(input: &Json) -> Result<(), Refusal> {
    match (input["ImageName"].as_str(), input["ImageArn"].as_str()) {
        (Some(_), Some(_)) => Err(invalid_combination("You can specify ImageName or ImageArn, not both.")),
        (Some(_), None) | (None, _) => Ok(()),
    }
}

/// Refuses what can not go together.
pub(crate) fn check_combination(settings: &FleetSettings, asked: Asked) -> Result<(), Refusal> {
    check_durations(settings)?;
    if settings.is_elastic() { check_elastic(settings, asked) } else { check_always_on(settings, asked) }
}

fn check_elastic(settings: &FleetSettings, asked: Asked) -> Result<(), Refusal> {
    let refuse = |message: &str| Err(invalid_combination(message));
    if asked.is_some_and(|asked| asked != (None, None)) {
        return refuse("ComputeCapacity is not supported for Elastic fleets.");
    }
    if settings.max_concurrent_sessions.is_none_or(|sessions| sessions < 1) {
        return refuse("MaxConcurrentSessions is required for Elastic fleets.");
    }
    if settings.max_sessions_per_instance.is_some() {
        return refuse("MaxSessionsPerInstance is not supported for Elastic fleets.");
    }
    if settings.domain_join_info.is_some() {
        return refuse("DomainJoinInfo is not supported for Elastic fleets.");
    }
    if !settings.platform.as_deref().is_some_and(|platform| ELASTIC_PLATFORMS.contains(&platform)) {
        return refuse("Elastic fleets support the platforms WINDOWS_SERVER_2019, AMAZON_LINUX2 and UBUNTU_PRO_2404.");
    }
    let subnets = settings.vpc_config.as_ref().and_then(|vpc| vpc.subnet_ids.as_ref()).map_or(0, Vec::len);
    if subnets < 2 {
        return refuse("Elastic fleets require at least two subnets in different Availability Zones.");
    }
    Ok(())
}

fn check_always_on(settings: &FleetSettings, asked: Asked) -> Result<(), Refusal> {
    let refuse = |message: &str| Err(invalid_combination(message));
    if settings.image_name.is_none() && settings.image_arn.is_none() {
        return refuse("You must specify either ImageName or ImageArn.");
    }
    if settings.max_concurrent_sessions.is_some() {
        return refuse("MaxConcurrentSessions is supported for Elastic fleets only.");
    }
    if settings.session_script_s3_location.is_some() {
        return refuse("SessionScriptS3Location is supported for Elastic fleets only.");
    }
    // The administration guide gives 2 to 50.
    if settings.max_sessions_per_instance.is_some_and(|slots| !(2..=50).contains(&slots)) {
        return refuse("MaxSessionsPerInstance must be between 2 and 50.");
    }
    let multi = settings.max_sessions_per_instance.is_some();
    match asked {
        None => Ok(()),
        Some((None, None)) => refuse("You must specify either DesiredInstances or DesiredSessions in ComputeCapacity."),
        Some((Some(_), Some(_))) => refuse("You can specify DesiredInstances or DesiredSessions, not both."),
        Some((Some(_), None)) if multi => refuse("DesiredSessions must be specified for multi-session fleets."),
        Some((None, Some(_))) if !multi => refuse("DesiredSessions is not supported for single-session fleets."),
        Some((Some(n), None) | (None, Some(n))) if n < 0 => refuse("The desired capacity must not be negative."),
        Some(_) => Ok(()),
    }
}

fn check_durations(settings: &FleetSettings) -> Result<(), Refusal> {
    let bounds = |name: &str, value: Option<i64>, low: i64, high: i64, zero: bool| {
        let fits = |n: i64| (low..=high).contains(&n) || (zero && n == 0);
        match value {
            Some(n) if !fits(n) => Err(invalid_combination(format!("{name} must be between {low} and {high}."))),
            Some(_) | None => Ok(()),
        }
    };
    // Bounds of today's API reference.
    bounds("MaxUserDurationInSeconds", settings.max_user_duration_in_seconds, 600, 432_000, false)?;
    bounds("DisconnectTimeoutInSeconds", settings.disconnect_timeout_in_seconds, 60, 36_000, false)?;
    bounds("IdleDisconnectTimeoutInSeconds", settings.idle_disconnect_timeout_in_seconds, 60, 36_000, true)?;
    let volume = settings.root_volume_config.as_ref().and_then(|volume| volume.volume_size_in_gb);
    bounds("VolumeSizeInGb", volume, 200, 500, false)
}

/// Finds the image that the settings name, and refuses one that is not AVAILABLE or does not fit.
pub(crate) fn resolve_image<'a>(place: &'a Place, settings: &FleetSettings) -> Result<&'a Image, Refusal> {
    // Once resolved, both are filled in; the ARN then is the one that tells a shared image apart.
    let (found, named) = match (&settings.image_arn, &settings.image_name) {
        (Some(arn), _) => (place.images.get(arn), arn),
        (None, Some(name)) => (place.image_by_name(name), name),
        (None, None) => {
            return Err(invalid_combination("You must specify either ImageName or ImageArn."));
        }
    };
    let unknown = || not_found(format!("The image {named} for account {} does not exist.", place.account));
    let image = found.ok_or_else(unknown)?;
    if image.state != "AVAILABLE" {
        let message = format!(
            "The image {} is {}. The image must be in an AVAILABLE state for this action to succeed.",
            image.name, image.state
        );
        return Err(Refusal::new("ResourceNotAvailableException", message));
    }
    if let Some(platform) = settings.platform.as_ref().filter(|platform| **platform != image.platform) {
        let message = format!("The platform {platform} does not match the platform {} of the image.", image.platform);
        return Err(invalid_combination(message));
    }
    check_family(image, settings)?;
    Ok(image)
}

/// Graphics instance types need an image of their own family, all others need one of none.
fn check_family(image: &Image, settings: &FleetSettings) -> Result<(), Refusal> {
    let Some(instance_type) = settings.instance_type.as_deref() else {
        return Ok(());
    };
    let family = instance_type.split('.').nth(1).filter(|family| family.starts_with("graphics"));
    if family == image.family.as_deref() {
        return Ok(());
    }
    let has = image.family.as_deref().unwrap_or("null");
    Err(invalid_combination(format!(
        "The combination of instance type {instance_type} and image instance family {has} is not supported. \
         Select an image that belongs to image instance family supported by this instance type."
    )))
}

/// What AWS fills in for members that were never sent.
pub(crate) fn fill_defaults(settings: &mut FleetSettings) {
    settings.fleet_type.get_or_insert_with(|| "ALWAYS_ON".to_owned());
    settings.stream_view.get_or_insert_with(|| "APP".to_owned());
    settings.max_user_duration_in_seconds.get_or_insert(57_600);
    settings.disconnect_timeout_in_seconds.get_or_insert(900);
    settings.idle_disconnect_timeout_in_seconds.get_or_insert(0);
    settings.enable_default_internet_access.get_or_insert(false);
    if let Some(vpc) = settings.vpc_config.as_mut().filter(|vpc| vpc.subnet_ids.is_some()) {
        // The default security group of the VPC.
        let none = vpc.security_group_ids.as_ref().is_none_or(Vec::is_empty);
        if none {
            vpc.security_group_ids = Some(vec!["sg-0default0000000".to_owned()]);
        }
    }
}

/// Instances of one type without a quota: far above what AWS grants (its default quotas are two digits), and few enough
/// that a slip of the pen does not fill the machine's memory.
pub(crate) const MOST_INSTANCES: i64 = 100_000;

/// Quotas on the number of fleets and on instances of a type.
pub(crate) fn check_quota(place: &Place, name: &str, settings: &FleetSettings, instances: i64) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new("LimitExceededException", message));
    let limit = place.laws.quotas.fleets;
    if !place.fleets.contains_key(name) && limit.is_some_and(|limit| place.fleets.len() >= limit) {
        return refuse(format!("The fleet limit for account {} was exceeded.", place.account));
    }
    let limit = place.laws.quotas.instances_per_type.unwrap_or(MOST_INSTANCES);
    let counted = |fleet: &&super::fleet::Fleet| {
        fleet.name != name
            && fleet.state != FleetState::Stopped
            && fleet.settings.instance_type == settings.instance_type
    };
    let others: i64 = place.fleets.values().filter(counted).map(|fleet| fleet.desired_instances).sum();
    let requested = others.saturating_add(instances);
    if requested > limit {
        let kind = settings.instance_type.as_deref().unwrap_or_default();
        // The lone quote is AWS's own.
        return refuse(format!(
            "The Instance type '{kind}' capacity limit for fleet {name}' was exceeded. Requested: {requested}, Limit: {limit}"
        ));
    }
    Ok(())
}
