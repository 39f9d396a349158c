//! The report of a run as data: the content of `report.json`. The page, the summary and `compare diff` derive from it.

use std::collections::BTreeMap;

use experiment_model::calibration::Calibration;
use experiment_model::plan::Plan;
use experiment_model::variant::Variant;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::comparison::{Blocks, Comparison};
use crate::decision_rule::DecisionRule;
use crate::margin::Margin;
use crate::measure::{BlockReport, Measure};
use crate::stats::interval::Interval;
use crate::stats::signed_rank::PairMeans;
use crate::stats::verdict::Verdict;

/// The version of this format. It changes when a reader of the previous version would misread a report.
pub const FORMAT: u32 = 4;

/// The report of a run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The version of this format.
    pub format: u32,
    /// The name of the run: plan and start time.
    pub run: String,
    /// Start time, RFC 3339.
    pub started_at: String,
    /// Duration, in seconds.
    pub took_s: f64,
    /// The plan of the run.
    pub plan: Plan,
    /// The machine on which it ran.
    pub machine: Machine,
    /// The calibration of the load generator before the run.
    pub calibration: Calibration,
    /// The probability that all verdicts under the same conditions are right, 0 to 1.
    pub confidence: f64,
    /// The smallest difference that matters.
    pub margin: Margin,
    /// Findings of the fairness check before the run: whether the routes differ only in their protocol.
    pub fairness: Vec<Finding>,
    /// Why the run has no verdict at all, one sentence each; empty if a verdict is possible. A point can have its own reasons.
    pub no_verdict_reasons: Vec<String>,
    /// One point, or one for each value of the plan's sweep.
    pub points: Vec<PointReport>,
    /// Where the winner changes along the sweep.
    pub changes: Vec<Change>,
    /// Whether the stores contain each acknowledged vote once. They can also contain votes whose sending failed, but no
    /// others.
    pub reconciled: bool,
    /// The output of `consumer reconcile` if they do not; null otherwise.
    pub differences: Option<String>,
}

/// A machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// Number of processors.
    pub cores: usize,
    /// Model name of the processors.
    pub cpu: String,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Kernel version.
    pub kernel: String,
    /// One-minute load average at the start of the run.
    pub load_average: f64,
}

/// A finding of the fairness check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The compared setting, such as `tcp_nodelay`.
    pub subject: String,
    /// The value of each service.
    pub values: BTreeMap<String, String>,
    /// Whether the values are equal enough for a fair comparison.
    pub fair: bool,
    /// The problem and its remedy, or a remark on a fair difference; otherwise empty.
    pub sentence: String,
}

/// All variants under the same conditions.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PointReport {
    /// The sweep's value; null without a sweep.
    pub value: Option<String>,
    /// Each variant in the plan's order, then the control.
    pub variants: Vec<VariantReport>,
    /// Comparisons of the control with the first variant.
    pub control: Vec<Comparison>,
    /// Whether the control shows no difference. Otherwise this point has no verdict.
    pub control_holds: bool,
    /// Why this point has no verdict, one sentence each; empty if it has one.
    pub no_verdict_reasons: Vec<String>,
    /// The first variant against each other variant.
    pub pairs: Vec<Pair>,
    /// The effects of HTTP/2, protobuf and gRPC, each by itself, if the plan has the required variants.
    pub effects: Vec<Effect>,
}

/// Two compared variants.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Pair {
    /// The first variant of the plan.
    pub a: String,
    /// The other variant.
    pub b: String,
    /// A comparison for each measure that has values.
    pub comparisons: Vec<Comparison>,
}

/// The effect of one choice by itself: a contrast of variants that differ only in this choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    /// The choice.
    pub choice: Choice,
    /// The variants of the contrast, as "x - y".
    pub contrast: String,
    /// Effect on the median latency, in ms; negative is faster.
    pub p50_ms: Interval,
    /// Effect on CPU time, in seconds per million votes; negative is cheaper.
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
    /// The interaction: the effect of protobuf over HTTP/2 minus its effect over HTTP/1.1.
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
            Self::ProtobufOverHttp2 => {
                "protobuf over HTTP/2 compared with protobuf over HTTP/1.1 (interaction)"
            }
            Self::Grpc => "gRPC instead of protobuf over plain HTTP/2",
        }
    }
}

/// The results of a variant.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct VariantReport {
    /// The variant.
    pub variant: Variant,
    /// Whether this is the control: a second measurement of the first variant.
    pub is_control: bool,
    /// Votes sent.
    pub sent: usize,
    /// Votes acknowledged.
    pub acknowledged: usize,
    /// Votes rejected or not answered, by reason.
    pub failures: BTreeMap<String, usize>,
    /// Scheduling delay: the time from the intended send time until the load generator handed a vote to its connections.
    /// 50th percentile, 99th percentile and maximum, in ms.
    pub scheduling_delay_ms: [f64; 3],
    /// Latency quantiles of the acknowledged votes of all blocks: pairs of a quantile (0 to 1) and ms, ascending, denser in
    /// the tail.
    pub quantiles: Vec<(f64, f64)>,
    /// Mean stage times of a vote; null if no vote requested them.
    pub stages: Option<Stages>,
    /// The cost of a vote in resources.
    pub cost: Cost,
    /// Time from a vote's arrival at its route until it is counted in Redis; null if no vote was counted during the blocks.
    pub counting_delay: Option<CountingDelay>,
    /// The blocks in the order of rounds.
    pub blocks: Vec<BlockReport>,
    /// The blocks in turns that measure CPU time instead; empty if `blocks` measure it.
    pub cpu_blocks: Vec<BlockReport>,
}

/// Mean stage times in ms, over the votes that requested them. The parts add up to `client`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stages {
    /// Number of votes in these means.
    pub votes: usize,
    /// Total: from the intended send time until the answer was read.
    pub client: f64,
    /// Waiting for a free connection or stream, network, proxy, and protocol work on both sides.
    pub network_and_proxy: f64,
    /// Decoding the request's body.
    pub decode: f64,
    /// Validating the fields.
    pub validate: f64,
    /// Encoding the record for Kafka.
    pub encode: f64,
    /// Publishing: until Kafka acknowledged the record.
    pub publish: f64,
    /// Encoding the answer.
    pub reply: f64,
    /// Server time outside all stages.
    pub residual: f64,
}

/// The cost of votes in resources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// CPU seconds of the variant's processes per million acknowledged votes; null for a service outside
    /// the stack (a variant with `url`).
    pub cpu_s_per_million: Option<f64>,
    /// The largest total resident memory of the variant's processes at the end of a block, in MiB; null for a service
    /// outside the stack (a variant with `url`).
    pub memory_mib: Option<f64>,
    /// MiB that the load generator wrote per million votes, headers and frames included; null for a stock client.
    pub sent_mib_per_million: Option<f64>,
    /// MiB that the load generator read per million votes, headers and frames included; null for a stock client.
    pub received_mib_per_million: Option<f64>,
}

/// Time from a vote's arrival at its route until it is counted in Redis, in ms. Quantiles are interpolated within the buckets
/// of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CountingDelay {
    /// Number of votes.
    pub votes: u64,
    /// Mean.
    pub mean_ms: f64,
    /// Median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
}

/// A change of the verdict on a measure along a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The first variant of the pair.
    pub a: String,
    /// The other variant of the pair.
    pub b: String,
    /// The measure.
    pub measure: Measure,
    /// The last value with the earlier verdict.
    pub from: String,
    /// The first value with the later verdict.
    pub to: String,
    /// The earlier verdict.
    pub before: Verdict,
    /// The later verdict.
    pub after: Verdict,
    /// The change in one sentence.
    pub sentence: String,
}

impl Report {
    /// The rule of its verdicts.
    pub fn rule(&self) -> DecisionRule {
        DecisionRule::of(&self.plan, self.margin.clone(), self.confidence)
    }

    /// Whether the report has a verdict at `point`.
    pub const fn has_verdict_at(&self, point: &PointReport) -> bool {
        self.no_verdict_reasons.is_empty() && point.no_verdict_reasons.is_empty()
    }

    /// Whether the report has a verdict at one point or more.
    pub fn has_verdict(&self) -> bool {
        self.points.iter().any(|point| self.has_verdict_at(point))
    }

    /// The points with a verdict.
    pub fn points_with_verdict(&self) -> impl Iterator<Item = &PointReport> {
        self.points.iter().filter(|point| self.has_verdict_at(point))
    }

    /// The reasons against a verdict, first those of the run, then those of each point.
    pub fn all_no_verdict_reasons(&self) -> impl Iterator<Item = &str> {
        let of_points = self.points.iter().map(|point| &point.no_verdict_reasons);
        let reasons = std::iter::once(&self.no_verdict_reasons).chain(of_points);
        reasons.flatten().map(String::as_str)
    }

    /// The largest number of rounds of a point.
    pub fn rounds(&self) -> usize {
        let variants = self.points.iter().flat_map(|point| &point.variants);
        variants
            .map(|variant| variant.blocks.len())
            .max()
            .unwrap_or_default()
    }
}

impl PointReport {
    /// The comparisons of all pairs.
    pub fn comparisons(&self) -> impl Iterator<Item = &Comparison> {
        self.pairs.iter().flat_map(|pair| &pair.comparisons)
    }
}

impl Finding {
    /// The sentence for the reasons against a verdict.
    pub fn no_verdict_reason(&self) -> String {
        format!("The routes are not equal: {}", self.sentence)
    }
}

impl Pair {
    /// The name of the variant that is worse by `comparison`, if one is.
    pub fn loser(&self, comparison: &Comparison) -> Option<&str> {
        match comparison.verdict {
            Verdict::ABetter => Some(&self.b),
            Verdict::BBetter => Some(&self.a),
            Verdict::Equivalent | Verdict::NotEnoughData { .. } => None,
        }
    }
}

impl VariantReport {
    /// The report of a variant without votes.
    pub fn empty(variant: &Variant, is_control: bool) -> Self {
        Self {
            variant: variant.clone(),
            is_control,
            sent: 0,
            acknowledged: 0,
            failures: BTreeMap::new(),
            scheduling_delay_ms: [0.0; 3],
            quantiles: Vec::new(),
            stages: None,
            cost: Cost::default(),
            counting_delay: None,
            blocks: Vec::new(),
            cpu_blocks: Vec::new(),
        }
    }

    /// The variant's name, marked if it is the control.
    pub fn label(&self) -> String {
        if self.is_control {
            format!("{} (control)", self.variant.name)
        } else {
            self.variant.name.clone()
        }
    }

    /// The Hodges-Lehmann estimate of a measure over the blocks; `None` if no block has a value.
    pub fn location(&self, measure: Measure) -> Option<f64> {
        Some(PairMeans::of(&self.values(measure))?.estimate())
    }

    /// The value of a measure in each block that has one.
    pub fn values(&self, measure: Measure) -> Vec<f64> {
        let blocks = Blocks::from(self).of(measure);
        blocks.iter().filter_map(|block| measure.of(block)).collect()
    }
}

impl Stages {
    /// The names of the parts, in the order of a request.
    pub const NAMES: [&str; 7] = [
        "network and proxy",
        "decode",
        "validate",
        "encode",
        "publish",
        "reply",
        "residual",
    ];

    /// The parts in that order, in ms; they add up to `client`.
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
    /// Bytes that the load generator wrote for each vote.
    pub fn sent_bytes_per_vote(&self) -> Option<f64> {
        Some(self.sent_mib_per_million? * BYTES_PER_VOTE_IN_A_MIB_PER_MILLION)
    }

    /// Bytes that the load generator read for each vote.
    pub fn received_bytes_per_vote(&self) -> Option<f64> {
        Some(self.received_mib_per_million? * BYTES_PER_VOTE_IN_A_MIB_PER_MILLION)
    }

    /// Bytes of both directions for each vote.
    pub fn bytes_per_vote(&self) -> Option<f64> {
        Some(self.sent_bytes_per_vote()? + self.received_bytes_per_vote()?)
    }
}

/// Converts MiB per million votes to bytes per vote.
const BYTES_PER_VOTE_IN_A_MIB_PER_MILLION: f64 = 1024.0 * 1024.0 / 1e6;
