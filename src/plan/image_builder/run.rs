//! An image builder from its creation to its end: power by what AWS allows in each state.

use std::time::Duration;

use crate::api::common::Impact;
use crate::api::fleet::DesiredState;
use crate::plan::fleet::image::ImageUse;
use crate::plan::leave::Going;
use crate::plan::life::{self, AWHILE, Absent, Creation, There, look, wanted_tags};
use crate::plan::reason::{Stall, Verdict, Waiting};
use crate::plan::report::{self, Known, OBSERVED, Report, TEN_MINUTES, elapsed, failed, trouble_with};
use crate::plan::roles::may_pass;
use crate::plan::tags::{self, Step};
use crate::plan::{News, Next, Plan};

use super::report::{self as shown, Shown};
use super::state::{BuilderFacts, BuilderLook, Phase};
use super::{BuilderCall, BuilderCreate, ImageBuilderKind, diff, image};

type Kind = ImageBuilderKind;

/// The role that it may not have, the image that is not there: these come before the create.
pub fn creation(absent: &Absent<'_, '_, Kind>) -> Creation<Kind> {
    let (wanted, scope) = (absent.wanted, absent.scope);
    let settings = &wanted.object.spec.settings;
    if let Some(role) = settings.iam_role_arn.as_ref().filter(|role| !may_pass(scope, role)) {
        let text = format!("iamRoleArn: no Account allows this namespace to pass {role}");
        return Creation::Not(Stall::NotAllowed, text);
    }
    match image::usable(settings, absent.state) {
        ImageUse::Look => return Creation::Look([BuilderLook::Image].into()),
        ImageUse::Not(text) => return Creation::Not(Stall::ImageNotUsable, text),
        ImageUse::NotYet(text) => return Creation::NotYet(Waiting::DependencyNotReady, text),
        ImageUse::Usable => {}
    }
    Creation::By(BuilderCall::Create(Box::new(BuilderCreate {
        name: wanted.name.clone(),
        settings: settings.clone(),
        tags: wanted_tags::<Kind>(scope, wanted.object),
    })))
}

/// Decides for an image builder that is ours.
pub fn keep(there: &There<'_, '_, Kind>) -> Plan<Kind> {
    let There { input, wanted, scope, facts, tagged, .. } = *there;
    let mut draft = Draft::new(there);
    draft.differences = diff::differences(&wanted.object.spec.settings, facts);
    let applied = &draft.stamps.applied.tags;
    let tags = wanted_tags::<Kind>(scope, input.object);
    draft.step = tags::step(input, facts, &tags, tagged, applied);
    match draft.step.clone() {
        None => {
            let own = wanted.object.spec.common.tags.clone().unwrap_or_default();
            draft.stamps.applied.tags = own.into_keys().collect();
        }
        // What AWS refuses of the tags does not keep the power from being right: then they come last.
        Some(step) if !failed(input, &step.call) => return draft.take(step),
        Some(_) => {}
    }
    match at_something(&facts.phase) {
        Some((why, text)) => draft.wait(why, text),
        None => by_power(draft),
    }
}

/// (wanted, seen), where AWS is at nothing: every case.
fn by_power(draft: Draft<'_, '_>) -> Plan<Kind> {
    let name = draft.there.facts.name.clone();
    match (draft.there.wanted.power, &draft.there.facts.phase) {
        (DesiredState::Running, Phase::Stopped) => {
            let news = News::done("Started", "Start", format!("started image builder {name}"));
            draft.send(BuilderCall::Start(name), Waiting::Starting, "starting the image builder", news)
        }
        (DesiredState::Stopped, Phase::Running) => {
            let news = News::done("Stopped", "Stop", format!("stopped image builder {name}: desiredState is Stopped"));
            draft.send(BuilderCall::Stop(name), Waiting::Stopping, "stopping the image builder", news)
        }
        (DesiredState::Running, Phase::Running) | (DesiredState::Stopped, Phase::Stopped) => {
            let text = format!("image builder {name} is {}", draft.there.facts.phase.as_str());
            let settings = &draft.there.wanted.object.spec.settings;
            let differs = diff::immutable(settings, draft.there.facts);
            let verdict = differs.map_or(Verdict::Ready(text), |text| Verdict::Stalled(Stall::ImmutableDiffers, text));
            let news = report::news(draft.there.input, "Reconcile", &verdict);
            draft.finish(Next::Settled(None), verdict, news)
        }
        (DesiredState::Running | DesiredState::Stopped, Phase::Failed) => {
            let wrong = shown::wrong(draft.there.facts);
            let text = format!("the image builder is FAILED: {wrong}; delete this object and create another");
            draft.end(Verdict::Stalled(Stall::ImageBuilderErrors, text))
        }
        (
            DesiredState::Running | DesiredState::Stopped,
            Phase::Pending
            | Phase::UpdatingAgent
            | Phase::Stopping
            | Phase::Rebooting
            | Phase::Snapshotting
            | Phase::Deleting
            | Phase::Updating
            | Phase::PendingQualification
            | Phase::PendingSyncingApps
            | Phase::SyncingApps
            | Phase::PendingImageImport
            | Phase::Unrecognised(_),
        ) => draft.wait(Waiting::Updating, "AWS is at work on the image builder"),
    }
}

/// What AWS is at, if it is at something: nothing is sent meanwhile.
fn at_something(phase: &Phase) -> Option<(Waiting, &'static str)> {
    match phase {
        Phase::Running | Phase::Stopped | Phase::Failed => None,
        Phase::Pending => Some((Waiting::Starting, "AWS is starting the image builder")),
        Phase::Rebooting => Some((Waiting::Starting, "AWS is rebooting the image builder")),
        Phase::Stopping => Some((Waiting::Stopping, "AWS is stopping the image builder")),
        Phase::Deleting => Some((Waiting::Deleting, "AWS is deleting the image builder")),
        Phase::Snapshotting => Some((Waiting::Updating, "the image builder is making an image")),
        Phase::UpdatingAgent => Some((Waiting::Updating, "AWS is updating the agent of the image builder")),
        Phase::Updating => Some((Waiting::Updating, "AWS is updating the image builder")),
        Phase::PendingQualification => Some((Waiting::Updating, "AWS is checking the licences of the image builder")),
        Phase::PendingSyncingApps | Phase::SyncingApps => {
            Some((Waiting::Updating, "AWS is changing the software of the image builder"))
        }
        Phase::PendingImageImport => Some((Waiting::Updating, "AWS is importing the image of the image builder")),
        Phase::Unrecognised(_) => {
            Some((Waiting::UnknownState, "AWS reports a state of the image builder that this version does not know"))
        }
    }
}

/// Decides for an image builder of ours that is to go: off first, as AWS's guide has it, then deleted.
pub fn leave(going: &Going<'_, Kind>) -> Plan<Kind> {
    let Some(facts) = going.facts() else { return look(going.input, [BuilderLook::Tags].into()) };
    let name = facts.name.clone();
    match &facts.phase {
        Phase::Stopped | Phase::Failed => {
            let news = News::done("Deleting", "Delete", format!("deleted image builder {name}"));
            going.send(BuilderCall::Delete(name), "deleting the image builder", Some(news))
        }
        Phase::Running => {
            let news = News::done("Stopped", "Stop", format!("stopped image builder {name} to delete it"));
            going.send(BuilderCall::Stop(name), "stopping the image builder", Some(news))
        }
        Phase::Snapshotting => {
            let text = "the image builder is making an image: it is deleted after that";
            going.wait(Waiting::Deleting, text, AWHILE)
        }
        Phase::Unrecognised(word) => {
            going.wait(Waiting::UnknownState, &format!("AWS reports the state {word}"), AWHILE)
        }
        Phase::Pending
        | Phase::UpdatingAgent
        | Phase::Stopping
        | Phase::Rebooting
        | Phase::Deleting
        | Phase::Updating
        | Phase::PendingQualification
        | Phase::PendingSyncingApps
        | Phase::SyncingApps
        | Phase::PendingImageImport => {
            let text = at_something(&facts.phase).map_or("AWS is at work on the image builder", |(_, text)| text);
            going.wait(Waiting::Deleting, text, Duration::from_secs(5))
        }
    }
}

/// `managementPolicy: Observe`: differences are shown, nothing is written.
pub fn observe(there: &There<'_, '_, Kind>) -> Plan<Kind> {
    let (facts, earlier) = (there.facts, shown::earlier(there.input.object));
    let mut draft = Draft::new(there);
    draft.stamps = earlier.internal.clone();
    draft.waits = Some(OBSERVED);
    draft.step = life::observed_tags(there, &draft.stamps.applied.tags);
    draft.differences = diff::differences(&there.wanted.object.spec.settings, facts);
    let text = format!("image builder {} is {}", facts.name, facts.phase.as_str());
    let verdict = match (there.wanted.power, &facts.phase) {
        (DesiredState::Running, Phase::Running) | (DesiredState::Stopped, Phase::Stopped) => Verdict::Ready(text),
        (DesiredState::Running | DesiredState::Stopped, _) => Verdict::Working(Waiting::DependencyNotReady, text),
    };
    let plan = draft.finish(Next::Settled(None), verdict, Vec::new());
    let status = crate::api::ImageBuilderStatus { arn: earlier.arn.clone(), ..plan.status };
    Plan { status, ..plan }
}

/// The pass over an image builder that is there, while everything is worked out.
struct Draft<'a, 'o> {
    there: &'a There<'a, 'o, Kind>,
    stamps: crate::api::image_builder::BuilderInternal,
    step: Option<Step<BuilderCall>>,
    differences: Vec<diff::Difference>,
    waits: Option<&'static str>,
}

impl<'a, 'o> Draft<'a, 'o> {
    fn new(there: &'a There<'a, 'o, Kind>) -> Self {
        let mut stamps = shown::earlier(there.input.object).internal.clone();
        stamps.intent = None;
        Self { there, stamps, step: None, differences: Vec::new(), waits: None }
    }

    /// A write beside the machine itself.
    fn take(self, step: Step<BuilderCall>) -> Plan<Kind> {
        let note = format!("changed {} of image builder {}", step.field, self.there.facts.name);
        self.send(step.call, Waiting::Updating, step.text, News::done("Updated", "Update", note))
    }

    /// Tags are read anew, in this pass, before anything is written.
    fn send(self, call: BuilderCall, why: Waiting, text: &str, news: News) -> Plan<Kind> {
        if self.there.tagged.began < self.there.input.now {
            return look(self.there.input, [BuilderLook::Tags].into());
        }
        let shown = trouble_with(self.there.input, &call);
        let verdict = shown.unwrap_or_else(|| Verdict::Working(why, text.to_owned()));
        self.finish(Next::Send(call), verdict, vec![news])
    }

    /// AWS is working: look again often at first, then less. A start takes AWS 5 to 10 minutes, an image 20 and more.
    fn wait(self, why: Waiting, text: &str) -> Plan<Kind> {
        let facts = self.there.facts;
        let age = self.age();
        let again = (age / 4).clamp(Duration::from_secs(1), Duration::from_secs(15));
        let verdict = match (facts.errors.is_empty(), age >= TEN_MINUTES) {
            (true, _) => Verdict::Working(why, text.to_owned()),
            (false, false) => Verdict::Working(Waiting::ImageBuilderErrors, reported(facts)),
            (false, true) => Verdict::Stalled(Stall::ImageBuilderErrors, reported(facts)),
        };
        let news = report::news(self.there.input, "Observe", &verdict);
        self.last(Next::Wait(again), verdict, news)
    }

    fn end(self, verdict: Verdict) -> Plan<Kind> {
        let news = report::news(self.there.input, "Observe", &verdict);
        self.last(Next::Wait(AWHILE), verdict, news)
    }

    /// Nothing else is to be sent: the write of tags that failed is tried again.
    fn last(self, next: Next<Kind>, verdict: Verdict, news: Vec<News>) -> Plan<Kind> {
        match self.step.clone() {
            Some(step) => self.take(step),
            None => self.finish(next, verdict, news),
        }
    }

    /// How long AWS has been reporting the present state and errors.
    fn age(&self) -> Duration {
        let input = self.there.input;
        let earlier = input.object.status.as_ref();
        let since = earlier.filter(|s| shown::same_answer(s, self.there.facts)).and_then(|s| s.internal.state_since);
        since.map_or(Duration::ZERO, |at| elapsed(at, input.now))
    }

    fn finish(self, next: Next<Kind>, verdict: Verdict, news: Vec<News>) -> Plan<Kind> {
        let There { input, wanted, facts, .. } = *self.there;
        if let (Next::Settled(_), Some(step), None) = (&next, self.step.clone(), self.waits) {
            return self.take(step);
        }
        let waits = || self.waits.map(str::to_owned);
        let refused = |d: &diff::Difference| report::pending(input, d.field, &d.from, &d.to, Impact::Refused, waits());
        let mut changes: Vec<_> = self.differences.iter().map(refused).collect();
        let power = match (wanted.power, &facts.phase) {
            (DesiredState::Running, Phase::Running) | (DesiredState::Stopped, Phase::Stopped) => None,
            (DesiredState::Running, _) => Some("Running"),
            (DesiredState::Stopped, _) => Some("Stopped"),
        };
        if let Some(to) = power {
            changes.push(report::pending(input, "desiredState", facts.phase.as_str(), to, Impact::None, waits()));
        }
        if let Some(step) = &self.step {
            changes.push(report::pending(input, step.field, &step.from, &step.to, Impact::None, waits()));
        }
        let report = Report {
            shown: Shown { power: Some(wanted.power) },
            changes,
            stamps: self.stamps,
            arn: Some(facts.arn.clone()),
            ..Report::new(input, Known::There(facts), verdict)
        };
        Plan { next, status: report.status(), news }
    }
}

fn reported(facts: &BuilderFacts) -> String {
    format!("AWS reports {}", shown::wrong(facts))
}
