//! The spans of requests: their parents, names and attributes, and what the next hop gets.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ingest::{
    Admission, EncodedVote, Ingest, IngestError, Limits, MemoryBudget, Position, RequestMetrics, Sink,
    SinkError, Stage, TRACEPARENT, TraceHeaders, TracedCall,
};
use opentelemetry::Value;
use opentelemetry::trace::{SpanId, SpanKind, Status, TraceId, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use prometheus::Registry;
use vote::{Draft, Malformed, Route};

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NOT_SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALL: TracedCall = TracedCall::Http {
    name: "POST /v1/votes",
    success: 202,
};
const STAGES: [&str; 5] = ["decode", "validate", "encode", "publish", "reply"];

/// Keeps the records. Fails with an error that the test sets.
#[derive(Default)]
struct TestSink {
    records: Mutex<Vec<EncodedVote>>,
    error: Mutex<Option<SinkError>>,
}

impl Sink for TestSink {
    async fn publish(&self, record: EncodedVote) -> Result<Position, SinkError> {
        self.records.lock().unwrap().push(record);
        match self.error.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => Ok(Position {
                partition: 1,
                offset: 7,
            }),
        }
    }

    fn available(&self) -> Result<(), SinkError> {
        Ok(())
    }
}

struct TestRoute {
    sink: Arc<TestSink>,
    ingest: Ingest<TestSink>,
    provider: SdkTracerProvider,
    exporter: InMemorySpanExporter,
}

impl TestRoute {
    /// A route whose traces without a parent are sampled by `root`. Its tracer is used only if `is_on`.
    fn new(root: Sampler, is_on: bool) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(root)))
            .with_simple_exporter(exporter.clone())
            .build();
        let sink = Arc::new(TestSink::default());
        let metrics = RequestMetrics::for_route(&Registry::new(), &[1.0], Route::Rest).unwrap();
        let limits = Limits {
            admission: Admission::new(100),
            memory: Arc::new(MemoryBudget::new(0)),
            deadline: Duration::from_secs(5),
            catalogue: None,
        };
        let tracer = is_on.then(|| provider.tracer("test"));
        Self {
            ingest: Ingest::new(Route::Rest, Arc::clone(&sink), metrics, limits).with_tracer(tracer),
            sink,
            provider,
            exporter,
        }
    }

    /// Sends one vote with this `traceparent`, through all stages.
    async fn send(&self, traceparent: Option<&str>) {
        let mut timer = self.ingest.start_timer();
        timer.start_span(CALL, self.parent(traceparent).as_ref());
        timer.stage(Stage::Decode, || ());
        let result = self.ingest.accept(&timer, draft()).await;
        timer.stage(Stage::Reply, || ());
        timer.finish(&result);
    }

    fn parent(&self, traceparent: Option<&str>) -> Option<ingest::TraceParent> {
        let values = traceparent.map(str::as_bytes);
        self.ingest
            .trace_parent(|| TraceHeaders::new(values.into_iter(), std::iter::empty()))
    }

    /// The spans that have ended, in the order of their ends.
    fn spans(&self) -> Vec<SpanData> {
        self.provider.force_flush().unwrap();
        self.exporter.get_finished_spans().unwrap()
    }

    /// The value of `traceparent` for each record.
    fn traceparents(&self) -> Vec<Option<String>> {
        let records = self.sink.records.lock().unwrap();
        let header = |record: &EncodedVote| {
            let headers = record.trace.as_ref()?.headers();
            headers
                .into_iter()
                .find_map(|(name, value)| (name == TRACEPARENT).then_some(value))
        };
        records.iter().map(header).collect()
    }
}

fn draft() -> Draft {
    Draft::from_json(br#"{"name":"La Tona","album":"Moneda","year":1995,"rank":9}"#).unwrap()
}

fn names(spans: &[SpanData]) -> Vec<&str> {
    spans.iter().map(|span| &*span.name).collect()
}

fn attribute(span: &SpanData, name: &str) -> Option<Value> {
    let attribute = span.attributes.iter().find(|pair| pair.key.as_str() == name);
    attribute.map(|pair| pair.value.clone())
}

#[tokio::test]
async fn request_continues_the_trace_of_its_client() {
    let route = TestRoute::new(Sampler::AlwaysOff, true);
    route.send(Some(SAMPLED)).await;
    let spans = route.spans();
    let server = spans.last().unwrap();
    assert_eq!(
        (&*server.name, &server.span_kind),
        ("POST /v1/votes", &SpanKind::Server)
    );
    assert_eq!(
        server.span_context.trace_id(),
        TraceId::from_hex(TRACE_ID).unwrap()
    );
    assert_eq!(
        server.parent_span_id,
        SpanId::from_hex("00f067aa0ba902b7").unwrap()
    );
    assert!(server.parent_span_is_remote);
    for (name, value) in [
        ("http.request.method", Value::from("POST")),
        ("http.route", "/v1/votes".into()),
        ("http.response.status_code", 202_i64.into()),
        ("dualpath.outcome", "accepted".into()),
    ] {
        assert_eq!(attribute(server, name), Some(value), "{name}");
    }
    // The next hop continues with the span of the request.
    let span_id = server.span_context.span_id();
    assert_eq!(
        route.traceparents(),
        [Some(format!("00-{TRACE_ID}-{span_id}-01"))]
    );
}

#[tokio::test]
async fn stages_are_children_with_the_names_of_the_histograms() {
    let route = TestRoute::new(Sampler::AlwaysOn, true);
    route.send(None).await;
    let spans = route.spans();
    let (server, stages) = spans.split_last().unwrap();
    assert_eq!(names(stages), STAGES);
    for stage in stages {
        assert_eq!(stage.parent_span_id, server.span_context.span_id());
        assert!(stage.start_time >= server.start_time && stage.end_time <= server.end_time);
    }
    let times = stages.iter().flat_map(|stage| [stage.start_time, stage.end_time]);
    assert!(times.is_sorted(), "{stages:?}");
}

#[tokio::test]
async fn request_of_a_trace_that_is_not_sampled_has_no_span() {
    let route = TestRoute::new(Sampler::AlwaysOn, true);
    route.send(Some(NOT_SAMPLED)).await;
    assert!(route.spans().is_empty());
    // The next hop must continue this trace, and not start another one.
    let [Some(traceparent)] = &route.traceparents()[..] else {
        unreachable!("the context is passed on");
    };
    assert!(traceparent.starts_with(&format!("00-{TRACE_ID}-")) && traceparent.ends_with("-00"));
}

#[tokio::test]
async fn invalid_traceparent_is_ignored() {
    for traceparent in ["", "no context", &SAMPLED.replace('4', "x"), &SAMPLED[..50]] {
        let route = TestRoute::new(Sampler::AlwaysOn, true);
        route.send(Some(traceparent)).await;
        let spans = route.spans();
        let server = spans.last().unwrap();
        assert_eq!(server.parent_span_id, SpanId::INVALID, "{traceparent}");
        assert_ne!(server.span_context.trace_id(), TraceId::INVALID, "{traceparent}");
    }
}

#[tokio::test]
async fn without_a_tracer_the_headers_are_not_read() {
    let route = TestRoute::new(Sampler::AlwaysOn, false);
    let parent = route
        .ingest
        .trace_parent(|| unreachable!("traces are off, so the headers are not needed"));
    assert!(parent.is_none());
    route.send(Some(SAMPLED)).await;
    assert!(route.spans().is_empty());
    assert_eq!(route.traceparents(), [None]);
}

#[tokio::test]
async fn batch_has_one_span_per_stage_whatever_its_size() {
    let route = TestRoute::new(Sampler::AlwaysOff, true);
    let mut timer = route.ingest.start_timer();
    timer.start_span(CALL, route.parent(Some(SAMPLED)).as_ref());
    timer.stage(Stage::Decode, || ());
    let mut drafts: Vec<Result<Draft, Malformed>> = vec![Ok(draft()); 20];
    drafts.push(Err(Malformed("no vote".to_owned())));
    let span = timer.span();
    let results = route.ingest.accept_batch(timer.split(21), drafts).await;
    route.ingest.stage(Stage::Reply, span.as_ref(), || ());
    span.unwrap().answer(results.as_ref().map(|_| ()));

    let spans = route.spans();
    let (server, stages) = spans.split_last().unwrap();
    assert_eq!(names(stages), STAGES);
    let votes = stages.iter().map(|stage| attribute(stage, "dualpath.votes"));
    let of_all = Some(Value::from(20_i64));
    assert_eq!(
        votes.collect::<Vec<_>>(),
        [None, of_all.clone(), of_all.clone(), of_all, None]
    );
    assert_eq!(attribute(server, "dualpath.accepted_votes"), Some(20_i64.into()));
    assert_eq!(attribute(server, "dualpath.rejected_votes"), Some(1_i64.into()));
    let traceparent = format!("00-{TRACE_ID}-{}-01", server.span_context.span_id());
    assert_eq!(route.traceparents(), vec![Some(traceparent); 20]);
}

#[tokio::test]
async fn failure_of_the_server_is_an_error_with_its_reason() {
    let route = TestRoute::new(Sampler::AlwaysOn, true);
    let reason = "no broker responds".to_owned();
    *route.sink.error.lock().unwrap() = Some(SinkError::Unavailable(reason.clone()));
    route.send(None).await;
    *route.sink.error.lock().unwrap() = Some(SinkError::Full);
    route.send(None).await;
    let spans = route.spans();
    let [failed, overloaded] = &spans
        .iter()
        .filter(|span| span.name == "POST /v1/votes")
        .collect::<Vec<_>>()[..]
    else {
        unreachable!("two requests: {spans:?}");
    };
    assert_eq!(failed.status, Status::error(reason));
    assert_eq!(
        attribute(failed, "http.response.status_code"),
        Some(503_i64.into())
    );
    assert_eq!(attribute(failed, "error.type"), Some("unavailable".into()));
    // An error that the client can mend is none of the server.
    assert_eq!(overloaded.status, Status::Unset);
    assert_eq!(
        attribute(overloaded, "dualpath.outcome"),
        Some("overloaded".into())
    );
}

#[tokio::test]
async fn request_without_an_answer_is_cancelled() {
    let route = TestRoute::new(Sampler::AlwaysOn, true);
    let mut timer = route.ingest.start_timer();
    let call = TracedCall::Grpc {
        name: "votes.v1.VoteService/CastVote",
    };
    timer.start_span(call, route.parent(None).as_ref());
    drop(timer);
    let spans = route.spans();
    assert_eq!(names(&spans), ["votes.v1.VoteService/CastVote"]);
    for (name, value) in [
        ("rpc.system", Value::from("grpc")),
        ("rpc.service", "votes.v1.VoteService".into()),
        ("rpc.method", "CastVote".into()),
        ("rpc.grpc.status_code", 1_i64.into()),
        ("dualpath.outcome", "cancelled".into()),
    ] {
        assert_eq!(attribute(&spans[0], name), Some(value), "{name}");
    }
    assert_eq!(spans[0].status, Status::Unset);
    let error: Result<_, IngestError> = Err(IngestError::ClientDisconnected);
    let mut timer = route.ingest.start_timer();
    timer.start_span(call, route.parent(None).as_ref());
    timer.finish(&error);
    assert_eq!(
        attribute(&route.spans()[1], "dualpath.outcome"),
        Some("cancelled".into())
    );
}
