//! The load of a block: how many votes, when, and over which connections.

use anyhow::{Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::Arrival;

/// The smallest and the largest size, in bytes, that band and album of a vote can have together.
pub const PAYLOAD_BYTES: std::ops::RangeInclusive<usize> = 8..=1_400;

/// The load of each block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Votes a second.
    pub rate: f64,
    /// How the send times are spaced.
    #[serde(default)]
    pub arrival: Arrival,
    /// Closed loop: this many clients for each variant. Each client sends its next vote after the answer to its last
    /// one, and `rate` is ignored. This is a known measurement fault; `compare confounders` demonstrates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<usize>,
    /// Every nth vote requests the server's stage times; 0 requests none.
    #[serde(default = "default_timing_every")]
    pub timing_every: usize,
    /// Cut or pad band and album of every vote to this many bytes together. Without it, votes are sent as they are in
    /// the vote file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_bytes: Option<usize>,
    /// The largest number of unanswered votes of each variant. Further votes wait in the load generator. HTTP/1.1 has one
    /// connection for each of them.
    #[serde(default = "default_in_flight")]
    pub in_flight: usize,
    /// HTTP/2 connections of each variant, or gRPC streams. Votes use them in rotation.
    #[serde(default = "default_connections")]
    pub connections: usize,
    /// Whether a connection serves more than one request.
    #[serde(default = "default_reuse")]
    pub reuse: bool,
}

const fn default_connections() -> usize {
    8
}

const fn default_in_flight() -> usize {
    64
}

const fn default_timing_every() -> usize {
    10
}

const fn default_reuse() -> bool {
    true
}

impl Load {
    /// Checks all values; an error names the key.
    pub fn check(&self) -> Result<()> {
        ensure!(
            self.rate > 0.0 && self.rate.is_finite(),
            "load.rate must be positive"
        );
        ensure!(self.connections > 0, "load.connections must be positive");
        ensure!(self.users != Some(0), "load.users must be positive");
        ensure!(self.in_flight > 0, "load.in_flight must be positive");
        ensure!(
            self.payload_bytes
                .is_none_or(|bytes| PAYLOAD_BYTES.contains(&bytes)),
            "load.payload_bytes must be {} to {}: band and album have a limit",
            PAYLOAD_BYTES.start(),
            PAYLOAD_BYTES.end()
        );
        Ok(())
    }
}
