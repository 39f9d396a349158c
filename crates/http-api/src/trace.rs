//! The trace context in the headers of a request. HTTP and gRPC use the same headers (W3C).

use axum::http::{HeaderMap, HeaderValue};
use ingest::{Ingest, Sink, TRACEPARENT, TRACESTATE, TraceHeaders, TraceParent};

/// The span of the client that sent a request with these headers. `None` if traces are off; the headers are not read then.
pub fn trace_parent<S: Sink>(ingest: &Ingest<S>, headers: &HeaderMap) -> Option<TraceParent> {
    let values = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    ingest.trace_parent(|| TraceHeaders::new(values(TRACEPARENT), values(TRACESTATE)))
}
