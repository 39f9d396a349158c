//! Dead letters: records that nobody can read, kept as they came, with headers that say where from and why.

use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::{KafkaError, Record, settings};

/// Header: the topic that the record came from.
pub const TOPIC_HEADER: &str = "dlq.topic";
/// Header: its partition there, in decimal.
pub const PARTITION_HEADER: &str = "dlq.partition";
/// Header: its offset there, in decimal.
pub const OFFSET_HEADER: &str = "dlq.offset";
/// Header: why it could not be read.
pub const ERROR_HEADER: &str = "dlq.error";

/// One attempt; whoever sends decides about the next.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The way into the dead letter topic.
#[derive(Clone)]
pub struct DeadLetters {
    producer: FutureProducer,
    topic: String,
}

impl std::fmt::Debug for DeadLetters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("DeadLetters")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl DeadLetters {
    /// A producer for the dead letter topic `topic`.
    pub fn new(brokers: &str, topic: &str) -> Result<Self, KafkaError> {
        let producer =
            settings::client(brokers, "consumer-dead-letters", &settings::producer(TIMEOUT)).create()?;
        Ok(Self {
            producer,
            topic: topic.to_owned(),
        })
    }

    /// Writes a copy of `record`, which came from `origin_topic`; returns after Kafka has acknowledged it. A letter
    /// may be written twice when an attempt fails late: its headers say which are one.
    pub async fn send(&self, record: &Record, origin_topic: &str, error: &str) -> Result<(), KafkaError> {
        let (partition, offset) = (record.partition.to_string(), record.offset.to_string());
        let origin = [
            (TOPIC_HEADER, origin_topic),
            (PARTITION_HEADER, &partition),
            (OFFSET_HEADER, &offset),
            (ERROR_HEADER, error),
        ];
        let own = record
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()));
        let headers = origin
            .map(|(name, value)| (name, value.as_bytes()))
            .into_iter()
            // A letter that is sent back and fails again has its newest origin only.
            .chain(own.filter(|(name, _)| !origin.iter().any(|(taken, _)| taken == name)))
            .fold(OwnedHeaders::new(), |headers, (key, value)| {
                headers.insert(Header {
                    key,
                    value: Some(value),
                })
            });
        let letter = FutureRecord {
            topic: &self.topic,
            partition: None,
            payload: Some(&record.payload),
            key: record.key.as_ref(),
            // Its own time: retention must count from the failure, not from the vote.
            timestamp: None,
            headers: Some(headers),
        };
        match self.producer.send(letter, TIMEOUT).await {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error.into()),
        }
    }
}
