//! Start, stop, reboot, delete.

use std::time::Duration;

use super::address::public_ipv4;
use super::instance::{Instance, InstanceState, IpAddressType, Outcome};
use super::operation::Deed;
use super::{invalid, not_found, operations};
use crate::call::Call;
use crate::clock::later;
use crate::place::Place;
use crate::settings::WrongState;
use crate::wire::{Refusal, Value};

/// StartInstance: from stopped, with a new public IPv4 address unless a static one is attached. It may take the instance
/// to the newer generation of its bundle.
pub(crate) fn start(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = call.text("instanceName");
    let instance = place.instance_to_change(name, call.now)?.clone();
    if instance.state != InstanceState::Stopped {
        return wrong_state(place, call, &instance, "StartInstance", "started");
    }
    let mut bundle = instance.bundle.clone();
    if let Some(asked) = call.input["attributeUpdates"]["bundleId"].as_str() {
        let next = place.next_generation(&bundle, asked, instance.original_bundle.as_deref());
        bundle = next.ok_or_else(|| {
            invalid(format!("The bundle of the Instance {name} cannot be updated from {} to {asked}.", bundle.id))
        })?;
    }
    let pace = place.laws.pace;
    let up_at = later(call.now, pace.start_instance);
    let address = public_ipv4(&mut place.rng);
    let started = place.instance_to_change(name, call.now)?;
    match call.fails_later {
        Some(_) => started.until = Some((up_at, Outcome::Fails)),
        None => {
            if bundle.id != started.bundle.id {
                started.original_bundle = Some(started.bundle.id.clone());
                started.bundle = bundle;
            }
            started.until = Some((up_at, Outcome::Next));
            if started.ip_type != IpAddressType::Ipv6 {
                started.public_ip = Some((address, later(up_at, pace.address_lag)));
            }
        }
    }
    started.state = InstanceState::Pending;
    started.state_since = call.now;
    Ok(operations(vec![place.note(call, deed("StartInstance", &instance, pace.start_instance))]))
}

/// StopInstance: from running; by force also when it hangs in stopping.
pub(crate) fn stop(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = call.text("instanceName");
    let instance = place.instance_to_change(name, call.now)?.clone();
    let forced = call.flag("force") && instance.state == InstanceState::Stopping;
    if instance.state != InstanceState::Running && !forced {
        return wrong_state(place, call, &instance, "StopInstance", "stopped");
    }
    let takes = if forced { place.laws.pace.small_change } else { place.laws.pace.stop_instance };
    let outcome = if call.fails_later.is_some() { Outcome::Fails } else { Outcome::Next };
    let stopped = place.instance_to_change(name, call.now)?;
    stopped.state = InstanceState::Stopping;
    stopped.state_since = call.now;
    stopped.until = Some((later(call.now, takes), outcome));
    Ok(operations(vec![place.note(call, deed("StopInstance", &instance, takes))]))
}

/// RebootInstance: it stays running, with its addresses.
pub(crate) fn reboot(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let instance = place.instance_to_change(call.text("instanceName"), call.now)?.clone();
    if instance.state != InstanceState::Running {
        return wrong_state(place, call, &instance, "RebootInstance", "rebooted");
    }
    Ok(operations(vec![place.note(call, deed("RebootInstance", &instance, Duration::ZERO))]))
}

/// DeleteInstance: in any state; add-ons go only by `forceDeleteAddOns`. The operation has succeeded at once, the
/// instance is still shown for a moment, and a static IP stays.
pub(crate) fn delete(place: &mut Place, call: &Call<'_>) -> Result<Value, Refusal> {
    let name = call.text("instanceName");
    let takes = place.laws.pace.delete_instance;
    let instance = place.lightsail.instances.get(name).ok_or_else(|| not_found("Instance", name))?.clone();
    if instance.is_leaving() {
        return Err(not_found("Instance", name));
    }
    if instance.add_on.as_ref().is_some_and(|one| one.enabled) && !call.flag("forceDeleteAddOns") {
        return Err(invalid(format!(
            "You cannot delete the Instance {name} with addons. Specify the forceDeleteAddons parameter to delete the \
             Instance and its associated addons."
        )));
    }
    let deleted = place.instance_to_change(name, call.now)?;
    if call.fails_later.is_none() {
        deleted.state = InstanceState::ShuttingDown;
        deleted.state_since = call.now;
        // Shown as shutting-down for a while, then as terminated.
        deleted.until = Some((later(call.now, takes / 2), Outcome::Next));
        deleted.gone_at = later(call.now, takes);
        deleted.public_ip = None;
        for ip in place.lightsail.static_ips.values_mut().filter(|ip| ip.is_attached_to(name)) {
            ip.attached_to = None;
        }
    }
    // Disks are detached first, each with two operations: the first one is not the delete.
    let mut noted = Vec::new();
    for disk in &instance.disks {
        let detach = deed("DetachDisk", &instance, Duration::ZERO);
        let of_disk = Deed { name: disk.clone(), resource: "Disk", details: Some(name.to_owned()), ..detach.clone() };
        noted.push(place.note(call, of_disk));
        noted.push(place.note(call, Deed { details: Some(disk.clone()), ..detach }));
    }
    noted.push(place.note(call, deed("DeleteInstance", &instance, Duration::ZERO)));
    place.lightsail.settle(call.now);
    Ok(operations(noted))
}

/// What AWS answers here is not written down: the world's settings say.
fn wrong_state(
    place: &mut Place,
    call: &Call<'_>,
    instance: &Instance,
    kind: &'static str,
    verb: &str,
) -> Result<Value, Refusal> {
    let message = format!("The Instance {} cannot be {verb} when it is {}.", instance.name, instance.state.as_str());
    match place.laws.wrong_state {
        WrongState::NoOp => Ok(operations(vec![place.note(call, deed(kind, instance, Duration::ZERO))])),
        WrongState::InvalidInput => Err(invalid(message)),
        WrongState::OperationFailure => Err(Refusal::new("OperationFailureException", message)),
    }
}

fn deed(kind: &'static str, instance: &Instance, takes: Duration) -> Deed {
    let (name, zone) = (instance.name.clone(), instance.zone.clone());
    Deed { kind, name, resource: "Instance", zone, details: Some(String::new()), takes }
}
