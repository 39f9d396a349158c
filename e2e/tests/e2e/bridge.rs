//! The bridge and its upstream `ingest-grpc`: errors, outages and rollouts of the upstream.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::http2_client::{CallOutcome, Http2Client};
use e2e::service_process::{ServiceKind, ServiceProcess};
use e2e::wait::wait_until;
use ephemeral_stack::EphemeralStack;
use lab::ports::free_address;
use lab::process::Signal;
use lab::servers::Server;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// In about one of ten rollouts, a call crosses the GOAWAY frame of the old replica.
const ROLLOUTS: usize = 40;
const CLIENTS: usize = 16;

#[tokio::test]
async fn bridge_is_unavailable_without_its_upstream_and_recovers() {
    let address = free_address().unwrap();
    let upstream = format!("http://{address}");
    let start = || ServiceProcess::spawn(ServiceKind::Grpc, &["--sink", "null"], address).unwrap();
    let mut grpc = start();
    let bridge = ServiceProcess::start(ServiceKind::Bridge, &["--upstream", &upstream])
        .await
        .unwrap();
    let client = Http2Client::connect(ServiceKind::Bridge, bridge.address())
        .await
        .unwrap();
    let outcome = async || client.clone().send_vote().await.unwrap();
    for _ in 0..3 {
        wait_until(async || outcome().await.is_receipt()).await;
        grpc.kill();
        for _ in 0..100 {
            // Before and after the bridge detects the failure: no receipt, no timeout, always a retry hint.
            let rejected = outcome().await;
            assert_eq!(
                (rejected.status.as_u16(), rejected.retry),
                (503, true),
                "{rejected:?}"
            );
        }
        wait_until(async || !bridge.is_ready().await).await;
        grpc = start();
        wait_until(async || bridge.is_ready().await).await;
    }
    assert!(outcome().await.is_receipt());
}

#[tokio::test]
async fn error_of_the_upstream_arrives_before_the_timeout_of_the_bridge() {
    let stack = EphemeralStack::start_only(&[Server::Kafka]).unwrap();
    // Long enough to detect that Kafka is down before the deadline of the first vote.
    let options = [
        "--deadline-ms",
        "10000",
        "--kafka-brokers",
        &stack.endpoints().kafka,
    ];
    let grpc = ServiceProcess::start(ServiceKind::Grpc, &options).await.unwrap();
    let upstream = format!("http://{}", grpc.address());
    let bridge = ServiceProcess::start(
        ServiceKind::Bridge,
        &["--deadline-ms", "10000", "--upstream", &upstream],
    )
    .await
    .unwrap();
    let mut client = Http2Client::connect(ServiceKind::Bridge, bridge.address())
        .await
        .unwrap();
    assert!(client.send_vote().await.unwrap().is_receipt());

    stack.signal(Server::Kafka, Signal::STOP).unwrap();
    let http_client = reqwest::Client::new();
    let vote = r#"{"name":"Viernes Verde","album":"Lémur","year":2004,"rank":9}"#;
    let request = http_client
        .post(format!("http://{}/v1/votes", bridge.address()))
        .body(vote);
    let response = request.send().await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers().contains_key("retry-after")
        ),
        (503, true)
    );
    let problem: Value = response.json().await.unwrap();
    assert!(
        problem["detail"].as_str().unwrap().contains("broker"),
        "the error must come from the upstream, which names the broker: {problem}"
    );
    let unavailable = grpc
        .metric(
            "ingest_forward_request_duration_seconds_count",
            &[("outcome", "unavailable")],
        )
        .await;
    assert_eq!(
        unavailable.unwrap() as u64,
        1,
        "the upstream must return the error"
    );
    stack.signal(Server::Kafka, Signal::CONT).unwrap();
}

/// Replicas of the upstream behind one address, like a Kubernetes Service. New connections go to the newest replica.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollout_of_the_upstream_fails_no_vote() {
    let replica = || ServiceProcess::start_without_kafka(ServiceKind::Grpc, &[]);
    let mut serving = replica().await.unwrap();
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", proxy.local_addr().unwrap());
    let (newest, target) = watch::channel(serving.address());
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = proxy.accept().await.unwrap();
            let address = *target.borrow();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(address).await?;
                tokio::io::copy_bidirectional(&mut connection, &mut server).await
            });
        }
    });
    let bridge = ServiceProcess::start(ServiceKind::Bridge, &["--upstream", &upstream])
        .await
        .unwrap();
    let load = Load::start(bridge.address()).await;
    for _ in 0..ROLLOUTS {
        let next = replica().await.unwrap();
        newest.send_replace(next.address());
        std::mem::replace(&mut serving, next).terminate().await.unwrap();
    }
    let (receipts, rejections) = load.finish().await;
    println!("{receipts} votes through {ROLLOUTS} rollouts");
    assert!(receipts > 0);
    assert_eq!(rejections, Vec::new());
}

/// Clients of the bridge that send votes without a pause.
struct Load {
    done: Arc<AtomicBool>,
    clients: JoinSet<(usize, Vec<CallOutcome>)>,
}

impl Load {
    async fn start(bridge: SocketAddr) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        let client = Http2Client::connect(ServiceKind::Bridge, bridge).await.unwrap();
        for _ in 0..CLIENTS {
            let (done, mut client) = (Arc::clone(&done), client.clone());
            clients.spawn(async move {
                let (mut receipts, mut rejections) = (0, Vec::new());
                while !done.load(Ordering::Relaxed) {
                    let outcome = client.send_vote().await.unwrap();
                    if outcome.is_receipt() {
                        receipts += 1;
                    } else {
                        rejections.push(outcome);
                    }
                }
                (receipts, rejections)
            });
        }
        Self { done, clients }
    }

    async fn finish(self) -> (usize, Vec<CallOutcome>) {
        self.done.store(true, Ordering::Relaxed);
        let clients = self.clients.join_all().await;
        let receipts = clients.iter().map(|(receipts, _)| receipts).sum();
        (
            receipts,
            clients
                .into_iter()
                .flat_map(|(_, rejections)| rejections)
                .collect(),
        )
    }
}
