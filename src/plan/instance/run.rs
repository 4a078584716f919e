//! An instance that is there and ours: power and changes, by what AWS allows in each state.

use std::time::Duration;

use crate::api::fleet::DesiredState;
use crate::api::instance::Started;
use crate::plan::conditions::to_the_second;
use crate::plan::life::{self, AWHILE, There, look};
use crate::plan::reason::{Stall, Verdict, Waiting};
use crate::plan::report::{self, Known, OBSERVED, Report, trouble_with};
use crate::plan::unshown::Fate;
use crate::plan::{News, Next, Plan};

use super::diff::BUNDLE_ID;
use super::draft::{BEING_STOPPED, Draft, NOT_SHOWN};
use super::power::{self, Gate};
use super::report as shown;
use super::state::{InstanceLook, Power};
use super::{InstanceCall, InstanceKind, Shown, create, fate};

/// How soon to look again while AWS has given a running instance no address yet; it comes within seconds.
const ADDRESS: Duration = Duration::from_secs(3);
/// How soon to look again while AWS is at a change in place; it takes seconds.
const AT_IT: Duration = Duration::from_secs(5);

/// Decides for an instance that is ours.
pub fn keep(there: &There<'_, '_, InstanceKind>) -> Plan<InstanceKind> {
    let (input, state) = (there.input, there.state);
    let draft = Draft::new(there);
    // The catalogue says what it costs and what it is; a decision about its bundle rests on one of this hour. What could not
    // be read is asked for again.
    let bundle = draft.differences.iter().any(|d| d.field == BUNDLE_ID);
    let needed = bundle || state.catalogue.as_ref().is_none_or(|catalogue| catalogue.unreadable.is_some());
    if needed && !create::recent(state, input.now) {
        let anew = (there.tagged.began >= input.now).then_some(InstanceLook::Anew);
        return look(input, anew.into_iter().chain([InstanceLook::Catalogue]).collect());
    }
    by_power(draft)
}

/// (wanted, seen): every case.
fn by_power(draft: Draft<'_>) -> Plan<InstanceKind> {
    match (draft.power(), &draft.facts.power) {
        // On its way: nothing may be sent.
        (DesiredState::Running | DesiredState::Stopped, Power::Pending) => {
            draft.wait(Waiting::Starting, "AWS is starting the instance")
        }
        (DesiredState::Running | DesiredState::Stopped, Power::Stopping) => {
            draft.wait(Waiting::Stopping, "AWS is stopping the instance")
        }
        (DesiredState::Running | DesiredState::Stopped, Power::ShuttingDown | Power::Terminated) => {
            draft.wait(Waiting::Deleting, "somebody deleted the instance in AWS: waiting until it is gone")
        }
        (DesiredState::Running | DesiredState::Stopped, Power::Unrecognised(word)) => {
            let text = format!("AWS reports the state {word}, which this version does not know");
            draft.wait(Waiting::UnknownState, &text)
        }
        (DesiredState::Running | DesiredState::Stopped, Power::Running | Power::Stopped) => match draft.untried() {
            Some((call, field)) => draft.change(call, field),
            // What AWS refuses of it does not keep the instance from the power state that it needs: it comes last.
            None => steady(draft),
        },
    }
}

/// Running or stopped, and nothing to change in place.
fn steady(draft: Draft<'_>) -> Plan<InstanceKind> {
    let name = draft.facts.name.clone();
    match (draft.power(), &draft.facts.power) {
        (DesiredState::Running, Power::Stopped) => {
            let bundle = draft.bundle();
            let note = match &bundle {
                Some(bundle) => format!("started instance {name} with bundle {bundle}"),
                None => format!("started instance {name}"),
            };
            let news = News::done("Started", "Start", note);
            let call = InstanceCall::Start { name, bundle };
            draft.set_power(call, Waiting::Starting, "starting the instance", "stopping", news)
        }
        (DesiredState::Stopped, Power::Running) => {
            let news = News::done("Stopped", "Stop", format!("stopped instance {name}: desiredState is Stopped"));
            draft.set_power(InstanceCall::Stop(name), Waiting::Stopping, "stopping the instance", "starting", news)
        }
        (DesiredState::Running, Power::Running) if draft.bundle().is_some() => draft.restart(),
        (
            DesiredState::Running | DesiredState::Stopped,
            Power::Running
            | Power::Stopped
            | Power::Pending
            | Power::Stopping
            | Power::ShuttingDown
            | Power::Terminated
            | Power::Unrecognised(_),
        ) => draft.rest(None),
    }
}

impl Draft<'_> {
    /// A write that no user notices.
    fn change(self, call: InstanceCall, field: &'static str) -> Plan<InstanceKind> {
        let news = News::done("Updated", "Update", format!("changed {field} of instance {}", self.facts.name));
        self.send(call, Waiting::Updating, "changing the instance", news)
    }

    /// Starts or stops, unless something else keeps undoing it.
    fn set_power(
        mut self,
        call: InstanceCall,
        why: Waiting,
        text: &str,
        other: &str,
        news: News,
    ) -> Plan<InstanceKind> {
        let (input, seen) = (self.input, self.facts.power.as_str());
        // The same call again after a failure is no other one.
        if !report::failed(input, &call) {
            let contested = power::contested(input, seen);
            // What AWS could not carry out was undone by nobody.
            let answered = input.answered.iter().find(|answered| answered.call == call);
            let fate = match (contested, answered) {
                (Some(_), Some(answered)) => fate::fate(self.state, answered, input.now),
                (Some(_) | None, Some(_) | None) => Fate::Untold,
            };
            let left = match fate {
                Fate::Look(looks) => return look(input, looks),
                Fate::Failed { .. } => None,
                Fate::Untold => contested,
            };
            if let Some(left) = left {
                let text = format!("something else keeps {other} the instance: it is set right again after a while");
                self.waits = Some(text.clone());
                let again = left.clamp(Duration::from_secs(1), AWHILE);
                return self.rest(Some((Verdict::Working(Waiting::PowerContested, text), again)));
            }
            self.internal.power_sets = Some(power::count(input, &self.internal, seen));
        }
        self.send(call, why, text, news)
    }

    /// Stops for a newer generation of the bundle, if the rules let it; the start takes it. Where that start has been made,
    /// AWS may still come to show it.
    fn restart(mut self) -> Plan<InstanceKind> {
        let name = self.facts.name.clone();
        if let Some(age) = self.started() {
            self.waits = Some(NOT_SHOWN.into());
            let text = format!("bundleId: {NOT_SHOWN}");
            let again = (age / 4).clamp(Duration::from_secs(1), AWHILE);
            return self.rest(Some((Verdict::Working(Waiting::Updating, text), again)));
        }
        match power::gate(self.wanted, self.input) {
            Gate::Open => {
                self.waits = Some(BEING_STOPPED.into());
                let news = News::done("Stopped", "Stop", format!("stopped instance {name} to change bundleId"));
                self.send(InstanceCall::Stop(name), Waiting::Stopping, "stopping the instance", news)
            }
            Gate::Held(why, text, again) => {
                self.waits = Some(text.into());
                self.rest(Some((Verdict::Working(why, text.into()), again)))
            }
        }
    }

    /// Nothing more to set right: what has failed is tried again, else it is said where things stand.
    fn rest(self, held: Option<(Verdict, Duration)>) -> Plan<InstanceKind> {
        if let Some((call, field)) = self.tried() {
            return self.change(call, field);
        }
        let (verdict, again) = self.standing(held);
        let news = report::news(self.input, "Update", &verdict);
        let next = match &verdict {
            Verdict::Ready(_) => Next::Settled(None),
            Verdict::Working(..) | Verdict::Stalled(..) => Next::Wait(again),
        };
        self.finish(next, verdict, news)
    }

    fn standing(&self, held: Option<(Verdict, Duration)>) -> (Verdict, Duration) {
        let facts = self.facts;
        if let Some(refusal) = &self.internal.rejected {
            let text = format!("AWS refused the change of bundleId: {}: {}", refusal.code, refusal.message);
            return (Verdict::Stalled(Stall::Rejected, text), AWHILE);
        }
        let mut verdicts = self.differences.iter().filter_map(|d| d.what.verdict());
        let refused = verdicts.clone().find(|v| matches!(v, Verdict::Stalled(..)));
        let waited_for = verdicts.next().map(|verdict| (verdict.clone(), patience(&verdict)));
        let addressless = (facts.power == Power::Running && !shown::has_address(facts)).then(|| {
            (Verdict::Working(Waiting::Starting, "AWS has given the instance no address yet".into()), ADDRESS)
        });
        refused
            .map(|verdict| (verdict, AWHILE))
            .or(held)
            .or(addressless)
            .or(waited_for)
            .unwrap_or_else(|| (Verdict::Ready(ready(self)), AWHILE))
    }

    /// AWS is working: look again often at first, then less. A start takes AWS well under a minute, Windows some.
    fn wait(self, why: Waiting, text: &str) -> Plan<InstanceKind> {
        let again = (self.state_age() / 4).clamp(Duration::from_secs(1), Duration::from_secs(15));
        let verdict = Verdict::Working(why, text.to_owned());
        let news = report::news(self.input, "Observe", &verdict);
        self.finish(Next::Wait(again), verdict, news)
    }

    /// The instance is read anew, in this pass, before anything is written to it.
    fn send(mut self, call: InstanceCall, why: Waiting, text: &str, news: News) -> Plan<InstanceKind> {
        let input = self.input;
        if self.tagged.began < input.now {
            // Of this hour, the catalogue costs nothing.
            return look(input, [InstanceLook::Anew, InstanceLook::Catalogue].into());
        }
        if let InstanceCall::Start { bundle: Some(bundle), .. } = &call {
            self.internal.started = Some(Started { bundle: bundle.clone(), at: to_the_second(input.now) });
        }
        let verdict = trouble_with(input, &call).unwrap_or_else(|| Verdict::Working(why, text.to_owned()));
        self.finish(Next::Send(call), verdict, vec![news])
    }

    fn finish(self, next: Next<InstanceKind>, verdict: Verdict, news: Vec<News>) -> Plan<InstanceKind> {
        let changes = self.changes();
        let earlier = shown::earlier(self.input.object).arn.clone();
        let report = Report {
            shown: Shown { power: Some(self.power()) },
            changes,
            arn: self.internal.intent.is_none().then(|| self.facts.arn.clone()).or(earlier),
            stamps: self.internal,
            ..Report::new(self.input, Known::There(self.facts), verdict)
        };
        Plan { next, status: report.status(), news }
    }
}

/// How soon to look again for what is waited for: AWS's own work takes seconds, what a person must bring may take days.
fn patience(verdict: &Verdict) -> Duration {
    match verdict {
        Verdict::Working(Waiting::DependencyNotReady, _) => AWHILE,
        Verdict::Working(..) | Verdict::Ready(_) | Verdict::Stalled(..) => AT_IT,
    }
}

fn ready(draft: &Draft<'_>) -> String {
    let facts = draft.facts;
    let unusable = draft.catalogue().and_then(|catalogue| catalogue.unreadable.as_ref());
    let hint = unusable.map(|said| format!("; its catalogue cannot be read: {said}")).unwrap_or_default();
    format!("instance {} is {}{hint}", facts.name, facts.power.as_str())
}

/// `managementPolicy: Observe`: differences are shown, nothing is written.
pub fn observe(there: &There<'_, '_, InstanceKind>) -> Plan<InstanceKind> {
    let facts = there.facts;
    let earlier = shown::earlier(there.input.object);
    let mut draft = Draft::new(there);
    draft.internal = earlier.internal.clone();
    draft.internal.rejected = None;
    draft.observed = Some(OBSERVED);
    draft.tags = life::observed_tags(there, &draft.internal.applied.tags);
    let verdict = match shown::usable(draft.power(), facts) {
        true => Verdict::Ready(ready(&draft)),
        false => {
            let text = format!("instance {} is {}", facts.name, facts.power.as_str());
            Verdict::Working(Waiting::DependencyNotReady, text)
        }
    };
    let unread = there.state.catalogue.as_ref().is_none_or(|catalogue| catalogue.unreadable.is_some());
    if unread && !create::recent(there.state, there.input.now) {
        return life::look(there.input, [InstanceLook::Catalogue].into());
    }
    let plan = draft.finish(Next::Settled(None), verdict, Vec::new());
    Plan { status: crate::api::InstanceStatus { arn: earlier.arn.clone(), ..plan.status }, ..plan }
}
