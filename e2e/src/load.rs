//! A steady load of votes. Keeps every response.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::endpoints::{Endpoint, EndpointClients, VoteResponse};

/// The pause of a worker after a rejected vote. Without it, the next votes would starve the servers of CPU.
const PAUSE_AFTER_REJECTION: Duration = Duration::from_millis(50);

/// One vote that was sent: the endpoint, and the response or the transport error.
pub type SentVote = (Endpoint, anyhow::Result<VoteResponse>);

/// Workers that send one vote after the other until [`Load::finish`].
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    workers: JoinSet<()>,
    responses: mpsc::UnboundedReceiver<SentVote>,
}

impl Load {
    /// Starts `workers` workers for each of `endpoints`.
    pub fn start(clients: &EndpointClients, endpoints: &[Endpoint], workers: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, responses) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for &endpoint in endpoints {
            for _ in 0..workers {
                let (clients, sender, stop) = (clients.clone(), sender.clone(), Arc::clone(&stop));
                tasks.spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        let response = clients.send_valid_vote(endpoint).await;
                        let rejected = !matches!(response, Ok(VoteResponse::Receipt(_)));
                        if sender.send((endpoint, response)).is_err() {
                            return;
                        }
                        if rejected {
                            tokio::time::sleep(PAUSE_AFTER_REJECTION).await;
                        }
                    }
                });
            }
        }
        Self {
            stop,
            workers: tasks,
            responses,
        }
    }

    /// Waits until every worker has finished its vote in flight. Returns all votes that were sent.
    pub async fn finish(mut self) -> Vec<SentVote> {
        self.stop.store(true, Ordering::Relaxed);
        self.workers.join_all().await;
        let mut sent = Vec::new();
        while let Ok(one) = self.responses.try_recv() {
            sent.push(one);
        }
        sent
    }
}
