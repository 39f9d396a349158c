//! Kafka, Redis and MongoDB: their configuration files and command lines.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use minijinja::{Value, context as values};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::context::LaunchContext;
use super::template::render;
use super::users::redis_acl;
use crate::process::ProcessSpec;
use crate::secrets::{Secrets, User, write_private};
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
    let secured = context.access.secrets.as_ref().map(secured_kafka).transpose()?;
    let values = values! { data => data.display().to_string(), secured };
    // It has a password.
    write_private(&properties, &render(KAFKA, &context.settings.ports, values)?)?;
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
    let mut format = Command::new(&spec.program);
    format.args(&spec.args).kill_on_drop(true);
    if let Some(secrets) = &context.access.secrets {
        // The other processes of the machine can read arguments, but not this file of arguments.
        let arguments = properties.with_file_name("users");
        write_private(&arguments, &scram_arguments(secrets)?)?;
        format.arg(format!("@{}", arguments.display()));
    }
    let output = format.output().await;
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

/// The arguments that create the users of Kafka, one on each line.
fn scram_arguments(secrets: &Secrets) -> Result<String> {
    let users = User::KAFKA.into_iter().map(|user| {
        let password = secrets.password(Server::Kafka, user)?;
        let name = user.name();
        Ok(format!(
            "--add-scram\nSCRAM-SHA-512=[name={name},password={password}]\n"
        ))
    });
    users.collect()
}

fn secured_kafka(secrets: &Secrets) -> Result<Value> {
    Ok(values! {
        keystore => secrets.cert_with_key(Server::Kafka).display().to_string(),
        ca => secrets.ca().display().to_string(),
        user => User::Admin.name(),
        password => secrets.password(Server::Kafka, User::Admin)?,
    })
}

/// Makes Kafka read its certificate again.
pub(super) async fn reload_kafka(context: &LaunchContext<'_>) -> Result<()> {
    if let Some(secrets) = &context.access.secrets {
        let path = secrets.cert_with_key(Server::Kafka).display().to_string();
        kafka::admin::reload_keystore(&context.access.brokers()?, 1, "secured", &path).await?;
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
    let secured = match &context.access.secrets {
        None => None,
        Some(secrets) => {
            let acl = file.with_file_name("users.acl");
            write_private(&acl, &redis_acl(secrets)?)?;
            Some(values! {
                cert => secrets.cert(Server::Redis).display().to_string(),
                key => secrets.key(Server::Redis).display().to_string(),
                ca => secrets.ca().display().to_string(),
                acl => acl.display().to_string(),
            })
        }
    };
    std::fs::write(
        &file,
        render(REDIS, &context.settings.ports, values! { data, secured })?,
    )?;
    Ok(ProcessSpec::new(context.cache.redis_server())
        .args([file.display()])
        .env("LD_LIBRARY_PATH", context.cache.redis_libraries()))
}

/// Makes Redis read its certificate again.
pub(super) async fn reload_redis(context: &LaunchContext<'_>) -> Result<()> {
    let Some(secrets) = &context.access.secrets else {
        return Ok(());
    };
    let mut connection = context.access.redis()?.get_multiplexed_async_connection().await?;
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("tls-cert-file")
        .arg(secrets.cert(Server::Redis).display().to_string())
        .arg("tls-key-file")
        .arg(secrets.key(Server::Redis).display().to_string())
        .exec_async(&mut connection)
        .await?;
    Ok(())
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
    let secured = context.access.secrets.as_ref().map(|secrets| {
        values! {
            cert => secrets.cert_with_key(Server::Mongodb).display().to_string(),
            ca => secrets.ca().display().to_string(),
            key => secrets.mongodb_key().display().to_string(),
        }
    });
    std::fs::write(
        &file,
        render(MONGODB, &context.settings.ports, values! { data, secured })?,
    )?;
    Ok(ProcessSpec::new(context.cache.mongod())
        .args(["--config"])
        .args([file.display()]))
}
