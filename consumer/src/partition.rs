//! One assigned partition: its pending records, its batches in flight, and its applied offset. Pure state, no I/O.
//!
//! Records become a batch, which is logged and then counted. At most one batch is being logged and one is being counted. A
//! logged batch waits for the one before it, and no further batch is logged meanwhile.

use std::collections::VecDeque;
use std::time::Instant;

use kafka::source::Watermarks;
use prometheus::IntGauge;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::apply::LoggedBatch;
use crate::batch::{Batch, DecodedRecord};
use crate::dead_letter_limit::DeadLetterLevel;

/// Where an assigned partition starts.
#[derive(Clone, Copy, Debug)]
pub struct StartPosition {
    /// The partition.
    pub partition: i32,
    /// The applied offset in Redis; None if no record was counted yet.
    pub applied_offset: Option<i64>,
    /// The [`DeadLetterLevel`] in Redis.
    pub level: DeadLetterLevel,
    /// The first and the next offset of the log in Kafka.
    pub watermarks: Watermarks,
    /// The first offset to read.
    pub offset: i64,
}

/// A partition from its assignment to its revocation.
#[derive(Debug)]
pub struct Partition {
    id: i32,
    topic_id: Uuid,
    /// Distinguishes this assignment from an earlier one of the same partition, which may still have a batch in flight.
    generation: u64,
    /// Incremented by each rewind: batches of an earlier epoch are discarded.
    epoch: u64,
    /// The applied offset that Redis is expected to hold.
    applied_offset: Option<i64>,
    /// The level after the last batch that was logged.
    level: DeadLetterLevel,
    /// The first offset that is not applied: the applied offset, or the first record that still exists.
    next_to_apply: i64,
    /// Whether `next_to_apply` has moved since it was last committed.
    is_dirty: bool,
    watermarks: Watermarks,
    pending: VecDeque<DecodedRecord>,
    /// When the last pending record arrived.
    received_at: Instant,
    is_logging: bool,
    /// The batch to count next.
    logged: Option<LoggedBatch>,
    is_counting: bool,
    /// The offset of a seek that is not yet complete. Records that arrive before its completion are stale.
    pending_seek: Option<i64>,
    stop: CancellationToken,
    lag: IntGauge,
}

impl Partition {
    /// A partition of the topic `topic_id` that was just assigned and starts at `start`.
    pub fn new(topic_id: Uuid, start: StartPosition, generation: u64, lag: IntGauge) -> Self {
        let StartPosition {
            partition: id,
            applied_offset,
            level,
            watermarks,
            offset,
        } = start;
        let partition = Self {
            id,
            topic_id,
            generation,
            epoch: 0,
            applied_offset,
            level,
            next_to_apply: offset,
            is_dirty: false,
            watermarks,
            pending: VecDeque::new(),
            received_at: Instant::now(),
            is_logging: false,
            logged: None,
            is_counting: false,
            pending_seek: None,
            stop: CancellationToken::new(),
            lag,
        };
        partition.update_lag();
        partition
    }

    /// The first offset that is not applied; on assignment, the offset to start at.
    pub fn next_to_apply(&self) -> i64 {
        self.next_to_apply
    }

    /// The number of this assignment.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Cancelled when the batches in flight must not be retried any more.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Whether a batch is in flight.
    pub fn is_in_flight(&self) -> bool {
        self.is_logging || self.logged.is_some() || self.is_counting
    }

    /// The number of steps that are in progress: logging and counting.
    pub fn steps_in_flight(&self) -> usize {
        usize::from(self.is_logging) + usize::from(self.is_counting)
    }

    /// Whether a batch can be logged now: records are pending, and no batch is being logged or waits to be counted.
    pub fn can_log(&self) -> bool {
        !self.pending.is_empty() && !self.is_logging && self.logged.is_none()
    }

    /// The number of records that are not yet in a batch.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The applied offset that Redis is expected to hold; None while a batch or a seek may change it.
    pub fn settled_applied_offset(&self) -> Option<Option<i64>> {
        (!self.is_in_flight() && self.pending_seek.is_none()).then_some(self.applied_offset)
    }

    /// Adds a record that was received at `received_at` or before. Ignores a record that was read before a pending seek, and one that is already counted: another
    /// consumer may have moved the applied offset beyond the position of this source.
    pub fn push(&mut self, record: DecodedRecord, received_at: Instant) {
        if self.pending_seek.is_none() && record.offset() >= self.next_to_apply {
            self.pending.push_back(record);
            self.received_at = received_at;
        }
    }

    /// The next batch to log, of at most `max_records` records. None if [`Self::can_log`] is false.
    pub fn next_to_log(&mut self, max_records: usize) -> Option<Batch> {
        if !self.can_log() {
            return None;
        }
        let count = self.pending.len().min(max_records);
        let records: Vec<_> = self.pending.drain(..count).collect();
        let next_offset = records.last()?.offset() + 1;
        self.is_logging = true;
        Some(Batch {
            topic_id: self.topic_id,
            partition: self.id,
            received_at: self.received_at,
            epoch: self.epoch,
            next_offset,
            level: self.level,
            records,
        })
    }

    /// Notes that a batch is logged.
    pub fn finish_logging(&mut self, logged: LoggedBatch) {
        self.is_logging = false;
        // Otherwise the partition went back to an earlier offset meanwhile, or another consumer has counted the batch.
        if logged.batch.epoch == self.epoch && logged.batch.next_offset > self.next_to_apply {
            self.level = logged.level();
            self.logged = Some(logged);
        }
    }

    /// The next batch to count, and the applied offset that Redis is expected to hold. None if no batch is logged, or if the
    /// one before it is being counted.
    pub fn next_to_count(&mut self) -> Option<(LoggedBatch, Option<i64>)> {
        if self.is_counting {
            return None;
        }
        let logged = self.logged.take()?;
        self.is_counting = true;
        Some((logged, self.applied_offset))
    }

    /// Notes that everything below `applied_offset` is applied. That includes the batch that was being counted, and later
    /// records that another consumer has applied.
    pub fn advance(&mut self, applied_offset: i64) {
        self.is_counting = false;
        self.applied_offset = Some(applied_offset);
        self.next_to_apply = applied_offset;
        self.is_dirty = true;
        self.logged
            .take_if(|logged| logged.batch.next_offset <= applied_offset);
        while self
            .pending
            .front()
            .is_some_and(|record| record.offset() < applied_offset)
        {
            self.pending.pop_front();
        }
        self.update_lag();
    }

    /// Goes back to the applied offset that Redis holds instead of the expected one. All pending records become stale, and so
    /// do batches that are not counted yet. Returns the offset to seek to.
    pub fn rewind(&mut self, applied_offset: Option<i64>) -> i64 {
        self.epoch += 1;
        self.logged = None;
        self.is_counting = false;
        self.applied_offset = applied_offset;
        self.next_to_apply = applied_offset.unwrap_or_default().max(self.watermarks.low);
        self.is_dirty = true;
        self.pending.clear();
        self.pending_seek = Some(self.next_to_apply);
        self.update_lag();
        self.next_to_apply
    }

    /// Notes that the source has completed the seek to `offset`.
    pub fn seek_completed(&mut self, offset: i64) {
        if self.pending_seek == Some(offset) {
            self.pending_seek = None;
        }
    }

    /// Discards the pending records, so that no further batch starts. The next owner of the partition reads them again.
    pub fn discard_pending(&mut self) {
        self.pending.clear();
    }

    /// Notes that the batch that was being logged is abandoned.
    pub fn logging_interrupted(&mut self) {
        self.is_logging = false;
    }

    /// Notes that the batch that was being counted is abandoned.
    pub fn counting_interrupted(&mut self) {
        self.is_counting = false;
    }

    /// Sets the current watermarks of the log.
    pub fn set_watermarks(&mut self, watermarks: Watermarks) {
        self.watermarks = watermarks;
        self.update_lag();
    }

    /// The partition and the offset to commit; None if the offset has not moved since the last call.
    pub fn take_uncommitted(&mut self) -> Option<(i32, i64)> {
        std::mem::take(&mut self.is_dirty).then_some((self.id, self.next_to_apply))
    }

    fn update_lag(&self) {
        self.lag.set((self.watermarks.high - self.next_to_apply).max(0));
    }
}

/// The offset at which to start: the applied offset, or the first record that still exists. Errors if the log ends before
/// the applied offset. The log is then not the one that was counted, and both skipping and recounting would be wrong.
pub fn start_offset(
    partition: i32,
    applied_offset: Option<i64>,
    watermarks: Watermarks,
) -> Result<i64, String> {
    let Watermarks { low, high } = watermarks;
    match applied_offset {
        Some(applied_offset) if applied_offset > high => Err(format!(
            "partition {partition} ends at offset {high}, before the applied offset {applied_offset} in Redis: Kafka has \
             lost records that were counted. Follow docs/runbook.md to continue"
        )),
        Some(applied_offset) if applied_offset < low => {
            tracing::error!(
                partition,
                applied_offset,
                low,
                "retention deleted records that were not counted; starting at the first record that still exists"
            );
            Ok(low)
        }
        Some(applied_offset) => Ok(applied_offset),
        None => Ok(low),
    }
}

#[cfg(test)]
mod tests {
    use kafka::Record;
    use kafka::source::Delivery;

    use super::*;
    use crate::batch::BatchContent;

    const WATERMARKS: Watermarks = Watermarks { low: 5, high: 100 };

    fn partition(applied_offset: Option<i64>) -> Partition {
        let start = StartPosition {
            partition: 2,
            applied_offset,
            level: DeadLetterLevel::default(),
            watermarks: WATERMARKS,
            offset: start_offset(2, applied_offset, WATERMARKS).unwrap(),
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
            partition.push(Delivery::from(record).into(), Instant::now());
        }
    }

    fn offsets(batch: &Batch) -> Vec<i64> {
        batch.records.iter().map(DecodedRecord::offset).collect()
    }

    fn logged(batch: Batch) -> LoggedBatch {
        LoggedBatch::new(batch, BatchContent::default(), None)
    }

    /// Logs the next batch. Returns its offsets, and the applied offset on which its count builds.
    fn log_and_count(partition: &mut Partition, max_records: usize) -> (Vec<i64>, Option<i64>) {
        let batch = partition.next_to_log(max_records).unwrap();
        let offsets = offsets(&batch);
        partition.finish_logging(logged(batch));
        let (_, applied_offset) = partition.next_to_count().unwrap();
        (offsets, applied_offset)
    }

    #[test]
    fn partition_starts_at_its_applied_offset_or_at_the_first_existing_record() {
        for (applied_offset, expected) in [
            (None, 5),
            (Some(2), 5),
            (Some(5), 5),
            (Some(40), 40),
            (Some(100), 100),
        ] {
            assert_eq!(
                start_offset(2, applied_offset, WATERMARKS),
                Ok(expected),
                "{applied_offset:?}"
            );
        }
        assert!(
            start_offset(2, Some(101), WATERMARKS)
                .unwrap_err()
                .contains("lost records")
        );
    }

    #[test]
    fn batch_is_logged_while_the_one_before_it_is_counted() {
        let mut partition = partition(Some(10));
        assert_eq!(partition.lag.get(), 90);
        // A gap: the offsets of aborted transactions are never delivered.
        push(&mut partition, [10, 11, 14, 15, 16]);
        let first = partition.next_to_log(3).unwrap();
        assert_eq!((offsets(&first), first.next_offset), (vec![10, 11, 14], 15));
        assert!(partition.next_to_log(3).is_none(), "one batch is being logged");
        assert!(partition.next_to_count().is_none(), "none is logged");
        partition.finish_logging(logged(first));
        assert_eq!(partition.next_to_count().unwrap().1, Some(10));

        let second = partition.next_to_log(1).unwrap();
        assert_eq!((offsets(&second), partition.steps_in_flight()), (vec![15], 2));
        partition.finish_logging(logged(second));
        assert!(
            partition.next_to_count().is_none(),
            "the first batch is being counted"
        );
        assert!(partition.next_to_log(3).is_none(), "a logged batch waits");
        assert_eq!(partition.settled_applied_offset(), None);
        partition.advance(15);
        assert_eq!(
            (partition.lag.get(), partition.take_uncommitted()),
            (85, Some((2, 15)))
        );
        assert_eq!(partition.take_uncommitted(), None);
        assert_eq!(partition.next_to_count().unwrap().1, Some(15));
        partition.advance(16);
        assert_eq!(log_and_count(&mut partition, 3), (vec![16], Some(16)));
        partition.advance(17);
        assert!(partition.next_to_log(3).is_none(), "no record is pending");
        assert_eq!(partition.settled_applied_offset(), Some(Some(17)));
    }

    #[test]
    fn records_that_another_consumer_counted_are_dropped() {
        let mut partition = partition(Some(10));
        push(&mut partition, 10..20);
        log_and_count(&mut partition, 2);
        let second = partition.next_to_log(2).unwrap();
        partition.finish_logging(logged(second));
        let third = partition.next_to_log(2);
        assert!(third.is_none());
        partition.advance(17);
        assert!(partition.next_to_count().is_none(), "the logged batch is counted");
        assert_eq!(log_and_count(&mut partition, 100), (vec![17, 18, 19], Some(17)));
    }

    #[test]
    fn batch_that_another_consumer_counted_while_it_was_logged_is_dropped() {
        let mut partition = partition(Some(10));
        push(&mut partition, 10..14);
        log_and_count(&mut partition, 2);
        let second = partition.next_to_log(2).unwrap();
        partition.advance(14);
        partition.finish_logging(logged(second));
        assert!(partition.next_to_count().is_none());
    }

    #[test]
    fn later_records_that_another_consumer_counted_are_not_added() {
        let mut partition = partition(Some(10));
        push(&mut partition, 10..13);
        log_and_count(&mut partition, 9);
        partition.advance(17);
        push(&mut partition, 13..20);
        assert_eq!(log_and_count(&mut partition, 100), (vec![17, 18, 19], Some(17)));
    }

    #[test]
    fn batch_that_was_logged_during_a_rewind_is_not_counted() {
        let mut partition = partition(Some(30));
        push(&mut partition, 30..35);
        log_and_count(&mut partition, 2);
        let second = partition.next_to_log(2).unwrap();
        assert_eq!(partition.rewind(Some(20)), 20);
        partition.seek_completed(20);
        push(&mut partition, 20..22);
        assert!(
            partition.next_to_log(9).is_none(),
            "a batch is still being logged"
        );
        partition.finish_logging(logged(second));
        assert!(partition.next_to_count().is_none());
        assert_eq!(log_and_count(&mut partition, 9), (vec![20, 21], Some(20)));
    }

    #[test]
    fn records_read_before_a_seek_completes_are_ignored() {
        let mut partition = partition(Some(30));
        push(&mut partition, 30..35);
        log_and_count(&mut partition, 2);
        assert_eq!(partition.rewind(Some(20)), 20);
        assert_eq!(
            (partition.settled_applied_offset(), partition.lag.get()),
            (None, 80)
        );
        push(&mut partition, 35..40);
        partition.seek_completed(30);
        assert!(partition.next_to_log(9).is_none(), "an older seek completed");
        partition.seek_completed(20);
        push(&mut partition, 20..22);
        assert_eq!(log_and_count(&mut partition, 9), (vec![20, 21], Some(20)));
        assert_eq!(partition.rewind(None), 5);
    }
}
