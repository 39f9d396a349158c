//! When unreadable records are no longer single ones: a leaky bucket for each partition. Pure state, no I/O.

use std::fmt;

/// Readable records that make room for one more unreadable one.
const READABLE_FOR_ONE: u64 = 10;

/// How full a partition's bucket is: unreadable records raise it, readable ones lower it. Kept in Redis with the fence,
/// so that a consumer that was started again stops at the same place instead of burying as many again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u64);

impl Level {
    /// The level after a record that could be read.
    #[must_use]
    pub const fn after_readable(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The level after a record that could not.
    #[must_use]
    pub const fn after_unreadable(self) -> Self {
        Self(self.0.saturating_add(READABLE_FOR_ONE))
    }

    /// Whether it is above `limit` unreadable records.
    pub const fn exceeds(self, limit: u32) -> bool {
        self.0 > limit as u64 * READABLE_FOR_ONE
    }
}

/// As it is kept in Redis.
impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl From<u64> for Level {
    fn from(kept: u64) -> Self {
        Self(kept)
    }
}

/// More unreadable records than the limit allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a flood of unreadable records in partition {partition}: at offset {offset} there are more than {limit} that too \
     few readable ones came between ({reason}). Neither this batch nor anything after it was taken. Fix what writes \
     them, or this consumer if it is too old for them, and start it again; to bury them all the same, start it with a \
     higher --dead-letter-limit"
)]
pub struct Flood {
    /// The partition.
    pub partition: i32,
    /// The offset of the record that was one too many.
    pub offset: i64,
    /// The limit.
    pub limit: u32,
    /// Why that record cannot be read.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(records: &[(bool, u32)]) -> Level {
        let mut level = Level::default();
        for &(readable, count) in records {
            for _ in 0..count {
                level = if readable {
                    level.after_readable()
                } else {
                    level.after_unreadable()
                };
            }
        }
        level
    }

    #[test]
    fn a_burst_up_to_the_limit_is_no_flood() {
        assert!(!after(&[(false, 5)]).exceeds(5));
        assert!(after(&[(false, 6)]).exceeds(5));
    }

    #[test]
    fn readable_records_make_room() {
        assert!(!after(&[(false, 5), (true, 10), (false, 1)]).exceeds(5));
        assert!(after(&[(false, 5), (true, 9), (false, 1)]).exceeds(5));
        assert_eq!(after(&[(false, 5), (true, 1_000)]), Level::default());
    }

    #[test]
    fn one_in_eleven_is_never_a_flood_and_one_in_nine_is_in_the_end() {
        let mixture = |readable| [(false, 1), (true, readable)].repeat(1_000);
        assert!(!after(&mixture(10)).exceeds(5));
        assert!(after(&mixture(8)).exceeds(5));
    }
}
