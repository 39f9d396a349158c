//! The sink that makes votes durable: acknowledged by Kafka before anybody is told so.

use std::sync::Arc;
use std::time::Duration;

use ingest::{EncodedVote, Position, Sink, SinkError};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;

use crate::health::{self, Health};
use crate::{KafkaArgs, KafkaError, ProducerArgs, settings};

/// Publishes into one topic.
pub struct KafkaSink {
    producer: FutureProducer,
    topic: String,
    health: Arc<Health>,
}

impl KafkaSink {
    /// Connects in the background; `report` hears once a second whether the topic can be written to, and why not.
    /// `deadline` bounds how long a record may be on its way. `fatal` hears of a failure after which this producer writes
    /// nothing any more, and only a new process helps.
    pub fn new(
        args: &KafkaArgs,
        deadline: Duration,
        report: impl Fn(Result<(), String>) + Send + 'static,
        fatal: impl FnOnce(String) + Send + 'static,
    ) -> Result<Self, KafkaError> {
        let producer: FutureProducer = settings::ingest_client(args, deadline).create()?;
        let health = health::watch(producer.clone(), args.topic.clone(), report, fatal)?;
        Ok(Self {
            producer,
            topic: args.topic.clone(),
            health,
        })
    }

    /// The producer's settings, for the effective configuration.
    pub fn settings(args: &ProducerArgs, deadline: Duration) -> Vec<(&'static str, String)> {
        settings::producer(args, deadline)
    }

    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    /// Waits until everything that was handed over is acknowledged or has failed; part of a drain. Blocks.
    pub fn flush(&self, timeout: Duration) -> Result<(), KafkaError> {
        Ok(self.producer.flush(timeout)?)
    }

    /// The partition to name, or `None` to let the key decide.
    ///
    /// An id that the client chose can come again, and its copies must meet in one partition. An id made here comes
    /// once, so any partition will do, and one at a time is best: a batch per linger instead of one per partition, a
    /// sixth of the requests for the broker. The id's own milliseconds turn the wheel, so that no clock is read.
    pub(crate) fn partition(&self, record: &EncodedVote) -> Option<i32> {
        let partitions = self.health.partitions();
        if record.client_id || partitions == 0 {
            return None;
        }
        let milliseconds = record.vote_id.as_u128() >> 80;
        i32::try_from(milliseconds % u128::from(partitions.unsigned_abs())).ok()
    }
}

impl Sink for KafkaSink {
    async fn publish(&self, record: EncodedVote) -> Result<Position, SinkError> {
        send(&self.producer, &self.topic, self.partition(&record), &record).await
    }

    fn available(&self) -> Result<(), SinkError> {
        self.health.availability.state()
    }
}

/// Hands a record to `producer` and waits for its acknowledgement.
pub(crate) async fn send(
    producer: &FutureProducer,
    topic: &str,
    partition: Option<i32>,
    record: &EncodedVote,
) -> Result<Position, SinkError> {
    let mut key_buffer = [0_u8; uuid::fmt::Hyphenated::LENGTH];
    let key: &str = record.vote_id.as_hyphenated().encode_lower(&mut key_buffer);
    let mut message = FutureRecord::to(topic).key(key).payload(&record.payload);
    message.partition = partition;
    // `FutureProducer::send` would wait on a full queue, in steps of 100 ms; admission has already decided how many may
    // wait.
    let delivery = producer
        .send_result(message)
        .map_err(|(error, _)| sink_error(&error))?;
    match delivery.await {
        Ok(Ok(delivered)) => Ok(Position {
            partition: delivered.partition,
            offset: delivered.offset,
        }),
        Ok(Err((error, _))) => Err(sink_error(&error)),
        Err(_) => Err(SinkError::Unavailable("the producer was shut down".to_owned())),
    }
}

pub(crate) fn sink_error(error: &ClientError) -> SinkError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::QueueFull) => SinkError::Full,
        Some(RDKafkaErrorCode::MessageTimedOut | RDKafkaErrorCode::RequestTimedOut) => SinkError::Deadline,
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidArgument) => {
            SinkError::Internal(error.to_string())
        }
        _ => SinkError::Unavailable(error.to_string()),
    }
}
