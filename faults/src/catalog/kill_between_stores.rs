//! The consumer is killed between the two stores: a batch is in MongoDB and not yet counted in Redis. A faulty consumer counts
//! such a batch twice or never.

use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use fastrand::Rng;
use lab::process::Signal;
use lab::servers::Server;
use mongodb::bson::doc;

use super::stores_reject_writes::MemoryLimit;
use crate::environment::TestEnvironment;
use crate::fault::Fault;
use crate::wait::wait_until;

/// Redis rejects writes, so that logged votes stay uncounted until the consumer is killed.
#[derive(Default)]
pub(super) struct KillWhileRedisRejectsWrites {
    limit: Option<MemoryLimit>,
}

#[async_trait(?Send)]
impl Fault for KillWhileRedisRejectsWrites {
    fn name(&self) -> String {
        "kill-consumer-between-stores".to_owned()
    }

    fn description(&self) -> String {
        "SIGKILL of consumer when MongoDB has logged votes that Redis, at its memory limit, rejects."
            .to_owned()
    }

    async fn inject(&mut self, environment: &TestEnvironment, _: &mut Rng) -> Result<()> {
        self.limit = Some(MemoryLimit::lower(environment).await?);
        let has_uncounted_votes =
            async || Ok(environment.logged_votes(doc! {}).await? > environment.counted_votes().await?);
        wait_until(
            "MongoDB has votes that Redis has not counted",
            has_uncounted_votes,
        )
        .await?;
        environment.kill(Server::Consumer).await?;
        anyhow::ensure!(
            has_uncounted_votes().await?,
            "Redis had counted every logged vote when the consumer was killed: the fault had no effect"
        );
        Ok(())
    }

    async fn heal(&mut self, environment: &TestEnvironment) -> Result<()> {
        if let Some(limit) = self.limit.take() {
            limit.restore(environment).await?;
        }
        environment.stack().start_server(Server::Consumer).await
    }
}

/// Redis is paused, so that the counting script is in flight when the consumer is killed. Redis runs it afterwards.
#[derive(Default)]
pub(super) struct KillWhileRedisIsPaused {
    counted_before: u64,
}

/// Long enough for Redis to answer the pending requests of the consumer, and for the consumer to log its batch and send the
/// script. Shorter than the consumer's response timeout of 1 s, after which it would open a new connection.
const TIME_TO_SEND: Duration = Duration::from_millis(400);

#[async_trait(?Send)]
impl Fault for KillWhileRedisIsPaused {
    fn name(&self) -> String {
        "kill-consumer-script-in-flight".to_owned()
    }

    fn description(&self) -> String {
        "SIGKILL of consumer while its script is unread in the paused Redis; Redis runs the script after the consumer has exited."
            .to_owned()
    }

    async fn inject(&mut self, environment: &TestEnvironment, _: &mut Rng) -> Result<()> {
        // While both are paused, the count of Redis is final: every further vote comes from the script in flight.
        environment.pause(Server::Consumer).await?;
        tokio::time::sleep(TIME_TO_SEND).await;
        self.counted_before = environment.counted_votes().await?;
        environment.pause(Server::Redis).await?;
        environment.stack().signal(Server::Consumer, Signal::CONT)?;
        tokio::time::sleep(TIME_TO_SEND).await;
        environment.kill(Server::Consumer).await?;
        Ok(())
    }

    async fn heal(&mut self, environment: &TestEnvironment) -> Result<()> {
        environment.stack().signal(Server::Redis, Signal::CONT)?;
        wait_until("Redis counts the script of the killed consumer", async || {
            Ok(environment.counted_votes().await? > self.counted_before)
        })
        .await?;
        environment.stack().start_server(Server::Consumer).await
    }
}
