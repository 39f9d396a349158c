//! Stores that respond but reject writes.

use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use fastrand::Rng;
use lab::servers::Server;
use mongodb::bson::doc;

use crate::environment::TestEnvironment;
use crate::fault::{Fault, random_duration};
use crate::wait::wait_until;

const MAX_DURATION: Duration = Duration::from_secs(5);
/// Seconds without an election. Longer than the fault, which ends the step-down earlier.
const STEP_DOWN_S: i32 = 600;

/// The memory limit of Redis before [`MemoryLimit::lower`].
pub(super) struct MemoryLimit(String);

impl MemoryLimit {
    /// Lowers the limit below the memory in use: with `noeviction`, Redis then rejects every write.
    pub(super) async fn lower(environment: &TestEnvironment) -> Result<Self> {
        let answer: Vec<String> = environment.redis(&["CONFIG", "GET", "maxmemory"]).await?;
        let before = answer
            .into_iter()
            .nth(1)
            .context("Redis did not return maxmemory")?;
        environment
            .redis::<()>(&["CONFIG", "SET", "maxmemory", "1"])
            .await?;
        Ok(Self(before))
    }

    pub(super) async fn restore(self, environment: &TestEnvironment) -> Result<()> {
        environment.redis(&["CONFIG", "SET", "maxmemory", &self.0]).await
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

    fn description(&self) -> String {
        "Redis reaches maxmemory (noeviction) and rejects writes; then the limit is restored.".to_owned()
    }

    async fn inject(&mut self, environment: &TestEnvironment, random: &mut Rng) -> Result<()> {
        self.limit = Some(MemoryLimit::lower(environment).await?);
        environment.wait_until_consumer_reports("maxmemory").await?;
        tokio::time::sleep(random_duration(random, MAX_DURATION)).await;
        Ok(())
    }

    async fn heal(&mut self, environment: &TestEnvironment) -> Result<()> {
        match self.limit.take() {
            Some(limit) => limit.restore(environment).await,
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

    fn description(&self) -> String {
        "Redis becomes the replica of a server that does not respond, and rejects writes; then it is a primary again."
            .to_owned()
    }

    async fn inject(&mut self, environment: &TestEnvironment, random: &mut Rng) -> Result<()> {
        // Port 9 (discard) has no listener.
        environment.redis::<()>(&["REPLICAOF", "127.0.0.1", "9"]).await?;
        environment.wait_until_consumer_reports("read only").await?;
        tokio::time::sleep(random_duration(random, MAX_DURATION)).await;
        Ok(())
    }

    async fn heal(&mut self, environment: &TestEnvironment) -> Result<()> {
        environment.redis(&["REPLICAOF", "NO", "ONE"]).await
    }
}

pub(super) struct PrimaryStepDown;

#[async_trait(?Send)]
impl Fault for PrimaryStepDown {
    fn name(&self) -> String {
        "mongodb-steps-down".to_owned()
    }

    fn description(&self) -> String {
        "MongoDB's primary steps down (replSetStepDown, force) and is elected again.".to_owned()
    }

    async fn inject(&mut self, environment: &TestEnvironment, random: &mut Rng) -> Result<()> {
        let step_down = doc! { "replSetStepDown": STEP_DOWN_S, "force": true };
        environment.mongodb_admin(step_down).await?;
        anyhow::ensure!(
            !environment.is_primary().await?,
            "{} is still the primary",
            Server::Mongodb
        );
        tokio::time::sleep(random_duration(random, MAX_DURATION)).await;
        anyhow::ensure!(
            !environment.is_primary().await?,
            "{} was elected before the end of the fault",
            Server::Mongodb
        );
        Ok(())
    }

    async fn heal(&mut self, environment: &TestEnvironment) -> Result<()> {
        // Allows the only member to be elected at once.
        environment.mongodb_admin(doc! { "replSetFreeze": 0 }).await?;
        wait_until("MongoDB is a primary again", async || {
            environment.is_primary().await
        })
        .await
    }
}
