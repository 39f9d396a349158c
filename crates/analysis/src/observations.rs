//! The observations of a run before any decision: blocks of samples, with the resources that the servers used during
//! each block.

use std::collections::BTreeMap;
use std::time::Duration;

use experiment_model::sample::{Sample, WireBytes};
use experiment_model::variant::Variant;

use crate::measure::SearchEnd;

/// All variants under the same conditions.
#[derive(Clone, Debug)]
pub struct Point {
    /// The sweep's value, as in the plan; `None` without a sweep.
    pub value: Option<String>,
    /// Each variant in the plan's order, then the control.
    pub variants: Vec<VariantData>,
}

/// The blocks of one variant.
#[derive(Clone, Debug)]
pub struct VariantData {
    /// The variant.
    pub variant: Variant,
    /// Whether this is the control: a second measurement of the first variant (A/A), which shows the noise between two
    /// measurements of the same variant.
    pub is_control: bool,
    /// One block for each round, in the order of rounds.
    pub blocks: Vec<Block>,
    /// Blocks in turns that measure CPU time, if `blocks` share a process with another variant.
    pub cpu_blocks: Vec<Block>,
}

/// A block: one variant under load for some seconds.
#[derive(Clone, Debug)]
pub struct Block {
    /// The round, from 0.
    pub round: usize,
    /// Its position among the round's blocks, from 0.
    pub position: usize,
    /// Its start, from the start of the run.
    pub started: Duration,
    /// How long votes were sent.
    pub length: Duration,
    /// One sample for each vote.
    pub samples: Vec<Sample>,
    /// Resources that the variant's processes used during the block, by process; empty if they served other variants too.
    pub usage: BTreeMap<String, Usage>,
    /// Bytes on the load generator's sockets during the block.
    pub wire: WireBytes,
    /// Counting delays of the votes of the variant's route that were counted during the block. In a
    /// simultaneous design, the last block has those of all rounds.
    pub counting_delays: CountingDelayHistogram,
    /// The search of a saturation design. The block is then the one at the found rate; it has no samples if there is none.
    pub search: Option<Search>,
}

/// The result of a search for the highest rate within a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// The highest rate within the bound, in votes a second; `None` if nothing passed.
    pub rate: Option<f64>,
    /// How the search ended.
    pub end: SearchEnd,
}

/// A histogram of counting delays: the time from a vote's arrival at its route until it is counted in Redis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CountingDelayHistogram {
    /// Upper bounds in seconds, ascending (the last is infinite), each with the cumulative number of votes.
    pub buckets: Vec<(f64, u64)>,
    /// Sum of all delays, in seconds.
    pub sum_s: f64,
}

impl CountingDelayHistogram {
    /// The histogram of the votes that were counted since the earlier histogram `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let earlier = |bound: f64| {
            let mut buckets = before.buckets.iter();
            buckets
                .find(|(other, _)| *other >= bound)
                .map_or(0, |(_, votes)| *votes)
        };
        let buckets = self.buckets.iter();
        Self {
            buckets: buckets
                .map(|&(bound, votes)| (bound, votes.saturating_sub(earlier(bound))))
                .collect(),
            sum_s: (self.sum_s - before.sum_s).max(0.0),
        }
    }
}

/// Resources that a process used during a block.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU time, user and system, in seconds.
    pub cpu_s: f64,
    /// Resident memory at the end of the block, in bytes.
    pub rss_bytes: u64,
}
