//! Dead letters: records that nobody can read, kept as they came, with headers that say where from and why.

use crate::{KafkaError, Record, RecordWriter};

/// Header: the topic that the record came from.
pub const TOPIC_HEADER: &str = "dlq.topic";
/// Header: its partition there, in decimal.
pub const PARTITION_HEADER: &str = "dlq.partition";
/// Header: its offset there, in decimal.
pub const OFFSET_HEADER: &str = "dlq.offset";
/// Header: why it could not be read.
pub const ERROR_HEADER: &str = "dlq.error";
/// Header of a record that an operator has sent again: where it lay first, as `partition/offset`. A copy of it may have
/// been counted before.
pub const REPLAYED_HEADER: &str = "dlq.replayed";

/// The way into the dead letter topic.
#[derive(Clone)]
pub struct DeadLetters {
    writer: RecordWriter,
}

impl DeadLetters {
    /// A producer for the dead letter topic `topic`.
    pub fn new(brokers: &str, topic: &str) -> Result<Self, KafkaError> {
        Ok(Self {
            writer: RecordWriter::new(brokers, topic)?,
        })
    }

    /// Writes a copy of `record`, which came from `origin_topic`; returns after Kafka has acknowledged it. A letter
    /// may be written twice when an attempt fails late: its headers say which are one.
    pub async fn send(&self, record: &Record, origin_topic: &str, error: &str) -> Result<(), KafkaError> {
        let origin = [
            (TOPIC_HEADER, origin_topic.to_owned()),
            (PARTITION_HEADER, record.partition.to_string()),
            (OFFSET_HEADER, record.offset.to_string()),
            (ERROR_HEADER, error.to_owned()),
        ];
        let mut letter = record.clone();
        // A letter that was sent back and fails again has its newest origin only.
        letter
            .headers
            .retain(|(name, _)| !origin.iter().any(|(taken, _)| taken == name));
        letter
            .headers
            .extend(origin.map(|(name, value)| (name.to_owned(), value.into_bytes())));
        self.writer.write(&letter).await.map(drop)
    }
}
