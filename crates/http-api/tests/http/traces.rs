//! The trace context in the headers of requests.

use axum::http::Method;
use opentelemetry::trace::{SpanId, TraceId, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};

use crate::api::{Api, BATCH, SINGLE, json_vote};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Sends a request with these headers. Returns the spans, that of the request last.
async fn spans(path: &str, headers: &[(&str, &str)], body: String) -> Vec<SpanData> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let api = Api::with_tracer(Some(provider.tracer("test")));
    let response = api.send(Method::POST, path, headers, body).await;
    assert_eq!(
        response.header("traceparent"),
        None,
        "the context is for the next hop"
    );
    exporter.get_finished_spans().unwrap()
}

fn trace_of(span: &SpanData) -> (TraceId, SpanId) {
    (span.span_context.trace_id(), span.parent_span_id)
}

fn client() -> (TraceId, SpanId) {
    (
        TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").unwrap(),
        SpanId::from_hex("00f067aa0ba902b7").unwrap(),
    )
}

#[tokio::test]
async fn every_path_continues_the_trace_of_its_client() {
    let vote = json_vote().to_string();
    let batch = format!("[{vote},{vote}]");
    for (path, body, name) in [
        (SINGLE, &vote, "POST /v1/votes"),
        ("/insert", &vote, "POST /v1/votes"),
        (BATCH, &batch, "POST /v1/votes:batch"),
    ] {
        let headers = [
            ("traceparent", PARENT),
            ("tracestate", "a=1"),
            ("tracestate", "b=2"),
        ];
        let spans = spans(path, &headers, body.clone()).await;
        let (request, stages) = spans.split_last().unwrap();
        assert_eq!((&*request.name, trace_of(request)), (name, client()), "{path}");
        assert_eq!(request.span_context.trace_state().header(), "a=1,b=2", "{path}");
        let stages: Vec<_> = stages.iter().map(|stage| &*stage.name).collect();
        assert_eq!(
            stages,
            ["decode", "validate", "encode", "publish", "reply"],
            "{path}"
        );
    }
}

#[tokio::test]
async fn request_that_is_refused_has_a_span_with_its_status() {
    for (path, body, status) in [(SINGLE, "{}", 422_i64), (SINGLE, "{", 400), (BATCH, "{", 400)] {
        let spans = spans(path, &[("traceparent", PARENT)], body.to_owned()).await;
        let request = spans.last().unwrap();
        assert_eq!(trace_of(request), client());
        let mut attributes = request.attributes.iter();
        let found = attributes.find(|pair| pair.key.as_str() == "http.response.status_code");
        assert_eq!(found.unwrap().value, status.into(), "{path} {body}");
    }
}

#[tokio::test]
async fn invalid_or_repeated_context_starts_a_new_trace() {
    for headers in [
        &[("traceparent", "no context")][..],
        &[("traceparent", PARENT), ("traceparent", PARENT)],
        &[("tracestate", "a=1")],
        &[],
    ] {
        let spans = spans(SINGLE, headers, json_vote().to_string()).await;
        let request = spans.last().unwrap();
        assert_eq!(request.parent_span_id, SpanId::INVALID, "{headers:?}");
        assert_ne!(request.span_context.trace_id(), client().0, "{headers:?}");
    }
}
