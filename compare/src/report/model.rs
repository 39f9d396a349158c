//! A judged run as data: what `report.json` holds, and all that the page, the sentences and `compare diff` are made of.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::Machine;
use crate::judge::{Comparison, Margin, Measure};
use crate::plan::{Arm, Plan};
use crate::stats::bootstrap::Interval;
use crate::stats::quantile::mean;
use crate::stats::verdict::Verdict;

/// The number of this format; it changes when a reader of the old one would go wrong.
pub const FORMAT: u32 = 1;

/// A judged run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The number of this format.
    pub format: u32,
    /// The run's name: plan and start.
    pub run: String,
    /// When it started, RFC 3339.
    pub started_at: String,
    /// How long it took, in seconds.
    pub took_s: f64,
    /// What was done.
    pub plan: Plan,
    /// The machine it ran on.
    pub machine: Machine,
    /// What the driver found out about itself.
    pub driver: Driver,
    /// Share of intervals that hold the true value, 0 to 1.
    pub confidence: f64,
    /// What difference matters.
    pub margin: Margin,
    /// What was looked at before the run, to see whether the routes are equal in all but their protocol.
    pub fairness: Vec<Finding>,
    /// Why there is no verdict, a sentence each; empty where there is one.
    pub refusals: Vec<String>,
    /// One point, or one for each value of the plan's sweep.
    pub points: Vec<PointReport>,
    /// Where the winner changes along the sweep.
    pub changes: Vec<Change>,
    /// Whether the stores hold exactly what was acknowledged.
    pub reconciled: bool,
    /// What `consumer reconcile` said, where they do not.
    pub differences: Option<String>,
}

/// What the driver found out about itself before the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Driver {
    /// Calls a second that it made to a server in its own process that answers at once, as fast as it could.
    pub highest_rate: f64,
    /// Median latency that it measured against that server at the plan's rate, ms: what it adds to every latency.
    pub overhead_p50_ms: f64,
    /// The same, 99th percentile.
    pub overhead_p99_ms: f64,
}

/// One question of the fairness check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What was compared, such as `tcp_nodelay`.
    pub subject: String,
    /// Each service's value.
    pub values: BTreeMap<String, String>,
    /// Whether they are as equal as they have to be.
    pub fair: bool,
    /// What is wrong and what to do about it; empty where nothing is.
    pub sentence: String,
}

/// All arms under the same conditions.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PointReport {
    /// The sweep's value; None without a sweep.
    pub value: Option<String>,
    /// Each arm of the plan in its order, then the control.
    pub arms: Vec<ArmReport>,
    /// The first arm against itself.
    pub control: Vec<Comparison>,
    /// Whether the control found no difference: without that nothing is said about the others.
    pub control_holds: bool,
    /// The first arm against each other one.
    pub comparisons: Vec<Pair>,
    /// What HTTP/2, protobuf and gRPC do, each by itself, where the plan has the arms for it.
    pub effects: Vec<Effect>,
}

/// Two arms.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Pair {
    /// The first arm of the plan.
    pub a: String,
    /// The other one.
    pub b: String,
    /// A comparison for each measure that has values.
    pub measures: Vec<Comparison>,
}

/// The effect of one choice by itself on the median latency: a difference of arms that differ in nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    /// Which choice.
    pub choice: Choice,
    /// The arms that it was computed from, as "x - y".
    pub contrast: String,
    /// Milliseconds; negative is faster.
    pub p50_ms: Interval,
    /// CPU seconds per million votes; negative is cheaper.
    pub cpu_s_per_million: Interval,
}

/// A choice between two ways to send a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// HTTP/2 instead of HTTP/1.1.
    Http2,
    /// protobuf instead of JSON.
    Protobuf,
    /// What protobuf does over HTTP/2 beyond what it does over HTTP/1.1.
    ProtobufOverHttp2,
    /// gRPC instead of protobuf over plain HTTP/2.
    Grpc,
}

impl Choice {
    /// Its name in a sentence.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http2 => "HTTP/2 instead of HTTP/1.1",
            Self::Protobuf => "protobuf instead of JSON",
            Self::ProtobufOverHttp2 => "what protobuf does over HTTP/2 beyond what it does over HTTP/1.1",
            Self::Grpc => "gRPC instead of protobuf over plain HTTP/2",
        }
    }
}

/// What an arm came to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ArmReport {
    /// The arm.
    pub arm: Arm,
    /// Whether it is the first arm once more.
    pub is_control: bool,
    /// Votes that were meant to be sent, and were.
    pub sent: usize,
    /// Of those, acknowledged.
    pub acknowledged: usize,
    /// Of those, refused or without an answer, by reason.
    pub failures: BTreeMap<String, usize>,
    /// How late the driver handed votes to its connections: 50th, 99th percentile and maximum, ms.
    pub lag_ms: [f64; 3],
    /// Latencies of acknowledged votes of all blocks: pairs of a quantile (0 to 1) and ms, ascending, dense at the end.
    pub quantiles: Vec<(f64, f64)>,
    /// Where the time of a vote goes; None if no vote asked for it.
    pub stages: Option<Stages>,
    /// What a vote costs beside time.
    pub cost: Cost,
    /// From a vote's receipt until it is counted in Redis; None if none was counted while the blocks lasted.
    pub counted: Option<CountedReport>,
    /// Each block in the order of rounds.
    pub blocks: Vec<BlockReport>,
}

/// Where the time of a vote goes: means over the votes that carried the timing header, ms. The parts sum up to `client`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stages {
    /// Votes that these means rest on.
    pub votes: usize,
    /// From the intended send time until the answer was read.
    pub client: f64,
    /// Waiting in the driver for a connection's place, network, proxy, the protocol's own work on both sides.
    pub network_and_proxy: f64,
    /// Reading the request's body as a vote.
    pub decode: f64,
    /// Checking its fields.
    pub validate: f64,
    /// Writing the record for Kafka.
    pub encode: f64,
    /// Until Kafka has acknowledged it.
    pub publish: f64,
    /// Writing the answer.
    pub reply: f64,
    /// What the server took and none of its stages has.
    pub residual: f64,
}

/// What a vote costs beside time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// CPU seconds of the arm's processes per million acknowledged votes; None of a service that was started
    /// apart, as below.
    pub cpu_s_per_million: Option<f64>,
    /// The largest resident memory of the arm's processes together at a block's end, MiB.
    pub memory_mib: Option<f64>,
    /// MiB that the driver wrote per million votes: heads and frames included.
    pub sent_mib_per_million: f64,
    /// MiB that it read.
    pub received_mib_per_million: f64,
}

/// From a vote's receipt until it is counted in Redis, ms; quantiles are interpolated within a histogram's buckets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CountedReport {
    /// Votes.
    pub votes: u64,
    /// Mean.
    pub mean_ms: f64,
    /// Median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
}

/// One block.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockReport {
    /// The round, from 0.
    pub round: usize,
    /// Its place among the round's blocks, from 0.
    pub position: usize,
    /// From the start of the run, in seconds.
    pub started_s: f64,
    /// ms; None where nothing was acknowledged, as below.
    pub p50: Option<f64>,
    /// ms.
    pub p95: Option<f64>,
    /// ms.
    pub p99: Option<f64>,
    /// Acknowledged votes a second.
    pub throughput: Option<f64>,
    /// CPU seconds per million votes.
    pub cpu: Option<f64>,
}

/// Along a sweep, the verdict on a measure is another one from a value on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The arms, as in a pair.
    pub a: String,
    /// The other one.
    pub b: String,
    /// The measure.
    pub measure: Measure,
    /// The last value at which it was as before.
    pub from: String,
    /// The first at which it was not.
    pub to: String,
    /// The verdict up to there.
    pub before: Verdict,
    /// The verdict from there on.
    pub after: Verdict,
    /// The same in words.
    pub sentence: String,
}

impl ArmReport {
    /// Its name; the control has that of the arm that it repeats.
    pub fn label(&self) -> String {
        if self.is_control {
            format!("{} (control)", self.arm.name)
        } else {
            self.arm.name.clone()
        }
    }

    /// The mean of a measure over its blocks; None without any.
    pub fn mean(&self, measure: Measure) -> Option<f64> {
        mean(&self.values(measure))
    }

    /// A measure's value in each block that has one.
    pub fn values(&self, measure: Measure) -> Vec<f64> {
        self.blocks.iter().filter_map(|block| measure.of(block)).collect()
    }
}

impl Stages {
    /// The parts' names, from the client inwards and out again.
    pub const NAMES: [&str; 7] = [
        "network and proxy",
        "decode",
        "validate",
        "encode",
        "publish",
        "reply",
        "residual",
    ];

    /// The parts in that order, ms; they sum up to `client`.
    pub const fn parts(&self) -> [f64; 7] {
        [
            self.network_and_proxy,
            self.decode,
            self.validate,
            self.encode,
            self.publish,
            self.reply,
            self.residual,
        ]
    }
}

impl Cost {
    /// Bytes that the driver wrote for a vote.
    pub const fn sent_bytes_per_vote(&self) -> f64 {
        self.sent_mib_per_million * BYTES_PER_VOTE
    }

    /// Bytes that it read for a vote.
    pub const fn received_bytes_per_vote(&self) -> f64 {
        self.received_mib_per_million * BYTES_PER_VOTE
    }
}

/// A MiB for a million votes, in bytes for a vote.
const BYTES_PER_VOTE: f64 = 1024.0 * 1024.0 / 1e6;
