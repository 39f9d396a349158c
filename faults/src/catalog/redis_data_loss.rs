//! Redis loses the writes that it had not yet synced to disk, as after a power failure.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use fastrand::Rng;
use lab::servers::Server;

use crate::environment::TestEnvironment;
use crate::fault::Fault;
use crate::wait::wait_until;

/// With `appendfsync everysec`, Redis can lose the writes of this interval.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct RedisDataLoss;

#[async_trait(?Send)]
impl Fault for RedisDataLoss {
    fn name(&self) -> String {
        "redis-loses-unsynced-writes".to_owned()
    }

    fn description(&self) -> String {
        "SIGKILL of redis; then its append-only file is truncated, which loses the writes of up to one second."
            .to_owned()
    }

    async fn inject(&mut self, environment: &TestEnvironment, random: &mut Rng) -> Result<()> {
        let file = append_only_file(environment)?;
        let length = || anyhow::Ok(std::fs::metadata(&file)?.len());
        let synced = length()?;
        tokio::time::sleep(SYNC_INTERVAL.mul_f64(random.f64())).await;
        wait_until("Redis has written to its append-only file", async || {
            Ok(length()? > synced)
        })
        .await?;
        let counted = environment.counted_votes().await?;
        environment.kill(Server::Redis).await?;
        File::options()
            .write(true)
            .open(&file)?
            .set_len(random.u64(synced..length()?))
            .context("truncating the append-only file")?;
        anyhow::ensure!(counted > 0, "Redis had counted no vote: the fault had no effect");
        Ok(())
    }

    async fn heal(&mut self, environment: &TestEnvironment) -> Result<()> {
        environment.stack().start_server(Server::Redis).await
    }
}

/// The current append-only file of Redis: `appendonlydir/<name>.<number>.incr.aof`.
fn append_only_file(environment: &TestEnvironment) -> Result<PathBuf> {
    let directory = environment
        .stack()
        .stack()
        .dir()
        .data(Server::Redis)?
        .join("appendonlydir");
    let files = std::fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))?;
    files
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().ends_with(".incr.aof"))
        .with_context(|| format!("{} has no append-only file", directory.display()))
}
