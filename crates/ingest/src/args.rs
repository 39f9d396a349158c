//! Options of every service that accepts votes.

use std::sync::Arc;
use std::time::Duration;

use crate::{Admission, Limits, MemoryBudget};

/// Options that every route has, with the same defaults on each.
#[derive(Clone, Debug, clap::Args)]
pub struct IngestArgs {
    /// Longest time from the arrival of a vote to its response, in ms; after that the client gets 504 /
    /// DEADLINE_EXCEEDED
    #[arg(long, env = "DEADLINE_MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub deadline_ms: u64,

    /// Maximum number of votes in flight; further votes are rejected at once with 429 / RESOURCE_EXHAUSTED
    #[arg(long, env = "MAX_IN_FLIGHT", default_value_t = 4_096, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub max_in_flight: u32,

    /// Maximum size of all request bodies in memory, in bytes; further requests are rejected as above. The default holds
    /// --max-in-flight votes of the largest size. The last quarter is reserved for requests of at most 1 KiB
    #[arg(long, env = "MAX_BUFFERED_BYTES", default_value_t = 64 * 1024 * 1024, value_parser = clap::value_parser!(u64).range(crate::MAX_BATCH_BYTES as u64..=1 << 36))]
    pub max_buffered_bytes: u64,
}

impl IngestArgs {
    /// The longest time from the arrival of a vote to its response.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// The memory budget of the process. All its routes share one.
    pub fn memory_budget(&self) -> Arc<MemoryBudget> {
        Arc::new(MemoryBudget::new(
            usize::try_from(self.max_buffered_bytes).unwrap_or(usize::MAX),
        ))
    }

    /// The limits of one route, with the memory budget of its process.
    pub fn limits(&self, memory: &Arc<MemoryBudget>) -> Limits {
        Limits {
            admission: Admission::new(self.max_in_flight),
            memory: Arc::clone(memory),
            deadline: self.deadline(),
        }
    }

    /// The settings that must be equal on all routes, for the effective configuration.
    pub fn settings(&self) -> impl IntoIterator<Item = (&'static str, String)> {
        [
            ("deadline_ms", self.deadline_ms.to_string()),
            ("max_in_flight", self.max_in_flight.to_string()),
            ("max_buffered_bytes", self.max_buffered_bytes.to_string()),
            ("max_vote_bytes", crate::MAX_VOTE_BYTES.to_string()),
            ("max_batch_bytes", crate::MAX_BATCH_BYTES.to_string()),
            ("max_batch_votes", crate::MAX_BATCH_VOTES.to_string()),
        ]
    }
}
