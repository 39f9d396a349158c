//! The tallies in Redis: one atomic script a batch, fenced by the partition's next offset.

use std::collections::HashMap;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, RedisResult, Script};

use crate::batch::LoggedVote;

// One slot (the braces): a script may touch all of them, in a cluster too.
const OFFSETS: &str = "{votes}:offsets";
const COUNTERS: [&str; 4] = ["{votes}:total", "{votes}:band", "{votes}:album", "{votes}:route"];
const SEEN_PREFIX: &str = "{votes}:seen:";

/// A script blocks Redis for about a millisecond; an answer that takes longer than this is lost, or Redis is in trouble.
/// Either way the next attempt is safe.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The tallies.
#[derive(Clone)]
pub struct Tally {
    connection: ConnectionManager,
    script: Script,
    dedup_window: Duration,
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
}

impl Tally {
    /// Connects lazily: Redis need not be there yet. `dedup_window`: how long a client's id is remembered.
    pub fn new(url: &str, dedup_window: Duration) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            // Whoever calls retries, and reports each failure: a long silence in here would hide it.
            .set_number_of_retries(1);
        let connection = ConnectionManager::new_lazy_with_config(redis::Client::open(url)?, config)?;
        Ok(Self {
            connection,
            script: Script::new(include_str!("tally.lua")),
            dedup_window,
        })
    }

    /// The fences of `partitions`: the next offset to count, None where none was counted yet.
    /// Without partitions, whether Redis answers.
    pub async fn fences(&self, partitions: &[i32]) -> RedisResult<Vec<Option<i64>>> {
        if partitions.is_empty() {
            return self.ping().await.map(|()| Vec::new());
        }
        let mut connection = self.connection.clone();
        redis::cmd("HMGET")
            .arg(OFFSETS)
            .arg(partitions)
            .query_async(&mut connection)
            .await
    }

    async fn ping(&self) -> RedisResult<()> {
        self.connection.clone().ping().await
    }

    /// Counts `votes`, the votes of one batch of `partition`, if its fence is `fence`; then it becomes `next`. May be
    /// repeated after any error: a batch is counted once.
    pub async fn count(
        &self,
        partition: i32,
        fence: Option<i64>,
        next: i64,
        votes: &[LoggedVote],
    ) -> RedisResult<Counted> {
        let counts = Counts::of(votes);
        let mut call = self.script.key(OFFSETS);
        for key in COUNTERS {
            call.key(key);
        }
        call.arg(partition)
            .arg(fence.map_or_else(String::new, |offset| offset.to_string()))
            .arg(next)
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
        let answer: Vec<Option<i64>> = call.invoke_async(&mut self.connection.clone()).await?;
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
            [_, fence, ..] => Counted::Differs(*fence),
            [] | [_] => Counted::Differs(None),
        }
    }
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
