//! A fleet that is there and ours: power and changes, by what AWS allows in each state.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::api::common::Impact;
use crate::api::fleet::{DesiredState, UpdateType};
use crate::plan::life::{self, AWHILE, Life, There};
use crate::plan::looked::Looked;
use crate::plan::reason::{Stall, Verdict, Waiting};
use crate::plan::report::{self, Known, OBSERVED, Report, elapsed, failed, trouble_with};
use crate::plan::tags::{self, Step};
use crate::plan::{Answered, News, Next, Plan};

use super::beside::{self, user_tags};
use super::diff::{Difference, Field};
use super::draft::{BEING_STOPPED, CLOSING, Draft, EMPTYING, ON_STOP};
use super::report::{self as shown, Shown};
use super::state::{FleetLook, Power};
use super::stop::{self, Gate};
use super::{FleetCall, FleetKind, create};

/// Decides for a fleet that is ours.
pub fn keep(there: &There<'_, '_, FleetKind>) -> Plan<FleetKind> {
    let There { input, wanted, scope, state, .. } = *there;
    let mut draft = Draft::new(there);
    if draft.differences.iter().any(|d| d.field == Field::IamRoleArn && !d.clear)
        && let Some(text) = create::forbidden_role(wanted, scope)
    {
        // Only this difference is left out: the fleet runs with the role that it has.
        draft.forbidden = Some(text);
    }
    let applied = &draft.internal.applied.tags;
    let wanted_tags = life::wanted_tags::<FleetKind>(scope, input.object);
    let tags = tags::step(input, draft.facts, &wanted_tags, draft.tagged, applied);
    if tags.is_none() {
        draft.internal.applied.tags = user_tags(wanted).into_keys().collect();
    }
    let joins = wanted.spec().application_arns.is_some() || !draft.internal.applied.applications.is_empty();
    let applications = match (&state.applications, joins, &tags) {
        (None, true, Some(step)) if !failed(input, &step.call) => None,
        (None, true, _) => return draft.look([FleetLook::Applications].into()),
        (None, false, _) => None,
        // The rest goes on without it, and it is said at the end.
        (Some(Looked::Refused(refusal)), _, _) => {
            draft.unseen = Some(refusal.verdict(input.now));
            None
        }
        (Some(Looked::Found(seen)), _, _) => {
            let step = beside::applications(&draft, seen);
            if step.is_none() {
                draft.internal.applied.applications = wanted.spec().application_arns.clone().unwrap_or_default();
            }
            step
        }
    };
    draft.step = beside::first(input, tags, applications);
    match &draft.step {
        Some(step) if !beside::failing(input) => {
            let step = step.clone();
            draft.take(step)
        }
        // What AWS refuses beside the fleet does not keep the fleet from what it needs: it comes last.
        Some(_) | None => by_power(draft),
    }
}

/// (wanted, seen): every case.
fn by_power(draft: Draft<'_>) -> Plan<FleetKind> {
    let restart = draft.needing_stop();
    match (draft.wanted.power, &draft.facts.power) {
        // STOPPED: everything may be changed; then it is started if it should run.
        (DesiredState::Stopped | DesiredState::Running, Power::Stopped) => stopped(draft),
        // On its way down: nothing may be sent.
        (DesiredState::Stopped | DesiredState::Running, Power::Stopping) => {
            draft.wait(Waiting::Stopping, "AWS is stopping the fleet")
        }
        (DesiredState::Stopped | DesiredState::Running, Power::Unrecognised(word)) => {
            let text = format!("AWS reports the state {word}, which this version does not know");
            draft.wait(Waiting::UnknownState, &text)
        }
        // It should be off.
        (DesiredState::Stopped, Power::Starting | Power::Running) => {
            let note = format!("stopped fleet {}: {}", draft.facts.name, draft.wanted.off_because);
            draft.stop(note)
        }
        // It should be on and is, or is coming up.
        (DesiredState::Running, Power::Starting | Power::Running) => {
            match (restart.is_empty(), draft.wanted.strategy().kind) {
                (true, UpdateType::Restart | UpdateType::OnStop) => running(draft),
                (false, UpdateType::Restart) => restarting(draft, &restart),
                (false, UpdateType::OnStop) => running(Draft { waits: Some(ON_STOP.into()), ..draft }),
            }
        }
    }
}

/// A change needs a stop: first see that it can succeed, then stop by the rules of `disruption`.
fn restarting(mut draft: Draft<'_>, restart: &[Difference]) -> Plan<FleetKind> {
    if draft.rejected() {
        return running(draft);
    }
    if draft.judge_image() {
        return draft.look([FleetLook::Image].into());
    }
    if draft.image.is_some() {
        return running(draft);
    }
    let fields: Vec<&str> = restart.iter().map(|d| d.field.path()).collect();
    let note = format!("stopped fleet {} to change {}", draft.facts.name, fields.join(", "));
    draft.stop(note)
}

/// STARTING or RUNNING and to stay so: send what may be sent, then wait or rest.
fn running(mut draft: Draft<'_>) -> Plan<FleetKind> {
    match draft.facts.power {
        Power::Running => {
            if draft.judge_live_image() {
                return draft.look([FleetLook::Image].into());
            }
            match draft.update_while_running(true) {
                Some((call, changes)) => draft.update(call, &changes),
                None => draft.rest(),
            }
        }
        Power::Starting => {
            if draft.facts.errors.is_empty() {
                return draft.wait(Waiting::Starting, "AWS is starting the fleet");
            }
            let text = shown::errors(draft.facts);
            match draft.state_age() >= report::TEN_MINUTES {
                true => draft.stalled_waiting(Stall::FleetErrors, text),
                false => draft.wait(Waiting::FleetErrors, &text),
            }
        }
        Power::Stopped | Power::Stopping | Power::Unrecognised(_) => draft.rest(),
    }
}

/// STOPPED: update, then start if it should run.
fn stopped(mut draft: Draft<'_>) -> Plan<FleetKind> {
    if !draft.rejected() && draft.judge_image() {
        return draft.look([FleetLook::Image].into());
    }
    match (draft.wanted.power, draft.update_while_stopped()) {
        (DesiredState::Stopped, Some((call, changes))) => draft.update(call, &changes),
        (DesiredState::Running, Some((call, changes))) if !draft.given_up(&call) => draft.update(call, &changes),
        (DesiredState::Running, Some(_) | None) => match draft.until_the_next_start() {
            None => draft.start(),
            Some(rest) => {
                let text = shown::errors(draft.facts);
                draft.finish(Next::Wait(rest), Verdict::Working(Waiting::FleetErrors, text), Vec::new())
            }
        },
        (DesiredState::Stopped, None) => draft.rest(),
    }
}

/// How long a fleet is left alone that AWS has stopped by itself after our start, for the errors that it shows: each start is
/// paid for, and what is amiss (a subnet, a role, a directory) is seldom mended in less.
const AFTER_A_FAILED_START: Duration = Duration::from_secs(300);

impl Draft<'_> {
    /// Judges the image for what may be sent to a RUNNING fleet. `true` says that it must be looked at first.
    fn judge_live_image(&mut self) -> bool {
        let sends_one = self
            .update_while_running(false)
            .is_some_and(|(_, changes)| changes.iter().any(|d| matches!(d.field, Field::ImageName | Field::ImageArn)));
        sends_one && !self.rejected() && self.judge_image()
    }

    fn update(self, call: FleetCall, changes: &[Difference]) -> Plan<FleetKind> {
        let fields: Vec<&str> = changes.iter().map(|d| d.field.path()).collect();
        let note = format!("updated {} of fleet {}", fields.join(", "), self.facts.name);
        self.send(call, Waiting::Updating, "changing the fleet", News::done("Updated", "Update", note))
    }

    fn start(self) -> Plan<FleetKind> {
        let name = self.facts.name.clone();
        let news = News::done("Started", "Start", format!("started fleet {name}"));
        let (why, text) = match self.facts.errors.is_empty() {
            true => (Waiting::Starting, "starting the fleet".to_owned()),
            false => (Waiting::FleetErrors, shown::errors(self.facts)),
        };
        self.send(FleetCall::Start(name), why, &text, news)
    }

    /// How long to wait with a start, where the last one has led to errors alone.
    fn until_the_next_start(&self) -> Option<Duration> {
        if self.facts.errors.is_empty() {
            return None;
        }
        let started = |answered: &&Answered<FleetKind>| matches!(answered.call, FleetCall::Start(_));
        let at = self.input.answered.iter().find(started)?.at;
        let asked = report::asked_again::<FleetKind>(
            self.input.object,
            shown::earlier(self.input.object).last_handled_reconcile_at.as_ref(),
        );
        let rest = AFTER_A_FAILED_START.saturating_sub(elapsed(at, self.input.now));
        (!rest.is_zero() && !asked).then_some(rest)
    }

    /// A write beside the fleet itself, which no user notices.
    fn take(self, step: Step<FleetCall>) -> Plan<FleetKind> {
        let note = News::done("Updated", "Update", format!("changed {} of fleet {}", step.field, self.facts.name));
        self.send(step.call, Waiting::Updating, step.text, note)
    }

    /// Stops if [`stop::gate`] lets it; otherwise sends what may be sent meanwhile, and waits.
    fn stop(mut self, note: String) -> Plan<FleetKind> {
        let (since, now) = (self.stop_wanted_since(), self.input.now);
        match stop::gate(self.wanted, self.state, self.facts, self.input, since) {
            Gate::Look(what) => self.look([what, FleetLook::Tags].into()),
            Gate::Open => {
                self.waits = Some(BEING_STOPPED.into());
                let name = self.facts.name.clone();
                self.send(
                    FleetCall::Stop(name),
                    Waiting::Stopping,
                    "stopping the fleet",
                    News::done("Stopped", "Stop", note),
                )
            }
            Gate::Drain(call) => {
                let text = CLOSING;
                self.draining_from();
                (self.waits, self.draining) = (Some(text.into()), true);
                let note = format!("set the capacity of fleet {} to 0 for a stop", self.facts.name);
                self.send(call, Waiting::Stopping, text, News::done("Draining", "Update", note))
            }
            Gate::Draining => {
                let text = EMPTYING;
                (self.waits, self.draining) = (Some(text.into()), true);
                self.wait(Waiting::Stopping, text)
            }
            Gate::Held { verdict, sessions, drain, closed, again } => {
                self.waits = Some(verdict.message().to_owned());
                self.sessions = sessions;
                self.draining = closed;
                if let Some(call) = drain {
                    self.draining_from();
                    let note = format!("set the capacity of fleet {} to 0: no new users", self.facts.name);
                    return self.send_saying(call, verdict, News::done("Draining", "Update", note));
                }
                if self.facts.power == Power::Running {
                    if self.judge_live_image() {
                        return self.look([FleetLook::Image, FleetLook::Tags].into());
                    }
                    // Otherwise users find the capacity as the spec wants it.
                    if let Some((call, changes)) = self.update_while_running(!closed) {
                        return self.update(call, &changes);
                    }
                }
                let news = report::news(self.input, "Stop", &verdict);
                let next = self.wanted.next.as_ref().map_or(again, |next| again.min(report::elapsed(now, next.at)));
                self.finish(Next::Wait(next.max(Duration::from_secs(1))), verdict, news)
            }
        }
    }

    /// Nothing to send: say where things stand.
    fn rest(self) -> Plan<FleetKind> {
        let verdict = match (&self.internal.rejected, &self.image) {
            _ if self.forbidden.is_some() => {
                Verdict::Stalled(Stall::NotAllowed, self.forbidden.clone().unwrap_or_default())
            }
            (Some(refusal), _) => {
                let text = format!("AWS refused the update: {}: {}", refusal.code, refusal.message);
                Verdict::Stalled(Stall::Rejected, text)
            }
            (None, Some((Impact::Refused, text))) => Verdict::Stalled(Stall::ImageNotUsable, text.clone()),
            (None, Some((Impact::None | Impact::Restart, text))) => {
                Verdict::Working(Waiting::DependencyNotReady, text.clone())
            }
            (None, None) if shown::without_capacity(self.facts) && self.facts.power == Power::Running => {
                let text = shown::errors(self.facts);
                match self.state_age() >= report::TEN_MINUTES {
                    true => Verdict::Stalled(Stall::FleetErrors, text),
                    false => Verdict::Working(Waiting::FleetErrors, text),
                }
            }
            (None, None) => self.unseen.clone().unwrap_or_else(|| Verdict::Ready(self.ready())),
        };
        let news = report::news(self.input, "Update", &verdict);
        let next = match &verdict {
            Verdict::Ready(_) | Verdict::Stalled(Stall::NotAllowed, _) => {
                Next::Settled(self.wanted.next.as_ref().map(|n| n.at))
            }
            Verdict::Working(..) | Verdict::Stalled(..) => Next::Wait(AWHILE),
        };
        self.finish(next, verdict, news)
    }

    fn ready(&self) -> String {
        let name = &self.facts.name;
        match (&self.facts.power, self.facts.errors.is_empty()) {
            (Power::Running, false) => format!("fleet {name} is RUNNING; {}", shown::errors(self.facts)),
            (
                power @ (Power::Running | Power::Stopped | Power::Starting | Power::Stopping | Power::Unrecognised(_)),
                _,
            ) => format!("fleet {name} is {}", power.as_str()),
        }
    }

    /// AWS is working: look again often at first, then less. An instance takes AWS 10 to 20 minutes.
    fn wait(self, why: Waiting, text: &str) -> Plan<FleetKind> {
        let again = (self.state_age() / 4).clamp(Duration::from_secs(1), Duration::from_secs(15));
        let verdict = Verdict::Working(why, text.to_owned());
        let news = report::news(self.input, "Observe", &verdict);
        self.finish(Next::Wait(again), verdict, news)
    }

    fn stalled_waiting(self, why: Stall, text: String) -> Plan<FleetKind> {
        let verdict = Verdict::Stalled(why, text);
        let news = report::news(self.input, "Observe", &verdict);
        self.finish(Next::Wait(AWHILE), verdict, news)
    }

    fn send(self, call: FleetCall, why: Waiting, text: &str, news: News) -> Plan<FleetKind> {
        self.send_saying(call, Verdict::Working(why, text.to_owned()), news)
    }

    /// Tags are read anew, in this pass, before anything is written.
    fn send_saying(self, call: FleetCall, verdict: Verdict, news: News) -> Plan<FleetKind> {
        if self.tagged.began < self.input.now {
            return self.look([FleetLook::Tags].into());
        }
        let verdict = trouble_with(self.input, &call).unwrap_or(verdict);
        self.finish(Next::Send(call), verdict, vec![news])
    }

    /// Looks are added up: what was looked at for this pass is looked at again with it.
    fn look(self, mut looks: BTreeSet<FleetLook>) -> Plan<FleetKind> {
        let state = self.state;
        let had = [
            (FleetLook::Image, state.image.is_some()),
            (FleetLook::Sessions, state.sessions.is_some()),
            (FleetLook::Applications, state.applications.is_some()),
            (FleetLook::Tags, self.tagged.began >= self.input.now),
        ];
        looks.extend(had.into_iter().filter(|(_, had)| *had).map(|(look, _)| look));
        life::look(self.input, looks)
    }

    fn finish(self, next: Next<FleetKind>, verdict: Verdict, news: Vec<News>) -> Plan<FleetKind> {
        match (&next, &self.step) {
            // Nothing else is to be sent: the write beside the fleet that failed is tried again.
            (Next::Wait(_) | Next::Settled(_), Some(step))
                if !matches!(verdict, Verdict::Stalled(Stall::NotAllowed, _)) =>
            {
                let step = step.clone();
                return self.take(step);
            }
            (Next::Wait(_) | Next::Settled(_), Some(_) | None) => {}
            (Next::Send(_) | Next::Keep(_) | Next::Look(_) | Next::Release, _) => {}
        }
        let changes = self.changes();
        let report = Report {
            shown: Shown { sessions: self.sessions, ..FleetKind::shown(self.wanted) },
            changes,
            stamps: self.internal,
            arn: Some(self.facts.arn.clone()),
            ..Report::new(self.input, Known::There(self.facts), verdict)
        };
        Plan { next, status: report.status(), news }
    }
}

/// `managementPolicy: Observe`: differences are shown, nothing is written.
pub fn observe(there: &There<'_, '_, FleetKind>) -> Plan<FleetKind> {
    let There { input, wanted, facts, .. } = *there;
    let mut draft = Draft::new(there);
    draft.internal = shown::earlier(input.object).internal.clone();
    draft.internal.rejected = None;
    draft.waits = Some(OBSERVED.into());
    let other_type = beside::other_type(wanted, facts);
    // Only ELASTIC fleets have applications.
    let applications = match (wanted.spec().application_arns.is_some(), &other_type, &there.state.applications) {
        (false, _, _) | (true, Some(_), _) => None,
        (true, None, None) => return draft.look([FleetLook::Applications].into()),
        (true, None, Some(Looked::Refused(refusal))) => {
            draft.unseen = Some(refusal.verdict(input.now));
            None
        }
        (true, None, Some(Looked::Found(seen))) => beside::all_applications(&draft, seen),
    };
    let tags = life::observed_tags(there, &draft.internal.applied.tags).map(|step| (step.from, step.to));
    let differs = |field, impact, apart: Option<(String, String)>| {
        apart.map(|(from, to)| report::pending(input, field, &from, &to, impact, Some(OBSERVED.to_owned())))
    };
    let beside = [
        differs("fleetType", Impact::Refused, other_type),
        differs("applicationArns", Impact::None, applications),
        differs("tags", Impact::None, tags),
    ];
    draft.observed = beside.into_iter().flatten().collect();
    let verdict = match shown::usable(wanted.power, facts) {
        true => draft.unseen.clone().unwrap_or_else(|| Verdict::Ready(draft.ready())),
        false if shown::without_capacity(facts) && wanted.power == DesiredState::Running => {
            Verdict::Working(Waiting::FleetErrors, shown::errors(facts))
        }
        false => {
            Verdict::Working(Waiting::DependencyNotReady, format!("fleet {} is {}", facts.name, facts.power.as_str()))
        }
    };
    let arn = shown::earlier(input.object).arn.clone();
    let next = match &draft.unseen {
        Some(_) => Next::Wait(AWHILE),
        None => Next::Settled(wanted.next.as_ref().map(|n| n.at)),
    };
    let plan = draft.finish(next, verdict, Vec::new());
    Plan { status: crate::api::FleetStatus { arn, ..plan.status }, ..plan }
}
