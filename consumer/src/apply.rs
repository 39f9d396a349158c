//! One batch through the stores, in the order that makes a vote count once whatever dies in between: dead letters,
//! then the log, then the tally. The fence moves with the tally, so it means "all of this is done"; what was done
//! without it is done again, and changes nothing.
//!
//! Before all that, Kafka is asked whether the topic is still the one that the fence belongs to: offsets of a topic that
//! was made anew look like a continuation. Its first votes would be skipped, and the log would hold a later copy of a vote
//! than the one that is counted in the end.

use std::time::{Instant, SystemTime};

use kafka::TopicIds;
use kafka::dead_letter::DeadLetters;
use tokio_util::sync::CancellationToken;

use crate::batch::{Batch, Decoded, LoggedVote};
use crate::dead_letter_limit::{Flood, Level};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::tally::{Count, Counted, Tally};
use crate::vote_log::{VoteDocument, VoteLog};

/// Everything that a batch passes.
pub struct Stores {
    /// Redis.
    pub tally: Tally,
    /// MongoDB.
    pub log: VoteLog,
    /// Kafka's dead letter topic.
    pub dead_letters: DeadLetters,
    /// The topic that dead letters come from.
    pub topic: String,
    /// Which topic its name means.
    pub topic_ids: TopicIds,
    /// Unreadable records of a partition that are taken before it counts as a flood.
    pub dead_letter_limit: u32,
    /// State of Redis.
    pub redis: Store,
    /// State of MongoDB.
    pub mongodb: Store,
    /// State of Kafka.
    pub kafka: Store,
    /// What is counted while batches pass.
    pub metrics: Metrics,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is in both stores, and Redis holds this fence.
    Applied {
        /// The partition's next offset.
        fence: i64,
        /// The level of its dead-letter limit.
        level: Level,
    },
    /// Redis holds an older fence than the batch builds on: it has lost writes. Go back to there.
    Behind {
        /// The fence as it is; None where Redis lost all.
        fence: Option<i64>,
    },
    /// The topic is not the one that is counted: it was made anew, or Redis lost all. Nothing was counted.
    OtherTopic,
    /// Too many records cannot be read. Nothing was done.
    Flood(Flood),
    /// Stopped while a store was failing. Not applied, or not known to be.
    Interrupted,
}

impl Stores {
    /// Applies a batch, trying until it is done or until `stop`.
    pub async fn apply(&self, batch: &Batch, stop: &CancellationToken) -> Outcome {
        self.write(batch, stop).await.unwrap_or(Outcome::Interrupted)
    }

    async fn write(&self, batch: &Batch, stop: &CancellationToken) -> Option<Outcome> {
        let read = Instant::now();
        let topic_id = self.kafka.retry(stop, || self.topic_ids.after(read)).await?;
        if topic_id != batch.topic_id {
            return Some(Outcome::OtherTopic);
        }
        let decoded = match Decoded::from_batch(batch, self.dead_letter_limit) {
            Ok(decoded) => decoded,
            Err(flood) => return Some(Outcome::Flood(flood)),
        };
        self.bury(&decoded, stop).await?;
        let consumed_at = SystemTime::now();
        let documents: Vec<_> = decoded
            .votes
            .iter()
            .map(|vote| VoteDocument::new(batch.partition, vote, consumed_at))
            .collect();
        self.mongodb.write(stop, || self.log.insert(&documents)).await?;
        self.count(batch, &decoded, stop).await
    }

    async fn bury(&self, decoded: &Decoded, stop: &CancellationToken) -> Option<()> {
        for (record, error) in &decoded.dead {
            tracing::warn!(record.partition, record.offset, %error, "dead letter");
            let reason = error.to_string();
            self.kafka
                .write(stop, || self.dead_letters.send(record, &self.topic, &reason))
                .await?;
            self.metrics.dead_letter();
        }
        Some(())
    }

    async fn count(&self, batch: &Batch, decoded: &Decoded, stop: &CancellationToken) -> Option<Outcome> {
        let level = decoded.level;
        let mut fence = batch.fence;
        let mut votes = fence.map_or(&*decoded.votes, |fence| not_before(&decoded.votes, fence));
        loop {
            let mut attempts = 0;
            let attempt = || {
                attempts += 1;
                self.tally.count(Count {
                    topic_id: batch.topic_id,
                    partition: batch.partition,
                    fence,
                    next: batch.next,
                    level,
                    votes,
                })
            };
            let actual = match self.redis.write(stop, attempt).await? {
                Counted::Done { duplicates } => {
                    self.metrics.applied(votes, &duplicates);
                    let fence = batch.next;
                    return Some(Outcome::Applied { fence, level });
                }
                Counted::OtherTopic => return Some(Outcome::OtherTopic),
                Counted::Differs(actual) => actual,
            };
            match actual {
                Some(actual) if actual >= batch.next => {
                    // An attempt whose answer got lost did count them; which of them were duplicates got lost with it.
                    // Without such an attempt another consumer did, and has them in its metrics.
                    if actual == batch.next && attempts > 1 {
                        self.metrics.applied(votes, &[]);
                    }
                    return Some(Outcome::Applied { fence: actual, level });
                }
                Some(actual) if fence.is_none_or(|believed| actual > believed) => {
                    votes = not_before(votes, actual);
                    fence = Some(actual);
                }
                behind => return Some(Outcome::Behind { fence: behind }),
            }
        }
    }
}

/// The votes at or after `offset`.
fn not_before(votes: &[LoggedVote], offset: i64) -> &[LoggedVote] {
    let skipped = votes.partition_point(|vote| vote.offset < offset);
    votes.get(skipped..).unwrap_or_default()
}
