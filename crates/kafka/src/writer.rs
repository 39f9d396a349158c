//! Writes records unchanged: dead-letter records, and replayed records.

use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::context::Context;
use crate::{Brokers, KafkaError, ProducerArgs, Record, settings};

/// The time limit of one attempt. The caller decides whether to retry.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Writes records into one topic.
#[derive(Clone)]
pub struct RecordWriter {
    producer: FutureProducer<Context>,
    topic: String,
}

impl RecordWriter {
    /// A producer for `topic`.
    pub fn new(brokers: impl Into<Brokers>, topic: &str) -> Result<Self, KafkaError> {
        let brokers = brokers.into();
        let settings = settings::producer(&ProducerArgs::default(), TIMEOUT);
        Ok(Self {
            producer: settings::client(&brokers, "record-writer", &settings)
                .create_with_context(Context::new(&brokers))?,
            topic: topic.to_owned(),
        })
    }

    /// Writes a record's key, value and headers; the key selects the partition. Returns (partition, offset) after Kafka
    /// has acknowledged the record. A failed attempt may still have written it.
    pub async fn write(&self, record: &Record) -> Result<(i32, i64), KafkaError> {
        let headers = record
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| {
                headers.insert(Header {
                    key,
                    value: Some(value),
                })
            });
        let message = FutureRecord {
            topic: &self.topic,
            partition: None,
            payload: Some(&record.payload),
            key: record.key.as_ref(),
            // A new timestamp, so that retention starts now.
            timestamp: None,
            headers: Some(headers),
        };
        match self.producer.send(message, TIMEOUT).await {
            Ok(delivery) => Ok((delivery.partition, delivery.offset)),
            Err((error, _)) => Err(error.into()),
        }
    }
}
