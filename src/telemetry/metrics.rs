//! The metrics: one typed method for each thing that happens, so that no call site spells a name or a label.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::labels::{EventOutcome, Label, PassOutcome};
use super::process::Process;
use crate::plan::Class;

/// All metrics of this process. Clones share them.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Series>);

/// A metric as the documentation lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: &'static str,
    /// Its labels, in order.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// An object, as far as metrics tell objects apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectLabels<'a> {
    /// `Fleet.appstream.windlass.dev`
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// Every metric but the process's own (see [`super::process`]), by name.
pub fn describe() -> [Described; 17] {
    [
        PASSES,
        PASS_SECONDS,
        AWS_REQUESTS,
        AWS_SECONDS,
        AWS_THROTTLES,
        AWS_TOKENS,
        KUBE_REQUESTS,
        EVENTS,
        OBJECTS,
        OBJECT_READY,
        QUEUE_DEPTH,
        ORPHANS,
        UNREADABLE,
        PANICS,
        LEADER,
        OLDEST_LOOK,
        BUILD_INFO,
    ]
}

const fn described(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Described {
    Described { name, labels, help }
}

const PASSES: Described = described("windlass_passes_total", &["kind", "outcome"], "Passes by how they ended");
const PASS_SECONDS: Described =
    described("windlass_pass_duration_seconds", &["kind"], "Time from the begin of a pass to its end");
const AWS_REQUESTS: Described = described(
    "windlass_aws_requests_total",
    &["service", "operation", "outcome"],
    "AWS requests by operation and class of answer",
);
const AWS_SECONDS: Described =
    described("windlass_aws_request_duration_seconds", &["service", "operation"], "Time that AWS took to answer");
const AWS_THROTTLES: Described =
    described("windlass_aws_throttles_total", &["service", "operation"], "AWS requests that were throttled");
const AWS_TOKENS: Described = described(
    "windlass_aws_tokens",
    &["account", "region", "service", "class"],
    "Requests that may be sent to AWS right now",
);
const KUBE_REQUESTS: Described =
    described("windlass_kube_requests_total", &["effect", "outcome"], "Requests to the API server by effect");
const EVENTS: Described = described("windlass_events_total", &["outcome"], "Events for people by what became of them");
const OBJECTS: Described =
    described("windlass_objects", &["kind", "condition", "status"], "Objects by condition and its status");
const OBJECT_READY: Described = described(
    "windlass_object_ready",
    &["kind", "namespace", "name"],
    "Whether the object is Ready (only with --object-metrics)",
);
const QUEUE_DEPTH: Described = described("windlass_queue_depth", &["kind", "lane"], "Objects that wait for a pass");
const ORPHANS: Described =
    described("windlass_orphans", &["kind"], "AWS resources with our tags that no object stands for");
const UNREADABLE: Described =
    described("windlass_unreadable_objects", &["kind"], "Objects that this version cannot read and leaves alone");
const PANICS: Described = described("windlass_panics_total", &["kind"], "Passes that panicked");
const LEADER: Described = described("windlass_leader", &[], "Whether this process may write");
const OLDEST_LOOK: Described =
    described("windlass_oldest_look_seconds", &["kind"], "Time since the object that waits longest was last looked at");
const BUILD_INFO: Described = described("windlass_build_info", &["version"], "Always 1");

/// A pass waits for two or three requests: 5 ms is an API server nearby, 60 s the deadline of a pass.
const PASS_BUCKETS: &[f64] = &[0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// 30 s is the deadline of an AWS request.
const AWS_BUCKETS: &[f64] = &[0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The types of conditions that objects are counted by; one that is not here is not counted.
const CONDITIONS: [&str; 7] = ["Ready", "Available", "Synced", "Reconciling", "Stalled", "Paused", "Ended"];
/// The statuses that Kubernetes knows.
const STATUSES: [&str; 3] = ["True", "False", "Unknown"];

#[derive(Debug)]
struct Series {
    registry: Registry,
    process: Process,
    per_object: bool,
    passes: IntCounterVec,
    pass_seconds: HistogramVec,
    aws_requests: IntCounterVec,
    aws_seconds: HistogramVec,
    aws_throttles: IntCounterVec,
    aws_tokens: GaugeVec,
    kube_requests: IntCounterVec,
    events: IntCounterVec,
    objects: IntGaugeVec,
    object_ready: IntGaugeVec,
    queue_depth: IntGaugeVec,
    orphans: IntGaugeVec,
    unreadable: IntGaugeVec,
    panics: IntCounterVec,
    leader: IntGauge,
    oldest_look: GaugeVec,
}

impl Metrics {
    /// A set of metrics of its own. `per_object` also keeps one for each object.
    ///
    /// # Errors
    /// When two metrics share a name: a mistake in this file, that its tests catch.
    pub fn new(per_object: bool) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let keep = &registry;
        let build_info = gauges(keep, BUILD_INFO)?;
        build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let leader = IntGauge::new(LEADER.name, LEADER.help)?;
        keep.register(Box::new(leader.clone()))?;
        Ok(Self(Arc::new(Series {
            process: Process::new(keep)?,
            per_object,
            passes: counters(keep, PASSES)?,
            pass_seconds: histograms(keep, PASS_SECONDS, PASS_BUCKETS)?,
            aws_requests: counters(keep, AWS_REQUESTS)?,
            aws_seconds: histograms(keep, AWS_SECONDS, AWS_BUCKETS)?,
            aws_throttles: counters(keep, AWS_THROTTLES)?,
            aws_tokens: float_gauges(keep, AWS_TOKENS)?,
            kube_requests: counters(keep, KUBE_REQUESTS)?,
            events: counters(keep, EVENTS)?,
            objects: gauges(keep, OBJECTS)?,
            object_ready: gauges(keep, OBJECT_READY)?,
            queue_depth: gauges(keep, QUEUE_DEPTH)?,
            orphans: gauges(keep, ORPHANS)?,
            unreadable: gauges(keep, UNREADABLE)?,
            panics: counters(keep, PANICS)?,
            leader,
            oldest_look: float_gauges(keep, OLDEST_LOOK)?,
            registry,
        })))
    }

    /// A pass ended.
    pub fn pass(&self, kind: &'static str, outcome: PassOutcome, took: Duration) {
        self.0.passes.with_label_values(&[kind, outcome.label()]).inc();
        self.0.pass_seconds.with_label_values(&[kind]).observe(took.as_secs_f64());
        match outcome {
            PassOutcome::Panicked => self.0.panics.with_label_values(&[kind]).inc(),
            PassOutcome::Settled
            | PassOutcome::Waiting
            | PassOutcome::Sent
            | PassOutcome::Released
            | PassOutcome::Held
            | PassOutcome::Failed
            | PassOutcome::TimedOut => {}
        }
    }

    /// AWS answered, refused, or did not answer. What was never sent ([`Class::NotSent`]) is counted but not timed.
    pub fn aws_request(
        &self,
        service: &'static str,
        operation: &'static str,
        outcome: Result<(), Class>,
        took: Duration,
    ) {
        self.0.aws_requests.with_label_values(&[service, operation, outcome.label()]).inc();
        if outcome == Err(Class::Throttled) {
            self.0.aws_throttles.with_label_values(&[service, operation]).inc();
        }
        if outcome != Err(Class::NotSent) {
            self.0.aws_seconds.with_label_values(&[service, operation]).observe(took.as_secs_f64());
        }
    }

    /// How many requests of a limiter class may be sent right now.
    pub fn aws_tokens(&self, account: &str, region: &str, service: &'static str, class: impl Label, tokens: f64) {
        self.0.aws_tokens.with_label_values(&[account, region, service, class.label()]).set(tokens);
    }

    /// The API server answered, refused, or did not answer.
    pub fn kube_request(&self, effect: impl Label, outcome: impl Label) {
        self.0.kube_requests.with_label_values(&[effect.label(), outcome.label()]).inc();
    }

    /// An event for people was posted, or not.
    pub fn event(&self, outcome: EventOutcome) {
        self.0.events.with_label_values(&[outcome.label()]).inc();
    }

    /// The conditions of an object changed: `before` are those of the last call for it (none at the first), `after` is
    /// `None` when it is gone.
    pub fn object(&self, object: ObjectLabels<'_>, before: &[Condition], after: Option<&[Condition]>) {
        let (before, now) = (counted(before), counted(after.unwrap_or_default()));
        let gauge = |(condition, status): &(&'static str, &'static str)| {
            self.0.objects.with_label_values(&[object.kind, condition, status])
        };
        before.difference(&now).for_each(|left| gauge(left).dec());
        now.difference(&before).for_each(|entered| gauge(entered).inc());
        if self.0.per_object {
            let labels = [object.kind, object.namespace, object.name];
            match after {
                Some(_) => {
                    self.0.object_ready.with_label_values(&labels).set(i64::from(now.contains(&("Ready", "True"))));
                }
                // It is an error to remove what never was there, and no harm.
                None => drop(self.0.object_ready.remove_label_values(&labels)),
            }
        }
    }

    /// How many objects wait in a lane.
    pub fn queue_depth(&self, kind: &'static str, lane: impl Label, depth: usize) {
        self.0.queue_depth.with_label_values(&[kind, lane.label()]).set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    /// How long the object that waits longest has not been looked at.
    pub fn oldest_look(&self, kind: &'static str, age: Duration) {
        self.0.oldest_look.with_label_values(&[kind]).set(age.as_secs_f64());
    }

    /// How many AWS resources carry our tags and have no object.
    pub fn orphans(&self, kind: &'static str, count: usize) {
        self.0.orphans.with_label_values(&[kind]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How many objects are there and cannot be read.
    pub fn unreadable(&self, kind: &'static str, count: usize) {
        self.0.unreadable.with_label_values(&[kind]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Whether this process may write.
    pub fn leader(&self, leads: bool) {
        self.0.leader.set(i64::from(leads));
    }

    /// All of it in the text format of Prometheus.
    ///
    /// # Errors
    /// When a metric has no samples of its declared type, which the types exclude.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        self.0.process.measure();
        TextEncoder::new().encode_to_string(&self.0.registry.gather())
    }
}

/// The conditions that are counted, by the constants' own text: what an object says never becomes a label.
fn counted(conditions: &[Condition]) -> BTreeSet<(&'static str, &'static str)> {
    let known = |condition: &Condition| {
        let type_ = CONDITIONS.into_iter().find(|known| *known == condition.type_)?;
        let status = STATUSES.into_iter().find(|known| *known == condition.status)?;
        Some((type_, status))
    };
    conditions.iter().filter_map(known).collect()
}

fn counters(registry: &Registry, of: Described) -> Result<IntCounterVec, prometheus::Error> {
    let made = IntCounterVec::new(Opts::new(of.name, of.help), of.labels)?;
    registry.register(Box::new(made.clone()))?;
    Ok(made)
}

fn gauges(registry: &Registry, of: Described) -> Result<IntGaugeVec, prometheus::Error> {
    let made = IntGaugeVec::new(Opts::new(of.name, of.help), of.labels)?;
    registry.register(Box::new(made.clone()))?;
    Ok(made)
}

fn float_gauges(registry: &Registry, of: Described) -> Result<GaugeVec, prometheus::Error> {
    let made = GaugeVec::new(Opts::new(of.name, of.help), of.labels)?;
    registry.register(Box::new(made.clone()))?;
    Ok(made)
}

fn histograms(registry: &Registry, of: Described, buckets: &[f64]) -> Result<HistogramVec, prometheus::Error> {
    let made = HistogramVec::new(HistogramOpts::new(of.name, of.help).buckets(buckets.to_vec()), of.labels)?;
    registry.register(Box::new(made.clone()))?;
    Ok(made)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    const KIND: &str = "Fleet.appstream.windlass.dev";

    fn condition(type_: &str, status: &str) -> Condition {
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: "Because".to_owned(),
            message: String::new(),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        }
    }

    fn samples(metrics: &Metrics, name: &str) -> Vec<String> {
        let text = metrics.text().unwrap();
        let of_name =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '));
        text.lines().filter(of_name).map(|line| line[name.len()..].to_owned()).collect()
    }

    fn touch_everything(metrics: &Metrics) {
        let second = Duration::from_secs(1);
        metrics.pass(KIND, PassOutcome::Panicked, second);
        metrics.aws_request("appstream", "DescribeFleets", Err(Class::Throttled), second);
        metrics.aws_tokens("123456789012", "eu-central-1", "appstream", PassOutcome::Sent, 1.0);
        metrics.kube_request(PassOutcome::Sent, PassOutcome::Settled);
        metrics.event(EventOutcome::Posted);
        let object = ObjectLabels { kind: KIND, namespace: "team", name: "desk" };
        metrics.object(object, &[], Some(&[condition("Ready", "True")]));
        metrics.queue_depth(KIND, PassOutcome::Waiting, 3);
        metrics.orphans(KIND, 1);
        metrics.unreadable(KIND, 1);
        metrics.leader(true);
        metrics.oldest_look(KIND, second);
    }

    #[test]
    fn every_described_metric_is_exported_with_its_help_and_labels() {
        let metrics = Metrics::new(true).unwrap();
        touch_everything(&metrics);
        let exported: Vec<(String, String, Vec<String>)> = metrics
            .0
            .registry
            .gather()
            .iter()
            .filter(|family| family.name().starts_with("windlass_"))
            .map(|family| {
                let labels =
                    family.get_metric()[0].get_label().iter().map(|pair| pair.name().to_owned()).collect::<Vec<_>>();
                (family.name().to_owned(), family.help().to_owned(), labels)
            })
            .collect();
        let mut described: Vec<_> = describe()
            .iter()
            .map(|of| {
                let mut labels: Vec<String> = of.labels.iter().map(|label| (*label).to_owned()).collect();
                labels.sort();
                (of.name.to_owned(), of.help.to_owned(), labels)
            })
            .collect();
        described.sort();
        assert_eq!(exported, described);
    }

    #[test]
    fn an_object_is_counted_once_by_each_of_its_conditions_until_it_is_gone() {
        let metrics = Metrics::new(true).unwrap();
        let object = ObjectLabels { kind: KIND, namespace: "team", name: "desk" };
        let first = [condition("Ready", "False"), condition("Reconciling", "True")];
        let second = [condition("Ready", "True")];
        metrics.object(object, &[], Some(&first));
        metrics.object(object, &first, Some(&second));
        let kind = format!("kind=\"{KIND}\"");
        assert_eq!(
            samples(&metrics, "windlass_objects"),
            [
                format!("{{condition=\"Ready\",{kind},status=\"False\"}} 0"),
                format!("{{condition=\"Ready\",{kind},status=\"True\"}} 1"),
                format!("{{condition=\"Reconciling\",{kind},status=\"True\"}} 0"),
            ]
        );
        assert_eq!(
            samples(&metrics, "windlass_object_ready"),
            [format!("{{{kind},name=\"desk\",namespace=\"team\"}} 1")]
        );
        metrics.object(object, &second, None);
        assert!(samples(&metrics, "windlass_objects").iter().all(|sample| sample.ends_with(" 0")));
        assert_eq!(samples(&metrics, "windlass_object_ready"), Vec::<String>::new());
    }

    #[test]
    fn an_object_cannot_invent_a_time_series() {
        let metrics = Metrics::new(false).unwrap();
        let object = ObjectLabels { kind: KIND, namespace: "team", name: "desk" };
        metrics.object(object, &[], Some(&[condition("Evil", "True"), condition("Ready", "Perhaps")]));
        assert_eq!(samples(&metrics, "windlass_objects"), Vec::<String>::new());
        metrics.object(object, &[], Some(&[condition("Ready", "True")]));
        assert_eq!(samples(&metrics, "windlass_object_ready"), Vec::<String>::new());
    }

    #[test]
    fn a_throttled_request_counts_as_a_request_and_as_a_throttle() {
        let metrics = Metrics::new(false).unwrap();
        metrics.aws_request("appstream", "StopFleet", Ok(()), Duration::from_millis(30));
        metrics.aws_request("appstream", "StopFleet", Err(Class::Throttled), Duration::from_millis(30));
        metrics.aws_request("appstream", "StopFleet", Err(Class::NotSent), Duration::ZERO);
        let of = "operation=\"StopFleet\"";
        assert_eq!(
            samples(&metrics, "windlass_aws_requests_total"),
            ["not_sent", "ok", "throttled"]
                .map(|outcome| format!("{{{of},outcome=\"{outcome}\",service=\"appstream\"}} 1"))
        );
        assert_eq!(samples(&metrics, "windlass_aws_throttles_total"), [format!("{{{of},service=\"appstream\"}} 1")]);
        assert_eq!(
            samples(&metrics, "windlass_aws_request_duration_seconds_count"),
            [format!("{{{of},service=\"appstream\"}} 2")]
        );
    }
}
