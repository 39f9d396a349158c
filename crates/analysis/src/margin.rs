//! The smallest difference that matters.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::Measure;

/// The smallest difference that matters, for each measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Margin {
    /// Share of the first variant's value, 0 to 1, by measure.
    pub shares: BTreeMap<Measure, f64>,
    /// Minimum margin of a latency, in ms.
    pub floor_ms: f64,
}

/// A share as a percentage, with a decimal only if it is not whole.
pub fn percent(share: f64) -> String {
    format!("{:.1}", share * 100.0).trim_end_matches(".0").to_owned()
}

impl Default for Margin {
    /// A smaller difference would not change the choice of a protocol. The tail of the latency varies more from one run to
    /// the next than the median does, so a difference there must be larger to matter.
    fn default() -> Self {
        Self {
            shares: BTreeMap::from([
                (Measure::P50, 0.03),
                (Measure::P95, 0.15),
                (Measure::P99, 0.15),
                (Measure::Throughput, 0.05),
                (Measure::Cpu, 0.05),
            ]),
            floor_ms: 0.05,
        }
    }
}

impl Margin {
    /// The same share for every measure.
    pub fn uniform(share: f64, floor_ms: f64) -> Self {
        Self {
            shares: Measure::ALL.map(|measure| (measure, share)).into(),
            floor_ms,
        }
    }

    /// The margin of a measure whose value in the first variant is `baseline`, in the measure's unit.
    pub fn of(&self, measure: Measure, baseline: f64) -> f64 {
        let share = self.shares.get(&measure).copied().unwrap_or_default();
        let relative = baseline.abs() * share;
        if measure.is_latency() {
            relative.max(self.floor_ms)
        } else {
            relative
        }
    }

    /// "p50 3 %, p95 10 %": the shares of these measures.
    pub fn describe(&self, measures: &[Measure]) -> String {
        let parts = measures.iter().filter_map(|measure| {
            let share = self.shares.get(measure)?;
            Some(format!("{} {} %", measure.short_name(), percent(*share)))
        });
        parts.collect::<Vec<_>>().join(", ")
    }
}
