//! Admission: a limit on the votes in flight. A vote beyond the limit is rejected at once. A queue would turn overload
//! into latency and hide it from the client that should slow down.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::IngestError;

/// The permits for votes in flight on one route.
#[derive(Debug)]
pub struct Admission {
    permits: Semaphore,
}

impl Admission {
    /// Admits at most `max_in_flight` votes at a time.
    pub fn new(max_in_flight: u32) -> Self {
        Self {
            permits: Semaphore::new(max_in_flight as usize),
        }
    }

    /// Takes permits for `votes` votes, all or none. Dropping the returned permit frees them.
    pub fn admit(&self, votes: usize) -> Result<SemaphorePermit<'_>, IngestError> {
        let votes = u32::try_from(votes).map_err(|_| IngestError::Overloaded)?;
        self.permits
            .try_acquire_many(votes)
            .map_err(|_| IngestError::Overloaded)
    }
}
