//! Kafka, Redis and MongoDB: their configuration files and command lines.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use minijinja::context as values;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::context::LaunchContext;
use super::template::render;
use crate::process::ProcessSpec;
use crate::servers::Server;

const KAFKA: &str = include_str!("../../servers/kafka/server.properties");
const KAFKA_LOG: &str = include_str!("../../servers/kafka/log4j2.properties");
const REDIS: &str = include_str!("../../servers/redis/redis.conf");
const MONGODB: &str = include_str!("../../servers/mongodb/mongod.conf");

pub(super) async fn kafka(context: &LaunchContext<'_>) -> Result<ProcessSpec> {
    let config = context.dir.config(Server::Kafka)?;
    let data = context.dir.data(Server::Kafka)?;
    let properties = config.join("server.properties");
    let logging = config.join("log4j2.properties");
    std::fs::write(
        &properties,
        render(
            KAFKA,
            &context.settings.ports,
            values! { data => data.display().to_string() },
        )?,
    )?;
    std::fs::write(&logging, KAFKA_LOG)?;
    if !data.join("meta.properties").exists() {
        format_storage(context, &properties, &logging).await?;
    }
    Ok(java(context, &logging)
        // The page cache holds the votes of a load run; the heap holds little more than requests.
        .args(["-Xms256m", "-Xmx512m", "kafka.Kafka"])
        .args([properties.display()]))
}

/// Formats the data directory. A KRaft node starts only on a directory that contains the id of its cluster.
async fn format_storage(context: &LaunchContext<'_>, properties: &Path, logging: &Path) -> Result<()> {
    let spec = java(context, logging)
        // The process runs for about one second: the optimising compiler would cost CPU time without any gain.
        .args([
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "kafka.tools.StorageTool",
            "format",
        ])
        .args(["--cluster-id", "ZHVhbHBhdGgtbGFiLWthZg", "--config"])
        .args([properties.display()]);
    let output = Command::new(&spec.program)
        .args(&spec.args)
        .kill_on_drop(true)
        .output()
        .await;
    let output = match output {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
            "java is not installed: run `apt-get install openjdk-17-jre-headless` (or scripts/setup.sh)"
        ),
        other => other.context("running java")?,
    };
    if !output.status.success() {
        bail!(
            "Kafka's StorageTool failed to format {}: {}",
            context.dir.path().display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

fn java(context: &LaunchContext<'_>, logging: &Path) -> ProcessSpec {
    ProcessSpec::new("java")
        .args(["-cp".to_owned(), context.cache.kafka_class_path()])
        .args([format!("-Dlog4j2.configurationFile={}", logging.display())])
}

pub(super) async fn redis(context: &LaunchContext<'_>) -> Result<ProcessSpec> {
    let data = context.dir.data(Server::Redis)?;
    let manifest = data.join("appendonlydir/appendonly.aof.manifest");
    if manifest.exists() {
        remove_incomplete_transaction(context, &manifest).await?;
    }
    let data = data.display().to_string();
    let file = context.dir.config(Server::Redis)?.join("redis.conf");
    std::fs::write(&file, render(REDIS, &context.settings.ports, values! { data })?)?;
    Ok(ProcessSpec::new(context.cache.redis_server())
        .args([file.display()])
        .env("LD_LIBRARY_PATH", context.cache.redis_libraries()))
}

/// Removes an incomplete transaction, which a crash can leave at the end of the append-only file.
///
/// Redis 7.0 ignores the transaction at the next start but keeps its beginning in the file and appends to it. The start
/// after that executes those commands, which adds some counts of a batch twice.
async fn remove_incomplete_transaction(context: &LaunchContext<'_>, manifest: &Path) -> Result<()> {
    let mut check = Command::new(context.cache.redis_check_aof())
        .arg("--fix")
        .arg(manifest)
        .env("LD_LIBRARY_PATH", context.cache.redis_libraries())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("starting redis-check-aof")?;
    let mut stdin = check
        .stdin
        .take()
        .context("redis-check-aof has no standard input")?;
    // The program asks for confirmation only if it must truncate the file; otherwise it may already have exited.
    let _ = stdin.write_all(b"y\n").await;
    drop(stdin);
    let output = check
        .wait_with_output()
        .await
        .context("running redis-check-aof")?;
    if !output.status.success() {
        bail!(
            "redis-check-aof cannot repair the append-only file of Redis: {}",
            String::from_utf8_lossy(&output.stdout).trim()
        );
    }
    Ok(())
}

pub(super) fn mongodb(context: &LaunchContext<'_>) -> Result<ProcessSpec> {
    let data = context.dir.data(Server::Mongodb)?.display().to_string();
    let file = context.dir.config(Server::Mongodb)?.join("mongod.conf");
    std::fs::write(&file, render(MONGODB, &context.settings.ports, values! { data })?)?;
    Ok(ProcessSpec::new(context.cache.mongod())
        .args(["--config"])
        .args([file.display()]))
}
