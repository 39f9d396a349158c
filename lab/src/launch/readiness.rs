//! Readiness checks, over the protocol that the clients of each server use, and the setup that must precede them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hyper::StatusCode;
use mongodb::bson::{Document, doc};

use crate::access::Access;
use crate::http_get::{http_get, http_get_body};
use crate::ports::Port;
use crate::state::Settings;

/// The timeout of one check. The caller repeats a failed check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// More partitions than consumers in any run: a consumer without a partition would be idle.
const VOTES_PARTITIONS: u16 = 6;

pub(super) async fn create_topics(settings: &Settings, access: &Access) -> Result<()> {
    let brokers = access.brokers()?;
    let partitions = settings.partitions.unwrap_or(VOTES_PARTITIONS);
    kafka::admin::ensure_topic(&brokers, "votes", partitions.into()).await?;
    kafka::admin::ensure_topic(&brokers, "votes.dlq", 1).await?;
    Ok(())
}

pub(super) async fn kafka(access: &Access) -> Result<()> {
    let partitions = kafka::admin::partitions(&access.brokers()?, "votes", CHECK_TIMEOUT).await?;
    ensure!(partitions > 0, "topic votes does not exist");
    Ok(())
}

pub(super) async fn redis(access: &Access) -> Result<()> {
    let client = access.redis()?;
    let ping = async {
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING").query_async::<String>(&mut connection).await
    };
    within_timeout(ping).await??;
    Ok(())
}

pub(super) async fn initiate_replica_set(access: &Access, with_login: bool) -> Result<()> {
    const ALREADY_INITIALIZED: i32 = 23;
    let member = doc! { "_id": 0, "host": access.ports.address(Port::Mongodb) };
    let command = doc! { "replSetInitiate": { "_id": "rs0", "members": [member] } };
    match run_admin_command(access, with_login, command).await? {
        Err(error) if error_code(&error) == Some(ALREADY_INITIALIZED) => Ok(()),
        other => other.map(|_| ()).context("initiating the replica set"),
    }
}

pub(super) async fn mongodb(access: &Access) -> Result<()> {
    let hello = run_admin_command(access, true, doc! { "hello": 1 }).await??;
    ensure!(
        hello.get_bool("isWritablePrimary").unwrap_or(false),
        "the replica set has no primary yet"
    );
    Ok(())
}

/// Makes MongoDB read its certificate again.
pub(super) async fn rotate_mongodb_certificates(access: &Access) -> Result<()> {
    run_admin_command(access, true, doc! { "rotateCertificates": 1 }).await??;
    Ok(())
}

/// Runs a command on the node directly, because a node without a replica set has no primary to select. The outer error says
/// that there is no answer, the inner one is that of MongoDB.
pub(super) async fn run_admin_command(
    access: &Access,
    with_login: bool,
    command: Document,
) -> Result<mongodb::error::Result<Document>> {
    let uri = access.mongodb_node(with_login)?;
    within_timeout(async {
        let client = mongodb::Client::with_uri_str(uri).await?;
        client.database("admin").run_command(command).await
    })
    .await
}

pub(super) fn error_code(error: &mongodb::error::Error) -> Option<i32> {
    match error.kind.as_ref() {
        mongodb::error::ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}

pub(super) async fn accepts_connections(address: &str) -> Result<()> {
    within_timeout(tokio::net::TcpStream::connect(address)).await??;
    Ok(())
}

/// Checks that a GET request for `path` succeeds.
pub(super) async fn http(access: &Access, port: Port, path: &str) -> Result<()> {
    let address = access.ports.address(port);
    within_timeout(Box::pin(http_get_body(access, &address, path))).await??;
    Ok(())
}

/// Also requests a route: Traefik answers `/ping` before it has loaded its routes, and then answers 404 to every path.
pub(super) async fn ingress(access: &Access) -> Result<()> {
    const PATH: &str = "/rest/";
    http(access, Port::IngressAdmin, "/ping").await?;
    let address = access.ports.address(Port::Ingress);
    let (status, _) = within_timeout(Box::pin(http_get(access, &address, PATH))).await??;
    ensure!(status != StatusCode::NOT_FOUND, "the routes are not loaded yet");
    Ok(())
}

async fn within_timeout<T>(work: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(CHECK_TIMEOUT, work)
        .await
        .with_context(|| format!("no answer within {} s", CHECK_TIMEOUT.as_secs()))
}
