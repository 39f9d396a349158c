//! The design of an experiment: how the variants share the time of a run.

use std::time::Duration;

use anyhow::{Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The design: rounds of blocks. A block is one variant under load for some seconds; a round has one block of each
/// variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Design {
    /// How the blocks of a round share its time.
    #[serde(default)]
    pub kind: DesignKind,
    /// Seeds the send times, and the variant of each vote or the order of the variants in each round.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Unmeasured load on each variant before the first round, in seconds.
    pub warm_up_s: f64,
    /// Number of rounds. A simultaneous design stops earlier when every measure is decided.
    pub rounds: usize,
    /// Length of a block, in seconds.
    pub block_s: f64,
    /// Rounds in turns that measure CPU time, after the rounds of a simultaneous design whose variants share a process.
    #[serde(default = "default_cpu_rounds")]
    pub cpu_rounds: usize,
    /// Number of processes of each service, one after the other: the rounds are split evenly among them. Two processes of
    /// one program differ in CPU time for as long as they run. With several processes, the interval of CPU time covers this
    /// difference; with one, it does not.
    #[serde(default = "default_processes")]
    pub processes: usize,
    /// A saturation design finds the highest rate at which the 99th percentile of latency is at most this, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_bound_ms: Option<f64>,
}

/// How the blocks of a round share its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DesignKind {
    /// All variants have their block at the same time: each vote of one schedule is assigned to a variant at random. All
    /// variants share the same noise, so their differences are precise.
    #[default]
    Simultaneous,
    /// One variant after the other, in random order. For loads that use the whole machine, so that one variant would slow
    /// the others.
    Turns,
    /// One variant after the other, in random order. A round has one search of each variant: for the highest rate at which
    /// no vote fails and the 99th percentile of latency is within `p99_bound_ms`. A search sends a block at each of several
    /// rates.
    Saturation,
}

const fn default_seed() -> u64 {
    1
}

const fn default_cpu_rounds() -> usize {
    16
}

const fn default_processes() -> usize {
    1
}

/// With 8 differences, the smallest p-value of the signed-rank test is 0.8 %. Several comparisons, or a look after each
/// round, need more rounds.
const MIN_ROUNDS: usize = 8;

impl Design {
    /// Length of a block.
    pub fn block(&self) -> Duration {
        Duration::from_secs_f64(self.block_s)
    }

    /// Checks all values; an error names the key.
    pub(crate) fn check(&self) -> Result<()> {
        for (key, rounds) in [("rounds", self.rounds), ("cpu_rounds", self.cpu_rounds)] {
            ensure!(
                rounds >= MIN_ROUNDS,
                "design.{key} is {rounds}; an interval needs at least {MIN_ROUNDS}"
            );
        }
        ensure!(
            self.processes > 0 && self.rounds.is_multiple_of(self.processes),
            "design.processes is {}; it must divide design.rounds, which is {}",
            self.processes,
            self.rounds
        );
        ensure!(
            self.block_s > 0.0 && self.block_s.is_finite(),
            "design.block_s must be positive"
        );
        ensure!(
            self.warm_up_s >= 0.0 && self.warm_up_s.is_finite(),
            "design.warm_up_s must not be negative"
        );
        self.check_bound()
    }

    fn check_bound(&self) -> Result<()> {
        let Some(bound_ms) = self.p99_bound_ms else {
            ensure!(
                self.kind != DesignKind::Saturation,
                "design.kind = \"saturation\" needs design.p99_bound_ms"
            );
            return Ok(());
        };
        ensure!(
            self.kind == DesignKind::Saturation,
            "design.p99_bound_ms needs design.kind = \"saturation\""
        );
        ensure!(
            bound_ms > 0.0 && bound_ms.is_finite(),
            "design.p99_bound_ms must be positive"
        );
        Ok(())
    }
}
