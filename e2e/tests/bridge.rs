//! The bridge and the process behind it: whose verdict its clients hear, and what they hear when it dies.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::edge::{Edge, Kind};
use e2e::wire::{Verdict, Wire, wait_for};
use ephemeral_stack::EphemeralStack;
use lab::ports::free_address;
use lab::process::Signal;
use lab::servers::Server;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A call crosses its server's word that it drains in about one of ten.
const ROLL_OUTS: usize = 40;
const CLIENTS: usize = 16;

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
    let stack = EphemeralStack::start_only(&[Server::Kafka]).unwrap();
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
            "ingest_forward_request_duration_seconds_count",
            &["outcome=\"unavailable\""],
        )
        .await;
    assert_eq!(outcome.unwrap() as u64, 1, "the upstream came to its own verdict");
    stack.signal(Server::Kafka, Signal::CONT).unwrap();
}

/// Replicas of the upstream behind one address, as a Kubernetes Service has them: a new connection goes to the newest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roll_out_of_its_upstream_costs_no_vote() {
    let replica = || Edge::start_without_kafka(Kind::Grpc, &[]);
    let mut serving = replica().await.unwrap();
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", service.local_addr().unwrap());
    let (newest, behind) = watch::channel(serving.address());
    tokio::spawn(async move {
        loop {
            let (mut client, _) = service.accept().await.unwrap();
            let address = *behind.borrow();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(address).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    let bridge = Edge::start(Kind::Bridge, &["--upstream", &upstream])
        .await
        .unwrap();
    let load = Load::start(bridge.address()).await;
    for _ in 0..ROLL_OUTS {
        let next = replica().await.unwrap();
        newest.send_replace(next.address());
        std::mem::replace(&mut serving, next).end().await.unwrap();
    }
    let (receipts, refusals) = load.finish().await;
    println!("{receipts} votes through {ROLL_OUTS} roll-outs");
    assert!(receipts > 0);
    assert_eq!(refusals, Vec::new());
}

/// Clients of the bridge that send without a pause.
struct Load {
    done: Arc<AtomicBool>,
    clients: JoinSet<(usize, Vec<Verdict>)>,
}

impl Load {
    async fn start(bridge: SocketAddr) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        let wire = Wire::connect(Kind::Bridge, bridge).await.unwrap();
        for _ in 0..CLIENTS {
            let (done, mut wire) = (Arc::clone(&done), wire.clone());
            clients.spawn(async move {
                let (mut receipts, mut refusals) = (0, Vec::new());
                while !done.load(Ordering::Relaxed) {
                    let verdict = wire.vote().await.unwrap();
                    if verdict.is_receipt() {
                        receipts += 1;
                    } else {
                        refusals.push(verdict);
                    }
                }
                (receipts, refusals)
            });
        }
        Self { done, clients }
    }

    async fn finish(self) -> (usize, Vec<Verdict>) {
        self.done.store(true, Ordering::Relaxed);
        let clients = self.clients.join_all().await;
        let receipts = clients.iter().map(|(receipts, _)| receipts).sum();
        (
            receipts,
            clients.into_iter().flat_map(|(_, refusals)| refusals).collect(),
        )
    }
}
