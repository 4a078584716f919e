//! Traces: what the real operator sends to a collector.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;

use crate::collector::Collector;
use crate::stage::{Stage, ready, simulator, spec, until};

fn words(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let word = |pair: &KeyValue| match pair.value.as_ref().and_then(|value| value.value.clone()) {
        Some(Any::StringValue(text)) => Some((pair.key.clone(), text)),
        _ => None,
    };
    attributes.iter().filter_map(word).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pass_is_a_span_and_its_aws_requests_are_spans_below_it() {
    let stage = Stage::new("traces", simulator(&["--start=1s", "--stop=1s"]).await).await;
    let collector = Collector::default();
    let recipe = stage.operator().env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.start().await);
    let recipe = recipe.env("OTEL_BSP_SCHEDULE_DELAY", "200");
    let operator = recipe.env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20letmein").ready().await;
    stage.create("traced", spec(json!({ "desiredState": "Running" }))).await;
    stage.until("traced", "Ready", ready).await;
    let name = |span: &Span| span.name.clone();
    until("the spans of its life arrive", || {
        let names: Vec<String> = collector.spans().iter().map(name).collect();
        ["appstream/CreateFleet", "appstream/StartFleet"].iter().all(|wanted| names.iter().any(|name| name == wanted))
    })
    .await;
    // The pass ends after its requests.
    let parent_of = |child: &Span| {
        let parent = child.parent_span_id.clone();
        collector.spans().into_iter().find(|span| span.span_id == parent)
    };
    let create = collector.spans().into_iter().find(|span| span.name == "appstream/CreateFleet").unwrap();
    until("the pass of the create arrives", || parent_of(&create).is_some()).await;
    let pass = parent_of(&create).unwrap();
    assert_eq!((pass.name.as_str(), &pass.trace_id), ("pass Fleet.appstream.windlass.dev", &create.trace_id));
    assert_eq!(pass.parent_span_id, Vec::<u8>::new(), "a pass is a trace of its own");
    let said = words(&pass.attributes);
    let expected = [
        ("kind", "Fleet.appstream.windlass.dev"),
        ("lane", said["lane"].as_str()),
        ("name", "traced"),
        ("namespace", stage.namespace.as_str()),
        ("outcome", "sent"),
    ];
    assert_eq!(said, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    let said = words(&create.attributes);
    assert_eq!((said["rpc.service"].as_str(), said["rpc.method"].as_str()), ("appstream", "CreateFleet"));
    assert!(said.contains_key("cloud.region") && said.contains_key("cloud.account.id"), "{said:?}");
    assert!(collector.spans().iter().all(|span| span.events.is_empty()), "no line of anybody's gets into a trace");
    let (headers, request) = collector.taken.lock().unwrap()[0].clone();
    assert_eq!(headers["authorization"], "Bearer letmein");
    let of = words(&request.resource_spans[0].resource.as_ref().unwrap().attributes);
    assert_eq!((of["service.name"].as_str(), of["service.version"].as_str()), ("windlass", env!("CARGO_PKG_VERSION")));

    // What AWS refuses is an error, with its code.
    let fault =
        json!({ "operation": "UpdateFleet", "nth": 1, "effect": "Coded", "code": "ConcurrentModificationException" });
    stage.sim("POST", "/faults", &fault);
    stage.patch("traced", json!({ "spec": { "displayName": "Refused once" } })).await;
    let refused = || {
        collector
            .spans()
            .into_iter()
            .find(|span| span.name == "appstream/UpdateFleet" && words(&span.attributes).contains_key("error.type"))
    };
    until("the refusal arrives", || refused().is_some()).await;
    let span = refused().unwrap();
    assert_eq!(
        (span.name.as_str(), words(&span.attributes)["error.type"].as_str()),
        ("appstream/UpdateFleet", "ConcurrentModificationException")
    );
    assert_eq!(span.status.unwrap().code, 2);

    // A collector that is away is told of once, and keeps nobody from work.
    collector.refuses.store(true, Ordering::SeqCst);
    stage.until("traced", "Ready again", ready).await;
    stage.patch("traced", json!({ "spec": { "displayName": "Unseen" } })).await;
    stage.until_aws("traced", "renamed", |fleet| fleet["settings"]["DisplayName"] == "Unseen").await;
    until("it is told", || operator.daemon.log().contains("sending traces: the collector answered 503")).await;
    operator.stop();
    assert_eq!(operator.daemon.log().matches("sending traces:").count(), 1, "once");
    operator.assert_log_is_clean();
    assert!(!operator.daemon.log().contains("letmein"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_endpoint_that_is_none_keeps_nobody_from_being_served() {
    let stage = Stage::new("untraced", simulator(&[]).await).await;
    // The form of gRPC, as some platforms set it for every pod.
    let operator = stage.operator().env("OTEL_EXPORTER_OTLP_ENDPOINT", "user:letmein@agent:4317").ready().await;
    let log = operator.daemon.log();
    assert!(
        log.contains("there are no traces: the endpoint for traces is not an http:// or https:// address"),
        "{log}"
    );
    assert!(!log.contains("letmein"), "{log}");
    operator.stop();
}
