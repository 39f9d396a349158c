//! The bridge and the process behind it: whose verdict its clients hear, and what they hear when it dies.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use e2e::edge::{Edge, Kind, free_address};
use e2e::wire::{Wire, wait_for};
use lab::process::Signal;
use lab::servers::Server;
use lab::testing::TestStack;
use serde_json::Value;

#[tokio::test]
async fn without_its_upstream_it_is_unavailable_and_it_recovers_by_itself() {
    let address = free_address().unwrap();
    let upstream = format!("http://{address}");
    let start = || Edge::spawn(Kind::Grpc, &["--sink", "null"], address).unwrap();
    let mut grpc = start();
    let bridge = Edge::start(Kind::Bridge, &["--upstream", &upstream])
        .await
        .unwrap();
    let wire = Wire::connect(Kind::Bridge, bridge.address()).await.unwrap();
    let verdict = async || wire.clone().vote().await.unwrap();
    for _ in 0..3 {
        wait_for(async || verdict().await.is_receipt()).await;
        grpc.kill();
        for _ in 0..100 {
            // Before and after it is noticed: never a receipt, never a time-out, always when to come again.
            let refused = verdict().await;
            assert_eq!(
                (refused.status.as_u16(), refused.retry),
                (503, true),
                "{refused:?}"
            );
        }
        wait_for(async || !bridge.is_ready().await).await;
        grpc = start();
        wait_for(async || bridge.is_ready().await).await;
    }
    assert!(verdict().await.is_receipt());
}

#[tokio::test]
async fn the_verdict_of_its_upstream_comes_before_its_own() {
    let stack = TestStack::start_only(&[Server::Kafka]).unwrap();
    // Long enough to see that Kafka is down, before the first vote's time is over.
    let options = [
        "--deadline-ms",
        "10000",
        "--kafka-brokers",
        &stack.endpoints().kafka,
    ];
    let grpc = Edge::start(Kind::Grpc, &options).await.unwrap();
    let upstream = format!("http://{}", grpc.address());
    let bridge = Edge::start(Kind::Bridge, &["--deadline-ms", "10000", "--upstream", &upstream])
        .await
        .unwrap();
    let mut wire = Wire::connect(Kind::Bridge, bridge.address()).await.unwrap();
    assert!(wire.vote().await.unwrap().is_receipt());

    stack.signal(Server::Kafka, Signal::STOP).unwrap();
    let client = reqwest::Client::new();
    let vote = r#"{"name":"Viernes Verde","album":"Lémur","year":2004,"rank":9}"#;
    let request = client
        .post(format!("http://{}/v1/votes", bridge.address()))
        .body(vote);
    let answer = request.send().await.unwrap();
    assert_eq!(
        (
            answer.status().as_u16(),
            answer.headers().contains_key("retry-after")
        ),
        (503, true)
    );
    let problem: Value = answer.json().await.unwrap();
    assert!(
        problem["detail"].as_str().unwrap().contains("broker"),
        "the reason is Kafka's: {problem}"
    );
    let outcome = grpc
        .metric(
            "ingest_hop_request_duration_seconds_count",
            &["outcome=\"unavailable\""],
        )
        .await;
    assert_eq!(outcome.unwrap() as u64, 1, "the upstream came to its own verdict");
    stack.signal(Server::Kafka, Signal::CONT).unwrap();
}
