//! The consumer dies when a batch is in MongoDB and not yet counted in Redis: the place where a careless consumer counts
//! twice, or never.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use async_trait::async_trait;
use fastrand::Rng;
use futures::TryStreamExt;
use lab::process::Signal;
use lab::servers::Server;
use mongodb::bson::{DateTime, Document, doc};
use uuid::Uuid;

use super::Fault;
use super::stores::MemoryLimit;
use crate::scene::Scene;
use crate::wait::until;

/// Redis refuses to count, so that what is logged stays uncounted until the consumer is dead.
#[derive(Default)]
pub(super) struct RedisRefuses {
    limit: Option<MemoryLimit>,
}

#[async_trait(?Send)]
impl Fault for RedisRefuses {
    fn name(&self) -> String {
        "kill-consumer-between-stores".to_owned()
    }

    fn sentence(&self) -> String {
        "SIGKILL of consumer when MongoDB has logged votes that Redis, at its memory limit, refuses to count.".to_owned()
    }

    async fn inject(&mut self, scene: &Scene, _: &mut Rng) -> Result<()> {
        self.limit = Some(MemoryLimit::lower(scene).await?);
        let is_between = async || Ok(scene.logged(doc! {}).await? > scene.counted().await?);
        until("MongoDB holds votes that Redis does not count", is_between).await?;
        scene.kill(Server::Consumer).await?;
        anyhow::ensure!(is_between().await?, "nothing was between the stores when the consumer died");
        Ok(())
    }

    async fn heal(&mut self, scene: &Scene) -> Result<()> {
        if let Some(limit) = self.limit.take() {
            limit.restore(scene).await?;
        }
        scene.stack().start_server(Server::Consumer).await
    }
}

/// Redis stands still, so that the script that counts is on its way when the consumer dies; Redis runs it afterwards.
#[derive(Default)]
pub(super) struct RedisStands {
    logged_meanwhile: Vec<Uuid>,
}

impl RedisStands {
    /// A script that is written to a socket arrives, whoever has written it.
    const TIME_TO_SEND: Duration = Duration::from_millis(300);
    /// More would only take longer to ask for.
    const SAMPLE: i64 = 500;
}

#[async_trait(?Send)]
impl Fault for RedisStands {
    fn name(&self) -> String {
        "kill-consumer-script-under-way".to_owned()
    }

    fn sentence(&self) -> String {
        "SIGKILL of consumer while Redis stands still with its script unread; Redis counts after the consumer's death."
            .to_owned()
    }

    async fn inject(&mut self, scene: &Scene, _: &mut Rng) -> Result<()> {
        scene.freeze(Server::Redis).await?;
        let since = DateTime::from_system_time(SystemTime::now());
        let logged_meanwhile = doc! { "consumed_at": { "$gt": since } };
        until("MongoDB has logged votes that Redis cannot count", async || {
            Ok(scene.logged(logged_meanwhile.clone()).await? > 0)
        })
        .await?;
        tokio::time::sleep(Self::TIME_TO_SEND).await;
        scene.kill(Server::Consumer).await?;
        let documents: Vec<Document> = scene
            .log()
            .find(logged_meanwhile)
            .limit(Self::SAMPLE)
            .await?
            .try_collect()
            .await?;
        let ids = documents.iter().filter_map(|document| document.get_str("_id").ok()?.parse().ok());
        self.logged_meanwhile = ids.collect();
        Ok(())
    }

    async fn heal(&mut self, scene: &Scene) -> Result<()> {
        scene.stack().signal(Server::Redis, Signal::CONT)?;
        let sample = std::mem::take(&mut self.logged_meanwhile);
        until("Redis counts for a consumer that is dead", async || {
            for id in &sample {
                if scene.is_counted(*id).await? {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await?;
        scene.stack().start_server(Server::Consumer).await
    }
}
