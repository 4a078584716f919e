//! An instance of ours while a pass works it out: the differences, what may be sent of them now, and the stamps.

use std::time::Duration;

use crate::api::common::{Impact, PendingChange};
use crate::api::fleet::{DesiredState, Rejected};
use crate::api::instance::{Internal, Started};
use crate::plan::conditions::bounded;
use crate::plan::life::{There, believed, wanted_tags};
use crate::plan::report::{self, TEN_MINUTES, WORDS, elapsed, failed, pending};
use crate::plan::tags::{self, Step, Tagged};
use crate::plan::{Class, Input, unshown};

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
/// What it waits for after the start that it was made with.
pub const NOT_SHOWN: &str = "the instance was started with it, and AWS does not show it yet";

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
        if let Some(known) = &state.static_ips {
            // What AWS has answered to be released is gone when it is not shown.
            let mut calls = input.answered.iter().map(|answered| &answered.call);
            let last =
                calls.find(|call| matches!(call, InstanceCall::AllocateStaticIp(_) | InstanceCall::ReleaseStaticIp(_)));
            let released = matches!(last, Some(InstanceCall::ReleaseStaticIp(_)));
            let sure = released || believed(known.began, input.quiet_since).is_ok();
            differences.extend(static_ip::difference(wanted, facts, (&known.all, sure), &mut internal));
        }
        differences.extend(diff::addresses(spec, facts));
        differences.extend(diff::public_ports(spec, facts));
        differences.extend(diff::metadata_options(spec, facts));
        let last = unshown::lately(input, state.began).find(|call| {
            matches!(call, InstanceCall::EnableAutoSnapshot { .. } | InstanceCall::DisableAutoSnapshot(_))
        });
        let enabling = matches!(last, Some(InstanceCall::EnableAutoSnapshot { .. }));
        differences.extend(diff::auto_snapshot(spec, facts, &internal, platform, enabling));
        differences.extend(diff::bundle(spec, facts, catalogue));

        let wants_snapshots = spec.add_ons.as_ref().is_some_and(|add_ons| add_ons.auto_snapshot.is_some());
        let enabled = facts.auto_snapshot.as_ref().is_some_and(|seen| seen.status != super::AddOnStatus::Disabled);
        internal.applied.auto_snapshot = wants_snapshots || internal.applied.auto_snapshot && (enabled || enabling);

        let all = wanted_tags::<InstanceKind>(scope, input.object);
        let tags = tags::step(input, facts, &all, tagged, &internal.applied.tags);
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
        let change = self.new_bundle().map(bundle_change);
        // While the catalogue cannot be read nobody can tell, and nothing is forgotten.
        let untold = self.differences.iter().any(|d| d.field == diff::BUNDLE_ID && matches!(d.what, Deed::Wait(..)));
        let same = |of: &str| untold || change.as_deref() == Some(of);
        let (rejected, started) = (self.internal.rejected.take(), self.internal.started.take());
        let rejected = rejected.filter(|r| same(&r.change) && !asked_again);
        // A start whose outcome is still open is waited for, whoever asks.
        let started = started.filter(|s| same(&bundle_change(&s.bundle)) && !(asked_again && over(s, input)));
        (self.internal.rejected, self.internal.started) = (rejected, started);
        self.remember_start_without_effect(generation, change.as_deref());
        let Some(failure) = input.failure else { return };
        let with_bundle = matches!(failure.call, Some(InstanceCall::Start { bundle: Some(_), .. }));
        let of_now = failure.generation == generation;
        let Some(change) = change.filter(|_| with_bundle && of_now && report::hopeless(failure, report::PASSING))
        else {
            return;
        };
        if self.internal.rejected.is_none() {
            // What was refused was not started: there is nothing to wait for when it is tried anew.
            self.internal.started = None;
            self.internal.rejected = Some(Rejected {
                generation,
                code: bounded(&failure.code, 256),
                message: bounded(&failure.message, WORDS),
                change,
            });
        }
    }

    /// An instance that runs for so long with the bundle that it had before its start will not get the other one by itself,
    /// and stopping it again would take it from its users for nothing.
    fn remember_start_without_effect(&mut self, generation: i64, change: Option<&str>) {
        let running = self.facts.power == Power::Running;
        let vain = self.internal.started.as_ref().filter(|s| running && over(s, self.input));
        let (Some(started), Some(change), None) = (vain, change, &self.internal.rejected) else { return };
        let message =
            format!("AWS accepted the start with bundle {}, and the instance runs without it", started.bundle);
        self.internal.rejected = Some(Rejected {
            generation,
            code: "NoEffect".into(),
            message: bounded(&message, WORDS),
            change: change.to_owned(),
        });
    }

    /// How long ago the start was sent that is to give the instance its bundle, if one was.
    pub(super) fn started(&self) -> Option<Duration> {
        self.internal.started.as_ref().map(|started| elapsed(started.at, self.input.now))
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
        if let Some(step) = &self.tags {
            all.push(pending(input, step.field, &step.from, &step.to, Impact::None, observed()));
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

/// How a change of the bundle is written in the stamps.
fn bundle_change(bundle: &str) -> String {
    format!("bundleId={bundle}")
}

/// Whether a start was so long ago that AWS would show its bundle. AWS publishes no time; a start takes it some minutes at
/// most.
fn over(started: &Started, input: &Input<'_, InstanceKind>) -> bool {
    elapsed(started.at, input.now) >= TEN_MINUTES
}
