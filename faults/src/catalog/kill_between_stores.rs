//! The consumer dies when a batch is in MongoDB and not yet counted in Redis: the place where a careless consumer counts
//! twice, or never.

use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use fastrand::Rng;
use lab::process::Signal;
use lab::servers::Server;
use mongodb::bson::doc;

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
        "SIGKILL of consumer when MongoDB has logged votes that Redis, at its memory limit, refuses to count."
            .to_owned()
    }

    async fn inject(&mut self, scene: &Scene, _: &mut Rng) -> Result<()> {
        self.limit = Some(MemoryLimit::lower(scene).await?);
        let is_between = async || Ok(scene.logged(doc! {}).await? > scene.counted().await?);
        until("MongoDB holds votes that Redis does not count", is_between).await?;
        scene.kill(Server::Consumer).await?;
        anyhow::ensure!(
            is_between().await?,
            "nothing was between the stores when the consumer died"
        );
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
    counted_before: u64,
}

/// Enough for Redis to answer all that a consumer has asked, and for the consumer to log what it holds and send a script
/// for it. Below its response time-out of 1 s, after which it would make a new connection, and wait for that.
const TIME_TO_SEND: Duration = Duration::from_millis(400);

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
        // With both standing still, what Redis has counted is known: everything beyond comes from the scripts below.
        scene.freeze(Server::Consumer).await?;
        tokio::time::sleep(TIME_TO_SEND).await;
        self.counted_before = scene.counted().await?;
        scene.freeze(Server::Redis).await?;
        scene.stack().signal(Server::Consumer, Signal::CONT)?;
        tokio::time::sleep(TIME_TO_SEND).await;
        scene.kill(Server::Consumer).await?;
        Ok(())
    }

    async fn heal(&mut self, scene: &Scene) -> Result<()> {
        scene.stack().signal(Server::Redis, Signal::CONT)?;
        until("Redis counts for a consumer that is dead", async || {
            Ok(scene.counted().await? > self.counted_before)
        })
        .await?;
        scene.stack().start_server(Server::Consumer).await
    }
}
