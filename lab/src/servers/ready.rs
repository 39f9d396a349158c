//! Whether a server does its work, asked by the protocol that its clients use.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mongodb::bson::{Document, doc};

use crate::ports::{Port, Ports};
use crate::state::Settings;

/// An answer that takes longer is none: the caller asks again.
const PATIENCE: Duration = Duration::from_secs(2);

/// More partitions than there will be consumers: an idle consumer would be a fault of the topic.
const VOTES_PARTITIONS: u16 = 6;

pub(super) async fn create_topics(settings: &Settings) -> Result<()> {
    let brokers = settings.ports.address(Port::Kafka);
    let partitions = settings.partitions.unwrap_or(VOTES_PARTITIONS);
    kafka::admin::ensure_topic(&brokers, "votes", partitions.into()).await?;
    kafka::admin::ensure_topic(&brokers, "votes.dlq", 1).await?;
    Ok(())
}

pub(super) async fn kafka(ports: &Ports) -> Result<()> {
    let found = kafka::admin::partitions(&ports.address(Port::Kafka), "votes", PATIENCE).await?;
    ensure!(found > 0, "topic votes does not exist");
    Ok(())
}

pub(super) async fn redis(ports: &Ports) -> Result<()> {
    let client = redis::Client::open(format!("redis://{}", ports.address(Port::Redis)))?;
    let ping = async {
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING").query_async::<String>(&mut connection).await
    };
    within(ping).await??;
    Ok(())
}

pub(super) async fn initiate_replica_set(ports: &Ports) -> Result<()> {
    const ALREADY_INITIALIZED: i32 = 23;
    let member = doc! { "_id": 0, "host": ports.address(Port::Mongodb) };
    let command = doc! { "replSetInitiate": { "_id": "rs0", "members": [member] } };
    match within(admin(ports, command)).await? {
        Err(error) if code(&error) == Some(ALREADY_INITIALIZED) => Ok(()),
        other => other.map(|_| ()).context("initiating the replica set"),
    }
}

pub(super) async fn mongodb(ports: &Ports) -> Result<()> {
    let hello = within(admin(ports, doc! { "hello": 1 })).await??;
    ensure!(
        hello.get_bool("isWritablePrimary").unwrap_or(false),
        "no primary yet"
    );
    Ok(())
}

/// The node itself, primary or not.
async fn admin(ports: &Ports, command: Document) -> mongodb::error::Result<Document> {
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

fn code(error: &mongodb::error::Error) -> Option<i32> {
    match error.kind.as_ref() {
        mongodb::error::ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}

pub(super) async fn http(base: &str, path: &str) -> Result<()> {
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
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

/// Traefik answers `/ping` before it has read its routes; until then every path is unknown to it.
pub(super) async fn ingress(ports: &Ports) -> Result<()> {
    http(&ports.url(Port::IngressAdmin), "/ping").await?;
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
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

async fn within<T>(work: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .context("no answer in time")
}
