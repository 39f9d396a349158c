//! The load: clients on all three routes, each with one vote at a time, at a rate that does not saturate the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lab::access::Access;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;
use vote::Route;

use crate::client::{Client, Outcome};
use crate::ledger::Ledger;

/// A vote without a receipt after this time means that a service hangs: a retrying client then returns an error.
pub const ACKNOWLEDGEMENT_TIMEOUT: Duration = Duration::from_mins(2);

/// How a client repeats a vote that was not acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Time limit for a response.
    pub timeout: Duration,
    /// Longest random pause before the next attempt.
    pub max_pause: Duration,
}

/// The clients of each route.
#[derive(Clone, Copy, Debug)]
pub struct ClientMix {
    /// Clients that choose the vote id and repeat each vote until they have a receipt.
    pub retrying: usize,
    /// Clients that leave the id to the service and send each vote once.
    pub single_attempt: usize,
    /// Time between two votes of a client; zero for no pause.
    pub interval: Duration,
    /// How clients handle failures. A single-attempt client waits six times as long for a response.
    pub retry_policy: RetryPolicy,
}

impl RetryPolicy {
    /// The timeout is shorter than the deadline of the services, so the first attempt can still be in flight when the client
    /// sends the vote again.
    pub const DEFAULT: Self = Self {
        timeout: Duration::from_secs(1),
        max_pause: Duration::from_millis(200),
    };
}

impl ClientMix {
    /// 24 clients with one vote per 80 ms: 300 votes a second on each route.
    pub const DEFAULT: Self = Self {
        retrying: 18,
        single_attempt: 6,
        interval: Duration::from_millis(80),
        retry_policy: RetryPolicy::DEFAULT,
    };
}

/// A running load.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<Result<()>>,
}

impl Load {
    /// Starts the clients of `mix` on every route.
    pub fn start(mix: ClientMix, access: &Access, ledger: &Arc<Ledger>) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for route in Route::ALL {
            for number in 0..mix.retrying + mix.single_attempt {
                let worker = Worker {
                    client: Client::new(route, access)?,
                    ledger: Arc::clone(ledger),
                    retry_policy: mix.retry_policy,
                    is_retrying: number < mix.retrying,
                };
                clients.spawn(worker.run(mix.interval, Arc::clone(&stop)));
            }
        }
        Ok(Self { stop, clients })
    }

    /// Waits until every client has finished its vote. Returns an error if a retrying client got no receipt.
    pub async fn finish(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.context("a client of the load panicked")??;
        }
        Ok(())
    }
}

struct Worker {
    client: Client,
    ledger: Arc<Ledger>,
    retry_policy: RetryPolicy,
    is_retrying: bool,
}

impl Worker {
    async fn run(self, interval: Duration, stop: Arc<AtomicBool>) -> Result<()> {
        // Spreads the clients over the interval instead of sending all votes at once.
        tokio::time::sleep(interval.mul_f64(fastrand::f64())).await;
        let mut ticks = (!interval.is_zero()).then(|| tokio::time::interval(interval));
        if let Some(ticks) = &mut ticks {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        while !stop.load(Ordering::Relaxed) {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await;
            }
            if self.is_retrying {
                send_until_acknowledged(&self.client, new_id(), self.retry_policy, &self.ledger).await?;
            } else {
                let outcome = self.client.send_vote(None, self.retry_policy.timeout * 6).await;
                self.ledger.record_final(self.client.route(), outcome)?;
                if !matches!(outcome, Outcome::Receipt(_)) {
                    back_off(self.retry_policy).await;
                }
            }
        }
        Ok(())
    }
}

/// Sends the vote `id` repeatedly until it is acknowledged, at most for [`ACKNOWLEDGEMENT_TIMEOUT`].
pub async fn send_until_acknowledged(
    client: &Client,
    id: Uuid,
    retry_policy: RetryPolicy,
    ledger: &Ledger,
) -> Result<()> {
    let (route, started) = (client.route(), Instant::now());
    let mut timeout = retry_policy.timeout;
    loop {
        let outcome = client.send_vote(Some(id), timeout).await;
        if let Outcome::Receipt(acknowledged_id) = outcome {
            if acknowledged_id != id {
                bail!("{route}: the receipt for vote {id} names {acknowledged_id}");
            }
            return ledger.record_final(route, outcome);
        }
        if started.elapsed() > ACKNOWLEDGEMENT_TIMEOUT {
            bail!("{route}: vote {id} has no receipt after {ACKNOWLEDGEMENT_TIMEOUT:?}, last: {outcome:?}");
        }
        ledger.record_repeated(route, outcome);
        back_off(retry_policy).await;
        // With a fixed timeout, a client would never get a receipt if every response takes longer.
        timeout = timeout.mul_f64(1.5).min(ACKNOWLEDGEMENT_TIMEOUT);
    }
}

/// A vote id as clients choose it: a UUIDv4 or a UUIDv7.
pub fn new_id() -> Uuid {
    if fastrand::bool() {
        Uuid::new_v4()
    } else {
        Uuid::now_v7()
    }
}

async fn back_off(retry_policy: RetryPolicy) {
    tokio::time::sleep(retry_policy.max_pause.mul_f64(fastrand::f64())).await;
}
