//! Traces by OTLP over HTTP: a span for each pass, and below it one for each AWS request that it makes itself. Only where an
//! endpoint is named; a span that nobody receives costs one atomic read.
//!
//! Spans are for traces alone, and lines for the log alone: what others write into their own spans and lines (the SDK's hold
//! request bodies) gets into no trace.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::{Metadata, Span, Subscriber, debug, field, info, info_span, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use super::labels::{Label, PassOutcome};
use crate::aws::gate::Urgency;
use crate::causes::told;

/// How long the collector may take to answer: the default of `OTEL_EXPORTER_OTLP_TIMEOUT`.
/// <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>
const PATIENCE: Duration = Duration::from_secs(10);
/// The most that is read of an answer: it holds a count of refused spans and a sentence, far less than this.
const MOST: usize = 64 * 1024;
/// How long the end of the process waits for the last spans, and for look-ups of names: with the 20 s of the drain still less
/// than a pod's default grace of 30 s.
pub const LAST: Duration = Duration::from_secs(2);

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The roots that TLS trusts cannot be read.
    #[error("reading the trusted roots for traces: {0}")]
    Roots(#[from] std::io::Error),
    /// What the environment says of the exporter makes no sense.
    #[error("setting up traces: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// The address of the collector is none: not repeated, it may hold a password.
    #[error("the endpoint for traces is not an http:// or https:// address")]
    Endpoint,
}

/// Where spans go.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to send to a collector, `endpoint` being its address without `/v1/traces`. What the OpenTelemetry
    /// specification lets the environment say of headers, sampler, resource and batches is read by its SDK.
    ///
    /// # Errors
    /// When that is no address, the environment makes no sense, or no root is trusted.
    pub fn start(endpoint: &str, identity: &str, runtime: Handle) -> Result<Self, TraceError> {
        let uri = endpoint.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        let endpoint = uri.filter(|uri| uri.host().is_some()).ok_or(TraceError::Endpoint)?;
        let https = HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(https);
        let sender = Sender { client, runtime, failing: AtomicBool::new(false) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(sender)
            .with_endpoint(format!("{}/v1/traces", endpoint.to_string().trim_end_matches('/')))
            .with_timeout(PATIENCE)
            .build()?;
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource(identity));
        Ok(Self(provider.build()))
    }

    /// What takes the spans of this process.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("windlass"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(is_ours))
    }

    /// Sends what is left, as far as that takes no longer than [`LAST`].
    pub fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST) {
            debug!("the last spans were not sent: {error}");
        }
    }
}

/// The span of a pass.
pub fn pass(kind: &'static str, namespace: &str, name: &str, lane: Urgency) -> Span {
    info_span!(
        "pass",
        otel.name = format!("pass {kind}"),
        kind,
        namespace,
        name,
        lane = lane.label(),
        outcome = field::Empty,
        otel.status_code = field::Empty,
    )
}

/// How a pass ended.
pub fn ended(span: &Span, outcome: PassOutcome) {
    span.record("outcome", outcome.label());
    match outcome {
        PassOutcome::Failed | PassOutcome::TimedOut | PassOutcome::Panicked => {
            span.record("otel.status_code", "ERROR");
        }
        PassOutcome::Settled | PassOutcome::Waiting | PassOutcome::Sent | PassOutcome::Released | PassOutcome::Held => {
        }
    }
}

/// Only the spans of this crate, and none of its lines.
fn is_ours(what: &Metadata<'_>) -> bool {
    what.is_span() && super::logs::of(what.target(), "windlass")
}

/// Who speaks: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` have the last word.
fn resource(identity: &str) -> Resource {
    let told = Resource::builder().build();
    let ours = [
        ("service.name", "windlass"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", identity),
    ];
    let untold = ours.into_iter().filter(|(key, _)| {
        let value = told.get(&Key::from_static_str(key));
        // What the SDK itself says where nobody has named the service.
        value.is_none_or(|value| value.as_str().starts_with("unknown_service"))
    });
    Resource::builder().with_attributes(untold.map(|(key, value)| KeyValue::new(key, value.to_owned()))).build()
}

/// What carries the spans to the collector, and says once when it cannot.
#[derive(Debug)]
struct Sender {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
    failing: AtomicBool,
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let asked = async move {
            let (head, body) = client.request(request.map(Full::from)).await?.into_parts();
            let body = Limited::new(body, MOST).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(head, body))
        };
        // The SDK sends from a thread of its own, where no runtime is.
        let sent = self.runtime.spawn(async { tokio::time::timeout(PATIENCE, asked).await });
        let answer = sent.await?.unwrap_or_else(|late| Err(late.into()));
        match &answer {
            Ok(answer) => self.tell((!answer.status().is_success()).then(|| refusal(answer.status()))),
            Err(error) => self.tell(Some(told(&**error))),
        }
        answer
    }
}

impl Sender {
    /// Once for each time that it begins or ends: a collector that is away would fill the log.
    fn tell(&self, trouble: Option<String>) {
        let before = self.failing.swap(trouble.is_some(), Ordering::Relaxed);
        match (trouble, before) {
            (Some(trouble), false) => warn!("sending traces: {trouble}"),
            (Some(trouble), true) => debug!("sending traces: {trouble}"),
            (None, true) => info!("traces are sent again"),
            (None, false) => {}
        }
    }
}

fn refusal(status: StatusCode) -> String {
    format!("the collector answered {status}")
}
