//! Stores that answer but take no writes.

use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use fastrand::Rng;
use lab::servers::Server;
use mongodb::bson::doc;

use super::{Fault, a_while};
use crate::scene::Scene;
use crate::wait::until;

const LONGEST: Duration = Duration::from_secs(5);
/// A time that does not end by itself before the fault does.
const UNTIL_HEALED_S: i32 = 600;

/// The memory limit that Redis had before it was lowered.
pub(super) struct MemoryLimit(String);

impl MemoryLimit {
    /// Lowers it below what Redis uses already: with `noeviction` every further write is refused.
    pub(super) async fn lower(scene: &Scene) -> Result<Self> {
        let answer: Vec<String> = scene.redis(&["CONFIG", "GET", "maxmemory"]).await?;
        let before = answer.into_iter().nth(1).context("Redis has no maxmemory")?;
        scene.redis::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await?;
        Ok(Self(before))
    }

    pub(super) async fn restore(self, scene: &Scene) -> Result<()> {
        scene.redis(&["CONFIG", "SET", "maxmemory", &self.0]).await
    }
}

#[derive(Default)]
pub(super) struct FullRedis {
    limit: Option<MemoryLimit>,
}

#[async_trait(?Send)]
impl Fault for FullRedis {
    fn name(&self) -> String {
        "redis-full".to_owned()
    }

    fn sentence(&self) -> String {
        "Redis reaches maxmemory (noeviction) and refuses writes; then it gets its memory back.".to_owned()
    }

    async fn inject(&mut self, scene: &Scene, random: &mut Rng) -> Result<()> {
        self.limit = Some(MemoryLimit::lower(scene).await?);
        scene.consumer_reports("maxmemory").await?;
        tokio::time::sleep(a_while(random, LONGEST)).await;
        Ok(())
    }

    async fn heal(&mut self, scene: &Scene) -> Result<()> {
        match self.limit.take() {
            Some(limit) => limit.restore(scene).await,
            None => Ok(()),
        }
    }
}

pub(super) struct ReadOnlyRedis;

#[async_trait(?Send)]
impl Fault for ReadOnlyRedis {
    fn name(&self) -> String {
        "redis-read-only".to_owned()
    }

    fn sentence(&self) -> String {
        "Redis becomes the replica of a server that does not answer, and takes no writes; then it is a primary again."
            .to_owned()
    }

    async fn inject(&mut self, scene: &Scene, random: &mut Rng) -> Result<()> {
        // Nobody can listen on the discard port unnoticed.
        scene.redis::<()>(&["REPLICAOF", "127.0.0.1", "9"]).await?;
        scene.consumer_reports("read only").await?;
        tokio::time::sleep(a_while(random, LONGEST)).await;
        Ok(())
    }

    async fn heal(&mut self, scene: &Scene) -> Result<()> {
        scene.redis(&["REPLICAOF", "NO", "ONE"]).await
    }
}

pub(super) struct SteppedDown;

#[async_trait(?Send)]
impl Fault for SteppedDown {
    fn name(&self) -> String {
        "mongodb-steps-down".to_owned()
    }

    fn sentence(&self) -> String {
        "MongoDB's primary steps down (replSetStepDown, force) and is elected again.".to_owned()
    }

    async fn inject(&mut self, scene: &Scene, random: &mut Rng) -> Result<()> {
        let step_down = doc! { "replSetStepDown": UNTIL_HEALED_S, "force": true };
        scene.mongodb_admin(step_down).await?;
        anyhow::ensure!(
            !scene.is_primary().await?,
            "{} is still the primary",
            Server::Mongodb
        );
        tokio::time::sleep(a_while(random, LONGEST)).await;
        anyhow::ensure!(
            !scene.is_primary().await?,
            "{} was elected too soon",
            Server::Mongodb
        );
        Ok(())
    }

    async fn heal(&mut self, scene: &Scene) -> Result<()> {
        // Lets the only member stand for election at once.
        scene.mongodb_admin(doc! { "replSetFreeze": 0 }).await?;
        until("MongoDB is a primary again", async || scene.is_primary().await).await
    }
}
