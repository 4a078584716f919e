//! What a careful operator never does, judged on every request as it comes in.
//!
//! The world does not know the operator's objects. It knows the ownership tags `windlass.dev/cluster` and
//! `windlass.dev/uid` on every resource, and which clusters' tags a caller has written before.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::appstream::builder::BuilderState;
use crate::appstream::fleet::{Fleet, FleetState};
use crate::appstream::fleet_update::{forbidden, touched};
use crate::appstream::session::Session;
use crate::call::Call;
use crate::clock::later;
use crate::lightsail::judged;
use crate::place::Place;
use crate::sts::Caller;
use crate::wire::{Refusal, Service, Value};
use crate::world::{State, mutates};

const CLUSTER: &str = "windlass.dev/cluster";
const UID: &str = "windlass.dev/uid";

/// One thing that a careful operator would not have done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// When.
    pub at: Timestamp,
    /// Which rule.
    pub rule: Rule,
    /// What was done to what, by whom.
    pub text: String,
}

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rule {
    /// UpdateFleet with an attribute that a RUNNING fleet does not take, or any while STARTING or STOPPING;
    /// UpdateImageBuilder of a RUNNING builder.
    ForbiddenUpdate,
    /// A stop, delete, disassociation or expiry that ends live sessions, without leave.
    SessionKilled,
    /// Two resources for one uid, or a create that is repeated without need.
    DuplicateCreate,
    /// A write to a resource without ownership tags, or with another cluster's.
    ForeignWrite,
    /// A start of a fleet, builder or instance that is up, a stop of one that is down.
    UselessWrite,
    /// A create without ownership tags.
    UntaggedCreate,
    /// StartInstance or StopInstance while the instance is pending, stopping or on its way out; a write to an image builder
    /// that is making an image or is in another transition.
    AgainstTransition,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ForbiddenUpdate => "forbidden update",
            Self::SessionKilled => "session killed",
            Self::DuplicateCreate => "duplicate create",
            Self::ForeignWrite => "foreign write",
            Self::UselessWrite => "useless write",
            Self::UntaggedCreate => "untagged create",
            Self::AgainstTransition => "against a transition",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.at, self.rule, self.text)
    }
}

type Tags = BTreeMap<String, String>;

/// Judges a request by what it asks for, before it is acted on.
pub(crate) fn before(state: &mut State, service: Service, call: &Call<'_>, caller: &Caller) {
    if !is_judged(state, caller) || !mutates(service, call.operation) {
        return;
    }
    let sent = sent_tags(service, call);
    if let Some(cluster) = sent.get(CLUSTER) {
        state.clusters.entry(caller.root_key.clone()).or_default().insert(cluster.clone());
    }
    let clusters = state.clusters.get(&caller.root_key).cloned().unwrap_or_default();
    let may_stop = state.may_stop_sessions.clone();
    let (rules, lag) = (state.settings.rules, state.settings.visibility_lag);
    let seen = target_tags(service, state.seen(&call.place), call);
    let known_as_own = seen.is_some_and(|tags| foreign(&tags, &clusters).is_none());
    let place = state.timeline(&call.place).now(call.now);
    let mut found: Vec<(Rule, String)> = Vec::new();
    if creates(service, call.operation) {
        if !(sent.contains_key(CLUSTER) && sent.contains_key(UID)) {
            found.push((Rule::UntaggedCreate, "without ownership tags".to_owned()));
        }
    } else if let Some(tags) = target_tags(service, place, call) {
        // A caller that reads late goes by what the tags were.
        let foreign = foreign(&tags, &clusters).filter(|_| !known_as_own);
        let adopts = call.operation == "TagResource" && may_adopt(&tags, &sent);
        if let Some(why) = foreign.filter(|_| !adopts) {
            found.push((Rule::ForeignWrite, why));
        }
    }
    found.extend(judged::power(place, call, lag).filter(|_| service == Service::Lightsail));
    let fleet = fleet_of(place, call).filter(|_| service == Service::AppStream);
    if let Some(fleet) = fleet {
        // A caller that reads late can not know of a state that is younger than the lag.
        let knowable = later(fleet.state_since, lag) <= call.now;
        let state = fleet.state.as_str();
        let up = matches!(fleet.state, FleetState::Starting | FleetState::Running);
        match call.operation {
            "UpdateFleet" if knowable => {
                let names = forbidden(fleet, rules, &touched(call.input));
                if !names.is_empty() {
                    found.push((Rule::ForbiddenUpdate, format!("of {} while {state}", names.join(", "))));
                }
            }
            "StartFleet" if knowable && up => found.push((Rule::UselessWrite, format!("while {state}"))),
            "StopFleet" if knowable && !up => found.push((Rule::UselessWrite, format!("while {state}"))),
            _ => {}
        }
        let killed = killed(fleet, call, lag);
        if killed > 0 && !may_stop.contains(&fleet.name) {
            found.push((Rule::SessionKilled, format!("with {killed} live sessions on fleet {}", fleet.name)));
        }
    }
    found.extend(disturbed(place, call, lag).filter(|_| service == Service::AppStream));
    for (rule, text) in found {
        report(state, service, call, caller, rule, &text);
    }
}

/// Judges a create or an adoption by what came of it, and remembers creates whose answer was lost.
pub(crate) fn after(
    state: &mut State,
    service: Service,
    call: &Call<'_>,
    caller: &Caller,
    result: &Result<Value, Refusal>,
    answered: bool,
) {
    if !mutates(service, call.operation) {
        return;
    }
    let lag = state.settings.visibility_lag;
    let sent = sent_tags(service, call);
    let uid = sent.get(UID);
    let mut repeated = None;
    if let (true, Some(kind)) = (creates(service, call.operation), Kind::of(call)) {
        let name = resources(service, call).into_iter().next().unwrap_or_default();
        let place = state.timeline(&call.place).now(call.now);
        let key = (kind.word().to_owned(), name.clone());
        match result {
            Ok(_) if answered => {
                place.unanswered.remove(&key);
            }
            Ok(_) => {
                place.unanswered.insert(key);
            }
            Err(refusal) => {
                // One repeat is what a lost answer makes of a careful caller; the second one has been told.
                let there = kind.find(place, &name).filter(|_| says_exists(refusal));
                let own = there.filter(|(tags, _)| uid.is_some() && tags.get(UID) == uid);
                if let Some((_, created_at)) = own {
                    let knowable = later(created_at, lag) <= call.now;
                    let excused = place.unanswered.remove(&key) || !knowable;
                    repeated = (!excused).then(|| format!("again for a {} that this uid has", kind.word()));
                }
            }
        }
    }
    if !is_judged(state, caller) {
        return;
    }
    if let Some(text) = repeated {
        report(state, service, call, caller, Rule::DuplicateCreate, &text);
    }
    let doubling = creates(service, call.operation) || call.operation == "TagResource";
    if let (true, Ok(_), Some(uid), Some(kind)) = (doubling, result, uid, Kind::of(call)) {
        let owned: usize = state.timelines.values().map(|timeline| kind.count(timeline.peek(), uid)).sum();
        if owned > 1 {
            let text = format!("and now uid {uid} has {owned} resources of one kind");
            report(state, service, call, caller, Rule::DuplicateCreate, &text);
        }
    }
}

/// Kinds of resources that carry ownership tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fleet,
    Stack,
    Builder,
    Instance,
}

impl Kind {
    /// What a create makes or a tag is put on.
    fn of(call: &Call<'_>) -> Option<Self> {
        let arn = call.input["ResourceArn"].as_str().unwrap_or_default();
        match call.operation {
            "CreateFleet" => Some(Self::Fleet),
            "CreateStack" => Some(Self::Stack),
            "CreateImageBuilder" => Some(Self::Builder),
            "CreateInstances" => Some(Self::Instance),
            "TagResource" if call.input["resourceName"].is_string() => Some(Self::Instance),
            "TagResource" if arn.contains(":fleet/") => Some(Self::Fleet),
            "TagResource" if arn.contains(":stack/") => Some(Self::Stack),
            "TagResource" if arn.contains(":image-builder/") => Some(Self::Builder),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::Stack => "stack",
            Self::Builder => "builder",
            Self::Instance => "instance",
        }
    }

    /// Tags and age of one.
    fn find<'a>(self, place: &'a Place, name: &str) -> Option<(&'a Tags, Timestamp)> {
        match self {
            Self::Fleet => place.fleets.get(name).map(|one| (&one.tags, one.created_at)),
            Self::Stack => place.stacks.get(name).map(|one| (&one.tags, one.created_at)),
            Self::Builder => place.builders.get(name).map(|one| (&one.tags, one.created_at)),
            Self::Instance => {
                let one = place.lightsail.instances.get(name).filter(|one| !one.is_leaving())?;
                Some((&one.tags, one.created_at))
            }
        }
    }

    /// How many of a place belong to this uid.
    fn count(self, place: &Place, uid: &str) -> usize {
        let own = |tags: &Tags| tags.get(UID).is_some_and(|value| value == uid);
        match self {
            Self::Fleet => place.fleets.values().filter(|one| own(&one.tags)).count(),
            Self::Stack => place.stacks.values().filter(|one| own(&one.tags)).count(),
            Self::Builder => place.builders.values().filter(|one| own(&one.tags)).count(),
            Self::Instance => {
                let staying = place.lightsail.instances.values().filter(|one| !one.is_leaving());
                staying.filter(|one| own(&one.tags)).count()
            }
        }
    }
}

/// Whether a create was refused because of what is there.
fn says_exists(refusal: &Refusal) -> bool {
    refusal.code == "ResourceAlreadyExistsException" || refusal.sub_code.as_deref() == Some("NameExists")
}

fn creates(service: Service, operation: &str) -> bool {
    match service {
        Service::AppStream => operation.starts_with("Create") && mutates(service, operation),
        Service::Lightsail => judged::creates(operation),
        Service::GameLift | Service::Sts => false,
    }
}

fn resources(service: Service, call: &Call<'_>) -> Vec<String> {
    match service {
        Service::Lightsail => crate::lightsail::resources(call.input),
        Service::GameLift => crate::gamelift::resources(call.input),
        Service::AppStream | Service::Sts => crate::appstream::resources(call.input),
    }
}

fn is_judged(state: &State, caller: &Caller) -> bool {
    let judged = &state.judged;
    judged.is_empty() || judged.contains(&caller.access_key) || judged.contains(&caller.root_key)
}

fn report(state: &mut State, service: Service, call: &Call<'_>, caller: &Caller, rule: Rule, text: &str) {
    if state.pardoned.contains(&rule) {
        return;
    }
    let resource = resources(service, call).into_iter().next().unwrap_or_default();
    let text = format!("{} {resource} {text} (by {})", call.operation, caller.arn);
    state.violations.push(Violation { at: call.now, rule, text });
}

/// Why a write to a resource with these tags is not the caller's business.
fn foreign(tags: &Tags, clusters: &std::collections::BTreeSet<String>) -> Option<String> {
    match (tags.get(CLUSTER), tags.get(UID)) {
        (Some(cluster), Some(_)) if clusters.is_empty() || clusters.contains(cluster) => None,
        (Some(cluster), Some(_)) => Some(format!("which cluster {cluster} owns")),
        (_, _) => Some("which has no ownership tags".to_owned()),
    }
}

/// Adoption: of what has no tag of ours, or of what the same object had under an earlier uid.
fn may_adopt(tags: &Tags, sent: &Tags) -> bool {
    if !(sent.contains_key(CLUSTER) && sent.contains_key(UID)) {
        return false;
    }
    let untagged = !tags.keys().any(|key| key.starts_with("windlass.dev/"));
    let same = |key: &str| tags.get(key).is_some_and(|value| sent.get(key) == Some(value));
    untagged || [CLUSTER, "windlass.dev/kind", "windlass.dev/namespace", "windlass.dev/name"].into_iter().all(same)
}

/// The tags that decide whose a write's target is. An association belongs to its stack.
fn target_tags(service: Service, place: &mut Place, call: &Call<'_>) -> Option<Tags> {
    match service {
        Service::AppStream => target_of_appstream(place, call),
        Service::Lightsail => judged::target_tags(place, call),
        Service::GameLift | Service::Sts => None,
    }
}

fn target_of_appstream(place: &mut Place, call: &Call<'_>) -> Option<Tags> {
    let text = |member: &str| call.input[member].as_str().unwrap_or_default();
    let fleet = |place: &Place, name: &str| place.fleets.get(name).map(|one| one.tags.clone());
    let stack = |place: &Place, name: &str| place.stacks.get(name).map(|one| one.tags.clone());
    match call.operation {
        "UpdateFleet" | "StartFleet" | "StopFleet" | "DeleteFleet" => fleet(place, text("Name")),
        "AssociateApplicationFleet" | "DisassociateApplicationFleet" => fleet(place, text("FleetName")),
        "AssociateFleet" | "DisassociateFleet" => stack(place, text("StackName")),
        "UpdateStack" | "DeleteStack" => stack(place, text("Name")),
        "UpdateImageBuilder" | "StartImageBuilder" | "StopImageBuilder" | "DeleteImageBuilder" => {
            place.builders.get(text("Name")).map(|one| one.tags.clone())
        }
        "ExpireSession" | "DrainSessionInstance" => {
            let host = place.fleet_of_session(text("SessionId"))?;
            fleet(place, &host)
        }
        "TagResource" | "UntagResource" => place.tags_mut(text("ResourceArn")).cloned(),
        _ => None,
    }
}

/// A write to an image builder that is in a transition, useless, or forbidden in its state. A state that is younger than
/// the lag can not be known.
fn disturbed(place: &Place, call: &Call<'_>, lag: Duration) -> Option<(Rule, String)> {
    let builder = place.builders.get(call.text("Name"))?;
    let writes = ["UpdateImageBuilder", "StartImageBuilder", "StopImageBuilder", "DeleteImageBuilder"];
    if !writes.contains(&call.operation) || later(builder.state_since, lag) > call.now {
        return None;
    }
    let text = format!("while {}", builder.state.as_str());
    let rule = match (call.operation, builder.state) {
        (_, state) if state.is_transition() => Rule::AgainstTransition,
        ("StartImageBuilder", BuilderState::Running) | ("StopImageBuilder", BuilderState::Stopped) => {
            Rule::UselessWrite
        }
        ("UpdateImageBuilder", BuilderState::Running) => Rule::ForbiddenUpdate,
        (_, _) => return None,
    };
    Some((rule, text))
}

fn fleet_of<'a>(place: &'a Place, call: &Call<'_>) -> Option<&'a Fleet> {
    let name = match call.operation {
        "UpdateFleet" | "StartFleet" | "StopFleet" | "DeleteFleet" => call.input["Name"].as_str()?.to_owned(),
        "DisassociateFleet" => call.input["FleetName"].as_str()?.to_owned(),
        "ExpireSession" => place.fleet_of_session(call.input["SessionId"].as_str()?)?,
        _ => return None,
    };
    place.fleets.get(&name)
}

/// Live sessions that a request ends, or would end if AWS let it; those younger than the lag can not be known.
fn killed(fleet: &Fleet, call: &Call<'_>, lag: Duration) -> usize {
    let text = |member: &str| call.input[member].as_str().unwrap_or_default();
    let ends = |one: &Session| match call.operation {
        "StopFleet" | "DeleteFleet" => true,
        "DisassociateFleet" => one.stack == text("StackName"),
        "ExpireSession" => one.id == text("SessionId"),
        _ => false,
    };
    let known = |one: &Session| one.ended_at.is_none() && later(one.started_at, lag) <= call.now;
    fleet.sessions.iter().filter(|one| known(one) && ends(one)).count()
}

fn sent_tags(service: Service, call: &Call<'_>) -> Tags {
    if service == Service::Lightsail {
        return judged::sent_tags(call);
    }
    let tags = call.input["Tags"].as_object().into_iter().flatten();
    tags.filter_map(|(key, value)| Some((key.clone(), Json::as_str(value)?.to_owned()))).collect()
}
