//! Redis comes back older than it was, as after a power cut: what it had not yet synced to disk is gone.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use fastrand::Rng;
use lab::servers::Server;

use super::Fault;
use crate::scene::Scene;
use crate::wait::until;

/// What `appendfsync everysec` may lose.
const UNSYNCED: Duration = Duration::from_secs(1);

pub(super) struct RedisForgets;

#[async_trait(?Send)]
impl Fault for RedisForgets {
    fn name(&self) -> String {
        "redis-loses-a-second".to_owned()
    }

    fn sentence(&self) -> String {
        "SIGKILL of redis, and its append-only file is cut to what it was up to a second before.".to_owned()
    }

    async fn inject(&mut self, scene: &Scene, random: &mut Rng) -> Result<()> {
        let file = append_only_file(scene)?;
        let length = || anyhow::Ok(std::fs::metadata(&file)?.len());
        let synced = length()?;
        tokio::time::sleep(UNSYNCED.mul_f64(random.f64())).await;
        until("Redis has written since", async || Ok(length()? > synced)).await?;
        let counted = scene.counted().await?;
        scene.kill(Server::Redis).await?;
        File::options()
            .write(true)
            .open(&file)?
            .set_len(random.u64(synced..length()?))
            .context("cutting the append-only file")?;
        anyhow::ensure!(counted > 0, "there was nothing to forget");
        Ok(())
    }

    async fn heal(&mut self, scene: &Scene) -> Result<()> {
        scene.stack().start_server(Server::Redis).await
    }
}

/// The file that Redis appends to: `appendonlydir/<name>.<number>.incr.aof`.
fn append_only_file(scene: &Scene) -> Result<PathBuf> {
    let directory = scene
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
