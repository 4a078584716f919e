//! A fleet that is there and ours: power and changes, by what AWS allows in each state.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::api::Fleet;
use crate::api::common::{Impact, PendingChange};
use crate::api::fleet::{DesiredState, FleetSettings, Internal, Rejected, SessionsStatus, UpdateType, WhileRunning};
use crate::plan::reason::{Stall, Verdict, Waiting};
use crate::plan::{Class, Input, News, Next, Plan, Scope};

use super::beside::{applications, immutable, tags, user_tags};
use super::diff::{self, Difference};
use super::image::{ImageUse, image_usable};
use super::report::{self, Known, Report, pending, trouble};
use super::state::{FleetFacts, FleetLook, FleetState, Power, Tagged};
use super::stop::{self, Gate};
use super::wanted::Wanted;
use super::{AttributeToDelete, FleetCall, FleetKind, FleetPatch};

/// News of something done.
pub fn done(reason: &str, action: &'static str, note: String) -> News {
    News { reason: reason.to_owned(), action, warning: false, note }
}

/// The pass over a fleet of ours, while everything is worked out.
pub struct Draft<'a> {
    /// The pass.
    pub(super) input: &'a Input<'a, FleetKind>,
    /// What the object asks for.
    pub(super) wanted: &'a Wanted<'a>,
    /// What AWS says.
    pub(super) state: &'a FleetState,
    /// The fleet of it.
    pub(super) facts: &'a FleetFacts,
    /// Its tags.
    pub(super) tagged: &'a Tagged,
    /// Where spec and AWS differ.
    pub(super) differences: Vec<Difference>,
    /// The stamps to write.
    pub(super) internal: Internal,
    /// What carrying the changes out takes.
    pub(super) impact: Impact,
    /// What they wait for.
    pub(super) waits: Option<String>,
    /// The sessions that a stop waits for.
    pub(super) sessions: Option<SessionsStatus>,
}

/// Decides for a fleet that is ours.
pub fn plan(
    input: &Input<'_, FleetKind>,
    wanted: &Wanted<'_>,
    scope: &Scope,
    state: &FleetState,
    facts: &FleetFacts,
    tagged: &Tagged,
) -> Plan<FleetKind> {
    let mut draft = Draft::new(input, wanted, state, facts, tagged);
    if let Some(plan) = immutable(&draft) {
        return plan;
    }
    if draft.differences.iter().any(|d| d.field == diff::Field::IamRoleArn && !d.clear)
        && let Some(text) = super::forbidden_role(wanted, scope)
    {
        return draft.stalled(Stall::NotAllowed, text);
    }
    if let Some(plan) = tags(&draft, scope) {
        return plan;
    }
    draft.internal.applied.tags = user_tags(wanted).into_keys().collect();
    let joins = wanted.spec().application_arns.is_some() || !draft.internal.applied.applications.is_empty();
    if joins && state.applications.is_none() {
        return draft.look([FleetLook::Applications].into());
    }
    if let Some(plan) = applications(&draft) {
        return plan;
    }
    draft.internal.applied.applications = wanted.spec().application_arns.clone().unwrap_or_default();
    by_power(draft)
}

/// (wanted, seen): every case.
fn by_power(draft: Draft<'_>) -> Plan<FleetKind> {
    let restart: Vec<Difference> = draft.needing_stop();
    let name = draft.facts.name.clone();
    match (draft.wanted.power, &draft.facts.power) {
        // STOPPED: everything may be changed; then it is started if it should run.
        (DesiredState::Stopped | DesiredState::Running, Power::Stopped) => stopped(draft),
        // On its way down: nothing may be sent.
        (_, Power::Stopping) => draft.wait(Waiting::Stopping, "AWS is stopping the fleet"),
        (_, Power::Unrecognised(state)) => {
            let text = format!("AWS reports the state {state}, which this version does not know");
            draft.wait(Waiting::UnknownState, &text)
        }
        // It should be off.
        (DesiredState::Stopped, Power::Starting | Power::Running) => {
            let because = draft.wanted.off_because;
            let note = format!("stopped fleet {name}: {because}");
            draft.stop("desiredState", "STOPPED", note)
        }
        // It should be on and is, or is coming up.
        (DesiredState::Running, Power::Starting | Power::Running) if !restart.is_empty() => {
            match draft.wanted.strategy().kind {
                UpdateType::Restart => restarting(draft, &restart),
                UpdateType::OnStop => {
                    let mut draft = draft;
                    draft.waits = Some("updateStrategy.type is OnStop: applied when the fleet is stopped".into());
                    running(draft)
                }
            }
        }
        (DesiredState::Running, Power::Starting | Power::Running) => running(draft),
    }
}

/// A change needs a stop: first see that it can succeed, then stop by the rules of `disruption`.
fn restarting(mut draft: Draft<'_>, restart: &[Difference]) -> Plan<FleetKind> {
    let fields: Vec<&str> = restart.iter().map(|d| d.field.path()).collect();
    let name = draft.facts.name.clone();
    if draft.rejected() {
        return running(draft);
    }
    match draft.image() {
        ImageUse::Look => return draft.look([FleetLook::Image].into()),
        ImageUse::Not(text) => {
            draft.impact = Impact::Refused;
            draft.waits = Some(text);
            return running(draft);
        }
        ImageUse::NotYet(text) => {
            draft.waits = Some(text);
            return running(draft);
        }
        ImageUse::Usable => {}
    }
    let first = restart.first().map(|d| (d.field.path(), d.to.clone())).unwrap_or_default();
    draft.stop(first.0, &first.1, format!("stopped fleet {name} to change {}", fields.join(", ")))
}

/// STARTING or RUNNING and to stay so: send what may be sent, then wait or rest.
fn running(draft: Draft<'_>) -> Plan<FleetKind> {
    match draft.facts.power {
        Power::Running => {
            let now = draft.changeable_now(true);
            if !now.is_empty() && !draft.rejected() {
                return draft.update(&now);
            }
            draft.rest()
        }
        Power::Starting => {
            let errors = &draft.facts.errors;
            if errors.is_empty() {
                return draft.wait(Waiting::Starting, "AWS is starting the fleet");
            }
            let text = report::errors(draft.facts);
            if draft.state_age() >= report::TEN_MINUTES {
                return draft.stalled_waiting(Stall::FleetErrors, text);
            }
            draft.wait(Waiting::FleetErrors, &text)
        }
        Power::Stopped | Power::Stopping | Power::Unrecognised(_) => draft.rest(),
    }
}

/// STOPPED: update, then start if it should run.
fn stopped(mut draft: Draft<'_>) -> Plan<FleetKind> {
    let on = draft.wanted.power == DesiredState::Running;
    let all = draft.differences.clone();
    // After a refused update only the capacity that a drain took away is put back, so that users find the fleet as it was.
    let sendable: Vec<Difference> = match draft.rejected() {
        true => all.into_iter().filter(|d| d.field.is_capacity() && d.from == "0").collect(),
        false => all,
    };
    let refused = draft.refused(&sendable);
    if !sendable.is_empty() && !refused {
        match draft.image() {
            ImageUse::Look => return draft.look([FleetLook::Image].into()),
            ImageUse::Usable => return draft.update(&sendable),
            ImageUse::NotYet(text) => draft.waits = Some(text),
            ImageUse::Not(text) => {
                draft.impact = Impact::Refused;
                draft.waits = Some(text);
            }
        }
    }
    match on {
        true => draft.start(),
        false => draft.rest(),
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        input: &'a Input<'a, FleetKind>,
        wanted: &'a Wanted<'a>,
        state: &'a FleetState,
        facts: &'a FleetFacts,
        tagged: &'a Tagged,
    ) -> Self {
        let mut internal = report::earlier(input.object).internal;
        let generation = generation(input.object);
        internal.intent = None;
        internal.rejected = internal.rejected.filter(|r| r.generation == generation);
        let differences = diff::differences(wanted.settings(), facts, &internal.applied.fields);
        internal.applied.fields = diff::applied(wanted.settings(), &facts.settings, &internal.applied.fields);
        let mut draft = Self {
            input,
            wanted,
            state,
            facts,
            tagged,
            differences,
            internal,
            impact: Impact::None,
            waits: None,
            sessions: None,
        };
        draft.remember_refusal(generation);
        draft
    }

    /// A refused update is remembered for its generation, so that the fleet is not stopped for it again.
    fn remember_refusal(&mut self, generation: i64) {
        let Some(failure) = self.input.failure else { return };
        let Some(FleetCall::Update(patch)) = &failure.call else { return };
        let capacity_only = patch.clear.is_empty()
            && patch.set
                == FleetSettings { compute_capacity: patch.set.compute_capacity.clone(), ..Default::default() };
        let lasting = failure.at.duration_since(failure.since).unsigned_abs() >= report::TEN_MINUTES;
        let stopped = self.facts.power == Power::Stopped;
        let for_good = match failure.class.is_final() {
            true => stopped || failure.class == Class::Rejected,
            // AWS's "try again" does not keep a fleet down for ever either.
            false => stopped && lasting,
        };
        if failure.generation == generation && for_good && !capacity_only && self.internal.rejected.is_none() {
            self.internal.rejected =
                Some(Rejected { generation, code: failure.code.clone(), message: failure.message.clone() });
        }
    }

    fn rejected(&self) -> bool {
        self.internal.rejected.is_some()
    }

    /// Whether exactly this update has just been refused for good.
    fn refused(&self, changes: &[Difference]) -> bool {
        let call = self.patch(changes);
        self.input.failure.is_some_and(|f| f.class.is_final() && f.call.as_ref() == Some(&call))
    }

    /// The image is judged only where it, or what it must fit, changes.
    fn image(&self) -> ImageUse {
        use diff::Field::{ImageArn, ImageName, InstanceType, MaxSessionsPerInstance, Platform};
        let concerns = [ImageArn, ImageName, InstanceType, MaxSessionsPerInstance, Platform];
        match self.differences.iter().any(|d| concerns.contains(&d.field)) {
            true => image_usable(self.wanted, self.state),
            false => ImageUse::Usable,
        }
    }

    /// The rule in force: where AWS has just refused a running update by the longer list, the short one.
    fn rule(&self) -> WhileRunning {
        let refused = self.input.failure.is_some_and(|f| {
            f.class == Class::InUse
                && matches!(f.call, Some(FleetCall::Update(_)))
                && self.facts.power == Power::Running
        });
        if refused { WhileRunning::Minimal } else { self.wanted.strategy().while_running }
    }

    fn changeable_now(&self, with_capacity: bool) -> Vec<Difference> {
        let (kind, rule) = (self.wanted.spec().fleet_type, self.rule());
        self.differences
            .iter()
            .filter(|d| d.field.changes_while_running(kind, rule) && (with_capacity || !d.field.is_capacity()))
            .cloned()
            .collect()
    }

    fn needing_stop(&self) -> Vec<Difference> {
        let (kind, rule) = (self.wanted.spec().fleet_type, self.rule());
        self.differences.iter().filter(|d| !d.field.changes_while_running(kind, rule)).cloned().collect()
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
                (false, _) => change.field.copy(self.wanted.settings(), &self.facts.settings, &mut set),
            }
        }
        // Clearing the whole takes its part with it.
        if clear.contains(&AttributeToDelete::VpcConfiguration) {
            clear.remove(&AttributeToDelete::VpcConfigurationSecurityGroupIds);
        }
        FleetCall::Update(Box::new(FleetPatch { name: self.facts.name.clone(), set, clear }))
    }

    fn update(self, changes: &[Difference]) -> Plan<FleetKind> {
        let fields: Vec<&str> = changes.iter().map(|d| d.field.path()).collect();
        let note = format!("updated {} of fleet {}", fields.join(", "), self.facts.name);
        let call = self.patch(changes);
        self.send(call, Waiting::Updating, "changing the fleet", done("Updated", "Update", note))
    }

    fn start(self) -> Plan<FleetKind> {
        let name = self.facts.name.clone();
        let note = format!("started fleet {name}");
        self.send(FleetCall::Start(name), Waiting::Starting, "starting the fleet", done("Started", "Start", note))
    }

    /// Stops if [`stop::gate`] lets it; otherwise sends what may be sent meanwhile, and waits.
    fn stop(mut self, field: &str, to: &str, note: String) -> Plan<FleetKind> {
        let since = report::since(self.input, field, to);
        self.impact = Impact::Restart;
        match stop::gate(self.wanted, self.state, self.facts, self.input.failure, since, self.input.now) {
            Gate::Look(what) => self.look([what, FleetLook::Tags].into()),
            Gate::Open => {
                self.waits = Some("the fleet is being stopped".into());
                let name = self.facts.name.clone();
                self.send(FleetCall::Stop(name), Waiting::Stopping, "stopping the fleet", done("Stopped", "Stop", note))
            }
            Gate::Drain(call) => {
                self.waits = Some("keeping new users out before the fleet is stopped".into());
                let text = "keeping new users out before the fleet is stopped";
                let note = done(
                    "Draining",
                    "Update",
                    format!("set the capacity of fleet {} to 0 for a stop", self.facts.name),
                );
                self.send(call, Waiting::Stopping, text, note)
            }
            Gate::Draining => {
                let text = "waiting for unused instances to go before the fleet is stopped";
                self.waits = Some(text.into());
                self.wait(Waiting::Stopping, text)
            }
            Gate::Held { why, message, sessions, drain, again } => {
                self.waits = Some(message.clone());
                self.sessions = sessions;
                if let Some(call) = drain {
                    let note = done(
                        "Draining",
                        "Update",
                        format!("set the capacity of fleet {} to 0: no new users", self.facts.name),
                    );
                    return self.send(call, why, &message, note);
                }
                // With `drain` the capacity stays at 0 until the stop; otherwise users find it as the spec wants it.
                let now = self.changeable_now(!self.wanted.stops.drain);
                if self.facts.power == Power::Running && !now.is_empty() && !self.rejected() {
                    return self.update(&now);
                }
                let verdict = Verdict::Working(why, message);
                let news = report::news(self.input, "Stop", &verdict);
                self.finish(Next::Wait(again), verdict, news)
            }
        }
    }

    /// Nothing to send: say where things stand.
    fn rest(mut self) -> Plan<FleetKind> {
        let verdict = match (&self.internal.rejected, self.impact, self.waits.clone()) {
            (Some(refusal), _, _) => {
                let text = format!("AWS refused the update: {}: {}", refusal.code, refusal.message);
                self.impact = Impact::Refused;
                Verdict::Stalled(Stall::Rejected, text)
            }
            (None, Impact::Refused, Some(text)) => Verdict::Stalled(Stall::ImageNotUsable, text),
            (None, Impact::None | Impact::Restart, Some(text)) => match self.wanted.strategy().kind {
                UpdateType::OnStop => Verdict::Ready(self.ready()),
                UpdateType::Restart => Verdict::Working(Waiting::DependencyNotReady, text),
            },
            (None, _, None) if self.facts.power == Power::Running && report::without_capacity(self.facts) => {
                let text = report::errors(self.facts);
                match self.state_age() >= report::TEN_MINUTES {
                    true => Verdict::Stalled(Stall::FleetErrors, text),
                    false => Verdict::Working(Waiting::FleetErrors, text),
                }
            }
            (None, _, None) => Verdict::Ready(self.ready()),
        };
        let news = report::news(self.input, "Update", &verdict);
        let next = match &verdict {
            Verdict::Ready(_) => Next::Settled(self.wanted.next.as_ref().map(|n| n.at)),
            Verdict::Working(..) | Verdict::Stalled(..) => Next::Wait(super::AWHILE),
        };
        self.finish(next, verdict, news)
    }

    fn ready(&self) -> String {
        let name = &self.facts.name;
        match (&self.facts.power, self.facts.errors.is_empty()) {
            (Power::Running, false) => format!("fleet {name} is RUNNING; {}", report::errors(self.facts)),
            (power, _) => format!("fleet {name} is {}", power.as_str()),
        }
    }

    fn state_age(&self) -> Duration {
        let earlier = self.input.object.status.as_ref();
        let same = earlier.is_some_and(|s| {
            s.state.as_deref() == Some(self.facts.power.as_str()) && s.fleet_errors == self.facts.errors
        });
        let since = earlier.and_then(|s| s.internal.state_since).filter(|_| same);
        since.map_or(Duration::ZERO, |at| self.input.now.duration_since(at).unsigned_abs())
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
        self.finish(Next::Wait(super::AWHILE), verdict, news)
    }

    fn stalled(self, why: Stall, text: String) -> Plan<FleetKind> {
        let verdict = Verdict::Stalled(why, text);
        let news = report::news(self.input, "Update", &verdict);
        self.finish(Next::Settled(None), verdict, news)
    }

    /// Tags are read anew, in this pass, before anything is written.
    fn send(self, call: FleetCall, why: Waiting, text: &str, news: News) -> Plan<FleetKind> {
        if self.tagged.began < self.input.now {
            return self.look([FleetLook::Tags].into());
        }
        let failed = self.input.failure.filter(|f| f.call.as_ref() == Some(&call));
        let shown = failed.and_then(|f| trouble(f, self.input.now));
        let verdict = shown.unwrap_or_else(|| Verdict::Working(why, text.to_owned()));
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
        super::look(self.input, looks)
    }

    fn finish(self, next: Next<FleetKind>, verdict: Verdict, news: Vec<News>) -> Plan<FleetKind> {
        let changes = self.changes();
        let internal = self.internal;
        let report = Report {
            wanted: Some(self.wanted),
            changes,
            sessions: self.sessions,
            internal,
            arn: Some(self.facts.arn.clone()),
            ..Report::new(self.input, Known::Fleet(self.facts), verdict)
        };
        Plan { next, status: report.status(), news }
    }

    fn changes(&self) -> Vec<PendingChange> {
        let (kind, rule) = (self.wanted.spec().fleet_type, self.rule());
        let mut all: Vec<PendingChange> = self
            .differences
            .iter()
            // What a drain took away comes back with the start: it is no change of the user's.
            .filter(|d| !(d.field.is_capacity() && d.from == "0" && self.waits.is_some()))
            .map(|d| {
                let live = d.field.changes_while_running(kind, rule);
                let impact = match (self.impact, live, &self.facts.power) {
                    (Impact::Refused, ..) => Impact::Refused,
                    (Impact::None | Impact::Restart, false, Power::Running | Power::Starting) => Impact::Restart,
                    (Impact::None | Impact::Restart, ..) => Impact::None,
                };
                let waits = if live { None } else { self.waits.clone() };
                pending(self.input, d.field.path(), &d.from, &d.to, impact, waits)
            })
            .collect();
        let on = [Power::Running, Power::Starting].contains(&self.facts.power);
        if self.wanted.power == DesiredState::Stopped && on {
            let (from, waits) = (self.facts.power.as_str(), self.waits.clone());
            all.push(pending(self.input, "desiredState", from, "STOPPED", Impact::None, waits));
        }
        all
    }
}

/// `managementPolicy: Observe`: differences are shown, nothing is written.
pub fn observe(
    input: &Input<'_, FleetKind>,
    wanted: &Wanted<'_>,
    state: &FleetState,
    facts: &FleetFacts,
) -> Plan<FleetKind> {
    let unread = Tagged { began: input.now, tags: BTreeMap::new() };
    let mut draft = Draft::new(input, wanted, state, facts, &unread);
    draft.internal = report::earlier(input.object).internal;
    draft.waits = (!draft.differences.is_empty()).then(|| "managementPolicy is Observe: nothing is written".into());
    let as_wanted = match (wanted.power, &facts.power) {
        (DesiredState::Running, Power::Running) | (DesiredState::Stopped, Power::Stopped) => true,
        (DesiredState::Running, Power::Stopped | Power::Starting | Power::Stopping | Power::Unrecognised(_))
        | (DesiredState::Stopped, Power::Running | Power::Starting | Power::Stopping | Power::Unrecognised(_)) => false,
    };
    let verdict = match as_wanted {
        true => Verdict::Ready(draft.ready()),
        false => {
            Verdict::Working(Waiting::DependencyNotReady, format!("fleet {} is {}", facts.name, facts.power.as_str()))
        }
    };
    let arn = report::earlier(input.object).arn;
    let plan = draft.finish(Next::Settled(wanted.next.as_ref().map(|n| n.at)), verdict, Vec::new());
    Plan { status: crate::api::FleetStatus { arn, ..plan.status }, ..plan }
}

fn generation(object: &Fleet) -> i64 {
    object.metadata.generation.unwrap_or_default()
}
