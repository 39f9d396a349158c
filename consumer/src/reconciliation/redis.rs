//! The tallies in Redis: read at one moment with the fences that they belong to, and corrected.

use std::collections::BTreeMap;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, FromRedisValue, Script};
use anyhow::{Context, Result};
use kafka::Extent;
use uuid::Uuid;

use super::tallies::{Counts, Tallies};
use tallies::keys::{ALBUM, BAND, CORRECTIONS, OFFSETS, ROUTE, TOPIC, TOPICS, TOTAL};

/// Hashes of ten thousands of fields take a while.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Redis.
#[derive(Clone)]
pub(crate) struct Redis {
    connection: MultiplexedConnection,
    correct: Script,
}

/// Counts, and how far in the topic they reach, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The counts.
    pub(crate) tallies: Tallies,
    /// The next offset to count of each partition that has been counted.
    pub(crate) fences: BTreeMap<i32, i64>,
    /// The topic that the fences belong to; None where nothing was counted yet.
    pub(crate) topic: Option<Uuid>,
    /// Every topic that was ever counted, and since when: milliseconds since the Unix epoch.
    pub(crate) topics: BTreeMap<String, i64>,
    /// How many corrections there were.
    pub(crate) corrections: Option<String>,
}

impl Redis {
    /// Connects, or says why not.
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECT_TIMEOUT));
        let client = ::redis::Client::open(url).context("--redis-url")?;
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .context("connecting to Redis")?;
        Ok(Self {
            connection,
            correct: Script::new(include_str!("../rebuild.lua")),
        })
    }

    /// Everything, at one moment.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot> {
        let mut question = ::redis::pipe();
        question.atomic().get(TOTAL);
        for hash in [BAND, ALBUM, ROUTE, OFFSETS, TOPICS] {
            question.hgetall(hash);
        }
        question.get(TOPIC).get(CORRECTIONS);
        let (total, band, album, route, fences, topics, topic, corrections) = self.ask(&question).await?;
        let total: Option<String> = total;
        let topic: Option<String> = topic;
        let whole = |text: &String| whole(text).with_context(|| TOTAL.to_owned());
        let tallies = Tallies {
            total: total.as_ref().map_or(Ok(0), whole)?,
            band: counts(BAND, band)?,
            album: counts(ALBUM, album)?,
            route: counts(ROUTE, route)?,
        };
        let partition = |(partition, fence): (String, i64)| Ok((partition.parse()?, fence));
        let fences = counts(OFFSETS, fences)?.into_iter().map(partition);
        Ok(Snapshot {
            tallies,
            fences: fences.collect::<Result<_>>().context(OFFSETS)?,
            topic: topic.map(|id| id.parse()).transpose().context(TOPIC)?,
            topics: counts(TOPICS, topics)?,
            corrections,
        })
    }

    /// Adds `correction` to the counts, if they are still those of `snapshot` and what consumers have added since.
    /// False, and nothing is changed, if Redis went back in between or somebody else has corrected it. Repeated after an
    /// error, a correction is not made twice: the first one is "somebody else's".
    pub(crate) async fn correct(&self, snapshot: &Snapshot, correction: &Tallies) -> Result<bool> {
        let mut call = self.correct.key(TOPIC);
        for key in [TOPICS, OFFSETS, CORRECTIONS, TOTAL, BAND, ALBUM, ROUTE] {
            call.key(key);
        }
        let text = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
        call.arg(snapshot.topic.map_or_else(String::new, |id| id.to_string()))
            .arg(text(snapshot.counted_since_ms()))
            .arg(snapshot.corrections.as_deref().unwrap_or_default())
            .arg(snapshot.fences.len());
        for (partition, fence) in &snapshot.fences {
            call.arg(partition).arg(fence);
        }
        call.arg(correction.total);
        for (_, counts) in correction.hashes() {
            call.arg(counts.len());
            for (field, count) in counts {
                call.arg(field).arg(count);
            }
        }
        let corrected = call.invoke_async(&mut self.connection.clone()).await;
        corrected.context("correcting the counts in Redis (to try again is safe)")
    }

    async fn ask<T: FromRedisValue>(&self, question: &::redis::Pipeline) -> Result<T> {
        let answer = question.query_async(&mut self.connection.clone()).await;
        answer.context("reading the counts from Redis")
    }
}

impl Snapshot {
    /// The next offset to count of `partition`.
    pub(crate) fn fence(&self, partition: i32) -> i64 {
        self.fences.get(&partition).copied().unwrap_or_default()
    }

    /// When counting of the current topic began: milliseconds since the Unix epoch. None before there was one.
    pub(crate) fn counted_since_ms(&self) -> Option<i64> {
        self.topics.get(&self.topic?.to_string()).copied()
    }

    /// Whether a vote that was logged at `consumed_at_ms`, from this place, must be in the counts: it lies below the
    /// fence, or it comes from a topic before the current one, whose votes are counted for good.
    pub(crate) fn counts(&self, consumed_at_ms: i64, partition: i32, offset: i64) -> bool {
        let before = self
            .counted_since_ms()
            .is_some_and(|since| consumed_at_ms < since);
        before || offset < self.fence(partition)
    }

    /// How many offsets of what the topic held are not counted yet.
    pub(crate) fn behind(&self, extents: &BTreeMap<i32, Extent>) -> i64 {
        let uncounted = |(&partition, extent): (&i32, &Extent)| {
            let next = self.fence(partition).max(extent.first);
            (extent.end - next).max(0)
        };
        extents.iter().map(uncounted).sum()
    }
}

fn counts(key: &str, answer: BTreeMap<String, String>) -> Result<Counts> {
    let count = |(field, text): (String, String)| {
        let count = whole(&text).with_context(|| format!("{key}, field {field:?}"))?;
        Ok((field, count))
    };
    answer.into_iter().map(count).collect()
}

fn whole(text: &str) -> Result<i64> {
    text.parse().with_context(|| {
        format!("{text:?} is no whole number; counting stops at it: remove it, then rebuild")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let topic = Uuid::from_u128(1);
        Snapshot {
            fences: BTreeMap::from([(0, 10), (1, 0)]),
            topic: Some(topic),
            topics: BTreeMap::from([(topic.to_string(), 1_000), (Uuid::from_u128(2).to_string(), 1)]),
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_document_counts_below_the_fence_or_if_its_topic_is_gone() {
        let snapshot = snapshot();
        assert!(snapshot.counts(1_000, 0, 9));
        assert!(!snapshot.counts(1_000, 0, 10));
        assert!(
            !snapshot.counts(2_000, 7, 0),
            "a partition that was never counted"
        );
        assert!(
            snapshot.counts(999, 0, 10),
            "logged before this topic was counted"
        );
        assert!(!Snapshot::default().counts(1, 0, 0));
    }

    #[test]
    fn what_retention_deleted_is_not_waited_for() {
        let extents = BTreeMap::from([
            (0, Extent { first: 0, end: 12 }),
            (1, Extent { first: 5, end: 5 }),
            (2, Extent { first: 4, end: 7 }),
        ]);
        assert_eq!(snapshot().behind(&extents), 2 + 3);
    }
}
