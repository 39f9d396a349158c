//! The test environment of a fault: a separate stack, the ledger of the clients, and access to the stores.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use ephemeral_stack::EphemeralStack;
use lab::access::Access;
use lab::endpoints::Endpoints;
use lab::http_get::http_get;
use lab::ports::Port;
use lab::process::{Identity, Signal};
use lab::servers::Server;
use mongodb::bson::{self, Bson, Document, doc};
use mongodb::options::ClientOptions;
use procfs::process::{ProcState, Process};
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use uuid::Uuid;
use vote::Route;

use crate::ledger::{ClientCounts, Ledger};
use crate::wait::wait_until;

/// The servers and services on the path of a vote.
pub const SERVERS: [Server; 7] = [
    Server::Kafka,
    Server::Redis,
    Server::Mongodb,
    Server::Grpc,
    Server::Rest,
    Server::Consumer,
    Server::Bridge,
];

/// Time limit for a response of a store. A faulty store can accept a request and never respond.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A running stack, its ledger, and clients for its stores.
#[derive(Debug)]
pub struct TestEnvironment {
    stack: EphemeralStack,
    access: Access,
    ledger: Arc<Ledger>,
    redis: redis::Client,
    mongodb: mongodb::Client,
    /// Connects directly to the server, even if it is not a primary.
    mongodb_member: mongodb::Client,
}

impl TestEnvironment {
    /// Starts the servers with additional options of `lab up`.
    pub async fn start(options: &[&str]) -> Result<Self> {
        let names = SERVERS.map(Server::name).join(",");
        let options: Vec<String> = ["--only", &names]
            .into_iter()
            .chain(options.iter().copied())
            .map(str::to_owned)
            .collect();
        let start =
            move || EphemeralStack::start_with(&options.iter().map(String::as_str).collect::<Vec<_>>());
        let stack = tokio::task::spawn_blocking(start)
            .await
            .context("waiting for the start of the stack")??;
        let access = stack.stack().access(&stack.stack().settings()?);
        let mut member = ClientOptions::parse(access.mongodb_node(true)?).await?;
        member.server_selection_timeout = Some(RESPONSE_TIMEOUT);
        let mut mongodb = member.clone();
        mongodb.direct_connection = None;
        mongodb.repl_set_name = Some("rs0".to_owned());
        Ok(Self {
            ledger: Arc::new(Ledger::create(&stack.stack().dir().logs().join("ledger.jsonl"))?),
            redis: access.redis()?,
            mongodb: mongodb::Client::with_options(mongodb)?,
            mongodb_member: mongodb::Client::with_options(member)?,
            access,
            stack,
        })
    }

    /// The stack of servers and services.
    pub fn stack(&self) -> &EphemeralStack {
        &self.stack
    }

    /// The addresses of the servers and services.
    pub fn endpoints(&self) -> &Endpoints {
        self.stack.endpoints()
    }

    /// How clients reach the servers and services.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The ledger of the clients.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Keeps the logs and the ledger for an investigation. By default they are deleted with the environment.
    pub fn keep_logs(&mut self) {
        self.stack.keep_logs();
    }

    /// Kills a server, and checks that its process has exited.
    pub async fn kill(&self, server: Server) -> Result<Identity> {
        let identity = self.stack.identity(server)?;
        self.stack.kill(server).await?;
        anyhow::ensure!(!identity.is_alive(), "{server} survived SIGKILL");
        Ok(identity)
    }

    /// Pauses a process (SIGSTOP), and waits until it has stopped.
    pub async fn pause(&self, server: Server) -> Result<Identity> {
        let identity = self.stack.identity(server)?;
        identity.signal(Signal::STOP)?;
        wait_until(&format!("{server} is paused"), async || is_stopped(identity)).await?;
        Ok(identity)
    }

    /// Sends a command to Redis. Each command opens a new connection, because the server can have been restarted.
    pub async fn redis<T: redis::FromRedisValue>(&self, arguments: &[&str]) -> Result<T> {
        let mut command = redis::Cmd::new();
        command.arg(arguments);
        let mut connection = self.redis_connection().await?;
        Ok(command.query_async(&mut connection).await?)
    }

    /// The number of votes that Redis has counted.
    pub async fn counted_votes(&self) -> Result<u64> {
        let total: Option<u64> = self.redis(&["GET", tallies::keys::TOTAL]).await?;
        Ok(total.unwrap_or_default())
    }

    /// Whether Redis has counted the vote with this id, which the client chose.
    pub async fn is_counted(&self, id: Uuid) -> Result<bool> {
        let key = format!("{}{id}", tallies::keys::SEEN_PREFIX);
        self.redis(&["EXISTS", &key]).await
    }

    /// The number of logged votes in MongoDB that match `filter`.
    pub async fn logged_votes(&self, filter: Document) -> Result<u64> {
        let log = self.mongodb.database("votes").collection::<Document>("logs");
        with_timeout(async { Ok(log.count_documents(filter).await?) }).await
    }

    /// Whether the log in MongoDB has the vote with this id, which the client chose.
    pub async fn is_logged(&self, id: Uuid) -> Result<bool> {
        let id = bson::Uuid::from_bytes(id.into_bytes());
        Ok(self.logged_votes(doc! { "chosen_id": id }).await? > 0)
    }

    /// Runs an administrative command on MongoDB.
    pub async fn mongodb_admin(&self, command: Document) -> Result<Document> {
        let admin = self.mongodb_member.database("admin");
        with_timeout(async { Ok(admin.run_command(command).await?) }).await
    }

    /// Whether MongoDB accepts writes.
    pub async fn is_primary(&self) -> Result<bool> {
        let hello = self.mongodb_admin(doc! { "hello": 1 }).await?;
        Ok(hello.get("isWritablePrimary") == Some(&Bson::Boolean(true)))
    }

    /// Waits until `/readyz` of the consumer reports that it is not ready, with this reason.
    pub async fn wait_until_consumer_reports(&self, reason: &str) -> Result<()> {
        let address = self.access.ports.address(Port::ConsumerAdmin);
        wait_until(&format!("the consumer reports {reason}"), async || {
            let (status, body) = http_get(&self.access, &address, "/readyz").await?;
            Ok(status.as_u16() == 503 && String::from_utf8_lossy(&body).contains(reason))
        })
        .await
    }

    /// Waits until on each of `routes` an attempt since `before` got no receipt.
    pub async fn wait_for_client_failures(&self, routes: &[Route], before: &[ClientCounts]) -> Result<()> {
        for (route, before) in routes.iter().zip(before) {
            wait_until(&format!("an attempt of a client of {route} fails"), async || {
                Ok(self.ledger.counts(*route).since(*before).unacknowledged() > 0)
            })
            .await?;
        }
        Ok(())
    }

    /// The outcomes that the clients of `routes` observed so far.
    pub fn client_counts(&self, routes: &[Route]) -> Vec<ClientCounts> {
        routes.iter().map(|route| self.ledger.counts(*route)).collect()
    }

    async fn redis_connection(&self) -> Result<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(RESPONSE_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        Ok(self
            .redis
            .get_multiplexed_async_connection_with_config(&config)
            .await?)
    }
}

/// Whether a process was stopped by a signal.
fn is_stopped(identity: Identity) -> Result<bool> {
    Ok(Process::new(identity.pid)?.stat()?.state()? == ProcState::Stopped)
}

async fn with_timeout<T>(operation: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(RESPONSE_TIMEOUT, operation)
        .await
        .context("the store did not respond in time")?
}
