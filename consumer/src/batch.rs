//! A batch: consecutive records of one partition.

use std::time::{Duration, Instant};

use kafka::Record;
use kafka::dead_letter::is_replayed;
use kafka::source::{Delivery, Permit};
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

/// A record after decoding. Many records wait in memory, so a vote does not keep the bytes from which it was decoded.
#[derive(Debug)]
pub enum DecodedRecord {
    /// The record of a vote.
    Vote(VoteAtOffset),
    /// The record cannot be decoded.
    DeadLetter(Box<DeadLetter>),
}

/// A decoded vote with its offset in Kafka.
#[derive(Debug)]
pub struct VoteAtOffset {
    /// The offset within the batch's partition.
    pub offset: i64,
    /// The vote.
    pub event: VoteEvent,
    /// Whether an operator sent the record again.
    pub is_replayed: bool,
    /// The span that wrote the record; `None` if its trace is not sampled.
    pub span_context: Option<Box<SpanContext>>,
    _permit: Permit,
}

/// A record that cannot be decoded.
#[derive(Debug)]
pub struct DeadLetter {
    /// The record.
    pub record: Record,
    /// The reason.
    pub error: EventError,
    _permit: Permit,
}

/// Consecutive records of one partition.
#[derive(Debug)]
pub struct Batch {
    /// The topic that this consumer reads.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
    /// When the last of the records, or a later one, arrived.
    pub received_at: Instant,
    /// Identifies the reading of the partition since its last rewind.
    pub epoch: u64,
    /// The applied offset after this batch: one more than the offset of the last record.
    pub next_offset: i64,
    /// How full the partition's allowance of undecodable records is before this batch.
    pub level: DeadLetterLevel,
    /// The records, in offset order; at least one.
    pub records: Vec<DecodedRecord>,
}

/// The records of a batch by their use.
#[derive(Debug, Default)]
pub struct BatchContent {
    /// The votes to count, in offset order.
    pub votes: Vec<VoteAtOffset>,
    /// The records that cannot be decoded.
    pub dead_letters: Vec<DeadLetter>,
    /// How full the partition's allowance of undecodable records is after the batch.
    pub level: DeadLetterLevel,
}

impl From<Delivery> for DecodedRecord {
    fn from(delivery: Delivery) -> Self {
        let Delivery { record, permit } = delivery;
        match VoteEvent::decode(&record.payload) {
            Ok(event) => Self::Vote(VoteAtOffset {
                offset: record.offset,
                event,
                is_replayed: is_replayed(&record),
                span_context: record.span_context().map(Box::new),
                _permit: permit,
            }),
            Err(error) => Self::DeadLetter(Box::new(DeadLetter {
                record,
                error,
                _permit: permit,
            })),
        }
    }
}

impl DecodedRecord {
    /// The offset within the partition.
    pub fn offset(&self) -> i64 {
        match self {
            Self::Vote(vote) => vote.offset,
            Self::DeadLetter(dead_letter) => dead_letter.record.offset,
        }
    }
}

impl VoteAtOffset {
    /// A vote that does not come from a source, so that it counts against no limit.
    pub fn new(offset: i64, event: VoteEvent) -> Self {
        Self {
            offset,
            event,
            is_replayed: false,
            span_context: None,
            _permit: Permit::default(),
        }
    }

    /// Whether the vote may already be counted: a client chose its id, or an operator sent its record again.
    pub fn may_be_counted(&self) -> bool {
        self.event.id_from_client || self.is_replayed
    }
}

impl Batch {
    /// Takes the records out of the batch. Errors if they raise the level of its partition above `limit`.
    pub fn take_content(&mut self, limit: u32) -> Result<BatchContent, DeadLetterLimitExceeded> {
        let mut content = BatchContent {
            votes: Vec::with_capacity(self.records.len()),
            level: self.level,
            ..BatchContent::default()
        };
        for record in std::mem::take(&mut self.records) {
            match record {
                DecodedRecord::Vote(vote) => {
                    content.level = content.level.after_decodable();
                    content.votes.push(vote);
                }
                DecodedRecord::DeadLetter(dead_letter) => content.add_dead_letter(*dead_letter, limit)?,
            }
        }
        Ok(content)
    }
}

impl BatchContent {
    fn add_dead_letter(
        &mut self,
        dead_letter: DeadLetter,
        limit: u32,
    ) -> Result<(), DeadLetterLimitExceeded> {
        self.level = self.level.after_undecodable();
        if self.level.exceeds(limit) {
            let DeadLetter { record, error, .. } = dead_letter;
            return Err(DeadLetterLimitExceeded {
                partition: record.partition,
                offset: record.offset,
                limit,
                reason: error.to_string(),
            });
        }
        self.dead_letters.push(dead_letter);
        Ok(())
    }
}
