//! `server-timing`: on every door, for who asks, and only then.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use bytes::Bytes;
use e2e::edge::{Edge, Kind};
use e2e::wire::{Method, Wire, vote_body};
use http::HeaderMap;

const ASKS: (&str, &str) = ("x-dualpath-timing", "1");
const STAGES: [&str; 5] = ["decode", "validate", "encode", "publish", "reply"];
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
/// What gRPC puts in front of a message.
const FRAME_HEAD: usize = 5;

type Headers<'a> = &'a [(&'a str, &'a str)];

async fn head(edge: &Edge, headers: Headers<'_>, body: &Bytes) -> HeaderMap {
    let mut wire = Wire::connect(edge.kind(), edge.address()).await.unwrap();
    let mut open = wire.begin_with(Method::Single, headers).await.unwrap();
    open.body.send_data(body.clone(), true).unwrap();
    open.answer.await.unwrap().headers().clone()
}

/// Names and ms, in the order in which they are told.
fn times(head: &HeaderMap) -> Vec<(String, f64)> {
    let text = head["server-timing"].to_str().unwrap();
    let metrics = text.split(", ").map(|metric| {
        let (name, duration) = metric.split_once(";dur=").unwrap();
        (name.to_owned(), duration.parse().unwrap())
    });
    metrics.collect()
}

#[tokio::test]
async fn who_asks_is_told_the_stages_and_they_fit_into_the_total() {
    let rest = Edge::start_without_kafka(Kind::Rest, &[]).await.unwrap();
    let grpc = Edge::start_without_kafka(Kind::Grpc, &[]).await.unwrap();
    let upstream = format!("http://{}", grpc.address());
    let bridge = Edge::start(Kind::Bridge, &["--upstream", &upstream])
        .await
        .unwrap();
    let protobuf = vote_body(Kind::Grpc).slice(FRAME_HEAD..);
    let doors: [(&Edge, Headers<'_>, Bytes); 4] = [
        (&rest, &[], vote_body(Kind::Rest)),
        (&rest, &[PROTOBUF], protobuf),
        (&bridge, &[], vote_body(Kind::Bridge)),
        (&grpc, &[], vote_body(Kind::Grpc)),
    ];
    for (edge, headers, body) in doors {
        let told = times(&head(edge, &[headers, &[ASKS]].concat(), &body).await);
        let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [&STAGES[..], &["total"]].concat(), "{edge:?}");
        let (total, stages) = told.split_last().unwrap();
        assert!(stages.iter().all(|(_, ms)| *ms > 0.0), "{edge:?}: {told:?}");
        let sum: f64 = stages.iter().map(|(_, ms)| ms).sum();
        // Sums of decimals are not exact in binary; a nanosecond is.
        assert!(sum <= total.1 + 1e-7, "{edge:?}: {told:?}");

        for silent in [&[][..], &[("x-dualpath-timing", "0")]] {
            let head = head(edge, &[headers, silent].concat(), &body).await;
            assert!(!head.contains_key("server-timing"), "{edge:?}: {head:?}");
        }
    }
}

#[tokio::test]
async fn a_refusal_tells_how_far_the_vote_came() {
    let rest = Edge::start_without_kafka(Kind::Rest, &[]).await.unwrap();
    let grpc = Edge::start_without_kafka(Kind::Grpc, &[]).await.unwrap();
    // An empty message is a vote without fields.
    let nothing = Bytes::from_static(&[0; FRAME_HEAD]);
    for (edge, body) in [(&rest, Bytes::from_static(b"{}")), (&grpc, nothing)] {
        let told = times(&head(edge, &[ASKS], &body).await);
        let reached: Vec<_> = told
            .iter()
            .filter_map(|(name, ms)| (*ms > 0.0).then_some(name.as_str()))
            .collect();
        assert_eq!(reached, ["decode", "validate", "reply", "total"], "{edge:?}");
    }
}
