//! The counts in Redis, and the applied offsets up to which they count, as they were at one moment.

use std::collections::BTreeMap;

use kafka::Extent;
use tallies::TallyHash;
use tallies::keys::TOTAL;
use uuid::Uuid;

use super::broken_counts::BrokenCounts;
use super::tally_counts::{HashCounts, TallyCounts};
use super::top_set_members::TopSetMembers;

/// The limit of the scripts; see checks.lua.
const MAX_COUNT: u64 = (1 << 53) - 1;

/// The counts, and the applied offsets up to which they count, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The counts. A broken count is 0.
    pub(crate) counts: TallyCounts,
    /// The counts that are not numbers.
    pub(crate) broken: BrokenCounts,
    /// The top sets, except for broken ones.
    pub(crate) top_sets: TopSetMembers,
    /// The next offset to count, for each partition with counted records.
    pub(crate) applied_offsets: BTreeMap<i32, i64>,
    /// The current topic, to which the applied offsets belong; None before the first registration.
    pub(crate) topic: Option<Uuid>,
    /// The registration time of every topic ever registered, in milliseconds since the Unix epoch.
    pub(crate) topics: BTreeMap<String, i64>,
    /// The number of corrections so far.
    pub(crate) corrections: Option<String>,
}

impl Snapshot {
    /// A sentence for each member by which a top set differs from its hash.
    pub(crate) fn top_set_differences(&self) -> Vec<String> {
        self.top_sets.differences(&self.counts)
    }

    /// Sets the total. Text that is not a number is broken.
    pub(super) fn set_total(&mut self, total: Option<String>) {
        match total.map_or(Some(0), |text| canonical(&text)) {
            Some(total) => self.counts.total = total,
            None => self.broken.keys.push(TOTAL),
        }
    }

    /// Sets the counts of a hash. Those that are not numbers are broken.
    pub(super) fn set_counts(&mut self, hash: TallyHash, fields: BTreeMap<String, String>) {
        let (mut counts, mut broken) = (HashCounts::new(), Vec::new());
        for (field, text) in fields {
            if let Some(count) = canonical(&text) {
                counts.insert(field, count);
            } else {
                broken.push(field);
            }
        }
        self.counts.set(hash, counts);
        if !broken.is_empty() {
            self.broken.fields.push((hash, broken));
        }
    }

    /// The next offset to count of `partition`.
    pub(crate) fn applied_offset(&self, partition: i32) -> i64 {
        self.applied_offsets.get(&partition).copied().unwrap_or_default()
    }

    /// The registration time of the current topic, in milliseconds since the Unix epoch. None if no topic is registered.
    pub(crate) fn counted_since_ms(&self) -> Option<i64> {
        self.topics.get(&self.topic?.to_string()).copied()
    }

    /// Whether the counts include a vote that was logged at `consumed_at_ms` and read from this partition and offset. They
    /// do if the vote is below the applied offset, or if it belongs to an earlier topic, whose counts were kept.
    pub(crate) fn includes(&self, consumed_at_ms: i64, partition: i32, offset: i64) -> bool {
        let is_of_earlier_topic = self
            .counted_since_ms()
            .is_some_and(|since| consumed_at_ms < since);
        is_of_earlier_topic || offset < self.applied_offset(partition)
    }

    /// The number of offsets in `extents` that are not counted yet.
    pub(crate) fn uncounted(&self, extents: &BTreeMap<i32, Extent>) -> i64 {
        let uncounted = |(&partition, extent): (&i32, &Extent)| {
            let next = self.applied_offset(partition).max(extent.first);
            (extent.end - next).max(0)
        };
        extents.iter().map(uncounted).sum()
    }
}

/// The number in `text`, if it has the form that Redis itself writes: no other can be incremented.
fn canonical(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text && number.unsigned_abs() <= MAX_COUNT).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let topic = Uuid::from_u128(1);
        Snapshot {
            applied_offsets: BTreeMap::from([(0, 10), (1, 0)]),
            topic: Some(topic),
            topics: BTreeMap::from([(topic.to_string(), 1_000), (Uuid::from_u128(2).to_string(), 1)]),
            ..Snapshot::default()
        }
    }

    #[test]
    fn document_is_included_below_the_applied_offset_or_from_an_earlier_topic() {
        let snapshot = snapshot();
        assert!(snapshot.includes(1_000, 0, 9));
        assert!(!snapshot.includes(1_000, 0, 10));
        assert!(
            !snapshot.includes(2_000, 7, 0),
            "no record of this partition was counted"
        );
        assert!(
            snapshot.includes(999, 0, 10),
            "logged before this topic was registered"
        );
        assert!(!Snapshot::default().includes(1, 0, 0));
    }

    #[test]
    fn uncounted_excludes_records_deleted_by_retention() {
        let extents = BTreeMap::from([
            (0, Extent { first: 0, end: 12 }),
            (1, Extent { first: 5, end: 5 }),
            (2, Extent { first: 4, end: 7 }),
        ]);
        assert_eq!(snapshot().uncounted(&extents), 2 + 3);
    }
}
