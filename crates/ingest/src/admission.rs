//! Admission: a bounded number of votes in flight. What does not fit is refused at once: a queue would only turn
//! overload into latency, and hide it from the client that should slow down.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::Refusal;

/// The votes in flight of one process.
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

    /// Takes places for `votes` votes, all or none; they are free again when the permit is dropped.
    pub fn admit(&self, votes: usize) -> Result<SemaphorePermit<'_>, Refusal> {
        let votes = u32::try_from(votes).map_err(|_| Refusal::Overloaded)?;
        self.permits
            .try_acquire_many(votes)
            .map_err(|_| Refusal::Overloaded)
    }
}
