//! Waiting until what was in Kafka is counted: then the fences are a place at which nothing that was sent before is
//! missing from any book.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use kafka::{Extent, TopicIds};
use uuid::Uuid;

use super::redis::{Redis, Snapshot};
use crate::progress::Progress;
use crate::store_args::KafkaArgs;

const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The topic as it was when a command began.
#[derive(Debug)]
pub(crate) struct Topic {
    ids: TopicIds,
    id: Uuid,
    /// What each partition held.
    pub(crate) extents: BTreeMap<i32, Extent>,
}

impl Topic {
    /// Asks Kafka.
    pub(crate) async fn now(place: &KafkaArgs) -> Result<Self> {
        let KafkaArgs { brokers, topic, .. } = place.clone();
        let ids = TopicIds::new(&brokers, &topic);
        let id = ids
            .after(Instant::now())
            .await
            .context("asking Kafka for the topic")?;
        let extents = tokio::task::spawn_blocking(move || kafka::extents(&brokers, &topic));
        Ok(Self {
            ids,
            id,
            extents: extents.await?.context("asking Kafka what the topic holds")?,
        })
    }

    /// Errors unless the fences of `snapshot` belong to the topic, now as before.
    pub(crate) async fn check(&self, snapshot: &Snapshot) -> Result<()> {
        let now = self
            .ids
            .after(Instant::now())
            .await
            .context("asking Kafka for the topic")?;
        if now != self.id {
            bail!("the topic was made anew meanwhile: start again");
        }
        if !self.is_counted_by(snapshot) {
            bail!(
                "the topic was made anew, and no consumer has begun to count it: is one running, and ready?"
            );
        }
        Ok(())
    }

    /// Waits until everything that the topic held is counted, for `limit` at most.
    pub(crate) async fn counted(&self, redis: &Redis, limit: Duration) -> Result<()> {
        let started = Instant::now();
        let mut progress = Progress::new("waiting for the consumer");
        loop {
            let snapshot = redis.snapshot().await?;
            let behind = snapshot.behind(&self.extents);
            let is_done = behind == 0 && self.is_counted_by(&snapshot);
            if is_done || started.elapsed() >= limit {
                return Ok(());
            }
            progress.at(|| format!("{behind} records are not counted yet"));
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Whether the snapshot's fences, if there are any, belong to it.
    fn is_counted_by(&self, snapshot: &Snapshot) -> bool {
        snapshot.topic.is_none_or(|id| id == self.id)
    }
}
