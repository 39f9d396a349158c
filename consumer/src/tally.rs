//! The tallies in Redis: one atomic script counts each batch (scripts/tally.lua). It checks every key and value before its
//! first write, because Redis does not roll back a script that fails half way.
//!
//! Redis holds the applied offset of each partition: the offset of the next record to count. The script adds a batch's
//! counts and moves the applied offset together, and only if Redis still holds the applied offset that the batch builds
//! on. The applied offset thus fences out a stale consumer: its batch builds on an older applied offset, and the
//! script rejects it.
//!
//! The hashes, and the field that a vote increments in each, are in `tallies::TallyHash`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::aio::ConnectionManagerConfig;
use redis::{ErrorKind, RedisResult, Script};
use tallies::keys::{DEAD_LETTERS, HOLD, OFFSETS, SEEN_PREFIX, TOP_STATE, TOPIC, TOPICS, TOTAL};
use tallies::{ReconnectingConnection, RedisServer, TOP_SIZE, TallyHash};
use uuid::Uuid;

use crate::dead_letter_limit::DeadLetterLevel;
use crate::fingerprint::fingerprint;
use crate::vote_groups::{VoteGroup, VoteGroups};
use crate::{scripts, top_sets};

/// A script blocks Redis for about a millisecond. If a response takes longer than this, it is lost or Redis is overloaded.
/// A retry is safe in both cases.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The tallies.
#[derive(Clone)]
pub struct Tally {
    connection: Arc<ReconnectingConnection>,
    count: Script,
    register_topic: Script,
    read_applied_offsets: Script,
    dedup_window: Duration,
}

/// The progress of some partitions, as Redis holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppliedOffsets {
    /// The current topic, to which the offsets belong; None before the first registration.
    pub topic_id: Option<Uuid>,
    /// For each requested partition, in the same order: the next offset to count. None if no record was counted yet.
    pub offsets: Vec<Option<i64>>,
    /// For each requested partition, in the same order: how full its leaky bucket of undecodable
    /// records is.
    pub levels: Vec<DeadLetterLevel>,
}

/// The input of the script that counts a batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchCount<'a> {
    /// The topic.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
    /// The applied offset that the votes build on; None if no record was counted yet.
    pub applied_offset: Option<i64>,
    /// The applied offset after them.
    pub next_offset: i64,
    /// How full the partition's leaky bucket of undecodable records is after them.
    pub level: DeadLetterLevel,
    /// The votes.
    pub votes: &'a VoteGroups<'a>,
}

/// The result of the script that counts a batch.
#[derive(Debug, PartialEq, Eq)]
pub enum CountOutcome {
    /// The batch is counted and the applied offset has moved.
    Counted {
        /// Indices of the votes whose id was already counted, in ascending order.
        duplicates: Vec<usize>,
        /// Indices of those duplicates that are another vote than the counted one, in ascending order.
        conflicts: Vec<usize>,
    },
    /// Nothing was changed: a command reads all counts, and the batch must wait for some seconds.
    CountingPaused,
    /// Nothing was changed: Redis holds this other applied offset.
    OffsetMismatch(Option<i64>),
    /// Nothing was changed: another topic is the current one, or none is.
    OtherTopic,
}

impl Tally {
    /// Connects on first use: Redis need not be running yet. `dedup_window` is the time for which an id that a client
    /// chose is remembered.
    pub fn new(server: RedisServer, dedup_window: Duration) -> anyhow::Result<Self> {
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            // The caller retries and reports each failure. Long retries in here would hide them.
            .set_number_of_retries(1);
        let connection = ReconnectingConnection::new(server, config)?;
        Ok(Self {
            connection: Arc::new(connection),
            count: scripts::tally(),
            register_topic: scripts::register_topic(),
            read_applied_offsets: scripts::read_applied_offsets(),
            dedup_window,
        })
    }

    /// Makes `topic_id` the current topic. If another topic was current before, deletes its applied offsets and keeps its
    /// counts. Returns false if another topic replaced `topic_id` earlier: it cannot become current again.
    pub async fn register_topic(&self, topic_id: Uuid) -> RedisResult<bool> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut call = self.register_topic.key(TOPIC);
        call.key(TOPICS).key(OFFSETS).key(DEAD_LETTERS);
        call.arg(topic_id.to_string())
            .arg(u64::try_from(now.as_millis()).unwrap_or_default());
        let response = call.invoke_async(&mut self.connection.get()).await;
        self.connection.checked(response)
    }

    /// The progress of `partitions`, read atomically. Without partitions, only checks that Redis responds.
    pub async fn applied_offsets(&self, partitions: &[i32]) -> RedisResult<AppliedOffsets> {
        let mut call = self.read_applied_offsets.key(TOPIC);
        call.key(OFFSETS).key(DEAD_LETTERS).arg(partitions);
        let response = call.invoke_async(&mut self.connection.get()).await;
        let values: Vec<String> = self.connection.checked(response)?;
        let (topic_id, progress) = values.split_first().ok_or_else(|| incomplete(&values))?;
        let (offsets, levels) = progress
            .split_at_checked(partitions.len())
            .ok_or_else(|| incomplete(&values))?;
        // The script has checked that these are numbers; an empty text stands for none.
        let offsets = offsets.iter().map(|offset| offset.parse().ok());
        let levels = levels.iter().map(|level| level.parse().unwrap_or_default());
        Ok(AppliedOffsets {
            topic_id: Uuid::try_parse(topic_id).ok(),
            offsets: offsets.collect(),
            levels: levels.map(|level: u64| DeadLetterLevel::from(level)).collect(),
        })
    }

    /// Builds the top sets if they are not complete: an earlier version of the consumer counted votes, or counts were
    /// corrected. Takes seconds if there are a million bands, but blocks Redis only for about a millisecond at a time.
    pub async fn complete_top_sets(&self) -> RedisResult<()> {
        let response = top_sets::complete(&mut self.connection.get()).await;
        self.connection.checked(response)
    }

    /// Counts a batch and moves the applied offset, if Redis holds the topic and the applied offset of the batch. You may
    /// retry after any error: a batch is counted once.
    pub async fn count(&self, batch: BatchCount<'_>) -> RedisResult<CountOutcome> {
        let votes = batch.votes;
        let mut call = self.count.key(TOPIC);
        for key in [OFFSETS, DEAD_LETTERS, TOTAL, HOLD, TOP_STATE] {
            call.key(key);
        }
        for hash in TallyHash::ALL {
            call.key(hash.key());
        }
        for hash in TallyHash::ALL {
            call.key(hash.top_key());
        }
        let applied_offset = batch.applied_offset;
        call.arg(batch.topic_id.to_string())
            .arg(batch.partition)
            .arg(applied_offset.map_or_else(String::new, |offset| offset.to_string()))
            .arg(batch.next_offset)
            .arg(batch.level.to_string())
            .arg(self.dedup_window.as_secs())
            .arg(TOP_SIZE)
            .arg(TallyHash::ALL.len())
            .arg(votes.new_votes());
        for increments in increments(votes) {
            call.arg(increments.len());
            for (field, count) in increments {
                call.arg(field).arg(count);
            }
        }
        for (_, vote) in &votes.may_be_counted {
            call.key(format!("{SEEN_PREFIX}{}", vote.event.vote_id));
            call.arg(fingerprint(&vote.event.vote));
            for field in fields(VoteGroup::of(vote)) {
                call.arg(field);
            }
        }
        let response = call.invoke_async(&mut self.connection.get()).await;
        let response: Vec<Option<i64>> = self.connection.checked(response)?;
        Ok(outcome(votes, &response))
    }
}

/// The increments of each hash, in the order of [`TallyHash::ALL`], by the votes that cannot be counted already.
fn increments(votes: &VoteGroups) -> [HashMap<String, u64>; TallyHash::ALL.len()] {
    let mut hashes = <[HashMap<String, u64>; TallyHash::ALL.len()]>::default();
    for (group, count) in &votes.new {
        for (hash, field) in hashes.iter_mut().zip(fields(*group)) {
            *hash.entry(field).or_default() += count;
        }
    }
    hashes
}

fn outcome(votes: &VoteGroups, response: &[Option<i64>]) -> CountOutcome {
    match response {
        [Some(1), Some(duplicate_count), indices @ ..] => {
            let indices = indices.iter().flatten();
            let indices = indices.filter_map(|&index| usize::try_from(index).ok());
            let mut duplicates: Vec<usize> = indices
                .filter_map(|index| votes.may_be_counted.get(index))
                .map(|(index, _)| *index)
                .collect();
            // The script returns the duplicates, then the conflicts among them.
            let duplicate_count = usize::try_from(*duplicate_count).unwrap_or_default();
            let conflicts = duplicates.split_off(duplicate_count.min(duplicates.len()));
            CountOutcome::Counted {
                duplicates,
                conflicts,
            }
        }
        [Some(3), ..] => CountOutcome::CountingPaused,
        [Some(2), ..] => CountOutcome::OtherTopic,
        // Redis cuts a response off at the first nil of Lua.
        [_, applied_offset, ..] => CountOutcome::OffsetMismatch(*applied_offset),
        [] | [_] => CountOutcome::OffsetMismatch(None),
    }
}

fn incomplete(values: &[String]) -> redis::RedisError {
    let reason = format!("{} values", values.len());
    (
        ErrorKind::UnexpectedReturnType,
        "the reply of a script is incomplete",
        reason,
    )
        .into()
}

/// The field of each hash that a vote of the group increments, in the order of [`TallyHash::ALL`].
fn fields(group: VoteGroup) -> [String; TallyHash::ALL.len()] {
    let VoteGroup { band, album, route } = group;
    TallyHash::ALL.map(|hash| hash.field(band, album, route.as_str()))
}
