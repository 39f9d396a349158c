//! One block of load: votes sent at their times, whatever the answers do, and every one of them accounted for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;
use proto::votes::Vote;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::call::{ANSWER_LIMIT, Encoding, Reply};
use super::lane::Lane;
use super::pacer::{Moment, Pacer};
use crate::data::ServerTiming;

/// Where votes go and how they are written.
#[derive(Clone, Debug)]
pub struct Target {
    /// Connections to it.
    pub lane: Arc<Lane>,
    /// host:port, for the request's authority.
    pub authority: String,
    /// The path.
    pub path: String,
    /// Headers beside those of the encoding.
    pub headers: HeaderMap,
    /// How votes are written.
    pub encoding: Encoding,
}

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

/// What became of a vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged, under this id.
    Acknowledged(Uuid),
    /// Refused, or without an answer; why.
    Failed(String),
}

/// Sends a vote at each of `times`, taken in turn from `votes`, and waits for all answers.
pub async fn run(target: &Target, times: Vec<Duration>, votes: &Arc<[Vote]>) -> anyhow::Result<Vec<Sample>> {
    anyhow::ensure!(!votes.is_empty(), "there are no votes to send");
    let mut samples = Vec::with_capacity(times.len());
    let mut calls = JoinSet::new();
    let mut pacer = Pacer::start(times)?;
    let start = pacer.start;
    loop {
        tokio::select! {
            moment = pacer.next() => match moment {
                Some(moment) => {
                    let (target, votes) = (target.clone(), Arc::clone(votes));
                    calls.spawn(async move { send(&target, moment, &votes, start).await });
                }
                None => break,
            },
            Some(sample) = calls.join_next(), if !calls.is_empty() => samples.push(sample?),
        }
    }
    while let Some(sample) = calls.join_next().await {
        samples.push(sample?);
    }
    Ok(samples)
}

/// Closed loop: `users` clients send vote after vote for `length`, each when it has the answer to its last. Their intended
/// send time is the actual one, which is why such a load hides what a slow server does to those who would have come.
pub async fn run_closed(
    target: &Target,
    users: usize,
    length: Duration,
    votes: &Arc<[Vote]>,
) -> anyhow::Result<Vec<Sample>> {
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for user in 0..users {
        let (target, votes) = (target.clone(), Arc::clone(votes));
        clients.spawn(async move {
            let mut samples = Vec::new();
            while start.elapsed() < length {
                let moment = Moment {
                    index: user + users * samples.len(),
                    intended: Instant::now(),
                };
                samples.push(send(&target, moment, &votes, start).await);
            }
            samples
        });
    }
    let mut samples = Vec::new();
    while let Some(of_user) = clients.join_next().await {
        samples.extend(of_user?);
    }
    Ok(samples)
}

async fn send(target: &Target, moment: Moment, votes: &[Vote], start: Instant) -> Sample {
    let lag = moment.intended.elapsed();
    let call = async {
        let vote = votes
            .get(moment.index % votes.len())
            .ok_or_else(|| anyhow::anyhow!("no vote"))?;
        let request = target
            .encoding
            .request(&target.authority, &target.path, &target.headers, vote)?;
        let encoding = target.encoding;
        target
            .lane
            .call(request, async |response| encoding.reply(response).await)
            .await
    };
    let outcome = match tokio::time::timeout(ANSWER_LIMIT, call).await {
        Ok(Ok(Reply::Receipt(vote_id))) => Outcome::Acknowledged(vote_id),
        Ok(Ok(Reply::Refused(status))) => Outcome::Failed(format!("refused: {status}")),
        Ok(Err(error)) => Outcome::Failed(format!("{error:#}")),
        Err(_) => Outcome::Failed("no answer in time".to_owned()),
    };
    Sample {
        intended: moment.intended - start,
        lag,
        latency: moment.intended.elapsed(),
        outcome,
        server: None,
    }
}
