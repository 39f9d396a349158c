//! The parameters of a decision.

use experiment_model::design::DesignKind;
use experiment_model::plan::Plan;

use crate::margin::Margin;
use crate::measure::Measure;
use crate::stats::location::Location;
use crate::stats::monitoring::Looks;

/// The parameters of a decision.
#[derive(Clone, Debug)]
pub struct DecisionRule {
    /// The smallest difference that matters.
    pub margin: Margin,
    /// The minimum probability, 0 to 1, that all verdicts at one value of the sweep (without a sweep, of the run) are right. The same probability holds separately
    /// for the decisions on the control.
    pub confidence: f64,
    /// How often the rounds of the run are evaluated.
    pub looks: Looks,
    /// The measures to compare.
    pub measures: &'static [Measure],
    /// How many rounds each process serves, if the services are restarted.
    pub rounds_per_process: Option<RoundsPerProcess>,
}

/// How many consecutive rounds a process of a service serves before the next one takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundsPerProcess {
    /// Rounds of the design.
    pub measured: usize,
    /// Rounds in turns that measure CPU time instead, if there are any.
    pub cpu: usize,
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
            rounds_per_process: (plan.design.processes > 1).then(|| RoundsPerProcess {
                measured: plan.design.rounds / plan.design.processes,
                cpu: plan.design.cpu_rounds / plan.design.processes,
            }),
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

    /// Estimates the location of `values` of `measure`, each with the index of its round; `None` without values. Rounds of
    /// one process are alike in their CPU time only. `in_turns` says whether the rounds are those that measure only CPU time.
    pub fn location(&self, measure: Measure, values: &[(usize, f64)], in_turns: bool) -> Option<Location> {
        match self.rounds_per_process {
            Some(rounds) if measure == Measure::Cpu => {
                Location::of_processes(values, if in_turns { rounds.cpu } else { rounds.measured })
            }
            _ => Location::of_rounds(values),
        }
    }
}
