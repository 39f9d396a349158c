//! Searches for the highest rate that each variant carries within a bound on its 99th percentile of latency. In each round,
//! every variant has one search, in random order, so drift affects all variants alike.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use analysis::measure::SearchEnd;
use analysis::observations::{Block, CountingDelayHistogram, Search};
use anyhow::{Context, Result};
use experiment_model::plan::{MIN_VOTES_PER_BLOCK, Plan};
use experiment_model::sample::{Sample, WireBytes};
use experiment_model::variant::Route;
use lab::progress::Step;
use quantile::{ascending_ms, nearest_rank};

use crate::consumer_metrics::ConsumerMetrics;
use crate::subject::Subject;
use crate::turns::Turns;

/// A search ends when the lowest rate beyond the bound is at most this many times the highest rate within it.
const NARROW: f64 = 1.05;
/// The step between two rates of a variant's first search, which starts far from the result.
const FIRST_GROWTH: f64 = 2.0;
/// The step between two rates of a later search, which starts about one step below the median of the earlier results.
const GROWTH: f64 = 1.25;
/// The longest wait until the consumer has counted the votes of a block.
const MAX_DRAIN: Duration = Duration::from_secs(10);
/// Pause between two looks at the consumer's count.
const DRAIN_POLL: Duration = Duration::from_millis(100);

/// The searches at one value of the sweep, or of a plan without a sweep.
#[derive(Debug)]
pub struct Saturation<'a> {
    /// The plan without its sweep.
    pub plan: &'a Plan,
    /// The source of the times from a vote's arrival at its route until Redis has counted it.
    pub consumer: &'a ConsumerMetrics,
    /// The start of the run.
    pub run_start: Instant,
    /// The highest rate of a search, in votes a second: half of the load generator's highest rate.
    pub usable_rate: f64,
    /// The number of the first round.
    pub first_round: usize,
}

/// The start of a search.
#[derive(Clone, Copy, Debug)]
struct Start {
    rate: f64,
    growth: f64,
}

impl Saturation<'_> {
    /// Runs all rounds, and adds the block at the found rate of each search to its subject. Returns the samples of all other
    /// blocks, which are not analysed.
    pub async fn run(&self, subjects: &mut [Subject], step: &Step) -> Result<Vec<(Route, Vec<Sample>)>> {
        let rounds = self.plan.design.rounds;
        // The order has its own generator, so that it does not depend on the number of blocks of the searches.
        let mut order_random = fastrand::Rng::with_seed(self.plan.design.seed);
        let mut random = order_random.fork();
        let mut found: Vec<Vec<f64>> = vec![Vec::new(); subjects.len()];
        let mut unanalysed = Vec::new();
        for round in 0..rounds {
            let mut order: Vec<_> = subjects.iter_mut().zip(&mut found).collect();
            order_random.shuffle(&mut order);
            for (position, (subject, found)) in order.into_iter().enumerate() {
                let start = self.start(found, &mut random);
                let name = format!("{} of {rounds}: {}", round + 1, subject.data.variant.name);
                let (mut block, others) = self.search(subject, start, &mut random, step, &name).await?;
                (block.round, block.position) = (self.first_round + round, position);
                found.extend(block.search.and_then(|search| search.rate));
                subject.data.blocks.push(block);
                unanalysed.push((subject.data.variant.route, others));
            }
        }
        Ok(unanalysed)
    }

    /// The plan's rate for the first search. Later ones start below the median of the results so far, so that the first
    /// rate is likely within the bound. The random part keeps the searches from trying the same rates.
    fn start(&self, found: &[f64], random: &mut fastrand::Rng) -> Start {
        let mut ascending = found.to_vec();
        ascending.sort_by(f64::total_cmp);
        nearest_rank(&ascending, 0.5).map_or(
            Start {
                rate: self.plan.load.rate,
                growth: FIRST_GROWTH,
            },
            |median| Start {
                rate: median * GROWTH.powf(random.f64() - 1.5),
                growth: GROWTH,
            },
        )
    }

    /// One search. Returns the block at the found rate, and the samples of all other blocks.
    async fn search(
        &self,
        subject: &Subject,
        start: Start,
        random: &mut fastrand::Rng,
        step: &Step,
        name: &str,
    ) -> Result<(Block, Vec<Sample>)> {
        let started = self.run_start.elapsed();
        let bound_ms = self
            .plan
            .design
            .p99_bound_ms
            .context("a saturation design needs design.p99_bound_ms")?;
        let lowest = MIN_VOTES_PER_BLOCK / self.plan.design.block_s;
        let limits = lowest.min(self.usable_rate)..=self.usable_rate;
        let mut passed: Option<Block> = None;
        let mut others = Vec::new();
        let search = search(start, limits, async |rate| {
            // A single pause of the machine must not decide: a rate is beyond the bound if two blocks are.
            for _ in 0..2 {
                step.update(&format!("{name}, {rate:.0} votes/s"));
                let block = self.block(subject, rate, random.u64(..)).await?;
                if is_within(bound_ms, &block.samples) {
                    others.extend(passed.replace(block).into_iter().flat_map(|block| block.samples));
                    return Ok(true);
                }
                others.extend(block.samples);
            }
            Ok(false)
        })
        .await?;
        let mut block = passed.unwrap_or_else(|| Block {
            round: 0,
            position: 0,
            started,
            length: self.plan.block(),
            samples: Vec::new(),
            usage: std::collections::BTreeMap::new(),
            wire: WireBytes::default(),
            counting_delays: CountingDelayHistogram::default(),
            search: None,
        });
        block.search = Some(search);
        Ok((block, others))
    }

    /// One block at `rate`. Waits until its votes are counted, so that they do not delay those of the next block.
    async fn block(&self, subject: &Subject, rate: f64, schedule_seed: u64) -> Result<Block> {
        let route = subject.data.variant.route;
        let mut plan = self.plan.clone();
        plan.load.rate = rate;
        let turns = Turns {
            plan: &plan,
            consumer: self.consumer,
            run_start: self.run_start,
            first_round: 0,
        };
        let counted_before = self.counted(route).await?;
        let block = turns.block(subject, schedule_seed).await?;
        let acknowledged = block.samples.iter().filter(|sample| sample.is_acknowledged());
        let expected = counted_before + acknowledged.count() as u64;
        let drain_start = Instant::now();
        while self.counted(route).await? < expected && drain_start.elapsed() < MAX_DRAIN {
            tokio::time::sleep(DRAIN_POLL).await;
        }
        Ok(block)
    }

    /// Votes of a route that the consumer has counted.
    async fn counted(&self, route: Route) -> Result<u64> {
        let delays = self.consumer.counting_delays(route).await?;
        Ok(delays.buckets.last().map_or(0, |(_, votes)| *votes))
    }
}

/// Whether no vote failed and the 99th percentile of latency, from the intended send time, is at most `bound_ms`. Votes that
/// were answered after the end of the block count like any other.
fn is_within(bound_ms: f64, samples: &[Sample]) -> bool {
    let latencies = ascending_ms(samples.iter().map(|sample| sample.latency));
    samples.iter().all(Sample::is_acknowledged)
        && nearest_rank(&latencies, 0.99).is_some_and(|p99| p99 <= bound_ms)
}

/// Searches for the highest rate within `limits` that passes: steps by `start.growth` until one rate passes and a higher one
/// fails, then tries the geometric mean of the two until they are close.
async fn search(
    start: Start,
    limits: RangeInclusive<f64>,
    mut passes: impl AsyncFnMut(f64) -> Result<bool>,
) -> Result<Search> {
    let (lowest, highest) = limits.into_inner();
    let (mut passing, mut failing): (Option<f64>, Option<f64>) = (None, None);
    loop {
        let rate = match (passing, failing) {
            (None, None) => start.rate.max(lowest).min(highest),
            (Some(passing), None) if passing >= highest => {
                return Ok(Search {
                    rate: Some(passing),
                    end: SearchEnd::LoadGeneratorLimit,
                });
            }
            (None, Some(failing)) if failing <= lowest => {
                return Ok(Search {
                    rate: None,
                    end: SearchEnd::NothingPassed,
                });
            }
            (Some(passing), Some(failing)) if failing <= passing * NARROW => {
                return Ok(Search {
                    rate: Some(passing),
                    end: SearchEnd::Found,
                });
            }
            (Some(passing), None) => (passing * start.growth).min(highest),
            (None, Some(failing)) => (failing / start.growth).max(lowest),
            (Some(passing), Some(failing)) => f64::sqrt(passing * failing),
        };
        if passes(rate).await? {
            passing = Some(rate);
        } else {
            failing = Some(rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use experiment_model::sample::Outcome;

    const LIMITS: RangeInclusive<f64> = 100.0..=10_000.0;
    const FIRST: Start = Start {
        rate: 400.0,
        growth: FIRST_GROWTH,
    };

    /// The result, and the rates that the search tried.
    async fn rates(start: Start, mut passes: impl FnMut(f64) -> bool) -> (Search, Vec<f64>) {
        let mut tried = Vec::new();
        let result = search(start, LIMITS, async |rate| {
            tried.push(rate);
            Ok(passes(rate))
        });
        (result.await.unwrap(), tried)
    }

    #[tokio::test]
    async fn search_finds_the_limit_from_below_and_from_above() {
        for limit in [110.0, 399.0, 400.0, 1_234.0, 9_000.0] {
            for rate in [100.0, 400.0, 5_000.0] {
                let start = Start { rate, ..FIRST };
                let (found, tried) = rates(start, |rate| rate <= limit).await;
                let rate = found.rate.unwrap();
                assert!(rate <= limit && limit < rate * NARROW, "{limit}: {rate}");
                assert_eq!(found.end, SearchEnd::Found);
                assert!(tried.len() < 14, "{limit}: {tried:?}");
            }
        }
    }

    #[tokio::test]
    async fn search_near_the_limit_takes_few_blocks() {
        for rate in [1_600.0, 1_700.0, 1_790.0] {
            let start = Start { rate, growth: GROWTH };
            let (_, tried) = rates(start, |rate| rate <= 2_000.0).await;
            assert!(tried.len() <= 6, "{tried:?}");
        }
    }

    #[tokio::test]
    async fn search_of_a_noisy_limit_ends_within_the_noise() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..200 {
            let (found, tried) = rates(FIRST, |rate| rate <= 2_000.0 * (0.8 + 0.4 * random.f64())).await;
            let rate = found.rate.unwrap();
            assert!((1_600.0 / NARROW..=2_400.0).contains(&rate), "{rate}: {tried:?}");
        }
    }

    #[tokio::test]
    async fn search_that_never_fails_ends_at_the_limit_of_the_load_generator() {
        let (found, tried) = rates(FIRST, |_| true).await;
        assert_eq!(found.end, SearchEnd::LoadGeneratorLimit);
        assert_eq!(found.rate, Some(*LIMITS.end()));
        assert!(tried.iter().all(|rate| LIMITS.contains(rate)), "{tried:?}");
    }

    #[tokio::test]
    async fn search_that_always_fails_ends_at_the_lowest_rate() {
        let (found, tried) = rates(FIRST, |_| false).await;
        assert_eq!(found.end, SearchEnd::NothingPassed);
        assert_eq!(found.rate, None);
        assert_eq!(tried, [400.0, 200.0, 100.0]);
    }

    #[test]
    fn block_is_within_the_bound_if_99_of_100_votes_are_and_none_failed() {
        let sample = |latency_ms, outcome| Sample {
            intended: Duration::ZERO,
            scheduling_delay: Duration::ZERO,
            latency: Duration::from_millis(latency_ms),
            outcome,
            server: None,
        };
        let acknowledged = |latency_ms| sample(latency_ms, Outcome::Acknowledged(uuid::Uuid::nil()));
        let within = |samples: Vec<Sample>| is_within(20.0, &samples);
        let mut samples = vec![acknowledged(1); 99];
        assert!(!within(Vec::new()));
        samples.push(acknowledged(500));
        assert!(within(samples.clone()));
        samples.push(acknowledged(500));
        assert!(!within(samples.clone()));
        assert!(!within(vec![
            acknowledged(1),
            sample(1, Outcome::Failed("429".to_owned()))
        ]));
    }
}
