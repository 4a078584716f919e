//! One decision: from the time, the Secret, the Account and the target to at most one write to the Secret.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use kube::{Resource, ResourceExt};

use super::contents::{Contents, contents};
use super::judge::{self, until};
use super::report::{refusal, taken};
use super::standing::{self, Standing};
use super::state::{AccessSeen, GrantLook, GrantState, Missing, TargetFacts, TargetSeen};
use super::term::{self, Term};
use super::{GrantKind, earlier};
use crate::api::access_grant::{AccessGrantStatus, EndReason, GrantInternal, TargetStamp};
use crate::api::{Arn, PAUSED};
use crate::plan::conditions::{self, bounded, to_the_second};
use crate::plan::reason::{Stall, Verdict, Waiting};
use crate::plan::report::{self, WORDS, asked_again, elapsed, generation, trouble};
use crate::plan::secret::{SecretBody, SecretFacts, SecretKind, SecretRefusal, SecretSeen, SecretVerb, SecretWrite};
use crate::plan::{Face, Input, KeyFound, Kind, News, Next, Plan, Scope, Seen};

/// How soon to look again where the watch will tell anyhow, or the engine has the real wait.
const SOON: Duration = Duration::from_secs(1);
/// How long to wait for a machine to start, get an address, or show its host keys: each look may cost a call.
const AWHILE: Duration = Duration::from_secs(15);
/// How long to wait for what a person makes.
const LONG: Duration = Duration::from_secs(30);
/// How long AWS is left alone after it refused the access call as it is, or the API server the Secret. Not where the name is
/// taken: that is looked at before AWS is asked for anything.
const REFUSED: Duration = Duration::from_secs(300);
/// The same where a RoleBinding mends it, which nothing tells us of.
const DENIED: Duration = Duration::from_secs(60);
/// How often a machine is looked at that no object stands for any more.
const LOST: Duration = Duration::from_secs(60);
/// How far apart credentials are asked for that were spoilt.
const APART: Duration = Duration::from_secs(5);
/// How far apart AWS must say twice that a machine is not there.
const TWICE: Duration = Duration::from_secs(10);

/// A pass.
pub(super) struct Pass<'a> {
    pub(super) input: &'a Input<'a, GrantKind>,
    /// Its time; `None` when that cannot be read.
    pub(super) term: Option<Term>,
    /// The Secret's name.
    pub(super) secret: String,
    /// What is remembered, as this pass leaves it.
    pub(super) internal: GrantInternal,
    /// The ARN to show.
    pub(super) arn: Option<Arn>,
}

/// Where in its life a grant is.
enum Phase {
    Unreadable(String),
    Leaving,
    Over(EndReason),
    Paused,
    Early(Timestamp),
    Running(Timestamp),
}

/// The Secret of the grant's name for it.
enum Kept<'a> {
    Unknown,
    Denied(&'a str),
    Nothing,
    Another(&'a SecretFacts),
    Ours(&'a SecretFacts),
}

/// Decides.
pub fn plan(input: &Input<'_, GrantKind>) -> Plan<GrantKind> {
    let object = input.object;
    let term = Term::of(object);
    let status = earlier(object);
    let pass = Pass {
        input,
        term: term.as_ref().ok().copied(),
        secret: term::secret_name(object),
        internal: status.internal.clone(),
        arn: status.arn.clone(),
    };
    let kept = pass.kept();
    match (pass.phase(term), kept) {
        (Phase::Unreadable(text), Kept::Ours(facts)) => pass.revoke(facts, Stall::InvalidSpec, text),
        (Phase::Unreadable(text), Kept::Unknown | Kept::Denied(_) | Kept::Nothing | Kept::Another(_)) => {
            pass.stalled(Stall::InvalidSpec, text)
        }

        (Phase::Leaving, Kept::Ours(facts)) => pass.delete(facts, Verdict::Working(Waiting::Deleting, LEAVING.into())),
        (Phase::Leaving, Kept::Unknown) => pass.unseen(Waiting::Deleting),
        // Where the operator may not see the Secret, the garbage collector takes it away with its owner.
        (Phase::Leaving, Kept::Denied(_) | Kept::Nothing | Kept::Another(_)) => pass.release(),

        (Phase::Over(why), Kept::Ours(facts)) => pass.end(facts, why),
        (Phase::Over(_), Kept::Unknown) => pass.unseen(Waiting::Deleting),
        (Phase::Over(_), Kept::Denied(words)) if earlier(object).secret_name.is_some() => {
            let text = format!("the grant is over, and the operator may not delete its Secret: {words}");
            let plan = pass.stalled(Stall::SecretsNotPermitted, text);
            Plan { next: Next::Wait(LONG), ..plan }
        }
        (Phase::Over(why), Kept::Denied(_) | Kept::Nothing | Kept::Another(_)) => pass.ended(why),

        (Phase::Paused, _) => pass.paused(),

        (Phase::Early(_), Kept::Ours(facts)) => pass.delete(facts, Verdict::Working(Waiting::NotStarted, EARLY.into())),
        (Phase::Early(start), Kept::Unknown | Kept::Denied(_) | Kept::Nothing | Kept::Another(_)) => {
            let plan = pass.wait(Verdict::Working(Waiting::NotStarted, EARLY.into()), SOON);
            Plan { next: Next::Settled(Some(start)), ..plan }
        }

        (Phase::Running(_), Kept::Unknown) => pass.unseen(Waiting::Issuing),
        (Phase::Running(_), Kept::Denied(words)) => {
            let text = format!("the operator may not keep Secrets in this namespace: {words}");
            let plan = pass.stalled(Stall::SecretsNotPermitted, text);
            Plan { next: Next::Wait(LONG), ..plan }
        }
        // Nobody tells us when what has no label of ours goes.
        (Phase::Running(_), Kept::Another(facts)) if facts.of.is_empty() => {
            let plan = pass.stalled(Stall::SecretNotOwned, taken(&pass.secret));
            Plan { next: Next::Wait(LONG), ..plan }
        }
        (Phase::Running(_), Kept::Another(_)) => {
            let text = format!("Secret {} is another grant's: choose another secret.name", pass.secret);
            pass.stalled(Stall::SecretNotOwned, text)
        }
        (Phase::Running(end), Kept::Nothing) => pass.run(end, None),
        (Phase::Running(end), Kept::Ours(facts)) => pass.run(end, Some(facts)),
    }
}

const LEAVING: &str = "deleting the Secret";
const UNSEEN: &str = "the Secrets of the namespace are not known yet";
const EARLY: &str = "the grant has not begun: waiting for startsAt";

impl<'a> Pass<'a> {
    fn phase(&self, term: Result<Term, String>) -> Phase {
        let object = self.input.object;
        let paused = object.annotations().get(PAUSED).is_some_and(|value| value == "true");
        let leaving = object.meta().deletion_timestamp.is_some();
        let now = self.input.now;
        match (leaving, paused, self.internal.ended, term) {
            (true, false, _, _) => Phase::Leaving,
            // A pause holds everything but the end: nobody gets more time by it.
            (_, _, Some(why), _) => Phase::Over(why),
            (_, _, None, Ok(term)) if term.end <= now => Phase::Over(EndReason::Expired),
            (_, true, None, _) => Phase::Paused,
            (_, false, None, Err(text)) => Phase::Unreadable(text),
            // A creation has been, whatever the operator's clock says.
            (_, false, None, Ok(term)) if now < term.start && object.spec.starts_at.is_some() => {
                Phase::Early(term.start)
            }
            (_, false, None, Ok(term)) => Phase::Running(term.end),
        }
    }

    fn kept(&self) -> Kept<'a> {
        match &self.input.beside.secret {
            SecretSeen::Unknown => Kept::Unknown,
            SecretSeen::Denied(words) => Kept::Denied(words),
            SecretSeen::Absent => Kept::Nothing,
            SecretSeen::There(facts) if Some(&facts.of) == self.input.object.uid().as_ref() => Kept::Ours(facts),
            SecretSeen::There(facts) => Kept::Another(facts),
        }
    }

    /// The object that the target is the machine of; the outer `None`: the target is no object's.
    fn face(&self) -> Option<Option<&'a Face>> {
        let neighbour = GrantKind::rests_on(self.input.object).pop()?;
        Some(self.input.beside.objects.get(&neighbour).and_then(Option::as_ref))
    }

    /// Whether the object of the machine is not there for it any more, so that nobody tells when the machine goes.
    fn lost_its_object(&self) -> bool {
        let known = self.internal.target.as_ref().and_then(|target| target.id.as_deref());
        match self.face() {
            None => false,
            Some(None) => true,
            Some(Some(face)) => face.deleting || face.arn.as_ref().map(Arn::as_str) != known,
        }
    }

    fn standing(&self, facts: Option<&SecretFacts>) -> Standing {
        let id = self.internal.target.as_ref().and_then(|target| target.id.as_deref());
        let Some(facts) = facts else { return Standing::None };
        let interval = term::interval(self.input.object);
        standing::standing(facts, id, self.face().flatten(), interval, self.input.now)
    }

    /// It lasts, and its Secret is there or may be made.
    fn run(mut self, end: Timestamp, facts: Option<&SecretFacts>) -> Plan<GrantKind> {
        let input = self.input;
        if let Err(verdict) = self.resolve() {
            return self.hold(facts, end, verdict, LONG);
        }
        if self.internal.target != earlier(input.object).internal.target {
            // What is asked of AWS goes by the name in the status: first written, then asked for.
            return self.wait(Verdict::Working(Waiting::Issuing, ISSUING.into()), Duration::from_millis(10));
        }
        if let Some(scope) = input.scope {
            if let Err(text) = judge::may_ask(input.object, &scope.allow) {
                return self.refuse(facts, Stall::NotAllowed, text);
            }
            if let Some(text) = judge::moved(input.object, scope) {
                return self.refuse(facts, Stall::AccountMoved, text);
            }
        }
        let (scope, state) = match (input.seen, input.scope) {
            (Seen::NotLooked, _) => return self.look(BTreeSet::new()),
            (Seen::NotAllowed(text), _) => return self.refuse(facts, Stall::NotAllowed, text.clone()),
            (Seen::Unknown, _) | (Seen::Found(_), None) => {
                let quiet = || Verdict::Working(Waiting::AwsUnavailable, "AWS could not be read".into());
                let verdict = input.failure.and_then(|failure| trouble(failure, input.now)).unwrap_or_else(quiet);
                return self.hold(facts, end, verdict, SOON);
            }
            (Seen::Found(state), Some(scope)) => (scope, state),
        };
        match self.standing(facts) {
            Standing::Good(renew) if self.lost_its_object() => match &state.target {
                None => self.look([GrantLook::Target].into()),
                Some(TargetSeen::There(target))
                    if judge::still(input.object, self.internal.target.as_ref(), target) =>
                {
                    let soon = input.now.checked_add(LOST).unwrap_or(end);
                    self.ready(facts, renew.min(end).min(soon))
                }
                Some(TargetSeen::There(_) | TargetSeen::Absent(_) | TargetSeen::NoAccess(_)) => {
                    self.issue(scope, state, facts, end)
                }
            },
            Standing::Good(renew) => self.ready(facts, renew.min(end)),
            Standing::Broken(why) => match facts.map(|facts| standing::age(facts, input.now)) {
                // Whoever is at it again and again does not make us ask AWS each time.
                Some(age) if age < APART => {
                    let text = format!("{why}: writing it anew");
                    self.wait(Verdict::Working(Waiting::Issuing, text), APART.saturating_sub(age))
                }
                Some(_) | None => self.issue(scope, state, facts, end),
            },
            Standing::None | Standing::Due => self.issue(scope, state, facts, end),
        }
    }

    /// The name of the machine, where the spec names an object: remembered, since the object may go before the machine does.
    fn resolve(&mut self) -> Result<(), Verdict> {
        let Some(face) = self.face() else { return Ok(()) };
        let existed = self.internal.target.as_ref().is_some_and(|target| target.id.is_some());
        let wait = |text: &str| Err(Verdict::Working(Waiting::DependencyNotReady, text.to_owned()));
        match (existed, face) {
            // What it was for, and nothing else: AWS says whether that is still there.
            (true, _) => Ok(()),
            (false, None) => wait("there is no such Instance in this namespace"),
            (false, Some(face)) if face.deleting => wait("the Instance is being deleted"),
            (false, Some(face)) if face.arn.is_none() => wait("the Instance is not in AWS yet"),
            (false, Some(face)) => {
                let name = Some(face.aws_name.clone());
                self.internal.target = Some(TargetStamp { name, ..TargetStamp::default() });
                Ok(())
            }
        }
    }

    /// New credentials are needed.
    fn issue(
        mut self,
        scope: &Scope,
        state: &GrantState,
        facts: Option<&SecretFacts>,
        end: Timestamp,
    ) -> Plan<GrantKind> {
        let input = self.input;
        if let Some(plan) = self.after_failure(facts, end) {
            return plan;
        }
        let existed = self.internal.target.as_ref().is_some_and(|target| target.id.is_some());
        let Some(target) = &state.target else { return self.look([GrantLook::Target].into()) };
        let target = match target {
            TargetSeen::NoAccess(why) => return self.hold(facts, end, judge::no_access(*why), REFUSED),
            TargetSeen::Absent(what) if !existed => return self.hold(facts, end, judge::missing(*what), LONG),
            // It had existed: only the access call itself says that it is gone.
            TargetSeen::Absent(what) => Err(*what),
            TargetSeen::There(target) => Ok(&**target),
        };
        if let Ok(target) = target {
            let face = self.face().flatten();
            // The object of that name may by now be for another machine.
            let elsewhere = !existed && face.is_some_and(|face| face.arn.is_some() && face.arn != target.arn);
            if judge::is_another(self.internal.target.as_ref(), target) {
                return self.gone(facts);
            }
            if elsewhere {
                let text = "the Instance is not the machine that AWS shows under its name";
                return self.hold(facts, end, Verdict::Working(Waiting::DependencyNotReady, text.into()), AWHILE);
            }
            if let Some(text) = judge::of_another(input.object, scope, target) {
                return self.refuse(facts, Stall::NotAllowed, text);
            }
            let name = self.internal.target.as_ref().and_then(|target| target.name.clone());
            self.internal.target = Some(judge::stamp(name, target, scope));
            self.arn = target.arn.clone();
            if let Some(verdict) = judge::not_ready(input.object, target) {
                self.internal.missing_since = None;
                // Whatever the credentials are good for: nobody can log in now.
                return self.wait(verdict, AWHILE);
            }
        }
        match (&state.access, target) {
            (None, _) => self.look([GrantLook::Target, GrantLook::Access].into()),
            (Some(AccessSeen::NotFound), target) => self.not_found(facts, end, target.err()),
            (Some(AccessSeen::NotYet(words)), _) => {
                let text = bounded(&format!("AWS gives no access now: {words}"), WORDS);
                self.hold(facts, end, Verdict::Working(Waiting::AwsBusy, text), AWHILE)
            }
            (Some(AccessSeen::Refused(_, words)), Ok(TargetFacts { passing: Some(state), .. })) => {
                let text = bounded(&format!("the fleet is {state}, and AWS gives no access now: {words}"), WORDS);
                self.hold(facts, end, Verdict::Working(Waiting::FleetNotActive, text), AWHILE)
            }
            (Some(AccessSeen::Refused(code, words)), _) => {
                let text = bounded(&format!("AWS refuses access: {code}: {words}"), WORDS);
                self.hold(facts, end, Verdict::Stalled(Stall::Rejected, text), REFUSED)
            }
            (Some(AccessSeen::Given(_)), Err(_)) => {
                self.internal.missing_since = None;
                let text = "AWS gives access to a machine that it does not show";
                self.hold(facts, end, Verdict::Working(Waiting::DependencyNotReady, text.into()), AWHILE)
            }
            (Some(AccessSeen::Given(given)), Ok(target)) => {
                self.internal.missing_since = None;
                let key = self.key();
                let grant = input.object.name_any();
                match contents(&grant, given, key, target.address.as_deref(), input.now) {
                    Ok(contents) => self.keep(facts, contents, target),
                    Err(verdict @ Verdict::Stalled(..)) => self.hold(facts, end, verdict, DENIED),
                    Err(verdict) => self.hold(facts, end, verdict, AWHILE),
                }
            }
        }
    }

    fn key(&self) -> Option<&'a KeyFound> {
        let key = GrantKind::key(self.input.object, GrantLook::Access)?;
        Some(self.input.beside.keys.get(&key).unwrap_or(&KeyFound::Unknown))
    }

    /// The API server refused the last write a moment ago: nobody asks AWS for credentials that cannot be kept.
    fn after_failure(&self, facts: Option<&SecretFacts>, end: Timestamp) -> Option<Plan<GrantKind>> {
        let failure = self.input.beside.secret_failure.as_ref()?;
        let stuck = failure.verb == SecretVerb::Replace && failure.why == SecretRefusal::Refused;
        if let Some(facts) = facts.filter(|facts| stuck && facts.edited) {
            // Somebody made it unchangeable: it goes, and comes anew.
            let verdict =
                Verdict::Working(Waiting::SecretNotWritten, refusal(failure, &self.secret).message().to_owned());
            return Some(self.delete(facts, verdict));
        }
        let patience = match failure.why {
            SecretRefusal::Conflict => SOON,
            // 5 s, 10 s, and so on to a minute.
            SecretRefusal::Unavailable => (APART * 2_u32.saturating_pow(failure.times.clamp(1, 8) - 1)).min(DENIED),
            SecretRefusal::Denied => DENIED,
            SecretRefusal::Taken => LONG,
            SecretRefusal::Refused => REFUSED,
        };
        let object = self.input.object;
        let asked = asked_again::<GrantKind>(object, earlier(object).last_handled_reconcile_at.as_ref());
        let rest = patience.saturating_sub(elapsed(failure.at, self.input.now));
        (!rest.is_zero() && !asked).then(|| self.hold(facts, end, refusal(failure, &self.secret), rest))
    }

    /// AWS says that the machine is not there.
    fn not_found(mut self, facts: Option<&SecretFacts>, end: Timestamp, missing: Option<Missing>) -> Plan<GrantKind> {
        let now = self.input.now;
        let existed = earlier(self.input.object).internal.target.as_ref().is_some_and(|target| target.id.is_some());
        if !existed {
            return self.hold(facts, end, judge::missing(missing.unwrap_or(Missing::Instance)), LONG);
        }
        let since = *self.internal.missing_since.get_or_insert(to_the_second(now));
        // To the second, so one more.
        let rest = (TWICE + Duration::from_secs(1)).saturating_sub(elapsed(since, now));
        if rest.is_zero() {
            return self.gone(facts);
        }
        let text = "AWS says that the target is not there: asking once more";
        self.hold(facts, end, Verdict::Working(Waiting::DependencyNotReady, text.into()), rest)
    }

    /// The machine is gone for good: the grant is over.
    fn gone(mut self, facts: Option<&SecretFacts>) -> Plan<GrantKind> {
        self.internal.ended = Some(EndReason::TargetGone);
        match facts {
            Some(facts) => self.end(facts, EndReason::TargetGone),
            None => self.ended(EndReason::TargetGone),
        }
    }

    fn keep(&self, facts: Option<&SecretFacts>, contents: Contents, target: &TargetFacts) -> Plan<GrantKind> {
        let (input, object) = (self.input, self.input.object);
        let uid = object.uid().unwrap_or_default();
        let stamps =
            standing::stamps(&contents, target, self.face().flatten(), term::interval(object), &uid, input.now);
        let template = object.spec.secret.clone().unwrap_or_default();
        let kind: SecretKind = contents.kind;
        let body = SecretBody {
            name: self.secret.clone(),
            kind,
            labels: template.labels.unwrap_or_default(),
            annotations: template.annotations.unwrap_or_default(),
            stamps,
            data: contents.material,
        };
        let (write, news) = match facts {
            None => {
                let why = object.spec.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                let text = format!("wrote the credentials for {} to Secret {}{why}", term::target(object), self.secret);
                (SecretWrite::Create(body), vec![News::done("Granted", "Grant", bounded(&text, 1024))])
            }
            Some(facts) => {
                let write = SecretWrite::Replace { body, uid: facts.uid.clone(), version: facts.version.clone() };
                (write, self.repaired(facts))
            }
        };
        let verdict = input.beside.secret_failure.as_ref().map(|failure| refusal(failure, &self.secret));
        let verdict = verdict.unwrap_or_else(|| Verdict::Working(Waiting::Issuing, ISSUING.into()));
        let status = self.status(&self.standing(facts), facts, verdict);
        Plan { next: Next::Keep(Box::new(write)), status, news }
    }

    /// News of a repair; a renewal is none.
    fn repaired(&self, facts: &SecretFacts) -> Vec<News> {
        match self.standing(Some(facts)) {
            Standing::Broken(why) => {
                let note = format!("wrote Secret {} anew: {why}", self.secret);
                vec![News::done("Renewed", "Renew", note)]
            }
            Standing::None | Standing::Good(_) | Standing::Due => Vec::new(),
        }
    }

    /// The namespace may not have this: its Secret goes at once.
    fn refuse(&self, facts: Option<&SecretFacts>, why: Stall, text: String) -> Plan<GrantKind> {
        match facts {
            Some(facts) => self.revoke(facts, why, text),
            None => self.stalled(why, text),
        }
    }

    fn revoke(&self, facts: &SecretFacts, why: Stall, text: String) -> Plan<GrantKind> {
        let verdict = Verdict::Stalled(why, text);
        let mut plan = self.delete(facts, verdict.clone());
        plan.news.extend(report::news_after(&earlier(self.input.object).conditions, "Revoke", &verdict));
        plan
    }

    /// Its time is over, or its target gone, and its Secret is there.
    fn end(&self, facts: &SecretFacts, why: EndReason) -> Plan<GrantKind> {
        let mut plan =
            self.delete(facts, Verdict::Working(Waiting::Deleting, format!("the grant is over ({why}): {LEAVING}")));
        let left = match standing::expires_at(facts) {
            Some(at) if at > self.input.now => format!("what was handed out works until {at}"),
            Some(_) => "what was handed out has expired".into(),
            None => "what was handed out is not revocable by the operator".into(),
        };
        let note = format!("{why}: deleted Secret {}; {left}", self.secret);
        plan.news.push(News::done("Ended", "End", note));
        plan
    }

    /// The Secret is deleted, whoever else is at it.
    fn delete(&self, facts: &SecretFacts, verdict: Verdict) -> Plan<GrantKind> {
        let refused = self.input.beside.secret_failure.as_ref().filter(|failure| failure.verb == SecretVerb::Delete);
        let verdict = match (&verdict, refused) {
            (Verdict::Ready(_) | Verdict::Working(..), Some(failure)) => refusal(failure, &self.secret),
            (_, _) => verdict,
        };
        let status = self.status(&Standing::None, Some(facts), verdict);
        let write = SecretWrite::Delete { name: self.secret.clone(), uid: facts.uid.clone() };
        match facts.deleting {
            // Somebody's finalizer holds it: asked for already.
            true => Plan { next: Next::Wait(SOON), status, news: Vec::new() },
            false => Plan { next: Next::Keep(Box::new(write)), status, news: Vec::new() },
        }
    }

    fn release(&self) -> Plan<GrantKind> {
        let note = News::done("Released", "Release", "let the grant go: it has no Secret".into());
        Plan { next: Next::Release, status: earlier(self.input.object).clone(), news: vec![note] }
    }

    fn paused(&self) -> Plan<GrantKind> {
        let status = earlier(self.input.object);
        let generation = generation(self.input.object);
        let all = conditions::paused(&status.conditions, generation, self.input.now);
        let seen = if status.conditions.is_empty() { generation } else { status.observed_generation };
        let status = AccessGrantStatus { observed_generation: seen, conditions: all, ..status.clone() };
        Plan { next: Next::Settled(self.term.map(|term| term.end)), status, news: Vec::new() }
    }

    fn look(&self, looks: BTreeSet<GrantLook>) -> Plan<GrantKind> {
        Plan { next: Next::Look(looks), status: earlier(self.input.object).clone(), news: Vec::new() }
    }

    fn ready(&self, facts: Option<&SecretFacts>, at: Timestamp) -> Plan<GrantKind> {
        let verdict = Verdict::Ready(self.said());
        let status = self.status(&self.standing(facts), facts, verdict);
        Plan { next: Next::Settled(Some(at)), status, news: Vec::new() }
    }

    /// Something is in the way of new credentials. As long as the present ones work, nobody need know.
    fn hold(&self, facts: Option<&SecretFacts>, end: Timestamp, verdict: Verdict, again: Duration) -> Plan<GrantKind> {
        let standing = self.standing(facts);
        let now = self.input.now;
        let expires = facts.and_then(standing::expires_at).unwrap_or(end).min(end);
        let again = again.min(until(expires, now).max(SOON));
        match standing.works() {
            true => {
                let status = self.status(&standing, facts, Verdict::Ready(self.said()));
                Plan { next: Next::Wait(again), status, news: Vec::new() }
            }
            false => self.wait(verdict, again),
        }
    }

    /// The Secrets of the namespace will be known in a moment. What was said before may hold as well as ever.
    fn unseen(&self, why: Waiting) -> Plan<GrantKind> {
        let plan = self.wait(Verdict::Working(why, UNSEEN.into()), SOON);
        match earlier(self.input.object).conditions.is_empty() {
            true => plan,
            false => Plan { status: earlier(self.input.object).clone(), news: Vec::new(), ..plan },
        }
    }

    fn wait(&self, verdict: Verdict, again: Duration) -> Plan<GrantKind> {
        let facts = match self.kept() {
            Kept::Ours(facts) => Some(facts),
            Kept::Unknown | Kept::Denied(_) | Kept::Nothing | Kept::Another(_) => None,
        };
        let news = report::news_after(&earlier(self.input.object).conditions, "Reconcile", &verdict);
        let status = self.status(&self.standing(facts), facts, verdict);
        Plan { next: Next::Wait(again), status, news }
    }

    fn stalled(&self, why: Stall, text: String) -> Plan<GrantKind> {
        let plan = self.wait(Verdict::Stalled(why, text), LONG);
        // Whatever else happens, the end comes.
        Plan { next: Next::Settled(self.term.map(|term| term.end)), ..plan }
    }
}

const ISSUING: &str = "asking AWS for credentials";
