//! Blocks at the same time: one schedule of votes, each of which goes to a variant at random. A round is a window of that
//! schedule, and a vote belongs to the round of its intended send time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use analysis::observations::{Block, CountingDelayHistogram, Usage};
use anyhow::{Result, ensure};
use experiment_model::plan::Plan;
use experiment_model::sample::{Sample, WireBytes};
use experiment_model::variant::Route;
use load_generator::schedule::send_times;
use load_generator::shared_load::{SharedLoad, assign};

use crate::consumer_metrics::ConsumerMetrics;
use crate::monitor::Monitor;
use crate::subject::Subject;
use crate::usage::Totals;

/// The simultaneous rounds of one point.
#[derive(Debug)]
pub struct Simultaneous<'a> {
    /// The plan without its sweep.
    pub plan: &'a Plan,
    /// The source of the times from a vote's arrival at its route until Redis has counted it.
    pub consumer: &'a ConsumerMetrics,
    /// The start of the run.
    pub run_start: Instant,
    /// The number of the first round.
    pub first_round: usize,
}

/// A round whose votes are not all answered yet.
#[derive(Debug)]
struct OpenRound {
    samples: Vec<Vec<Sample>>,
    unanswered: usize,
    /// Usage and bytes of each subject; `None` until the window has ended.
    resources: Option<Vec<Resources>>,
}

/// The window of a complete round.
#[derive(Debug)]
struct Window {
    /// The number of the round.
    round: usize,
    /// Its start, from the start of the schedule.
    offset: Duration,
    /// Its start, from the start of the run.
    started: Duration,
    length: Duration,
}

/// Usage and bytes of a subject since the start of its processes.
#[derive(Clone, Debug)]
struct ResourceTotals {
    usage: Totals,
    wire: WireBytes,
}

/// Usage and bytes of a subject in one window.
#[derive(Clone, Debug, Default)]
struct Resources {
    usage: BTreeMap<String, Usage>,
    wire: WireBytes,
}

impl Simultaneous<'_> {
    /// Runs the rounds until all are complete, or until `monitor` has decided every comparison, and adds their blocks to the
    /// subjects. Returns the samples of incomplete rounds, which are not analysed.
    pub async fn run(
        &self,
        subjects: &mut [Subject],
        monitor: &mut Monitor<'_>,
    ) -> Result<Vec<(Route, Vec<Sample>)>> {
        let Self { plan, run_start, .. } = *self;
        let (length, rounds) = (plan.block(), plan.design.rounds);
        let schedule = schedule(plan, subjects.len());
        let mut open_rounds = open_rounds(&schedule, length, rounds, subjects.len());
        let targets = subjects.iter().map(|subject| Arc::clone(&subject.target));
        let delays_before = self.counting_delays(subjects).await?;
        let mut before = resource_totals(subjects)?;
        let started = run_start.elapsed();
        let mut load = SharedLoad::start(targets.collect(), schedule, plan.load.timing_every)?;
        let (mut ended, mut complete, mut is_stopped, mut is_early) = (0, 0, false, false);
        loop {
            let window_end = tokio::time::Instant::from_std(load.start + length * (ended + 1));
            tokio::select! {
                sample = load.next() => match sample {
                    Some((subject, sample)) => {
                        add(&mut open_rounds, complete, length, subject, sample);
                    }
                    None if is_stopped => break,
                    None => tokio::time::sleep_until(window_end).await,
                },
                () = tokio::time::sleep_until(window_end), if !is_stopped => {}
            }
            if !is_stopped && tokio::time::Instant::now() >= window_end {
                let now = resource_totals(subjects)?;
                if let Some(round) = open_rounds.get_mut(ended as usize - complete) {
                    round.resources = Some(since(&now, &before));
                }
                before = now;
                ended += 1;
            }
            while let Some(round) = pop_complete(&mut open_rounds) {
                let window = Window {
                    round: self.first_round + complete,
                    offset: length * complete as u32,
                    started: started + length * complete as u32,
                    length,
                };
                add_blocks(subjects, round, &window, plan.shares_processes());
                complete += 1;
                monitor.add_round(subjects);
            }
            if !is_stopped && ended as usize == rounds {
                // The last votes may still be due. The load ends by itself after their answers.
                is_stopped = true;
            } else if !is_stopped && monitor.is_decided() {
                load.stop();
                (is_stopped, is_early) = (true, true);
            }
        }
        ensure!(
            is_early || complete == rounds,
            "only {complete} of {rounds} rounds have a sample of each vote: a send task panicked"
        );
        self.add_counting_delays(subjects, &delays_before).await?;
        Ok(incomplete(subjects, open_rounds))
    }

    async fn counting_delays(&self, subjects: &[Subject]) -> Result<Vec<CountingDelayHistogram>> {
        let by_route = self.consumer.counting_delays_by_route().await?;
        let of_subject = |subject: &Subject| by_route.get(&subject.data.variant.route).cloned();
        let delays = subjects.iter().map(of_subject);
        Ok(delays.map(Option::unwrap_or_default).collect())
    }

    /// The counting delays of the whole run go to the last block: reading them in each round would load the consumer.
    async fn add_counting_delays(
        &self,
        subjects: &mut [Subject],
        before: &[CountingDelayHistogram],
    ) -> Result<()> {
        let now = self.counting_delays(subjects).await?;
        for ((subject, now), before) in subjects.iter_mut().zip(now).zip(before) {
            if let Some(block) = subject.data.blocks.last_mut() {
                block.counting_delays = now.since(before);
            }
        }
        Ok(())
    }
}

/// The send times of all votes, each with the index of its subject. The plan's rate is that of one variant.
fn schedule(plan: &Plan, subjects: usize) -> Vec<(Duration, usize)> {
    let length = plan.block() * plan.design.rounds as u32;
    let rate = plan.load.rate * subjects as f64;
    let times = send_times(plan.load.arrival, rate, length, plan.design.seed);
    let assigned = assign(times.len(), subjects, plan.design.seed);
    times.into_iter().zip(assigned).collect()
}

fn open_rounds(
    schedule: &[(Duration, usize)],
    length: Duration,
    rounds: usize,
    subjects: usize,
) -> VecDeque<OpenRound> {
    let empty = || OpenRound {
        samples: vec![Vec::new(); subjects],
        unanswered: 0,
        resources: None,
    };
    let mut open: VecDeque<OpenRound> = (0..rounds).map(|_| empty()).collect();
    for (at, _) in schedule {
        if let Some(round) = open.get_mut(round_of(*at, length)) {
            round.unanswered += 1;
        }
    }
    open
}

/// The index of the round of a vote.
fn round_of(intended: Duration, length: Duration) -> usize {
    (intended.as_nanos() / length.as_nanos().max(1)) as usize
}

fn add(open: &mut VecDeque<OpenRound>, complete: usize, length: Duration, subject: usize, sample: Sample) {
    let index = round_of(sample.intended, length).checked_sub(complete);
    let Some(round) = index.and_then(|index| open.get_mut(index)) else {
        return;
    };
    round.unanswered -= 1;
    if let Some(samples) = round.samples.get_mut(subject) {
        samples.push(sample);
    }
}

fn pop_complete(open: &mut VecDeque<OpenRound>) -> Option<OpenRound> {
    let first = open.front()?;
    if first.unanswered == 0 && first.resources.is_some() {
        open.pop_front()
    } else {
        None
    }
}

fn resource_totals(subjects: &[Subject]) -> Result<Vec<ResourceTotals>> {
    let each = subjects.iter().map(|subject| {
        Ok(ResourceTotals {
            usage: subject.processes.totals()?,
            wire: subject.target.wire_bytes(),
        })
    });
    each.collect()
}

/// The usage and the bytes between two readings.
fn since(now: &[ResourceTotals], before: &[ResourceTotals]) -> Vec<Resources> {
    let pairs = now.iter().zip(before);
    pairs
        .map(|(now, before)| Resources {
            usage: now.usage.since(&before.usage),
            wire: now.wire.since(before.wire),
        })
        .collect()
}

/// Adds the block of each subject. Shared processes served all variants, so their usage belongs to no block.
fn add_blocks(subjects: &mut [Subject], round: OpenRound, window: &Window, shares_processes: bool) {
    let resources = round.resources.unwrap_or_default();
    for ((subject, mut samples), resources) in subjects.iter_mut().zip(round.samples).zip(resources) {
        for sample in &mut samples {
            sample.intended = sample.intended.saturating_sub(window.offset);
        }
        subject.data.blocks.push(Block {
            round: window.round,
            position: 0,
            started: window.started,
            length: window.length,
            samples,
            usage: if shares_processes {
                BTreeMap::new()
            } else {
                resources.usage
            },
            wire: resources.wire,
            counting_delays: CountingDelayHistogram::default(),
            search: None,
        });
    }
}

fn incomplete(subjects: &[Subject], open: VecDeque<OpenRound>) -> Vec<(Route, Vec<Sample>)> {
    let rounds = open
        .into_iter()
        .flat_map(|round| subjects.iter().zip(round.samples));
    rounds
        .map(|(subject, samples)| (subject.data.variant.route, samples))
        .collect()
}
