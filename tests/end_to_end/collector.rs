//! A collector of traces, that takes OTLP over HTTP.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// What it was sent, and whether it takes anything.
#[derive(Clone, Default)]
pub struct Collector {
    /// Headers and spans, request by request.
    pub taken: Arc<Mutex<Vec<(HeaderMap, ExportTraceServiceRequest)>>>,
    /// It answers 503.
    pub refuses: Arc<AtomicBool>,
}

impl Collector {
    /// Its address.
    pub async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let here = self.clone();
        let take = async move |headers: HeaderMap, body: Bytes| {
            if here.refuses.load(Ordering::SeqCst) {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            here.taken.lock().unwrap().push((headers, request));
            StatusCode::OK
        };
        let routes = axum::Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        address
    }

    /// All spans.
    pub fn spans(&self) -> Vec<Span> {
        let taken = self.taken.lock().unwrap();
        let scopes = taken.iter().flat_map(|(_, request)| &request.resource_spans).flat_map(|of| &of.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// All spans without their ids: random bytes may look like anything.
    pub fn words(&self) -> String {
        let nameless = |span: Span| Span { trace_id: vec![], span_id: vec![], parent_span_id: vec![], ..span };
        format!("{:?}", self.spans().into_iter().map(nameless).collect::<Vec<_>>())
    }
}
