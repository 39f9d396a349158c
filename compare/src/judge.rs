//! From blocks to verdicts: one value of each measure for each block, a difference for each round, an interval over the
//! rounds, and a word.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::model::{BlockReport, Pair};
use crate::stats::bootstrap::{Interval, mean_interval};
use crate::stats::quantile::mean;
use crate::stats::verdict::{Verdict, blocks_for, judge};

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Median latency of acknowledged votes, ms.
    P50,
    /// 95th percentile, ms.
    P95,
    /// 99th percentile, ms.
    P99,
    /// Votes acknowledged within the block, a second.
    Throughput,
    /// CPU seconds of the arm's processes for a million acknowledged votes.
    Cpu,
}

impl Measure {
    /// All measures, in the order of a report.
    pub const ALL: [Self; 5] = [Self::P50, Self::P95, Self::P99, Self::Throughput, Self::Cpu];

    /// Whether more is better.
    pub const fn more_is_better(self) -> bool {
        matches!(self, Self::Throughput)
    }

    /// Its name in a sentence.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P50 => "median latency",
            Self::P95 => "95th percentile of latency",
            Self::P99 => "99th percentile of latency",
            Self::Throughput => "throughput",
            Self::Cpu => "CPU time",
        }
    }

    /// Its unit.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::P50 | Self::P95 | Self::P99 => "ms",
            Self::Throughput => "votes/s",
            Self::Cpu => "CPU s per million votes",
        }
    }

    /// Its value in a block; None where nothing was acknowledged.
    pub const fn of(self, block: &BlockReport) -> Option<f64> {
        match self {
            Self::P50 => block.p50,
            Self::P95 => block.p95,
            Self::P99 => block.p99,
            Self::Throughput => block.throughput,
            Self::Cpu => block.cpu,
        }
    }
}

/// How large a difference matters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Margin {
    /// Share of the first arm's value.
    pub share: f64,
    /// And at least so many milliseconds, for latencies.
    pub floor_ms: f64,
}

/// Two arms on one measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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

/// Share of the value: a control whose interval reaches further to either side finds no difference on any machine.
const BLIND_SHARE: f64 = 0.5;

/// How to judge.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// What difference matters.
    pub margin: Margin,
    /// Share of intervals that hold the true value.
    pub confidence: f64,
    /// Of the bootstrap.
    pub seed: u64,
}

impl Rules {
    /// The usual margin and 95 % intervals.
    pub fn usual(seed: u64) -> Self {
        Self {
            margin: Margin::default(),
            confidence: 0.95,
            seed,
        }
    }
}

/// Compares `b` with `a` on each measure. None for those with too few rounds in which both acknowledged votes.
pub fn compare_all(a: &[BlockReport], b: &[BlockReport], rules: Rules) -> Vec<Comparison> {
    let measures = Measure::ALL.into_iter();
    measures
        .filter_map(|measure| compare(a, b, measure, rules))
        .collect()
}

/// Compares `b` with `a` on `measure`, round by round. None if there are too few rounds in which both acknowledged votes.
pub fn compare(a: &[BlockReport], b: &[BlockReport], measure: Measure, rules: Rules) -> Option<Comparison> {
    let pairs: Vec<(f64, f64)> = a
        .iter()
        .zip(b)
        .filter_map(|(of_a, of_b)| Some((measure.of(of_a)?, measure.of(of_b)?)))
        .collect();
    let differences: Vec<f64> = pairs.iter().map(|(of_a, of_b)| of_b - of_a).collect();
    let difference = mean_interval(&differences, rules.confidence, rules.seed)?;
    let column = |pick: fn(&(f64, f64)) -> f64| mean(&pairs.iter().map(pick).collect::<Vec<_>>());
    let (mean_a, mean_b) = (column(|pair| pair.0)?, column(|pair| pair.1)?);
    let margin = rules.margin.of(measure, mean_a);
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

impl Comparison {
    /// Whether one arm is better by more than the margin.
    pub const fn differs(&self) -> bool {
        matches!(self.verdict, Verdict::ABetter | Verdict::BBetter)
    }

    /// Whether a control with this outcome sees nothing: a difference of [`BLIND_SHARE`] could hide in the interval.
    pub fn is_blind(&self) -> bool {
        self.difference.half_width() > self.a.abs() * BLIND_SHARE
    }

    /// What remains of the word after a look at the control: where that is blind, nothing is known.
    #[must_use]
    pub fn vouched_by(mut self, control: &[Self]) -> Self {
        let mut blind = control.iter().filter(|twin| twin.is_blind());
        if let Some(twin) = blind.find(|twin| twin.measure == self.measure) {
            let sight = blocks_for(twin.difference, twin.a.abs() * BLIND_SHARE, twin.rounds);
            let blocks_needed = match self.verdict {
                Verdict::NotEnoughData { blocks_needed } => {
                    sight.zip(blocks_needed).map(|(one, other)| one.max(other))
                }
                _ => sight,
            };
            self.verdict = Verdict::NotEnoughData { blocks_needed };
        }
        self
    }

    /// The name of the arm of `pair` that is worse, where one is.
    pub fn loser<'a>(&self, pair: &'a Pair) -> Option<&'a str> {
        match self.verdict {
            Verdict::ABetter => Some(&pair.b),
            Verdict::BBetter => Some(&pair.a),
            Verdict::Equivalent | Verdict::NotEnoughData { .. } => None,
        }
    }
}

impl Default for Margin {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Margin {
    /// A twentieth, and a tenth of a millisecond: what nobody would change a protocol for.
    pub const DEFAULT: Self = Self {
        share: 0.05,
        floor_ms: 0.1,
    };

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

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(differences: [f64; 6]) -> Comparison {
        let block = |value| BlockReport {
            round: 0,
            position: 0,
            started_s: 0.0,
            p50: Some(value),
            p95: None,
            p99: None,
            throughput: None,
            cpu: None,
        };
        let again = differences.map(|difference| block(2.0 + difference));
        compare(
            &[(); 6].map(|()| block(2.0)),
            &again,
            Measure::P50,
            Rules::usual(1),
        )
        .unwrap()
    }

    #[test]
    fn a_control_that_sees_nothing_takes_the_word_back() {
        let faster = compared([-0.5, -0.6, -0.5, -0.6, -0.5, -0.6]);
        assert_eq!(faster.verdict, Verdict::BBetter);
        let unsure = compared([-0.3, 0.3, -0.2, 0.2, 0.1, -0.1]);
        assert!(matches!(unsure.verdict, Verdict::NotEnoughData { .. }) && !unsure.is_blind());
        assert_eq!(faster.clone().vouched_by(&[unsure]).verdict, Verdict::BBetter);

        let blind = compared([-3.0, 3.0, -2.0, 2.0, 3.0, -3.0]);
        assert!(!blind.differs() && blind.is_blind(), "{blind:?}");
        let Verdict::NotEnoughData { blocks_needed } =
            faster.clone().vouched_by(std::slice::from_ref(&blind)).verdict
        else {
            panic!("a word without a control");
        };
        // Half of 2 is the widest half width, and an interval shrinks with the root of the rounds.
        let wanted = (6.0 * blind.difference.half_width().powi(2)).ceil() as usize;
        assert_eq!(blocks_needed, Some(wanted));
        let of_another = Comparison {
            measure: Measure::Cpu,
            ..blind
        };
        assert_eq!(faster.vouched_by(&[of_another]).verdict, Verdict::BBetter);
    }
}
