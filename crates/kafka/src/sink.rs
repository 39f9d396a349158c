//! The sink that writes votes to Kafka and returns after Kafka has acknowledged them.

use std::sync::Arc;
use std::time::Duration;

use ingest::{EncodedVote, Position, Sink, SinkError};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, Producer};
use rdkafka::types::RDKafkaErrorCode;
use tokio::time::timeout_at;

use crate::context::Context;
use crate::health::{self, Health};
use crate::record::vote_record;
use crate::{KafkaArgs, KafkaError, ProducerArgs, settings};

/// Publishes votes to one topic and checks the health of the topic.
pub struct KafkaSink {
    producer: VoteProducer,
    health: Arc<Health>,
}

/// A producer of votes for one topic.
pub struct VoteProducer {
    producer: FutureProducer<Context>,
    context: Context,
    topic: String,
}

impl KafkaSink {
    /// Connects in the background. `report` is called once a second: with `Ok` if the topic is writable, or with the
    /// reason why it is not. `deadline` bounds the time from sending a record to its acknowledgement. `fatal` receives the reason of
    /// a failure after which the producer cannot write any more, so that the process must be restarted.
    pub fn new(
        args: &KafkaArgs,
        deadline: Duration,
        report: impl Fn(Result<(), String>) + Send + 'static,
        fatal: impl FnOnce(String) + Send + 'static,
    ) -> Result<Self, KafkaError> {
        let producer = VoteProducer::new(args, deadline)?;
        let health = health::watch(
            producer.producer.clone(),
            producer.context.connection_log.clone(),
            args.topic.clone(),
            report,
            fatal,
        )?;
        Ok(Self { producer, health })
    }

    /// The settings of the producer, for the effective configuration.
    pub fn settings(args: &ProducerArgs, deadline: Duration) -> Vec<(&'static str, String)> {
        settings::producer(args, deadline)
    }

    /// Waits at most `timeout` until every record is acknowledged or has failed; part of a drain. Blocks.
    pub fn flush(&self, timeout: Duration) -> Result<(), KafkaError> {
        Ok(self.producer.producer.flush(timeout)?)
    }

    /// The partition of a vote. `None` lets the key select it.
    ///
    /// A vote whose client chose the id can be sent again, and all copies must go to one partition. Any other vote can
    /// go to any partition: all such votes of one millisecond go to one partition, and those of the next millisecond to
    /// the next. The producer then sends one batch per linger instead of one per partition, which with N partitions is
    /// 1/N of the requests. The timestamp in the UUIDv7 selects the partition, so no clock is read. It also matters that the
    /// partition changes: an idempotent producer of librdkafka 2.12 has one request with five or more records in flight for each
    /// partition (librdkafka pull request 4989), and its thread uses the CPU while the next batch waits for it.
    pub fn partition(&self, record: &EncodedVote) -> Option<i32> {
        let partitions = self.health.partitions();
        if record.id_from_client || partitions == 0 {
            return None;
        }
        let milliseconds = record.vote_id.as_u128() >> 80;
        i32::try_from(milliseconds % u128::from(partitions.unsigned_abs())).ok()
    }
}

impl Sink for KafkaSink {
    async fn publish(&self, record: EncodedVote) -> Result<Position, SinkError> {
        self.producer.send(self.partition(&record), &record).await
    }

    async fn publish_all(&self, records: Vec<EncodedVote>) -> Vec<Result<Position, SinkError>> {
        // First hand all records to the producer. Then it makes no difference that the acknowledgements are awaited one after
        // another, and there is one timer instead of one for each.
        let records = records.into_iter();
        let sent = records.map(|record| {
            let delivery = self.producer.enqueue(self.partition(&record), &record);
            (delivery, record.deadline)
        });
        let sent: Vec<_> = sent.collect();
        let mut results = Vec::with_capacity(sent.len());
        for (delivery, deadline) in sent {
            results.push(match delivery {
                Ok(delivery) => timeout_at(deadline.into(), acknowledged(delivery))
                    .await
                    .unwrap_or(Err(SinkError::Deadline)),
                Err(error) => Err(error),
            });
        }
        results
    }

    fn available(&self) -> Result<(), SinkError> {
        self.health.availability.state()
    }
}

impl VoteProducer {
    /// Connects in the background. `deadline` bounds the time from sending a record to its acknowledgement. Dropping
    /// the producer blocks until it is closed.
    pub fn new(args: &KafkaArgs, deadline: Duration) -> Result<Self, KafkaError> {
        let brokers = args.brokers.open()?;
        let context = Context::new(&brokers);
        let client = settings::ingest_client(&brokers, &args.producer, deadline);
        Ok(Self {
            producer: client.create_with_context(context.clone())?,
            context,
            topic: args.topic.clone(),
        })
    }

    /// Sends a vote and waits for its acknowledgement. Without `partition`, the key selects the partition.
    pub async fn send(&self, partition: Option<i32>, vote: &EncodedVote) -> Result<Position, SinkError> {
        acknowledged(self.enqueue(partition, vote)?).await
    }

    /// Hands a vote to the client library, which sends it in the background.
    fn enqueue(&self, partition: Option<i32>, vote: &EncodedVote) -> Result<DeliveryFuture, SinkError> {
        let mut key_buffer = [0_u8; uuid::fmt::Hyphenated::LENGTH];
        let key: &str = vote.vote_id.as_hyphenated().encode_lower(&mut key_buffer);
        let record = vote_record(&self.topic, key, partition, vote);
        // `FutureProducer::send` would wait for space in a full queue, in steps of 100 ms. Admission already limits the
        // votes in flight, so a full queue is an error.
        self.producer
            .send_result(record)
            .map_err(|(error, _)| sink_error(&error))
    }
}

async fn acknowledged(delivery: DeliveryFuture) -> Result<Position, SinkError> {
    match delivery.await {
        Ok(Ok(delivered)) => Ok(Position {
            partition: delivered.partition,
            offset: delivered.offset,
        }),
        Ok(Err((error, _))) => Err(sink_error(&error)),
        Err(_) => Err(SinkError::Unavailable("the producer was shut down".to_owned())),
    }
}

impl From<KafkaError> for SinkError {
    fn from(error: KafkaError) -> Self {
        match error {
            KafkaError::Client(error) => sink_error(&error),
            error => Self::Internal(error.to_string()),
        }
    }
}

fn sink_error(error: &ClientError) -> SinkError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::QueueFull) => SinkError::Full,
        Some(RDKafkaErrorCode::MessageTimedOut | RDKafkaErrorCode::RequestTimedOut) => SinkError::Deadline,
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidArgument) => {
            SinkError::Internal(error.to_string())
        }
        _ => SinkError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    use uuid::Uuid;

    use super::*;
    use crate::{BrokerArgs, SinkKind};

    const DEADLINE: Duration = Duration::from_secs(30);

    fn args(cluster: &MockCluster<'_, impl rdkafka::ClientContext>) -> KafkaArgs {
        KafkaArgs {
            brokers: BrokerArgs::plaintext(&cluster.bootstrap_servers()),
            topic: "votes".to_owned(),
            sink: SinkKind::Kafka,
            producer: ProducerArgs::default(),
        }
    }

    fn record(deadline: Duration) -> EncodedVote {
        EncodedVote {
            vote_id: Uuid::nil(),
            id_from_client: true,
            payload: b"an event".to_vec(),
            deadline: Instant::now() + deadline,
            trace: None,
        }
    }

    #[tokio::test]
    async fn results_of_records_that_are_published_together_are_in_order() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("votes", 1, 1).unwrap();
        let sink = KafkaSink::new(&args(&cluster), DEADLINE, |_| {}, |_| {}).unwrap();
        let results = sink
            .publish_all((0..100).map(|_| record(DEADLINE)).collect())
            .await;
        let offsets: Vec<_> = results.into_iter().map(|result| result.unwrap().offset).collect();
        assert_eq!(offsets, (0..100).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn records_that_are_published_together_keep_their_deadlines() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("votes", 1, 1).unwrap();
        let sink = KafkaSink::new(&args(&cluster), DEADLINE, |_| {}, |_| {}).unwrap();
        cluster
            .broker_round_trip_time(-1, Duration::from_secs(2))
            .unwrap();
        let records = [50, 30_000].map(|ms| record(Duration::from_millis(ms)));
        let results = sink.publish_all(records.into()).await;
        assert_eq!(results[0], Err(SinkError::Deadline));
        assert!(results[1].is_ok(), "{results:?}");
    }

    #[tokio::test]
    async fn fatal_error_of_one_producer_does_not_affect_the_next() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("votes", 1, 1).unwrap();
        let (args, record) = (args(&cluster), record(DEADLINE));
        // After this error, an idempotent producer can no longer write.
        cluster.request_errors(
            RDKafkaApiKey::Produce,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER],
        );
        let failed = VoteProducer::new(&args, DEADLINE).unwrap();
        assert!(failed.send(None, &record).await.is_err());
        let next = VoteProducer::new(&args, DEADLINE).unwrap();
        assert!(next.send(None, &record).await.is_ok());
    }
}
