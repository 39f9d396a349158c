//! One batch through the stores, in the order that makes a vote count once whatever dies in between: dead letters,
//! then the log, then the tally. The fence moves with the tally, so it means "all of this is done"; what was done
//! without it is done again, and changes nothing.

use std::time::SystemTime;

use kafka::dead_letter::DeadLetters;
use tokio_util::sync::CancellationToken;

use crate::batch::{Batch, Decoded, LoggedVote};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::tally::{Counted, Tally};
use crate::vote_log::{VoteDocument, VoteLog};

/// Everything that a batch passes.
#[derive(Clone)]
pub struct Stores {
    /// Redis.
    pub tally: Tally,
    /// MongoDB.
    pub log: VoteLog,
    /// Kafka's dead letter topic.
    pub dead_letters: DeadLetters,
    /// The topic that dead letters come from.
    pub topic: String,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is in both stores, and Redis holds this fence.
    Applied {
        /// The partition's next offset.
        fence: i64,
    },
    /// Redis holds an older fence than the batch builds on: it has lost writes. Go back to there.
    Behind {
        /// The fence as it is; None where Redis lost all.
        fence: Option<i64>,
    },
    /// Stopped while a store was failing. Not applied, or not known to be.
    Interrupted,
}

impl Stores {
    /// Applies a batch, trying until it is done or until `stop`.
    pub async fn apply(&self, batch: &Batch, stop: &CancellationToken) -> Outcome {
        let decoded = Decoded::from_records(batch.records.iter().map(|delivery| &delivery.record));
        if self.bury(&decoded, stop).await.is_none() {
            return Outcome::Interrupted;
        }
        let consumed_at = SystemTime::now();
        let documents: Vec<_> = decoded
            .votes
            .iter()
            .map(|vote| VoteDocument::new(batch.partition, vote, consumed_at))
            .collect();
        if self
            .mongodb
            .write(stop, || self.log.insert(&documents))
            .await
            .is_none()
        {
            return Outcome::Interrupted;
        }
        self.count(batch, &decoded.votes, stop)
            .await
            .unwrap_or(Outcome::Interrupted)
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

    async fn count(&self, batch: &Batch, votes: &[LoggedVote], stop: &CancellationToken) -> Option<Outcome> {
        let mut fence = batch.fence;
        let mut votes = fence.map_or(votes, |fence| not_before(votes, fence));
        loop {
            let attempt = || self.tally.count(batch.partition, fence, batch.next, votes);
            let actual = match self.redis.write(stop, attempt).await? {
                Counted::Done { duplicates } => {
                    self.metrics.applied(votes, &duplicates);
                    return Some(Outcome::Applied { fence: batch.next });
                }
                Counted::Differs(actual) => actual,
            };
            match actual {
                // An attempt whose answer got lost did count them; which of them were duplicates got lost with it.
                Some(actual) if actual == batch.next => {
                    self.metrics.applied(votes, &[]);
                    return Some(Outcome::Applied { fence: actual });
                }
                // Another consumer has gone on; what it counted is no longer ours to count.
                Some(actual) if actual > batch.next => return Some(Outcome::Applied { fence: actual }),
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
