//! Add-ons: automatic snapshots of Linux instances, on, off, and what they have made so far.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::catalogue::Blueprint;
use super::operation::Deed;
use super::{invalid, operations};
use crate::call::Call;
use crate::clock::later;
use crate::place::Place;
use crate::wire::{Refusal, Value, map};

/// The time of day when the caller names none; AWS chooses one by Region.
const USUAL_TIME: &str = "06:00";

/// Automatic snapshots that AWS keeps (developer guide).
const KEPT: usize = 7;

const DAY: Duration = Duration::from_secs(86_400);

/// The AutoSnapshot add-on of one instance. Once enabled it stays listed, also when it is disabled.
#[derive(Clone, Debug)]
pub(crate) struct AddOn {
    pub(crate) enabled: bool,
    /// When the last switch has taken effect.
    settled_at: Timestamp,
    /// `HH:00`.
    pub(crate) time_of_day: String,
    /// When the next snapshot is due.
    next_at: Timestamp,
    /// When each snapshot was made, oldest first.
    pub(crate) snapshots: Vec<Timestamp>,
}

impl AddOn {
    fn enabled(time_of_day: &str, now: Timestamp, takes: Duration, snapshots: Vec<Timestamp>) -> Self {
        let settled_at = later(now, takes);
        let next_at = next_snapshot(time_of_day, settled_at);
        Self { enabled: true, settled_at, time_of_day: time_of_day.to_owned(), next_at, snapshots }
    }

    /// Makes the snapshots that are due.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        let horizon = crate::clock::earlier(now, DAY * 8);
        if self.enabled && self.next_at < horizon {
            // Only the last ones are kept: there is no need to make years of them one by one.
            self.next_at = next_snapshot(&self.time_of_day, horizon);
        }
        while self.enabled && self.next_at <= now && self.next_at < Timestamp::MAX {
            self.snapshots.push(self.next_at);
            self.next_at = later(self.next_at, DAY);
        }
        let surplus = self.snapshots.len().saturating_sub(KEPT);
        self.snapshots.drain(..surplus);
    }

    pub(crate) fn status(&self, now: Timestamp) -> &'static str {
        match (self.enabled, now < self.settled_at) {
            (true, true) => "Enabling",
            (true, false) => "Enabled",
            (false, true) => "Disabling",
            (false, false) => "Disabled",
        }
    }

    pub(crate) fn spell(&self, now: Timestamp) -> Value {
        map([
            ("name", "AutoSnapshot".into()),
            ("status", self.status(now).into()),
            ("snapshotTimeOfDay", self.time_of_day.as_str().into()),
            ("nextSnapshotTimeOfDay", self.time_of_day.as_str().into()),
        ])
    }
}

/// The first instant after `from` at which the clock in UTC shows this time of day.
fn next_snapshot(time_of_day: &str, from: Timestamp) -> Timestamp {
    let hour = time_of_day.get(..2).and_then(|hour| hour.parse::<i8>().ok()).unwrap_or(0);
    let day = from.to_zoned(TimeZone::UTC);
    let today =
        Time::new(hour, 0, 0, 0).ok().and_then(|time| day.date().to_datetime(time).to_zoned(TimeZone::UTC).ok());
    let at = today.map_or(Timestamp::MAX, |zoned| zoned.timestamp());
    if at > from { at } else { later(at, DAY) }
}

/// The time of day of an add-on request, if this blueprint can have the add-on.
fn requested(request: &Json, blueprint: &Blueprint) -> Result<String, Refusal> {
    if request["addOnType"] != "AutoSnapshot" {
        return Err(invalid("StopInstanceOnIdle is available for Lightsail for Research instances only."));
    }
    if blueprint.windows {
        return Err(invalid("The AutoSnapshot add-on is not supported for Windows instances."));
    }
    let time = request["autoSnapshotAddOnRequest"]["snapshotTimeOfDay"].as_str().unwrap_or(USUAL_TIME);
    let hour = time.strip_suffix(":00").filter(|hour| hour.len() == 2).and_then(|hour| hour.parse::<u8>().ok());
    match hour {
        Some(0..=23) => Ok(time.to_owned()),
        Some(_) | None => {
            Err(invalid(format!("snapshotTimeOfDay must be in HH:00 format, in hourly increments: {time}")))
        }
    }
}

/// The `addOns` of CreateInstances.
pub(crate) fn of_create(call: &Call<'_>, blueprint: &Blueprint, takes: Duration) -> Result<Option<AddOn>, Refusal> {
    let mut asked = None;
    for request in call.input["addOns"].as_array().into_iter().flatten() {
        asked = Some(AddOn::enabled(&requested(request, blueprint)?, call.now, takes, Vec::new()));
    }
    Ok(asked)
}

/// EnableAddOn: also changes the time of one that is enabled.
pub(crate) fn enable(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let takes = place.laws.pace.small_change;
    let name = call.text("resourceName");
    let instance = place.instance_to_change(name, call.now)?;
    let time = requested(&call.input["addOnRequest"], instance.blueprint)?;
    if instance.add_on.as_ref().is_some_and(|one| one.enabled && one.time_of_day == time) {
        return Err(invalid("The addOn is already in requested state"));
    }
    if call.fails_later.is_none() {
        let snapshots = instance.add_on.take().map(|one| one.snapshots).unwrap_or_default();
        instance.add_on = Some(AddOn::enabled(&time, call.now, takes, snapshots));
    }
    let zone = instance.zone.clone();
    Ok(operations(vec![place.note(call, deed("EnableAddOn", name, zone, takes))]))
}

/// DisableAddOn.
pub(crate) fn disable(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let takes = place.laws.pace.small_change;
    let name = call.text("resourceName");
    let instance = place.instance_to_change(name, call.now)?;
    let zone = instance.zone.clone();
    match &mut instance.add_on {
        Some(add_on) if add_on.enabled && call.text("addOnType") == "AutoSnapshot" => {
            if call.fails_later.is_none() {
                add_on.enabled = false;
                add_on.settled_at = later(call.now, takes);
            }
        }
        Some(_) if call.text("addOnType") == "AutoSnapshot" => {
            return Err(invalid("The addOn is already in requested state"));
        }
        Some(_) | None => {
            return Err(invalid(format!("{} not enabled for the resource", call.text("addOnType"))));
        }
    }
    Ok(operations(vec![place.note(call, deed("DisableAddOn", name, zone, takes))]))
}

fn deed(kind: &'static str, name: &str, zone: String, takes: Duration) -> Deed {
    Deed { kind, name: name.to_owned(), resource: "Instance", zone, details: Some("AutoSnapshot".to_owned()), takes }
}

/// GetAutoSnapshots: newest first.
pub(crate) fn get_snapshots(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let instance = place.instance(call.text("resourceName"))?;
    let one = |at: &Timestamp| {
        map([
            ("date", at.strftime("%Y-%m-%d").to_string().into()),
            ("createdAt", (*at).into()),
            ("status", "Success".into()),
            ("fromAttachedDisks", Value::List(Vec::new())),
        ])
    };
    let snapshots = instance.add_on.as_ref().map(|add_on| add_on.snapshots.as_slice()).unwrap_or_default();
    Ok(map([
        ("resourceName", instance.name.as_str().into()),
        ("resourceType", "Instance".into()),
        ("autoSnapshots", Value::List(snapshots.iter().rev().map(one).collect())),
    ]))
}
