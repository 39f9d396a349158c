//! From an interval to a word.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bootstrap::Interval;

/// What can be said about a difference "b minus a" of a measure where less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// a is better, by more than the margin.
    ABetter,
    /// b is better, by more than the margin.
    BBetter,
    /// Whatever the difference is, it is within the margin.
    Equivalent,
    /// The interval reaches across an edge of the margin.
    NotEnoughData {
        /// Blocks that would probably do, at the spread seen; None where none would: the difference is the margin.
        blocks_needed: Option<usize>,
    },
}

/// Judges `difference`, measured in `blocks` blocks, against a margin (positive, in the same unit). The whole interval
/// has to lie on one side of an edge: "significant" without "relevant" is not a verdict here.
pub fn judge(difference: Interval, margin: f64, blocks: usize) -> Verdict {
    let Interval { low, high, .. } = difference;
    if low > margin {
        Verdict::ABetter
    } else if high < -margin {
        Verdict::BBetter
    } else if -margin <= low && high <= margin {
        Verdict::Equivalent
    } else {
        Verdict::NotEnoughData {
            blocks_needed: blocks_needed(difference, margin, blocks),
        }
    }
}

/// Beyond that the answer is "never" for all practical ends.
const MOST_BLOCKS: f64 = 1e6;

/// As many as bring the half width below the distance from the estimate to the nearer edge: an interval shrinks with the
/// root of the number of blocks.
fn blocks_needed(difference: Interval, margin: f64, blocks: usize) -> Option<usize> {
    let distance = (difference.estimate.abs() - margin).abs();
    blocks_for(difference, distance, blocks)
}

/// Blocks after which the half width of `difference`, seen in `blocks` blocks, would be `half_width`.
pub fn blocks_for(difference: Interval, half_width: f64, blocks: usize) -> Option<usize> {
    let factor = (difference.half_width() / half_width).powi(2);
    let needed = (blocks as f64 * factor).ceil();
    needed
        .is_finite()
        .then_some(needed)
        .filter(|&needed| needed <= MOST_BLOCKS)
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
    fn a_verdict_needs_the_whole_interval_on_one_side() {
        let cases = [
            (interval(1.1, 2.0), Verdict::ABetter),
            (interval(-2.0, -1.1), Verdict::BBetter),
            (interval(-0.9, 0.9), Verdict::Equivalent),
            (interval(0.2, 0.4), Verdict::Equivalent),
        ];
        for (difference, expected) in cases {
            assert_eq!(judge(difference, 1.0, 10), expected, "{difference:?}");
        }
    }

    #[test]
    fn what_is_missing_is_told_in_blocks() {
        // Half width 1, distance to the edge 0.5: four times as many blocks.
        let wide = judge(interval(0.5, 2.5), 1.0, 10);
        assert_eq!(
            wide,
            Verdict::NotEnoughData {
                blocks_needed: Some(40)
            }
        );
        let on_the_edge = judge(interval(0.0, 2.0), 1.0, 10);
        assert_eq!(on_the_edge, Verdict::NotEnoughData { blocks_needed: None });
    }
}
