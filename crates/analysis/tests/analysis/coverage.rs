//! The promise of the intervals, on latencies with heavy tails: they contain the true difference of the median, the 95th and
//! the 99th percentile, although some rounds are slow for all variants and some for one.

use analysis::comparison::{Blocks, Comparison, compare_all};
use analysis::decision_rule::DecisionRule;
use analysis::margin::Margin;
use analysis::measure::{BlockReport, Measure};
use analysis::stats::monitoring::Looks;
use quantile::nearest_rank;

use crate::random::normal;

const ROUNDS: usize = 40;
const VOTES: usize = 200;
const EXPERIMENTS: u64 = 200;
/// Added to each vote of the second variant, in ms.
const SHIFT_MS: f64 = 0.2;

/// A latency in ms: log-normal, and one of 50 is ten times larger.
fn latency(random: &mut fastrand::Rng) -> f64 {
    let normal = normal(random);
    let slow = if random.u8(..50) == 0 { 10.0 } else { 1.0 };
    2.0 * (0.5 * normal).exp() * slow
}

fn block(noise: f64, shift: f64, random: &mut fastrand::Rng) -> BlockReport {
    let mut latencies: Vec<f64> = (0..VOTES).map(|_| latency(random) * noise + shift).collect();
    latencies.sort_by(f64::total_cmp);
    BlockReport {
        round: 0,
        position: 0,
        started_s: 0.0,
        p50: nearest_rank(&latencies, 0.50),
        p95: nearest_rank(&latencies, 0.95),
        p99: nearest_rank(&latencies, 0.99),
        throughput: None,
        cpu: None,
        search_end: None,
    }
}

/// The comparisons of one experiment. One round of ten is three times slower for both variants, and each variant has a
/// pause of its own in one round of twenty.
fn experiment(seed: u64, looks: Looks) -> Vec<Comparison> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let noise = if random.u8(..10) == 0 { 3.0 } else { 1.0 };
        let mut pause = || if random.u8(..20) == 0 { 50.0 } else { 0.0 };
        let (pause_a, pause_b) = (pause(), pause());
        a.push(block(noise, pause_a, &mut random));
        b.push(block(noise, SHIFT_MS + pause_b, &mut random));
    }
    let blocks = |measured| Blocks { measured, cpu: &[] };
    let rule = DecisionRule {
        margin: Margin::default(),
        confidence: 0.95,
        looks,
        measures: &[Measure::P50, Measure::P95, Measure::P99],
        rounds_per_process: None,
    };
    compare_all(blocks(&a), &[blocks(&b)], &rule).remove(0)
}

#[test]
fn intervals_contain_the_true_difference_of_each_percentile() {
    for looks in [Looks::Once, Looks::UpTo(ROUNDS)] {
        let mut covered = [0; 3];
        let mut all_covered = 0;
        for seed in 0..EXPERIMENTS {
            let comparisons = experiment(seed, looks);
            let contains = |comparison: &Comparison| comparison.difference.contains(SHIFT_MS);
            for (count, comparison) in covered.iter_mut().zip(&comparisons) {
                *count += u64::from(contains(comparison));
            }
            all_covered += u64::from(comparisons.iter().all(contains));
        }
        // At least 95 %; the tolerance is two standard deviations of 200 experiments.
        let least = (EXPERIMENTS as f64 * (0.95 - 0.031)) as u64;
        assert!(
            covered.iter().all(|count| *count >= least) && all_covered >= least,
            "{looks:?}: {covered:?}, all: {all_covered}"
        );
    }
}
