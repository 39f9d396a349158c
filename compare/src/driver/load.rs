//! One block of load: votes sent at their times, whatever the answers do, and every one of them accounted for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::call::{ANSWER_LIMIT, Reply};
use super::pacer::{Moment, Pacer};
use super::target::Target;
use crate::data::ServerTiming;

/// One vote as its sender saw it.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When it was meant to be sent, from the start of the block.
    pub intended: Duration,
    /// How much later it was handed to the connections: the driver's own fault.
    pub lag: Duration,
    /// From the intended send time until its answer was read, or it failed.
    pub latency: Duration,
    /// What became of it.
    pub outcome: Outcome,
    /// What the server said about it, where it was asked.
    pub server: Option<ServerTiming>,
}

impl Sample {
    /// Whether it has a receipt.
    pub const fn is_acknowledged(&self) -> bool {
        matches!(self.outcome, Outcome::Acknowledged(_))
    }
}

/// What became of a vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged, under this id.
    Acknowledged(Uuid),
    /// Refused, or without an answer; why.
    Failed(String),
}

/// Open loop: sends a vote at each of `times` (offsets from now, ascending), whatever the answers do, and waits for all
/// answers. Every `timing_every`th asks the server for its times; 0: none.
pub async fn run(target: &Arc<Target>, times: Vec<Duration>, timing_every: usize) -> Result<Vec<Sample>> {
    let due = times.len();
    let mut pacer = Pacer::start(times)?;
    let start = pacer.start;
    // No task is waited for by itself: that would wake the pacing for each answer.
    let (done, mut samples) = unbounded_channel();
    while let Some(moment) = pacer.next().await {
        let (target, done) = (Arc::clone(target), done.clone());
        tokio::spawn(async move {
            // The receiver is gone only when the run is given up.
            let _ = done.send(send(&target, moment, timing_every, start).await);
        });
    }
    drop(done);
    let mut all = Vec::with_capacity(due);
    while let Some(sample) = samples.recv().await {
        all.push(sample);
    }
    ensure!(all.len() == due, "{} of {due} votes are accounted for", all.len());
    Ok(all)
}

/// Closed loop: `users` clients send vote after vote for `length`, each when it has the answer to its last. Their intended
/// send time is the actual one, which is why such a load hides what a slow server does to those who would have come.
pub async fn run_closed(
    target: &Arc<Target>,
    users: usize,
    length: Duration,
    timing_every: usize,
) -> Result<Vec<Sample>> {
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for user in 0..users {
        let target = Arc::clone(target);
        clients.spawn(async move {
            let mut samples = Vec::new();
            while start.elapsed() < length {
                let moment = Moment {
                    index: user + users * samples.len(),
                    intended: Instant::now(),
                };
                samples.push(send(&target, moment, timing_every, start).await);
            }
            samples
        });
    }
    Ok(clients.join_all().await.into_iter().flatten().collect())
}

async fn send(target: &Target, moment: Moment, timing_every: usize, start: Instant) -> Sample {
    let Moment { index, intended } = moment;
    let lag = intended.elapsed();
    let timed = timing_every > 0 && index % timing_every == 0;
    let answer = tokio::time::timeout(ANSWER_LIMIT, target.send(index, timed)).await;
    let latency = intended.elapsed();
    let (outcome, server) = match answer {
        Ok(Ok((Reply::Receipt(vote_id), server))) => (Outcome::Acknowledged(vote_id), server),
        Ok(Ok((Reply::Refused(status), server))) => (Outcome::Failed(format!("refused: {status}")), server),
        Ok(Err(error)) => (Outcome::Failed(format!("{error:#}")), None),
        Err(_) => (Outcome::Failed("no answer in time".to_owned()), None),
    };
    Sample {
        intended: intended - start,
        lag,
        latency,
        outcome,
        server,
    }
}
