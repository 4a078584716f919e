//! A stack that is there: its settings, its fleet, and its end.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::ResourceExt;

use crate::api::AwsName;
use crate::api::common::{Impact, PendingChange};
use crate::api::fleet::{Rejected, SessionsStatus};
use crate::api::stack::{StackInternal, StackSettings};
use crate::plan::conditions::bounded;
use crate::plan::fleet::FleetKind;
use crate::plan::leave::{DELETION, Going, way_out};
use crate::plan::life::{self, AWHILE, Facts, There, look, stalled, wanted_tags};
use crate::plan::looked::Looked;
use crate::plan::ownership;
use crate::plan::reason::{Stall, Verdict, Waiting};
use crate::plan::report::{self, Known, OBSERVED, Report, WORDS, asked_again, digest, elapsed, failed, trouble_with};
use crate::plan::{Class, Input, News, Next, Plan, tags, unshown};

use super::cut::{self, Gate};
use super::diff::{self, Difference, Lately};
use super::report::{self as shown, Shown};
use super::state::{Joined, NamedFleet, StackFacts, StackLook, StackState};
use super::wanted::{self, Cuts, Target};
use super::{StackCall, StackKind, StackPatch};

/// How long the fleets of a stack are taken to be what they were, moved by up to a quarter per object so that many do not
/// ask at once: nobody can stream by a stack that somebody took out of its fleet.
const FLEETS_LAST: Duration = Duration::from_secs(60);
/// What each stack of the Region adds to that: the look costs a request for each, and two a second are few.
const FOR_EACH: Duration = Duration::from_millis(500);

/// Decides for a stack that is ours.
pub fn keep(there: &There<'_, '_, StackKind>) -> Plan<StackKind> {
    let There { input, wanted, scope, facts, tagged, .. } = *there;
    let mut draft = Draft::new(there);
    let applied = &draft.stamps.applied.tags;
    let all = wanted_tags::<StackKind>(scope, input.object);
    match tags::step(input, facts, &all, tagged, applied) {
        None => {
            let own = wanted.object.spec.common.tags.clone().unwrap_or_default();
            draft.stamps.applied.tags = own.into_keys().collect();
        }
        Some(step) => {
            let note = format!("changed tags of stack {}", facts.name());
            draft.step = Some((step.from, step.to));
            let write = Write { call: step.call, text: step.text.to_owned(), note };
            match failed(input, &write.call) {
                false => return draft.send(write),
                // What AWS refuses of it does not keep back what else is to be done: it comes last.
                true => draft.last = Some(write),
            }
        }
    }
    if let Some(write) = draft.update() {
        match failed(input, &write.call) {
            false => return draft.send(write),
            true => draft.last = draft.last.or(Some(write)),
        }
    }
    associate(draft)
}

/// (wanted, seen): the association, every case.
fn associate(mut draft: Draft<'_, '_>) -> Plan<StackKind> {
    let There { input, state, .. } = *draft.there;
    let mine = draft.stamps.applied.fleet.clone();
    if let (Target::NotCompared, None) = (&draft.target, &mine) {
        return draft.rest();
    }
    let joined = match &state.joined {
        None => return draft.look([StackLook::Fleets].into()),
        Some(Looked::Refused(refusal)) => return draft.end(refusal.verdict(input.now), Next::Wait(AWHILE)),
        Some(Looked::Found(joined)) if old(joined, state, input) => return draft.look([StackLook::Fleets].into()),
        Some(Looked::Found(joined)) => &joined.fleets,
    };
    let waits = |text: &str| Verdict::Working(Waiting::DependencyNotReady, text.to_owned());
    match draft.target.clone() {
        Target::NotCompared => match mine.filter(|fleet| joined.contains(fleet) || joins(input, state, fleet)) {
            Some(fleet) => draft.cut(fleet),
            None => {
                draft.stamps.applied.fleet = None;
                draft.rest()
            }
        },
        // What users stream from now stays until the other fleet is there; its coming wakes this object.
        Target::NotYet(text) => draft.end(waits(&text), Next::Settled(None)),
        Target::Leaving(_, text) => draft.end(waits(&text), Next::Settled(None)),
        Target::Wrong(text) => draft.end(Verdict::Stalled(Stall::InvalidSpec, text), Next::Settled(None)),
        Target::Fleet { name, vouched, up } => {
            let other = joined.iter().find(|fleet| **fleet != name).cloned();
            match (joined.contains(&name), other) {
                (true, None) => {
                    draft.stamps.applied.fleet = Some(name);
                    draft.stamps.refused_fleet = None;
                    draft.rest()
                }
                (true, Some(other)) => draft.cut(other),
                // Nothing is cut for a fleet that cannot be joined.
                (false, other) => match (draft.joinable(&name, vouched), other) {
                    (Joinable::Look, _) => draft.look([StackLook::Fleets, StackLook::NamedFleet].into()),
                    (Joinable::Not(verdict), _) => {
                        draft.waits = Some(verdict.message().to_owned());
                        draft.end(verdict, Next::Wait(AWHILE))
                    }
                    // Its users stay where they are until the other fleet can take them; its getting there wakes this object.
                    (Joinable::Yes, Some(other)) if !up => {
                        let text =
                            format!("fleet {name} cannot be used yet: the stack stays with fleet {other} until it can");
                        draft.waits = Some(text.clone());
                        draft.end(waits(&text), Next::Settled(None))
                    }
                    (Joinable::Yes, Some(other)) => match draft.refusal_of(&name) {
                        // Nobody is taken off a fleet for one that AWS does not let the stack into.
                        Some(text) => {
                            let text = format!("{text}; it stays in fleet {other} until the spec names another fleet");
                            draft.waits = Some(text.clone());
                            draft.end(Verdict::Stalled(Stall::Rejected, text), Next::Wait(AWHILE))
                        }
                        None => draft.cut(other),
                    },
                    // Its users have a fleet again as soon as may be: the one that it came from.
                    (Joinable::Yes, None) => match mine.filter(|_| draft.refusal_of(&name).is_some()) {
                        Some(old) if !draft.fails_into(&old) => draft.join(old),
                        Some(_) | None => draft.join(name),
                    },
                },
            }
        }
    }
}

/// Whether AWS has put the stack into that fleet a moment ago, and may not show it yet.
fn joins(input: &Input<'_, StackKind>, state: &StackState, into: &AwsName) -> bool {
    let began = match &state.joined {
        Some(Looked::Found(joined)) => joined.began,
        Some(Looked::Refused(_)) | None => state.began,
    };
    let last = unshown::lately(input, began)
        .find(|call| matches!(call, StackCall::Associate { .. } | StackCall::Disassociate { .. }));
    matches!(last, Some(StackCall::Associate { fleet, .. }) if fleet == into)
}

/// `managementPolicy: Observe`: differences are shown, nothing is written.
pub fn observe(there: &There<'_, '_, StackKind>) -> Plan<StackKind> {
    let There { input, state, facts, .. } = *there;
    let earlier = shown::earlier(input.object);
    let mut draft = Draft::new(there);
    draft.stamps = StackInternal { rejected: None, ..earlier.internal.clone() };
    draft.waits = Some(OBSERVED.to_owned());
    draft.step = life::observed_tags(there, &draft.stamps.applied.tags).map(|step| (step.from, step.to));
    let unknown = match &state.joined {
        None => true,
        Some(Looked::Found(joined)) => old(joined, state, input),
        Some(Looked::Refused(_)) => false,
    };
    if unknown && draft.target != Target::NotCompared {
        return draft.look([StackLook::Fleets].into());
    }
    let verdict = match &state.joined {
        Some(Looked::Refused(refusal)) if draft.target != Target::NotCompared => refusal.verdict(input.now),
        Some(Looked::Found(_) | Looked::Refused(_)) | None => Verdict::Ready(format!("stack {} is there", facts.name)),
    };
    let plan = draft.finish(again(&verdict), verdict, Vec::new());
    let status = crate::api::StackStatus { arn: earlier.arn.clone(), ..plan.status };
    Plan { status, ..plan }
}

/// When to look again where nothing is sent: what is Ready rests until the next event.
fn again(verdict: &Verdict) -> Next<StackKind> {
    match verdict {
        Verdict::Ready(_) => Next::Settled(None),
        Verdict::Working(..) | Verdict::Stalled(..) => Next::Wait(AWHILE),
    }
}

/// Decides for a stack of ours that is to go: out of its fleet by the rules of `disruption`, then deleted.
pub fn leave(going: &Going<'_, StackKind>) -> Plan<StackKind> {
    let (input, state) = (going.input, going.state);
    let looks = || look(input, [StackLook::Tags, StackLook::Fleets].into());
    let (Some(facts), Some(joined)) = (going.facts(), &state.joined) else { return looks() };
    let joined = match joined {
        Looked::Refused(refusal) => {
            return going.held(refusal.verdict(input.now), AWHILE);
        }
        Looked::Found(joined) if joined.began < input.now => return looks(),
        Looked::Found(joined) => joined,
    };
    let Some(fleet) = joined.fleets.first() else {
        let news = News::done("Deleting", "Delete", format!("deleted stack {}", facts.name));
        return going.send(StackCall::Delete(facts.name.clone()), "deleting the stack", Some(news));
    };
    let cuts = match Cuts::read(input.object.spec.disruption.as_ref(), input.now) {
        Ok(cuts) => cuts,
        Err(text) => {
            let text = format!("{text}{}", way_out::<StackKind>());
            return stalled(input, Shown::default(), Known::There(facts), Stall::InvalidSpec, text);
        }
    };
    let since = report::since(input, DELETION, "Deleted", false);
    match cut::gate(&cuts, state, input, since) {
        Gate::Look => look(input, [StackLook::Tags, StackLook::Fleets, StackLook::Sessions].into()),
        Gate::Open => {
            let note = format!("took stack {} out of fleet {fleet} to delete it", facts.name);
            let call = StackCall::Disassociate { stack: facts.name.clone(), fleet: fleet.clone() };
            let text = format!("taking the stack out of fleet {fleet}");
            going.send(call, &text, Some(News::done("Disassociated", "Disassociate", note)))
        }
        Gate::Held { verdict, sessions, again } => {
            let waits = Some(verdict.message().to_owned());
            let changes = vec![report::pending(input, DELETION, fleet.as_str(), "Deleted", Impact::None, waits)];
            let verdict =
                verdict.hinting(&format!(" before the stack is taken out of fleet {fleet}{}", way_out::<StackKind>()));
            let news = report::news(input, "Delete", &verdict);
            let shown = Shown { fleets: Some(joined.fleets.clone()), associated: Some(true), sessions };
            let report = Report { shown, changes, ..Report::new(input, Known::There(facts), verdict) };
            Plan { next: Next::Wait(again), status: report.status(), news }
        }
    }
}

/// Whether the fleets of a stack must be looked at anew.
fn old(joined: &Joined, state: &StackState, input: &Input<'_, StackKind>) -> bool {
    if joined.began >= input.now {
        return false;
    }
    let spread: u32 = input.object.uid().unwrap_or_default().bytes().map(u32::from).sum();
    let longest = FLEETS_LAST.max(FOR_EACH.saturating_mul(state.in_region));
    let life = longest - longest * (spread % 100) / 400;
    let handled = shown::earlier(input.object).last_handled_reconcile_at.as_ref();
    asked_again::<StackKind>(input.object, handled) || elapsed(joined.began, input.now) >= life
}

/// Whether a fleet may be joined.
enum Joinable {
    Yes,
    Look,
    Not(Verdict),
}

/// One write, and how it is told.
#[derive(Debug, Clone, PartialEq)]
struct Write {
    call: StackCall,
    /// What is being done.
    text: String,
    /// What was done.
    note: String,
}

/// The pass over a stack that is there, while everything is worked out.
struct Draft<'a, 'o> {
    there: &'a There<'a, 'o, StackKind>,
    facts: &'a StackFacts,
    state: &'a StackState,
    target: Target,
    differences: Vec<Difference>,
    lately: Lately,
    stamps: StackInternal,
    /// The tags that differ: from and to.
    step: Option<(String, String)>,
    /// A write that has just failed: tried again when nothing else is to be sent.
    last: Option<Write>,
    /// What the changes wait for.
    waits: Option<String>,
    sessions: Option<SessionsStatus>,
}

impl<'a, 'o> Draft<'a, 'o> {
    fn new(there: &'a There<'a, 'o, StackKind>) -> Self {
        let There { input, wanted, scope, state, facts, .. } = *there;
        let mut stamps = shown::earlier(input.object).internal.clone();
        stamps.intent = None;
        let lately = Lately::of(input, state.began);
        let differences = diff::differences(wanted.settings(), &facts.settings, &stamps.applied.fields, &lately);
        stamps.applied.fields = diff::applied(wanted.settings(), &facts.settings, &stamps.applied.fields, &lately);
        let target = wanted::target(input.object, scope, input.beside);
        let mut draft = Self {
            there,
            facts,
            state,
            target,
            differences,
            lately,
            stamps,
            step: None,
            last: None,
            waits: None,
            sessions: None,
        };
        draft.remember_refusal();
        draft.remember_refused_fleet();
        draft
    }

    /// A fleet that AWS does not let the stack into is remembered where there is another one to go back to, so that users are
    /// not taken off that again. Another fleet in the spec or a request to look again ends that.
    fn remember_refused_fleet(&mut self) {
        let input = self.there.input;
        let handled = shown::earlier(input.object).last_handled_reconcile_at.as_ref();
        let Target::Fleet { name, .. } = &self.target else {
            self.stamps.refused_fleet = None;
            return;
        };
        let kept = |r: &Rejected| r.change == name.as_str() && !asked_again::<StackKind>(input.object, handled);
        self.stamps.refused_fleet = self.stamps.refused_fleet.take().filter(kept);
        let came_from = self.stamps.applied.fleet.as_ref().filter(|old| *old != name);
        let (Some(failure), Some(_), None) = (input.failure, came_from, &self.stamps.refused_fleet) else { return };
        let joins = matches!(&failure.call, Some(StackCall::Associate { fleet, .. }) if fleet == name);
        let generation = report::generation(input.object);
        if joins && failure.generation == generation && report::hopeless(failure, report::AT_WORK) {
            self.stamps.refused_fleet = Some(Rejected {
                generation,
                code: bounded(&failure.code, 256),
                message: bounded(&failure.message, WORDS),
                change: name.to_string(),
            });
        }
    }

    /// Why AWS does not let the stack into this fleet, if that is remembered.
    fn refusal_of(&self, fleet: &AwsName) -> Option<String> {
        let refusal = self.stamps.refused_fleet.as_ref()?;
        Some(format!("AWS refused to put the stack into fleet {fleet}: {}: {}", refusal.code, refusal.message))
    }

    fn fails_into(&self, fleet: &AwsName) -> bool {
        let (stack, fleet) = (self.facts.name.clone(), fleet.clone());
        failed(self.there.input, &StackCall::Associate { stack, fleet })
    }

    /// A refused update is remembered for its generation, so that the rest goes on without it. Another change in a new
    /// generation, a request to look again, or nothing being left of it ends that.
    fn remember_refusal(&mut self) {
        let input = self.there.input;
        let generation = report::generation(input.object);
        let handled = shown::earlier(input.object).last_handled_reconcile_at.as_ref();
        let kept = !self.differences.is_empty() && !asked_again::<StackKind>(input.object, handled);
        let settings = self.there.wanted.settings();
        let whole = |d: &Difference| format!("{}={}", d.field.path(), d.field.value(settings).unwrap_or_default());
        let asked: Vec<String> = self.differences.iter().map(whole).collect();
        let change = digest(&asked.join(";"));
        let same = |r: &Rejected| r.generation == generation || r.change == change;
        self.stamps.rejected = self.stamps.rejected.take().filter(|r| same(r) && kept);
        let refused = input.failure.filter(|f| {
            let update = matches!(f.call, Some(StackCall::Update(_)));
            update && f.class == Class::Rejected && f.generation == generation && !self.differences.is_empty()
        });
        if let (Some(failure), None) = (refused, &self.stamps.rejected) {
            self.stamps.rejected = Some(Rejected {
                generation,
                code: bounded(&failure.code, 256),
                message: bounded(&failure.message, WORDS),
                change,
            });
        }
    }

    /// The update that is to be sent, if there is one.
    fn update(&self) -> Option<Write> {
        if self.differences.is_empty() || self.stamps.rejected.is_some() {
            return None;
        }
        let mut patch = StackPatch { name: self.facts.name.clone(), set: Default::default(), clear: BTreeSet::new() };
        for change in &self.differences {
            match (change.clear, change.field.clearing()) {
                (true, Some(attribute)) => {
                    patch.clear.insert(attribute);
                }
                (true, None) => {}
                (false, _) => {
                    // What was cleared a moment ago completes nothing, though the read may still show it.
                    let none = StackSettings::default();
                    let seen = if self.lately.cleared(change.field) { &none } else { &self.facts.settings };
                    change.field.copy(self.there.wanted.settings(), seen, &mut patch.set);
                }
            }
        }
        let fields: Vec<&str> = self.differences.iter().map(|d| d.field.path()).collect();
        let note = format!("updated {} of stack {}", fields.join(", "), self.facts.name);
        Some(Write { call: StackCall::Update(Box::new(patch)), text: "changing the stack".into(), note })
    }

    /// Whether the wanted fleet may be joined: one that a Fleet object vouches for, one with the tags of a Fleet of this
    /// namespace, or any, where an Account allows it.
    fn joinable(&self, name: &AwsName, vouched: bool) -> Joinable {
        let scope = self.there.scope;
        match (vouched, &self.state.named_fleet) {
            (true, _) => Joinable::Yes,
            (false, None) => Joinable::Look,
            (false, Some(Looked::Refused(refusal))) => Joinable::Not(refusal.verdict(self.there.input.now)),
            (false, Some(Looked::Found(None))) => {
                let text = format!("fleetName: there is no fleet {name}");
                Joinable::Not(Verdict::Working(Waiting::DependencyNotReady, text))
            }
            (false, Some(Looked::Found(Some(NamedFleet { tags, .. })))) => {
                let claim = ownership::claim::<FleetKind>(scope, &tags.tags);
                let own = claim.is_some_and(|c| Some(c.namespace) == self.there.input.object.namespace());
                match own || scope.allow.foreign_fleets {
                    true => Joinable::Yes,
                    false => Joinable::Not(Verdict::Stalled(
                        Stall::NotAllowed,
                        format!(
                            "fleetName: fleet {name} is no Fleet object's of this namespace, and no Account allows this namespace to join such a fleet"
                        ),
                    )),
                }
            }
        }
    }

    fn join(self, fleet: AwsName) -> Plan<StackKind> {
        let stack = self.facts.name.clone();
        let note = format!("associated stack {stack} with fleet {fleet}");
        let text = format!("associating the stack with fleet {fleet}");
        self.send(Write { call: StackCall::Associate { stack, fleet }, text, note })
    }

    /// Takes the stack out of a fleet if [`cut::gate`] lets it.
    fn cut(mut self, fleet: AwsName) -> Plan<StackKind> {
        let input = self.there.input;
        let since = report::since(input, wanted::fleet_path(input.object), &self.to(), false);
        match cut::gate(&self.there.wanted.cuts, self.state, input, since) {
            Gate::Look => self.look([StackLook::Fleets, StackLook::Sessions, StackLook::Tags].into()),
            Gate::Open => {
                let stack = self.facts.name.clone();
                let note = format!("took stack {stack} out of fleet {fleet}");
                let text = format!("taking the stack out of fleet {fleet}");
                self.send(Write { call: StackCall::Disassociate { stack, fleet }, text, note })
            }
            Gate::Held { verdict, sessions, again } => {
                self.waits = Some(verdict.message().to_owned());
                self.sessions = sessions;
                let verdict = verdict.hinting(&format!(" before the stack is taken out of fleet {fleet}"));
                self.end(verdict, Next::Wait(again))
            }
        }
    }

    /// The fleet that is wanted, as `pendingChanges` shows it; empty for none.
    fn to(&self) -> String {
        match &self.target {
            Target::NotCompared => String::new(),
            Target::Fleet { name, .. } | Target::Leaving(name, _) => name.to_string(),
            Target::NotYet(_) | Target::Wrong(_) => {
                wanted::neighbour(self.there.input.object).map(|n| n.name).unwrap_or_default()
            }
        }
    }

    /// Nothing to send: say where things stand.
    fn rest(self) -> Plan<StackKind> {
        let verdict = match &self.stamps.rejected {
            Some(refusal) => {
                let text = format!("AWS refused the update: {}: {}", refusal.code, refusal.message);
                Verdict::Stalled(Stall::Rejected, text)
            }
            None => Verdict::Ready(self.ready()),
        };
        let next = again(&verdict);
        self.end(verdict, next)
    }

    fn ready(&self) -> String {
        let name = &self.facts.name;
        let wrong = shown::wrong(self.facts);
        let errors = if wrong.is_empty() { wrong } else { format!("; AWS reports {wrong}") };
        match &self.target {
            Target::Fleet { name: fleet, .. } => format!("stack {name} is associated with fleet {fleet}{errors}"),
            Target::NotCompared | Target::NotYet(_) | Target::Leaving(..) | Target::Wrong(_) => {
                format!("stack {name} is there{errors}")
            }
        }
    }

    /// Nothing else is to be sent: what has failed is tried again.
    fn end(mut self, verdict: Verdict, next: Next<StackKind>) -> Plan<StackKind> {
        if let Some(write) = self.last.take() {
            return self.send(write);
        }
        let news = report::news(self.there.input, "Update", &verdict);
        self.finish(next, verdict, news)
    }

    /// Tags, and the fleets for what is about them, are read anew, in this pass, before anything is written.
    fn send(self, write: Write) -> Plan<StackKind> {
        let Write { call, text, note } = write;
        let There { input, tagged, .. } = *self.there;
        let (about_fleets, reason, action) = match &call {
            StackCall::Associate { .. } => (true, "Associated", "Associate"),
            StackCall::Disassociate { .. } => (true, "Disassociated", "Disassociate"),
            StackCall::Update(_)
            | StackCall::Create(_)
            | StackCall::Delete(_)
            | StackCall::Tag { .. }
            | StackCall::Untag { .. } => (false, "Updated", "Update"),
        };
        let mut looks = BTreeSet::new();
        if tagged.began < input.now {
            looks.insert(StackLook::Tags);
        }
        if about_fleets && self.joined().is_none_or(|joined| joined.began < input.now) {
            looks.extend([StackLook::Fleets, StackLook::Tags]);
        }
        if !looks.is_empty() {
            return self.look(looks);
        }
        // Of two fleets that are tried in turn either may have failed last.
        let in_turn = input.failure.filter(|f| {
            let joins = |call: &StackCall| matches!(call, StackCall::Associate { .. });
            self.stamps.refused_fleet.is_some() && joins(&call) && f.call.as_ref().is_some_and(joins)
        });
        let in_turn = in_turn.filter(|f| report::of_now(f, input)).and_then(|f| report::trouble(f, input.now));
        let shown = trouble_with(input, &call).or(in_turn);
        let verdict = shown.unwrap_or(Verdict::Working(Waiting::Updating, text));
        self.finish(Next::Send(call), verdict, vec![News::done(reason, action, note)])
    }

    /// Looks are added up: what was looked at for this pass is looked at again with it.
    fn look(self, mut looks: BTreeSet<StackLook>) -> Plan<StackKind> {
        let There { input, tagged, .. } = *self.there;
        let had = [
            (StackLook::Tags, tagged.began >= input.now),
            (StackLook::Fleets, self.joined().is_some_and(|joined| joined.began >= input.now)),
            (StackLook::Sessions, self.state.sessions.is_some()),
            (StackLook::NamedFleet, self.state.named_fleet.is_some()),
        ];
        looks.extend(had.into_iter().filter(|(_, had)| *had).map(|(look, _)| look));
        look(input, looks)
    }

    fn joined(&self) -> Option<&'a Joined> {
        match &self.state.joined {
            Some(Looked::Found(joined)) => Some(joined),
            Some(Looked::Refused(_)) | None => None,
        }
    }

    fn finish(self, next: Next<StackKind>, verdict: Verdict, news: Vec<News>) -> Plan<StackKind> {
        let input = self.there.input;
        let fleets = self.joined().map(|joined| &joined.fleets);
        let associated = match (&self.target, fleets) {
            (Target::NotCompared, _) => Some(true),
            // Whichever it is, users have a fleet to stream from.
            (_, Some(fleets)) => Some(!fleets.is_empty()),
            (_, None) => None,
        };
        let changes = self.changes();
        let report = Report {
            shown: Shown { fleets: fleets.cloned(), associated, sessions: self.sessions },
            changes,
            stamps: self.stamps,
            arn: Some(self.facts.arn.clone()),
            ..Report::new(input, Known::There(self.facts), verdict)
        };
        Plan { next, status: report.status(), news }
    }

    /// The plan, in the object.
    fn changes(&self) -> Vec<PendingChange> {
        let input = self.there.input;
        let observed = self.waits.clone().filter(|wait| wait == OBSERVED);
        let impact = if self.stamps.rejected.is_some() { Impact::Refused } else { Impact::None };
        let differs = |d: &Difference| report::pending(input, d.field.path(), &d.from, &d.to, impact, observed.clone());
        let mut all: Vec<PendingChange> = self.differences.iter().map(differs).collect();
        if let Some((from, to)) = &self.step {
            all.push(report::pending(input, "tags", from, to, Impact::None, observed));
        }
        if let Some(fleets) = self.joined().map(|joined| &joined.fleets) {
            let (wrong, waits) = match &self.target {
                Target::NotCompared => {
                    (self.stamps.applied.fleet.as_ref().is_some_and(|fleet| fleets.contains(fleet)), None)
                }
                Target::Fleet { name, .. } => (*fleets != BTreeSet::from([name.clone()]), None),
                Target::Leaving(name, text) => (!fleets.contains(name), Some(text.clone())),
                Target::NotYet(text) | Target::Wrong(text) => (true, Some(text.clone())),
            };
            if wrong {
                let waits = self.waits.clone().or(waits);
                let field = wanted::fleet_path(input.object);
                all.push(report::pending(input, field, &shown::names(fleets), &self.to(), Impact::None, waits));
            }
        }
        all
    }
}
