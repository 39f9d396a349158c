//! Checks once a second whether the topic can be written to. A dedicated thread asks the broker, because the metadata
//! call of the client library blocks.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use ingest::Availability;
use rdkafka::producer::{FutureProducer, Producer};

use crate::KafkaError;
use crate::connection_log::ConnectionLog;
use crate::context::Context;

const INTERVAL: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(1);
const FAILURES_UNTIL_DOWN: u32 = 2;

/// The last known state of the topic.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Whether the topic can be written to.
    pub(crate) availability: Availability,
    partitions: AtomicI32,
}

impl Health {
    /// The number of partitions; 0 until the first successful check.
    pub(crate) fn partitions(&self) -> i32 {
        self.partitions.load(Ordering::Relaxed)
    }
}

/// Starts the health check, which passes every result to `report`. It ends when the last `Arc` of the returned state is
/// dropped, or at the first fatal error of the producer, which it passes to `fatal`.
pub(crate) fn watch(
    producer: FutureProducer<Context>,
    connection_log: ConnectionLog,
    topic: String,
    report: impl Fn(Result<(), String>) + Send + 'static,
    fatal: impl FnOnce(String) + Send + 'static,
) -> Result<Arc<Health>, KafkaError> {
    let health = Arc::new(Health::default());
    let observed = Arc::downgrade(&health);
    std::thread::Builder::new()
        .name("kafka-health".to_owned())
        .spawn(move || probe_while_in_use(&observed, &producer, &connection_log, &topic, report, fatal))
        .map_err(|_| KafkaError::Thread("kafka-health"))?;
    Ok(health)
}

fn probe_while_in_use(
    observed: &Weak<Health>,
    producer: &FutureProducer<Context>,
    connection_log: &ConnectionLog,
    topic: &str,
    report: impl Fn(Result<(), String>),
    fatal: impl FnOnce(String),
) {
    let mut failures_in_a_row = 0_u32;
    loop {
        let state = probe(producer, connection_log, topic);
        let Some(health) = observed.upgrade() else { return };
        if let Some((code, reason)) = producer.client().fatal_error() {
            let reason = format!("the Kafka producer has failed for good ({code}): {reason}");
            health.availability.set(&Err(reason.clone()));
            report(Err(reason.clone()));
            return fatal(reason);
        }
        failures_in_a_row = if state.is_ok() { 0 } else { failures_in_a_row + 1 };
        // One slow response of a busy broker is not an outage.
        if state.is_ok() || failures_in_a_row >= FAILURES_UNTIL_DOWN {
            if let Ok(partitions) = state {
                health.partitions.store(partitions, Ordering::Relaxed);
            }
            let state = state.map(|_| ());
            health.availability.set(&state);
            report(state);
        }
        drop(health);
        std::thread::sleep(INTERVAL);
    }
}

/// The number of partitions of the topic. An error if one of them has no leader.
fn probe(
    producer: &FutureProducer<Context>,
    connection_log: &ConnectionLog,
    topic: &str,
) -> Result<i32, String> {
    let metadata = producer
        .client()
        .fetch_metadata(Some(topic), TIMEOUT)
        .map_err(|error| connection_log.explain(format!("no broker responds: {error}")))?;
    connection_log.clear();
    let described = metadata
        .topics()
        .first()
        .ok_or_else(|| format!("no metadata for topic {topic}"))?;
    if let Some(error) = described.error() {
        return Err(format!(
            "topic {topic}: {}",
            rdkafka::types::RDKafkaErrorCode::from(error)
        ));
    }
    let partitions = described.partitions();
    match partitions.iter().find(|partition| partition.leader() < 0) {
        Some(partition) => Err(format!(
            "topic {topic}: partition {} has no leader",
            partition.id()
        )),
        None => i32::try_from(partitions.len()).map_err(|_| format!("topic {topic} has too many partitions")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Instant;

    use ingest::{EncodedVote, Sink, SinkError};
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    use uuid::Uuid;

    use super::*;
    use crate::{BrokerArgs, KafkaArgs, KafkaSink, ProducerArgs, SinkKind};

    const DEADLINE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn fatal_error_is_reported_once_and_makes_the_sink_unavailable() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("votes", 1, 1).unwrap();
        cluster.request_errors(
            RDKafkaApiKey::Produce,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER],
        );
        let (states, reported) = mpsc::channel();
        let (reasons, failed) = mpsc::channel();
        let args = KafkaArgs {
            brokers: BrokerArgs::plaintext(&cluster.bootstrap_servers()),
            topic: "votes".to_owned(),
            sink: SinkKind::Kafka,
            producer: ProducerArgs::default(),
        };
        let sink = KafkaSink::new(
            &args,
            DEADLINE,
            move |state| states.send(state).unwrap(),
            move |reason| reasons.send(reason).unwrap(),
        )
        .unwrap();
        assert_eq!(reported.recv_timeout(DEADLINE), Ok(Ok(())));

        let record = EncodedVote {
            vote_id: Uuid::nil(),
            id_from_client: true,
            payload: b"an event".to_vec(),
            deadline: Instant::now() + DEADLINE,
            trace: None,
        };
        let rejected = sink.publish(record).await.unwrap_err();
        assert!(matches!(rejected, SinkError::Unavailable(_)), "{rejected:?}");
        let reason = failed.recv_timeout(DEADLINE).unwrap();
        assert!(reason.contains("has failed for good"), "{reason}");
        assert_eq!(sink.available(), Err(SinkError::Unavailable(reason.clone())));
        // The check has ended, so there are no further reports.
        assert_eq!(reported.iter().last(), Some(Err(reason)));
    }
}
