//! From blocks to verdicts: one value of each measure for each block, a difference for each round, an interval over the
//! rounds, and a word.

use serde::{Deserialize, Serialize};

use crate::data::{ArmData, Block};
use crate::driver::load::Outcome;
use crate::plan::Route;
use crate::stats::bootstrap::{Interval, mean_interval};
use crate::stats::quantile::{mean, nearest_rank};
use crate::stats::verdict::{Verdict, judge};

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Median latency of acknowledged votes, ms.
    P50,
    /// 95th percentile, ms.
    P95,
    /// 99th percentile, ms.
    P99,
    /// Acknowledged votes a second.
    Throughput,
    /// CPU seconds of the route's processes for a million acknowledged votes.
    Cpu,
}

impl Measure {
    /// All measures, in the order of a report.
    pub const ALL: [Self; 5] = [Self::P50, Self::P95, Self::P99, Self::Throughput, Self::Cpu];

    /// Whether more is better.
    pub const fn more_is_better(self) -> bool {
        matches!(self, Self::Throughput)
    }

    /// Its unit.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::P50 | Self::P95 | Self::P99 => "ms",
            Self::Throughput => "votes/s",
            Self::Cpu => "CPU s per million votes",
        }
    }

    /// Its value in a block of an arm on `route`; None where nothing was acknowledged.
    pub fn of(self, block: &Block, route: Route) -> Option<f64> {
        let mut latencies: Vec<f64> = acknowledged(block)
            .map(|sample| sample.latency.as_secs_f64() * 1e3)
            .collect();
        latencies.sort_by(f64::total_cmp);
        let votes = latencies.len() as f64;
        match self {
            Self::P50 => nearest_rank(&latencies, 0.50),
            Self::P95 => nearest_rank(&latencies, 0.95),
            Self::P99 => nearest_rank(&latencies, 0.99),
            Self::Throughput => (votes > 0.0).then(|| votes / block.length.as_secs_f64()),
            Self::Cpu => {
                let processes = route.processes().iter();
                let cpu_s: f64 = processes
                    .filter_map(|process| Some(block.usage.get(*process)?.cpu_s))
                    .sum();
                (votes > 0.0).then(|| cpu_s / votes * 1e6)
            }
        }
    }
}

/// How large a difference matters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Margin {
    /// Share of the first arm's value.
    pub share: f64,
    /// And at least so many milliseconds, for latencies.
    pub floor_ms: f64,
}

/// Two arms on one measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The measure.
    pub measure: Measure,
    /// Mean over the blocks of a.
    pub a: f64,
    /// Mean over the blocks of b.
    pub b: f64,
    /// b minus a.
    pub difference: Interval,
    /// The difference that matters, in the measure's unit.
    pub margin: f64,
    /// Rounds that it rests on.
    pub rounds: usize,
    /// The word. "Better" respects that more throughput is better.
    pub verdict: Verdict,
}

/// Compares `b` with `a` on `measure`, round by round. None if there are too few rounds in which both acknowledged votes.
pub fn compare(
    a: &ArmData,
    b: &ArmData,
    measure: Measure,
    margin: Margin,
    confidence: f64,
    seed: u64,
) -> Option<Comparison> {
    let pairs: Vec<(f64, f64)> = a
        .blocks
        .iter()
        .zip(&b.blocks)
        .filter_map(|(of_a, of_b)| Some((measure.of(of_a, a.arm.route)?, measure.of(of_b, b.arm.route)?)))
        .collect();
    let differences: Vec<f64> = pairs.iter().map(|(of_a, of_b)| of_b - of_a).collect();
    let difference = mean_interval(&differences, confidence, seed)?;
    let column = |pick: fn(&(f64, f64)) -> f64| mean(&pairs.iter().map(pick).collect::<Vec<_>>());
    let (mean_a, mean_b) = (column(|pair| pair.0)?, column(|pair| pair.1)?);
    let margin = margin.of(measure, mean_a);
    let verdict = judge(difference.oriented(measure), margin, pairs.len());
    Some(Comparison {
        measure,
        a: mean_a,
        b: mean_b,
        difference,
        margin,
        rounds: pairs.len(),
        verdict,
    })
}

impl Margin {
    fn of(self, measure: Measure, baseline: f64) -> f64 {
        let relative = baseline.abs() * self.share;
        match measure {
            Measure::P50 | Measure::P95 | Measure::P99 => relative.max(self.floor_ms),
            Measure::Throughput | Measure::Cpu => relative,
        }
    }
}

impl Interval {
    /// Turned so that less is better.
    fn oriented(self, measure: Measure) -> Self {
        if !measure.more_is_better() {
            return self;
        }
        Self {
            estimate: -self.estimate,
            low: -self.high,
            high: -self.low,
        }
    }
}

fn acknowledged(block: &Block) -> impl Iterator<Item = &crate::driver::load::Sample> {
    block
        .samples
        .iter()
        .filter(|sample| matches!(sample.outcome, Outcome::Acknowledged(_)))
}
