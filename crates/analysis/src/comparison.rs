//! Compares two variants on one measure. Each round gives one difference; the bootstrap gives an interval over all rounds;
//! the decision rule turns the interval into a verdict.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::{BlockReport, Margin, Measure};
use crate::stats::bootstrap::{Interval, mean_interval};
use crate::stats::moments::mean;
use crate::stats::verdict::{Verdict, decide, rounds_for};

/// Two variants on one measure.
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
    /// The smallest difference that matters, in the measure's unit.
    pub margin: f64,
    /// Number of rounds that were compared.
    pub rounds: usize,
    /// The verdict. It takes into account that more throughput is better.
    pub verdict: Verdict,
}

/// A control is underpowered if the half-width of its interval is more than this share of the value: it could not detect
/// a difference of that size.
const UNDERPOWERED_SHARE: f64 = 0.5;

/// The parameters of a decision.
#[derive(Clone, Copy, Debug)]
pub struct DecisionRule {
    /// The smallest difference that matters.
    pub margin: Margin,
    /// Share of intervals that contain the true value, 0 to 1.
    pub confidence: f64,
    /// Seed of the bootstrap.
    pub seed: u64,
}

impl DecisionRule {
    /// The default margin and 95 % intervals.
    pub fn with_seed(seed: u64) -> Self {
        Self {
            margin: Margin::default(),
            confidence: 0.95,
            seed,
        }
    }
}

/// Compares `b` with `a` on each measure. Omits a measure if too few rounds have a value for both.
pub fn compare_all(a: &[BlockReport], b: &[BlockReport], rule: DecisionRule) -> Vec<Comparison> {
    let measures = Measure::ALL.into_iter();
    measures
        .filter_map(|measure| compare(a, b, measure, rule))
        .collect()
}

/// Compares `b` with `a` on `measure`, round by round. `None` if too few rounds have a value for
/// both.
pub fn compare(
    a: &[BlockReport],
    b: &[BlockReport],
    measure: Measure,
    rule: DecisionRule,
) -> Option<Comparison> {
    let pairs: Vec<(f64, f64)> = a
        .iter()
        .zip(b)
        .filter_map(|(block_a, block_b)| Some((measure.of(block_a)?, measure.of(block_b)?)))
        .collect();
    let differences: Vec<f64> = pairs.iter().map(|(value_a, value_b)| value_b - value_a).collect();
    let difference = mean_interval(&differences, rule.confidence, rule.seed)?;
    let mean_of = |pick: fn(&(f64, f64)) -> f64| mean(&pairs.iter().map(pick).collect::<Vec<_>>());
    let (mean_a, mean_b) = (mean_of(|pair| pair.0)?, mean_of(|pair| pair.1)?);
    let margin = rule.margin.of(measure, mean_a);
    let verdict = decide(as_less_is_better(difference, measure), margin, pairs.len());
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

/// Mirrors the interval if more is better, because the decision rule assumes that less is better.
fn as_less_is_better(difference: Interval, measure: Measure) -> Interval {
    if !measure.more_is_better() {
        return difference;
    }
    Interval {
        estimate: -difference.estimate,
        low: -difference.high,
        high: -difference.low,
    }
}

impl Comparison {
    /// Whether one variant is better by more than the margin.
    pub const fn differs(&self) -> bool {
        matches!(self.verdict, Verdict::ABetter | Verdict::BBetter)
    }

    /// Whether a control with this interval is too uncertain to support a verdict: it could hide a difference of
    /// [`UNDERPOWERED_SHARE`].
    pub fn is_underpowered(&self) -> bool {
        self.difference.half_width() > self.a.abs() * UNDERPOWERED_SHARE
    }

    /// Downgrades the verdict to "not enough data" if the control is underpowered on the same measure.
    #[must_use]
    pub fn gated_by_control(mut self, control: &[Self]) -> Self {
        let mut underpowered = control.iter().filter(|other| other.is_underpowered());
        if let Some(control) = underpowered.find(|other| other.measure == self.measure) {
            let for_control = rounds_for(
                control.difference,
                control.a.abs() * UNDERPOWERED_SHARE,
                control.rounds,
            );
            let rounds_needed = match self.verdict {
                Verdict::NotEnoughData { rounds_needed } => for_control
                    .zip(rounds_needed)
                    .map(|(for_control, for_self)| for_control.max(for_self)),
                _ => for_control,
            };
            self.verdict = Verdict::NotEnoughData { rounds_needed };
        }
        self
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
        let b = differences.map(|difference| block(2.0 + difference));
        compare(
            &[(); 6].map(|()| block(2.0)),
            &b,
            Measure::P50,
            DecisionRule::with_seed(1),
        )
        .unwrap()
    }

    #[test]
    fn underpowered_control_downgrades_the_verdict() {
        let faster = compared([-0.5, -0.6, -0.5, -0.6, -0.5, -0.6]);
        assert_eq!(faster.verdict, Verdict::BBetter);
        let undecided = compared([-0.3, 0.3, -0.2, 0.2, 0.1, -0.1]);
        assert!(matches!(undecided.verdict, Verdict::NotEnoughData { .. }) && !undecided.is_underpowered());
        assert_eq!(
            faster.clone().gated_by_control(&[undecided]).verdict,
            Verdict::BBetter
        );

        let underpowered = compared([-3.0, 3.0, -2.0, 2.0, 3.0, -3.0]);
        assert!(
            !underpowered.differs() && underpowered.is_underpowered(),
            "{underpowered:?}"
        );
        let Verdict::NotEnoughData { rounds_needed } = faster
            .clone()
            .gated_by_control(std::slice::from_ref(&underpowered))
            .verdict
        else {
            panic!("the verdict was not downgraded");
        };
        // The largest acceptable half-width is half of the mean of 2, and an interval shrinks with the square root of the
        // rounds.
        let expected = (6.0 * underpowered.difference.half_width().powi(2)).ceil() as usize;
        assert_eq!(rounds_needed, Some(expected));
        let other_measure = Comparison {
            measure: Measure::Cpu,
            ..underpowered
        };
        assert_eq!(
            faster.gated_by_control(&[other_measure]).verdict,
            Verdict::BBetter
        );
    }
}
