//! The bytes that one process holds for its clients: request bodies from their first byte on, and the answers to
//! batches. Limits per request and per connection bound nothing in total; this does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Refusal;

/// A request that holds no more than this, in bytes, is a usual vote or two.
const SMALL_BYTES: usize = 1024;

/// What may be held, in bytes, and what is.
#[derive(Debug)]
pub struct HeldBytes {
    limit: usize,
    held: AtomicUsize,
}

/// A client's share; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    of: Arc<HeldBytes>,
    bytes: usize,
}

impl HeldBytes {
    /// Lets at most `limit` bytes be held at a time. The last quarter is for small requests: large ones that come slowly
    /// must not keep the usual votes out.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            held: AtomicUsize::new(0),
        }
    }

    /// A share of nothing yet.
    pub fn reservation(self: &Arc<Self>) -> Reservation {
        Reservation {
            of: Arc::clone(self),
            bytes: 0,
        }
    }
}

impl Reservation {
    /// Takes `bytes` more, or refuses and stays as it is.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let limit = if self.bytes.saturating_add(bytes) <= SMALL_BYTES {
            self.of.limit
        } else {
            self.of.limit - self.of.limit / 4
        };
        let before = self.of.held.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > limit {
            self.of.held.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Refusal::Overloaded);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Stands for `bytes` from now on, even beyond the limit: an answer to votes that are durable has to be given, and
    /// whoever comes next is refused instead.
    pub fn replace(&mut self, bytes: usize) {
        self.of.held.fetch_add(bytes, Ordering::Relaxed);
        self.of.held.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.of.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_the_limit_and_come_back() {
        let held = Arc::new(HeldBytes::new(100));
        let (mut one, mut other) = (held.reservation(), held.reservation());
        assert_eq!(one.grow(60), Ok(()));
        assert_eq!(other.grow(41), Err(Refusal::Overloaded));
        assert_eq!(other.grow(40), Ok(()));
        assert_eq!(one.grow(1), Err(Refusal::Overloaded));
        drop(other);
        assert_eq!(one.grow(40), Ok(()));
        drop(one);
        assert_eq!(held.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_last_quarter_is_for_small_requests() {
        let held = Arc::new(HeldBytes::new(8 * SMALL_BYTES));
        let (mut large, mut small) = (held.reservation(), held.reservation());
        assert_eq!(large.grow(6 * SMALL_BYTES), Ok(()));
        assert_eq!(large.grow(1), Err(Refusal::Overloaded));
        assert_eq!(small.grow(SMALL_BYTES), Ok(()));
        assert_eq!(small.grow(1), Err(Refusal::Overloaded));
        assert_eq!(held.reservation().grow(SMALL_BYTES), Ok(()));
    }

    #[test]
    fn an_answer_may_pass_the_limit_and_then_nothing_else_does() {
        let held = Arc::new(HeldBytes::new(100));
        let (mut answer, mut next) = (held.reservation(), held.reservation());
        assert_eq!(answer.grow(10), Ok(()));
        answer.replace(150);
        assert_eq!(next.grow(1), Err(Refusal::Overloaded));
        answer.replace(50);
        assert_eq!(next.grow(50), Ok(()));
    }
}
