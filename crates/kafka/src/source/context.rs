//! Rebalances. The client library calls these functions from within `poll`, on the consuming thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{OnceLock, Weak};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::mpsc::UnboundedSender;

use super::config::MAX_POLL_INTERVAL_MS;
use super::event::{OffsetsReply, SourceEvent};
use super::offsets::offset_list;
use crate::context::Tokens;

/// The client library sends heartbeats while the thread waits, but only within the poll interval: stop waiting well before
/// the group removes this member.
const START_TIMEOUT: Duration = Duration::from_millis(MAX_POLL_INTERVAL_MS / 2);
/// Long enough for a batch in flight. A batch that takes longer cannot be counted twice: the store rejects it, because the
/// new owner of the partition has moved the applied offset.
const REVOKE_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) type GroupConsumer = BaseConsumer<GroupContext>;

pub(crate) struct GroupContext {
    pub(super) topic: String,
    pub(super) events: UnboundedSender<SourceEvent>,
    pub(super) tokens: Tokens,
    pub(super) rebalances: AtomicU64,
    /// The consumer of this context, once it exists.
    pub(super) consumer: OnceLock<Weak<GroupConsumer>>,
}

impl GroupContext {
    /// How often the assignment has changed.
    pub(super) fn rebalances(&self) -> u64 {
        // The consuming thread alone writes and reads it.
        self.rebalances.load(Ordering::Relaxed)
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) -> Result<(), String> {
        let (sender, offsets) = sync_channel(1);
        let partitions = partitions_of(list);
        if partitions.is_empty() {
            drop(sender);
        } else {
            let start = OffsetsReply(sender);
            let _ = self.events.send(SourceEvent::Assigned { partitions, start });
        }
        let (start, outcome) = match offsets.recv_timeout(START_TIMEOUT) {
            Ok(offsets) => (offset_list(&self.topic, &offsets), Ok(())),
            // No answer will come: no partition was assigned, or the source is being closed.
            Err(RecvTimeoutError::Disconnected) => (TopicPartitionList::new(), Ok(())),
            Err(RecvTimeoutError::Timeout) => {
                let reason = format!("the start offsets did not arrive within {START_TIMEOUT:?}");
                (TopicPartitionList::new(), Err(reason))
            }
        };
        self.split(&start);
        // Complete the assignment even if it is empty: the group waits for this member until then.
        consumer
            .incremental_assign(&start)
            .map_err(|error| error.to_string())?;
        outcome
    }

    /// Gives each partition a queue of its own. Afterwards would be too late: records that have arrived in the common queue
    /// could be read after later ones.
    fn split(&self, partitions: &TopicPartitionList) {
        let Some(consumer) = self.consumer.get().and_then(Weak::upgrade) else {
            return;
        };
        for element in partitions.elements() {
            // The queue stays separate without this handle.
            drop(consumer.split_partition_queue(element.topic(), element.partition()));
        }
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) -> Result<(), String> {
        let partitions = partitions_of(list);
        let (sender, applied) = sync_channel(1);
        let done = OffsetsReply(sender);
        let is_source_open = self
            .events
            .send(SourceEvent::Revoked { partitions, done })
            .is_ok();
        if is_source_open
            && let Ok(applied) = applied.recv_timeout(REVOKE_TIMEOUT)
            && !applied.is_empty()
            && !consumer.assignment_lost()
            && let Err(error) = consumer.commit(&offset_list(&self.topic, &applied), CommitMode::Sync)
        {
            tracing::warn!(%error, "could not commit the offsets of revoked partitions; Redis still holds the applied offsets");
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
        self.rebalances.fetch_add(1, Ordering::Relaxed);
        if let Err(reason) = outcome {
            let _ = self
                .events
                .send(SourceEvent::Failed(format!("rebalance: {reason}")));
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        // Redis holds the authoritative offsets. Committed offsets serve monitoring, and the next commit replaces a lost
        // one.
        if let Err(error) = result {
            tracing::debug!(%error, "could not commit offsets");
        }
    }
}

impl ClientContext for GroupContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn error(&self, error: KafkaError, reason: &str) {
        // `poll` returns the same error to the thread, which decides whether to log a warning.
        tracing::debug!(%error, reason, "Kafka client error");
    }

    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "Kafka client log");
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        // The library reports a failure as an error that `poll` returns.
        Ok(self.tokens.next()?)
    }
}

fn partitions_of(list: &TopicPartitionList) -> Vec<i32> {
    list.elements()
        .iter()
        .map(rdkafka::topic_partition_list::TopicPartitionListElem::partition)
        .collect()
}
