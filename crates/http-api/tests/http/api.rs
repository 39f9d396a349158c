//! The router of one route without a server, and a client for it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use ingest::{Admission, Ingest, Limits, MemoryBudget, NullSink, RequestMetrics};
use opentelemetry_sdk::trace::SdkTracer;
use prometheus::Registry;
use prost::Message;
use proto::votes::{CastVotesRequest, Vote};
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_http::cors::CorsLayer;
use vote::Route;

pub(crate) const SINGLE: &str = "/v1/votes";
pub(crate) const BATCH: &str = "/v1/votes:batch";
pub(crate) const BUDGET: usize = 4 * 1024 * 1024;

/// The API of one route.
pub(crate) struct Api {
    pub(crate) router: Router,
    pub(crate) overload_router: Router,
    pub(crate) memory: Arc<MemoryBudget>,
}

/// A response with its complete body.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Api {
    pub(crate) fn new() -> Self {
        Self::with_cors(None)
    }

    pub(crate) fn with_cors(cors: Option<CorsLayer>) -> Self {
        Self::build(cors, None)
    }

    pub(crate) fn with_tracer(tracer: Option<SdkTracer>) -> Self {
        Self::build(None, tracer)
    }

    fn build(cors: Option<CorsLayer>, tracer: Option<SdkTracer>) -> Self {
        let metrics = RequestMetrics::for_route(&Registry::new(), &[1.0], Route::Rest).unwrap();
        let memory = Arc::new(MemoryBudget::new(BUDGET));
        let limits = Limits {
            admission: Admission::new(4_096),
            memory: Arc::clone(&memory),
            deadline: Duration::from_secs(5),
            catalogue: None,
        };
        let ingest = Ingest::new(Route::Rest, Arc::new(NullSink::default()), metrics, limits);
        let ingest = Arc::new(ingest.with_tracer(tracer));
        Self {
            router: http_api::router(Arc::clone(&ingest), cors.clone()),
            overload_router: http_api::overload_router(ingest, cors),
            memory,
        }
    }

    /// Sends a request and checks what holds for every response.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Response {
        send(self.router.clone(), method, path, headers, body.into()).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
        self.send(Method::POST, path, headers, body).await
    }

    /// Asserts that the memory budget is free: nothing is reserved any more.
    pub(crate) fn assert_no_memory_is_reserved(&self) {
        let mut probe = self.memory.reservation();
        probe.grow(BUDGET / 4 * 3).unwrap();
    }
}

pub(crate) async fn send(
    router: Router,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.oneshot(request.body(body).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    assert_eq!(head.headers["x-ingest-route"], "rest", "{path}");
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Response {
        status: head.status,
        headers: head.headers,
        body,
    }
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The detail of a problem document with this status.
    pub(crate) fn detail(&self, status: u16) -> String {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem["status"], status);
        problem["detail"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn assert_accepted(&self) {
        let text = String::from_utf8_lossy(&self.body);
        assert!(self.status.is_success(), "{}: {text}", self.status);
    }

    /// The number of receipts in the response to a batch.
    pub(crate) fn accepted_votes(&self) -> u64 {
        self.assert_accepted();
        let answer: Value = serde_json::from_slice(&self.body).unwrap();
        answer["accepted"].as_u64().unwrap()
    }
}

pub(crate) fn vote() -> Vote {
    Vote {
        name: "Alux Nahual".to_owned(),
        album: "Centroamérica".to_owned(),
        year: "1984".to_owned(),
        rank: "9.5".to_owned(),
        vote_id: String::new(),
    }
}

pub(crate) fn json_vote() -> Value {
    let Vote {
        name,
        album,
        year,
        rank,
        ..
    } = vote();
    json!({"name": name, "album": album, "year": year, "rank": rank})
}

/// A batch of `count` votes in each encoding that the batch endpoint reads.
pub(crate) fn batches(count: usize) -> [(&'static str, Vec<u8>); 3] {
    let array = vec![json_vote(); count];
    let lines: Vec<_> = array.iter().map(ToString::to_string).collect();
    let message = CastVotesRequest {
        votes: vec![vote(); count],
    };
    [
        ("application/json", serde_json::to_vec(&array).unwrap()),
        ("application/x-ndjson", lines.join("\n").into_bytes()),
        ("application/x-protobuf", message.encode_to_vec()),
    ]
}

/// One vote in each encoding that the endpoint for single votes reads.
pub(crate) fn singles() -> [(&'static str, Vec<u8>); 2] {
    [
        ("application/json", json_vote().to_string().into_bytes()),
        ("application/x-protobuf", vote().encode_to_vec()),
    ]
}
