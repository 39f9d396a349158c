//! A run of records of one partition, and what they turn out to be.

use kafka::Record;
use kafka::source::Delivery;
use vote::{Event, EventError};

/// Consecutive records of one partition, with the fence that they build on.
#[derive(Debug)]
pub struct Batch {
    /// The partition.
    pub partition: i32,
    /// The next offset that Redis is believed to hold for the partition; None where it holds none.
    pub fence: Option<i64>,
    /// The fence after this batch: one more than the offset of the last record.
    pub next: i64,
    /// The records, in offset order; at least one.
    pub records: Vec<Delivery>,
}

/// A vote with its place in Kafka.
#[derive(Debug)]
pub struct LoggedVote {
    /// The offset within the batch's partition.
    pub offset: i64,
    /// The vote.
    pub event: Event,
}

/// A batch after decoding.
#[derive(Debug, Default)]
pub struct Decoded {
    /// What is to be counted, in offset order.
    pub votes: Vec<LoggedVote>,
    /// What nobody can read, with the reason.
    pub dead: Vec<(Record, EventError)>,
}

impl Decoded {
    /// Reads every record of a batch. Gives its records' permits back only with the batch: they count as outstanding
    /// until they are applied.
    pub fn from_records<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut decoded = Self::default();
        for record in records {
            match Event::decode(&record.payload) {
                Ok(event) => decoded.votes.push(LoggedVote {
                    offset: record.offset,
                    event,
                }),
                Err(error) => decoded.dead.push((record.clone(), error)),
            }
        }
        decoded
    }
}
