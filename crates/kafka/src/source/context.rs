//! Rebalances: called by the client library from within `poll`, on the consuming thread.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::mpsc::UnboundedSender;

use super::config::MAX_POLL_INTERVAL_MS;
use super::{Answer, SourceEvent, offset_list};

/// Heartbeats go on while the thread waits, but not beyond the poll interval: give up well before the group does.
const START_PATIENCE: Duration = Duration::from_millis(MAX_POLL_INTERVAL_MS / 2);
/// Long enough for a batch in flight; one that takes longer is fenced off by the offsets in the store.
const REVOKE_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct GroupContext {
    pub(super) topic: String,
    pub(super) events: UnboundedSender<SourceEvent>,
}

impl GroupContext {
    fn assign(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) -> Result<(), String> {
        let (sender, offsets) = sync_channel(1);
        let partitions = partitions_of(list);
        if partitions.is_empty() {
            drop(sender);
        } else {
            let start = Answer(sender);
            let _ = self.events.send(SourceEvent::Assigned { partitions, start });
        }
        let (start, outcome) = match offsets.recv_timeout(START_PATIENCE) {
            Ok(offsets) => (offset_list(&self.topic, &offsets), Ok(())),
            // Nobody to ask: nothing was assigned, or the source is being closed.
            Err(RecvTimeoutError::Disconnected) => (TopicPartitionList::new(), Ok(())),
            Err(RecvTimeoutError::Timeout) => {
                let reason = format!("no start offsets within {START_PATIENCE:?}");
                (TopicPartitionList::new(), Err(reason))
            }
        };
        // Always answered, even with nothing: until then the group waits for this member.
        consumer
            .incremental_assign(&start)
            .map_err(|error| error.to_string())?;
        outcome
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) -> Result<(), String> {
        let partitions = partitions_of(list);
        let (sender, applied) = sync_channel(1);
        let done = Answer(sender);
        let is_heard = self
            .events
            .send(SourceEvent::Revoked { partitions, done })
            .is_ok();
        if is_heard
            && let Ok(applied) = applied.recv_timeout(REVOKE_PATIENCE)
            && !applied.is_empty()
            && !consumer.assignment_lost()
            && let Err(error) = consumer.commit(&offset_list(&self.topic, &applied), CommitMode::Sync)
        {
            tracing::warn!(%error, "offsets of revoked partitions not committed");
        }
        consumer
            .incremental_unassign(list)
            .map_err(|error| error.to_string())
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let outcome = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, list),
            _ => self.revoke(consumer, list),
        };
        if let Err(reason) = outcome {
            let _ = self
                .events
                .send(SourceEvent::Failed(format!("rebalance: {reason}")));
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        // The offsets that count are in the store; these serve monitoring, and the next commit makes up for a lost one.
        if let Err(error) = result {
            tracing::debug!(%error, "offsets not committed");
        }
    }
}

impl ClientContext for GroupContext {
    fn error(&self, error: KafkaError, reason: &str) {
        // The thread gets the same from its polls, and says what is worth a warning.
        tracing::debug!(%error, reason, "kafka consumer");
    }

    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "kafka consumer");
    }
}

fn partitions_of(list: &TopicPartitionList) -> Vec<i32> {
    list.elements()
        .iter()
        .map(rdkafka::topic_partition_list::TopicPartitionListElem::partition)
        .collect()
}
