//! The headline of a report: how much the run decided.

use crate::report::model::{PointReport, Report};

/// How many comparisons of a report are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Comparisons in which one variant is better, or both are equivalent.
    pub decided: usize,
    /// Comparisons at points without a verdict.
    pub without_verdict: usize,
    /// All comparisons.
    pub all: usize,
    /// Whether each measure is compared once, so that the comparisons can be called measures.
    is_one_pair: bool,
}

impl Decided {
    /// Counts the comparisons of a report. At a point without a verdict, none is decided.
    pub fn of(report: &Report) -> Self {
        let count = |point: &PointReport| point.comparisons().count();
        let count_decided = |point: &PointReport| {
            point
                .comparisons()
                .filter(|comparison| comparison.is_decided())
                .count()
        };
        let all = report.points.iter().map(count).sum::<usize>();
        let pairs = report.points.iter().map(|point| point.pairs.len());
        Self {
            decided: report.points_with_verdict().map(count_decided).sum(),
            without_verdict: all - report.points_with_verdict().map(count).sum::<usize>(),
            all,
            is_one_pair: pairs.sum::<usize>() == 1,
        }
    }

    /// The headline of a report that has a verdict.
    pub fn headline(self) -> String {
        let noun = if self.is_one_pair {
            "measures"
        } else {
            "comparisons"
        };
        let Self {
            decided,
            without_verdict,
            all,
            ..
        } = self;
        let others = match (without_verdict, all - decided - without_verdict) {
            (0, _) => "there is not enough data for the others".to_owned(),
            (_, 0) => "the others have no verdict".to_owned(),
            (_, open) => {
                format!("{without_verdict} have no verdict, and there is not enough data for {open}")
            }
        };
        match self {
            Self { all: 0, .. } => "Nothing is decided: no two variants have values to compare.".to_owned(),
            Self {
                decided: 0,
                without_verdict: 0,
                ..
            } => format!("Nothing is decided: there is not enough data for any of the {all} {noun}."),
            _ if decided == all => format!("All {all} {noun} are decided."),
            _ => format!("{decided} of {all} {noun} are decided; {others}."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headline_says_how_much_is_decided() {
        let headline = |decided, without_verdict, all, is_one_pair| {
            Decided {
                decided,
                without_verdict,
                all,
                is_one_pair,
            }
            .headline()
        };
        for (decided, without_verdict, all, is_one_pair, expected) in [
            (
                0,
                0,
                5,
                true,
                "Nothing is decided: there is not enough data for any of the 5 measures.",
            ),
            (5, 0, 5, true, "All 5 measures are decided."),
            (
                2,
                0,
                5,
                true,
                "2 of 5 measures are decided; there is not enough data for the others.",
            ),
            (
                10,
                5,
                15,
                false,
                "10 of 15 comparisons are decided; the others have no verdict.",
            ),
            (
                0,
                5,
                15,
                false,
                "0 of 15 comparisons are decided; 5 have no verdict, and there is not enough data for 10.",
            ),
            (
                1,
                0,
                10,
                false,
                "1 of 10 comparisons are decided; there is not enough data for the others.",
            ),
            (
                0,
                0,
                0,
                false,
                "Nothing is decided: no two variants have values to compare.",
            ),
        ] {
            assert_eq!(headline(decided, without_verdict, all, is_one_pair), expected);
        }
    }
}
