//! Readiness checks, over the protocol that the clients of each server use, and the setup that must precede them.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mongodb::bson::{Document, doc};

use crate::endpoints::redis_url;
use crate::ports::{Port, Ports};
use crate::state::Settings;

/// The timeout of one check. The caller repeats a failed check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// More partitions than consumers in any run: a consumer without a partition would be idle.
const VOTES_PARTITIONS: u16 = 6;

pub(super) async fn create_topics(settings: &Settings) -> Result<()> {
    let brokers = settings.ports.address(Port::Kafka);
    let partitions = settings.partitions.unwrap_or(VOTES_PARTITIONS);
    kafka::admin::ensure_topic(&brokers, "votes", partitions.into()).await?;
    kafka::admin::ensure_topic(&brokers, "votes.dlq", 1).await?;
    Ok(())
}

pub(super) async fn kafka(ports: &Ports) -> Result<()> {
    let partitions = kafka::admin::partitions(&ports.address(Port::Kafka), "votes", CHECK_TIMEOUT).await?;
    ensure!(partitions > 0, "topic votes does not exist");
    Ok(())
}

pub(super) async fn redis(ports: &Ports) -> Result<()> {
    let client = redis::Client::open(redis_url(ports))?;
    let ping = async {
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING").query_async::<String>(&mut connection).await
    };
    within_timeout(ping).await??;
    Ok(())
}

pub(super) async fn initiate_replica_set(ports: &Ports) -> Result<()> {
    const ALREADY_INITIALIZED: i32 = 23;
    let member = doc! { "_id": 0, "host": ports.address(Port::Mongodb) };
    let command = doc! { "replSetInitiate": { "_id": "rs0", "members": [member] } };
    match within_timeout(run_admin_command(ports, command)).await? {
        Err(error) if error_code(&error) == Some(ALREADY_INITIALIZED) => Ok(()),
        other => other.map(|_| ()).context("initiating the replica set"),
    }
}

pub(super) async fn mongodb(ports: &Ports) -> Result<()> {
    let hello = within_timeout(run_admin_command(ports, doc! { "hello": 1 })).await??;
    ensure!(
        hello.get_bool("isWritablePrimary").unwrap_or(false),
        "the replica set has no primary yet"
    );
    Ok(())
}

/// Runs a command on the node directly, because a node without a replica set has no primary to select.
async fn run_admin_command(ports: &Ports, command: Document) -> mongodb::error::Result<Document> {
    let uri = format!(
        "mongodb://{}/?directConnection=true",
        ports.address(Port::Mongodb)
    );
    mongodb::Client::with_uri_str(uri)
        .await?
        .database("admin")
        .run_command(command)
        .await
}

fn error_code(error: &mongodb::error::Error) -> Option<i32> {
    match error.kind.as_ref() {
        mongodb::error::ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}

pub(super) async fn http(base: &str, path: &str) -> Result<()> {
    let client = reqwest::Client::builder().timeout(CHECK_TIMEOUT).build()?;
    let response = client
        .get(format!("{base}{path}"))
        .send()
        .await
        .map_err(reqwest::Error::without_url)?;
    if !response.status().is_success() {
        bail!(
            "{path} answers {}: {}",
            response.status().as_u16(),
            response.text().await.unwrap_or_default().trim()
        );
    }
    Ok(())
}

pub(super) async fn accepts_connections(address: &str) -> Result<()> {
    within_timeout(tokio::net::TcpStream::connect(address)).await??;
    Ok(())
}

/// Also requests a route: Traefik answers `/ping` before it has loaded its routes, and then answers 404 to every path.
pub(super) async fn ingress(ports: &Ports) -> Result<()> {
    http(&ports.url(Port::IngressAdmin), "/ping").await?;
    let client = reqwest::Client::builder().timeout(CHECK_TIMEOUT).build()?;
    let response = client
        .get(format!("{}/rest/", ports.url(Port::Ingress)))
        .send()
        .await?;
    ensure!(
        response.status() != reqwest::StatusCode::NOT_FOUND,
        "the routes are not loaded yet"
    );
    Ok(())
}

async fn within_timeout<T>(work: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(CHECK_TIMEOUT, work)
        .await
        .with_context(|| format!("no answer within {} s", CHECK_TIMEOUT.as_secs()))
}
