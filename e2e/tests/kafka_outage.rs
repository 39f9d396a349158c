//! Kafka goes away under load and comes back: every route refuses in time, says so, lies to nobody, and recovers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::collections::HashSet;
use std::time::{Duration, Instant};

use e2e::doors::{Answer, Door, Doors};
use e2e::load::{Load, Sent};
use e2e::records::Records;
use ephemeral_stack::EphemeralStack;
use lab::servers::Server;

const SERVERS: [Server; 4] = [Server::Kafka, Server::Grpc, Server::Rest, Server::Bridge];
const DEADLINE: Duration = Duration::from_secs(3);
/// What the network, the scheduler and a busy machine may add to the deadline.
const SLACK: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_mins(1);
const UNAVAILABLE: i32 = 14;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_refuse_without_kafka_and_recover_with_it() {
    let mut options = vec!["--deadline-ms", "3000", "--only"];
    let names = SERVERS.map(Server::name).join(",");
    options.push(&names);
    let stack = EphemeralStack::start_with(&options).unwrap();
    let doors = Doors::open(stack.endpoints()).await.unwrap();

    let load = Load::start(&doors, &Door::ALL, 4);
    tokio::time::sleep(Duration::from_secs(1)).await;
    stack.kill(Server::Kafka).await.unwrap();
    tokio::time::sleep(DEADLINE + SLACK).await;

    // Each route now refuses, in time, with the same meaning.
    for door in Door::ALL {
        let started = Instant::now();
        let answer = doors.send_good_vote(door).await.unwrap();
        let took = started.elapsed();
        let expected_code = if door == Door::Grpc { UNAVAILABLE } else { 503 };
        let Answer::Refusal { code, retry, .. } = answer else {
            panic!("{door:?} gave a receipt without Kafka")
        };
        assert_eq!((code, retry), (expected_code, true), "{door:?}");
        assert!(took < DEADLINE + SLACK, "{door:?} took {took:?}");
    }
    for admin in [
        &stack.endpoints().rest_admin,
        &stack.endpoints().grpc_admin,
        &stack.endpoints().bridge_admin,
    ] {
        let started = Instant::now();
        while status(&format!("{admin}/readyz")).await != 503 {
            assert!(
                started.elapsed() < PATIENCE,
                "{admin} says that it is ready without Kafka"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(status(&format!("{admin}/livez")).await, 200, "{admin}");
    }

    stack.start_server(Server::Kafka).await.unwrap();
    let recovered = Instant::now();
    for door in Door::ALL {
        while !matches!(doors.send_good_vote(door).await, Ok(Answer::Receipt(_))) {
            assert!(
                recovered.elapsed() < PATIENCE,
                "{door:?} did not recover by itself"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        println!("{door:?} took votes again after {:?}", recovered.elapsed());
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let sent = load.finish().await;

    // Whoever got a receipt finds his vote in Kafka.
    let brokers = stack.endpoints().kafka.clone();
    let records = tokio::task::spawn_blocking(move || Records::read(&brokers))
        .await
        .unwrap()
        .unwrap();
    let in_kafka: HashSet<_> = records.ids().collect();
    let acknowledged = acknowledged_ids(&sent);
    let lost: Vec<_> = acknowledged.iter().filter(|id| !in_kafka.contains(*id)).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged votes are not in Kafka",
        lost.len(),
        acknowledged.len()
    );
    for door in Door::ALL {
        let of_door = |wanted: fn(&Answer) -> bool| {
            let answers = sent
                .iter()
                .filter(|(by, _)| *by == door)
                .filter_map(|(_, answer)| answer.as_ref().ok());
            answers.filter(|answer| wanted(answer)).count()
        };
        let (receipts, refusals) = (of_door(is_receipt), of_door(|answer| !is_receipt(answer)));
        println!("{door:?}: {receipts} receipts, {refusals} refusals");
        assert!(
            receipts > 0 && refusals > 0,
            "{door:?}: the load did not see both states"
        );
    }
}

fn is_receipt(answer: &Answer) -> bool {
    matches!(answer, Answer::Receipt(_))
}

fn acknowledged_ids(sent: &[Sent]) -> HashSet<String> {
    let answers = sent.iter().filter_map(|(_, answer)| answer.as_ref().ok());
    answers
        .filter_map(|answer| match answer {
            Answer::Receipt(receipt) => Some(receipt.vote_id.clone()),
            Answer::Refusal { .. } => None,
        })
        .collect()
}

async fn status(url: &str) -> u16 {
    reqwest::get(url).await.unwrap().status().as_u16()
}
