//! The samples of a run: one for each vote.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One vote as the load generator measured it.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Intended send time, from the start of the block.
    pub intended: Duration,
    /// Time from the intended send time until the load generator handed the vote to its connections.
    pub scheduling_delay: Duration,
    /// Time from the intended send time until the answer was read or the vote failed.
    pub latency: Duration,
    /// The outcome of the vote.
    pub outcome: Outcome,
    /// The server's stage times, if this vote requested them.
    pub server: Option<ServerTiming>,
}

impl Sample {
    /// Whether the vote has a receipt.
    pub const fn is_acknowledged(&self) -> bool {
        matches!(self.outcome, Outcome::Acknowledged(_))
    }
}

/// The outcome of a vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged, with this vote id.
    Acknowledged(Uuid),
    /// Rejected or not answered, with the reason.
    Failed(String),
}

/// Stage times of one vote in ms, from the `server-timing` header of its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerTiming {
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
    /// From the request's headers to the answer's headers.
    pub total: f64,
}

/// Bytes of TCP payload on the load generator's sockets, HTTP and gRPC headers and frames included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireBytes {
    /// Written.
    pub sent: u64,
    /// Read.
    pub received: u64,
}

impl WireBytes {
    /// Bytes since the earlier count `before`.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            received: self.received - before.received,
        }
    }
}
