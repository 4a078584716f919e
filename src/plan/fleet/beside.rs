//! What is written beside the fleet itself: its tags, its applications, and our tags on a fleet that is taken over.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{Arn, Intent};
use crate::plan::conditions::{bounded, to_the_second};
use crate::plan::ownership::PREFIX;
use crate::plan::reason::{Stall, Verdict, Waiting};
use crate::plan::{Input, Next, Plan, Scope};

use super::diff::SHORT;
use super::draft::Draft;
use super::report::{Known, Report, of_now, trouble};
use super::run::done;
use super::state::{FleetFacts, FleetLook, FleetState, Tagged};
use super::wanted::Wanted;
use super::{FleetCall, FleetKind};

/// A write beside the fleet itself: no user notices it, and it may be made in any state.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The write.
    pub call: FleetCall,
    /// The spec path that it is for.
    pub field: &'static str,
    /// What goes or is replaced: keys or ARNs.
    pub from: String,
    /// What comes: keys or ARNs.
    pub to: String,
    /// What it does, in words.
    pub text: &'static str,
}

/// The step to take: not the one that has just failed, if there is another.
pub fn first(input: &Input<'_, FleetKind>, tags: Option<Step>, applications: Option<Step>) -> Option<Step> {
    match (tags, applications) {
        (Some(tags), Some(applications)) => Some(if failed(input, &tags.call) { applications } else { tags }),
        (tags, applications) => tags.or(applications),
    }
}

/// Whether exactly this call has just failed.
pub fn failed(input: &Input<'_, FleetKind>, call: &FleetCall) -> bool {
    input.failure.is_some_and(|f| f.call.as_ref() == Some(call))
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
pub fn immutable(draft: &Draft<'_>) -> Option<Plan<FleetKind>> {
    let (wanted, seen) = (draft.wanted.spec().fleet_type, draft.facts.fleet_type?);
    let word = |kind| serde_json::to_string(&kind).unwrap_or_default().replace('"', "");
    (wanted != seen).then(|| {
        let text =
            format!("fleetType is {} in AWS and {} in the spec, and AWS cannot change it", word(seen), word(wanted));
        let known = Known::Fleet(draft.facts);
        super::stalled(draft.input, Some(draft.wanted), known, Stall::ImmutableDiffers, text)
    })
}

/// The tags of the spec.
pub fn user_tags(wanted: &Wanted<'_>) -> BTreeMap<String, String> {
    wanted.spec().common.tags.clone().unwrap_or_default()
}

/// Tags that are missing, different, or ours and no longer wanted.
pub fn tags(draft: &Draft<'_>, scope: &Scope) -> Option<Step> {
    let (wanted, seen) = (draft.wanted.tags(scope), &draft.tagged.tags);
    let arn = draft.facts.arn.clone();
    let set: BTreeMap<String, String> = wanted
        .iter()
        .filter(|(key, value)| seen.get(*key) != Some(value))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let applied = &draft.internal.applied.tags;
    let gone: BTreeSet<String> = applied
        .iter()
        .filter(|key| !key.starts_with(PREFIX) && !wanted.contains_key(*key) && seen.contains_key(*key))
        .cloned()
        .collect();
    // First away with the old ones: AWS allows 50 in all.
    let keys = |keys: Vec<&String>| bounded(&keys.into_iter().cloned().collect::<Vec<_>>().join(","), SHORT);
    let from = keys(gone.iter().chain(set.keys().filter(|key| seen.contains_key(*key))).collect());
    let to = keys(set.keys().collect());
    let call = match (gone.is_empty(), set.is_empty()) {
        (false, _) => FleetCall::Untag { arn, keys: gone },
        (true, false) => FleetCall::Tag { arn, tags: set },
        (true, true) => return None,
    };
    Some(Step { call, field: "tags", from, to, text: "changing tags" })
}

/// Applications of an ELASTIC fleet: missing ones are joined; those that we joined and nobody wants now are cut.
pub fn applications(draft: &Draft<'_>, seen: &BTreeSet<Arn>) -> Option<Step> {
    let wanted = draft.wanted.spec().application_arns.clone().unwrap_or_default();
    let name = draft.facts.name.clone();
    let applied = &draft.internal.applied.applications;
    let missing = wanted.difference(seen).cloned();
    let missing = missing.map(|application| FleetCall::AssociateApplication { name: name.clone(), application });
    let extra = seen.iter().filter(|a| applied.contains(*a) && !wanted.contains(*a)).cloned();
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

/// Takes over a fleet that the spec may take over, by writing our tags on it.
pub fn adopt(
    input: &Input<'_, FleetKind>,
    wanted: &Wanted<'_>,
    scope: &Scope,
    state: &FleetState,
    facts: &FleetFacts,
    tagged: &Tagged,
) -> Plan<FleetKind> {
    let draft = Draft::new(input, wanted, state, facts, tagged);
    if let Some(plan) = immutable(&draft) {
        return plan;
    }
    if tagged.began < input.now {
        return super::look(input, [FleetLook::Tags].into());
    }
    let call = FleetCall::Tag { arn: facts.arn.clone(), tags: wanted.tags(scope) };
    let failed = input.failure.filter(|f| f.call.as_ref() == Some(&call) && of_now(f, input));
    let shown = failed.and_then(|f| trouble(f, input.now));
    let verdict = shown.unwrap_or_else(|| Verdict::Working(Waiting::Updating, "taking over the fleet".into()));
    let mut report = Report { wanted: Some(wanted), ..Report::new(input, Known::Fleet(facts), verdict) };
    // From here on a deletion of the object has something to look for: the fleet may carry our tags.
    let intent = || Intent { name: facts.name.to_string(), at: to_the_second(input.now) };
    report.internal.intent = report.internal.intent.or_else(|| Some(intent()));
    let note = done("Adopted", "Adopt", format!("took over fleet {}", facts.name));
    Plan { next: Next::Send(call), status: report.status(), news: vec![note] }
}
