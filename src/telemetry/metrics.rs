//! The metrics: one typed method for each thing that happens, so that no call site spells a name or a label.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::described::{self, Described};
use super::labels::{EventOutcome, Label, PassOutcome};
use super::objects::Objects;
pub use super::objects::{ObjectLabels, ObjectShows};
use super::process::Process;
use crate::plan::Class;

/// All metrics of this process. Clones share them.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Series>);

/// A pass waits for two or three requests: 5 ms is an API server nearby, 60 s the deadline of a pass.
const PASS_BUCKETS: &[f64] = &[0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// 30 s is the deadline of an AWS request.
const AWS_BUCKETS: &[f64] = &[0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

#[derive(Debug)]
struct Series {
    registry: Registry,
    process: Process,
    seen: Objects,
    passes: IntCounterVec,
    pass_seconds: HistogramVec,
    aws_requests: IntCounterVec,
    aws_seconds: HistogramVec,
    aws_throttles: IntCounterVec,
    aws_tokens: GaugeVec,
    kube_requests: IntCounterVec,
    events: IntCounterVec,
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
        let seen = Objects::new(per_object)?;
        keep.register(Box::new(seen.clone()))?;
        let build_info = gauges(keep, described::BUILD_INFO)?;
        build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let leader = IntGauge::new(described::LEADER.name, described::LEADER.help)?;
        keep.register(Box::new(leader.clone()))?;
        Ok(Self(Arc::new(Series {
            process: Process::new(keep)?,
            seen,
            passes: counters(keep, described::PASSES)?,
            pass_seconds: histograms(keep, described::PASS_SECONDS, PASS_BUCKETS)?,
            aws_requests: counters(keep, described::AWS_REQUESTS)?,
            aws_seconds: histograms(keep, described::AWS_SECONDS, AWS_BUCKETS)?,
            aws_throttles: counters(keep, described::AWS_THROTTLES)?,
            aws_tokens: float_gauges(keep, described::AWS_TOKENS)?,
            kube_requests: counters(keep, described::KUBE_REQUESTS)?,
            events: counters(keep, described::EVENTS)?,
            queue_depth: gauges(keep, described::QUEUE_DEPTH)?,
            orphans: gauges(keep, described::ORPHANS)?,
            unreadable: gauges(keep, described::UNREADABLE)?,
            panics: counters(keep, described::PANICS)?,
            leader,
            oldest_look: float_gauges(keep, described::OLDEST_LOOK)?,
            registry,
        })))
    }

    /// A kind is served from now on: what has not happened yet is counted as 0, so that a first time is seen as a growth.
    pub fn serve(&self, kind: &'static str) {
        PassOutcome::ALL.iter().for_each(|outcome| drop(self.0.passes.with_label_values(&[kind, outcome.label()])));
        drop(self.0.panics.with_label_values(&[kind]));
        drop(self.0.orphans.with_label_values(&[kind]));
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

    /// An object shows this now; `None`: it is gone.
    pub fn object(&self, object: ObjectLabels<'_>, shows: Option<ObjectShows<'_>>) {
        self.0.seen.show(object, shows);
    }

    /// A pass over an object has succeeded.
    pub fn succeeded(&self, object: ObjectLabels<'_>, at: Timestamp) {
        self.0.seen.succeeded(object, at);
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
#[path = "metrics_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
