//! Finds where the winner changes along a sweep.

use crate::comparison::Comparison;
use crate::report::model::{Change, Pair, PointReport};
use crate::stats::verdict::Verdict;

/// For each pair and measure, the values of the sweep between which the verdict changes. `points` are those with a verdict;
/// a comparison without enough data is skipped.
pub fn winner_changes(points: &[&PointReport]) -> Vec<Change> {
    let mut changes = Vec::new();
    for pair in points.first().map_or(&[][..], |point| &point.pairs) {
        for comparison in &pair.comparisons {
            let mut before: Option<(&str, Verdict)> = None;
            for point in points {
                let Some((value, verdict)) = verdict_at(point, pair, comparison) else {
                    continue;
                };
                if let Some((from, old)) = before.filter(|(_, old)| *old != verdict) {
                    changes.push(Change {
                        a: pair.a.clone(),
                        b: pair.b.clone(),
                        measure: comparison.measure,
                        from: from.to_owned(),
                        to: value.to_owned(),
                        before: old,
                        after: verdict,
                        sentence: format!(
                            "{}: {} up to {from}, {} from {value} on.",
                            comparison.measure.name(),
                            describe(pair, old),
                            describe(pair, verdict)
                        ),
                    });
                }
                before = Some((value, verdict));
            }
        }
    }
    changes
}

fn verdict_at<'a>(
    point: &'a PointReport,
    pair: &Pair,
    comparison: &Comparison,
) -> Option<(&'a str, Verdict)> {
    let same_pair = |other: &&Pair| (&other.a, &other.b) == (&pair.a, &pair.b);
    let comparisons = &point.pairs.iter().find(same_pair)?.comparisons;
    let verdict = comparisons
        .iter()
        .find(|other| other.measure == comparison.measure)?
        .verdict;
    let is_decided = !matches!(verdict, Verdict::NotEnoughData { .. });
    is_decided.then_some((point.value.as_deref()?, verdict))
}

fn describe(pair: &Pair, verdict: Verdict) -> String {
    match verdict {
        Verdict::ABetter => format!("{} better", pair.a),
        Verdict::BBetter => format!("{} better", pair.b),
        // `verdict_at` returns only decided verdicts.
        Verdict::Equivalent | Verdict::NotEnoughData { .. } => "equivalent".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Measure;
    use crate::stats::interval::Interval;

    fn point(value: &str, verdict: Verdict) -> PointReport {
        let comparison = Comparison {
            measure: Measure::P50,
            a: 1.0,
            b: 1.0,
            difference: Interval {
                estimate: 0.0,
                low: 0.0,
                high: 0.0,
            },
            confidence: 0.95,
            margin: 0.1,
            rounds: 5,
            verdict,
        };
        PointReport {
            value: Some(value.to_owned()),
            variants: Vec::new(),
            control: Vec::new(),
            control_holds: true,
            no_verdict_reasons: Vec::new(),
            pairs: vec![Pair {
                a: "rest".to_owned(),
                b: "grpc".to_owned(),
                comparisons: vec![comparison],
            }],
            effects: Vec::new(),
        }
    }

    #[test]
    fn change_is_found_across_undecided_points() {
        let undecided = Verdict::NotEnoughData { rounds_needed: None };
        let points = [
            point("100", Verdict::ABetter),
            point("200", undecided),
            point("400", Verdict::BBetter),
            point("800", Verdict::BBetter),
        ];
        let points: Vec<&PointReport> = points.iter().collect();
        let [change] = &winner_changes(&points)[..] else {
            panic!("expected one change");
        };
        assert_eq!((change.from.as_str(), change.to.as_str()), ("100", "400"));
        assert_eq!(
            change.sentence,
            "median latency: rest better up to 100, grpc better from 400 on."
        );
        assert_eq!(winner_changes(&points[2..]), []);
    }
}
