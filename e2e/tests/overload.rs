//! Past its limits an edge refuses at once and says when to come again, keeps what it has admitted, and takes votes again
//! as soon as there is room.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::time::Duration;

use bytes::Bytes;
use e2e::edge::{Edge, Kind};
use e2e::wire::{Method, Wire, grpc_frame, wait_for};
use ephemeral_stack::EphemeralStack;
use futures::future::join_all;
use h2::Reason;
use lab::process::Signal;
use lab::servers::Server;

const MAX_IN_FLIGHT: usize = 64;
const TOO_MANY: usize = 36;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_beyond_the_limit_are_refused_while_kafka_stalls_and_the_others_get_receipts() {
    let stack = EphemeralStack::start_only(&[Server::Kafka]).unwrap();
    for kind in Kind::EDGES {
        let limit = MAX_IN_FLIGHT.to_string();
        let kafka = stack.endpoints().kafka.as_str();
        let options = [
            "--kafka-brokers",
            kafka,
            "--deadline-ms",
            "60000",
            "--max-in-flight",
            &limit,
        ];
        let edge = Edge::start(kind, &options).await.unwrap();
        let mut wire = Wire::connect(kind, edge.address()).await.unwrap();
        assert!(wire.vote().await.unwrap().is_receipt());

        stack.signal(Server::Kafka, Signal::STOP).unwrap();
        let votes = (0..MAX_IN_FLIGHT + TOO_MANY).map(|_| {
            let mut wire = wire.clone();
            tokio::spawn(async move { wire.vote().await })
        });
        let (mut admitted, mut refused): (Vec<_>, Vec<_>) = (votes.collect(), Vec::new());
        // Refusals come while what was admitted still waits.
        wait_for(async || admitted.iter().filter(|vote| vote.is_finished()).count() == TOO_MANY).await;
        refused.extend(admitted.extract_if(.., |vote| vote.is_finished()));
        for vote in join_all(refused).await {
            let verdict = vote.unwrap().unwrap();
            assert!(verdict.is_overloaded(), "{kind:?}: {verdict:?}");
        }
        let verdict = wire.vote().await.unwrap();
        assert!(verdict.is_overloaded(), "{kind:?}: {verdict:?}");
        assert!(admitted.iter().all(|vote| !vote.is_finished()), "{kind:?}");

        stack.signal(Server::Kafka, Signal::CONT).unwrap();
        for vote in join_all(admitted).await {
            let verdict = vote.unwrap().unwrap();
            assert!(verdict.is_receipt(), "{kind:?}: {verdict:?}");
        }
        wait_for(async || wire.clone().vote().await.unwrap().is_receipt()).await;
        let overloaded = edge.outcomes("overloaded").await.unwrap() as usize;
        assert_eq!(overloaded, TOO_MANY + 1, "{kind:?}");
    }
}

#[tokio::test]
async fn calls_beyond_the_limit_are_refused_whatever_they_are() {
    const MAX_CALLS: usize = 50;
    for (kind, method) in [
        (Kind::Rest, Method::Single),
        (Kind::Grpc, Method::Single),
        (Kind::Grpc, Method::Stream),
    ] {
        let limit = MAX_CALLS.to_string();
        let options = ["--max-calls", &limit, "--deadline-ms", "60000"];
        let edge = Edge::start_without_kafka(kind, &options).await.unwrap();
        let mut wire = Wire::connect(kind, edge.address()).await.unwrap();
        // Some more than there is room for: a vote of the others may have a place when the last one comes.
        let mut calls = Vec::new();
        for _ in 0..MAX_CALLS + 10 {
            calls.push(wire.begin(method).await.unwrap());
        }
        let mut others = Wire::connect(kind, edge.address()).await.unwrap();
        wait_for(async || others.clone().vote().await.unwrap().is_overloaded()).await;

        for _ in 0..100 {
            let refused = others.vote().await.unwrap();
            assert!(refused.is_overloaded(), "{kind:?} {method:?}: {refused:?}");
        }

        for mut call in calls {
            call.body.send_reset(Reason::CANCEL);
        }
        wait_for(async || others.clone().vote().await.unwrap().is_receipt()).await;
    }
}

#[tokio::test]
async fn bytes_beyond_the_limit_are_refused_and_small_votes_still_pass() {
    const LIMIT: usize = 1024 * 1024;
    const MOST: usize = LIMIT / 4 * 3 - 10_000;
    for kind in Kind::EDGES {
        let options = [
            "--max-buffered-bytes",
            &LIMIT.to_string(),
            "--deadline-ms",
            "60000",
        ];
        let edge = Edge::start_without_kafka(kind, &options).await.unwrap();
        let mut wire = Wire::connect(kind, edge.address()).await.unwrap();
        let mut big = wire.begin(Method::Batch).await.unwrap();
        // Announced in full, sent but for the last byte.
        let body = grpc_frame(&vec![0xff; MOST]);
        let body = if kind == Kind::Grpc { body } else { body.slice(5..) };
        big.body.send_data(body.slice(..body.len() - 1), false).unwrap();

        // An attempt that came before the big body is all there would take its room, and get that one refused instead.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let others = Wire::connect(kind, edge.address()).await.unwrap();
        let too_much = grpc_frame(&[0xff; 12_000]);
        let attempt = async || {
            others
                .clone()
                .call(Method::Single, too_much.clone())
                .await
                .unwrap()
        };
        wait_for(async || attempt().await.is_overloaded()).await;
        assert!(others.clone().vote().await.unwrap().is_receipt(), "{kind:?}");

        big.body.send_data(Bytes::from_static(&[0xff]), true).unwrap();
        let verdict = big.verdict().await.unwrap();
        assert!(
            !verdict.is_overloaded() && !verdict.is_receipt(),
            "{kind:?}: {verdict:?}"
        );
        let verdict = attempt().await;
        assert!(
            !verdict.is_overloaded(),
            "{kind:?}: the bytes are given back, {verdict:?}"
        );
    }
}
