//! The load: clients at all three doors, each with one vote at a time, at a pace that leaves the machine room.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lab::endpoints::Endpoints;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;
use vote::Route;

use crate::client::{Client, Outcome};
use crate::ledger::Ledger;

/// After this time without a receipt something hangs, and a retrying client says so.
pub const GIVE_UP: Duration = Duration::from_mins(2);

/// How a client deals with a vote that was not acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// How long it waits for an answer.
    pub patience: Duration,
    /// Longest pause before it tries again.
    pub pause: Duration,
}

/// Clients of each route.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// Those that choose their votes' ids and repeat each vote until they have a receipt.
    pub retrying: usize,
    /// Those that leave the id to the service and send each vote once.
    pub plain: usize,
    /// Time between two votes of a client; zero for one right after the other.
    pub pace: Duration,
    /// How they deal with failures; a plain client waits for its answer six times as long.
    pub manner: Manner,
}

impl Manner {
    /// Gives up before the service's own deadline: a copy may be on its way when the next is sent.
    pub const USUAL: Self = Self {
        patience: Duration::from_secs(1),
        pause: Duration::from_millis(200),
    };
}

impl Crowd {
    /// 24 clients with a vote in 80 ms each: 300 votes a second by each route.
    pub const USUAL: Self = Self {
        retrying: 18,
        plain: 6,
        pace: Duration::from_millis(80),
        manner: Manner::USUAL,
    };
}

/// A running crowd.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<Result<()>>,
}

impl Load {
    /// Sends `crowd` to every route.
    pub fn start(crowd: Crowd, endpoints: &Endpoints, ledger: &Arc<Ledger>) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for route in Route::ALL {
            for number in 0..crowd.retrying + crowd.plain {
                let worker = Worker {
                    client: Client::new(route, endpoints)?,
                    ledger: Arc::clone(ledger),
                    manner: crowd.manner,
                    is_retrying: number < crowd.retrying,
                };
                clients.spawn(worker.run(crowd.pace, Arc::clone(&stop)));
            }
        }
        Ok(Self { stop, clients })
    }

    /// Lets every client finish its vote. Errors if one of them could not.
    pub async fn finish(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.context("a client of the load")??;
        }
        Ok(())
    }
}

struct Worker {
    client: Client,
    ledger: Arc<Ledger>,
    manner: Manner,
    is_retrying: bool,
}

impl Worker {
    async fn run(self, pace: Duration, stop: Arc<AtomicBool>) -> Result<()> {
        // All at once would be a pulse, not a stream.
        tokio::time::sleep(pace.mul_f64(fastrand::f64())).await;
        let mut ticks = (!pace.is_zero()).then(|| tokio::time::interval(pace));
        if let Some(ticks) = &mut ticks {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        while !stop.load(Ordering::Relaxed) {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            if self.is_retrying {
                insist(&self.client, new_id(), self.manner, &self.ledger).await?;
            } else {
                let outcome = self.client.cast(None, self.manner.patience * 6).await;
                self.ledger.end(self.client.route(), outcome)?;
                if !matches!(outcome, Outcome::Receipt(_)) {
                    back_off(self.manner).await;
                }
            }
        }
        Ok(())
    }
}

/// Casts the vote `id` again and again until it is acknowledged.
pub async fn insist(client: &Client, id: Uuid, manner: Manner, ledger: &Ledger) -> Result<()> {
    let (route, started) = (client.route(), Instant::now());
    let mut patience = manner.patience;
    loop {
        let outcome = client.cast(Some(id), patience).await;
        if let Outcome::Receipt(named) = outcome {
            if named != id {
                bail!("{route}: the receipt for vote {id} names {named}");
            }
            return ledger.end(route, outcome);
        }
        if started.elapsed() > GIVE_UP {
            bail!("{route}: vote {id} has no receipt after {GIVE_UP:?}, last: {outcome:?}");
        }
        ledger.repeat(route, outcome);
        back_off(manner).await;
        // Whoever is never content with the time that an answer takes would never get one.
        patience = patience.mul_f64(1.5).min(GIVE_UP);
    }
}

/// An id as clients choose them: some random, some by time.
pub fn new_id() -> Uuid {
    if fastrand::bool() {
        Uuid::new_v4()
    } else {
        Uuid::now_v7()
    }
}

async fn back_off(manner: Manner) {
    tokio::time::sleep(manner.pause.mul_f64(fastrand::f64())).await;
}
