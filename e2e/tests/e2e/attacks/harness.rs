//! Runs an attack against one process while a well-behaved client sends votes, and reports the result and the memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::http2_client::{CallOutcome, Http2Client};
use e2e::service_process::{ServiceKind, ServiceProcess};
use e2e::wait::wait_until;
use tokio::task::JoinHandle;

/// The highest resident memory that an attack may cause, in MiB. Services buffer at most 64 MiB by default. Buffers grow by
/// doubling, so they can allocate 128 MiB. Connections, streams and the program get another 128 MiB.
const MAX_PEAK_MIB: u64 = 256;

/// A well-behaved client during an attack: sends one vote after the other on its own connection.
pub(crate) struct BackgroundClient {
    stop: Arc<AtomicBool>,
    votes: JoinHandle<Vec<CallOutcome>>,
}

impl BackgroundClient {
    pub(crate) async fn start(service: &ServiceProcess) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let mut client = Http2Client::connect(service.kind(), service.address())
            .await
            .unwrap();
        let votes = tokio::spawn(async move {
            let mut outcomes = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                outcomes.push(client.send_vote().await.unwrap());
            }
            outcomes
        });
        Self { stop, votes }
    }

    /// Stops the client. Returns the outcome of every vote, at least one.
    pub(crate) async fn stop(self) -> Vec<CallOutcome> {
        self.stop.store(true, Ordering::Relaxed);
        let outcomes = self.votes.await.unwrap();
        assert!(!outcomes.is_empty());
        outcomes
    }
}

/// Runs an attack against a new process of each service. The background client must get a receipt for every vote.
pub(crate) async fn check_survives(name: &str, attack: impl AsyncFn(&ServiceProcess) -> String) {
    for kind in ServiceKind::KAFKA_PRODUCERS {
        let mut service = ServiceProcess::start_without_kafka(kind, &[]).await.unwrap();
        let background_client = BackgroundClient::start(&service).await;
        let summary = attack(&service).await;
        let outcomes = background_client.stop().await;
        assert!(
            outcomes.iter().all(CallOutcome::is_receipt),
            "{name} on {kind:?}: the background client got {:?}",
            outcomes.iter().find(|outcome| !outcome.is_receipt())
        );
        report(name, &mut service, &summary, outcomes.len()).await;
    }
}

/// Prints a row of the table in docs/reliability.md and checks the peak memory.
pub(crate) async fn report(name: &str, service: &mut ServiceProcess, summary: &str, receipts: usize) {
    assert!(
        service.is_alive(),
        "{name}: {:?} exited:\n{}",
        service.kind(),
        service.log()
    );
    let mut client = Http2Client::connect(service.kind(), service.address())
        .await
        .unwrap();
    wait_until(async || client.clone().send_vote().await.unwrap().is_receipt()).await;
    assert!(client.send_vote().await.unwrap().is_receipt());
    let peak = service.peak_memory().unwrap();
    println!(
        "| {name} | {:?} | {summary}; the background client got {receipts} receipts | {peak} MiB |",
        service.kind()
    );
    assert!(
        peak < MAX_PEAK_MIB,
        "{name} on {:?}: a peak of {peak} MiB",
        service.kind()
    );
}

/// The number of calls for each outcome, as text.
pub(crate) fn count_outcomes(outcomes: impl IntoIterator<Item = anyhow::Result<CallOutcome>>) -> String {
    let mut counts = BTreeMap::new();
    for outcome in outcomes {
        let name = match outcome {
            Ok(CallOutcome {
                grpc_code: Some(code),
                ..
            }) => format!("{:?}", tonic::Code::from(code)),
            Ok(CallOutcome { status, .. }) => status.as_u16().to_string(),
            Err(_) => "reset".to_owned(),
        };
        *counts.entry(name).or_insert(0) += 1;
    }
    let counts: Vec<_> = counts
        .iter()
        .map(|(name, count)| format!("{count} × {name}"))
        .collect();
    counts.join(", ")
}
