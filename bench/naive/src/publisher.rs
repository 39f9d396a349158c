//! Publishes votes to Kafka with one producer that all handlers share.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};
use uuid::Uuid;

/// A Kafka producer and its topic, shared by all handlers.
#[derive(Clone)]
pub(crate) struct Publisher {
    producer: FutureProducer,
    topic: String,
}

/// The position of a vote in Kafka.
pub(crate) struct Delivery {
    pub(crate) vote_id: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl Publisher {
    pub(crate) fn new(brokers: &str, topic: &str) -> Result<Self, KafkaError> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("acks", "all")
            .set("linger.ms", "1")
            .create()?;
        Ok(Self {
            producer,
            topic: topic.to_owned(),
        })
    }

    /// Sends one vote and waits until Kafka has acknowledged it.
    pub(crate) async fn publish(&self, payload: &[u8]) -> Result<Delivery, KafkaError> {
        let vote_id = Uuid::new_v4().to_string();
        let record = FutureRecord::to(&self.topic).key(&vote_id).payload(payload);
        let delivered = self
            .producer
            .send(record, Duration::from_secs(5))
            .await
            .map_err(|(error, _)| error)?;
        Ok(Delivery {
            vote_id,
            partition: delivered.partition,
            offset: delivered.offset,
        })
    }
}
