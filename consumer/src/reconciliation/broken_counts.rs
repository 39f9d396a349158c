//! Counts in Redis that no script can increment: another program has written a key of another type, or a text that is not
//! a number.

use std::fmt;

use anyhow::{Context, Result};
use redis::aio::ConnectionLike;
use tallies::TallyHash;
use tallies::keys::{TOP_STATE, TOTAL};

use crate::scripts;

/// The number of names in a message.
const MAX_NAMED: usize = 10;

/// The broken counts of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BrokenCounts {
    /// Keys of another type, or the key of the total if it is not a number.
    pub(crate) keys: Vec<&'static str>,
    /// Fields that are not numbers.
    pub(crate) fields: Vec<(TallyHash, Vec<String>)>,
}

impl BrokenCounts {
    /// Finds the keys of another type.
    pub(crate) async fn find_keys(connection: &mut impl ConnectionLike) -> Result<Self> {
        let mut keys = vec![(TOTAL, "string"), (TOP_STATE, "hash")];
        for hash in TallyHash::ALL {
            keys.extend([(hash.key(), "hash"), (hash.top_key(), "zset")]);
        }
        let mut query = redis::pipe();
        for (key, _) in &keys {
            query.cmd("TYPE").arg(key);
        }
        let types: Vec<String> = query
            .query_async(connection)
            .await
            .context("reading the counts from Redis")?;
        let broken = keys
            .into_iter()
            .zip(types)
            .filter(|((_, expected), found)| found != expected && found != "none");
        Ok(Self {
            keys: broken.map(|((key, _), _)| key).collect(),
            fields: Vec::new(),
        })
    }

    /// Whether no count is broken.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.fields.is_empty()
    }

    /// Deletes them, unless they have been mended in the meantime.
    pub(crate) async fn delete(&self, connection: &mut impl ConnectionLike) -> Result<()> {
        let script = scripts::mend_counts();
        let mut call = script.key(TOTAL);
        for hash in TallyHash::ALL {
            call.key(hash.key());
        }
        for hash in TallyHash::ALL {
            call.key(hash.top_key());
        }
        call.key(TOP_STATE);
        call.arg(TallyHash::ALL.len());
        for hash in TallyHash::ALL {
            let broken = self.fields.iter().find(|(other, _)| *other == hash);
            let fields = broken.map(|(_, fields)| fields.as_slice()).unwrap_or_default();
            call.arg(fields.len()).arg(fields);
        }
        let deleted: redis::RedisResult<u64> = call.invoke_async(connection).await;
        deleted.map(drop).context("deleting broken counts in Redis")
    }
}

impl fmt::Display for BrokenCounts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.iter().map(|key| (*key).to_owned());
        let fields = self.fields.iter().flat_map(|(hash, fields)| {
            let key = hash.key();
            fields.iter().map(move |field| format!("{key} {field:?}"))
        });
        let all: Vec<String> = keys.chain(fields).collect();
        let named = all.get(..MAX_NAMED.min(all.len())).unwrap_or_default();
        formatter.write_str(&named.join(", "))?;
        match all.len() - named.len() {
            0 => Ok(()),
            more => write!(formatter, ", and {more} more"),
        }
    }
}
