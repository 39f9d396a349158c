//! Traces of the real programs, as a collector receives them: one vote is one trace, from the client to the stores.

mod collector;

use std::time::{Duration, Instant};

use e2e::service_process::{ServiceKind, ServiceProcess};
use e2e::wait::holds_within;
use ephemeral_stack::EphemeralStack;
use lab::endpoints::Endpoints;
use lab::ports::free_address;
use lab::servers::Server;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use proto::votes::vote_service_client::VoteServiceClient;
use proto::votes::{CastVotesRequest, Receipt, Vote};
use serde_json::Value;
use tonic::transport::{Channel, Endpoint};

use self::collector::{Collector, ReceivedSpan, hex, text_attribute};

const STAGES: [&str; 5] = ["decode", "encode", "publish", "reply", "validate"];
const CLIENT_SPAN: &str = "00f067aa0ba902b7";
const VOTE: &str = r#"{"name":"Bohemia Suburbana","album":"Sombras","year":"1997","rank":"9.5"}"#;
const SERVERS: [Server; 7] = [
    Server::Kafka,
    Server::Redis,
    Server::Mongodb,
    Server::Grpc,
    Server::Rest,
    Server::Consumer,
    Server::Bridge,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vote_by_each_route_is_one_complete_trace() {
    let collector = Collector::default();
    let endpoint = collector.listen_grpc().await;
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ];
    let servers: Vec<&str> = SERVERS.iter().map(|server| server.name()).collect();
    let options = ["--only", &servers.join(",")];
    let stack = EphemeralStack::start_with_environment(&options, &environment).unwrap();
    let endpoints = stack.endpoints();

    let rest = post_vote(&endpoints.rest, &traceparent('1', "01")).await;
    post_vote(&endpoints.bridge, &traceparent('2', "01")).await;
    let channel = Endpoint::from_shared(endpoints.grpc.clone())
        .unwrap()
        .connect()
        .await;
    let mut grpc = VoteServiceClient::new(channel.unwrap());
    grpc.cast_vote(with_traceparent(vote(), '3')).await.unwrap();
    let batch = CastVotesRequest {
        votes: vec![vote(), vote()],
    };
    grpc.cast_votes(with_traceparent(batch, '4')).await.unwrap();
    stream_votes(&mut grpc, 2, '5').await;
    let not_sampled = post_vote(&endpoints.rest, &traceparent('6', "00")).await;

    let rest_trace = complete_trace(&collector, '1', 1).await;
    assert_eq!(
        calls(&rest_trace),
        [("consumer", "process votes"), ("ingest-rest", "POST /v1/votes")]
    );
    let bridge_trace = complete_trace(&collector, '2', 1).await;
    assert_eq!(
        calls(&bridge_trace),
        [
            ("bridge", "POST /v1/votes"),
            ("consumer", "process votes"),
            ("ingest-grpc", "votes.v1.BridgeService/Forward"),
        ]
    );
    assert_eq!(stages(&bridge_trace, "bridge"), STAGES);
    // The bridge has validated the vote.
    let forwarded: Vec<_> = STAGES.into_iter().filter(|stage| *stage != "validate").collect();
    assert_eq!(stages(&bridge_trace, "ingest-grpc"), forwarded);
    for (trace, service, call, votes) in [
        ('1', "ingest-rest", "POST /v1/votes", 1),
        ('3', "ingest-grpc", "votes.v1.VoteService/CastVote", 1),
        ('4', "ingest-grpc", "votes.v1.VoteService/CastVotes", 2),
    ] {
        let spans = complete_trace(&collector, trace, votes).await;
        assert_eq!(stages(&spans, service), STAGES, "{call}");
        assert!(calls(&spans).contains(&(service, call)), "{spans:?}");
    }
    let of_stream = complete_trace(&collector, '5', 2).await;
    let call = ("ingest-grpc", "votes.v1.VoteService/StreamVotes");
    let streamed = calls(&of_stream);
    assert_eq!(
        streamed.iter().filter(|span| **span == call).count(),
        2,
        "{streamed:?}"
    );

    batches_link_to_their_votes(&collector);
    assert!(collector.trace(&trace_id('6')).is_empty());
    check_record_headers(endpoints, &rest, &not_sampled);
    for admin in [
        &endpoints.rest_admin,
        &endpoints.grpc_admin,
        &endpoints.bridge_admin,
        &endpoints.consumer_admin,
    ] {
        let config = reqwest::get(format!("{admin}/config")).await.unwrap();
        let config: Value = config.json().await.unwrap();
        assert_eq!(config["settings"]["traces.exporter"], "otlp", "{admin}");
        assert_eq!(
            config["settings"]["traces.sampler"], "ParentBased(AlwaysOn)",
            "{admin}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_exports_the_last_spans_over_http() {
    let collector = Collector::default();
    let endpoint = collector.listen_http().await;
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_SERVICE_NAME", "my-route"),
        ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
    ];
    let options = ["--sink", "null"];
    let service = ServiceProcess::start_with_environment(ServiceKind::Rest, &options, &environment)
        .await
        .unwrap();
    post_vote(&format!("http://{}", service.address()), &traceparent('1', "01")).await;
    assert!(collector.spans().is_empty());
    service.terminate().await.unwrap();
    let spans = collector.trace(&trace_id('1'));
    assert_eq!(spans.len(), 1 + STAGES.len(), "{spans:?}");
    assert!(spans.iter().all(|received| received.service == "my-route"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collector_that_is_down_delays_no_vote_and_no_exit() {
    let nobody = format!("http://{}", free_address().unwrap());
    for protocol in ["grpc", "http/protobuf"] {
        let environment = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", nobody.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ];
        let options = ["--sink", "null"];
        let service = ServiceProcess::start_with_environment(ServiceKind::Rest, &options, &environment)
            .await
            .unwrap();
        for _ in 0..10 {
            post_vote(&format!("http://{}", service.address()), &traceparent('1', "01")).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let started = Instant::now();
        service.terminate().await.unwrap();
        assert!(
            started.elapsed() < Duration::from_secs(8),
            "{protocol}: {:?}",
            started.elapsed()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collector_of_an_invalid_address_stops_the_start() {
    for (endpoint, reason) in [
        ("https://127.0.0.1:4317", "HTTPS"),
        ("not an address", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ] {
        let environment = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ];
        let mut service = ServiceProcess::spawn_with_environment(
            ServiceKind::Rest,
            &["--sink", "null"],
            &environment,
            free_address().unwrap(),
        )
        .unwrap();
        let mut has_ended = false;
        for _ in 0..1_000 {
            has_ended = !service.is_alive();
            if has_ended {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(has_ended, "{endpoint}");
        let log = service.log();
        assert!(
            log.contains("cannot export traces") && log.contains(reason),
            "{log}"
        );
    }
}

fn trace_id(digit: char) -> String {
    digit.to_string().repeat(32)
}

fn traceparent(digit: char, flags: &str) -> String {
    format!("00-{}-{CLIENT_SPAN}-{flags}", trace_id(digit))
}

fn vote() -> Vote {
    Vote {
        name: "Bohemia Suburbana".to_owned(),
        album: "Sombras".to_owned(),
        year: "1997".to_owned(),
        rank: "9.5".to_owned(),
        vote_id: String::new(),
    }
}

fn with_traceparent<T>(message: T, digit: char) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let value = traceparent(digit, "01").parse().unwrap();
    request.metadata_mut().insert("traceparent", value);
    request
}

async fn post_vote(url: &str, traceparent: &str) -> Receipt {
    let request = reqwest::Client::new()
        .post(format!("{url}/v1/votes"))
        .header("content-type", "application/json")
        .header("traceparent", traceparent)
        .body(VOTE);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 202);
    let receipt: Value = response.json().await.unwrap();
    Receipt {
        vote_id: receipt["vote_id"].as_str().unwrap().to_owned(),
        route: receipt["route"].as_str().unwrap().to_owned(),
        partition: receipt["partition"].as_i64().unwrap().try_into().unwrap(),
        offset: receipt["offset"].as_i64().unwrap(),
    }
}

async fn stream_votes(client: &mut VoteServiceClient<Channel>, votes: usize, digit: char) {
    let messages = futures::stream::iter(vec![vote(); votes]);
    let mut results = client
        .stream_votes(with_traceparent(messages, digit))
        .await
        .unwrap()
        .into_inner();
    let mut received = 0;
    while results.message().await.unwrap().is_some() {
        received += 1;
    }
    assert_eq!(received, votes);
}

/// Waits until the trace has a span of the consumer for each of its `votes`, and checks that every parent is in the trace.
async fn complete_trace(collector: &Collector, digit: char, votes: usize) -> Vec<ReceivedSpan> {
    let trace = || collector.trace(&trace_id(digit));
    let is_complete = async || {
        let spans = trace();
        let count = |name| spans.iter().filter(|received| received.span.name == name).count();
        // The span of a request ends after its stages.
        let has_request = spans.iter().any(|received| is_of_client(&received.span));
        has_request && ["process votes", "mongodb", "redis"].map(count) == [votes; 3]
    };
    let limit = Duration::from_secs(30);
    let has_all = holds_within(limit, Duration::from_millis(50), is_complete).await;
    let spans = trace();
    assert!(has_all, "trace {digit} is not complete: {spans:#?}");
    let ids: Vec<_> = spans.iter().map(|received| &received.span.span_id).collect();
    for received in &spans {
        let is_known = is_of_client(&received.span) || ids.contains(&&received.span.parent_span_id);
        assert!(is_known, "the trace does not have the parent of {received:?}");
    }
    spans
}

/// Whether the parent is the span of the client.
fn is_of_client(span: &Span) -> bool {
    hex(&span.parent_span_id) == CLIENT_SPAN
}

/// Service and name of the spans that are calls, sorted.
fn calls(spans: &[ReceivedSpan]) -> Vec<(&str, &str)> {
    let calls = spans.iter().filter(|received| {
        let kind = received.span.kind;
        kind == SpanKind::Server as i32 || kind == SpanKind::Consumer as i32
    });
    let mut calls: Vec<_> = calls
        .map(|received| (received.service.as_str(), received.span.name.as_str()))
        .collect();
    calls.sort_unstable();
    calls
}

/// The names of the stages that a service has added, sorted.
fn stages<'a>(spans: &'a [ReceivedSpan], service: &str) -> Vec<&'a str> {
    let stages = spans
        .iter()
        .filter(|received| received.service == service && received.span.kind == SpanKind::Internal as i32);
    let mut names: Vec<_> = stages.map(|received| received.span.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// The span of a batch has no parent. It links to votes, and the span of each vote links to its batch.
fn batches_link_to_their_votes(collector: &Collector) {
    let mut spans = collector.spans();
    spans.retain(|received| received.span.name == "process votes");
    let (batches, votes): (Vec<_>, Vec<_>) = spans
        .into_iter()
        .partition(|received| received.span.parent_span_id.is_empty());
    assert_eq!(votes.len(), 7);
    let linked: usize = batches.iter().map(|batch| batch.span.links.len()).sum();
    assert_eq!(linked, votes.len());
    for vote in votes {
        let [link] = &vote.span.links[..] else {
            panic!("a vote has one batch: {vote:?}");
        };
        let batch = batches.iter().find(|batch| batch.span.span_id == link.span_id);
        let batch = batch.unwrap_or_else(|| panic!("no span of the batch of {vote:?}"));
        let contexts = batch.span.links.iter().map(|link| &link.trace_id);
        assert!(
            contexts
                .into_iter()
                .any(|trace_id| *trace_id == vote.span.trace_id)
        );
        let attributes = &vote.span.attributes;
        assert_eq!(
            text_attribute(attributes, "messaging.system").as_deref(),
            Some("kafka")
        );
        assert_eq!(
            text_attribute(attributes, "messaging.destination.name").as_deref(),
            Some("votes")
        );
    }
}

/// Key and value are those of every vote; only the sampled vote has a header.
fn check_record_headers(endpoints: &Endpoints, sampled: &Receipt, not_sampled: &Receipt) {
    let mut found = 0;
    kafka::scan(&endpoints.kafka, "votes", |record| {
        assert!(record.key.is_some());
        let is = |receipt: &Receipt| (record.partition, record.offset) == (receipt.partition, receipt.offset);
        if is(sampled) {
            found += 1;
            let [(name, value)] = &record.headers[..] else {
                panic!("the record of a sampled vote has one header: {record:?}");
            };
            assert_eq!(name, "traceparent");
            let value = String::from_utf8(value.clone()).unwrap();
            assert!(value.starts_with(&format!("00-{}-", trace_id('1'))) && value.ends_with("-01"));
        }
        if is(not_sampled) {
            found += 1;
            assert!(record.headers.is_empty(), "{record:?}");
        }
    })
    .unwrap();
    assert_eq!(found, 2);
}
