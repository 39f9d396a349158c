//! The parameters of a decision.

use experiment_model::design::DesignKind;
use experiment_model::plan::Plan;

use crate::margin::Margin;
use crate::measure::Measure;
use crate::stats::interval::Interval;
use crate::stats::monitoring::Looks;
use crate::stats::signed_rank::PairMeans;

/// The parameters of a decision.
#[derive(Clone, Debug)]
pub struct DecisionRule {
    /// The smallest difference that matters.
    pub margin: Margin,
    /// The probability that all verdicts under the same conditions are right, 0 to 1. The same probability holds separately
    /// for the decisions on the control.
    pub confidence: f64,
    /// How often the rounds of the run are looked at.
    pub looks: Looks,
    /// The measures to compare.
    pub measures: &'static [Measure],
}

impl DecisionRule {
    /// The rule for the rounds of a plan.
    pub fn of(plan: &Plan, margin: Margin, confidence: f64) -> Self {
        let (looks, measures) = match plan.design.kind {
            DesignKind::Simultaneous => (Looks::UpTo(plan.design.rounds), &Measure::OF_SIMULTANEOUS[..]),
            DesignKind::Saturation => (Looks::Once, &Measure::OF_SATURATION[..]),
            DesignKind::Turns => (Looks::Once, &Measure::ALL[..]),
        };
        Self {
            margin,
            confidence,
            looks,
            measures,
        }
    }

    /// The same rule for a fixed number of rounds.
    #[must_use]
    pub fn looking_once(&self) -> Self {
        Self {
            looks: Looks::Once,
            ..self.clone()
        }
    }

    /// The probability of at least one wrong verdict.
    pub fn error_rate(&self) -> f64 {
        1.0 - self.confidence
    }

    /// The interval of the location of `values`, one for each round; `None` without values.
    pub fn interval(&self, values: &[f64]) -> Option<Interval> {
        let z = self.looks.critical_z(self.error_rate(), values.len());
        Some(PairMeans::of(values)?.interval(z))
    }
}
