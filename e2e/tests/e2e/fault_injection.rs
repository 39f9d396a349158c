//! Injected faults (`--inject-fault`): each has its documented effect, and only in the process that enables it.

use std::process::{Command, Output};

use e2e::http2_client::{Http2Client, Method, vote_body};
use e2e::records::Records;
use e2e::service_process::{ServiceKind, ServiceProcess};
use e2e::wait::wait_until;
use ephemeral_stack::EphemeralStack;
use lab::ports::free_address;
use lab::project;
use lab::servers::Server;

const NAMES: [&str; 7] = [
    "answer-before-work",
    "producer-per-request",
    "nagle",
    "delay-100us",
    "delay-25th-5ms",
    "cpu-25us",
    "acks",
];
const PROGRAMS: [&[&str]; 2] = [&["ingest-rest"], &["ingest-grpc", "serve"]];

/// Runs a program that exits before it takes votes.
fn run(program: &[&str], options: &[&str]) -> Output {
    Command::new(project::programs().unwrap().join(program[0]))
        .args(&program[1..])
        .args(["--listen", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"])
        .args(options)
        .output()
        .unwrap()
}

#[test]
fn unknown_fault_is_rejected_with_the_known_names() {
    for program in PROGRAMS {
        let output = run(program, &["--inject-fault", "unknown"]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        for name in NAMES {
            assert!(message.contains(name), "{name} is missing in: {message}");
        }
    }
}

#[test]
fn weaker_acks_require_the_fault_acks() {
    for program in PROGRAMS {
        for acks in ["1", "0"] {
            let output = run(program, &["--acks", acks, "--inject-fault", "nagle"]);
            let message = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{message}");
            assert!(message.contains("--inject-fault acks"), "{message}");
        }
    }
}

#[tokio::test]
async fn every_fault_changes_the_configuration_hash_and_logs_a_warning() {
    for kind in ServiceKind::KAFKA_PRODUCERS {
        let without_fault = ServiceProcess::start_without_kafka(kind, &[]).await.unwrap();
        assert!(!without_fault.log().contains("FAULTS"), "{}", without_fault.log());
        let mut hashes = vec![config_hash(&without_fault)];
        for name in NAMES {
            let service = ServiceProcess::start_without_kafka(kind, &["--inject-fault", name])
                .await
                .unwrap();
            let log = service.log();
            assert!(log.contains("FAULTS") && log.contains(name), "{log}");
            assert_eq!(log.contains("tcp_nodelay=false"), name == "nagle", "{log}");
            let mut client = Http2Client::connect(kind, service.address()).await.unwrap();
            assert!(client.send_vote().await.unwrap().is_receipt(), "{name}");
            hashes.push(config_hash(&service));
        }
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), 1 + NAMES.len(), "{hashes:?}");
    }
}

#[tokio::test]
async fn injected_delay_counts_as_publish_time() {
    for kind in ServiceKind::KAFKA_PRODUCERS {
        let service = ServiceProcess::start_without_kafka(kind, &["--inject-fault", "delay-100us"])
            .await
            .unwrap();
        let mut client = Http2Client::connect(kind, service.address()).await.unwrap();
        for _ in 0..20 {
            let ms = publish_ms(&mut client).await;
            // The delay is a lower bound: load on the machine only adds to it.
            assert!(ms >= 0.1, "{kind:?}: {ms} ms");
        }
    }
}

#[tokio::test]
async fn every_25th_vote_has_the_rare_delay() {
    for kind in ServiceKind::KAFKA_PRODUCERS {
        let service = ServiceProcess::start_without_kafka(kind, &["--inject-fault", "delay-25th-5ms"])
            .await
            .unwrap();
        let mut client = Http2Client::connect(kind, service.address()).await.unwrap();
        let mut times = Vec::new();
        for _ in 0..50 {
            times.push(publish_ms(&mut client).await);
        }
        for slow in [0, 25] {
            assert!(times[slow] >= 5.0, "{kind:?}: {times:?}");
        }
        // Load on the machine can slow other votes, but not most of them.
        times.sort_by(f64::total_cmp);
        assert!(times[25] < 5.0, "{kind:?}: {times:?}");
    }
}

#[tokio::test]
async fn fault_answer_before_work_gives_receipts_without_kafka() {
    let unused_address = free_address().unwrap().to_string();
    for kind in ServiceKind::KAFKA_PRODUCERS {
        let options = ["--kafka-brokers", &unused_address];
        let without_fault = ServiceProcess::spawn(kind, &options, free_address().unwrap()).unwrap();
        let fault_options = [&options[..], &["--inject-fault", "answer-before-work"]].concat();
        let with_fault = ServiceProcess::spawn(kind, &fault_options, free_address().unwrap()).unwrap();
        for (service, expected) in [(&with_fault, true), (&without_fault, false)] {
            wait_until(async || Http2Client::connect(kind, service.address()).await.is_ok()).await;
            let mut client = Http2Client::connect(kind, service.address()).await.unwrap();
            assert_eq!(
                client.send_vote().await.unwrap().is_receipt(),
                expected,
                "{service:?}"
            );
            // The process answers votes but does not report that it is ready.
            assert!(!service.is_ready().await);
        }
    }
}

#[tokio::test]
async fn votes_with_producer_and_acks_faults_arrive_in_kafka() {
    const VOTES: usize = 3;
    let stack = EphemeralStack::start_only(&[Server::Kafka]).unwrap();
    let brokers = stack.endpoints().kafka.clone();
    let faults: [&[&str]; 4] = [
        &["--inject-fault", "producer-per-request"],
        &["--inject-fault", "acks", "--acks", "1"],
        &["--inject-fault", "acks", "--acks", "0"],
        &["--linger-ms", "5"],
    ];
    for kind in ServiceKind::KAFKA_PRODUCERS {
        for fault in faults {
            let options = [&["--kafka-brokers", &brokers], fault].concat();
            let service = ServiceProcess::start(kind, &options).await.unwrap();
            let mut client = Http2Client::connect(kind, service.address()).await.unwrap();
            for _ in 0..VOTES {
                assert!(client.send_vote().await.unwrap().is_receipt(), "{fault:?}");
            }
        }
    }
    let expected = VOTES * faults.len() * ServiceKind::KAFKA_PRODUCERS.len();
    wait_until(async || {
        let brokers = brokers.clone();
        let read = tokio::task::spawn_blocking(move || Records::read(&brokers)).await;
        read.unwrap().unwrap().ids().count() == expected
    })
    .await;
}

/// The configuration hash that every process logs at its start.
fn config_hash(service: &ServiceProcess) -> String {
    let log = service.log();
    let (_, rest) = log.split_once("config_hash=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

async fn publish_ms(client: &mut Http2Client) -> f64 {
    let timing_request = [("x-dualpath-timing", "1")];
    let mut call = client
        .start_call_with(Method::Single, &timing_request)
        .await
        .unwrap();
    call.body.send_data(vote_body(client.kind()), true).unwrap();
    let response = call.response.await.unwrap();
    let timings = response.headers()["server-timing"].to_str().unwrap();
    let (_, rest) = timings.split_once("publish;dur=").unwrap();
    rest.split(',').next().unwrap().parse().unwrap()
}
