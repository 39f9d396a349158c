//! Options of everything that takes votes.

use std::time::Duration;

/// Options that every route has, with the same defaults on each.
#[derive(Clone, Debug, clap::Args)]
pub struct IngestArgs {
    /// How long a vote may take from its arrival to the answer, in ms; after that the client gets 504 / DEADLINE_EXCEEDED
    #[arg(long, env = "DEADLINE_MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub deadline_ms: u64,

    /// Votes in flight at a time; one more is refused at once with 429 / RESOURCE_EXHAUSTED
    #[arg(long, env = "MAX_IN_FLIGHT", default_value_t = 4_096, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub max_in_flight: u32,
}

impl IngestArgs {
    /// The deadline of a vote.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// The settings that must be equal on all routes, for the effective configuration.
    pub fn settings(&self) -> impl IntoIterator<Item = (&'static str, String)> {
        [
            ("deadline_ms", self.deadline_ms.to_string()),
            ("max_in_flight", self.max_in_flight.to_string()),
            ("max_vote_bytes", crate::MAX_VOTE_BYTES.to_string()),
            ("max_batch_bytes", crate::MAX_BATCH_BYTES.to_string()),
            ("max_batch_votes", crate::MAX_BATCH_VOTES.to_string()),
        ]
    }
}
