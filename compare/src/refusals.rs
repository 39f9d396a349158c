//! When nothing is said about the routes: a verdict on unequal or unsteady ground would be wrong with an interval.

use crate::report::model::{Finding, PointReport, Report};
use crate::report::text;

/// In 99 of 100 votes the driver may be late by so much, in ms. Beyond that it measures itself: a runtime's wake-up on a
/// busy processor takes some tenths.
const HONEST_LAG_P99_MS: f64 = 5.0;

/// Why there is no verdict, a sentence each that says what to do; none where there is one.
pub fn refusals(report: &Report) -> Vec<String> {
    let unfair = report
        .fairness
        .iter()
        .filter(|finding| !finding.fair)
        .map(Finding::refusal);
    let unsteady = report.points.iter().filter_map(without_control);
    let late = report.points.iter().filter_map(late);
    let books = (!report.reconciled)
        .then(|| "The stores do not hold exactly what was acknowledged: see the differences.".to_owned());
    unfair.chain(unsteady).chain(late).chain(books).collect()
}

impl Finding {
    /// Why there is no verdict.
    pub fn refusal(&self) -> String {
        format!("The routes are not equal: {}", self.sentence)
    }
}

fn without_control(point: &PointReport) -> Option<String> {
    (!point.control_holds).then(|| {
        format!(
            "{}The machine is too noisy for this plan. {} Let nothing else run on it, or take longer or more blocks.",
            at(point),
            text::control(point)
        )
    })
}

fn late(point: &PointReport) -> Option<String> {
    let late = point.arms.iter().map(|arm| (arm.lag_ms[1], &arm.arm.name));
    let (lag, name) = late
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(lag, _)| *lag > HONEST_LAG_P99_MS)?;
    Some(format!(
        "{}The driver was late by {lag:.1} ms and more in one of 100 votes by {name}: lower load.rate, or give it a \
         processor of its own.",
        at(point)
    ))
}

fn at(point: &PointReport) -> String {
    point
        .value
        .as_ref()
        .map_or_else(String::new, |value| format!("At {value}: "))
}
