//! Applies one batch to the stores, in an order that counts each vote once even if a process crashes between two writes:
//! first the dead-letter topic, then the log, then the tally. The applied offset moves together with the tally, so all
//! stores have every record below it. If a crash leaves the applied offset unchanged, the batch is applied again, and its
//! repeated writes have no effect.
//!
//! Before that, the consumer asks Kafka whether the topic is still the one to which the applied offset belongs. The offsets
//! of a recreated topic look like a continuation, so without the check its first votes would be skipped. The check precedes
//! the log too: a batch from the middle of the new topic can have the second copy of a repeated vote. The log would keep that
//! copy, while the tally, which starts again at offset 0, counts the first.

use std::time::{Duration, Instant, SystemTime};

use kafka::TopicIds;
use kafka::dead_letter::DeadLetterTopic;
use tokio_util::sync::CancellationToken;

use crate::batch::{Batch, DecodedBatch, VoteAtOffset};
use crate::batch_trace::{BatchTracer, traced_write};
use crate::conflicts::Conflicts;
use crate::dead_letter_limit::{DeadLetterLevel, DeadLetterLimitExceeded};
use crate::metrics::Metrics;
use crate::store_retry::StoreRetry;
use crate::tally::{BatchCount, CountOutcome, Tally};
use crate::vote_log::{VoteDocument, VoteLog};

/// The delay until another attempt to count a batch, while a command has stopped all counting to read the counts.
const PAUSED_RETRY_DELAY: Duration = Duration::from_millis(50);

/// The stores to which a batch is applied.
pub struct Stores {
    /// Redis.
    pub tally: Tally,
    /// MongoDB.
    pub log: VoteLog,
    /// Kafka's dead-letter topic.
    pub dead_letters: DeadLetterTopic,
    /// The topic of the votes.
    pub topic: String,
    /// Returns the current id of that topic.
    pub topic_ids: TopicIds,
    /// The limit of undecodable records of a partition; see [`crate::dead_letter_limit`].
    pub dead_letter_limit: u32,
    /// Retries operations on Redis and reports its state.
    pub redis: StoreRetry,
    /// Retries operations on MongoDB and reports its state.
    pub mongodb: StoreRetry,
    /// Retries operations on Kafka and reports its state.
    pub kafka: StoreRetry,
    /// The metrics of applied batches.
    pub metrics: Metrics,
    /// Reports ids that were used for two different votes.
    pub conflicts: Conflicts,
    /// Creates the spans of batches; None if traces are off.
    pub tracer: Option<BatchTracer>,
}

/// The result of applying a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The batch is in all stores, and Redis holds this applied offset.
    Applied {
        /// The applied offset of the partition: its next offset to count.
        applied_offset: i64,
        /// How full the partition's leaky bucket of undecodable records is.
        level: DeadLetterLevel,
    },
    /// Redis holds an older applied offset than the batch builds on, because it lost writes. Resume from that offset.
    RedisBehind {
        /// The applied offset in Redis; None if Redis has none for this partition.
        applied_offset: Option<i64>,
    },
    /// The topic is not the current one: it was recreated, or Redis lost everything. Nothing was counted.
    OtherTopic,
    /// The partition has too many undecodable records. Nothing was written.
    DeadLetterLimitExceeded(DeadLetterLimitExceeded),
    /// Stopped while a store was failing. The batch may or may not be applied.
    Interrupted,
}

impl Stores {
    /// Applies a batch. Retries until it succeeds or until `stop`.
    pub async fn apply(&self, batch: &Batch, stop: &CancellationToken) -> Outcome {
        self.write(batch, stop).await.unwrap_or(Outcome::Interrupted)
    }

    async fn write(&self, batch: &Batch, stop: &CancellationToken) -> Option<Outcome> {
        let check_started = Instant::now();
        let topic_id = self
            .kafka
            .retry(stop, || self.topic_ids.requested_after(check_started))
            .await?;
        if topic_id != batch.topic_id {
            return Some(Outcome::OtherTopic);
        }
        let decoded = match DecodedBatch::from_batch(batch, self.dead_letter_limit) {
            Ok(decoded) => decoded,
            Err(exceeded) => return Some(Outcome::DeadLetterLimitExceeded(exceeded)),
        };
        self.send_to_dead_letter_topic(&decoded, stop).await?;
        let consumed_at = SystemTime::now();
        let documents: Vec<_> = decoded
            .votes
            .iter()
            .map(|vote| VoteDocument::new(batch.partition, vote, consumed_at))
            .collect();
        let tracer = self.tracer.as_ref();
        let mut trace = tracer.and_then(|tracer| tracer.start(batch, &decoded));
        let insert = self.mongodb.write(stop, || self.log.insert(&documents));
        traced_write(&mut trace, "mongodb", insert).await?;
        let outcome = traced_write(&mut trace, "redis", self.count(batch, &decoded, stop)).await?;
        if let (Some(trace), Outcome::Applied { .. }) = (trace, &outcome) {
            trace.finish();
        }
        Some(outcome)
    }

    async fn send_to_dead_letter_topic(
        &self,
        decoded: &DecodedBatch,
        stop: &CancellationToken,
    ) -> Option<()> {
        for (record, error) in &decoded.dead_letters {
            tracing::warn!(
                record.partition,
                record.offset,
                %error,
                trace_id = record.span_context().map(|span| display(span.trace_id())),
                "cannot decode a record; sending it to the dead-letter topic"
            );
            let reason = error.to_string();
            self.kafka
                .write(stop, || self.dead_letters.send(record, &self.topic, &reason))
                .await?;
            self.metrics.dead_letter();
        }
        Some(())
    }

    async fn count(
        &self,
        batch: &Batch,
        decoded: &DecodedBatch,
        stop: &CancellationToken,
    ) -> Option<Outcome> {
        let (level, next_offset) = (decoded.level, batch.next_offset);
        let mut expected = batch.applied_offset;
        let mut votes = expected.map_or(&*decoded.votes, |offset| votes_from(&decoded.votes, offset));
        loop {
            let mut attempts = 0;
            let attempt = || {
                attempts += 1;
                self.tally.count(BatchCount {
                    topic_id: batch.topic_id,
                    partition: batch.partition,
                    applied_offset: expected,
                    next_offset,
                    level,
                    votes,
                })
            };
            let actual = match self.redis.write(stop, attempt).await? {
                CountOutcome::Counted {
                    duplicates,
                    conflicts,
                } => {
                    self.metrics.applied(votes, &duplicates);
                    self.conflicts.report(batch, votes, &conflicts);
                    return Some(Outcome::Applied {
                        applied_offset: next_offset,
                        level,
                    });
                }
                CountOutcome::CountingPaused => {
                    tokio::select! {
                        () = tokio::time::sleep(PAUSED_RETRY_DELAY) => continue,
                        () = stop.cancelled() => return None,
                    }
                }
                CountOutcome::OtherTopic => return Some(Outcome::OtherTopic),
                CountOutcome::OffsetMismatch(actual) => actual,
            };
            match actual {
                Some(actual) if actual >= next_offset => {
                    // After more than one attempt, an earlier one counted the batch and its response was lost, together
                    // with the list of duplicates. After a single attempt, another consumer counted the batch and has it
                    // in its metrics.
                    if actual == next_offset && attempts > 1 {
                        self.metrics.applied(votes, &[]);
                    }
                    return Some(Outcome::Applied {
                        applied_offset: actual,
                        level,
                    });
                }
                Some(actual) if expected.is_none_or(|expected| actual > expected) => {
                    votes = votes_from(votes, actual);
                    expected = Some(actual);
                }
                applied_offset => return Some(Outcome::RedisBehind { applied_offset }),
            }
        }
    }
}

/// The votes at or after `offset`.
fn votes_from(votes: &[VoteAtOffset], offset: i64) -> &[VoteAtOffset] {
    let skipped = votes.partition_point(|vote| vote.offset < offset);
    votes.get(skipped..).unwrap_or_default()
}
