//! One block of load: sends the votes of a schedule and returns a sample for each of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use experiment_model::sample::{Outcome, Sample};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;

use crate::codec::Reply;
use crate::pacer::{DueVote, Pacer};
use crate::target::Target;

/// A vote without an answer after this time counts as failed.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Open loop: sends a vote at each of `times` (ascending offsets from now) regardless of answers, and waits for all
/// answers. Every `timing_every`th vote requests the server's stage times; 0 requests none.
pub async fn run_open_loop(
    target: &Arc<Target>,
    times: Vec<Duration>,
    timing_every: usize,
) -> Result<Vec<Sample>> {
    let scheduled = times.len();
    let mut pacer = Pacer::start(times)?;
    let start = pacer.start;
    // Awaiting each task here would wake the pacing loop for every answer.
    let (done, mut samples) = unbounded_channel();
    while let Some(due) = pacer.next().await {
        let (target, done) = (Arc::clone(target), done.clone());
        tokio::spawn(async move {
            // The receiver is gone only if the run was cancelled.
            let _ = done.send(send(&target, due, timing_every, start).await);
        });
    }
    drop(done);
    let mut all = Vec::with_capacity(scheduled);
    while let Some(sample) = samples.recv().await {
        all.push(sample);
    }
    ensure!(
        all.len() == scheduled,
        "only {} of {scheduled} votes have a sample: a send task panicked",
        all.len()
    );
    Ok(all)
}

/// Closed loop: for `length`, each of `users` clients sends its next vote after the answer to its last one. The intended
/// send time is the actual one, so the latencies omit the time by which a slow server delays the later votes.
pub async fn run_closed_loop(
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
                let due = DueVote {
                    index: user + users * samples.len(),
                    intended: Instant::now(),
                };
                samples.push(send(&target, due, timing_every, start).await);
            }
            samples
        });
    }
    Ok(clients.join_all().await.into_iter().flatten().collect())
}

pub(crate) async fn send(target: &Target, due: DueVote, timing_every: usize, start: Instant) -> Sample {
    let DueVote { index, intended } = due;
    let scheduling_delay = intended.elapsed();
    let timed = timing_every > 0 && index % timing_every == 0;
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, target.send(index, timed)).await;
    let latency = intended.elapsed();
    let (outcome, server) = match answer {
        Ok(Ok((Reply::Receipt(vote_id), server))) => (Outcome::Acknowledged(vote_id), server),
        Ok(Ok((Reply::Rejected(status), server))) => (Outcome::Failed(format!("rejected: {status}")), server),
        Ok(Err(error)) => (Outcome::Failed(format!("{error:#}")), None),
        Err(_) => (
            Outcome::Failed(format!("no answer within {ANSWER_TIMEOUT:?}")),
            None,
        ),
    };
    Sample {
        intended: intended - start,
        scheduling_delay,
        latency,
        outcome,
        server,
    }
}
