//! Whether a grant may open its target, and whether the target can be opened now.

use jiff::Timestamp;
use kube::ResourceExt;

use super::state::{Doing, Missing, NoAccess, TargetFacts};
use super::term::length;
use crate::api::AccessGrant;
use crate::api::access_grant::{AccessProtocol, TargetStamp};
use crate::api::account::GrantTarget;
use crate::plan::conditions::to_the_second;
use crate::plan::ownership::PREFIX;
use crate::plan::reason::{Stall, Verdict, Waiting};
use crate::plan::{Allow, Scope};

/// Why the namespace may not ask for this, if so: what no look at the target is needed for.
pub fn may_ask(object: &AccessGrant, allow: &Allow) -> Result<(), String> {
    let grants = &allow.grants;
    let spec = &object.spec;
    let (target, by_reference) = match (&spec.lightsail_instance, &spec.game_lift_instance) {
        (Some(target), _) => (GrantTarget::LightsailInstance, target.instance_ref.is_some()),
        (None, Some(_)) => (GrantTarget::GameLiftInstance, false),
        (None, None) => (GrantTarget::GameLiftCompute, false),
    };
    let lasts = length(&spec.duration).unwrap_or_default();
    match (by_reference, grants.unmanaged, grants.targets.contains(&target), grants.max_duration) {
        (_, _, _, Some(longest)) if lasts > longest => {
            Err(format!("duration is {}, and the Account allows {} s at most", spec.duration, longest.as_secs()))
        }
        (_, _, false, _) => {
            Err(format!("no Account allows this namespace to open a {target:?} (allow.grants.targets)"))
        }
        // What the namespace's own object is for needs no more.
        (true, _, true, _) => Ok(()),
        (false, false, true, _) => Err(
            "no Account allows this namespace to open what is none of the operator's objects (allow.grants.unmanaged)"
                .into(),
        ),
        (false, true, true, _) => Ok(()),
    }
}

/// A sentence if the target carries the tags of another namespace or cluster.
pub fn of_another(object: &AccessGrant, scope: &Scope, facts: &TargetFacts) -> Option<String> {
    let says = |key: &str| facts.tags.get(&format!("{PREFIX}{key}"));
    let cluster = says("cluster").is_some_and(|cluster| *cluster != scope.cluster);
    let namespace = says("namespace").is_some_and(|namespace| Some(namespace) != object.namespace().as_ref());
    match (cluster, namespace) {
        (true, _) => Some("the target belongs to another cluster, by its tags".into()),
        (false, true) => Some("the target belongs to another namespace, by its tags".into()),
        (false, false) => None,
    }
}

/// Whether this is another machine than the one that the grant is for.
pub fn is_another(known: Option<&TargetStamp>, facts: &TargetFacts) -> bool {
    let Some(TargetStamp { id: Some(id), created, .. }) = known else { return false };
    *id != facts.id || created.is_some() && facts.created.is_some() && *created != facts.created.map(to_the_second)
}

/// Whether this is the machine that the grant is for, and it can be opened.
pub fn still(object: &AccessGrant, known: Option<&TargetStamp>, facts: &TargetFacts) -> bool {
    !is_another(known, facts) && not_ready(object, facts).is_none()
}

/// What is remembered of a machine.
pub fn stamp(name: Option<String>, facts: &TargetFacts, scope: &Scope) -> TargetStamp {
    TargetStamp {
        name,
        id: Some(facts.id.clone()),
        created: facts.created.map(to_the_second),
        account: Some(scope.account.clone()),
    }
}

/// Why the target cannot be opened now, if so.
pub fn not_ready(object: &AccessGrant, facts: &TargetFacts) -> Option<Verdict> {
    let protocol = object.spec.lightsail_instance.as_ref().map(|target| target.protocol);
    match (&facts.doing, protocol, facts.windows, &facts.address) {
        (Doing::FleetNot(word), ..) => Some(Verdict::Working(
            Waiting::FleetNotActive,
            format!("the fleet is {word}: AWS gives no access in this state"),
        )),
        (Doing::NotRunning(word), ..) => {
            Some(Verdict::Working(Waiting::InstanceNotRunning, format!("the instance is {word}")))
        }
        (Doing::Running, Some(AccessProtocol::Ssh), true, _) => Some(Verdict::Stalled(
            Stall::InvalidSpec,
            "the instance has Windows, which has no SSH: create a grant with protocol rdp".into(),
        )),
        (Doing::Running, Some(AccessProtocol::Rdp), false, _) => Some(Verdict::Stalled(
            Stall::InvalidSpec,
            "the instance has no Windows, so no RDP: create a grant with protocol ssh".into(),
        )),
        (Doing::Running, Some(_), _, None) => {
            Some(Verdict::Working(Waiting::NoAddress, "the instance has no public address yet".into()))
        }
        (Doing::Running, Some(_), _, Some(_)) | (Doing::Running, None, _, _) => None,
    }
}

/// What a fleet that gives no access is told as.
pub fn no_access(why: NoAccess) -> Verdict {
    match why {
        NoAccess::Anywhere => Verdict::Stalled(
            Stall::AnywhereFleet,
            "AWS gives no access to the computes of an Anywhere fleet: they are your own machines".into(),
        ),
        NoAccess::Container => Verdict::Stalled(
            Stall::ContainerFleet,
            "AWS gives no access to the instances of a container fleet: create a grant with gameLiftCompute".into(),
        ),
    }
}

/// What a target that has never been there is told as.
pub fn missing(what: Missing) -> Verdict {
    match what {
        Missing::Instance => Verdict::Working(Waiting::DependencyNotReady, "there is no such instance".into()),
        Missing::Fleet => Verdict::Working(Waiting::DependencyNotReady, "there is no such fleet".into()),
        Missing::Compute => Verdict::Working(Waiting::ComputeNotFound, "there is no such compute in the fleet".into()),
    }
}

/// A sentence if the target was elsewhere than the object says now. GameLift's ARNs may have no account.
pub fn moved(object: &AccessGrant, scope: &Scope) -> Option<String> {
    let status = object.status.as_ref()?;
    let arn = status.arn.as_ref()?;
    let stamped = status.internal.target.as_ref().and_then(|target| target.account.as_deref());
    let was_in = Some(arn.account()).filter(|account| !account.is_empty()).or(stamped);
    let account = was_in.is_some_and(|account| account != scope.account);
    let region = !arn.region().is_empty() && arn.region() != scope.region.as_str();
    (account || region).then(|| {
        format!(
            "the target is in account {} in {}, but this object now says account {} in {}: create another grant",
            was_in.unwrap_or_default(),
            arn.region(),
            scope.account,
            scope.region
        )
    })
}

/// How long until then, zero when it has passed.
pub fn until(at: Timestamp, now: Timestamp) -> std::time::Duration {
    std::time::Duration::try_from(at.duration_since(now)).unwrap_or_default()
}
