//! A fault to teach with: a producer for each record. Connecting, asking for metadata and getting a producer's id then
//! belong to every vote.

use ingest::{EncodedVote, Position, Sink, SinkError};
use rdkafka::ClientConfig;
use rdkafka::producer::FutureProducer;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::sink::{KafkaSink, send, sink_error};

/// Publishes each record by a producer of its own.
pub(crate) struct ProducerPerRecord {
    /// Knows the topic and its health, and publishes nothing.
    sink: KafkaSink,
    /// What each producer is made from.
    config: ClientConfig,
}

impl ProducerPerRecord {
    /// Publishes where `sink` would, by producers made from `config`.
    pub(crate) fn new(sink: KafkaSink, config: ClientConfig) -> Self {
        Self { sink, config }
    }
}

impl Sink for ProducerPerRecord {
    async fn publish(&self, record: EncodedVote) -> Result<Position, SinkError> {
        let (config, topic) = (self.config.clone(), self.sink.topic().to_owned());
        let partition = self.sink.partition(&record);
        let (answer, answered) = oneshot::channel();
        let runtime = Handle::current();
        // Making and closing a producer blocks.
        tokio::task::spawn_blocking(move || {
            let producer = config.create::<FutureProducer>();
            let published = match &producer {
                Ok(producer) => runtime.block_on(send(producer, &topic, partition, &record)),
                Err(error) => Err(sink_error(error)),
            };
            // Before the producer is closed, which takes a tenth of a second in this library and less in others.
            let _ = answer.send(published);
        });
        answered
            .await
            .unwrap_or_else(|_| Err(SinkError::Internal("the record's producer has failed".to_owned())))
    }

    fn available(&self) -> Result<(), SinkError> {
        self.sink.available()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    use uuid::Uuid;

    use super::*;
    use crate::{KafkaArgs, ProducerArgs, SinkKind, settings};

    const DEADLINE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn what_ends_a_producer_is_over_with_its_record() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("votes", 1, 1).unwrap();
        let args = KafkaArgs {
            kafka_brokers: cluster.bootstrap_servers(),
            topic: "votes".to_owned(),
            sink: SinkKind::Kafka,
            producer: ProducerArgs::default(),
        };
        let (states, reported) = mpsc::channel();
        let report = move |state| states.send(state).unwrap_or_default();
        let sink = KafkaSink::new(&args, DEADLINE, report, |reason| panic!("{reason}")).unwrap();
        let sink = ProducerPerRecord::new(sink, settings::ingest_client(&args, DEADLINE));
        assert_eq!(reported.recv_timeout(DEADLINE), Ok(Ok(())));
        let record = EncodedVote {
            vote_id: Uuid::nil(),
            client_id: true,
            payload: b"an event".to_vec(),
            deadline: Instant::now() + DEADLINE,
        };

        // A producer that sees this writes nothing any more.
        cluster.request_errors(
            RDKafkaApiKey::Produce,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER],
        );
        assert!(sink.publish(record.clone()).await.is_err());
        assert!(sink.publish(record).await.is_ok());
    }
}
