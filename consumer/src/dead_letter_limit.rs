//! The limit of dead-letter records, above which the consumer stops: a leaky bucket for each partition. Pure state, no I/O.

use std::fmt;

/// Decodable records that make room for one more undecodable one.
const DECODABLE_PER_UNDECODABLE: u64 = 10;

/// The level of a partition's leaky bucket: undecodable records raise it, decodable ones lower it. Redis keeps it with the
/// applied offset. A restarted consumer therefore stops at the same record, and does not get a new allowance of
/// dead-letter records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeadLetterLevel(u64);

impl DeadLetterLevel {
    /// The level after a record that can be decoded.
    #[must_use]
    pub const fn after_decodable(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The level after a record that cannot be decoded.
    #[must_use]
    pub const fn after_undecodable(self) -> Self {
        Self(self.0.saturating_add(DECODABLE_PER_UNDECODABLE))
    }

    /// Whether the level is above `limit` undecodable records.
    pub const fn exceeds(self, limit: u32) -> bool {
        self.0 > limit as u64 * DECODABLE_PER_UNDECODABLE
    }
}

/// The form in which Redis keeps the level.
impl fmt::Display for DeadLetterLevel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl From<u64> for DeadLetterLevel {
    fn from(level: u64) -> Self {
        Self(level)
    }
}

/// A partition has more undecodable records than the limit allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the dead-letter limit is exceeded in partition {partition}: the record at offset {offset} cannot be decoded \
     ({reason}), and the limit allows {limit} such records plus one for every {DECODABLE_PER_UNDECODABLE} decodable ones. \
     The consumer did not apply this batch or any later one. Fix the program that writes these records, or upgrade this \
     consumer if it is too old to decode them, then restart it. To send them to the dead-letter topic anyway, restart it \
     with a higher --dead-letter-limit"
)]
pub struct DeadLetterLimitExceeded {
    /// The partition.
    pub partition: i32,
    /// The offset of the record that exceeded the limit.
    pub offset: i64,
    /// The limit.
    pub limit: u32,
    /// Why that record cannot be decoded.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(records: &[(bool, u32)]) -> DeadLetterLevel {
        let mut level = DeadLetterLevel::default();
        for &(is_decodable, count) in records {
            for _ in 0..count {
                level = if is_decodable {
                    level.after_decodable()
                } else {
                    level.after_undecodable()
                };
            }
        }
        level
    }

    #[test]
    fn burst_up_to_the_limit_is_allowed() {
        assert!(!after(&[(false, 5)]).exceeds(5));
        assert!(after(&[(false, 6)]).exceeds(5));
    }

    #[test]
    fn decodable_records_make_room() {
        assert!(!after(&[(false, 5), (true, 10), (false, 1)]).exceeds(5));
        assert!(after(&[(false, 5), (true, 9), (false, 1)]).exceeds(5));
        assert_eq!(after(&[(false, 5), (true, 1_000)]), DeadLetterLevel::default());
    }

    #[test]
    fn one_in_eleven_never_exceeds_the_limit_and_one_in_nine_does() {
        let mixture = |decodable| [(false, 1), (true, decodable)].repeat(1_000);
        assert!(!after(&mixture(10)).exceeds(5));
        assert!(after(&mixture(8)).exceeds(5));
    }
}
