//! An estimate with its interval.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An estimate with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The Hodges-Lehmann estimate over the rounds. For the CPU time of restarted services, the mean over processes.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// The median of `ascending`, and the values that are `spread` places below and above the middle, with continuity
    /// correction: the interval of a rank test whose statistic counts these values. The range of all values if `spread` is
    /// larger; zeros without values.
    pub(super) fn around_median(ascending: &[f64], spread: f64) -> Self {
        let count = ascending.len();
        let last = count.saturating_sub(1);
        let excluded = (count as f64 / 2.0 - 0.5 - spread).max(0.0) as usize;
        let at = |index: usize| ascending.get(index).copied().unwrap_or_default();
        Self {
            estimate: f64::midpoint(at(last / 2), at(count / 2)),
            low: at(excluded.min(last)),
            high: at(last.saturating_sub(excluded)),
        }
    }

    /// Half of the interval's width.
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }

    /// Whether `value` is inside.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}
