//! A fleet of ours while a pass works it out: the differences, what may be sent of them now, and the stamps.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::api::common::{Impact, PendingChange};
use crate::api::fleet::{
    ComputeCapacity, DesiredState, FleetSettings, Internal, Rejected, SessionsStatus, UpdateType, WhileRunning,
};
use crate::plan::conditions::bounded;
use crate::plan::life::There;
use crate::plan::reason::Verdict;
use crate::plan::report::{self, OBSERVED, asked_again, digest, generation, pending};
use crate::plan::tags::{Step, Tagged};
use crate::plan::{Class, Input};

use super::diff::{self, Difference, Field};
use super::image::{ImageUse, image_usable};
use super::report as shown;
use super::state::{FleetFacts, FleetState, Power};
use super::stop::{desired, shared};
use super::wanted::Wanted;
use super::{AttributeToDelete, FleetCall, FleetKind, FleetPatch};

/// The pass over a fleet of ours, while everything is worked out.
pub struct Draft<'a> {
    /// The pass.
    pub(super) input: &'a Input<'a, FleetKind>,
    /// What the object asks for.
    pub(super) wanted: &'a Wanted<'a>,
    /// The settings to compare and to send: the spec's, and what a drain is to give back.
    pub(super) settings: Cow<'a, FleetSettings>,
    /// What AWS says.
    pub(super) state: &'a FleetState,
    /// The fleet of it.
    pub(super) facts: &'a FleetFacts,
    /// Its tags.
    pub(super) tagged: &'a Tagged,
    /// Where spec and AWS differ.
    pub(super) differences: Vec<Difference>,
    /// Which fields are sent to a RUNNING fleet.
    pub(super) rule: WhileRunning,
    /// The stamps to write.
    pub(super) internal: Internal,
    /// What the changes that need a stop wait for.
    pub(super) waits: Option<String>,
    /// The image keeps changes back: for good (`Refused`) or for now, and why.
    pub(super) image: Option<(Impact, String)>,
    /// Why the role that the spec names may not be passed: that difference is left out of everything.
    pub(super) forbidden: Option<String>,
    /// The capacity is kept at 0 until the stop.
    pub(super) draining: bool,
    /// The sessions that a stop waits for.
    pub(super) sessions: Option<SessionsStatus>,
    /// A look that AWS refused, in words.
    pub(super) unseen: Option<Verdict>,
    /// A write beside the fleet itself that is still to be made.
    pub(super) step: Option<Step<FleetCall>>,
    /// What differs beside the fleet, where nothing is written.
    pub(super) observed: Vec<PendingChange>,
}

/// What a change waits for that the operator does not carry out by itself.
pub const ON_STOP: &str = "updateStrategy.type is OnStop: applied when the fleet is stopped";
/// What the capacity waits for while it is kept at 0.
pub const DRAINED: &str = "kept at 0 until the fleet has been stopped";

/// What a change waits for whose stop has been sent.
pub const BEING_STOPPED: &str = "the fleet is being stopped";
/// What a change waits for while the capacity is being set to 0.
pub const CLOSING: &str = "keeping new users out before the fleet is stopped";
/// What a change waits for once it is.
pub const EMPTYING: &str = "waiting for unused instances to go before the fleet is stopped";

/// The fields that an image must fit.
const OF_IMAGE: [Field; 5] =
    [Field::ImageArn, Field::ImageName, Field::InstanceType, Field::MaxSessionsPerInstance, Field::Platform];

impl<'a> Draft<'a> {
    pub(super) fn new(there: &There<'a, '_, FleetKind>) -> Self {
        let There { input, wanted, state, facts, tagged, .. } = *there;
        let mut internal = shown::earlier(input.object).internal.clone();
        internal.intent = None;
        let settings = settings(wanted, facts, &mut internal);
        let lately = diff::lately(input, state.began);
        let differences = diff::differences(&settings, facts, &internal.applied.fields, &lately);
        internal.applied.fields = diff::applied(&settings, &facts.settings, &internal.applied.fields, &lately);
        let mut draft = Self {
            input,
            wanted,
            settings,
            state,
            facts,
            tagged,
            rule: rule(input, wanted, facts, &differences),
            differences,
            internal,
            waits: None,
            image: None,
            forbidden: None,
            draining: false,
            sessions: None,
            step: None,
            observed: Vec::new(),
            unseen: None,
        };
        draft.remember_refusal();
        draft
    }

    /// A refused update is remembered, so that the fleet is not stopped for it again: for its generation, and for as long as
    /// the same is wanted (an autoscaler makes generations too). Another wish, a request to look again, or nothing being left
    /// of it ends that.
    fn remember_refusal(&mut self) {
        let generation = generation(self.input.object);
        let earlier = shown::earlier(self.input.object);
        let asked_again = asked_again::<FleetKind>(self.input.object, earlier.last_handled_reconcile_at.as_ref());
        let left = self.differences.iter().any(|d| !d.field.is_capacity());
        let same = |r: &Rejected| r.change == self.refusable(r.change.starts_with(CAPACITY_TOO));
        let kept = self.internal.rejected.as_ref();
        let kept = kept.is_some_and(|r| (r.generation == generation || same(r)) && left && !asked_again);
        self.internal.rejected = self.internal.rejected.take().filter(|_| kept);
        let Some(failure) = self.input.failure else { return };
        let Some(FleetCall::Update(patch)) = &failure.call else { return };
        let capacity_only = capacity_only(patch);
        // A fleet that should run is not kept down: neither by what a person must mend, nor by AWS's "try again" for ever.
        let down = self.facts.power == Power::Stopped && self.wanted.power == DesiredState::Running;
        let for_good = failure.class == Class::Rejected || down && report::hopeless(failure, report::AT_WORK);
        if failure.generation == generation && for_good && left && !capacity_only && self.internal.rejected.is_none() {
            self.internal.rejected = Some(Rejected {
                generation,
                code: bounded(&failure.code, 256),
                message: bounded(&failure.message, report::WORDS),
                change: self.refusable(failure.class == Class::QuotaExceeded),
            });
        }
    }

    /// What a refusal is about: everything that differs but the capacity, which is tried alone; that too, where a quota is.
    fn refusable(&self, with_capacity: bool) -> String {
        let asked = self.differences.iter().filter(|d| with_capacity || !d.field.is_capacity());
        let whole = |d: &Difference| d.field.value(&self.settings).unwrap_or_default();
        let asked: Vec<String> = asked.map(|d| format!("{}={}", d.field.path(), whole(d))).collect();
        let mark = if with_capacity { CAPACITY_TOO } else { "" };
        format!("{mark}{}", digest(&asked.join(";")))
    }

    pub(super) fn rejected(&self) -> bool {
        self.internal.rejected.is_some()
    }

    /// Whether exactly this call has just been refused for good, or for ten minutes.
    pub(super) fn given_up(&self, call: &FleetCall) -> bool {
        self.input.failure.filter(|f| f.call.as_ref() == Some(call)).is_some_and(|f| match call {
            FleetCall::Update(patch) if !capacity_only(patch) => report::hopeless(f, report::AT_WORK),
            FleetCall::Update(_)
            | FleetCall::Create(_)
            | FleetCall::Start(_)
            | FleetCall::Stop(_)
            | FleetCall::Delete(_)
            | FleetCall::Tag { .. }
            | FleetCall::Untag { .. }
            | FleetCall::AssociateApplication { .. }
            | FleetCall::DisassociateApplication { .. } => f.class.is_final() || report::hopeless(f, report::AT_WORK),
        })
    }

    /// Judges the image, where it, or what it must fit, changes: what it keeps back is noted. `true` says that it must be
    /// looked at first.
    pub(super) fn judge_image(&mut self) -> bool {
        if !self.differences.iter().any(|d| OF_IMAGE.contains(&d.field)) {
            return false;
        }
        match image_usable(self.wanted, self.state) {
            ImageUse::Look => return true,
            ImageUse::Usable => {}
            ImageUse::NotYet(text) => self.image = Some((Impact::None, text)),
            ImageUse::Not(text) => self.image = Some((Impact::Refused, text)),
        }
        false
    }

    /// Whether the image keeps this change back.
    fn kept_by_image(&self, change: &Difference) -> bool {
        self.image.is_some() && (OF_IMAGE.contains(&change.field) || self.reshaped(change))
    }

    /// A capacity in another unit than the fleet's present one goes with the change of `maxSessionsPerInstance`.
    fn reshaped(&self, change: &Difference) -> bool {
        change.field.is_capacity() && self.differences.iter().any(|d| d.field == Field::MaxSessionsPerInstance)
    }

    fn is_forbidden(&self, change: &Difference) -> bool {
        self.forbidden.is_some() && change.field == Field::IamRoleArn && !change.clear
    }

    fn live(&self, change: &Difference) -> bool {
        !self.reshaped(change) && change.field.changes_while_running(self.wanted.spec().fleet_type, self.rule)
    }

    /// The changes that need a STOPPED fleet.
    pub(super) fn needing_stop(&self) -> Vec<Difference> {
        self.differences.iter().filter(|d| !self.live(d) && !self.is_forbidden(d)).cloned().collect()
    }

    /// The update for a RUNNING fleet, if there is one.
    pub(super) fn update_while_running(&self, with_capacity: bool) -> Option<(FleetCall, Vec<Difference>)> {
        if self.rejected() {
            return self.capacity_alone().filter(|_| with_capacity);
        }
        let mut now: Vec<Difference> = self.differences.iter().filter(|d| self.live(d)).cloned().collect();
        now.retain(|d| !self.kept_by_image(d) && (with_capacity || !d.field.is_capacity()));
        // What a quota refuses for its capacity goes without it.
        let call = self.patch(&now);
        let over =
            self.input.failure.is_some_and(|f| f.class == Class::QuotaExceeded && f.call.as_ref() == Some(&call));
        if over && now.iter().any(|d| !d.field.is_capacity()) {
            now.retain(|d| !d.field.is_capacity());
        }
        self.some_update(now)
    }

    /// The update for a STOPPED fleet, if there is one: everything that is not kept back.
    pub(super) fn update_while_stopped(&self) -> Option<(FleetCall, Vec<Difference>)> {
        if self.rejected() {
            return self.capacity_alone();
        }
        let now: Vec<Difference> =
            self.differences.iter().filter(|d| !self.kept_by_image(d) && !self.is_forbidden(d)).cloned().collect();
        let call = self.patch(&now);
        match self.given_up(&call) && now.iter().any(|d| d.field.is_capacity()) {
            // Whatever else is refused, what a drain took away is put back.
            true => self.capacity_alone(),
            false => self.some_update(now),
        }
    }

    fn some_update(&self, now: Vec<Difference>) -> Option<(FleetCall, Vec<Difference>)> {
        (!now.is_empty()).then(|| (self.patch(&now), now))
    }

    /// The capacity and nothing else: in the unit that the fleet has now, where the spec's is refused with the rest.
    fn capacity_alone(&self) -> Option<(FleetCall, Vec<Difference>)> {
        let changes: Vec<Difference> = self.differences.iter().filter(|d| d.field.is_capacity()).cloned().collect();
        let reshaped = changes.iter().any(|d| self.reshaped(d));
        let desired = desired(self.facts);
        match (changes.is_empty(), reshaped, desired) {
            (true, _, _) | (false, true, 1..) => None,
            (false, false, _) => Some((self.patch(&changes), changes)),
            (false, true, _) => {
                let set = FleetSettings { compute_capacity: Some(self.converted()?), ..FleetSettings::default() };
                let patch = FleetPatch { name: self.facts.name.clone(), set, clear: BTreeSet::new() };
                Some((FleetCall::Update(Box::new(patch)), changes))
            }
        }
    }

    /// The wanted capacity in the unit that the fleet has now.
    fn converted(&self) -> Option<ComputeCapacity> {
        let wanted = self.settings.compute_capacity.as_ref()?;
        let each = |settings: &FleetSettings| settings.max_sessions_per_instance.unwrap_or(1).max(1);
        let converted = match (shared(self.facts), wanted.desired_instances, wanted.desired_sessions) {
            (true, Some(instances), _) => {
                let sessions = instances.saturating_mul(each(&self.facts.settings));
                ComputeCapacity { desired_sessions: Some(sessions), desired_instances: None }
            }
            (false, None, Some(sessions)) => {
                let each = each(&self.settings);
                let instances = sessions / each + i32::from(sessions % each > 0);
                ComputeCapacity { desired_instances: Some(instances), desired_sessions: None }
            }
            (true, None, _) | (false, _, _) => wanted.clone(),
        };
        (converted.desired_instances != Some(0) && converted.desired_sessions != Some(0)).then_some(converted)
    }

    fn patch(&self, changes: &[Difference]) -> FleetCall {
        let mut set = FleetSettings::default();
        let mut clear = BTreeSet::new();
        for change in changes {
            match (change.clear, change.field.clearing()) {
                (true, Some(attribute)) => {
                    clear.insert(attribute);
                }
                (true, None) => {}
                (false, _) => change.field.copy(&self.settings, &self.facts.settings, &mut set),
            }
        }
        // Clearing the whole takes its part with it.
        if clear.contains(&AttributeToDelete::VpcConfiguration) {
            clear.remove(&AttributeToDelete::VpcConfigurationSecurityGroupIds);
        }
        FleetCall::Update(Box::new(FleetPatch { name: self.facts.name.clone(), set, clear }))
    }

    /// Since when the stop is wanted: for the power state, or for the oldest change that needs it.
    pub(super) fn stop_wanted_since(&self) -> jiff::Timestamp {
        let off = (self.wanted.power == DesiredState::Stopped)
            .then(|| report::since(self.input, "desiredState", "Stopped", false));
        let restarts = self.wanted.strategy().kind == UpdateType::Restart && !self.rejected() && self.image.is_none();
        let changes = self.needing_stop().into_iter().filter(|_| restarts);
        let changes = changes.map(|d| report::since(self.input, d.field.path(), &d.to, false));
        changes.chain(off).min().unwrap_or(self.input.now)
    }

    /// A drain is about to be sent: what it takes away is remembered.
    pub(super) fn draining_from(&mut self) {
        let desired = desired(self.facts);
        self.internal.drained_from = (desired > 0).then_some(desired).or(self.internal.drained_from);
    }

    /// How long AWS has been reporting the present state and errors.
    pub(super) fn state_age(&self) -> Duration {
        let earlier = self.input.object.status.as_ref();
        let since = earlier.filter(|s| shown::same_answer(s, self.facts)).and_then(|s| s.internal.state_since);
        since.map_or(Duration::ZERO, |at| report::elapsed(at, self.input.now))
    }

    /// The plan, in the object.
    pub(super) fn changes(&self) -> Vec<PendingChange> {
        let on = [Power::Running, Power::Starting].contains(&self.facts.power);
        let mut all: Vec<PendingChange> =
            self.differences.iter().map(|change| self.pending_change(change, on)).collect();
        let power = match (self.wanted.power, &self.facts.power) {
            (DesiredState::Stopped, Power::Running | Power::Starting) => Some("Stopped"),
            (DesiredState::Running, Power::Stopped | Power::Stopping) => Some("Running"),
            (DesiredState::Stopped, Power::Stopped | Power::Stopping | Power::Unrecognised(_))
            | (DesiredState::Running, Power::Running | Power::Starting | Power::Unrecognised(_)) => None,
        };
        if let Some(to) = power {
            let from = self.facts.power.as_str();
            all.push(pending(self.input, "desiredState", from, to, Impact::None, self.waits.clone()));
        }
        all.extend(self.observed.iter().cloned());
        if let Some(step) = &self.step {
            all.push(pending(self.input, step.field, &step.from, &step.to, Impact::None, None));
        }
        all
    }

    fn pending_change(&self, change: &Difference, on: bool) -> PendingChange {
        let live = self.live(change);
        let restart = if on && !live { Impact::Restart } else { Impact::None };
        let refused = self.rejected() && (self.reshaped(change) || !change.field.is_capacity());
        let (impact, waits) = match &self.image {
            _ if refused => (Impact::Refused, None),
            _ if self.is_forbidden(change) => (Impact::Refused, self.forbidden.clone()),
            Some((impact, text)) if self.kept_by_image(change) || !live && on => {
                let impact = if *impact == Impact::Refused { Impact::Refused } else { restart };
                (impact, Some(text.clone()))
            }
            Some(_) | None if live && change.field.is_capacity() && self.draining => {
                (Impact::None, Some(DRAINED.to_owned()))
            }
            Some(_) | None => (restart, self.waits.clone().filter(|wait| !live || wait == OBSERVED)),
        };
        pending(self.input, change.field.path(), &change.from, &change.to, impact, waits)
    }
}

/// Before a digest that counts the capacity.
const CAPACITY_TOO: &str = "capacity:";

/// The spec's settings; where the spec has no capacity (any more) and a drain of ours has left none, with the capacity that it
/// took away.
fn settings<'a>(wanted: &Wanted<'a>, facts: &FleetFacts, internal: &mut Internal) -> Cow<'a, FleetSettings> {
    let settings = wanted.settings();
    internal.drained_from = internal.drained_from.filter(|_| desired(facts) == 0);
    match (internal.drained_from, &settings.compute_capacity, shared(facts)) {
        (Some(n), None, true) => {
            let capacity = ComputeCapacity { desired_sessions: Some(n), desired_instances: None };
            Cow::Owned(FleetSettings { compute_capacity: Some(capacity), ..settings.clone() })
        }
        (Some(n), None, false) => {
            let capacity = ComputeCapacity { desired_instances: Some(n), desired_sessions: None };
            Cow::Owned(FleetSettings { compute_capacity: Some(capacity), ..settings.clone() })
        }
        (Some(_), Some(_), _) | (None, _, _) => Cow::Borrowed(settings),
    }
}

/// Whether an update is of the capacity and nothing else.
fn capacity_only(patch: &FleetPatch) -> bool {
    let capacity = FleetSettings { compute_capacity: patch.set.compute_capacity.clone(), ..FleetSettings::default() };
    patch.clear.is_empty() && patch.set == capacity
}

/// The rule in force: where AWS has refused a running update by the longer list for this generation, the short one.
fn rule(
    input: &Input<'_, FleetKind>,
    wanted: &Wanted<'_>,
    facts: &FleetFacts,
    differences: &[Difference],
) -> WhileRunning {
    let kind = wanted.spec().fleet_type;
    let refused = input.failure.is_some_and(|f| {
        f.class == Class::InUse && matches!(f.call, Some(FleetCall::Update(_))) && facts.power == Power::Running
    });
    // The next write that AWS takes (a drain) clears the failure; the plan that was shown for it does not lie.
    let earlier = shown::earlier(input.object);
    let short_before = earlier.observed_generation == generation(input.object)
        && differences.iter().any(|d| {
            let longer = d.field.changes_while_running(kind, WhileRunning::Documented);
            let shorter = d.field.changes_while_running(kind, WhileRunning::Minimal);
            let shown = |c: &PendingChange| c.field == d.field.path() && c.to == d.to && c.impact == Impact::Restart;
            longer && !shorter && earlier.pending_changes.iter().any(shown)
        });
    if refused || short_before { WhileRunning::Minimal } else { wanted.strategy().while_running }
}
