//! Kafka, Redis and MongoDB: their configuration files, rendered, and their command lines.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use minijinja::{Environment, UndefinedBehavior, context};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{Place, Server};
use crate::ports::{Port, Ports};
use crate::process::Launch;

const KAFKA: &str = include_str!("../../servers/kafka/server.properties");
const KAFKA_LOG: &str = include_str!("../../servers/kafka/log4j2.properties");
const REDIS: &str = include_str!("../../servers/redis/redis.conf");
const MONGODB: &str = include_str!("../../servers/mongodb/mongod.conf");

/// Fills in a template: `ports[NAME]` and whatever `values` holds.
pub(super) fn render(template: &str, ports: &Ports, values: minijinja::Value) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    let numbers: BTreeMap<String, u16> = Port::value_variants()
        .iter()
        .map(|port| (port.name(), ports.get(*port)))
        .collect();
    environment
        .render_str(template, context! { ports => numbers, ..values })
        .context("rendering a configuration template")
}

pub(super) async fn kafka(place: &Place<'_>) -> Result<Launch> {
    let config = place.dir.config(Server::Kafka)?;
    let data = place.dir.data(Server::Kafka)?;
    let properties = config.join("server.properties");
    let logging = config.join("log4j2.properties");
    std::fs::write(
        &properties,
        render(
            KAFKA,
            &place.settings.ports,
            context! { data => data.display().to_string() },
        )?,
    )?;
    std::fs::write(&logging, KAFKA_LOG)?;
    if !data.join("meta.properties").exists() {
        format_storage(place, &properties, &logging).await?;
    }
    Ok(java(place, &logging)
        // The votes of a load run live in the page cache; the heap holds requests and little else.
        .args(["-Xms256m", "-Xmx512m", "kafka.Kafka"])
        .args([properties.display()]))
}

/// A KRaft node starts only on a directory that carries its cluster's id.
async fn format_storage(place: &Place<'_>, properties: &Path, logging: &Path) -> Result<()> {
    let launch = java(place, logging)
        // A process of one second: the optimising compiler would only take the cores from the others.
        .args([
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "kafka.tools.StorageTool",
            "format",
        ])
        .args(["--cluster-id", "ZHVhbHBhdGgtbGFiLWthZg", "--config"])
        .args([properties.display()]);
    let output = Command::new(&launch.program)
        .args(&launch.args)
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
            "Kafka's StorageTool failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

fn java(place: &Place<'_>, logging: &Path) -> Launch {
    Launch::new("java")
        .args(["-cp".to_owned(), place.cache.kafka_class_path()])
        .args([format!("-Dlog4j2.configurationFile={}", logging.display())])
}

pub(super) async fn redis(place: &Place<'_>) -> Result<Launch> {
    let data = place.dir.data(Server::Redis)?;
    let manifest = data.join("appendonlydir/appendonly.aof.manifest");
    if manifest.exists() {
        drop_torn_transaction(place, &manifest).await?;
    }
    let data = data.display().to_string();
    let file = place.dir.config(Server::Redis)?.join("redis.conf");
    std::fs::write(&file, render(REDIS, &place.settings.ports, context! { data })?)?;
    Ok(Launch::new(place.cache.redis_server())
        .args([file.display()])
        .env("LD_LIBRARY_PATH", place.cache.redis_libraries()))
}

/// Cuts off a transaction that a crash has left half written in the append-only file.
///
/// Redis 7.0 would ignore it, but leave its beginning in the file and write on behind it; the next start then executes
/// those commands, and some of the counts of a batch are added twice.
async fn drop_torn_transaction(place: &Place<'_>, manifest: &Path) -> Result<()> {
    let mut check = Command::new(place.cache.redis_check_aof())
        .arg("--fix")
        .arg(manifest)
        .env("LD_LIBRARY_PATH", place.cache.redis_libraries())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("starting redis-check-aof")?;
    let mut stdin = check
        .stdin
        .take()
        .context("redis-check-aof has no standard input")?;
    // It asks only if there is something to cut off, and may have ended before.
    let _ = stdin.write_all(b"y\n").await;
    drop(stdin);
    let output = check
        .wait_with_output()
        .await
        .context("running redis-check-aof")?;
    if !output.status.success() {
        bail!(
            "Redis' append-only file is broken: {}",
            String::from_utf8_lossy(&output.stdout).trim()
        );
    }
    Ok(())
}

pub(super) fn mongodb(place: &Place<'_>) -> Result<Launch> {
    let data = place.dir.data(Server::Mongodb)?.display().to_string();
    let file = place.dir.config(Server::Mongodb)?.join("mongod.conf");
    std::fs::write(&file, render(MONGODB, &place.settings.ports, context! { data })?)?;
    Ok(Launch::new(place.cache.mongod())
        .args(["--config"])
        .args([file.display()]))
}
