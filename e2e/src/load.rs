//! A steady load of votes whose every answer is remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::doors::{Answer, Door, Doors};

/// A refused client comes again after a while, as it was told; as fast as the loop can, it would starve the servers.
const BACK_OFF: Duration = Duration::from_millis(50);

/// One vote that was sent: the door, and the answer if one came.
pub type Sent = (Door, anyhow::Result<Answer>);

/// Workers that send one vote after the other until told to stop.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    workers: JoinSet<()>,
    answers: mpsc::UnboundedReceiver<Sent>,
}

impl Load {
    /// Starts `workers` workers at each of `doors`.
    pub fn start(clients: &Doors, doors: &[Door], workers: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, answers) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for &door in doors {
            for _ in 0..workers {
                let (clients, sender, stop) = (clients.clone(), sender.clone(), Arc::clone(&stop));
                tasks.spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        let answer = clients.send_good_vote(door).await;
                        let refused = !matches!(answer, Ok(Answer::Receipt(_)));
                        if sender.send((door, answer)).is_err() {
                            return;
                        }
                        if refused {
                            tokio::time::sleep(BACK_OFF).await;
                        }
                    }
                });
            }
        }
        Self {
            stop,
            workers: tasks,
            answers,
        }
    }

    /// Lets every worker finish its vote in flight, and gives all that was sent.
    pub async fn finish(mut self) -> Vec<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        self.workers.join_all().await;
        let mut sent = Vec::new();
        while let Ok(one) = self.answers.try_recv() {
            sent.push(one);
        }
        sent
    }
}
