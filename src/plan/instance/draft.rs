//! An instance of ours while a pass works it out: the differences, what may be sent of them now, and the stamps.

use std::time::Duration;

use crate::api::common::{Impact, PendingChange};
use crate::api::fleet::{DesiredState, Rejected};
use crate::api::instance::Internal;
use crate::plan::conditions::bounded;
use crate::plan::life::{There, wanted_tags};
use crate::plan::report::{self, WORDS, elapsed, failed, pending};
use crate::plan::tags::{self, Step, Tagged};
use crate::plan::{Class, Failure, Input};

use super::catalogue::Catalogue;
use super::diff::{self, Deed, Difference};
use super::state::{InstanceFacts, InstanceState, Power};
use super::static_ip;
use super::wanted::Wanted;
use super::{InstanceCall, InstanceKind, report as shown};

/// The pass over an instance of ours, while everything is worked out.
pub struct Draft<'a> {
    /// The pass.
    pub(super) input: &'a Input<'a, InstanceKind>,
    /// What the object asks for.
    pub(super) wanted: &'a Wanted<'a>,
    /// What AWS says.
    pub(super) state: &'a InstanceState,
    /// The instance of it.
    pub(super) facts: &'a InstanceFacts,
    /// Its tags.
    pub(super) tagged: &'a Tagged,
    /// Where spec and AWS differ, in the order in which it is set right.
    pub(super) differences: Vec<Difference>,
    /// The tags that differ.
    pub(super) tags: Option<Step<InstanceCall>>,
    /// The stamps to write.
    pub(super) internal: Internal,
    /// What a restart, or the power state, waits for.
    pub(super) waits: Option<String>,
    /// Nothing is written: the policy is to observe.
    pub(super) observed: Option<&'static str>,
}

/// What a change of the bundle waits for on an instance that is off.
pub const NEXT_START: &str = "made when the instance is started";
/// What it waits for whose stop has been sent.
pub const BEING_STOPPED: &str = "the instance is being stopped";

impl<'a> Draft<'a> {
    pub(super) fn new<'o: 'a>(there: &There<'a, 'o, InstanceKind>) -> Self {
        let There { input, wanted, scope, state, facts, tagged } = *there;
        let spec = wanted.spec();
        let mut internal = shown::earlier(input.object).internal.clone();
        // Until it has been up, AWS may still fail to make it: then it was not deleted by anybody.
        internal.intent = internal.intent.filter(|_| facts.power == Power::Pending);
        let catalogue = state.catalogue.as_deref();
        let platform = catalogue.and_then(|c| c.platform(facts.blueprint_id.as_deref().unwrap_or(&spec.blueprint_id)));

        let mut differences = Vec::new();
        // A static IP goes before the addresses become IPv6 alone.
        if let Some(all) = state.static_ips.as_deref() {
            differences.extend(static_ip::difference(wanted, facts, all, &mut internal));
        }
        differences.extend(diff::addresses(spec, facts));
        differences.extend(diff::public_ports(spec, facts));
        differences.extend(diff::metadata_options(spec, facts));
        differences.extend(diff::auto_snapshot(spec, facts, &internal, platform));
        differences.extend(diff::bundle(spec, facts, catalogue));

        let wants_snapshots = spec.add_ons.as_ref().is_some_and(|add_ons| add_ons.auto_snapshot.is_some());
        let enabled = facts.auto_snapshot.as_ref().is_some_and(|seen| seen.status != super::AddOnStatus::Disabled);
        internal.applied.auto_snapshot = wants_snapshots || internal.applied.auto_snapshot && enabled;

        let tags = tags::step::<InstanceKind>(
            facts,
            &wanted_tags::<InstanceKind>(scope, input.object),
            &tagged.tags,
            &internal.applied.tags,
        );
        if tags.is_none() {
            internal.applied.tags = spec.common.tags.clone().unwrap_or_default().into_keys().collect();
        }
        let (waits, observed) = (None, None);
        let mut draft = Self { input, wanted, state, facts, tagged, differences, tags, internal, waits, observed };
        draft.remember_refusal();
        draft
    }

    /// A refused change of the bundle is remembered, so that the instance is not restarted for it again. Another bundle in the
    /// spec, a request to look again, or nothing being left of it ends that.
    fn remember_refusal(&mut self) {
        let input = self.input;
        let generation = report::generation(input.object);
        let earlier = shown::earlier(input.object);
        let asked_again = report::asked_again::<InstanceKind>(input.object, earlier.last_handled_reconcile_at.as_ref());
        let change = self.new_bundle().map(|bundle| format!("bundleId={bundle}"));
        self.internal.rejected =
            self.internal.rejected.take().filter(|r| Some(&r.change) == change.as_ref() && !asked_again);
        let Some(failure) = input.failure else { return };
        let with_bundle = matches!(failure.call, Some(InstanceCall::Start { bundle: Some(_), .. }));
        let of_now = failure.generation == generation;
        let Some(change) = change.filter(|_| with_bundle && of_now && hopeless(failure)) else { return };
        if self.internal.rejected.is_none() {
            self.internal.rejected = Some(Rejected {
                generation,
                code: bounded(&failure.code, 256),
                message: bounded(&failure.message, WORDS),
                change,
            });
        }
    }

    pub(super) fn power(&self) -> DesiredState {
        self.wanted.spec().desired_state
    }

    /// The bundle that the next start is made with, whatever was refused.
    fn new_bundle(&self) -> Option<&str> {
        self.differences.iter().find_map(|d| match &d.what {
            Deed::Restart(bundle) => Some(bundle.as_str()),
            Deed::Send(_) | Deed::Wait(..) | Deed::Refused(..) => None,
        })
    }

    /// The bundle that the next start is made with.
    pub(super) fn bundle(&self) -> Option<String> {
        self.new_bundle().filter(|_| self.internal.rejected.is_none()).map(str::to_owned)
    }

    /// The writes that are due beside the power: tags, and what is changed in place.
    fn writes(&self) -> Vec<(InstanceCall, &'static str)> {
        let tags = self.tags.iter().map(|step| (step.call.clone(), step.field));
        let others = self.differences.iter().filter_map(|d| match &d.what {
            Deed::Send(call) => Some((call.clone(), d.field)),
            Deed::Restart(_) | Deed::Wait(..) | Deed::Refused(..) => None,
        });
        tags.chain(others).collect()
    }

    /// The first write that has not just failed.
    pub(super) fn untried(&self) -> Option<(InstanceCall, &'static str)> {
        self.writes().into_iter().find(|(call, _)| !failed(self.input, call))
    }

    /// The write that has just failed, for when nothing else is left.
    pub(super) fn tried(&self) -> Option<(InstanceCall, &'static str)> {
        self.writes().into_iter().next()
    }

    /// How long AWS has been reporting the present state.
    pub(super) fn state_age(&self) -> Duration {
        let earlier = shown::earlier(self.input.object);
        let same = earlier.state.as_deref() == Some(self.facts.power.as_str());
        let since = earlier.internal.state_since.filter(|_| same);
        since.map_or(Duration::ZERO, |at| elapsed(at, self.input.now))
    }

    /// The plan, in the object.
    pub(super) fn changes(&self) -> Vec<PendingChange> {
        let input = self.input;
        let power = match (self.power(), &self.facts.power) {
            (DesiredState::Stopped, Power::Running | Power::Pending) => Some("Stopped"),
            (DesiredState::Running, Power::Stopped | Power::Stopping) => Some("Running"),
            (DesiredState::Stopped, Power::Stopped | Power::Stopping)
            | (DesiredState::Running, Power::Running | Power::Pending)
            | (_, Power::ShuttingDown | Power::Terminated | Power::Unrecognised(_)) => None,
        };
        let observed = || self.observed.map(str::to_owned);
        let mut all: Vec<PendingChange> = self.differences.iter().map(|d| self.pending_change(d)).collect();
        if let Some(to) = power {
            let waits = observed().or_else(|| self.waits.clone());
            all.push(pending(input, "desiredState", self.facts.power.as_str(), to, Impact::None, waits));
        }
        if let Some(step) = self.tags.as_ref().filter(|_| self.observed.is_none()) {
            all.push(pending(input, step.field, &step.from, &step.to, Impact::None, None));
        }
        all.sort_by(|a, b| a.field.cmp(&b.field));
        all
    }

    fn pending_change(&self, change: &Difference) -> PendingChange {
        let (impact, waits) = match (&change.what, self.observed, &self.internal.rejected) {
            (what @ (Deed::Send(_) | Deed::Restart(_) | Deed::Wait(..) | Deed::Refused(..)), Some(why), _) => {
                (what.impact(), Some(why.to_owned()))
            }
            (Deed::Send(_), None, _) => (Impact::None, self.refusal(change)),
            (Deed::Wait(_, text) | Deed::Refused(_, text), None, _) => (change.what.impact(), Some(text.clone())),
            (Deed::Restart(_), None, Some(refusal)) => {
                (Impact::Refused, Some(format!("{}: {}", refusal.code, refusal.message)))
            }
            (Deed::Restart(_), None, None) => {
                let off = self.power() == DesiredState::Stopped;
                (Impact::Restart, if off { Some(NEXT_START.to_owned()) } else { self.waits.clone() })
            }
        };
        pending(self.input, change.field, &change.from, &change.to, impact, waits)
    }

    /// AWS's words, where it has just refused this change for good.
    fn refusal(&self, change: &Difference) -> Option<String> {
        let Deed::Send(call) = &change.what else { return None };
        let refused = self.input.failure.filter(|f| f.class == Class::Rejected && f.call.as_ref() == Some(call))?;
        Some(format!("AWS refused it: {}: {}", refused.code, refused.message))
    }

    /// What is known of the Region.
    pub(super) fn catalogue(&self) -> Option<&'a Catalogue> {
        self.state.catalogue.as_deref()
    }
}

/// How long AWS may refuse to start an instance with another bundle before it is started without: a passing refusal is over
/// by then.
const DOWN: Duration = Duration::from_secs(60);

/// Whether a refusal has lasted too long, over more than one try, to keep an instance down for it.
fn hopeless(failure: &Failure<InstanceKind>) -> bool {
    match failure.class {
        Class::Rejected => true,
        Class::QuotaExceeded
        | Class::AccountPending
        | Class::AccessDenied
        | Class::NotFound
        | Class::AlreadyExists
        | Class::InUse
        | Class::Busy => elapsed(failure.since, failure.at) >= DOWN,
        Class::Throttled | Class::Unavailable | Class::NotSent => report::lasting(failure),
    }
}
