//! A report in sentences, for the terminal.

use super::model::{PointReport, Report};
use crate::judge::Comparison;
use crate::stats::verdict::Verdict;

/// The report in sentences.
pub fn summary(report: &Report) -> String {
    let mut lines = Vec::new();
    for point in &report.points {
        point_lines(point, &mut lines);
    }
    lines.extend(
        report
            .refusals
            .iter()
            .map(|refusal| format!("No verdict: {refusal}")),
    );
    lines.push(match &report.differences {
        None => "Every acknowledged vote is in Kafka, Redis and MongoDB once.".to_owned(),
        Some(differences) => format!("The books differ:\n{differences}"),
    });
    lines.join("\n")
}

fn point_lines(point: &PointReport, lines: &mut Vec<String>) {
    for arm in &point.arms {
        let [_, late, _] = arm.lag_ms;
        lines.push(format!(
            "{}: {} sent, {} acknowledged; the driver was late by {late:.2} ms at most in 99 of 100",
            arm.arm.name, arm.sent, arm.acknowledged
        ));
    }
    for pair in &point.comparisons {
        lines.extend(
            pair.measures
                .iter()
                .map(|comparison| sentence(&pair.a, &pair.b, comparison)),
        );
    }
}

/// One plain sentence.
pub fn sentence(a: &str, b: &str, comparison: &Comparison) -> String {
    let name = comparison.measure.name();
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
