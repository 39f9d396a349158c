//! What Kafka, Redis and MongoDB hold after a run, by route.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::TryStreamExt;
use mongodb::Collection;
use mongodb::bson::{Document, doc};
use redis::AsyncCommands;
use uuid::Uuid;
use vote::{Event, Route};

use crate::endpoints::Endpoints;
use crate::stack::Stack;
use crate::state::Settings;

/// How long the consumer may take to apply what was acknowledged.
const CATCH_UP_LIMIT: Duration = Duration::from_mins(1);

/// Vote ids by route.
pub(super) type Ids = BTreeMap<Route, BTreeSet<Uuid>>;

/// The content of the three stores.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    /// Distinct ids in the topic `votes`.
    pub kafka: Ids,
    /// Counts in `{votes}:route`.
    pub redis: BTreeMap<Route, u64>,
    /// Ids in `votes.logs`.
    pub mongo: Ids,
    /// Records and documents that are no valid votes, or come twice.
    pub oddities: Vec<String>,
}

/// Waits until Redis and MongoDB hold at least `votes` votes; gives up after a while, and the comparison says the rest.
pub(super) async fn wait_until_applied(stack: &Stack, settings: &Settings, votes: usize) -> Result<()> {
    let step = stack.progress().step("consumer catches up");
    let endpoints = Endpoints::new(&settings.ports);
    let logs = logs(&endpoints).await?;
    let started = Instant::now();
    loop {
        let tallied: u64 = tally(&endpoints).await?.values().sum();
        let logged = logs.count_documents(doc! {}).await?;
        step.update(&format!("{tallied} of {votes} tallied, {logged} logged"));
        let behind = tallied.min(logged) < votes as u64;
        if !behind || started.elapsed() > CATCH_UP_LIMIT {
            step.done(if behind { "not caught up" } else { "caught up" });
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Reads all three stores to their end.
pub(super) async fn read(settings: &Settings) -> Result<Held> {
    let endpoints = Endpoints::new(&settings.ports);
    let brokers = endpoints.kafka.clone();
    let mut held = tokio::task::spawn_blocking(move || read_kafka(&brokers)).await??;
    held.redis = tally(&endpoints).await?;
    read_mongo(&endpoints, &mut held).await?;
    Ok(held)
}

fn read_kafka(brokers: &str) -> Result<Held> {
    let mut held = Held::default();
    kafka::scan(brokers, "votes", |record| {
        let place = format!("Kafka record {}/{}", record.partition, record.offset);
        match Event::decode(&record.payload) {
            Ok(event) => {
                if record.key.as_deref() != Some(event.vote_id.to_string().as_bytes()) {
                    held.oddities
                        .push(format!("{place}: the key is not the vote's id {}", event.vote_id));
                }
                if !held.kafka.entry(event.route).or_default().insert(event.vote_id) {
                    held.oddities
                        .push(format!("{place}: vote {} comes twice", event.vote_id));
                }
            }
            Err(error) => held.oddities.push(format!("{place}: {error}")),
        }
    })
    .context("scanning the topic votes")?;
    Ok(held)
}

async fn tally(endpoints: &Endpoints) -> Result<BTreeMap<Route, u64>> {
    let client = redis::Client::open(endpoints.redis.as_str())?;
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .context("connecting to Redis")?;
    let counts: BTreeMap<String, u64> = connection
        .hgetall("{votes}:route")
        .await
        .context("reading {votes}:route")?;
    counts
        .into_iter()
        .map(|(name, count)| {
            Ok((
                name.parse()
                    .map_err(anyhow::Error::msg)
                    .context("{votes}:route")?,
                count,
            ))
        })
        .collect()
}

async fn read_mongo(endpoints: &Endpoints, held: &mut Held) -> Result<()> {
    let mut documents = logs(endpoints)
        .await?
        .find(doc! {})
        .projection(doc! { "route": 1 })
        .await?;
    while let Some(document) = documents.try_next().await.context("reading votes.logs")? {
        match identify(&document) {
            Some((route, id)) => {
                held.mongo.entry(route).or_default().insert(id);
            }
            None => held
                .oddities
                .push(format!("MongoDB document {document} has no vote id or route")),
        }
    }
    Ok(())
}

fn identify(document: &Document) -> Option<(Route, Uuid)> {
    let route = document.get_str("route").ok()?.parse().ok()?;
    let id = document.get_str("_id").ok()?.parse().ok()?;
    Some((route, id))
}

async fn logs(endpoints: &Endpoints) -> Result<Collection<Document>> {
    let client = mongodb::Client::with_uri_str(&endpoints.mongodb)
        .await
        .context("connecting to MongoDB")?;
    Ok(client.database("votes").collection("logs"))
}
