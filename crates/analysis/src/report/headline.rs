//! The headline of a report: how much the run decided.

use crate::comparison::Comparison;
use crate::report::model::Report;
use crate::stats::verdict::Verdict;

/// How many comparisons of a report are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Comparisons in which one variant is better, or both are equivalent.
    pub decided: usize,
    /// All comparisons.
    pub all: usize,
    /// Whether each measure is compared once, so that the comparisons can be called measures.
    is_one_pair: bool,
}

impl Decided {
    /// Counts the comparisons of a report. Without a verdict on the run, none is decided.
    pub fn of(report: &Report) -> Self {
        let pairs = || report.points.iter().flat_map(|point| &point.comparisons);
        let measures = || pairs().flat_map(|pair| &pair.measures);
        let has_verdict = report.no_verdict_reasons.is_empty();
        let is_decided =
            |comparison: &&Comparison| !matches!(comparison.verdict, Verdict::NotEnoughData { .. });
        Self {
            decided: if has_verdict {
                measures().filter(is_decided).count()
            } else {
                0
            },
            all: measures().count(),
            is_one_pair: pairs().count() == 1,
        }
    }

    /// The headline of a report that has a verdict.
    pub fn headline(self) -> String {
        let noun = if self.is_one_pair {
            "measures"
        } else {
            "comparisons"
        };
        match self {
            Self { all: 0, .. } => "Nothing is decided: no two variants have values to compare.".to_owned(),
            Self { decided: 0, all, .. } => {
                format!("Nothing is decided: there is not enough data for any of the {all} {noun}.")
            }
            Self { decided, all, .. } if decided == all => format!("All {all} {noun} are decided."),
            Self { decided, all, .. } => {
                format!("{decided} of {all} {noun} are decided; there is not enough data for the others.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headline_says_how_much_is_decided() {
        let headline = |decided, all, is_one_pair| {
            Decided {
                decided,
                all,
                is_one_pair,
            }
            .headline()
        };
        for (decided, all, is_one_pair, expected) in [
            (
                0,
                5,
                true,
                "Nothing is decided: there is not enough data for any of the 5 measures.",
            ),
            (5, 5, true, "All 5 measures are decided."),
            (
                2,
                5,
                true,
                "2 of 5 measures are decided; there is not enough data for the others.",
            ),
            (
                1,
                10,
                false,
                "1 of 10 comparisons are decided; there is not enough data for the others.",
            ),
            (
                0,
                0,
                false,
                "Nothing is decided: no two variants have values to compare.",
            ),
        ] {
            assert_eq!(headline(decided, all, is_one_pair), expected);
        }
    }
}
