//! The objects, counted at each scrape from what each of them showed last: a number is never added up in two places, and what
//! is gone leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::described::{self as names, Described};
use crate::api::common::{Impact, PendingChange};
use crate::plan::figures::Figures;
use crate::plan::reason;

/// An object, as far as metrics tell objects apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectLabels<'a> {
    /// `Fleet.appstream.windlass.dev`
    pub kind: &'static str,
    /// Its namespace; empty where it has none.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// What an object shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct ObjectShows<'a> {
    /// Its conditions.
    pub conditions: &'a [Condition],
    /// The differences that are left.
    pub pending_changes: &'a [PendingChange],
    /// Its numbers.
    pub figures: Figures,
}

/// All objects of this process. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Objects(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    per_object: bool,
    descriptions: Vec<Desc>,
    all: Mutex<BTreeMap<Key, Shown>>,
}

type Key = (&'static str, Arc<str>, Arc<str>);

/// What is kept of an object.
#[derive(Debug, Default)]
struct Shown {
    facts: Vec<Fact>,
    /// How many differences, and since when the oldest is there, by what they take.
    pending: BTreeMap<&'static str, (u32, Timestamp)>,
    figures: Figures,
    succeeded: Option<Timestamp>,
}

/// A condition, in words of this program: what an object says never becomes a label by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fact {
    condition: &'static str,
    status: &'static str,
    reason: &'static str,
    since: Timestamp,
}

/// The types of conditions that objects are counted by; one that is not here is not counted.
const CONDITIONS: [&str; 7] = ["Ready", "Available", "Synced", "Reconciling", "Stalled", "Paused", "Ended"];
/// The statuses that Kubernetes knows.
const STATUSES: [&str; 3] = ["True", "False", "Unknown"];
/// What stands for a reason that this program does not give.
const OTHER: &str = "Other";

/// What is told of objects.
const TOLD: [Described; 17] = [
    names::OBJECTS,
    names::OBJECTS_WITH_ERRORS,
    names::OLDEST_DRIFT,
    names::PENDING_CHANGES,
    names::OLDEST_PENDING_CHANGE,
    names::INSTANCES,
    names::SESSIONS,
    names::NEXT_GRANT_END,
    names::OBJECT_READY,
    names::OBJECT_SYNCED,
    names::OBJECT_STALLED,
    names::OBJECT_REASON,
    names::OBJECT_LAST_SUCCESS,
    names::OBJECT_PENDING_CHANGE,
    names::OBJECT_INSTANCES,
    names::OBJECT_SESSIONS,
    names::OBJECT_GRANT_END,
];

impl Objects {
    /// None yet. `per_object` also gives series for each.
    ///
    /// # Errors
    /// When a name is no metric's name: a mistake in this program.
    pub fn new(per_object: bool) -> Result<Self, prometheus::Error> {
        let describe = |of: &Described| {
            let labels = of.labels.iter().map(|label| (*label).to_owned()).collect();
            Desc::new(of.name.to_owned(), of.help.to_owned(), labels, Default::default())
        };
        let descriptions = TOLD.iter().map(describe).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Shared { per_object, descriptions, all: Mutex::default() })))
    }

    /// The object shows this now; `None`: it is gone.
    pub fn show(&self, object: ObjectLabels<'_>, shows: Option<ObjectShows<'_>>) {
        let key = (object.kind, object.namespace.into(), object.name.into());
        let mut all = self.all();
        match shows {
            None => drop(all.remove(&key)),
            Some(shows) => {
                let shown = all.entry(key).or_default();
                shown.facts = facts(shows.conditions);
                shown.pending = pending(shows.pending_changes);
                shown.figures = shows.figures;
            }
        }
    }

    /// A pass over the object has succeeded.
    pub fn succeeded(&self, object: ObjectLabels<'_>, at: Timestamp) {
        let key = (object.kind, object.namespace.into(), object.name.into());
        if let Some(shown) = self.all().get_mut(&key) {
            shown.succeeded = Some(at);
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Key, Shown>> {
        // A holder that panicked left whole entries.
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Objects {
    fn desc(&self) -> Vec<&Desc> {
        self.0.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let all = self.all();
        let mut samples = Samples::default();
        for ((kind, namespace, name), shown) in all.iter() {
            shown.count(kind, &mut samples);
            if self.0.per_object {
                shown.tell([*kind, &**namespace, &**name], &mut samples);
            }
        }
        samples.families()
    }
}

impl Shown {
    /// What counts for all objects of the kind.
    fn count(&self, kind: &'static str, samples: &mut Samples) {
        for fact in &self.facts {
            samples.add(names::OBJECTS, &[kind, fact.condition, fact.status, fact.reason], 1.0);
        }
        if self.figures.errors > 0 {
            samples.add(names::OBJECTS_WITH_ERRORS, &[kind], 1.0);
        }
        if let Some(fact) = self.drifts() {
            samples.least(names::OLDEST_DRIFT, &[kind], seconds(fact.since));
        }
        let ready = if self.is("Ready") { "true" } else { "false" };
        for (impact, (count, oldest)) in &self.pending {
            samples.add(names::PENDING_CHANGES, &[kind, impact, ready], f64::from(*count));
            samples.least(names::OLDEST_PENDING_CHANGE, &[kind, impact, ready], seconds(*oldest));
        }
        for (state, count) in instances(&self.figures) {
            samples.add(names::INSTANCES, &[kind, state], f64::from(count));
        }
        for (state, count) in sessions(&self.figures) {
            samples.add(names::SESSIONS, &[kind, state], f64::from(count));
        }
        if let Some(end) = self.end() {
            samples.least(names::NEXT_GRANT_END, &[kind], seconds(end));
        }
    }

    /// What the object has for itself.
    fn tell(&self, object: [&str; 3], samples: &mut Samples) {
        let [kind, namespace, name] = object;
        let holds = |condition| if self.is(condition) { 1.0 } else { 0.0 };
        samples.add(names::OBJECT_READY, &object, holds("Ready"));
        samples.add(names::OBJECT_SYNCED, &object, holds("Synced"));
        samples.add(names::OBJECT_STALLED, &object, holds("Stalled"));
        if let Some(fact) = self.fact("Ready").or_else(|| self.fact("Ended")) {
            samples.add(names::OBJECT_REASON, &[kind, namespace, name, fact.reason], 1.0);
        }
        if let Some(at) = self.succeeded {
            samples.add(names::OBJECT_LAST_SUCCESS, &object, seconds(at));
        }
        for (_, oldest) in self.pending.values() {
            samples.least(names::OBJECT_PENDING_CHANGE, &object, seconds(*oldest));
        }
        for (state, count) in instances(&self.figures) {
            samples.add(names::OBJECT_INSTANCES, &[kind, namespace, name, state], f64::from(count));
        }
        for (state, count) in sessions(&self.figures) {
            samples.add(names::OBJECT_SESSIONS, &[kind, namespace, name, state], f64::from(count));
        }
        if let Some(end) = self.end() {
            samples.add(names::OBJECT_GRANT_END, &object, seconds(end));
        }
    }

    fn fact(&self, condition: &str) -> Option<Fact> {
        self.facts.iter().copied().find(|fact| fact.condition == condition)
    }

    fn is(&self, condition: &str) -> bool {
        self.fact(condition).is_some_and(|fact| fact.status == "True")
    }

    /// AWS differs, and nobody means it so.
    fn drifts(&self) -> Option<Fact> {
        let meant = self.fact("Reconciling").is_some_and(|fact| MEANT.contains(fact.reason));
        let rests = ["Ready", "Stalled", "Paused"].iter().any(|condition| self.is(condition));
        self.fact("Synced").filter(|fact| fact.status == "False" && !meant && !rests)
    }

    fn end(&self) -> Option<Timestamp> {
        self.figures.ends_at.filter(|_| !self.is("Ended"))
    }
}

fn facts(conditions: &[Condition]) -> Vec<Fact> {
    let known = |condition: &Condition| {
        let type_ = CONDITIONS.into_iter().find(|known| *known == condition.type_)?;
        let status = STATUSES.into_iter().find(|known| *known == condition.status)?;
        let reason = REASONS.get(&*condition.reason).map_or(OTHER, String::as_str);
        Some(Fact { condition: type_, status, reason, since: condition.last_transition_time.0 })
    };
    conditions.iter().filter_map(known).collect()
}

/// The reasons that this program gives.
static REASONS: LazyLock<BTreeSet<String>> = LazyLock::new(|| reason::words().collect());

/// Those that no time is too long for.
static MEANT: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let meant = reason::Waiting::ALL.into_iter().filter(|why| why.is_meant());
    meant.map(|why| why.to_string()).collect()
});

fn pending(changes: &[PendingChange]) -> BTreeMap<&'static str, (u32, Timestamp)> {
    let mut pending = BTreeMap::new();
    for change in changes {
        let impact = match change.impact {
            Impact::None => "None",
            Impact::Restart => "Restart",
            Impact::Refused => "Refused",
        };
        let (count, oldest) = pending.entry(impact).or_insert((0, change.since));
        *count += 1;
        *oldest = change.since.min(*oldest);
    }
    pending
}

fn instances(figures: &Figures) -> impl Iterator<Item = (&'static str, i32)> {
    let counts = figures.instances.into_iter().flat_map(|counts| {
        [
            ("desired", Some(counts.desired)),
            ("running", counts.running),
            ("in_use", counts.in_use),
            ("available", counts.available),
        ]
    });
    counts.filter_map(|(state, count)| Some((state, count?)))
}

fn sessions(figures: &Figures) -> impl Iterator<Item = (&'static str, i32)> {
    let counts = figures.sessions.into_iter().flat_map(|counts| {
        [
            ("desired", counts.desired),
            ("actual", counts.actual),
            ("active", counts.active),
            ("available", counts.available),
        ]
    });
    let awaited = std::iter::once(("awaited", figures.awaited_sessions));
    counts.chain(awaited).filter_map(|(state, count)| Some((state, count?)))
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

/// Samples by metric and label values.
#[derive(Default)]
struct Samples(BTreeMap<&'static str, (Described, BTreeMap<Vec<String>, f64>)>);

impl Samples {
    fn add(&mut self, of: Described, labels: &[&str], value: f64) {
        *self.at(of, labels, 0.0) += value;
    }

    fn least(&mut self, of: Described, labels: &[&str], value: f64) {
        let least = self.at(of, labels, value);
        *least = least.min(value);
    }

    fn at(&mut self, of: Described, labels: &[&str], first: f64) -> &mut f64 {
        let (_, samples) = self.0.entry(of.name).or_insert_with(|| (of, BTreeMap::new()));
        samples.entry(labels.iter().map(|label| (*label).to_owned()).collect()).or_insert(first)
    }

    fn families(self) -> Vec<MetricFamily> {
        self.0.into_values().map(|(of, samples)| family(of, samples)).collect()
    }
}

fn family(of: Described, samples: BTreeMap<Vec<String>, f64>) -> MetricFamily {
    let sample = |(values, value): (Vec<String>, f64)| {
        let pair = |(name, value): (&&str, String)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value(value);
            pair
        };
        let mut pairs: Vec<LabelPair> = of.labels.iter().zip(values).map(pair).collect();
        // As the library sorts those of its own metrics.
        pairs.sort_by(|one, other| one.name().cmp(other.name()));
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = Metric::from_gauge(gauge);
        metric.set_label(pairs);
        metric
    };
    let mut family = MetricFamily::default();
    family.set_name(of.name.to_owned());
    family.set_help(of.help.to_owned());
    family.set_field_type(MetricType::GAUGE);
    family.set_metric(samples.into_iter().map(sample).collect());
    family
}
