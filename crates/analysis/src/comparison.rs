//! Compares two variants on one measure. A block is one variant in one round. Each round gives one difference. Their Hodges-Lehmann estimate is robust: one slow
//! round does not decide. For CPU time, each process of a restarted service gives one difference. The interval is wide
//! enough for all comparisons of a point (Holm's correction), and for a look after each round. A point is one value of a
//! sweep.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decision_rule::DecisionRule;
use crate::measure::{BlockReport, Measure};
use crate::stats::holm;
use crate::stats::interval::Interval;
use crate::stats::location::Location;
use crate::stats::signed_rank::PairMeans;
use crate::stats::verdict::{Verdict, decide, rounds_for};

/// Two variants on one measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The measure.
    pub measure: Measure,
    /// Hodges-Lehmann estimate over the blocks of a.
    pub a: f64,
    /// Hodges-Lehmann estimate over the blocks of b.
    pub b: f64,
    /// b minus a.
    pub difference: Interval,
    /// The confidence of the interval: at least the report's, because a point has several comparisons.
    pub confidence: f64,
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

/// The blocks of a variant, in the order of rounds.
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a> {
    /// The blocks of the design.
    pub measured: &'a [BlockReport],
    /// The blocks in turns that measure CPU time instead, if there are any.
    pub cpu: &'a [BlockReport],
}

impl<'a> Blocks<'a> {
    /// The blocks that measure `measure`.
    pub const fn of(self, measure: Measure) -> &'a [BlockReport] {
        if matches!(measure, Measure::Cpu) && !self.cpu.is_empty() {
            self.cpu
        } else {
            self.measured
        }
    }
}

/// Compares each of `others` with `first` on each measure. The decisions of all of them together keep the error rate of
/// `rule`. Omits a measure without values.
pub fn compare_all(first: Blocks<'_>, others: &[Blocks<'_>], rule: &DecisionRule) -> Vec<Vec<Comparison>> {
    let pairs: Vec<Vec<Differences>> = others
        .iter()
        .map(|other| {
            let measures = rule.measures.iter().copied();
            measures
                .filter_map(|measure| Differences::of(first, *other, measure, rule))
                .collect()
        })
        .collect();
    let p_values: Vec<f64> = pairs.iter().flatten().map(Differences::p_value).collect();
    let mut error_rates = holm::error_rates(&p_values, rule.error_rate()).into_iter();
    let compared = pairs.iter().map(|measures| {
        let measures = measures.iter().zip(error_rates.by_ref());
        measures
            .map(|(differences, error_rate)| differences.decide(error_rate))
            .collect()
    });
    compared.collect()
}

/// The differences of two variants on one measure, before the decision.
struct Differences {
    measure: Measure,
    a: f64,
    b: f64,
    location: Location,
    rounds: usize,
    margin: f64,
    rule: DecisionRule,
}

impl Differences {
    fn of(a: Blocks<'_>, b: Blocks<'_>, measure: Measure, rule: &DecisionRule) -> Option<Self> {
        let blocks = a.of(measure).iter().zip(b.of(measure));
        let mut differences = Vec::new();
        let (values_a, values_b): (Vec<f64>, Vec<f64>) = blocks
            .filter_map(|(block_a, block_b)| {
                let (value_a, value_b) = (measure.of(block_a)?, measure.of(block_b)?);
                differences.push((block_a.round, value_b - value_a));
                Some((value_a, value_b))
            })
            .unzip();
        let estimate = |values: &[f64]| Some(PairMeans::of(values)?.estimate());
        let baseline = estimate(&values_a)?;
        let in_turns = measure == Measure::Cpu && !a.cpu.is_empty();
        let rule = if in_turns {
            rule.looking_once()
        } else {
            rule.clone()
        };
        Some(Self {
            measure,
            a: baseline,
            b: estimate(&values_b)?,
            location: rule.location(measure, &differences, in_turns)?,
            rounds: differences.len(),
            margin: rule.margin.of(measure, baseline),
            rule,
        })
    }

    /// The smallest error rate at which these differences give a verdict.
    fn p_value(&self) -> f64 {
        let Self { location, margin, .. } = self;
        let z_different = location.z_above(*margin).max(location.z_below(-margin));
        let z_equivalent = location.z_above(-margin).min(location.z_below(*margin));
        self.rule
            .looks
            .p_value(z_different.max(z_equivalent), self.rounds)
    }

    fn decide(&self, error_rate: f64) -> Comparison {
        let z = self.rule.looks.critical_z(error_rate, self.rounds);
        let difference = self.location.interval(z);
        let verdict = if z <= self.location.largest_z() {
            decide(
                as_less_is_better(difference, self.measure),
                self.margin,
                self.rounds,
            )
        } else {
            // The interval is only the range of the values.
            Verdict::NotEnoughData { rounds_needed: None }
        };
        Comparison {
            measure: self.measure,
            a: self.a,
            b: self.b,
            difference,
            confidence: 1.0 - error_rate,
            margin: self.margin,
            rounds: self.rounds,
            verdict,
        }
    }
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

    /// Whether there is a verdict.
    pub const fn is_decided(&self) -> bool {
        !matches!(self.verdict, Verdict::NotEnoughData { .. })
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
    use crate::margin::Margin;
    use crate::stats::monitoring::Looks;

    fn rule() -> DecisionRule {
        DecisionRule {
            margin: Margin::uniform(0.05, 0.1),
            confidence: 0.95,
            looks: Looks::Once,
            measures: &Measure::ALL,
            rounds_per_process: None,
        }
    }

    fn blocks(values: impl IntoIterator<Item = f64>) -> Vec<BlockReport> {
        let block = |p50| BlockReport {
            round: 0,
            position: 0,
            started_s: 0.0,
            p50: Some(p50),
            p95: None,
            p99: None,
            throughput: None,
            cpu: None,
            search_end: None,
        };
        values.into_iter().map(block).collect()
    }

    const fn measured(blocks: &[BlockReport]) -> Blocks<'_> {
        Blocks {
            measured: blocks,
            cpu: &[],
        }
    }

    /// Compares 12 rounds whose first variant has the value 2.
    fn compared(difference: impl Fn(usize) -> f64) -> Comparison {
        let a = blocks([2.0; 12]);
        let b = blocks((0..12).map(|round| 2.0 + difference(round)));
        compare_all(measured(&a), &[measured(&b)], &rule())
            .remove(0)
            .remove(0)
    }

    fn alternating(round: usize) -> f64 {
        if round.is_multiple_of(2) { 1.0 } else { -1.0 }
    }

    #[test]
    fn underpowered_control_downgrades_the_verdict() {
        let faster = compared(|round| 0.05f64.mul_add(alternating(round), -0.5));
        assert_eq!(faster.verdict, Verdict::BBetter);
        let undecided = compared(|round| 0.3 * alternating(round));
        assert!(!undecided.is_decided() && !undecided.is_underpowered());
        assert_eq!(
            faster.clone().gated_by_control(&[undecided]).verdict,
            Verdict::BBetter
        );

        let underpowered = compared(|round| 3.0 * alternating(round));
        assert!(
            !underpowered.differs() && underpowered.is_underpowered(),
            "{underpowered:?}"
        );
        let gated = faster
            .clone()
            .gated_by_control(std::slice::from_ref(&underpowered));
        // The largest acceptable half-width is half of the value of 2, and an interval shrinks with the square root of the
        // rounds.
        let expected = (12.0 * underpowered.difference.half_width().powi(2)).ceil() as usize;
        assert_eq!(
            gated.verdict,
            Verdict::NotEnoughData {
                rounds_needed: Some(expected)
            }
        );
        let other_measure = Comparison {
            measure: Measure::Cpu,
            ..underpowered
        };
        assert_eq!(
            faster.gated_by_control(&[other_measure]).verdict,
            Verdict::BBetter
        );
    }

    #[test]
    fn one_slow_round_does_not_decide() {
        let slow_once = compared(|round| {
            if round == 3 {
                500.0
            } else {
                0.01 * alternating(round)
            }
        });
        assert_eq!(slow_once.verdict, Verdict::Equivalent, "{slow_once:?}");
    }

    #[test]
    fn more_comparisons_need_more_confidence() {
        let a = blocks([2.0; 12]);
        let b = blocks((0..12).map(|round| 0.05f64.mul_add(alternating(round), 2.5)));
        let pairs = compare_all(measured(&a), &[measured(&b); 4], &rule());
        let confidences: Vec<f64> = pairs.iter().map(|pair| pair[0].confidence).collect();
        for (confidence, tests) in confidences.iter().zip([4.0, 3.0, 2.0, 1.0]) {
            assert!(
                (confidence - (1.0 - 0.05 / tests)).abs() < 1e-12,
                "{confidences:?}"
            );
        }
    }

    #[test]
    fn too_few_rounds_give_no_verdict() {
        let a = blocks([2.0; 4]);
        let b = blocks([9.0; 4]);
        let comparison = compare_all(measured(&a), &[measured(&b)], &rule())
            .remove(0)
            .remove(0);
        assert!(!comparison.is_decided(), "{comparison:?}");
    }
}
