//! Reads the tallies and the applied offsets from Redis in one snapshot, and corrects the tallies.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use kafka::Extent;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue, Script, Value};
use tallies::TallyHash;
use tallies::keys::{CORRECTIONS, OFFSETS, TOPIC, TOPICS, TOTAL};
use uuid::Uuid;

use super::tally_counts::{HashCounts, TallyCounts};

/// Long enough for hashes with tens of thousands of fields.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The tallies in Redis.
#[derive(Clone)]
pub(crate) struct RedisTallies {
    connection: MultiplexedConnection,
    correct: Script,
}

/// The counts, and the applied offsets up to which they count, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The counts.
    pub(crate) counts: TallyCounts,
    /// The next offset to count, for each partition with counted records.
    pub(crate) applied_offsets: BTreeMap<i32, i64>,
    /// The current topic, to which the applied offsets belong; None before the first registration.
    pub(crate) topic: Option<Uuid>,
    /// The registration time of every topic ever registered, in milliseconds since the Unix epoch.
    pub(crate) topics: BTreeMap<String, i64>,
    /// The number of corrections so far.
    pub(crate) corrections: Option<String>,
}

impl RedisTallies {
    /// Connects. Errors if Redis does not respond.
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECT_TIMEOUT));
        let client = redis::Client::open(url).context("--redis-url")?;
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .context("connecting to Redis")?;
        Ok(Self {
            connection,
            correct: Script::new(include_str!("correct_tallies.lua")),
        })
    }

    /// Reads the snapshot atomically.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot> {
        let mut query = redis::pipe();
        query.atomic().get(TOTAL).get(TOPIC).get(CORRECTIONS);
        query.hgetall(OFFSETS).hgetall(TOPICS);
        for hash in TallyHash::ALL {
            query.hgetall(hash.key());
        }
        let response = query.query_async(&mut self.connection.clone()).await;
        let replies: Vec<Value> = response.context("reading the counts from Redis")?;
        let mut replies = replies.into_iter();
        let total: Option<String> = next(&mut replies)?;
        let topic: Option<String> = next(&mut replies)?;
        let corrections = next(&mut replies)?;
        let applied_offsets = parse_hash(OFFSETS, next(&mut replies)?)?.into_iter();
        let topics = parse_hash(TOPICS, next(&mut replies)?)?;
        let total = total.as_deref().map(parse_count).transpose().context(TOTAL)?;
        let mut counts = TallyCounts {
            total: total.unwrap_or_default(),
            ..TallyCounts::default()
        };
        for (hash, fields) in TallyHash::ALL.iter().zip(&mut counts.hashes) {
            *fields = parse_hash(hash.key(), next(&mut replies)?)?;
        }
        let partition = |(partition, offset): (String, i64)| Ok((partition.parse()?, offset));
        Ok(Snapshot {
            counts,
            applied_offsets: applied_offsets
                .map(partition)
                .collect::<Result<_>>()
                .context(OFFSETS)?,
            topic: topic.map(|id| id.parse()).transpose().context(TOPIC)?,
            topics,
            corrections,
        })
    }

    /// Adds `correction` to the counts. Returns false and changes nothing if the correction no longer matches: Redis went
    /// back to an older state, or another correction was made since `snapshot`. You may retry after an error: if the first
    /// attempt took effect, the retry sees another correction and changes nothing.
    pub(crate) async fn correct(&self, snapshot: &Snapshot, correction: &TallyCounts) -> Result<bool> {
        let mut call = self.correct.key(TOPIC);
        for key in [TOPICS, OFFSETS, CORRECTIONS, TOTAL] {
            call.key(key);
        }
        for hash in TallyHash::ALL {
            call.key(hash.key());
        }
        let text = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
        call.arg(snapshot.topic.map_or_else(String::new, |id| id.to_string()))
            .arg(text(snapshot.counted_since_ms()))
            .arg(snapshot.corrections.as_deref().unwrap_or_default())
            .arg(snapshot.applied_offsets.len());
        for (partition, applied_offset) in &snapshot.applied_offsets {
            call.arg(partition).arg(applied_offset);
        }
        call.arg(correction.total);
        for (_, counts) in correction.iter() {
            call.arg(counts.len());
            for (field, count) in counts {
                call.arg(field).arg(count);
            }
        }
        let corrected = call.invoke_async(&mut self.connection.clone()).await;
        corrected.context("correcting the counts in Redis (you may safely retry)")
    }
}

impl Snapshot {
    /// The next offset to count of `partition`.
    pub(crate) fn applied_offset(&self, partition: i32) -> i64 {
        self.applied_offsets.get(&partition).copied().unwrap_or_default()
    }

    /// The registration time of the current topic, in milliseconds since the Unix epoch. None if no topic is registered.
    pub(crate) fn counted_since_ms(&self) -> Option<i64> {
        self.topics.get(&self.topic?.to_string()).copied()
    }

    /// Whether the counts include a vote that was logged at `consumed_at_ms` and read from this partition and offset. They
    /// do if the vote is below the applied offset, or if it belongs to an earlier topic, whose counts were kept.
    pub(crate) fn includes(&self, consumed_at_ms: i64, partition: i32, offset: i64) -> bool {
        let is_of_earlier_topic = self
            .counted_since_ms()
            .is_some_and(|since| consumed_at_ms < since);
        is_of_earlier_topic || offset < self.applied_offset(partition)
    }

    /// The number of offsets in `extents` that are not counted yet.
    pub(crate) fn uncounted(&self, extents: &BTreeMap<i32, Extent>) -> i64 {
        let uncounted = |(&partition, extent): (&i32, &Extent)| {
            let next = self.applied_offset(partition).max(extent.first);
            (extent.end - next).max(0)
        };
        extents.iter().map(uncounted).sum()
    }
}

/// Takes the next reply of a pipeline.
fn next<T: FromRedisValue>(replies: &mut impl Iterator<Item = Value>) -> Result<T> {
    let reply = replies.next().context("Redis returned too few replies")?;
    redis::from_redis_value(reply).context("reading the counts from Redis")
}

fn parse_hash(key: &str, hash: BTreeMap<String, String>) -> Result<HashCounts> {
    let count = |(field, text): (String, String)| {
        let count = parse_count(&text).with_context(|| format!("{key}, field {field:?}"))?;
        Ok((field, count))
    };
    hash.into_iter().map(count).collect()
}

fn parse_count(text: &str) -> Result<i64> {
    text.parse().with_context(|| {
        format!(
            "{text:?} is not a whole number, so the consumer cannot increment it: delete it, then run `consumer rebuild`"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let topic = Uuid::from_u128(1);
        Snapshot {
            applied_offsets: BTreeMap::from([(0, 10), (1, 0)]),
            topic: Some(topic),
            topics: BTreeMap::from([(topic.to_string(), 1_000), (Uuid::from_u128(2).to_string(), 1)]),
            ..Snapshot::default()
        }
    }

    #[test]
    fn document_is_included_below_the_applied_offset_or_from_an_earlier_topic() {
        let snapshot = snapshot();
        assert!(snapshot.includes(1_000, 0, 9));
        assert!(!snapshot.includes(1_000, 0, 10));
        assert!(
            !snapshot.includes(2_000, 7, 0),
            "no record of this partition was counted"
        );
        assert!(
            snapshot.includes(999, 0, 10),
            "logged before this topic was registered"
        );
        assert!(!Snapshot::default().includes(1, 0, 0));
    }

    #[test]
    fn uncounted_excludes_records_deleted_by_retention() {
        let extents = BTreeMap::from([
            (0, Extent { first: 0, end: 12 }),
            (1, Extent { first: 5, end: 5 }),
            (2, Extent { first: 4, end: 7 }),
        ]);
        assert_eq!(snapshot().uncounted(&extents), 2 + 3);
    }
}
