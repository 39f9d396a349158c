//! The calibration of the load generator before a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Results of a calibration against a loopback server in the same process, which answers every vote at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Calibration {
    /// The highest rate that the load generator reaches, in votes a second.
    pub highest_rate: f64,
    /// Median latency at the plan's rate, in ms: the load generator adds this to every latency.
    pub overhead_p50_ms: f64,
    /// 99th percentile of latency at the plan's rate, in ms.
    pub overhead_p99_ms: f64,
}

impl Calibration {
    /// The load generator may use at most this share of its highest rate. Beyond it, votes queue in the load generator, and
    /// their wait would count as the route's latency.
    const USABLE_SHARE: f64 = 0.5;

    /// The highest rate at which latencies are trustworthy, in votes a second.
    pub const fn usable_rate(&self) -> f64 {
        self.highest_rate * Self::USABLE_SHARE
    }
}
