//! Options of every service that accepts votes.

use std::sync::Arc;
use std::time::Duration;

use crate::{Admission, Catalogue, Limits, MAX_BATCH_BYTES, MAX_BATCH_VOTES, MemoryBudget};

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

    /// File with the bands and albums that can be voted for: CSV with the columns `name` and `album`. A vote for another
    /// one gets 404 / NOT_FOUND. Use the same file on every route (default: no limit)
    #[arg(long, env = "CATALOGUE", value_name = "FILE", value_parser = Catalogue::load)]
    pub catalogue: Option<Arc<Catalogue>>,
}

impl IngestArgs {
    /// The longest time from the arrival of a vote to its response.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// The memory budget of the process. All its routes share one. Logs a warning if the process cannot accept the largest
    /// batch that the API allows.
    pub fn memory_budget(&self) -> Arc<MemoryBudget> {
        let budget = MemoryBudget::new(usize::try_from(self.max_buffered_bytes).unwrap_or(usize::MAX));
        if (self.max_in_flight as usize) < MAX_BATCH_VOTES {
            tracing::warn!(
                max_in_flight = self.max_in_flight,
                "batches of more votes than --max-in-flight are refused; for batches of {MAX_BATCH_VOTES} votes, raise it"
            );
        }
        if budget.max_request_bytes() < MAX_BATCH_BYTES {
            tracing::warn!(
                max_request_bytes = budget.max_request_bytes(),
                "requests above three quarters of --max-buffered-bytes are refused; for batches of {MAX_BATCH_BYTES} \
                 bytes, raise it"
            );
        }
        Arc::new(budget)
    }

    /// The limits of one route, with the memory budget of its process.
    pub fn limits(&self, memory: &Arc<MemoryBudget>) -> Limits {
        Limits {
            admission: Admission::new(self.max_in_flight),
            memory: Arc::clone(memory),
            deadline: self.deadline(),
            catalogue: self.catalogue.clone(),
        }
    }

    /// The settings that must be equal on all routes, for the effective configuration.
    pub fn settings(&self) -> impl IntoIterator<Item = (&'static str, String)> {
        [
            ("deadline_ms", self.deadline_ms.to_string()),
            ("max_in_flight", self.max_in_flight.to_string()),
            ("max_buffered_bytes", self.max_buffered_bytes.to_string()),
            (
                "catalogue",
                self.catalogue
                    .as_ref()
                    .map_or("none", |catalogue| catalogue.digest())
                    .to_owned(),
            ),
            ("max_vote_bytes", crate::MAX_VOTE_BYTES.to_string()),
            ("max_batch_bytes", crate::MAX_BATCH_BYTES.to_string()),
            ("max_batch_votes", crate::MAX_BATCH_VOTES.to_string()),
        ]
    }
}
