//! Faults to teach with: each does what its name says, in the process that names it and in no other.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::process::{Command, Output};

use e2e::edge::{Edge, Kind};
use e2e::records::Records;
use e2e::wire::{Method, Wire, vote_body, wait_for};
use ephemeral_stack::EphemeralStack;
use lab::ports::free_address;
use lab::project;
use lab::servers::Server;

const NAMES: [&str; 5] = [
    "answer-before-work",
    "producer-per-request",
    "nagle",
    "delay-1ms",
    "acks",
];
const PROGRAMS: [&[&str]; 2] = [&["ingest-rest"], &["ingest-grpc", "serve"]];

/// Runs a program that does not get as far as taking votes.
fn run(program: &[&str], options: &[&str]) -> Output {
    Command::new(project::programs().unwrap().join(program[0]))
        .args(&program[1..])
        .args(["--listen", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"])
        .args(options)
        .output()
        .unwrap()
}

#[test]
fn an_unknown_name_is_refused_with_those_that_there_are() {
    for program in PROGRAMS {
        let output = run(program, &["--inject-fault", "gremlins"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        for name in NAMES {
            assert!(said.contains(name), "{name} is missing in: {said}");
        }
    }
}

#[test]
fn an_answer_that_does_not_mean_durable_has_to_be_named() {
    for program in PROGRAMS {
        for acks in ["1", "0"] {
            let output = run(program, &["--acks", acks, "--inject-fault", "nagle"]);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains("--inject-fault acks"), "{said}");
        }
    }
}

#[tokio::test]
async fn every_fault_has_a_configuration_hash_and_a_warning_of_its_own() {
    for kind in Kind::EDGES {
        let plain = Edge::start_without_kafka(kind, &[]).await.unwrap();
        assert!(!plain.log().contains("FAULTS"), "{}", plain.log());
        let mut hashes = vec![config_hash(&plain)];
        for name in NAMES {
            let edge = Edge::start_without_kafka(kind, &["--inject-fault", name])
                .await
                .unwrap();
            let log = edge.log();
            assert!(log.contains("FAULTS") && log.contains(name), "{log}");
            assert_eq!(log.contains("tcp_nodelay=false"), name == "nagle", "{log}");
            let mut wire = Wire::connect(kind, edge.address()).await.unwrap();
            assert!(wire.vote().await.unwrap().is_receipt(), "{name}");
            hashes.push(config_hash(&edge));
        }
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), 1 + NAMES.len(), "{hashes:?}");
    }
}

#[tokio::test]
async fn the_delay_lies_in_front_of_publishing() {
    for kind in Kind::EDGES {
        let edge = Edge::start_without_kafka(kind, &["--inject-fault", "delay-1ms"])
            .await
            .unwrap();
        let mut wire = Wire::connect(kind, edge.address()).await.unwrap();
        for _ in 0..20 {
            let ms = publish_ms(&mut wire).await;
            // A lower bound by construction, and no measurement.
            assert!(ms >= 1.0, "{kind:?}: {ms} ms");
        }
    }
}

#[tokio::test]
async fn answers_before_the_work_need_no_kafka() {
    let nobody = free_address().unwrap().to_string();
    for kind in Kind::EDGES {
        let options = ["--kafka-brokers", &nobody];
        let honest = Edge::spawn(kind, &options, free_address().unwrap()).unwrap();
        let confounded = [&options[..], &["--inject-fault", "answer-before-work"]].concat();
        let hasty = Edge::spawn(kind, &confounded, free_address().unwrap()).unwrap();
        for (edge, expected) in [(&hasty, true), (&honest, false)] {
            wait_for(async || Wire::connect(kind, edge.address()).await.is_ok()).await;
            let mut wire = Wire::connect(kind, edge.address()).await.unwrap();
            assert_eq!(wire.vote().await.unwrap().is_receipt(), expected, "{edge:?}");
            // Votes are answered; that all is well is not claimed.
            assert!(!edge.is_ready().await);
        }
    }
}

#[tokio::test]
async fn what_costs_a_producer_or_an_acknowledgement_still_gets_into_kafka() {
    const VOTES: usize = 3;
    let stack = EphemeralStack::start_only(&[Server::Kafka]).unwrap();
    let brokers = stack.endpoints().kafka.clone();
    let faults: [&[&str]; 4] = [
        &["--inject-fault", "producer-per-request"],
        &["--inject-fault", "acks", "--acks", "1"],
        &["--inject-fault", "acks", "--acks", "0"],
        &["--linger-ms", "5"],
    ];
    for kind in Kind::EDGES {
        for fault in faults {
            let options = [&["--kafka-brokers", &brokers], fault].concat();
            let edge = Edge::start(kind, &options).await.unwrap();
            let mut wire = Wire::connect(kind, edge.address()).await.unwrap();
            for _ in 0..VOTES {
                assert!(wire.vote().await.unwrap().is_receipt(), "{fault:?}");
            }
        }
    }
    let expected = VOTES * faults.len() * Kind::EDGES.len();
    wait_for(async || {
        let brokers = brokers.clone();
        let read = tokio::task::spawn_blocking(move || Records::read(&brokers)).await;
        read.unwrap().unwrap().ids().count() == expected
    })
    .await;
}

/// The hash in the line that every process logs at its start.
fn config_hash(edge: &Edge) -> String {
    let log = edge.log();
    let (_, rest) = log.split_once("config_hash=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

async fn publish_ms(wire: &mut Wire) -> f64 {
    let asks = [("x-dualpath-timing", "1")];
    let mut open = wire.begin_with(Method::Single, &asks).await.unwrap();
    open.body.send_data(vote_body(wire.kind()), true).unwrap();
    let answer = open.answer.await.unwrap();
    let told = answer.headers()["server-timing"].to_str().unwrap();
    let (_, rest) = told.split_once("publish;dur=").unwrap();
    rest.split(',').next().unwrap().parse().unwrap()
}
