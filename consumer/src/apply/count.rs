//! The second step of a batch: counts its votes in Redis, together with the move of the applied offset.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{LoggedBatch, Stores};
use crate::batch::VoteAtOffset;
use crate::batch_trace::traced_write;
use crate::tally::{BatchCount, CountOutcome};
use crate::vote_groups::VoteGroups;

/// The delay until another attempt to count a batch, while a command has stopped all counting to read the counts.
const PAUSED_RETRY_DELAY: Duration = Duration::from_millis(50);

/// The result of counting a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The batch is in all stores.
    Applied {
        /// The applied offset of the partition in Redis: its next offset to count.
        applied_offset: i64,
    },
    /// Redis holds an older applied offset than the batch builds on, because it lost writes. Resume from that offset.
    RedisBehind {
        /// The applied offset in Redis; None if Redis has none for this partition.
        applied_offset: Option<i64>,
    },
    /// The topic is not the current one: it was recreated, or Redis lost everything. Nothing was counted.
    OtherTopic,
    /// Stopped while Redis was failing. The batch may or may not be counted.
    Interrupted,
}

impl Stores {
    /// Counts a logged batch. `applied_offset` is the one that Redis is expected to hold for the partition; None if no record
    /// was counted yet. Retries until it succeeds or until `stop`.
    pub async fn count(
        &self,
        mut logged: LoggedBatch,
        applied_offset: Option<i64>,
        stop: &CancellationToken,
    ) -> Outcome {
        let mut trace = logged.trace.take();
        let count = self.count_votes(&logged, applied_offset, stop);
        let outcome = traced_write(&mut trace, "redis", count).await;
        if let (Some(trace), Some(Outcome::Applied { .. })) = (trace, &outcome) {
            trace.finish();
        }
        outcome.unwrap_or(Outcome::Interrupted)
    }

    async fn count_votes(
        &self,
        logged: &LoggedBatch,
        applied_offset: Option<i64>,
        stop: &CancellationToken,
    ) -> Option<Outcome> {
        let LoggedBatch { batch, content, .. } = logged;
        let next_offset = batch.next_offset;
        let mut expected = applied_offset;
        let mut votes = expected.map_or(&*content.votes, |offset| votes_from(&content.votes, offset));
        loop {
            let groups = VoteGroups::of(votes);
            let mut attempts = 0;
            let attempt = || {
                attempts += 1;
                self.tally.count(BatchCount {
                    topic_id: batch.topic_id,
                    partition: batch.partition,
                    applied_offset: expected,
                    next_offset,
                    level: content.level,
                    votes: &groups,
                })
            };
            let actual = match self.redis.write(stop, attempt).await? {
                CountOutcome::Counted {
                    duplicates,
                    conflicts,
                } => {
                    self.metrics.applied(votes, &groups, &duplicates);
                    self.conflicts.report(votes, &conflicts);
                    return Some(Outcome::Applied {
                        applied_offset: next_offset,
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
                        self.metrics.applied(votes, &groups, &[]);
                    }
                    return Some(Outcome::Applied {
                        applied_offset: actual,
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
