//! The header `server-timing`: present at every endpoint if the request asks for it, absent otherwise.

use bytes::Bytes;
use e2e::http2_client::{GRPC_PREFIX, Http2Client, Method, vote_body};
use e2e::service_process::{ServiceKind, ServiceProcess};
use http::HeaderMap;

const TIMING_REQUEST: (&str, &str) = ("x-dualpath-timing", "1");
const STAGES: [&str; 5] = ["decode", "validate", "encode", "publish", "reply"];
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

type Headers<'a> = &'a [(&'a str, &'a str)];

async fn response_head(service: &ServiceProcess, headers: Headers<'_>, body: &Bytes) -> HeaderMap {
    let mut client = Http2Client::connect(service.kind(), service.address())
        .await
        .unwrap();
    let mut call = client.start_call_with(Method::Single, headers).await.unwrap();
    call.body.send_data(body.clone(), true).unwrap();
    call.response.await.unwrap().headers().clone()
}

/// Names of the stages and their durations in ms, in the order of the header.
fn stage_times(head: &HeaderMap) -> Vec<(String, f64)> {
    let text = head["server-timing"].to_str().unwrap();
    let metrics = text.split(", ").map(|metric| {
        let (name, duration) = metric.split_once(";dur=").unwrap();
        (name.to_owned(), duration.parse().unwrap())
    });
    metrics.collect()
}

#[tokio::test]
async fn stage_times_are_returned_on_request_and_their_sum_is_at_most_the_total() {
    let rest = ServiceProcess::start_without_kafka(ServiceKind::Rest, &[])
        .await
        .unwrap();
    let grpc = ServiceProcess::start_without_kafka(ServiceKind::Grpc, &[])
        .await
        .unwrap();
    let upstream = format!("http://{}", grpc.address());
    let bridge = ServiceProcess::start(ServiceKind::Bridge, &["--upstream", &upstream])
        .await
        .unwrap();
    let protobuf = vote_body(ServiceKind::Grpc).slice(GRPC_PREFIX..);
    let endpoints: [(&ServiceProcess, Headers<'_>, Bytes); 4] = [
        (&rest, &[], vote_body(ServiceKind::Rest)),
        (&rest, &[PROTOBUF], protobuf),
        (&bridge, &[], vote_body(ServiceKind::Bridge)),
        (&grpc, &[], vote_body(ServiceKind::Grpc)),
    ];
    for (service, headers, body) in endpoints {
        let timings =
            stage_times(&response_head(service, &[headers, &[TIMING_REQUEST]].concat(), &body).await);
        let names: Vec<_> = timings.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [&STAGES[..], &["total"]].concat(), "{service:?}");
        let (total, stages) = timings.split_last().unwrap();
        assert!(stages.iter().all(|(_, ms)| *ms > 0.0), "{service:?}: {timings:?}");
        let sum: f64 = stages.iter().map(|(_, ms)| ms).sum();
        // A sum of decimals is not exact in binary; the tolerance is 0.1 ns.
        assert!(sum <= total.1 + 1e-7, "{service:?}: {timings:?}");

        for without_timing in [&[][..], &[("x-dualpath-timing", "0")]] {
            let head = response_head(service, &[headers, without_timing].concat(), &body).await;
            assert!(!head.contains_key("server-timing"), "{service:?}: {head:?}");
        }
    }
}

#[tokio::test]
async fn error_response_shows_the_stages_that_the_vote_reached() {
    let rest = ServiceProcess::start_without_kafka(ServiceKind::Rest, &[])
        .await
        .unwrap();
    let grpc = ServiceProcess::start_without_kafka(ServiceKind::Grpc, &[])
        .await
        .unwrap();
    // An empty message is a vote without fields.
    let empty_vote = Bytes::from_static(&[0; GRPC_PREFIX]);
    for (service, body) in [(&rest, Bytes::from_static(b"{}")), (&grpc, empty_vote)] {
        let timings = stage_times(&response_head(service, &[TIMING_REQUEST], &body).await);
        let reached: Vec<_> = timings
            .iter()
            .filter_map(|(name, ms)| (*ms > 0.0).then_some(name.as_str()))
            .collect();
        assert_eq!(reached, ["decode", "validate", "reply", "total"], "{service:?}");
    }
}
