//! What a run has seen, before anybody judges it: blocks of samples with what the servers used meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::driver::load::Sample;
use crate::plan::Arm;

/// All arms under the same conditions.
#[derive(Clone, Debug)]
pub struct Point {
    /// The sweep's value, as the plan writes it; None without a sweep.
    pub value: Option<String>,
    /// Each arm of the plan in its order, then the control.
    pub arms: Vec<ArmData>,
}

/// One arm's blocks.
#[derive(Clone, Debug)]
pub struct ArmData {
    /// The arm.
    pub arm: Arm,
    /// Whether it is the first arm once more, to see how much two measurements of the same differ (A/A).
    pub is_control: bool,
    /// One block of each round, in the order of rounds.
    pub blocks: Vec<Block>,
}

/// A block: one arm under load for some seconds.
#[derive(Clone, Debug)]
pub struct Block {
    /// The round, from 0.
    pub round: usize,
    /// Its place among the round's blocks, from 0.
    pub position: usize,
    /// From the start of the run to its start.
    pub started: Duration,
    /// How long votes were sent.
    pub length: Duration,
    /// Every vote.
    pub samples: Vec<Sample>,
    /// What each process used meanwhile, by service.
    pub usage: BTreeMap<String, Usage>,
    /// Bytes on the driver's sockets meanwhile.
    pub wire: WireBytes,
    /// From the receipt of a vote until it is counted in Redis, for the votes of the arm's route counted meanwhile.
    pub counted: Counted,
}

/// Bytes of TCP payload, as the driver wrote and read them: HTTP's and gRPC's heads and frames included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireBytes {
    /// Written.
    pub sent: u64,
    /// Read.
    pub received: u64,
}

/// Votes counted in Redis, by how long that took: a histogram of the consumer's, as a difference of two reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    /// Upper bounds in seconds, ascending (the last is infinite), each with the number of votes up to it.
    pub buckets: Vec<(f64, u64)>,
    /// Sum of all times, in seconds.
    pub sum_s: f64,
}

/// What a server says about one vote, in the `server-timing` header of its answer: ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerTiming {
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
    /// From the request's head to the answer's head.
    pub total: f64,
}

/// What a process used during a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time, in seconds, user and system.
    pub cpu_s: f64,
    /// Resident memory at the end of the block, in bytes.
    pub rss_bytes: u64,
}

/// The machine that it ran on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// Processors.
    pub cores: usize,
    /// Their name.
    pub cpu: String,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Kernel version.
    pub kernel: String,
    /// Load average of a minute when the run started.
    pub load_average: f64,
}
