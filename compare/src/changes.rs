//! Where the winner changes along a sweep.

use crate::judge::Comparison;
use crate::report::model::{Change, Pair, PointReport};
use crate::stats::verdict::Verdict;

/// For each pair and measure, from which value of the sweep on another verdict holds than before. Points without a
/// verdict ("not enough data", a control that failed) are passed over: they say neither.
pub fn changes(points: &[PointReport]) -> Vec<Change> {
    let mut found = Vec::new();
    for pair in points.first().map_or(&[][..], |point| &point.comparisons) {
        for comparison in &pair.measures {
            let mut before: Option<(&str, Verdict)> = None;
            for point in points {
                let Some((value, verdict)) = at(point, pair, comparison) else {
                    continue;
                };
                if let Some((from, old)) = before.filter(|(_, old)| *old != verdict) {
                    found.push(Change {
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
                            word(pair, old),
                            word(pair, verdict)
                        ),
                    });
                }
                before = Some((value, verdict));
            }
        }
    }
    found
}

fn at<'a>(point: &'a PointReport, pair: &Pair, sought: &Comparison) -> Option<(&'a str, Verdict)> {
    let same = |other: &&Pair| (&other.a, &other.b) == (&pair.a, &pair.b);
    let measures = &point
        .comparisons
        .iter()
        .find(same)
        .filter(|_| point.control_holds)?
        .measures;
    let verdict = measures
        .iter()
        .find(|other| other.measure == sought.measure)?
        .verdict;
    let is_certain = !matches!(verdict, Verdict::NotEnoughData { .. });
    is_certain.then_some((point.value.as_deref()?, verdict))
}

fn word(pair: &Pair, verdict: Verdict) -> String {
    match verdict {
        Verdict::ABetter => format!("{} better", pair.a),
        Verdict::BBetter => format!("{} better", pair.b),
        Verdict::Equivalent | Verdict::NotEnoughData { .. } => "equivalent".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Measure;
    use crate::stats::bootstrap::Interval;

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
            margin: 0.1,
            rounds: 5,
            verdict,
        };
        PointReport {
            value: Some(value.to_owned()),
            arms: Vec::new(),
            control: Vec::new(),
            control_holds: true,
            comparisons: vec![Pair {
                a: "rest".to_owned(),
                b: "grpc".to_owned(),
                measures: vec![comparison],
            }],
            effects: Vec::new(),
        }
    }

    #[test]
    fn a_change_is_found_across_points_that_say_nothing() {
        let unsure = Verdict::NotEnoughData { blocks_needed: None };
        let points = [
            point("100", Verdict::ABetter),
            point("200", unsure),
            point("400", Verdict::BBetter),
            point("800", Verdict::BBetter),
        ];
        let [change] = &changes(&points)[..] else {
            panic!("one change");
        };
        assert_eq!((change.from.as_str(), change.to.as_str()), ("100", "400"));
        assert_eq!(
            change.sentence,
            "median latency: rest better up to 100, grpc better from 400 on."
        );
        assert_eq!(changes(&points[2..]), []);
    }
}
