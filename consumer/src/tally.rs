//! The tallies in Redis: one atomic script a batch, fenced by the partition's next offset.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::aio::ConnectionManagerConfig;
use redis::{RedisResult, Script};
use uuid::Uuid;

use crate::batch::LoggedVote;
use crate::dead_letter_limit::Level;
use tallies::ReconnectingConnection;
use tallies::keys::{ALBUM, BAND, DEAD_LETTERS, OFFSETS, ROUTE, SEEN_PREFIX, TOPIC, TOPICS, TOTAL};

/// A script blocks Redis for about a millisecond; an answer that takes longer than this is lost, or Redis is in trouble.
/// Either way the next attempt is safe.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The tallies.
#[derive(Clone)]
pub struct Tally {
    connection: Arc<ReconnectingConnection>,
    count: Script,
    adopt: Script,
    dedup_window: Duration,
}

/// What Redis holds about some partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fences {
    /// The topic that they belong to; None where nothing was counted yet.
    pub topic_id: Option<Uuid>,
    /// Of each partition, in the order of the question: the next offset to count, None where none was counted yet.
    pub offsets: Vec<Option<i64>>,
    /// Of each partition, in the order of the question: the level of its dead-letter limit.
    pub levels: Vec<Level>,
}

/// A batch as the script counts it.
#[derive(Clone, Copy, Debug)]
pub struct Count<'a> {
    /// The topic.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
    /// The fence that the votes build on.
    pub fence: Option<i64>,
    /// The fence after them.
    pub next: i64,
    /// The level of the dead-letter limit after them.
    pub level: Level,
    /// The votes.
    pub votes: &'a [LoggedVote],
}

/// What the script says about a batch.
#[derive(Debug, PartialEq, Eq)]
pub enum Counted {
    /// The batch is counted and the fence has moved. Indices of the votes that were counted before, under the same id.
    Done {
        /// Indices into the votes.
        duplicates: Vec<usize>,
    },
    /// Nothing was changed: the fence is another one.
    Differs(Option<i64>),
    /// Nothing was changed: another topic is counted now, or none.
    OtherTopic,
}

impl Tally {
    /// Connects lazily: Redis need not be there yet. `dedup_window`: how long a client's id is remembered.
    pub fn new(url: &str, dedup_window: Duration) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            // Whoever calls retries, and reports each failure: a long silence in here would hide it.
            .set_number_of_retries(1);
        let connection = ReconnectingConnection::new(redis::Client::open(url)?, config)?;
        Ok(Self {
            connection: Arc::new(connection),
            count: Script::new(include_str!("tally.lua")),
            adopt: Script::new(include_str!("adopt.lua")),
            dedup_window,
        })
    }

    /// Makes `topic_id` the topic that is counted. Where another was counted before, its fences go and its counts stay.
    /// False if this one was replaced by another before: it cannot come back.
    pub async fn adopt(&self, topic_id: Uuid) -> RedisResult<bool> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut call = self.adopt.key(TOPIC);
        call.key(TOPICS).key(OFFSETS).key(DEAD_LETTERS);
        call.arg(topic_id.to_string())
            .arg(u64::try_from(now.as_millis()).unwrap_or_default());
        let answer = call.invoke_async(&mut self.connection.get()).await;
        self.connection.checked(answer)
    }

    /// What Redis holds about `partitions`, at one moment; there may be none, which asks whether Redis answers.
    pub async fn fences(&self, partitions: &[i32]) -> RedisResult<Fences> {
        let mut question = redis::pipe();
        question.atomic().get(TOPIC);
        if !partitions.is_empty() {
            question.cmd("HMGET").arg(OFFSETS).arg(partitions);
            question.cmd("HMGET").arg(DEAD_LETTERS).arg(partitions);
        }
        let mut connection = self.connection.get();
        if partitions.is_empty() {
            let answer = question.query_async(&mut connection).await;
            let (topic_id,) = self.connection.checked(answer)?;
            return Ok(Fences {
                topic_id: parse_id(topic_id),
                ..Fences::default()
            });
        }
        let answer = question.query_async(&mut connection).await;
        let (topic_id, offsets, levels): (_, _, Vec<Option<u64>>) = self.connection.checked(answer)?;
        Ok(Fences {
            topic_id: parse_id(topic_id),
            offsets,
            levels: levels
                .into_iter()
                .map(|level| Level::from(level.unwrap_or_default()))
                .collect(),
        })
    }

    /// Counts a batch, if its topic is the one that is counted and its fence the one that Redis holds; the fence moves.
    /// May be repeated after any error: a batch is counted once.
    pub async fn count(&self, batch: Count<'_>) -> RedisResult<Counted> {
        let counts = Counts::of(batch.votes);
        let mut call = self.count.key(TOPIC);
        for key in [OFFSETS, DEAD_LETTERS, TOTAL, BAND, ALBUM, ROUTE] {
            call.key(key);
        }
        call.arg(batch.topic_id.to_string())
            .arg(batch.partition)
            .arg(batch.fence.map_or_else(String::new, |offset| offset.to_string()))
            .arg(batch.next)
            .arg(batch.level.to_string())
            .arg(self.dedup_window.as_secs())
            .arg(counts.own_ids);
        for hash in counts.hashes() {
            call.arg(hash.len());
            for (field, count) in hash {
                call.arg(field).arg(count);
            }
        }
        for (_, vote) in &counts.client_ids {
            let [band, album, route] = fields(vote);
            call.key(format!("{SEEN_PREFIX}{}", vote.event.vote_id))
                .arg(band)
                .arg(album)
                .arg(route);
        }
        let answer = call.invoke_async(&mut self.connection.get()).await;
        let answer: Vec<Option<i64>> = self.connection.checked(answer)?;
        Ok(counts.read(&answer))
    }
}

/// Votes with ids of our own, summed up by field; those with a client's id one by one, as each may have been seen.
#[derive(Debug, Default)]
struct Counts<'a> {
    own_ids: u64,
    band: HashMap<String, u64>,
    album: HashMap<String, u64>,
    route: HashMap<String, u64>,
    client_ids: Vec<(usize, &'a LoggedVote)>,
}

impl<'a> Counts<'a> {
    fn of(votes: &'a [LoggedVote]) -> Self {
        let mut counts = Self::default();
        for (index, vote) in votes.iter().enumerate() {
            if vote.event.client_id {
                counts.client_ids.push((index, vote));
                continue;
            }
            counts.own_ids += 1;
            let [band, album, route] = fields(vote);
            *counts.band.entry(band).or_default() += 1;
            *counts.album.entry(album).or_default() += 1;
            *counts.route.entry(route).or_default() += 1;
        }
        counts
    }

    fn hashes(&self) -> [&HashMap<String, u64>; 3] {
        [&self.band, &self.album, &self.route]
    }

    fn read(&self, answer: &[Option<i64>]) -> Counted {
        match answer {
            [Some(1), duplicates @ ..] => {
                let seen = duplicates
                    .iter()
                    .flatten()
                    .filter_map(|&index| usize::try_from(index).ok());
                let duplicates = seen
                    .filter_map(|index| self.client_ids.get(index))
                    .map(|(index, _)| *index);
                Counted::Done {
                    duplicates: duplicates.collect(),
                }
            }
            [Some(2), ..] => Counted::OtherTopic,
            // An answer ends where Lua has a nil.
            [_, fence, ..] => Counted::Differs(*fence),
            [] | [_] => Counted::Differs(None),
        }
    }
}

/// Text that is no id can only be somebody else's: then it is not the topic's.
fn parse_id(text: Option<String>) -> Option<Uuid> {
    Uuid::try_parse(&text?).ok()
}

/// The fields that a vote counts for, in the order of the script: band, album, route.
fn fields(vote: &LoggedVote) -> [String; 3] {
    let (name, album) = (vote.event.vote.name.as_str(), vote.event.vote.album.as_str());
    [
        name.to_owned(),
        format!("{name} - {album}"),
        vote.event.route.as_str().to_owned(),
    ]
}
