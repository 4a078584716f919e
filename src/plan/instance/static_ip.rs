//! The static IP of an instance: ours is allocated, attached, detached and released; another's is attached and detached.
//!
//! AWS keeps no tags on a static IP. Ours is told by its name, which ends in our object's uid; nothing else is released.

use std::collections::BTreeMap;

use crate::api::LightsailName;
use crate::api::instance::Internal;
use crate::plan::reason::Waiting;

use super::InstanceCall;
use super::diff::{Deed, Difference};
use super::state::{InstanceFacts, StaticIpFacts};
use super::wanted::{self, Wanted, WantedIp};

/// The spec path.
pub const FIELD: &str = "staticIp";

/// Static IPs of the Region, by name.
type All = BTreeMap<String, StaticIpFacts>;

/// What is to be done about static IPs next, and the stamps for it. `sure` says whether one that is not shown is not there: an
/// allocation whose answer was lost may still bring ours about.
///
/// An instance has one at most. The one that it has is kept until the one that it is to have can be attached.
pub fn difference(
    wanted: &Wanted<'_>,
    facts: &InstanceFacts,
    (all, sure): (&All, bool),
    internal: &mut Internal,
) -> Option<Difference> {
    let target = wanted.static_ip.as_ref();
    let own = wanted::own_static_ip(wanted.object).ok();
    internal.applied.static_ips.retain(|name| remembered(name, target, own.as_ref(), facts, (all, sure)));
    let set = &mut internal.applied.static_ips;
    let here = all.keys().find(|name| attached_to(all, name) == Some(facts.name.as_str()));
    let to = target.map(|t| t.name.to_string()).unwrap_or_default();
    let told = |from: &str, what| Some(Difference { field: FIELD, from: from.to_owned(), to: to.clone(), what });
    let detach = |name: &String| {
        let old = name.parse().ok()?;
        told(name, Deed::Send(InstanceCall::DetachStaticIp(old)))
    };
    // Ours that is not wanted any more.
    let left = own.as_ref().filter(|own| set.contains(own.as_str()) && target.is_none_or(|t| t.name != **own));
    let give_back = || {
        let own = left?;
        let unsure = || Deed::Wait(Waiting::Updating, format!("staticIp: making sure that {own} is not there"));
        let what = match all.contains_key(own.as_str()) {
            true => Deed::Send(release(all, own, None)?),
            false => unsure(),
        };
        told(own.as_str(), what)
    };

    let Some(target) = target else {
        // What others attached stays.
        return here.filter(|name| set.contains(*name)).and_then(detach).or_else(give_back);
    };
    let missing = |text| told("", Deed::Wait(Waiting::DependencyNotReady, text));
    // What the spec names is not ours to release, whatever its name: it is not remembered as such.
    let stamped = target.own || own.as_ref() != Some(&target.name);
    match (all.get(target.name.as_str()).map(|ip| ip.attached_to.as_deref()), target.own) {
        (None, true) => {
            set.insert(target.name.to_string());
            told("", Deed::Send(InstanceCall::AllocateStaticIp(target.name.clone())))
        }
        (None, false) => missing(format!("staticIp: there is no static IP {} in this Region", target.name)),
        (Some(Some(host)), own) if host == facts.name.as_str() => {
            let difference = give_back();
            if own {
                set.insert(target.name.to_string());
            }
            difference
        }
        (Some(Some(host)), _) => missing(format!("staticIp: {} is attached to {host}", target.name)),
        (Some(None), _) => {
            if let Some(other) = here {
                return detach(other);
            }
            if stamped {
                set.insert(target.name.to_string());
            }
            let call = InstanceCall::AttachStaticIp { static_ip: target.name.clone(), name: facts.name.clone() };
            told("", Deed::Send(call))
        }
    }
}

/// The next write that takes our own static IP away with the instance `from`, or after it.
pub fn leaving(wanted_own: &LightsailName, all: &All, from: &str) -> Option<InstanceCall> {
    release(all, wanted_own, Some(from))
}

/// Releases what is attached to nothing, detaches it first from the instance `from`; what is attached to another is left.
fn release(all: &All, own: &LightsailName, from: Option<&str>) -> Option<InstanceCall> {
    let ip = all.get(own.as_str())?;
    match ip.attached_to.as_deref() {
        None => Some(InstanceCall::ReleaseStaticIp(own.clone())),
        Some(host) if Some(host) == from => Some(InstanceCall::DetachStaticIp(own.clone())),
        Some(_) => None,
    }
}

/// Whether a name stays stamped. What is neither wanted nor there any more need not be; what the spec names is no longer
/// ours.
fn remembered(
    name: &str,
    target: Option<&WantedIp>,
    own: Option<&LightsailName>,
    facts: &InstanceFacts,
    (all, sure): (&All, bool),
) -> bool {
    let own = own.is_some_and(|own| own.as_str() == name);
    match target.filter(|target| target.name.as_str() == name) {
        Some(target) => target.own || !own,
        None => own && (!sure || all.contains_key(name)) || attached_to(all, name) == Some(facts.name.as_str()),
    }
}

fn attached_to<'a>(all: &'a All, name: &str) -> Option<&'a str> {
    all.get(name)?.attached_to.as_deref()
}
