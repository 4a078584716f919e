//! The life that every AWS resource of ours has in common: looked up, created once, taken over, kept, let go.
//!
//! Whether it is there, whose it is and whether that is certain is decided here, once. A kind says how it is created, how
//! it is kept as the spec wants it, how it goes, and what its status shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use kube::{Resource, ResourceExt};

use crate::api::common::{AdoptionPolicy, Common, DeletionPolicy, ManagementPolicy, RecreatePolicy};
use crate::api::{Arn, Intent, PAUSED};

use super::conditions::{self, to_the_second};
use super::leave::{self, Going};
use super::ownership::{self, Owner};
use super::reason::{Stall, Verdict, Waiting};
use super::report::{self, Known, NEVER, OBSERVED, Report, elapsed, trouble, trouble_with};
use super::tags::{self, Tagged};
use super::unshown::{Changes, Fate};
use super::{Answered, Call, Class, Face, Input, Kind, News, Next, Plan, Scope, Seen, Status, UNCERTAINTY};

/// A kind whose objects each have one resource of their own in AWS.
pub trait Life: Kind {
    /// What a person calls the resource: `fleet`.
    const NOUN: &'static str;
    /// What is done when somebody deleted it in AWS and the spec does not say.
    const RECREATE: RecreatePolicy;
    /// The look that reads its tags anew.
    const TAGS: Self::Look;
    /// What must be looked at besides before it may go.
    const LEAVING: &'static [Self::Look];

    /// Whether what is ours goes on being kept (power, tags) though it differs in what AWS cannot change; the kind then shows
    /// the differences itself.
    const KEPT_THOUGH_DIFFERENT: bool = false;

    /// What the object asks for at this moment, parsed once.
    type Wanted<'a>: Debug;
    /// What AWS says of the resource when it is there.
    type Facts: Facts;
    /// What the status remembers.
    type Stamps: Stamps;
    /// What the status shows besides facts and changes.
    type Shown: Default + Debug;

    /// The fields that every kind has.
    fn common(object: &Self::Object) -> &Common;
    /// The status as the object has it.
    fn earlier(object: &Self::Object) -> &Self::Status;
    /// The stamps in a status.
    fn stamps(status: &Self::Status) -> &Self::Stamps;
    /// The name of the resource in AWS, if the object gives it a valid one.
    ///
    /// # Errors
    /// A sentence: what no schema can judge.
    fn name(object: &Self::Object) -> Result<String, String>;
    /// Parses the spec.
    ///
    /// # Errors
    /// A reason and a sentence: what no schema can judge.
    fn read(object: &Self::Object, now: Timestamp) -> Result<Self::Wanted<'_>, (Stall, String)>;
    /// What the status shows of what is wanted.
    fn shown(wanted: &Self::Wanted<'_>) -> Self::Shown;
    /// What was found.
    fn found(state: &Self::State) -> Found<'_, Self::Facts>;

    /// How it is created, if it may be.
    fn creation(absent: &Absent<'_, '_, Self>) -> Creation<Self>;
    /// Why what is there can never be what the spec wants, if so: AWS cannot change it.
    fn immutable(there: &There<'_, '_, Self>) -> Option<String>;
    /// It is there and ours.
    fn keep(there: &There<'_, '_, Self>) -> Plan<Self>;
    /// It is there and only observed.
    fn observe(there: &There<'_, '_, Self>) -> Plan<Self>;
    /// It is there and ours, and is to go.
    fn leave(going: &Going<'_, Self>) -> Plan<Self>;
    /// It is gone: what of ours is left beside it goes first, if anything is.
    fn left_behind(_going: &Going<'_, Self>) -> Option<Plan<Self>> {
        None
    }
    /// The write that undoes what the operator did for its own ends, before the resource is left to itself.
    fn give_back(_input: &Input<'_, Self>, _facts: &Self::Facts) -> Option<Self::Call> {
        None
    }
    /// Whether a wait of a change in `pendingChanges` counts for `disruption.forceAfter`: somebody is asked to leave for it.
    fn counts(wait: &str) -> bool {
        ![OBSERVED, NEVER].contains(&wait)
    }
    /// The spec cannot be read.
    fn unreadable(input: &Input<'_, Self>, why: Stall, text: String) -> Plan<Self> {
        stalled(input, Self::Shown::default(), Known::Nothing, why, text)
    }

    /// What a call changes of what is there.
    fn changes(call: &Self::Call) -> Changes;
    /// What became of a write that AWS answered and does not show.
    fn fate(_state: &Self::State, _answered: &Answered<Self>, _now: Timestamp) -> Fate<Self::Look> {
        Fate::Untold
    }
    /// The tags that a call sets, if it sets any.
    fn tags_in(call: &Self::Call) -> Option<&BTreeMap<String, String>>;
    /// The write that sets tags.
    fn tag(facts: &Self::Facts, tags: BTreeMap<String, String>) -> Self::Call;
    /// The write that takes tags off.
    fn untag(facts: &Self::Facts, keys: BTreeSet<String>) -> Self::Call;

    /// The status that a report makes.
    fn status(report: Report<'_, Self>) -> Self::Status;
}

/// What AWS says of any resource.
pub trait Facts: Debug {
    /// Its ARN.
    fn arn(&self) -> &Arn;
    /// Its name.
    fn name(&self) -> &str;
    /// When it was created, if AWS says.
    fn created_time(&self) -> Option<Timestamp>;
}

/// What any status remembers.
pub trait Stamps: Clone + Default + PartialEq + Debug {
    /// The create about to be sent.
    fn intent(&self) -> Option<&Intent>;
    /// Remembers a create about to be sent.
    fn intend(&mut self, intent: Option<Intent>);
    /// Forgets what is remembered of a resource that is gone: it says nothing about a new one.
    fn begin_anew(&mut self);
}

/// What was found in AWS.
#[derive(Debug)]
pub struct Found<'a, F> {
    /// When the read began.
    pub began: Timestamp,
    /// The resource, if it is there.
    pub facts: Option<&'a F>,
    /// Its tags: the last known.
    pub tags: Option<&'a Tagged>,
}

/// A pass over a resource that is there.
#[derive(Debug)]
pub struct There<'a, 'o, K: Life> {
    /// The pass.
    pub input: &'a Input<'a, K>,
    /// What the object asks for.
    pub wanted: &'a K::Wanted<'o>,
    /// Where it lives.
    pub scope: &'a Scope,
    /// What AWS says.
    pub state: &'a K::State,
    /// The resource of it.
    pub facts: &'a K::Facts,
    /// Its tags.
    pub tagged: &'a Tagged,
}

/// A pass over a resource that is not there and is to be.
#[derive(Debug)]
pub struct Absent<'a, 'o, K: Life> {
    /// The pass.
    pub input: &'a Input<'a, K>,
    /// What the object asks for.
    pub wanted: &'a K::Wanted<'o>,
    /// Where it is to live.
    pub scope: &'a Scope,
    /// What AWS says.
    pub state: &'a K::State,
}

/// How a resource is created, if it may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Creation<K: Kind> {
    /// Not known yet: look.
    Look(BTreeSet<K::Look>),
    /// Not as it is: only an edit or a person can help.
    Not(Stall, String),
    /// Not yet.
    NotYet(Waiting, String),
    /// By this.
    By(K::Call),
}

/// The policies that every kind has, with their defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policies {
    /// Delete or keep.
    pub deletion: DeletionPolicy,
    /// Take over or not.
    pub adoption: AdoptionPolicy,
    /// Write or only report.
    pub management: ManagementPolicy,
    /// Create again or not.
    pub recreate: RecreatePolicy,
    /// Nothing is deleted in AWS.
    pub protected: bool,
}

impl Policies {
    /// Reads them.
    pub fn of<K: Life>(object: &K::Object) -> Self {
        let common = K::common(object);
        Self {
            deletion: common.deletion_policy.unwrap_or_default(),
            adoption: common.adoption_policy.unwrap_or_default(),
            management: common.management_policy.unwrap_or_default(),
            recreate: common.recreate_policy.unwrap_or(K::RECREATE),
            protected: common.deletion_protection.unwrap_or(false),
        }
    }
}

/// How soon to look again after AWS could not be read: the backoff of the failure is what really counts.
pub const SOON: Duration = Duration::from_secs(1);
/// How long to leave AWS alone where nothing is expected to change soon; the backoff of a failure may be longer.
pub const AWHILE: Duration = Duration::from_secs(30);

/// One plan from what is seen, taken at its word.
pub fn decide<K: Life>(input: &Input<'_, K>) -> Plan<K> {
    let object = input.object;
    if object.annotations().get(PAUSED).is_some_and(|value| value == "true") {
        return paused(input);
    }
    if let Some(since) = object.meta().deletion_timestamp.as_ref() {
        return leave::plan(input, since.0);
    }
    let wanted = match K::read(object, input.now) {
        Ok(wanted) => wanted,
        Err((why, text)) => return K::unreadable(input, why, text),
    };
    let shown = || K::shown(&wanted);
    match (input.seen, input.scope) {
        (Seen::NotLooked, _) => look(input, BTreeSet::new()),
        (Seen::NotAllowed(text), _) => stalled(input, shown(), Known::Nothing, Stall::NotAllowed, text.clone()),
        (Seen::Unknown, _) | (Seen::Found(_), None) => {
            Plan { next: Next::Wait(SOON), status: report::unseen(input, shown(), ""), news: Vec::new() }
        }
        (Seen::Found(state), Some(scope)) => match (moved(input, scope), K::found(state).facts) {
            (Some(text), _) => stalled(input, shown(), Known::Nothing, Stall::AccountMoved, text),
            (None, None) => absent(&Absent { input, wanted: &wanted, scope, state }),
            (None, Some(facts)) => present(input, &wanted, scope, state, facts),
        },
    }
}

fn paused<K: Life>(input: &Input<'_, K>) -> Plan<K> {
    let earlier = K::earlier(input.object);
    let generation = report::generation(input.object);
    let all = conditions::paused(earlier.conditions(), generation, input.now);
    // A status that says anything says of which generation.
    let seen = if earlier.conditions().is_empty() { generation } else { earlier.observed_generation() };
    Plan { next: Next::Settled(None), status: earlier.clone().with_conditions(seen, all), news: Vec::new() }
}

/// Asks for more to look at.
pub fn look<K: Life>(input: &Input<'_, K>, looks: BTreeSet<K::Look>) -> Plan<K> {
    Plan { next: Next::Look(looks), status: K::earlier(input.object).clone(), news: Vec::new() }
}

/// Only an edit or a person can help.
pub fn stalled<K: Life>(
    input: &Input<'_, K>,
    shown: K::Shown,
    known: Known<'_, K::Facts>,
    why: Stall,
    text: String,
) -> Plan<K> {
    ending(input, shown, known, Verdict::Stalled(why, text), Next::Settled(None))
}

/// Something is waited for.
pub fn waiting<K: Life>(
    input: &Input<'_, K>,
    shown: K::Shown,
    known: Known<'_, K::Facts>,
    verdict: Verdict,
    again: Duration,
) -> Plan<K> {
    ending(input, shown, known, verdict, Next::Wait(again))
}

fn ending<K: Life>(
    input: &Input<'_, K>,
    shown: K::Shown,
    known: Known<'_, K::Facts>,
    verdict: Verdict,
    next: Next<K>,
) -> Plan<K> {
    let news = report::news(input, "Reconcile", &verdict);
    let status = Report { shown, ..Report::new(input, known, verdict) }.status();
    Plan { next, status, news }
}

/// A sentence if the object's resource lives, or was to be created, elsewhere than the object says now.
pub fn moved<K: Life>(input: &Input<'_, K>, scope: &Scope) -> Option<String> {
    let earlier = K::earlier(input.object);
    let made = earlier.arn().map(|arn| (arn.account(), arn.region()));
    let meant =
        || K::stamps(earlier).intent().and_then(|intent| Some((intent.account.as_deref()?, intent.region.as_deref()?)));
    let was = made.or_else(meant)?;
    let now = (scope.account.as_str(), scope.region.as_str());
    (was != now).then(|| {
        format!(
            "the {} lives, or was to be made, in account {} in {}, but this object now says account {} in {}: set them back, or delete this object with deletionPolicy: Retain and create another",
            K::NOUN, was.0, was.1, now.0, now.1
        )
    })
}

/// Whether "there is none" can be believed, `since` being the latest thing that could still bring one about. Otherwise
/// how long to wait.
pub fn believed(began: Timestamp, since: Timestamp) -> Result<(), Duration> {
    let sure = since.checked_add(UNCERTAINTY).unwrap_or(Timestamp::MAX);
    if began >= sure { Ok(()) } else { Err(sure.duration_since(began).unsigned_abs()) }
}

/// There is no resource of that name.
fn absent<K: Life>(absent: &Absent<'_, '_, K>) -> Plan<K> {
    let input = absent.input;
    let policies = Policies::of::<K>(input.object);
    let earlier = K::earlier(input.object);
    // A create that AWS refused left nothing behind.
    let intent = K::stamps(earlier).intent().map(|i| i.at).filter(|at| !refused_since(input, *at));
    let since = intent.map_or(input.quiet_since, |at| at.max(input.quiet_since));
    let believed = believed(K::found(absent.state).began, since);
    let shown = K::shown(absent.wanted);
    match (policies.management, earlier.arn(), intent, believed, policies.recreate) {
        (ManagementPolicy::Observe, _, _, _, _) => {
            let text = format!("there is no {} {}", K::NOUN, K::name(input.object).unwrap_or_default());
            waiting(input, shown, Known::Absent, Verdict::Working(Waiting::DependencyNotReady, text), AWHILE)
        }
        // The first create waits for nothing; a second one for certainty that the first left nothing behind.
        (ManagementPolicy::Manage, None, None, _, _) | (ManagementPolicy::Manage, None, Some(_), Ok(()), _) => {
            create(absent)
        }
        (ManagementPolicy::Manage, Some(_), _, Ok(()), RecreatePolicy::Always) => create(absent),
        (ManagementPolicy::Manage, Some(_), _, Ok(()), RecreatePolicy::Never) => {
            let text = format!("the {} was deleted in AWS and recreatePolicy is Never", K::NOUN);
            stalled(input, shown, Known::Absent, Stall::DeletedOutOfBand, text)
        }
        (ManagementPolicy::Manage, arn, intent, Err(rest), _) => {
            let text = match (arn, intent) {
                (_, Some(_)) => format!("AWS does not show the new {} yet", K::NOUN),
                (Some(_) | None, None) => {
                    format!("AWS does not show the {} any more: making sure that it is gone", K::NOUN)
                }
            };
            // What a lost answer left behind shows up soon: look often, not only at the end.
            let again = rest.min(Duration::from_secs(5));
            waiting(input, shown, Known::Absent, Verdict::Working(Waiting::Creating, text), again)
        }
    }
}

/// Whether AWS refused a create after that: then it did not happen.
fn refused_since<K: Kind>(input: &Input<'_, K>, at: Timestamp) -> bool {
    input.failure.is_some_and(|f| {
        let refused = match f.class {
            Class::Rejected
            | Class::QuotaExceeded
            | Class::AccountPending
            | Class::AccessDenied
            | Class::NotFound
            | Class::InUse
            | Class::Throttled
            | Class::Busy
            | Class::NotSent => true,
            Class::AlreadyExists | Class::Unavailable => false,
        };
        f.call.as_ref().is_some_and(Call::creates) && refused && f.at >= at
    })
}

fn create<K: Life>(absent: &Absent<'_, '_, K>) -> Plan<K> {
    let input = absent.input;
    let shown = || K::shown(absent.wanted);
    let call = match K::creation(absent) {
        Creation::Look(looks) => return look(input, looks),
        // A person may mend it outside, with no edit: looked at again.
        Creation::Not(why @ Stall::NotAllowed, text) => return stalled(input, shown(), Known::Absent, why, text),
        Creation::Not(why, text) => {
            let plan = stalled(input, shown(), Known::Absent, why, text);
            return Plan { next: Next::Wait(AWHILE), ..plan };
        }
        Creation::NotYet(why, text) => {
            return waiting(input, shown(), Known::Absent, Verdict::Working(why, text), AWHILE);
        }
        Creation::By(call) => call,
    };
    let generation = report::generation(input.object);
    let failed = input.failure.filter(|f| f.call.as_ref().is_some_and(Call::creates));
    let verdict = failed
        .filter(|f| f.generation == generation)
        .and_then(|f| trouble(f, input.now))
        .unwrap_or_else(|| Verdict::Working(Waiting::Creating, format!("creating the {}", K::NOUN)));
    let news = report::news(input, "Create", &verdict);
    let mut report = Report { shown: shown(), ..Report::new(input, Known::Absent, verdict) };
    match failed.map(|f| f.class) {
        // Refused for good: the same request would be refused again. A person may mend it outside, so it is tried once in a while.
        Some(Class::Rejected) if failed.is_some_and(|f| f.generation == generation && !old(f.at, input.now)) => {
            // Often enough to see that somebody else has made it.
            return Plan { next: Next::Wait(AWHILE), status: report.status(), news };
        }
        // The name is taken, yet not shown: by a create of ours whose answer was lost, or by somebody.
        Some(Class::AlreadyExists) if failed.is_some_and(|f| K::found(absent.state).began <= f.at) => {
            return Plan { next: Next::Wait(Duration::from_secs(2)), status: report.status(), news };
        }
        // For sure not shown, and taken all the same: by something else that shares the names.
        Some(Class::AlreadyExists) if failed.is_some_and(|f| f.generation == generation && !old(f.at, input.now)) => {
            let name = K::name(input.object).unwrap_or_default();
            let text = format!(
                "AWS says that the name {name} is taken, and there is no {} of that name: choose another",
                K::NOUN
            );
            let plan = stalled(input, shown(), Known::Absent, Stall::NotOwned, text);
            return Plan { next: Next::Wait(AWHILE), ..plan };
        }
        Some(_) | None => {}
    }
    let name = K::name(input.object).unwrap_or_default();
    report.stamps.begin_anew();
    report.stamps.intend(Some(intent(input, absent.scope, &name)));
    let note = News::done("Created", "Create", format!("created {} {name}", K::NOUN));
    Plan { next: Next::Send(call), status: report.status(), news: vec![note] }
}

fn intent<K: Life>(input: &Input<'_, K>, scope: &Scope, name: &str) -> Intent {
    Intent {
        name: name.to_owned(),
        at: to_the_second(input.now),
        account: Some(scope.account.clone()),
        region: Some(scope.region.to_string()),
    }
}

fn old(at: Timestamp, now: Timestamp) -> bool {
    elapsed(at, now) >= report::TEN_MINUTES
}

/// There is a resource of that name: whose?
fn present<K: Life>(
    input: &Input<'_, K>,
    wanted: &K::Wanted<'_>,
    scope: &Scope,
    state: &K::State,
    facts: &K::Facts,
) -> Plan<K> {
    let policies = Policies::of::<K>(input.object);
    let unread = Tagged { began: Timestamp::MIN, tags: BTreeMap::new() };
    let compared = policies.management == ManagementPolicy::Manage || own_tags::<K>(input.object).is_some();
    let tagged = match K::found(state).tags.filter(|t| fresh(t, input)) {
        _ if !compared => &unread,
        Some(tagged) => tagged,
        None => return look(input, [K::TAGS].into()),
    };
    if policies.management == ManagementPolicy::Observe {
        return K::observe(&There { input, wanted, scope, state, facts, tagged });
    }
    let there = There { input, wanted, scope, state, facts, tagged };
    let owner = ownership::owner::<K>(scope, input.object, &tagged.tags);
    match owner {
        Owner::Ours => {
            return match K::immutable(&there).filter(|_| !K::KEPT_THOUGH_DIFFERENT) {
                Some(text) => stalled(input, K::shown(wanted), Known::There(facts), Stall::ImmutableDiffers, text),
                None => K::keep(&there),
            };
        }
        // Whose it is not is said by a read of this pass alone.
        Owner::Nobody | Owner::Restored | Owner::Other if tagged.began < input.now => {
            return look(input, [K::TAGS].into());
        }
        Owner::Nobody if policies.adoption == AdoptionPolicy::Never || !scope.allow.adoption => {
            if let Some(rest) = just_made(input, facts, tagged) {
                let text = format!("AWS does not show the tags of the new {} yet", K::NOUN);
                let verdict = Verdict::Working(Waiting::Creating, text);
                return waiting(input, K::shown(wanted), Known::Nothing, verdict, rest);
            }
        }
        Owner::Nobody | Owner::Restored | Owner::Other => {}
    }
    let (noun, name) = (K::NOUN, facts.name());
    let refused = |why, text| stalled(input, K::shown(wanted), Known::Foreign, why, text);
    match (owner, policies.adoption, scope.allow.adoption) {
        (Owner::Ours, _, _) => look(input, [K::TAGS].into()),
        (Owner::Nobody | Owner::Restored, AdoptionPolicy::IfExists, true) => adopt(&there),
        (Owner::Nobody | Owner::Restored, AdoptionPolicy::IfExists, false) => {
            let text =
                format!("{} {noun} {name} exists, and no Account allows this namespace to take it over", a(noun));
            refused(Stall::NotAllowed, text)
        }
        (Owner::Nobody | Owner::Restored, AdoptionPolicy::Never, _) => {
            let text = format!(
                "{} {noun} {name} exists without this object's ownership tags: choose another name, or adoptionPolicy: IfExists",
                a(noun)
            );
            refused(Stall::NotOwned, text)
        }
        (Owner::Other, _, _) => {
            refused(Stall::NotOwned, format!("{noun} {name} belongs to another object: choose another name"))
        }
    }
}

fn a(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// Takes over a resource that the spec may take over, by writing our tags on it.
fn adopt<K: Life>(there: &There<'_, '_, K>) -> Plan<K> {
    let There { input, wanted, scope, facts, tagged, .. } = *there;
    if let Some(text) = K::immutable(there) {
        return stalled(input, K::shown(wanted), Known::There(facts), Stall::ImmutableDiffers, text);
    }
    if tagged.began < input.now {
        return look(input, [K::TAGS].into());
    }
    let call = K::tag(facts, wanted_tags::<K>(scope, input.object));
    let verdict = trouble_with(input, &call)
        .unwrap_or_else(|| Verdict::Working(Waiting::Updating, format!("taking over the {}", K::NOUN)));
    let mut report = Report { shown: K::shown(wanted), ..Report::new(input, Known::There(facts), verdict) };
    // From here on a deletion of the object has something to look for: it may carry our tags.
    if report.stamps.intent().is_none() {
        report.stamps.intend(Some(intent(input, scope, facts.name())));
    }
    let note = News::done("Adopted", "Adopt", format!("took over {} {}", K::NOUN, facts.name()));
    Plan { next: Next::Send(call), status: report.status(), news: vec![note] }
}

/// The user's tags and ours.
pub fn wanted_tags<K: Life>(scope: &Scope, object: &K::Object) -> BTreeMap<String, String> {
    let mut tags = K::common(object).tags.clone().unwrap_or_default();
    tags.extend(ownership::tags::<K>(scope, object));
    tags
}

/// The user's tags that differ, where nothing is written: a missing mark of ours is no difference to somebody who only
/// observes.
pub fn observed_tags<K: Life>(there: &There<'_, '_, K>, applied: &BTreeSet<String>) -> Option<tags::Step<K::Call>> {
    tags::step(there.input, there.facts, own_tags::<K>(there.input.object)?, there.tagged, applied)
}

/// The tags of the spec, if it has any.
fn own_tags<K: Life>(object: &K::Object) -> Option<&BTreeMap<String, String>> {
    K::common(object).tags.as_ref().filter(|tags| !tags.is_empty())
}

/// What an object shows to those who rest on it, but for an address.
pub fn face<K: Life>(object: &K::Object) -> Face {
    let earlier = K::earlier(object);
    Face {
        uid: object.uid().unwrap_or_default(),
        aws_name: K::name(object).unwrap_or_else(|_| object.name_any()),
        arn: earlier.arn().cloned(),
        address: None,
        available: conditions::holds(earlier.conditions(), "Available"),
        deleting: object.meta().deletion_timestamp.is_some(),
    }
}

/// How soon to look again, if this resource without any tag of ours may be the one that we have just made: AWS's tags may
/// show later than the resource.
pub fn just_made<K: Life>(input: &Input<'_, K>, facts: &K::Facts, tagged: &Tagged) -> Option<Duration> {
    let earlier = K::earlier(input.object);
    let intent = K::stamps(earlier).intent().map(|i| i.at);
    let ours = intent.is_some() || earlier.arn() == Some(facts.arn());
    let since = intent.map_or(input.quiet_since, |at| at.max(input.quiet_since));
    (ours && believed(tagged.began, since).is_err()).then_some(Duration::from_secs(2))
}

/// Whether tags are new enough to go by: an hour, moved by up to a quarter per object so that many do not ask at once; read
/// anew where somebody has asked for a pass.
fn fresh<K: Life>(tagged: &Tagged, input: &Input<'_, K>) -> bool {
    if report::asked_again::<K>(input.object, K::earlier(input.object).last_handled()) {
        return tagged.began >= input.now;
    }
    let spread: u32 = input.object.uid().unwrap_or_default().bytes().map(u32::from).sum();
    let life = Duration::from_secs(3600 - u64::from(spread % 900));
    input.now.duration_since(tagged.began).unsigned_abs() < life
}
