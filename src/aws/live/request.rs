//! One AWS request: a permit from the gate, the call, its meaning.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::Instant;
use tracing::{Instrument, Span, field, info_span};

use super::errors::{aws_error, ours};
use crate::aws::AwsError;
use crate::aws::codes::Service;
use crate::aws::gate::{Access, BucketKey, Gate, Urgency};
use crate::plan::Class;

/// How long a read waits for its permit before it is given up as not sent: 2,000 permits at the gate's ceiling, which is
/// two reads for each of a thousand objects that are all looked at at once.
pub(super) const READ_PATIENCE: Duration = Duration::from_secs(20);
/// How long a write waits for its permit. Part of [`crate::plan::UNCERTAINTY`]: what was decided long ago is decided anew.
pub(super) const WRITE_PATIENCE: Duration = Duration::from_secs(5);

/// A way to one service in one account and Region, through the gate.
#[derive(Clone)]
pub(in crate::aws) struct Way {
    gate: Arc<Gate>,
    service: Service,
    account: Arc<str>,
    region: Arc<str>,
    urgency: Urgency,
}

impl Way {
    pub(in crate::aws) fn new(
        gate: Arc<Gate>,
        service: Service,
        account: &str,
        region: &str,
        urgency: Urgency,
    ) -> Self {
        Self { gate, service, account: account.into(), region: region.into(), urgency }
    }

    /// Who goes first.
    pub(super) fn urgency(&self) -> Urgency {
        self.urgency
    }

    /// Makes a request that changes nothing.
    pub(super) async fn read<O, E, F>(&self, operation: &'static str, send: F) -> Result<O, AwsError>
    where
        E: Error + ProvideErrorMetadata + 'static,
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    {
        self.request(operation, Access::Read, send).await
    }

    /// Makes a request that changes something.
    pub(super) async fn write<O, E, F>(&self, operation: &'static str, send: F) -> Result<O, AwsError>
    where
        E: Error + ProvideErrorMetadata + 'static,
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    {
        self.request(operation, Access::Write, send).await
    }

    async fn request<O, E, F>(&self, operation: &'static str, access: Access, send: F) -> Result<O, AwsError>
    where
        E: Error + ProvideErrorMetadata + 'static,
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    {
        let key = BucketKey {
            account: Arc::clone(&self.account),
            region: Arc::clone(&self.region),
            service: self.service,
            access,
        };
        let patience = match access {
            Access::Read => READ_PATIENCE,
            Access::Write => WRITE_PATIENCE,
        };
        if let Err(refusal) = self.gate.take(&key, self.urgency, patience).await {
            let error = ours(operation, Class::NotSent, "NoPermit", &refusal.to_string());
            self.gate.ended(&key, operation, Some(error.class), Duration::ZERO);
            return Err(error);
        }
        let began = Instant::now();
        // SDK futures are several KiB each: boxed, they do not add up in every future that awaits one.
        let span = self.span(operation);
        let result = Box::pin(send.instrument(span.clone())).await;
        let result = result.map_err(|error| aws_error(self.service, operation, &error));
        if let Err(error) = &result {
            span.record("error.type", error.code.as_str());
            // What is not there is an answer as good as any.
            if error.class != Class::NotFound {
                span.record("otel.status_code", "ERROR");
            }
        }
        self.gate.ended(&key, operation, result.as_ref().err().map(|error| error.class), began.elapsed());
        result
    }

    /// The span of one request, below that of the pass that makes it.
    /// <https://opentelemetry.io/docs/specs/semconv/cloud-providers/aws-sdk/>
    fn span(&self, operation: &'static str) -> Span {
        info_span!(
            "request",
            otel.name = format!("{}/{operation}", self.service.as_str()),
            otel.kind = "client",
            otel.status_code = field::Empty,
            rpc.system = "aws-api",
            rpc.service = self.service.as_str(),
            rpc.method = operation,
            cloud.account.id = &*self.account,
            cloud.region = &*self.region,
            error.type = field::Empty,
        )
    }
}
