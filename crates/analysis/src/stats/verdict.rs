//! The decision rule: from an interval and a margin to a verdict.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::interval::Interval;

/// The verdict on a difference "b minus a" of a measure for which less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// a is better by more than the margin.
    ABetter,
    /// b is better by more than the margin.
    BBetter,
    /// The difference is within the margin.
    Equivalent,
    /// The interval crosses an edge of the margin, there are too few rounds, or the control is underpowered.
    NotEnoughData {
        /// Estimated number of rounds needed for a verdict, at the observed spread; `None` if there are too few rounds for
        /// an estimate, or the difference is too close to the margin for any practical number.
        rounds_needed: Option<usize>,
    },
}

/// Decides on `difference`, measured in `rounds` rounds, against a positive `margin` in the same unit. A verdict requires
/// that the whole interval lies on one side of an edge: a difference that is significant but irrelevant is not enough.
pub fn decide(difference: Interval, margin: f64, rounds: usize) -> Verdict {
    let Interval { low, high, .. } = difference;
    if low > margin {
        Verdict::ABetter
    } else if high < -margin {
        Verdict::BBetter
    } else if -margin <= low && high <= margin {
        Verdict::Equivalent
    } else {
        Verdict::NotEnoughData {
            rounds_needed: rounds_needed(difference, margin, rounds),
        }
    }
}

/// A larger number of rounds is not practical and is reported as `None`.
const MAX_ROUNDS: f64 = 1e6;

/// The number of rounds that makes the half-width smaller than the distance from the estimate to the nearer edge.
fn rounds_needed(difference: Interval, margin: f64, rounds: usize) -> Option<usize> {
    let distance = (difference.estimate.abs() - margin).abs();
    rounds_for(difference, distance, rounds)
}

/// The number of rounds after which the half-width of `difference`, measured in `rounds` rounds, would be `half_width`.
/// The width of an interval shrinks with the square root of the number of rounds.
pub fn rounds_for(difference: Interval, half_width: f64, rounds: usize) -> Option<usize> {
    let factor = (difference.half_width() / half_width).powi(2);
    let needed = (rounds as f64 * factor).ceil();
    needed
        .is_finite()
        .then_some(needed)
        .filter(|&needed| needed <= MAX_ROUNDS)
        .map(|needed| needed as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(low: f64, high: f64) -> Interval {
        Interval {
            estimate: f64::midpoint(low, high),
            low,
            high,
        }
    }

    #[test]
    fn verdict_requires_the_whole_interval_on_one_side_of_an_edge() {
        let cases = [
            (interval(1.1, 2.0), Verdict::ABetter),
            (interval(-2.0, -1.1), Verdict::BBetter),
            (interval(-0.9, 0.9), Verdict::Equivalent),
            (interval(0.2, 0.4), Verdict::Equivalent),
        ];
        for (difference, expected) in cases {
            assert_eq!(decide(difference, 1.0, 10), expected, "{difference:?}");
        }
    }

    #[test]
    fn undecided_verdict_estimates_the_rounds_needed() {
        // Half-width 1 and distance 0.5 to the edge: four times as many rounds.
        let wide = decide(interval(0.5, 2.5), 1.0, 10);
        assert_eq!(
            wide,
            Verdict::NotEnoughData {
                rounds_needed: Some(40)
            }
        );
        let on_the_edge = decide(interval(0.0, 2.0), 1.0, 10);
        assert_eq!(on_the_edge, Verdict::NotEnoughData { rounds_needed: None });
    }
}
