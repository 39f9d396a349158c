//! Reads the tallies and the applied offsets from Redis as they were at one moment, and corrects the tallies.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue, Value};
use tallies::keys::{CORRECTIONS, HOLD, OFFSETS, TOP_STATE, TOPIC, TOPICS, TOTAL};
use tallies::{RedisServer, TallyHash};

use super::broken_counts::BrokenCounts;
use super::snapshot::Snapshot;
use super::tally_counts::{HashCounts, TallyCounts};
use super::top_set_members::TopSetMembers;
use crate::{scripts, top_sets};

const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Up to this number of fields, one transaction reads all hashes: it blocks Redis for some milliseconds. Clients choose the
/// names of bands and albums, so there may be millions. Those are read in steps, while no votes are counted.
const MAX_FIELDS_AT_ONCE: usize = 20_000;
/// The number of fields of one step, in which Redis does nothing else.
const STEP: usize = 1_000;
/// Consumers continue after this time, even if this command has ended without releasing its hold.
const HOLD_DURATION: Duration = Duration::from_secs(10);
/// After this many changes while reading, reading in steps fails: a consumer ignores the hold.
const MAX_READS: u32 = 5;
/// The number of fields that one script corrects.
const MAX_CORRECTED_AT_ONCE: usize = 5_000;
/// Pause between two checks whether the top sets are complete.
const TOP_SETS_PAUSE: Duration = Duration::from_millis(200);

/// The tallies in Redis.
#[derive(Clone)]
pub(crate) struct RedisTallies {
    connection: MultiplexedConnection,
}

/// Which counts to read.
#[derive(Debug, Default)]
struct Contents {
    has_total: bool,
    hashes: Vec<TallyHash>,
    /// The hashes whose top sets to read.
    top_sets: Vec<TallyHash>,
}

impl RedisTallies {
    /// Connects. Errors if Redis does not respond.
    pub(crate) async fn connect(server: &RedisServer) -> Result<Self> {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECT_TIMEOUT));
        let connection = server
            .client()?
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .context("connecting to Redis")?;
        Ok(Self { connection })
    }

    /// Reads the snapshot: the counts at one moment, and the applied offsets of the same moment.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot> {
        let mut connection = self.connection.clone();
        let broken = BrokenCounts::find_keys(&mut connection).await?;
        let hashes: Vec<TallyHash> = TallyHash::ALL
            .into_iter()
            .filter(|hash| !broken.keys.contains(&hash.key()))
            .collect();
        let mut fields = redis::pipe();
        for hash in &hashes {
            fields.hlen(hash.key());
        }
        let fields: Vec<usize> = if hashes.is_empty() {
            Vec::new()
        } else {
            fields
                .query_async(&mut connection)
                .await
                .context("reading the counts from Redis")?
        };
        if fields.iter().sum::<usize>() <= MAX_FIELDS_AT_ONCE {
            let contents = Contents {
                has_total: !broken.keys.contains(&TOTAL),
                top_sets: top_sets_to_read(&broken, &hashes),
                hashes,
            };
            self.read(broken, &contents).await
        } else {
            self.read_in_steps(broken, &hashes).await
        }
    }

    /// Like [`Self::snapshot`], but without the counts.
    pub(crate) async fn progress(&self) -> Result<Snapshot> {
        self.read(BrokenCounts::default(), &Contents::default()).await
    }

    /// Reads the snapshot with these counts in one transaction.
    async fn read(&self, broken: BrokenCounts, contents: &Contents) -> Result<Snapshot> {
        let mut query = redis::pipe();
        query.atomic().get(TOPIC).get(CORRECTIONS);
        query.hgetall(OFFSETS).hgetall(TOPICS);
        if contents.has_total {
            query.get(TOTAL);
        }
        for hash in &contents.hashes {
            query.hgetall(hash.key());
        }
        if !contents.top_sets.is_empty() {
            TopSetMembers::add_commands(&mut query, &contents.top_sets);
        }
        let response = query.query_async(&mut self.connection.clone()).await;
        let replies: Vec<Value> = response.context("reading the counts from Redis")?;
        let mut replies = replies.into_iter();
        let topic: Option<String> = next(&mut replies)?;
        let corrections = next(&mut replies)?;
        let applied_offsets = parse_hash(OFFSETS, next(&mut replies)?)?.into_iter();
        let partition = |(partition, offset): (String, i64)| Ok((partition.parse()?, offset));
        let mut snapshot = Snapshot {
            applied_offsets: applied_offsets
                .map(partition)
                .collect::<Result<_>>()
                .context(OFFSETS)?,
            topic: topic.map(|id| id.parse()).transpose().context(TOPIC)?,
            topics: parse_hash(TOPICS, next(&mut replies)?)?,
            corrections,
            broken,
            ..Snapshot::default()
        };
        if contents.has_total {
            let total: Option<String> = next(&mut replies)?;
            snapshot.set_total(total);
        }
        for &hash in &contents.hashes {
            snapshot.set_counts(hash, next(&mut replies)?);
        }
        if !contents.top_sets.is_empty() {
            let total = snapshot.counts.total;
            snapshot.top_sets = TopSetMembers::parse(&mut replies, &contents.top_sets, total)?;
        }
        Ok(snapshot)
    }

    /// Reads the snapshot in steps, while consumers wait.
    async fn read_in_steps(&self, broken: BrokenCounts, hashes: &[TallyHash]) -> Result<Snapshot> {
        for _ in 0..MAX_READS {
            self.hold().await?;
            let read = self.read_held(broken.clone(), hashes).await;
            let released = self.release().await;
            if let Some(snapshot) = read? {
                released?;
                return Ok(snapshot);
            }
        }
        bail!(
            "votes were counted while this command read the counts, {MAX_READS} times in a row: check that no consumer of an \
             earlier version runs"
        )
    }

    /// None if the counts changed in the meantime.
    async fn read_held(&self, broken: BrokenCounts, hashes: &[TallyHash]) -> Result<Option<Snapshot>> {
        let mut contents = Contents {
            has_total: !broken.keys.contains(&TOTAL),
            ..Contents::default()
        };
        let before = self.read(broken.clone(), &contents).await?;
        let mut snapshot = before.clone();
        for &hash in hashes {
            let fields = self.scan(hash).await?;
            snapshot.set_counts(hash, fields);
        }
        // Each change of a count also changes an applied offset or the number of corrections.
        contents.top_sets = top_sets_to_read(&broken, hashes);
        let mut after = self.read(broken, &contents).await?;
        snapshot.top_sets = std::mem::take(&mut after.top_sets);
        Ok((before == after).then_some(snapshot))
    }

    async fn scan(&self, hash: TallyHash) -> Result<BTreeMap<String, String>> {
        let mut connection = self.connection.clone();
        let (mut fields, mut cursor) = (BTreeMap::new(), 0_u64);
        loop {
            let mut scan = redis::pipe();
            scan.cmd("HSCAN")
                .arg(hash.key())
                .arg(cursor)
                .arg("COUNT")
                .arg(STEP);
            scan.cmd("PEXPIRE")
                .arg(HOLD)
                .arg(HOLD_DURATION.as_millis() as u64)
                .ignore();
            let response = scan.query_async(&mut connection).await;
            let ((next, found),): ((u64, Vec<(String, String)>),) =
                response.with_context(|| format!("reading {}", hash.key()))?;
            fields.extend(found);
            if next == 0 {
                return Ok(fields);
            }
            cursor = next;
        }
    }

    /// Makes all consumers wait before their next batch.
    async fn hold(&self) -> Result<()> {
        let mut set = redis::cmd("SET");
        set.arg(HOLD)
            .arg(1)
            .arg("PX")
            .arg(HOLD_DURATION.as_millis() as u64);
        let response = set.exec_async(&mut self.connection.clone()).await;
        response.context("holding the counts in Redis")
    }

    async fn release(&self) -> Result<()> {
        let mut delete = redis::cmd("DEL");
        let response = delete.arg(HOLD).exec_async(&mut self.connection.clone()).await;
        response.context("releasing the counts in Redis")
    }

    /// Deletes the broken counts, so that a correction can add them again.
    pub(crate) async fn delete_broken(&self, broken: &BrokenCounts) -> Result<()> {
        broken.delete(&mut self.connection.clone()).await
    }

    /// Builds the top sets again, after the counts were corrected.
    pub(crate) async fn build_top_sets(&self) -> Result<()> {
        let built = top_sets::build(&mut self.connection.clone()).await;
        // If something else has interrupted the run, a consumer builds them.
        built.map(drop).context("building the sorted sets in Redis")
    }

    /// Waits until the top sets are complete. Returns false if they are not at the deadline.
    pub(crate) async fn wait_for_top_sets(&self, deadline: Instant) -> Result<bool> {
        while Instant::now() < deadline {
            let complete = top_sets::are_complete(&mut self.connection.clone()).await;
            if complete.context("reading the sorted sets in Redis")? {
                return Ok(true);
            }
            tokio::time::sleep(TOP_SETS_PAUSE).await;
        }
        Ok(false)
    }

    /// Adds `correction` to the counts. Returns false if the correction no longer matches: Redis went back to an older
    /// state, or another correction was made since `snapshot`. You may retry after an error: if the first attempt took
    /// effect, the retry sees another correction and changes nothing.
    ///
    /// A correction of many fields is made in parts. If a part fails, compute the rest from a new snapshot.
    pub(crate) async fn correct(&self, snapshot: &Snapshot, correction: &TallyCounts) -> Result<bool> {
        let mut corrections = snapshot.corrections.clone();
        for part in correction.parts(MAX_CORRECTED_AT_ONCE) {
            if !self.correct_part(snapshot, corrections.as_deref(), &part).await? {
                return Ok(false);
            }
            let before: u64 = corrections.unwrap_or_default().parse().unwrap_or_default();
            corrections = Some((before + 1).to_string());
        }
        Ok(true)
    }

    async fn correct_part(
        &self,
        snapshot: &Snapshot,
        corrections: Option<&str>,
        correction: &TallyCounts,
    ) -> Result<bool> {
        let script = scripts::correct_tallies();
        let mut call = script.key(TOPIC);
        for key in [TOPICS, OFFSETS, CORRECTIONS, TOTAL, TOP_STATE] {
            call.key(key);
        }
        for hash in TallyHash::ALL {
            call.key(hash.key());
        }
        let text = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
        call.arg(snapshot.topic.map_or_else(String::new, |id| id.to_string()))
            .arg(text(snapshot.counted_since_ms()))
            .arg(corrections.unwrap_or_default())
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

/// Those of `hashes` whose top sets can be read.
fn top_sets_to_read(broken: &BrokenCounts, hashes: &[TallyHash]) -> Vec<TallyHash> {
    let is_readable = |hash: &&TallyHash| !broken.keys.contains(&hash.top_key());
    if broken.keys.contains(&TOP_STATE) {
        Vec::new()
    } else {
        hashes.iter().filter(is_readable).copied().collect()
    }
}

/// Takes the next reply of a pipeline.
fn next<T: FromRedisValue>(replies: &mut impl Iterator<Item = Value>) -> Result<T> {
    let reply = replies.next().context("Redis returned too few replies")?;
    redis::from_redis_value(reply).context("reading the counts from Redis")
}

/// Parses the values of a hash that a correction cannot replace.
fn parse_hash(key: &str, hash: BTreeMap<String, String>) -> Result<HashCounts> {
    let number = |(field, text): (String, String)| {
        let number = text.parse().with_context(|| {
            format!("{key}, field {field:?}: {text:?} is not a whole number; docs/runbook.md says how to repair it")
        })?;
        Ok((field, number))
    };
    hash.into_iter().map(number).collect()
}
