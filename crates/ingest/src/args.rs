//! Options of everything that takes votes.

use std::sync::Arc;
use std::time::Duration;

use crate::{Admission, HeldBytes, Limits};

/// Options that every route has, with the same defaults on each.
#[derive(Clone, Debug, clap::Args)]
pub struct IngestArgs {
    /// How long a vote may take from its arrival to the answer, in ms; after that the client gets 504 / DEADLINE_EXCEEDED
    #[arg(long, env = "DEADLINE_MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub deadline_ms: u64,

    /// Votes in flight at a time; one more is refused at once with 429 / RESOURCE_EXHAUSTED
    #[arg(long, env = "MAX_IN_FLIGHT", default_value_t = 4_096, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub max_in_flight: u32,

    /// Bytes of request bodies that the process holds at a time; one more is refused at once as above. The default is a
    /// full --max-in-flight of votes of the largest size. The last quarter is for requests of at most 1 KiB
    #[arg(long, env = "MAX_BUFFERED_BYTES", default_value_t = 64 * 1024 * 1024, value_parser = clap::value_parser!(u64).range(crate::MAX_BATCH_BYTES as u64..=1 << 36))]
    pub max_buffered_bytes: u64,
}

impl IngestArgs {
    /// The deadline of a vote.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// The process's account of held bytes: one for all its routes.
    pub fn held_bytes(&self) -> Arc<HeldBytes> {
        Arc::new(HeldBytes::new(
            usize::try_from(self.max_buffered_bytes).unwrap_or(usize::MAX),
        ))
    }

    /// The limits of one route of the process that holds `held`.
    pub fn limits(&self, held: &Arc<HeldBytes>) -> Limits {
        Limits {
            admission: Admission::new(self.max_in_flight),
            held: Arc::clone(held),
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
