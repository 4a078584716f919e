//! What is written beside the fleet itself: its tags and its applications.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::Arn;
use crate::plan::Input;
use crate::plan::conditions::bounded;
use crate::plan::report::{SHORT, failed};
use crate::plan::{tags, unshown};

use super::draft::Draft;
use super::state::FleetFacts;
use super::wanted::Wanted;
use super::{FleetCall, FleetKind};

type Step = tags::Step<FleetCall>;

/// The step to take: not the one that has just failed, if there is another.
pub fn first(input: &Input<'_, FleetKind>, tags: Option<Step>, applications: Option<Step>) -> Option<Step> {
    match (tags, applications) {
        (Some(tags), Some(applications)) => Some(if failed(input, &tags.call) { applications } else { tags }),
        (tags, applications) => tags.or(applications),
    }
}

/// Whether the last failure is that of a write beside the fleet.
pub fn failing(input: &Input<'_, FleetKind>) -> bool {
    match input.failure.and_then(|f| f.call.as_ref()) {
        Some(
            FleetCall::Tag { .. }
            | FleetCall::Untag { .. }
            | FleetCall::AssociateApplication { .. }
            | FleetCall::DisassociateApplication { .. },
        ) => true,
        Some(
            FleetCall::Create(_)
            | FleetCall::Update(_)
            | FleetCall::Start(_)
            | FleetCall::Stop(_)
            | FleetCall::Delete(_),
        )
        | None => false,
    }
}

/// A fleet whose type is another than the spec's: AWS cannot change it.
pub fn immutable(wanted: &Wanted<'_>, facts: &FleetFacts) -> Option<String> {
    let (seen, wanted) = other_type(wanted, facts)?;
    Some(format!("fleetType is {seen} in AWS and {wanted} in the spec, and AWS cannot change it"))
}

/// The type that the fleet has and the one that the spec wants, if they differ.
pub fn other_type(wanted: &Wanted<'_>, facts: &FleetFacts) -> Option<(String, String)> {
    let (wanted, seen) = (wanted.spec().fleet_type, facts.fleet_type?);
    let word = |kind| serde_json::to_string(&kind).unwrap_or_default().replace('"', "");
    (wanted != seen).then(|| (word(seen), word(wanted)))
}

/// The tags of the spec.
pub fn user_tags(wanted: &Wanted<'_>) -> BTreeMap<String, String> {
    wanted.spec().common.tags.clone().unwrap_or_default()
}

/// All applications that differ, where nothing is written: those that would be cut, and those that would be joined.
pub fn all_applications(draft: &Draft<'_>, seen: &BTreeSet<Arn>) -> Option<(String, String)> {
    let wanted = draft.wanted.spec().application_arns.clone().unwrap_or_default();
    let applied = &draft.internal.applied.applications;
    let list = |arns: Vec<&Arn>| {
        let arns: Vec<&str> = arns.into_iter().map(Arn::as_str).collect();
        bounded(&arns.join(","), SHORT)
    };
    let missing: Vec<&Arn> = wanted.difference(seen).collect();
    let extra: Vec<&Arn> = seen.iter().filter(|arn| applied.contains(*arn) && !wanted.contains(*arn)).collect();
    (!missing.is_empty() || !extra.is_empty()).then(|| (list(extra), list(missing)))
}

/// Applications of an ELASTIC fleet: missing ones are joined; those that we joined and nobody wants now are cut.
pub fn applications(draft: &Draft<'_>, seen: &BTreeSet<Arn>) -> Option<Step> {
    let wanted = draft.wanted.spec().application_arns.clone().unwrap_or_default();
    let name = draft.facts.name.clone();
    let applied = &draft.internal.applied.applications;
    let missing = wanted.difference(seen).cloned();
    let missing = missing.map(|application| FleetCall::AssociateApplication { name: name.clone(), application });
    // One that AWS has joined a moment ago may not show yet.
    let joined = unshown::lately(draft.input, draft.state.began).find_map(|call| match call {
        FleetCall::AssociateApplication { application, .. } => Some(Some(application)),
        FleetCall::DisassociateApplication { .. } => Some(None),
        FleetCall::Create(_)
        | FleetCall::Update(_)
        | FleetCall::Start(_)
        | FleetCall::Stop(_)
        | FleetCall::Delete(_)
        | FleetCall::Tag { .. }
        | FleetCall::Untag { .. } => None,
    });
    let joined = joined.flatten().filter(|application| !seen.contains(*application));
    let extra = seen.iter().chain(joined).filter(|a| applied.contains(*a) && !wanted.contains(*a)).cloned();
    let extra = extra.map(|application| FleetCall::DisassociateApplication { name: name.clone(), application });
    let calls: Vec<FleetCall> = missing.chain(extra).collect();
    // One that AWS does not take does not keep the others back.
    let other = calls.iter().find(|call| !failed(draft.input, call)).or_else(|| calls.first()).cloned();
    let (from, to) = match other.as_ref()? {
        FleetCall::AssociateApplication { application, .. } => (String::new(), application.to_string()),
        FleetCall::DisassociateApplication { application, .. } => (application.to_string(), String::new()),
        FleetCall::Create(_)
        | FleetCall::Update(_)
        | FleetCall::Start(_)
        | FleetCall::Stop(_)
        | FleetCall::Delete(_)
        | FleetCall::Tag { .. }
        | FleetCall::Untag { .. } => (String::new(), String::new()),
    };
    let to = bounded(&to, SHORT);
    other.map(|call| Step { call, field: "applicationArns", from, to, text: "changing the applications" })
}
