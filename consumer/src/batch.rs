//! A run of records of one partition, and what they turn out to be.

use kafka::Record;
use kafka::dead_letter::is_replayed;
use kafka::source::Delivery;
use uuid::Uuid;
use vote::{EventError, VoteEvent};

use crate::dead_letter_limit::{Flood, Level};

/// Consecutive records of one partition, with the fence that they build on.
#[derive(Debug)]
pub struct Batch {
    /// The topic that its consumer believes it reads.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
    /// The next offset that Redis is believed to hold for the partition; None where it holds none.
    pub fence: Option<i64>,
    /// The fence after this batch: one more than the offset of the last record.
    pub next: i64,
    /// The level of the dead-letter limit before this batch.
    pub level: Level,
    /// The records, in offset order; at least one.
    pub records: Vec<Delivery>,
}

/// A vote with its place in Kafka.
#[derive(Debug)]
pub struct LoggedVote {
    /// The offset within the batch's partition.
    pub offset: i64,
    /// The vote.
    pub event: VoteEvent,
}

/// A batch after decoding.
#[derive(Debug, Default)]
pub struct Decoded {
    /// What is to be counted, in offset order.
    pub votes: Vec<LoggedVote>,
    /// What nobody can read, with the reason.
    pub dead: Vec<(Record, EventError)>,
    /// The level of the dead-letter limit after it.
    pub level: Level,
}

impl Decoded {
    /// Reads every record of a batch, unless more than `limit` of them and of those before cannot be read. Gives its
    /// records' permits back only with the batch: they count as outstanding until they are applied.
    pub fn from_batch(batch: &Batch, limit: u32) -> Result<Self, Flood> {
        let mut decoded = Self {
            level: batch.level,
            ..Self::default()
        };
        for Delivery { record, .. } in &batch.records {
            match VoteEvent::decode(&record.payload) {
                Ok(event) => decoded.read(record, event),
                Err(error) => decoded.bury(record, error, limit)?,
            }
        }
        Ok(decoded)
    }

    fn read(&mut self, record: &Record, mut event: VoteEvent) {
        // Sent again by an operator: as with a client that sends again, a copy may be counted already.
        event.client_id |= is_replayed(record);
        self.level = self.level.after_readable();
        self.votes.push(LoggedVote {
            offset: record.offset,
            event,
        });
    }

    fn bury(&mut self, record: &Record, error: EventError, limit: u32) -> Result<(), Flood> {
        self.level = self.level.after_unreadable();
        if self.level.exceeds(limit) {
            return Err(Flood {
                partition: record.partition,
                offset: record.offset,
                limit,
                reason: error.to_string(),
            });
        }
        self.dead.push((record.clone(), error));
        Ok(())
    }
}
