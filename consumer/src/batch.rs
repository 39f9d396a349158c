//! A batch: consecutive records of one partition, before and after decoding.

use std::time::Duration;

use kafka::Record;
use kafka::dead_letter::is_replayed;
use kafka::source::Delivery;
use opentelemetry::trace::SpanContext;
use uuid::Uuid;
use vote::{EventError, VoteEvent};

use crate::dead_letter_limit::{DeadLetterLevel, DeadLetterLimitExceeded};

/// The limits of a batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Maximum number of records of a batch.
    pub max_records: usize,
    /// Longest time that a record waits for its batch to fill.
    pub linger: Duration,
}

/// Consecutive records of one partition, with the applied offset that they build on.
#[derive(Debug)]
pub struct Batch {
    /// The topic that this consumer reads.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
    /// The applied offset that Redis is expected to hold for the partition; None if no record was counted yet.
    pub applied_offset: Option<i64>,
    /// The applied offset after this batch: one more than the offset of the last record.
    pub next_offset: i64,
    /// How full the partition's allowance of undecodable records is before this batch.
    pub level: DeadLetterLevel,
    /// The records, in offset order; at least one.
    pub records: Vec<Delivery>,
}

/// A decoded vote with its offset in Kafka.
#[derive(Debug)]
pub struct VoteAtOffset {
    /// The offset within the batch's partition.
    pub offset: i64,
    /// The vote.
    pub event: VoteEvent,
}

/// A batch after decoding.
#[derive(Debug, Default)]
pub struct DecodedBatch {
    /// The votes to count, in offset order.
    pub votes: Vec<VoteAtOffset>,
    /// The records that cannot be decoded, with the reason.
    pub dead_letters: Vec<(Record, EventError)>,
    /// How full the partition's allowance of undecodable records is after the batch.
    pub level: DeadLetterLevel,
}

impl Batch {
    /// The span that wrote the record at `offset`; `None` if its trace is not sampled.
    pub(crate) fn span_context(&self, offset: i64) -> Option<SpanContext> {
        let offset_of = |delivery: &Delivery| delivery.record.offset;
        let index = self.records.binary_search_by_key(&offset, offset_of).ok()?;
        self.records.get(index)?.record.span_context()
    }
}

impl DecodedBatch {
    /// Decodes every record of a batch. Errors if the batch raises the level of its partition above `limit`. The
    /// `Delivery` values stay in the batch, so its records count against `--max-outstanding` until it is applied.
    pub fn from_batch(batch: &Batch, limit: u32) -> Result<Self, DeadLetterLimitExceeded> {
        let mut decoded = Self {
            level: batch.level,
            ..Self::default()
        };
        for Delivery { record, .. } in &batch.records {
            match VoteEvent::decode(&record.payload) {
                Ok(event) => decoded.add_vote(record, event),
                Err(error) => decoded.add_dead_letter(record, error, limit)?,
            }
        }
        Ok(decoded)
    }

    fn add_vote(&mut self, record: &Record, mut event: VoteEvent) {
        // A replayed record may already be counted, so its id is checked like one that a client chose.
        event.id_from_client |= is_replayed(record);
        self.level = self.level.after_decodable();
        self.votes.push(VoteAtOffset {
            offset: record.offset,
            event,
        });
    }

    fn add_dead_letter(
        &mut self,
        record: &Record,
        error: EventError,
        limit: u32,
    ) -> Result<(), DeadLetterLimitExceeded> {
        self.level = self.level.after_undecodable();
        if self.level.exceeds(limit) {
            return Err(DeadLetterLimitExceeded {
                partition: record.partition,
                offset: record.offset,
                limit,
                reason: error.to_string(),
            });
        }
        self.dead_letters.push((record.clone(), error));
        Ok(())
    }
}
