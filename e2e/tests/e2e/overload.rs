//! Beyond its limits a service rejects at once with a retry hint, completes what it has admitted, and accepts votes again as
//! soon as capacity is free.

use std::time::Duration;

use bytes::Bytes;
use e2e::http2_client::{Http2Client, Method, grpc_frame};
use e2e::service_process::{ServiceKind, ServiceProcess};
use e2e::wait::wait_until;
use ephemeral_stack::EphemeralStack;
use futures::future::join_all;
use h2::Reason;
use lab::process::Signal;
use lab::servers::Server;

const MAX_IN_FLIGHT: usize = 64;
const EXCESS: usize = 36;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_beyond_the_limit_are_rejected_and_admitted_votes_get_receipts() {
    let stack = EphemeralStack::start_only(&[Server::Kafka]).unwrap();
    for kind in ServiceKind::KAFKA_PRODUCERS {
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
        let service = ServiceProcess::start(kind, &options).await.unwrap();
        let mut client = Http2Client::connect(kind, service.address()).await.unwrap();
        assert!(client.send_vote().await.unwrap().is_receipt());

        stack.signal(Server::Kafka, Signal::STOP).unwrap();
        let votes = (0..MAX_IN_FLIGHT + EXCESS).map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { client.send_vote().await })
        });
        let (mut admitted, mut rejected): (Vec<_>, Vec<_>) = (votes.collect(), Vec::new());
        // The rejections arrive while the admitted votes still wait for Kafka.
        wait_until(async || admitted.iter().filter(|vote| vote.is_finished()).count() == EXCESS).await;
        rejected.extend(admitted.extract_if(.., |vote| vote.is_finished()));
        for vote in join_all(rejected).await {
            let outcome = vote.unwrap().unwrap();
            assert!(outcome.is_overloaded(), "{kind:?}: {outcome:?}");
        }
        let outcome = client.send_vote().await.unwrap();
        assert!(outcome.is_overloaded(), "{kind:?}: {outcome:?}");
        assert!(admitted.iter().all(|vote| !vote.is_finished()), "{kind:?}");

        stack.signal(Server::Kafka, Signal::CONT).unwrap();
        for vote in join_all(admitted).await {
            let outcome = vote.unwrap().unwrap();
            assert!(outcome.is_receipt(), "{kind:?}: {outcome:?}");
        }
        wait_until(async || client.clone().send_vote().await.unwrap().is_receipt()).await;
        let overloaded = service.count_by_outcome("overloaded").await.unwrap() as usize;
        assert_eq!(overloaded, EXCESS + 1, "{kind:?}");
    }
}

#[tokio::test]
async fn calls_of_every_kind_beyond_the_limit_are_rejected() {
    const MAX_CALLS: usize = 50;
    for (kind, method) in [
        (ServiceKind::Rest, Method::Single),
        (ServiceKind::Grpc, Method::Single),
        (ServiceKind::Grpc, Method::Stream),
    ] {
        let limit = MAX_CALLS.to_string();
        let options = ["--max-calls", &limit, "--deadline-ms", "60000"];
        let service = ServiceProcess::start_without_kafka(kind, &options).await.unwrap();
        let mut client = Http2Client::connect(kind, service.address()).await.unwrap();
        // More calls than the limit: a vote of `other_client` can occupy a slot when the last call arrives.
        let mut calls = Vec::new();
        for _ in 0..MAX_CALLS + 10 {
            calls.push(client.start_call(method).await.unwrap());
        }
        let mut other_client = Http2Client::connect(kind, service.address()).await.unwrap();
        wait_until(async || other_client.clone().send_vote().await.unwrap().is_overloaded()).await;

        for _ in 0..100 {
            let rejected = other_client.send_vote().await.unwrap();
            assert!(rejected.is_overloaded(), "{kind:?} {method:?}: {rejected:?}");
        }

        for mut call in calls {
            call.body.send_reset(Reason::CANCEL);
        }
        wait_until(async || other_client.clone().send_vote().await.unwrap().is_receipt()).await;
    }
}

#[tokio::test]
async fn bytes_beyond_the_budget_are_rejected_and_small_votes_are_accepted() {
    const LIMIT: usize = 1024 * 1024;
    const LARGE_BODY: usize = LIMIT / 4 * 3 - 10_000;
    for kind in ServiceKind::KAFKA_PRODUCERS {
        let options = [
            "--max-buffered-bytes",
            &LIMIT.to_string(),
            "--deadline-ms",
            "60000",
        ];
        let service = ServiceProcess::start_without_kafka(kind, &options).await.unwrap();
        let mut client = Http2Client::connect(kind, service.address()).await.unwrap();
        let mut large_call = client.start_call(Method::Batch).await.unwrap();
        // Announces the full length and sends all but the last byte.
        let body = grpc_frame(&vec![0xff; LARGE_BODY]);
        let body = if kind == ServiceKind::Grpc {
            body
        } else {
            body.slice(5..)
        };
        large_call
            .body
            .send_data(body.slice(..body.len() - 1), false)
            .unwrap();

        // An attempt before the large body has arrived would take its memory and cause its rejection instead.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let other_client = Http2Client::connect(kind, service.address()).await.unwrap();
        let excess_body = grpc_frame(&[0xff; 12_000]);
        let attempt = async || {
            other_client
                .clone()
                .send_call(Method::Single, excess_body.clone())
                .await
                .unwrap()
        };
        wait_until(async || attempt().await.is_overloaded()).await;
        assert!(
            other_client.clone().send_vote().await.unwrap().is_receipt(),
            "{kind:?}"
        );

        large_call
            .body
            .send_data(Bytes::from_static(&[0xff]), true)
            .unwrap();
        let outcome = large_call.outcome().await.unwrap();
        assert!(
            !outcome.is_overloaded() && !outcome.is_receipt(),
            "{kind:?}: {outcome:?}"
        );
        let outcome = attempt().await;
        assert!(
            !outcome.is_overloaded(),
            "{kind:?}: the memory was not released, {outcome:?}"
        );
    }
}
