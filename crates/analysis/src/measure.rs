//! The measures that are compared, with their value in each block.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Median latency of acknowledged votes, in ms.
    P50,
    /// 95th percentile of latency, in ms.
    P95,
    /// 99th percentile of latency, in ms.
    P99,
    /// Votes a second that were acknowledged within the block. In a saturation design, the rate that the search found.
    Throughput,
    /// CPU seconds of the variant's processes for a million acknowledged votes.
    Cpu,
}

/// The value of each measure in one block.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockReport {
    /// The round, from 0.
    pub round: usize,
    /// Its position among the round's blocks, from 0.
    pub position: usize,
    /// Its start, in seconds from the start of the run.
    pub started_s: f64,
    /// Median latency in ms. This and the following are null if no vote was acknowledged.
    pub p50: Option<f64>,
    /// 95th percentile of latency in ms.
    pub p95: Option<f64>,
    /// 99th percentile of latency in ms.
    pub p99: Option<f64>,
    /// Acknowledged votes a second.
    pub throughput: Option<f64>,
    /// CPU seconds per million votes; also null if the processes served other variants at the same time, or were started
    /// separately.
    pub cpu: Option<f64>,
    /// How the search of a saturation design ended. All measures but the throughput are null then, because the searches end
    /// at different rates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_end: Option<SearchEnd>,
}

/// How a search for the highest rate within a bound ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchEnd {
    /// The found rate is within the bound, and a slightly higher one is not.
    Found,
    /// The highest usable rate of the load generator is within the bound, so the variant may carry more.
    LoadGeneratorLimit,
    /// No rate is within the bound.
    NothingPassed,
}

impl Measure {
    /// All measures, in the order of a report.
    pub const ALL: [Self; 5] = [Self::P50, Self::P95, Self::P99, Self::Throughput, Self::Cpu];

    /// The measures of a simultaneous design. Its variants have the same load, so their throughput is equal by design.
    pub const OF_SIMULTANEOUS: [Self; 4] = [Self::P50, Self::P95, Self::P99, Self::Cpu];

    /// The measures of a saturation design. Its variants have different loads, so their latencies are not comparable.
    pub const OF_SATURATION: [Self; 1] = [Self::Throughput];

    /// Whether more is better.
    pub const fn more_is_better(self) -> bool {
        matches!(self, Self::Throughput)
    }

    /// Whether it is a quantile of latency.
    pub const fn is_latency(self) -> bool {
        matches!(self, Self::P50 | Self::P95 | Self::P99)
    }

    /// Its name in a sentence.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P50 => "median latency",
            Self::P95 => "95th percentile of latency",
            Self::P99 => "99th percentile of latency",
            Self::Throughput => "throughput",
            Self::Cpu => "CPU time",
        }
    }

    /// Its name in a table or a progress line.
    pub const fn short_name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Throughput => "throughput",
            Self::Cpu => "CPU",
        }
    }

    /// Its unit.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::P50 | Self::P95 | Self::P99 => "ms",
            Self::Throughput => "votes/s",
            Self::Cpu => "CPU s per million votes",
        }
    }

    /// Its value in a block; `None` if no vote was acknowledged.
    pub const fn of(self, block: &BlockReport) -> Option<f64> {
        match self {
            Self::P50 => block.p50,
            Self::P95 => block.p95,
            Self::P99 => block.p99,
            Self::Throughput => block.throughput,
            Self::Cpu => block.cpu,
        }
    }
}
