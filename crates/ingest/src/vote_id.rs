//! The ids of votes whose clients chose none: UUIDv7, ordered by time.
//!
//! `Uuid::now_v7` counts the ids of a millisecond under a lock of the process. Here each thread counts by itself, from a
//! random number of 41 bits. The ids of one batch are therefore consecutive, and its response compresses well.

use std::time::Duration;

use uuid::timestamp::context::{ContextV7, ThreadLocalContext};
use uuid::{Timestamp, Uuid};

thread_local! {
    static COUNTER: ContextV7 = const { ContextV7::new() };
}

/// A new id for a vote that arrived at `received_at_us`: microseconds since the Unix epoch. If this thread has made an id with
/// a later time, the new id has that time.
pub(crate) fn new(received_at_us: i64) -> Uuid {
    let received_at = Duration::from_micros(received_at_us.unsigned_abs());
    Uuid::new_v7(Timestamp::from_unix(
        ThreadLocalContext::new(&COUNTER),
        received_at.as_secs(),
        received_at.subsec_nanos(),
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const RECEIVED_AT_US: i64 = 1_700_000_000_007_999;

    #[test]
    fn id_has_the_time_of_arrival() {
        let id = new(RECEIVED_AT_US);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.as_u128() >> 80, 1_700_000_000_007);
    }

    #[test]
    fn ids_of_a_thread_are_ordered() {
        let ids: Vec<_> = (0..1_000).map(|us| new(RECEIVED_AT_US + us * 10)).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn ids_of_several_threads_differ() {
        let make = || (0..10_000).map(|_| new(RECEIVED_AT_US)).collect::<Vec<_>>();
        let ids = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect::<HashSet<_>>()
        });
        assert_eq!(ids.len(), 80_000);
    }
}
