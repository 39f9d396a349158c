//! Admission: a limit on the votes in flight. A vote beyond the limit is rejected at once. A queue would turn overload
//! into latency and hide it from the client that should slow down.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{IngestError, ServerLimit};

/// The permits for votes in flight on one route.
#[derive(Debug)]
pub struct Admission {
    max_in_flight: u32,
    permits: Semaphore,
}

impl Admission {
    /// Admits at most `max_in_flight` votes at a time.
    pub fn new(max_in_flight: u32) -> Self {
        Self {
            max_in_flight,
            permits: Semaphore::new(max_in_flight as usize),
        }
    }

    /// The limit.
    pub fn max_in_flight(&self) -> u32 {
        self.max_in_flight
    }

    /// Takes permits for `votes` votes, all or none. Dropping the returned permit frees them. More votes than the limit
    /// are not an overload: they would never be admitted.
    pub fn admit(&self, votes: usize) -> Result<SemaphorePermit<'_>, IngestError> {
        let votes = u32::try_from(votes).unwrap_or(u32::MAX);
        if votes > self.max_in_flight {
            let limit = ServerLimit::VotesInFlight(self.max_in_flight);
            return Err(IngestError::AboveServerLimit(limit));
        }
        self.permits
            .try_acquire_many(votes)
            .map_err(|_| IngestError::Overloaded)
    }
}
