//! Where faults happen: a stack of its own with load on it, and hands on its stores.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use ephemeral_stack::EphemeralStack;
use lab::endpoints::Endpoints;
use lab::process::{Identity, Signal};
use lab::servers::Server;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::ClientOptions;
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use uuid::Uuid;
use vote::Route;

use crate::ledger::{Ledger, Seen};
use crate::wait::until;

/// What a vote passes; nothing of it can be left out.
pub const SERVERS: [Server; 7] = [
    Server::Kafka,
    Server::Redis,
    Server::Mongodb,
    Server::Grpc,
    Server::Rest,
    Server::Consumer,
    Server::Bridge,
];

/// A store that is being tormented may accept a question and never answer it.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// A running stack, its ledger, and clients for its stores.
#[derive(Debug)]
pub struct Scene {
    stack: EphemeralStack,
    ledger: Arc<Ledger>,
    redis: redis::Client,
    mongodb: mongodb::Client,
    /// Speaks to the server itself, whether or not it is a primary.
    mongodb_member: mongodb::Client,
}

impl Scene {
    /// Starts the servers with more options of `lab up`.
    pub async fn set(options: &[&str]) -> Result<Self> {
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
            .context("starting a stack")??;
        let endpoints = stack.endpoints();
        let mut mongodb = ClientOptions::parse(&endpoints.mongodb).await?;
        mongodb.server_selection_timeout = Some(ANSWER_LIMIT);
        let mut member = mongodb.clone();
        member.direct_connection = Some(true);
        Ok(Self {
            ledger: Arc::new(Ledger::create(&stack.stack().dir().logs().join("ledger.jsonl"))?),
            redis: redis::Client::open(endpoints.redis.as_str())?,
            mongodb: mongodb::Client::with_options(mongodb)?,
            mongodb_member: mongodb::Client::with_options(member)?,
            stack,
        })
    }

    /// The servers.
    pub fn stack(&self) -> &EphemeralStack {
        &self.stack
    }

    /// Where they answer.
    pub fn endpoints(&self) -> &Endpoints {
        self.stack.endpoints()
    }

    /// What the clients know.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Keeps logs and ledger for whoever wants to know what went wrong; they are gone with the scene otherwise.
    pub fn keep_logs(&mut self) {
        self.stack.keep_logs();
    }

    /// Ends a server without warning, and makes sure that its process is gone.
    pub async fn kill(&self, server: Server) -> Result<Identity> {
        let identity = self.stack.identity(server)?;
        self.stack.kill(server).await?;
        anyhow::ensure!(!identity.is_alive(), "{server} survived SIGKILL");
        Ok(identity)
    }

    /// Stops a process in its tracks, and makes sure that it stands.
    pub async fn freeze(&self, server: Server) -> Result<Identity> {
        let identity = self.stack.identity(server)?;
        identity.signal(Signal::STOP)?;
        until(&format!("{server} stands still"), async || {
            Ok(is_stopped(identity))
        })
        .await?;
        Ok(identity)
    }

    /// What Redis answers to a command; a connection each, for the server may be another one by now.
    pub async fn redis<T: redis::FromRedisValue>(&self, words: &[&str]) -> Result<T> {
        let mut command = redis::Cmd::new();
        command.arg(words);
        let mut connection = self.redis_connection().await?;
        Ok(command.query_async(&mut connection).await?)
    }

    /// Votes that Redis has counted.
    pub async fn counted(&self) -> Result<u64> {
        let total: Option<u64> = self.redis(&["GET", tallies::keys::TOTAL]).await?;
        Ok(total.unwrap_or_default())
    }

    /// Whether Redis has counted a vote whose id its client chose.
    pub async fn is_counted(&self, id: Uuid) -> Result<bool> {
        let key = format!("{}{id}", tallies::keys::SEEN_PREFIX);
        self.redis(&["EXISTS", &key]).await
    }

    /// How many documents of MongoDB's log match.
    pub async fn logged(&self, filter: Document) -> Result<u64> {
        let log = self.mongodb.database("votes").collection::<Document>("logs");
        in_time(async { Ok(log.count_documents(filter).await?) }).await
    }

    /// Whether MongoDB's log has a vote.
    pub async fn is_logged(&self, id: Uuid) -> Result<bool> {
        Ok(self.logged(doc! { "_id": id.to_string() }).await? > 0)
    }

    /// MongoDB's answer to a command for administrators.
    pub async fn mongodb_admin(&self, command: Document) -> Result<Document> {
        let admin = self.mongodb_member.database("admin");
        in_time(async { Ok(admin.run_command(command).await?) }).await
    }

    /// Whether MongoDB takes writes.
    pub async fn is_primary(&self) -> Result<bool> {
        let hello = self.mongodb_admin(doc! { "hello": 1 }).await?;
        Ok(hello.get("isWritablePrimary") == Some(&Bson::Boolean(true)))
    }

    /// Waits until the consumer says that it is not ready, and why.
    pub async fn consumer_reports(&self, reason: &str) -> Result<()> {
        let url = format!("{}/readyz", self.endpoints().consumer_admin);
        until(&format!("the consumer reports {reason}"), async || {
            let response = reqwest::get(&url).await?;
            Ok(response.status() == 503 && response.text().await?.contains(reason))
        })
        .await
    }

    /// Waits until a client of each of `routes` has got no receipt for an attempt since `before`.
    pub async fn clients_notice(&self, routes: &[Route], before: &[Seen]) -> Result<()> {
        for (route, before) in routes.iter().zip(before) {
            until(&format!("clients of {route} notice"), async || {
                Ok(self.ledger.seen(*route).since(*before).troubles() > 0)
            })
            .await?;
        }
        Ok(())
    }

    /// What clients of `routes` have seen.
    pub fn seen(&self, routes: &[Route]) -> Vec<Seen> {
        routes.iter().map(|route| self.ledger.seen(*route)).collect()
    }

    async fn redis_connection(&self) -> Result<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_LIMIT))
            .set_response_timeout(Some(ANSWER_LIMIT));
        Ok(self
            .redis
            .get_multiplexed_async_connection_with_config(&config)
            .await?)
    }
}

/// Whether a process was stopped by a signal (`/proc/<pid>/stat`, field 3).
fn is_stopped(identity: Identity) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", identity.pid)).unwrap_or_default();
    // The command name is in parentheses and may itself hold spaces and parentheses.
    stat.rsplit_once(") ")
        .is_some_and(|(_, fields)| fields.starts_with('T'))
}

async fn in_time<T>(operation: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(ANSWER_LIMIT, operation)
        .await
        .context("no answer")?
}
