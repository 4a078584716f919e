//! What is written beside the fleet itself: its tags, its applications, and our tags on a fleet that is taken over.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::common::Impact;
use crate::plan::ownership::PREFIX;
use crate::plan::reason::{Stall, Verdict, Waiting};
use crate::plan::{Input, Next, Plan, Scope};

use super::report::{Known, Report, pending, trouble};
use super::run::{Draft, done};
use super::state::{FleetFacts, FleetLook, FleetState, Tagged};
use super::wanted::Wanted;
use super::{FleetCall, FleetKind};

/// A fleet whose type is another than the spec's: AWS cannot change it.
pub fn immutable(draft: &Draft<'_>) -> Option<Plan<FleetKind>> {
    let (wanted, seen) = (draft.wanted.spec().fleet_type, draft.facts.fleet_type?);
    (wanted != seen).then(|| {
        let text = format!("fleetType is {seen:?} in AWS and {wanted:?} in the spec, and AWS cannot change it");
        let known = Known::Fleet(draft.facts);
        super::stalled(draft.input, Some(draft.wanted), known, Stall::ImmutableDiffers, text)
    })
}

/// The tags of the spec.
pub fn user_tags(wanted: &Wanted<'_>) -> BTreeMap<String, String> {
    wanted.spec().common.tags.clone().unwrap_or_default()
}

/// Tags that are missing, different, or ours and no longer wanted.
pub fn tags(draft: &Draft<'_>, scope: &Scope) -> Option<Plan<FleetKind>> {
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
    let call = match (set.is_empty(), gone.is_empty()) {
        (false, _) => FleetCall::Tag { arn, tags: set },
        (true, false) => FleetCall::Untag { arn, keys: gone },
        (true, true) => return None,
    };
    Some(small_step(draft, call, "tags", "changing tags"))
}

/// Applications of an ELASTIC fleet: missing ones are joined; those that we joined and nobody wants now are cut.
pub fn applications(draft: &Draft<'_>) -> Option<Plan<FleetKind>> {
    let seen = draft.state.applications.as_ref()?;
    let wanted = draft.wanted.spec().application_arns.clone().unwrap_or_default();
    let name = draft.facts.name.clone();
    let missing = wanted.difference(seen).next().cloned();
    let applied = &draft.internal.applied.applications;
    let extra = seen.iter().find(|a| applied.contains(*a) && !wanted.contains(*a)).cloned();
    let call = match (missing, extra) {
        (Some(application), _) => FleetCall::AssociateApplication { name, application },
        (None, Some(application)) => FleetCall::DisassociateApplication { name, application },
        (None, None) => return None,
    };
    Some(small_step(draft, call, "applicationArns", "changing the applications"))
}

/// A write that no user notices, beside the fleet itself.
fn small_step(draft: &Draft<'_>, call: FleetCall, field: &str, text: &str) -> Plan<FleetKind> {
    let input = draft.input;
    if draft.tagged.began < input.now {
        let mut looks: BTreeSet<FleetLook> = [FleetLook::Tags].into();
        looks.extend(draft.state.applications.as_ref().map(|_| FleetLook::Applications));
        return super::look(input, looks);
    }
    let failed = input.failure.filter(|f| f.call.as_ref() == Some(&call));
    let shown = failed.and_then(|f| trouble(f, input.now));
    let verdict = shown.unwrap_or_else(|| Verdict::Working(Waiting::Updating, text.to_owned()));
    let report = Report {
        wanted: Some(draft.wanted),
        changes: vec![pending(input, field, "", "", Impact::None, None)],
        internal: draft.internal.clone(),
        arn: Some(draft.facts.arn.clone()),
        ..Report::new(input, Known::Fleet(draft.facts), verdict)
    };
    let note = done("Updated", "Update", format!("changed {field} of fleet {}", draft.facts.name));
    Plan { next: Next::Send(call), status: report.status(), news: vec![note] }
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
    let failed = input.failure.filter(|f| f.call.as_ref() == Some(&call));
    let shown = failed.and_then(|f| trouble(f, input.now));
    let verdict = shown.unwrap_or_else(|| Verdict::Working(Waiting::Updating, "taking over the fleet".into()));
    let status = Report { wanted: Some(wanted), ..Report::new(input, Known::Fleet(facts), verdict) }.status();
    let note = done("Adopted", "Adopt", format!("took over fleet {}", facts.name));
    Plan { next: Next::Send(call), status, news: vec![note] }
}
