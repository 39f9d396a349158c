//! A limit on the bytes that one process buffers for its clients: request bodies from their first byte on, and the
//! responses to batches. Limits per request and per connection do not bound the total; this limit does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{IngestError, ServerLimit};

/// Maximum size of a small request, in bytes: enough for one or two usual votes.
const SMALL_BYTES: usize = 1024;

/// The limit, in bytes, and the bytes that are reserved.
#[derive(Debug)]
pub struct MemoryBudget {
    limit: usize,
    reserved: AtomicUsize,
}

/// The bytes that one request has reserved. Dropping it releases them.
#[derive(Debug)]
pub struct MemoryReservation {
    budget: Arc<MemoryBudget>,
    bytes: usize,
}

impl MemoryBudget {
    /// A budget of `limit` bytes. The last quarter is for small requests, so that large requests that arrive slowly
    /// cannot block usual votes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            reserved: AtomicUsize::new(0),
        }
    }

    /// The largest size of one request, in bytes.
    pub fn max_request_bytes(&self) -> usize {
        self.limit - self.limit / 4
    }

    /// An empty reservation.
    pub fn reservation(self: &Arc<Self>) -> MemoryReservation {
        MemoryReservation {
            budget: Arc::clone(self),
            bytes: 0,
        }
    }
}

impl MemoryReservation {
    /// Reserves `bytes` more. On an error the reservation does not change. A request that exceeds its own limit is not an
    /// overload: it would never be accepted.
    pub fn grow(&mut self, bytes: usize) -> Result<(), IngestError> {
        let request_bytes = self.bytes.saturating_add(bytes);
        let limit = if request_bytes <= SMALL_BYTES {
            self.budget.limit
        } else {
            self.budget.max_request_bytes()
        };
        if request_bytes > limit {
            let limit = ServerLimit::BufferedBytes(limit);
            return Err(IngestError::AboveServerLimit(limit));
        }
        let before = self.budget.reserved.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > limit {
            self.budget.reserved.fetch_sub(bytes, Ordering::Relaxed);
            return Err(IngestError::Overloaded);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Grows the reservation to `bytes`, if it is smaller.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), IngestError> {
        self.grow(bytes.saturating_sub(self.bytes))
    }

    /// Moves the reserved bytes into another reservation; this one is empty then.
    #[must_use]
    pub fn take(&mut self) -> Self {
        Self {
            budget: Arc::clone(&self.budget),
            bytes: std::mem::take(&mut self.bytes),
        }
    }

    /// Sets the reservation to `bytes`, even beyond the limit: votes that are durable must get their response. Later
    /// requests are rejected instead.
    pub fn replace(&mut self, bytes: usize) {
        self.budget.reserved.fetch_add(bytes, Ordering::Relaxed);
        self.budget.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.budget.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_share_the_limit_and_are_released_on_drop() {
        let budget = Arc::new(MemoryBudget::new(100));
        let (mut one, mut other) = (budget.reservation(), budget.reservation());
        assert_eq!(one.grow(60), Ok(()));
        assert_eq!(other.grow(41), Err(IngestError::Overloaded));
        assert_eq!(other.grow(40), Ok(()));
        assert_eq!(one.grow(1), Err(IngestError::Overloaded));
        drop(other);
        assert_eq!(one.grow(40), Ok(()));
        drop(one);
        assert_eq!(budget.reserved.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn taken_reservation_grows_to_a_size_and_is_released_separately() {
        let budget = Arc::new(MemoryBudget::new(100));
        let mut arriving = budget.reservation();
        assert_eq!(arriving.grow(30), Ok(()));
        let mut message = arriving.take();
        assert_eq!(message.grow_to(20), Ok(()));
        assert_eq!(message.grow_to(90), Ok(()));
        assert_eq!(arriving.grow(11), Err(IngestError::Overloaded));
        assert_eq!(arriving.grow(10), Ok(()));
        drop(message);
        assert_eq!(arriving.grow(90), Ok(()));
    }

    #[test]
    fn last_quarter_is_for_small_requests() {
        let budget = Arc::new(MemoryBudget::new(8 * SMALL_BYTES));
        let (mut large, mut small) = (budget.reservation(), budget.reservation());
        assert_eq!(large.grow(6 * SMALL_BYTES), Ok(()));
        assert_eq!(
            budget.reservation().grow(2 * SMALL_BYTES),
            Err(IngestError::Overloaded)
        );
        assert_eq!(small.grow(SMALL_BYTES), Ok(()));
        assert_eq!(small.grow(1), Err(IngestError::Overloaded));
        assert_eq!(budget.reservation().grow(SMALL_BYTES), Ok(()));
    }

    #[test]
    fn request_larger_than_its_limit_is_not_an_overload() {
        let budget = Arc::new(MemoryBudget::new(8 * SMALL_BYTES));
        let too_large = Err(IngestError::AboveServerLimit(ServerLimit::BufferedBytes(
            6 * SMALL_BYTES,
        )));
        let (mut at_once, mut in_parts) = (budget.reservation(), budget.reservation());
        assert_eq!(at_once.grow(6 * SMALL_BYTES + 1), too_large);
        assert_eq!(in_parts.grow(6 * SMALL_BYTES), Ok(()));
        assert_eq!(in_parts.grow(1), too_large);
        assert_eq!(budget.reserved.load(Ordering::Relaxed), 6 * SMALL_BYTES);
    }

    #[test]
    fn response_may_exceed_the_limit_and_blocks_later_requests() {
        let budget = Arc::new(MemoryBudget::new(100));
        let (mut response, mut next) = (budget.reservation(), budget.reservation());
        assert_eq!(response.grow(10), Ok(()));
        response.replace(150);
        assert_eq!(next.grow(1), Err(IngestError::Overloaded));
        response.replace(50);
        assert_eq!(next.grow(50), Ok(()));
    }
}
