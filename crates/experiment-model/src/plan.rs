//! The plan of an experiment: a small TOML file. An unknown key is an error, because it would have no effect.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kafka::KafkaSettings;
use crate::load::Load;
use crate::protocol::{Connections, Encoding};
use crate::sweep::{SettingValue, Sweep};
use crate::variant::Variant;

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// A short name; it becomes part of file names.
    pub name: String,
    /// The purpose of the run, in one sentence.
    pub purpose: String,
    /// Blocks and their order.
    pub design: Design,
    /// The load of each block.
    pub load: Load,
    /// Settings of the Kafka producers, the same for all services.
    #[serde(default)]
    pub kafka: KafkaSettings,
    /// Repeats the whole experiment for each of several values of one setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
    /// The variants to compare, at least two. The first is measured twice, as its own control.
    pub variants: Vec<Variant>,
}

/// Blocks and their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Design {
    /// Seeds the order of the variants in each round, and the send times.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Unmeasured load on each variant before the first round, in seconds.
    pub warm_up_s: f64,
    /// Number of rounds. Every variant has one block in each round.
    pub rounds: usize,
    /// Length of a block, in seconds.
    pub block_s: f64,
}

const fn default_seed() -> u64 {
    1
}

/// Pause between two blocks, in which the consumer counts the last votes.
pub const PAUSE_BETWEEN_BLOCKS: Duration = Duration::from_millis(300);
/// Approximate time to start, check, reconcile and stop a stack.
const STACK_OVERHEAD: Duration = Duration::from_secs(30);
/// An interval from fewer rounds is meaningless.
const MIN_ROUNDS: usize = 5;

impl Plan {
    /// Parses a plan from TOML and checks it.
    pub fn parse(text: &str) -> Result<Self> {
        let plan: Self = toml::from_str(text)?;
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<()> {
        self.design.check()?;
        self.load.check()?;
        ensure!(
            self.variants.len() >= 2,
            "a plan needs at least two variants to compare"
        );
        let names: BTreeSet<_> = self.variants.iter().map(|variant| &variant.name).collect();
        ensure!(
            names.len() == self.variants.len(),
            "two variants have the same name"
        );
        for variant in &self.variants {
            variant.check()?;
            ensure!(
                variant.encoding != Encoding::GrpcStream || self.connections(variant).reuse,
                "variant {}: grpc_stream needs reuse = true, because a stream keeps its connection open",
                variant.name
            );
        }
        self.points().map(|_| ())
    }

    /// The plan at each value of its sweep, each without the sweep; only the plan itself if it has no sweep.
    pub fn points(&self) -> Result<Vec<(Option<String>, Self)>> {
        let Some(sweep) = &self.sweep else {
            return Ok(vec![(None, self.clone())]);
        };
        ensure!(!sweep.values.is_empty(), "sweep.values is empty");
        let at = |value: &SettingValue| {
            let mut plan = self.clone();
            plan.sweep = None;
            sweep.key.apply(value, &mut plan.load, &mut plan.kafka)?;
            plan.check()
                .with_context(|| format!("sweep: {} = {value}", sweep.key))?;
            Ok((Some(value.to_string()), plan))
        };
        sweep.values.iter().map(at).collect()
    }

    /// The highest open-loop rate in the plan, in votes a second; `None` if all loads are closed-loop.
    pub fn highest_rate(&self) -> Result<Option<f64>> {
        let points = self.points()?;
        let open_loops = points.iter().filter(|(_, plan)| plan.load.users.is_none());
        Ok(open_loops.map(|(_, plan)| plan.load.rate).reduce(f64::max))
    }

    /// Approximate duration of the run: all blocks and the pauses between them.
    pub fn estimate(&self) -> Result<Duration> {
        let block = self.block() + PAUSE_BETWEEN_BLOCKS;
        let variant = Duration::try_from_secs_f64(self.design.warm_up_s)? + block * self.design.rounds as u32;
        let variants = self.variants.len() + 1;
        Ok(variant * (variants * self.points()?.len()) as u32 + STACK_OVERHEAD)
    }

    /// How the client of a variant uses connections.
    pub fn connections(&self, variant: &Variant) -> Connections {
        Connections {
            count: self.load.connections,
            streams: self.load.streams,
            reuse: variant.reuse.unwrap_or(self.load.reuse),
        }
    }

    /// Length of a block.
    pub fn block(&self) -> Duration {
        Duration::from_secs_f64(self.design.block_s)
    }
}

impl Design {
    fn check(&self) -> Result<()> {
        let rounds = self.rounds;
        ensure!(
            rounds >= MIN_ROUNDS,
            "design.rounds is {rounds}; an interval needs at least {MIN_ROUNDS}"
        );
        ensure!(
            self.block_s > 0.0 && self.block_s.is_finite(),
            "design.block_s must be positive"
        );
        ensure!(
            self.warm_up_s >= 0.0 && self.warm_up_s.is_finite(),
            "design.warm_up_s must not be negative"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Arrival;
    use crate::variant::Via;

    const VALID: &str = r#"
        name = "quick"
        purpose = "REST against gRPC."
        [design]
        warm_up_s = 1
        rounds = 5
        block_s = 0.5
        [load]
        rate = 200
        [[variants]]
        name = "rest"
        route = "rest"
        version = "http1"
        encoding = "json"
        [[variants]]
        name = "grpc"
        route = "grpc"
        version = "h2c"
        encoding = "grpc"
    "#;

    #[test]
    fn omitted_keys_have_defaults() {
        let plan = Plan::parse(VALID).unwrap();
        assert_eq!(plan.load.arrival, Arrival::Poisson);
        assert_eq!(plan.variants[0].via, Via::Direct);
        assert_eq!(plan.block(), Duration::from_millis(500));
    }

    #[test]
    fn error_names_the_invalid_key() {
        let cases = [
            ("rate = 200", "rat = 200", "unknown field `rat`"),
            ("rate = 200", "rate = 0", "load.rate"),
            ("rounds = 5", "rounds = 2", "at least 5"),
            ("version = \"h2c\"", "version = \"http1\"", "gRPC needs"),
            (
                "encoding = \"grpc\"",
                "encoding = \"json\"",
                "needs a gRPC encoding",
            ),
            ("name = \"grpc\"", "name = \"rest\"", "same name"),
        ];
        for (valid, invalid, part) in cases {
            let error = format!("{:#}", Plan::parse(&VALID.replace(valid, invalid)).unwrap_err());
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
