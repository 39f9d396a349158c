//! An attack on one process, with a bystander: what came of it, what it cost, and whether others were served meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::edge::{Edge, Kind};
use e2e::wire::{Verdict, Wire, wait_for};
use tokio::task::JoinHandle;

/// No attack here may cost more resident memory than this, in MiB: the default limit of 64 MiB of held bytes, twice for
/// buffers that grow, and the same again for connections, streams and the program itself.
const BOUND: u64 = 256;

/// A client who means no harm: one vote after the other on a connection of his own.
pub(crate) struct Bystander {
    stop: Arc<AtomicBool>,
    votes: JoinHandle<Vec<Verdict>>,
}

impl Bystander {
    pub(crate) async fn start(edge: &Edge) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let mut wire = Wire::connect(edge.kind(), edge.address()).await.unwrap();
        let votes = tokio::spawn(async move {
            let mut verdicts = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                verdicts.push(wire.vote().await.unwrap());
            }
            verdicts
        });
        Self { stop, votes }
    }

    /// Every verdict on his votes; there is at least one.
    pub(crate) async fn stop(self) -> Vec<Verdict> {
        self.stop.store(true, Ordering::Relaxed);
        let verdicts = self.votes.await.unwrap();
        assert!(!verdicts.is_empty());
        verdicts
    }
}

/// Runs an attack against a fresh process on each edge, with a bystander who must get a receipt for every vote.
pub(crate) async fn withstands(name: &str, attack: impl AsyncFn(&Edge) -> String) {
    for kind in Kind::EDGES {
        let mut edge = Edge::start_without_kafka(kind, &[]).await.unwrap();
        let bystander = Bystander::start(&edge).await;
        let outcome = attack(&edge).await;
        let verdicts = bystander.stop().await;
        assert!(
            verdicts.iter().all(Verdict::is_receipt),
            "{name} on {kind:?}: the bystander got {:?}",
            verdicts.iter().find(|verdict| !verdict.is_receipt())
        );
        report(name, &mut edge, &outcome, verdicts.len()).await;
    }
}

/// Prints a line of the table and holds the peak to the bound.
pub(crate) async fn report(name: &str, edge: &mut Edge, outcome: &str, receipts: usize) {
    assert!(edge.is_alive(), "{name} ended {:?}:\n{}", edge.kind(), edge.log());
    let mut wire = Wire::connect(edge.kind(), edge.address()).await.unwrap();
    wait_for(async || wire.clone().vote().await.unwrap().is_receipt()).await;
    assert!(wire.vote().await.unwrap().is_receipt());
    let peak = edge.peak_memory().unwrap();
    println!(
        "| {name} | {:?} | {outcome}; a bystander got {receipts} receipts | {peak} MiB |",
        edge.kind()
    );
    assert!(peak < BOUND, "{name} on {:?}: {peak} MiB", edge.kind());
}

/// How often each verdict came.
pub(crate) fn tally(verdicts: impl IntoIterator<Item = anyhow::Result<Verdict>>) -> String {
    let mut counts = BTreeMap::new();
    for verdict in verdicts {
        let name = match verdict {
            Ok(Verdict {
                grpc_code: Some(code),
                ..
            }) => format!("{:?}", tonic::Code::from(code)),
            Ok(Verdict { status, .. }) => status.as_u16().to_string(),
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
