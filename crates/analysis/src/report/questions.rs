//! The questions of a comparison, each answered in one sentence with the effect in its unit and in percent.

use crate::comparison::Comparison;
use crate::measure::Measure;
use crate::report::formatting::{number, signed};
use crate::stats::interval::Interval;
use crate::stats::verdict::Verdict;

/// The question that a measure answers.
pub const fn question(measure: Measure) -> &'static str {
    match measure {
        Measure::P50 => "Which is faster for a typical vote?",
        Measure::P95 => "Which is faster for a slow vote, 1 of 20?",
        Measure::P99 => "Which is faster for a very slow vote, 1 of 100?",
        Measure::Throughput => "Which carries more votes?",
        Measure::Cpu => "Which needs less CPU time?",
    }
}

/// The answer in one sentence; `a` and `b` are the names of the variants.
pub fn answer(a: &str, b: &str, comparison: &Comparison) -> String {
    let unit = comparison.measure.unit();
    let better = match comparison.verdict {
        Verdict::ABetter => a,
        Verdict::BBetter => b,
        Verdict::Equivalent => {
            return format!(
                "{a} and {b} are equivalent: they differ by {}, which is within the margin of ±{} {unit}.",
                range(comparison),
                number(comparison.margin)
            );
        }
        Verdict::NotEnoughData { rounds_needed } => {
            let remedy = rounds_needed.map_or_else(
                || {
                    "There are too few rounds for a verdict, or the difference is too close to the margin."
                        .to_owned()
                },
                |rounds| {
                    format!(
                        "A verdict needs about {rounds} rounds instead of {}.",
                        comparison.rounds
                    )
                },
            );
            return format!(
                "No verdict: the difference is {}, and the margin is ±{} {unit}. {remedy}",
                range(comparison),
                number(comparison.margin)
            );
        }
    };
    format!(
        "{better}, by {} {unit} ({} %).",
        number(comparison.difference.estimate.abs()),
        number((100.0 * comparison.difference.estimate / comparison.a).abs())
    )
}

/// "+0.10 to +0.25 ms (+5.0 to +12.1 %)".
fn range(comparison: &Comparison) -> String {
    let Interval { low, high, .. } = comparison.difference;
    let percent = |value: f64| signed(100.0 * value / comparison.a);
    format!(
        "{} to {} {} ({} to {} %)",
        signed(low),
        signed(high),
        comparison.measure.unit(),
        percent(low),
        percent(high)
    )
}

/// The width of a plot in characters, without its labels.
const PLOT_WIDTH: usize = 49;

/// A plot of the differences for the terminal, as shares of a's value: the interval of each measure (`├──●──┤`) on the
/// margin (`░`). Values to the left mean that b has less.
pub fn plot(comparisons: &[Comparison]) -> Vec<String> {
    let percent = |value: f64, comparison: &Comparison| 100.0 * value / comparison.a;
    let shown: Vec<&Comparison> = comparisons
        .iter()
        .filter(|comparison| comparison.a > 0.0)
        .collect();
    let edges = shown.iter().flat_map(|comparison| {
        let Interval { low, high, .. } = comparison.difference;
        [low, high, comparison.margin].map(|value| percent(value, comparison).abs())
    });
    let Some(largest) = edges.reduce(f64::max).filter(|largest| *largest > 0.0) else {
        return Vec::new();
    };
    let middle = PLOT_WIDTH / 2;
    let column = |value: f64| {
        let offset = (value / largest * middle as f64).round();
        (middle as f64 + offset).clamp(0.0, (PLOT_WIDTH - 1) as f64) as usize
    };
    let mut lines: Vec<String> = shown
        .iter()
        .map(|comparison| {
            let at = |value: f64| column(percent(value, comparison));
            let Interval { estimate, low, high } = comparison.difference;
            let (margin_low, margin_high) = (at(-comparison.margin), at(comparison.margin));
            let bar: String = (0..PLOT_WIDTH)
                .map(|position| match position {
                    position if position == at(estimate) => '●',
                    position if position == at(low) => '├',
                    position if position == at(high) => '┤',
                    position if (at(low)..at(high)).contains(&position) => '─',
                    position if position == middle => '│',
                    position if (margin_low..=margin_high).contains(&position) => '░',
                    _ => ' ',
                })
                .collect();
            let percents = [estimate, low, high].map(|value| signed(percent(value, comparison)));
            let [estimate, low, high] = percents;
            format!(
                "  {:<10} {bar}  {estimate} % [{low}, {high}]",
                comparison.measure.short_name()
            )
        })
        .collect();
    let scale = format!("−{}", number(largest));
    lines.push(format!(
        "  {:<10} {scale:<middle$}0{:>middle$}  % of the first variant's value",
        "",
        format!("+{}", number(largest)),
    ));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(low: f64, high: f64, verdict: Verdict) -> Comparison {
        Comparison {
            measure: Measure::P50,
            a: 2.0,
            b: 2.0 + f64::midpoint(low, high),
            difference: Interval {
                estimate: f64::midpoint(low, high),
                low,
                high,
            },
            confidence: 0.99,
            margin: 0.1,
            rounds: 20,
            verdict,
        }
    }

    #[test]
    fn answer_has_the_effect_in_its_unit_and_in_percent() {
        let cases = [
            (
                comparison(0.18, 0.22, Verdict::ABetter),
                "REST, by 0.20 ms (10.0 %).",
            ),
            (
                comparison(-0.22, -0.18, Verdict::BBetter),
                "gRPC, by 0.20 ms (10.0 %).",
            ),
            (
                comparison(-0.02, 0.04, Verdict::Equivalent),
                "REST and gRPC are equivalent: they differ by −0.020 to +0.040 ms (−1.00 to +2.00 %), which is within the \
                 margin of ±0.10 ms.",
            ),
            (
                comparison(
                    -0.2,
                    0.4,
                    Verdict::NotEnoughData {
                        rounds_needed: Some(80),
                    },
                ),
                "No verdict: the difference is −0.20 to +0.40 ms (−10.0 to +20.0 %), and the margin is ±0.10 ms. A verdict \
                 needs about 80 rounds instead of 20.",
            ),
        ];
        for (comparison, expected) in cases {
            assert_eq!(answer("REST", "gRPC", &comparison), expected);
        }
    }

    #[test]
    fn plot_shows_interval_and_margin_on_one_scale() {
        let lines = plot(&[
            comparison(0.18, 0.22, Verdict::ABetter),
            comparison(-0.02, 0.04, Verdict::Equivalent),
        ]);
        assert_eq!(
            lines,
            [
                "  p50                     ░░░░░░░░░░░│░░░░░░░░░░░        ├─●─┤  +10.0 % [+9.00, +11.0]",
                "  p50                     ░░░░░░░░░├──●──┤░░░░░░░               +0.50 % [−1.00, +2.00]",
                "             −11.0                   0                   +11.0  % of the first variant's value",
            ]
        );
    }
}
