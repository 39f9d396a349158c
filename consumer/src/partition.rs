//! One assigned partition: what waits, what is in flight, and how far it has come. Pure state, no I/O.

use std::collections::VecDeque;

use kafka::source::{Delivery, Watermarks};
use prometheus::IntGauge;
use tokio_util::sync::CancellationToken;

use uuid::Uuid;

use crate::batch::Batch;
use crate::dead_letter_limit::Level;

/// Where an assigned partition starts.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The partition.
    pub partition: i32,
    /// The fence as Redis holds it.
    pub fence: Option<i64>,
    /// The level of the dead-letter limit as Redis holds it.
    pub level: Level,
    /// The log as Kafka holds it.
    pub watermarks: Watermarks,
    /// The first offset to read.
    pub offset: i64,
}

/// A partition from its assignment to its revocation.
#[derive(Debug)]
pub struct Partition {
    id: i32,
    topic_id: Uuid,
    /// Tells this assignment from an earlier one of the same partition, of which a batch may still be in flight.
    generation: u64,
    /// The fence as Redis is believed to hold it.
    fence: Option<i64>,
    level: Level,
    /// Everything before this offset is applied.
    applied: i64,
    /// Whether `applied` has moved since it was last committed.
    is_dirty: bool,
    watermarks: Watermarks,
    pending: VecDeque<Delivery>,
    in_flight: bool,
    /// The offset that the source was asked to go to; records before its answer are stale.
    sought: Option<i64>,
    stop: CancellationToken,
    lag: IntGauge,
}

impl Partition {
    /// A partition of the topic `topic_id` that was just assigned, from where it starts.
    pub fn new(topic_id: Uuid, start: Start, generation: u64, lag: IntGauge) -> Self {
        let Start {
            partition: id,
            fence,
            level,
            watermarks,
            offset,
        } = start;
        let partition = Self {
            id,
            topic_id,
            generation,
            fence,
            level,
            applied: offset,
            is_dirty: false,
            watermarks,
            pending: VecDeque::new(),
            in_flight: false,
            sought: None,
            stop: CancellationToken::new(),
            lag,
        };
        partition.show_lag();
        partition
    }

    /// Everything before this offset is applied; on assignment, the offset to start at.
    pub fn applied(&self) -> i64 {
        self.applied
    }

    /// Which assignment this is.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Cancelled when the batch in flight should not be tried again.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Whether a batch is in flight.
    pub fn is_in_flight(&self) -> bool {
        self.in_flight
    }

    /// Records that wait.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The believed fence, if nothing is going on that is about to change it.
    pub fn idle_fence(&self) -> Option<Option<i64>> {
        (!self.in_flight && self.sought.is_none()).then_some(self.fence)
    }

    /// Takes a record, unless it was read before the source went elsewhere, or is counted already: another consumer may
    /// have moved the fence past what this source has read.
    pub fn push(&mut self, delivery: Delivery) {
        if self.sought.is_none() && delivery.record.offset >= self.applied {
            self.pending.push_back(delivery);
        }
    }

    /// The next batch of at most `max_records`, if there are records and none is in flight.
    pub fn next_batch(&mut self, max_records: usize) -> Option<Batch> {
        if self.in_flight {
            return None;
        }
        let count = self.pending.len().min(max_records);
        let records: Vec<_> = self.pending.drain(..count).collect();
        let next = records.last()?.record.offset + 1;
        self.in_flight = true;
        Some(Batch {
            topic_id: self.topic_id,
            partition: self.id,
            fence: self.fence,
            next,
            level: self.level,
            records,
        })
    }

    /// The batch in flight is applied, and perhaps more, by another consumer: what waits below `fence` is done too.
    pub fn advance(&mut self, fence: i64, level: Level) {
        self.in_flight = false;
        self.fence = Some(fence);
        self.level = level;
        self.applied = fence;
        self.is_dirty = true;
        while self
            .pending
            .front()
            .is_some_and(|delivery| delivery.record.offset < fence)
        {
            self.pending.pop_front();
        }
        self.show_lag();
    }

    /// Redis holds another fence than believed: everything read is stale. The offset to seek to.
    pub fn rewind(&mut self, fence: Option<i64>) -> i64 {
        self.in_flight = false;
        self.fence = fence;
        self.applied = fence.unwrap_or_default().max(self.watermarks.low);
        self.is_dirty = true;
        self.pending.clear();
        self.sought = Some(self.applied);
        self.show_lag();
        self.applied
    }

    /// The source has gone to `offset`.
    pub fn sought(&mut self, offset: i64) {
        if self.sought == Some(offset) {
            self.sought = None;
        }
    }

    /// No further batch: what waits is read again by whoever has the partition next.
    pub fn forget_pending(&mut self) {
        self.pending.clear();
    }

    /// The batch in flight was given up.
    pub fn interrupted(&mut self) {
        self.in_flight = false;
    }

    /// The log has grown.
    pub fn set_watermarks(&mut self, watermarks: Watermarks) {
        self.watermarks = watermarks;
        self.show_lag();
    }

    /// What is to be committed, if it has changed.
    pub fn take_uncommitted(&mut self) -> Option<(i32, i64)> {
        std::mem::take(&mut self.is_dirty).then_some((self.id, self.applied))
    }

    fn show_lag(&self) {
        self.lag.set((self.watermarks.high - self.applied).max(0));
    }
}

/// Where to go on: at the fence, or at the first record that is left. An error where the log is not the one that was
/// counted: skipping and counting again would both be wrong.
pub fn start_offset(partition: i32, fence: Option<i64>, watermarks: Watermarks) -> Result<i64, String> {
    let Watermarks { low, high } = watermarks;
    match fence {
        Some(fence) if fence > high => Err(format!(
            "partition {partition} ends at {high}, before the offset {fence} that Redis has counted up to: \
             Kafka has lost records; the runbook says how to go on"
        )),
        Some(fence) if fence < low => {
            tracing::error!(
                partition,
                fence,
                low,
                "retention deleted records that were not counted"
            );
            Ok(low)
        }
        Some(fence) => Ok(fence),
        None => Ok(low),
    }
}

#[cfg(test)]
mod tests {
    use kafka::Record;

    use super::*;

    const WATERMARKS: Watermarks = Watermarks { low: 5, high: 100 };

    fn partition(fence: Option<i64>) -> Partition {
        let start = Start {
            partition: 2,
            fence,
            level: Level::default(),
            watermarks: WATERMARKS,
            offset: start_offset(2, fence, WATERMARKS).unwrap(),
        };
        Partition::new(
            Uuid::nil(),
            start,
            1,
            IntGauge::new("lag", "of the partition").unwrap(),
        )
    }

    fn push(partition: &mut Partition, offsets: impl IntoIterator<Item = i64>) {
        for offset in offsets {
            let record = Record {
                partition: 2,
                offset,
                key: None,
                payload: Vec::new(),
                headers: Vec::new(),
                timestamp_ms: None,
            };
            partition.push(record.into());
        }
    }

    fn offsets(batch: &Batch) -> Vec<i64> {
        batch
            .records
            .iter()
            .map(|delivery| delivery.record.offset)
            .collect()
    }

    #[test]
    fn a_partition_starts_at_its_fence_or_at_the_first_record_that_is_left() {
        for (fence, expected) in [
            (None, 5),
            (Some(2), 5),
            (Some(5), 5),
            (Some(40), 40),
            (Some(100), 100),
        ] {
            assert_eq!(start_offset(2, fence, WATERMARKS), Ok(expected), "{fence:?}");
        }
        assert!(
            start_offset(2, Some(101), WATERMARKS)
                .unwrap_err()
                .contains("lost records")
        );
    }

    #[test]
    fn one_batch_is_in_flight_and_the_next_builds_on_its_fence() {
        let mut partition = partition(Some(10));
        assert_eq!(partition.lag.get(), 90);
        // A gap: offsets of aborted transactions are never seen.
        push(&mut partition, [10, 11, 14, 15]);
        let first = partition.next_batch(3).unwrap();
        assert_eq!(
            (offsets(&first), first.fence, first.next),
            (vec![10, 11, 14], Some(10), 15)
        );
        assert!(partition.next_batch(3).is_none());
        partition.advance(15, Level::default());
        assert_eq!(
            (partition.lag.get(), partition.take_uncommitted()),
            (85, Some((2, 15)))
        );
        assert_eq!(partition.take_uncommitted(), None);
        let second = partition.next_batch(3).unwrap();
        assert_eq!(
            (offsets(&second), second.fence, second.next),
            (vec![15], Some(15), 16)
        );
        partition.advance(16, Level::default());
        assert!(partition.next_batch(3).is_none(), "nothing waits");
    }

    #[test]
    fn what_another_consumer_has_counted_is_not_counted_again() {
        let mut partition = partition(Some(10));
        push(&mut partition, 10..20);
        partition.next_batch(2).unwrap();
        partition.advance(17, Level::default());
        let batch = partition.next_batch(100).unwrap();
        assert_eq!((offsets(&batch), batch.fence), (vec![17, 18, 19], Some(17)));
    }

    #[test]
    fn what_another_consumer_has_counted_beyond_what_was_read_is_not_taken() {
        let mut partition = partition(Some(10));
        push(&mut partition, 10..13);
        partition.next_batch(9).unwrap();
        partition.advance(17, Level::default());
        push(&mut partition, 13..20);
        let batch = partition.next_batch(100).unwrap();
        assert_eq!((offsets(&batch), batch.fence), (vec![17, 18, 19], Some(17)));
    }

    #[test]
    fn after_a_rewind_only_what_the_source_reads_anew_counts() {
        let mut partition = partition(Some(30));
        push(&mut partition, 30..35);
        partition.next_batch(2).unwrap();
        assert_eq!(partition.rewind(Some(20)), 20);
        assert_eq!((partition.idle_fence(), partition.lag.get()), (None, 80));
        push(&mut partition, 35..40);
        partition.sought(30);
        assert!(partition.next_batch(9).is_none(), "that was an older seek");
        partition.sought(20);
        push(&mut partition, 20..22);
        let batch = partition.next_batch(9).unwrap();
        assert_eq!((offsets(&batch), batch.fence), (vec![20, 21], Some(20)));
        assert_eq!(partition.rewind(None), 5);
    }
}
