//! Blocks in turns: in each round, every variant has one block alone, in random order, so drift affects all variants alike.

use std::sync::Arc;
use std::time::{Duration, Instant};

use analysis::observations::Block;
use anyhow::Result;
use experiment_model::plan::{PAUSE_BETWEEN_BLOCKS, Plan};
use experiment_model::sample::Sample;
use lab::progress::Step;
use load_generator::load;
use load_generator::schedule::send_times;
use load_generator::target::Target;

use crate::consumer_metrics::ConsumerMetrics;
use crate::subject::Subject;

/// The blocks in turns of one point.
#[derive(Debug)]
pub struct Turns<'a> {
    /// The plan without its sweep.
    pub plan: &'a Plan,
    /// The source of the times from a vote's arrival at its route until Redis has counted it.
    pub consumer: &'a ConsumerMetrics,
    /// The start of the run.
    pub run_start: Instant,
    /// The number of the first round.
    pub first_round: usize,
}

impl Turns<'_> {
    /// Runs `rounds` rounds. Returns the blocks of each subject in the order of rounds.
    pub async fn run(&self, subjects: &[Subject], rounds: usize, step: &Step) -> Result<Vec<Vec<Block>>> {
        let mut random = fastrand::Rng::with_seed(self.plan.design.seed);
        let mut blocks: Vec<Vec<Block>> = subjects.iter().map(|_| Vec::with_capacity(rounds)).collect();
        for round in 0..rounds {
            let mut order: Vec<(&Subject, &mut Vec<Block>)> = subjects.iter().zip(&mut blocks).collect();
            random.shuffle(&mut order);
            // All blocks of a round share one schedule, so every variant gets the same bursts.
            let schedule_seed = random.u64(..);
            for (position, (subject, blocks)) in order.into_iter().enumerate() {
                step.update(&format!(
                    "{} of {rounds}: {}",
                    round + 1,
                    subject.data.variant.name
                ));
                let mut block = self.block(subject, schedule_seed).await?;
                (block.round, block.position) = (self.first_round + round, position);
                blocks.push(block);
            }
        }
        Ok(blocks)
    }

    /// Runs one block and records the resources that it uses. During the pause after it, the consumer counts the last
    /// votes.
    pub async fn block(&self, subject: &Subject, schedule_seed: u64) -> Result<Block> {
        let Subject {
            data,
            target,
            processes,
            ..
        } = subject;
        target.reopen_closed().await?;
        let delays_before = self.consumer.counting_delays(data.variant.route).await?;
        let (usage_before, wire_before) = (processes.totals()?, target.wire_bytes());
        let (started, length) = (self.run_start.elapsed(), self.plan.block());
        let samples = send_load(self.plan, target, length, schedule_seed).await?;
        let wire = target.wire_bytes().since(wire_before);
        let usage = processes.totals()?.since(&usage_before);
        tokio::time::sleep(PAUSE_BETWEEN_BLOCKS).await;
        let delays = self.consumer.counting_delays(data.variant.route).await?;
        Ok(Block {
            round: 0,
            position: 0,
            started,
            length,
            samples,
            usage,
            wire,
            counting_delays: delays.since(&delays_before),
            search: None,
        })
    }
}

/// Sends the plan's load to one target.
pub async fn send_load(
    plan: &Plan,
    target: &Arc<Target>,
    length: Duration,
    schedule_seed: u64,
) -> Result<Vec<Sample>> {
    let timing_every = plan.load.timing_every;
    if let Some(users) = plan.load.users {
        return load::run_closed_loop(target, users, length, timing_every).await;
    }
    let times = send_times(plan.load.arrival, plan.load.rate, length, schedule_seed);
    load::run_open_loop(target, times, timing_every).await
}
