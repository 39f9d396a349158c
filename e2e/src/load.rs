//! A steady load of votes whose every answer is remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::doors::{Answer, Door, Doors};

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
                        let lost = answer.is_err();
                        if sender.send((door, answer)).is_err() {
                            return;
                        }
                        if lost {
                            // The server is gone: no need to find that out as fast as the loop can.
                            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
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
