//! What a run says: sentences for people, JSON for programs.

use serde::Serialize;

use crate::data::ArmData;
use crate::driver::load::Outcome;
use crate::judge::{Comparison, Margin, Measure, compare};
use crate::plan::Plan;
use crate::stats::verdict::Verdict;

/// A judged run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Its name.
    pub run: String,
    /// When it started, RFC 3339.
    pub started_at: String,
    /// What was done.
    pub plan: Plan,
    /// Share of intervals that hold the true value.
    pub confidence: f64,
    /// What difference matters.
    pub margin: Margin,
    /// What each arm's votes came to.
    pub arms: Vec<Totals>,
    /// The first arm against itself.
    pub control: Vec<Comparison>,
    /// Whether the control found no difference: without that nothing is said about the others.
    pub control_holds: bool,
    /// The first arm against each other one.
    pub comparisons: Vec<Pair>,
    /// Whether the stores hold exactly what was acknowledged.
    pub reconciled: bool,
    /// Differences in the stores, where there are some.
    pub differences: Option<String>,
}

/// Votes of an arm.
#[derive(Clone, Debug, Serialize)]
pub struct Totals {
    /// The arm.
    pub name: String,
    /// Votes that were meant to be sent, and were.
    pub sent: usize,
    /// Of those, acknowledged.
    pub acknowledged: usize,
    /// Of those, refused or without an answer.
    pub failed: usize,
    /// The driver's own lateness, 99th percentile: ms between the intended and the actual send.
    pub lag_p99_ms: Option<f64>,
}

/// Two arms.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// The first arm of the plan.
    pub a: String,
    /// The other one.
    pub b: String,
    /// A comparison for each measure that has values.
    pub measures: Vec<Comparison>,
}

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

/// Compares the first of `arms` with its control and with each other.
pub fn judge(arms: &[ArmData], rules: Rules) -> (Vec<Comparison>, Vec<Pair>) {
    let Some(first) = arms.first() else {
        return (Vec::new(), Vec::new());
    };
    let measures = |other: &ArmData| -> Vec<Comparison> {
        let each = Measure::ALL.into_iter();
        each.filter_map(|measure| compare(first, other, measure, rules.margin, rules.confidence, rules.seed))
            .collect()
    };
    let control = arms.iter().find(|data| data.is_control);
    let others = arms.iter().skip(1).filter(|data| !data.is_control);
    let pairs = others.map(|other| Pair {
        a: first.arm.name.clone(),
        b: other.arm.name.clone(),
        measures: measures(other),
    });
    (control.map(measures).unwrap_or_default(), pairs.collect())
}

impl Totals {
    /// Of all blocks of an arm.
    pub fn of(data: &ArmData) -> Self {
        let samples = || data.blocks.iter().flat_map(|block| &block.samples);
        let acknowledged = samples()
            .filter(|sample| matches!(sample.outcome, Outcome::Acknowledged(_)))
            .count();
        let mut lags: Vec<f64> = samples().map(|sample| sample.lag.as_secs_f64() * 1e3).collect();
        lags.sort_by(f64::total_cmp);
        Self {
            name: format!(
                "{}{}",
                data.arm.name,
                if data.is_control { " (control)" } else { "" }
            ),
            sent: samples().count(),
            acknowledged,
            failed: samples().count() - acknowledged,
            lag_p99_ms: crate::stats::quantile::nearest_rank(&lags, 0.99),
        }
    }
}

impl Report {
    /// The report in sentences.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        for arm in &self.arms {
            lines.push(format!(
                "{}: {} sent, {} acknowledged, {} failed; the driver was late by {} ms at most in 99 of 100",
                arm.name,
                arm.sent,
                arm.acknowledged,
                arm.failed,
                arm.lag_p99_ms
                    .map_or_else(|| "-".to_owned(), |lag| format!("{lag:.2}"))
            ));
        }
        if self.control_holds {
            for pair in &self.comparisons {
                lines.extend(
                    pair.measures
                        .iter()
                        .map(|comparison| sentence(&pair.a, &pair.b, comparison)),
                );
            }
        } else {
            lines.push(
                "No verdict: the first arm differs from itself by more than the margin, so the machine is too noisy. \
                 Run it on a quiet one, or with longer or more blocks."
                    .to_owned(),
            );
            lines.extend(
                self.control
                    .iter()
                    .map(|comparison| sentence("control a", "control b", comparison)),
            );
        }
        lines.push(match &self.differences {
            None => "Every acknowledged vote is in Kafka, Redis and MongoDB once.".to_owned(),
            Some(differences) => format!("The books differ:\n{differences}"),
        });
        lines.join("\n")
    }
}

/// One plain sentence.
pub fn sentence(a: &str, b: &str, comparison: &Comparison) -> String {
    let name = match comparison.measure {
        Measure::P50 => "median latency",
        Measure::P95 => "95th percentile of latency",
        Measure::P99 => "99th percentile of latency",
        Measure::Throughput => "throughput",
        Measure::Cpu => "CPU time",
    };
    let unit = comparison.measure.unit();
    let better = |winner: &str| format!("{winner} is better");
    let word = match comparison.verdict {
        Verdict::ABetter => better(a),
        Verdict::BBetter => better(b),
        Verdict::Equivalent => "equivalent".to_owned(),
        Verdict::NotEnoughData {
            blocks_needed: Some(blocks),
        } => format!("not enough data: about {blocks} rounds are needed"),
        Verdict::NotEnoughData { blocks_needed: None } => {
            "not enough data: the difference is about the margin itself".to_owned()
        }
    };
    let interval = comparison.difference;
    format!(
        "{name}: {word}. {a} {:.2}, {b} {:.2} {unit}; {b} - {a} = {:+.2} [{:+.2}, {:+.2}], margin {:.2}, {} rounds.",
        comparison.a,
        comparison.b,
        interval.estimate,
        interval.low,
        interval.high,
        comparison.margin,
        comparison.rounds
    )
}

/// Whether each measure of the control found no difference beyond the margin.
pub fn holds(control: &[Comparison]) -> bool {
    !control.is_empty()
        && !control
            .iter()
            .any(|comparison| matches!(comparison.verdict, Verdict::ABetter | Verdict::BBetter))
}
