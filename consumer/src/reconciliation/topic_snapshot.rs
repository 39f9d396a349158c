//! The topic at the start of a command, and the wait until all its records are counted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use kafka::{Extent, TopicIds};
use uuid::Uuid;

use super::redis_tallies::RedisTallies;
use super::snapshot::Snapshot;
use crate::progress::Progress;
use crate::store_args::ConsumerKafkaArgs;

const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The topic as it was when a command began.
#[derive(Debug)]
pub(crate) struct TopicSnapshot {
    ids: TopicIds,
    id: Uuid,
    /// The offsets that each partition held.
    pub(crate) extents: BTreeMap<i32, Extent>,
}

impl TopicSnapshot {
    /// Reads the topic's id and extents from Kafka.
    pub(crate) async fn read(kafka: &ConsumerKafkaArgs) -> Result<Self> {
        let (brokers, topic) = (kafka.brokers.open()?, kafka.topic.clone());
        let ids = TopicIds::new(&brokers, &topic);
        let id = ids
            .requested_after(Instant::now())
            .await
            .context("asking Kafka for the topic's id")?;
        let extents = tokio::task::spawn_blocking(move || kafka::extents(&brokers, &topic));
        Ok(Self {
            ids,
            id,
            extents: extents
                .await?
                .context("asking Kafka for the offsets of the topic")?,
        })
    }

    /// Errors unless the topic is still the same and the applied offsets of `snapshot` belong to it.
    pub(crate) async fn check_unchanged(&self, snapshot: &Snapshot) -> Result<()> {
        let now = self
            .ids
            .requested_after(Instant::now())
            .await
            .context("asking Kafka for the topic's id")?;
        if now != self.id {
            bail!("the topic was recreated while this command ran: run it again");
        }
        if !self.is_counted_by(snapshot) {
            bail!(
                "the topic was recreated, and no consumer has registered the new one: check that a consumer runs and is \
                 ready"
            );
        }
        Ok(())
    }

    /// Waits at most `limit` until all records that the topic held are counted. Also returns when the limit passes.
    pub(crate) async fn wait_until_counted(&self, redis: &RedisTallies, limit: Duration) -> Result<()> {
        let started = Instant::now();
        let mut progress = Progress::new("waiting for the consumer");
        loop {
            let snapshot = redis.progress().await?;
            let uncounted = snapshot.uncounted(&self.extents);
            let is_done = uncounted == 0 && self.is_counted_by(&snapshot);
            if is_done || started.elapsed() >= limit {
                return Ok(());
            }
            progress.report(|| format!("{uncounted} records are not counted yet"));
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Whether the applied offsets of the snapshot belong to this topic; also true if there are none.
    fn is_counted_by(&self, snapshot: &Snapshot) -> bool {
        snapshot.topic.is_none_or(|id| id == self.id)
    }
}
