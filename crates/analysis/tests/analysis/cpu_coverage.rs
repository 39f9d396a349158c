//! The promise of the interval of CPU time: it contains the true difference, although two processes of one program differ.

use analysis::comparison::{Blocks, Comparison, compare_all};
use analysis::decision_rule::{DecisionRule, RoundsPerProcess};
use analysis::margin::Margin;
use analysis::measure::{BlockReport, Measure};
use analysis::stats::monitoring::Looks;

use crate::random::normal;

const PROCESSES: usize = 10;
const ROUNDS_PER_PROCESS: usize = 24;
const ROUNDS: usize = PROCESSES * ROUNDS_PER_PROCESS;
const EXPERIMENTS: u64 = 200;
/// CPU time of the first variant, in CPU seconds per million votes, and of the second beyond that.
const CPU_S: f64 = 290.0;
const MORE_CPU_S: f64 = 29.0;
/// Standard deviations of one process from another, and of one round from another.
const PROCESS_DEVIATION: f64 = 4.0;
const ROUND_DEVIATION: f64 = 20.0;

fn blocks(location: f64, random: &mut fastrand::Rng) -> Vec<BlockReport> {
    let mut process = 0.0;
    let block = |round: usize| {
        if round.is_multiple_of(ROUNDS_PER_PROCESS) {
            process = PROCESS_DEVIATION * normal(random);
        }
        BlockReport {
            round,
            position: 0,
            started_s: 0.0,
            p50: None,
            p95: None,
            p99: None,
            throughput: None,
            cpu: Some(location + process + ROUND_DEVIATION * normal(random)),
            search_end: None,
        }
    };
    (0..ROUNDS).map(block).collect()
}

fn compare(a: &[BlockReport], b: &[BlockReport], looks: Looks) -> Comparison {
    let blocks = |measured| Blocks { measured, cpu: &[] };
    let rule = DecisionRule {
        margin: Margin::default(),
        confidence: 0.95,
        looks,
        measures: &[Measure::Cpu],
        rounds_per_process: Some(RoundsPerProcess {
            measured: ROUNDS_PER_PROCESS,
            cpu: ROUNDS_PER_PROCESS,
        }),
    };
    let mut comparisons = compare_all(blocks(a), &[blocks(b)], &rule);
    comparisons.remove(0).remove(0)
}

/// The blocks of both variants.
fn experiment(seed: u64) -> (Vec<BlockReport>, Vec<BlockReport>) {
    let mut random = fastrand::Rng::with_seed(seed);
    let a = blocks(CPU_S, &mut random);
    let b = blocks(CPU_S + MORE_CPU_S, &mut random);
    (a, b)
}

#[test]
fn interval_contains_the_true_difference() {
    for looks in [Looks::Once, Looks::UpTo(ROUNDS)] {
        let covers = |seed: &u64| {
            let (a, b) = experiment(*seed);
            compare(&a, &b, looks).difference.contains(MORE_CPU_S)
        };
        let covered = (0..EXPERIMENTS).filter(covers).count();
        // At least 95 %; the tolerance is two standard deviations of 200 experiments.
        let least = (EXPERIMENTS as f64 * (0.95 - 0.031)) as usize;
        assert!(covered >= least, "{looks:?}: {covered} of {EXPERIMENTS}");
    }
}

/// A look after each round, as in a run that stops when it is decided. Differences within a process must not decide.
#[test]
fn equal_variants_are_rarely_called_different() {
    let is_wrong = |seed: &u64| {
        let mut random = fastrand::Rng::with_seed(*seed);
        let [a, b] = [(); 2].map(|()| blocks(CPU_S, &mut random));
        (ROUNDS_PER_PROCESS..=ROUNDS)
            .step_by(ROUNDS_PER_PROCESS)
            .any(|rounds| {
                let (a, b) = (a.get(..rounds).unwrap(), b.get(..rounds).unwrap());
                let difference = compare(a, b, Looks::UpTo(ROUNDS)).difference;
                !difference.contains(0.0)
            })
    };
    let wrong = (0..EXPERIMENTS).filter(is_wrong).count();
    let most = (EXPERIMENTS as f64 * (0.05 + 0.031)) as usize;
    assert!(wrong <= most, "{wrong} of {EXPERIMENTS}");
}
