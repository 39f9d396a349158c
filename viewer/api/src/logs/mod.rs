//! The log in MongoDB: the only place that reads it.

mod cursor;
mod export;
mod filter;
mod page;
mod vote;

use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::{Document, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{ClientOptions, ReadPreference, SelectionCriteria};
use mongodb::{Client, Collection};
use prometheus::IntCounter;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

pub(crate) use export::{Exports, export};
pub(crate) use filter::{ROUTES, parse_band, parse_route};
pub(crate) use page::page;
pub(crate) use vote::{Vote, format_time};

use crate::problem::{Problem, Store};

pub(crate) const DATABASE: &str = "votes";
const COLLECTION: &str = "logs";

/// How long the driver looks for a server that may answer: a page without an answer for longer looks broken.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// What the server may spend on a query. With the index it takes milliseconds; a filter that matches almost nothing
/// makes it read the whole log.
const QUERY_TIME: Duration = Duration::from_secs(3);
/// The driver has no limit of its own for a server that accepts and then says nothing.
const ANSWER_TIME: Duration = Duration::from_secs(6);
/// Queries at a time: as many as there are connections to send them on, and as many that wait.
const QUERIES: usize = 2 * CONNECTIONS as usize;
/// Connections to each server of the replica set.
const CONNECTIONS: u32 = 16;
/// The server's code for a query that took longer than it may.
const MAX_TIME_EXPIRED: i32 = 50;

/// The log.
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    uri: Arc<str>,
    /// Made at the first use: a `mongodb+srv` name is looked up then, and the start waits for nobody.
    client: Arc<OnceCell<Client>>,
    queries: Arc<Semaphore>,
    unreadable: IntCounter,
}

impl Logs {
    /// Connects when it is first asked. `unreadable` counts the documents that are no votes.
    pub(crate) fn new(uri: &str, unreadable: IntCounter) -> Self {
        Self {
            uri: uri.into(),
            client: Arc::default(),
            queries: Arc::new(Semaphore::new(QUERIES)),
            unreadable,
        }
    }

    /// Whether MongoDB answers.
    pub(crate) async fn ping(&self) -> Result<(), Problem> {
        let ping = async {
            let client = self.client().await?;
            let database = client.database(DATABASE);
            let ping = database.run_command(doc! { "ping": 1 });
            ping.selection_criteria(readable()).await
        };
        in_time(ping).await.map(|_| ())
    }

    /// At most `limit` names of bands, in order.
    pub(crate) async fn bands(&self, limit: i64) -> Result<Vec<String>, Problem> {
        let _permit = self.permit()?;
        let names = async {
            let collection = self.collection().await?;
            let pipeline = [
                doc! { "$group": { "_id": "$name" } },
                doc! { "$sort": { "_id": 1 } },
                doc! { "$limit": limit },
            ];
            let mut cursor = collection.aggregate(pipeline).max_time(QUERY_TIME).await?;
            let mut names = Vec::new();
            while cursor.advance().await? {
                names.extend(cursor.current().get_str("_id").ok().map(str::to_owned));
            }
            Ok(names)
        };
        in_time(names).await
    }

    /// The collection. Errors where the name of a server cannot be looked up.
    pub(crate) async fn collection(&self) -> Result<Collection<Document>, Error> {
        let client = self.client().await?;
        Ok(client.database(DATABASE).collection(COLLECTION))
    }

    /// Reads a document as a vote. One that is none is left out and counted: it must not hide all others.
    pub(crate) fn read(&self, document: &mongodb::bson::RawDocument) -> Option<Vote> {
        match mongodb::bson::deserialize_from_slice(document.as_bytes()) {
            Ok(vote) => Some(vote),
            Err(error) => {
                self.unreadable.inc();
                tracing::warn!(%error, "a document in {DATABASE}.{COLLECTION} is no vote");
                None
            }
        }
    }

    /// Room for a query, while it is held.
    fn permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.queries)
            .try_acquire_owned()
            .map_err(|_| Problem::TooMany {
                detail: "too many queries are in progress",
                retry_after_s: 1,
            })
    }

    async fn client(&self) -> Result<&Client, Error> {
        let connect = || async {
            let mut options = ClientOptions::parse(&*self.uri).await?;
            options.app_name = Some("viewer".to_owned());
            options.connect_timeout = Some(SELECTION_TIMEOUT);
            options.server_selection_timeout = Some(SELECTION_TIMEOUT);
            options.max_pool_size = Some(CONNECTIONS);
            options.selection_criteria.get_or_insert_with(readable);
            Client::with_options(options)
        };
        self.client.get_or_try_init(connect).await
    }
}

/// Which server may answer: the log can also be read while a primary is being elected.
fn readable() -> SelectionCriteria {
    SelectionCriteria::ReadPreference(ReadPreference::PrimaryPreferred { options: None })
}

/// Waits for an answer, not for ever; the reason of a failure goes to the log, not to the client.
async fn in_time<T>(query: impl Future<Output = Result<T, Error>>) -> Result<T, Problem> {
    match tokio::time::timeout(ANSWER_TIME, query).await {
        Ok(answer) => answer.map_err(|error| problem(&error)),
        Err(_) => Err(Problem::Unavailable(Store::Logs)),
    }
}

fn problem(error: &Error) -> Problem {
    match error.kind.as_ref() {
        ErrorKind::Command(command) if command.code == MAX_TIME_EXPIRED => Problem::TooSlow(Store::Logs),
        _ => {
            tracing::warn!(%error, "MongoDB did not answer");
            Problem::Unavailable(Store::Logs)
        }
    }
}
