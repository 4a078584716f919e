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
use super::wanted::{self, Wanted};

/// The spec path.
pub const FIELD: &str = "staticIp";

/// Static IPs of the Region, by name.
type All = BTreeMap<String, StaticIpFacts>;

/// What is to be done about static IPs next, and the stamps for it.
pub fn difference(
    wanted: &Wanted<'_>,
    facts: &InstanceFacts,
    all: &All,
    internal: &mut Internal,
) -> Option<Difference> {
    let target = wanted.static_ip.as_ref();
    let here = |name: &str| attached_to(all, name) == Some(facts.name.as_str());
    let own = wanted::own_static_ip(wanted.object).ok();
    forget_what_is_gone(internal, target.map(|t| t.name.as_str()), own.as_ref(), all, facts);
    let set = &mut internal.applied.static_ips;
    let attached = all.keys().find(|name| here(name) && target.is_none_or(|t| t.name.as_str() != name.as_str()));
    let to = target.map(|t| t.name.to_string()).unwrap_or_default();
    let told = |from: &str, what| Some(Difference { field: FIELD, from: from.to_owned(), to: to.clone(), what });

    // An instance has one at most. What others attached goes only where the spec wants another in its place.
    if let Some(name) = attached
        && (target.is_some() || set.contains(name))
        && let Ok(old) = name.parse()
    {
        return told(name, Deed::Send(InstanceCall::DetachStaticIp(old)));
    }
    // Ours is not wanted any more.
    if let Some(own) = own.as_ref().filter(|own| target.is_none_or(|t| t.name != **own))
        && let Some(call) = release(all, own, None).filter(|_| set.contains(own.as_str()))
    {
        return told(own.as_str(), Deed::Send(call));
    }
    let target = target?;
    match (all.get(target.name.as_str()), target.own) {
        (None, true) => {
            set.insert(target.name.to_string());
            told("", Deed::Send(InstanceCall::AllocateStaticIp(target.name.clone())))
        }
        (None, false) => {
            let text = format!("staticIp: there is no static IP {} in this Region", target.name);
            told("", Deed::Wait(Waiting::DependencyNotReady, text))
        }
        (Some(ip), own) => match ip.attached_to.as_deref() {
            Some(host) if host == facts.name.as_str() => {
                if own {
                    set.insert(target.name.to_string());
                }
                None
            }
            Some(host) => {
                let text = format!("staticIp: {} is attached to {host}", target.name);
                told("", Deed::Wait(Waiting::DependencyNotReady, text))
            }
            None => {
                set.insert(target.name.to_string());
                let call = InstanceCall::AttachStaticIp { static_ip: target.name.clone(), name: facts.name.clone() };
                told("", Deed::Send(call))
            }
        },
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

/// What is neither wanted nor there any more need not be remembered.
fn forget_what_is_gone(
    internal: &mut Internal,
    target: Option<&str>,
    own: Option<&LightsailName>,
    all: &All,
    facts: &InstanceFacts,
) {
    internal.applied.static_ips.retain(|name| {
        let ours = own.is_some_and(|own| own.as_str() == name) && all.contains_key(name);
        let here = attached_to(all, name) == Some(facts.name.as_str());
        Some(name.as_str()) == target || ours || here
    });
}

fn attached_to<'a>(all: &'a All, name: &str) -> Option<&'a str> {
    all.get(name)?.attached_to.as_deref()
}
