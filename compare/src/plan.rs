//! What a run does: a small TOML file. An unknown key is an error, for it would be a setting that is not in force.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::driver::call::Encoding;
use crate::driver::lane::{Connections, Version};
use crate::driver::schedule::Arrival;
use crate::experiment::PAUSE;
use crate::sweep::{Sweep, Value};
use crate::votes::PAYLOAD_BYTES;

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// A word for file names.
    pub name: String,
    /// What the run is for, a sentence.
    pub purpose: String,
    /// Blocks and their order.
    pub design: Design,
    /// The load of each block.
    pub load: Load,
    /// What the services are told about Kafka, each of them the same.
    #[serde(default)]
    pub kafka: Kafka,
    /// The whole once for each of several values of one setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
    /// What is compared: at least two. The first is measured twice, as its own control.
    pub arms: Vec<Arm>,
}

/// Blocks and their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Design {
    /// Draws the order of the arms in each round, and the send times.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Load that is not measured, before the first round, for each arm: seconds.
    pub warm_up_s: f64,
    /// Rounds; in each, every arm has one block.
    pub rounds: usize,
    /// Length of a block, in seconds.
    pub block_s: f64,
}

/// The load of each block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Votes a second.
    pub rate: f64,
    /// How they are spaced.
    #[serde(default)]
    pub arrival: Arrival,
    /// Closed loop: so many clients of each arm, of whom each sends its next vote when it has the answer to the last;
    /// `rate` says nothing then. A fault of measuring, here to be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<usize>,
    /// Every so many votes, one asks its server where the time went; 0: none.
    #[serde(default = "default_timing_every")]
    pub timing_every: usize,
    /// Bytes of band and album together, to which votes are cut or padded; as in the contest's file if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_bytes: Option<usize>,
    /// Connections of each arm.
    #[serde(default = "default_connections")]
    pub connections: usize,
    /// Calls at a time on an HTTP/2 connection, or votes without an answer on its gRPC stream.
    #[serde(default = "default_streams")]
    pub streams: usize,
    /// Whether a connection serves more than one call.
    #[serde(default = "default_reuse")]
    pub reuse: bool,
}

/// Settings of Kafka's producer, as far as a plan varies them: what is not given is as the services have it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// Replicas that have a vote before it is acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acks: Option<Acks>,
    /// How long a vote waits for others to be sent with it, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linger_ms: Option<u64>,
}

/// Replicas that have a vote before it is acknowledged. Only with all of them an acknowledged vote is a durable one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Acks {
    /// All that are in sync.
    #[serde(rename = "all")]
    All,
    /// The leader.
    #[serde(rename = "1")]
    Leader,
    /// None: it is sent, and that is all that is known.
    #[serde(rename = "0")]
    None,
}

impl Kafka {
    /// The options by which a service is told.
    pub fn options(&self) -> Vec<String> {
        let acks = match self.acks {
            None => &[][..],
            Some(Acks::All) => &["--acks", "all"],
            Some(Acks::Leader) => &["--acks", "1", "--inject-fault", "acks"],
            Some(Acks::None) => &["--acks", "0", "--inject-fault", "acks"],
        };
        let linger = self
            .linger_ms
            .map(|linger_ms| ["--linger-ms".to_owned(), linger_ms.to_string()]);
        let acks = acks.iter().map(|option| (*option).to_owned());
        acks.chain(linger.into_iter().flatten()).collect()
    }
}

/// One side of the comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Its name in the report.
    pub name: String,
    /// The route.
    pub route: Route,
    /// The HTTP version.
    pub version: Version,
    /// How votes are written.
    pub encoding: Encoding,
    /// The way to the route.
    #[serde(default)]
    pub via: Via,
    /// Whether its connections serve more than one call, if not as the plan's load says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse: Option<bool>,
    /// Another address (http://host:port) than that of the stack's own service, for one that was started apart. Its
    /// processor time is not known then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A route, as the plan names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// `ingest-rest`.
    Rest,
    /// `ingest-grpc`.
    Grpc,
    /// `ingest-grpc bridge`.
    Bridge,
}

impl Route {
    /// Its name, in metrics as in plans.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Grpc => "grpc",
            Self::Bridge => "bridge",
        }
    }

    /// The services whose work a vote of this route is, before Kafka.
    pub const fn processes(self) -> &'static [&'static str] {
        match self {
            Self::Rest => &["rest"],
            Self::Grpc => &["grpc"],
            Self::Bridge => &["bridge", "grpc"],
        }
    }
}

/// The way to a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The service itself.
    #[default]
    Direct,
    /// Through the Ingress.
    Ingress,
}

const fn default_seed() -> u64 {
    1
}

const fn default_connections() -> usize {
    8
}

const fn default_streams() -> usize {
    64
}

const fn default_timing_every() -> usize {
    10
}

const fn default_reuse() -> bool {
    true
}

/// Starting a stack, looking at it, reading its books and stopping it, about.
const STACK: Duration = Duration::from_secs(30);
/// Below this an interval means nothing.
const LEAST_ROUNDS: usize = 5;

impl Plan {
    /// Reads and checks a plan.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading the plan {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("the plan {}", path.display()))
    }

    /// Checks a plan's text.
    pub fn parse(text: &str) -> Result<Self> {
        let plan: Self = toml::from_str(text)?;
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<()> {
        let Design {
            rounds,
            block_s,
            warm_up_s,
            ..
        } = self.design;
        ensure!(
            rounds >= LEAST_ROUNDS,
            "design.rounds: {rounds}; an interval needs at least {LEAST_ROUNDS}"
        );
        ensure!(
            block_s > 0.0 && block_s.is_finite(),
            "design.block_s must be positive"
        );
        ensure!(
            warm_up_s >= 0.0 && warm_up_s.is_finite(),
            "design.warm_up_s must not be negative"
        );
        ensure!(
            self.load.rate > 0.0 && self.load.rate.is_finite(),
            "load.rate must be positive"
        );
        ensure!(self.load.connections > 0, "load.connections must be positive");
        ensure!(self.load.users != Some(0), "load.users must be positive");
        ensure!(self.load.streams > 0, "load.streams must be positive");
        let payload = self.load.payload_bytes;
        ensure!(
            payload.is_none_or(|bytes| PAYLOAD_BYTES.contains(&bytes)),
            "load.payload_bytes must be {} to {}: band and album have a limit",
            PAYLOAD_BYTES.start(),
            PAYLOAD_BYTES.end()
        );
        ensure!(self.arms.len() >= 2, "there must be at least two arms to compare");
        let names: BTreeSet<_> = self.arms.iter().map(|arm| &arm.name).collect();
        ensure!(names.len() == self.arms.len(), "two arms have the same name");
        for arm in &self.arms {
            arm.check()?;
            ensure!(
                arm.encoding != Encoding::GrpcStream || self.connections(arm).reuse,
                "arm {}: a stream cannot have a connection for each vote; leave reuse = true",
                arm.name
            );
        }
        self.points().map(|_| ())
    }

    /// The plan at each value of its sweep, which it is without one then; itself if it has none.
    pub fn points(&self) -> Result<Vec<(Option<String>, Self)>> {
        let Some(sweep) = &self.sweep else {
            return Ok(vec![(None, self.clone())]);
        };
        ensure!(!sweep.values.is_empty(), "sweep.values is empty");
        let at = |value: &Value| {
            let mut plan = self.clone();
            plan.sweep = None;
            sweep.key.set(value, &mut plan)?;
            plan.check()
                .with_context(|| format!("sweep: {} = {value}", sweep.key))?;
            Ok((Some(value.to_string()), plan))
        };
        sweep.values.iter().map(at).collect()
    }

    /// The highest rate that it asks the driver for; None where clients wait for answers.
    pub fn highest_rate(&self) -> Result<Option<f64>> {
        let points = self.points()?;
        let open_loops = points.iter().filter(|(_, plan)| plan.load.users.is_none());
        Ok(open_loops.map(|(_, plan)| plan.load.rate).reduce(f64::max))
    }

    /// How long it takes, about: its blocks and the pauses between them.
    pub fn estimate(&self) -> Result<Duration> {
        let block = self.block() + PAUSE;
        let arm = Duration::try_from_secs_f64(self.design.warm_up_s)? + block * self.design.rounds as u32;
        let arms = self.arms.len() + 1;
        Ok(arm * (arms * self.points()?.len()) as u32 + STACK)
    }

    /// How the lane of an arm uses connections.
    pub fn connections(&self, arm: &Arm) -> Connections {
        Connections {
            count: self.load.connections,
            streams: self.load.streams,
            reuse: arm.reuse.unwrap_or(self.load.reuse),
        }
    }

    /// Length of a block.
    pub fn block(&self) -> Duration {
        Duration::from_secs_f64(self.design.block_s)
    }
}

impl Arm {
    /// All whose work a vote of this arm is, before Kafka: the route's services, and the Ingress if it goes through it.
    pub fn processes(&self) -> impl Iterator<Item = &'static str> + use<> {
        let ingress = (self.via == Via::Ingress).then_some("ingress");
        self.route.processes().iter().copied().chain(ingress)
    }

    fn check(&self) -> Result<()> {
        let name = &self.name;
        let is_grpc = self.encoding.is_grpc();
        ensure!(
            is_grpc == (self.route == Route::Grpc),
            "arm {name}: the route grpc speaks gRPC, and the others do not"
        );
        ensure!(
            !is_grpc || self.version == Version::H2c,
            "arm {name}: gRPC needs version = \"h2c\""
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        name = "quick"
        purpose = "REST against gRPC."
        [design]
        warm_up_s = 1
        rounds = 5
        block_s = 0.5
        [load]
        rate = 200
        [[arms]]
        name = "rest"
        route = "rest"
        version = "http1"
        encoding = "json"
        [[arms]]
        name = "grpc"
        route = "grpc"
        version = "h2c"
        encoding = "grpc"
    "#;

    #[test]
    fn a_plan_has_defaults_and_says_what_it_is() {
        let plan = Plan::parse(GOOD).unwrap();
        assert_eq!(plan.load.arrival, Arrival::Poisson);
        assert_eq!(plan.arms[0].via, Via::Direct);
        assert_eq!(plan.block(), Duration::from_millis(500));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("rate = 200", "rat = 200", "unknown field `rat`"),
            ("rate = 200", "rate = 0", "load.rate"),
            ("rounds = 5", "rounds = 2", "at least 5"),
            ("version = \"h2c\"", "version = \"http1\"", "gRPC needs"),
            ("encoding = \"grpc\"", "encoding = \"json\"", "speaks gRPC"),
            ("name = \"grpc\"", "name = \"rest\"", "same name"),
        ];
        for (good, bad, part) in cases {
            let error = format!("{:#}", Plan::parse(&GOOD.replace(good, bad)).unwrap_err());
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
