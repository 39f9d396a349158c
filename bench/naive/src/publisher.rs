//! Publishes votes to Kafka with one producer that all handlers share.

use std::time::{Duration, SystemTime};

use prost::Message;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};
use uuid::Uuid;

use crate::votes::{Receipt, Route, Vote, VoteEvent};

/// A Kafka producer and its topic, shared by all handlers.
#[derive(Clone)]
pub(crate) struct Publisher {
    producer: FutureProducer,
    topic: String,
}

impl Publisher {
    pub(crate) fn new(brokers: &str, topic: &str, settings: &[(String, String)]) -> Result<Self, KafkaError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("acks", "all")
            .set("linger.ms", "1");
        for (name, value) in settings {
            config.set(name, value);
        }
        Ok(Self {
            producer: config.create()?,
            topic: topic.to_owned(),
        })
    }

    /// Sends one vote as a record that the consumer reads, and waits until Kafka has acknowledged it.
    pub(crate) async fn publish(&self, vote: Vote, route: Route) -> Result<Receipt, KafkaError> {
        let vote_id = Uuid::new_v4().to_string();
        let received_at = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let event = VoteEvent {
            name: vote.name,
            album: vote.album,
            year: vote.year,
            rank: vote.rank,
            vote_id: vote_id.clone(),
            route: route.into(),
            received_at_us: received_at.as_micros() as i64,
            id_from_client: false,
        };
        let payload = event.encode_to_vec();
        let record = FutureRecord::to(&self.topic).key(&vote_id).payload(&payload);
        let delivered = self
            .producer
            .send(record, Duration::from_secs(5))
            .await
            .map_err(|(error, _)| error)?;
        Ok(Receipt {
            vote_id,
            route: match route {
                Route::Grpc => "grpc".to_owned(),
                _ => "rest".to_owned(),
            },
            partition: delivered.partition,
            offset: delivered.offset,
        })
    }
}
