//! The connection to the log in MongoDB.

use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::{Document, RawDocument, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{ClientOptions, ReadPreference, SelectionCriteria};
use mongodb::{Client, Collection};
use prometheus::IntCounter;
use secret::SecretUrl;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vote_log::{COLLECTION, DATABASE, VoteDocument};

use super::vote::Vote;
use crate::cache::Cached;
use crate::problem::{LoadPanicked, Problem, Store};

/// How long the driver searches for a server that can answer. A page that loads for longer looks broken.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the server may work on a query. By time, a query takes milliseconds; `search` divides the others.
pub(super) const QUERY_TIMEOUT: Duration = Duration::from_secs(3);
/// How long this service waits for MongoDB. The driver has no limit for a server that accepts a query and never answers.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(6);
/// Queries at a time: one per connection, and as many that wait for a connection.
const MAX_QUERIES: usize = 2 * CONNECTIONS as usize;
/// Connections to each server of the replica set.
const CONNECTIONS: u32 = 16;
/// The client reconnects by itself, so it is never replaced: a hundred years.
const CLIENT_LIFETIME: Duration = Duration::from_hours(24 * 365 * 100);
/// How many of the newest votes the names of bands are taken from: more would take seconds.
const BANDS_FROM_VOTES: i64 = 100_000;
/// How long the names of bands are cached.
const BANDS_LIFETIME: Duration = Duration::from_secs(10);
/// The server's error code for a query beyond its time limit.
const MAX_TIME_EXPIRED: i32 = 50;

/// The log of votes. Clones share the connection.
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    uri: SecretUrl,
    /// Created at the first use, because it resolves `mongodb+srv` names and the start must not wait for that.
    client: Cached<Client, Error>,
    bands: Cached<Arc<Vec<String>>>,
    queries: Arc<Semaphore>,
    unreadable: IntCounter,
}

impl Logs {
    /// Connects at the first query. `unreadable` counts the documents that are not valid votes.
    pub(crate) fn new(uri: &SecretUrl, unreadable: IntCounter) -> Self {
        Self {
            uri: uri.clone(),
            client: Cached::new(CLIENT_LIFETIME),
            bands: Cached::new(BANDS_LIFETIME),
            queries: Arc::new(Semaphore::new(MAX_QUERIES)),
            unreadable,
        }
    }

    /// Whether MongoDB answers.
    pub(crate) async fn ping(&self) -> Result<(), Problem> {
        let ping = async {
            let client = self.client().await?;
            let database = client.database(DATABASE);
            let ping = database.run_command(doc! { "ping": 1 });
            ping.selection_criteria(primary_preferred()).await
        };
        with_timeout(ping).await.map(|_| ())
    }

    /// The names of bands among the newest votes, in alphabetical order, at most `limit`.
    pub(crate) async fn bands(&self, limit: i64) -> Result<Arc<Vec<String>>, Problem> {
        let load = || {
            let logs = self.clone();
            async move {
                let _permit = logs.permit()?;
                with_timeout(logs.find_bands(limit)).await.map(Arc::new)
            }
        };
        self.bands.get(load).await
    }

    async fn find_bands(&self, limit: i64) -> Result<Vec<String>, Error> {
        let collection = self.collection().await?;
        let pipeline = [
            doc! { "$sort": { "_id": -1 } },
            doc! { "$limit": BANDS_FROM_VOTES },
            doc! { "$group": { "_id": "$name" } },
            doc! { "$sort": { "_id": 1 } },
            doc! { "$limit": limit },
        ];
        let mut cursor = collection.aggregate(pipeline).max_time(QUERY_TIMEOUT).await?;
        let mut names = Vec::new();
        while cursor.advance().await? {
            names.extend(cursor.current().get_str("_id").ok().map(str::to_owned));
        }
        Ok(names)
    }

    /// The collection of votes. Fails if the name of a server cannot be resolved.
    pub(crate) async fn collection(&self) -> Result<Collection<Document>, Error> {
        let client = self.client().await?;
        Ok(client.database(DATABASE).collection(COLLECTION))
    }

    /// Decodes a document as a vote. An invalid document is skipped and counted, so that it does not hide the others.
    pub(crate) fn read(&self, document: &RawDocument) -> Option<Vote> {
        match VoteDocument::from_raw(document) {
            Ok(vote) => Some(vote.into()),
            Err(error) => {
                self.unreadable.inc();
                tracing::warn!(%error, "skipped a document in {DATABASE}.{COLLECTION}: it is not a valid vote");
                None
            }
        }
    }

    /// A permit for one query, until it is dropped.
    pub(super) fn permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.queries)
            .try_acquire_owned()
            .map_err(|_| Problem::TooMany {
                detail: "too many queries are in progress",
                retry_after_s: 1,
            })
    }

    async fn client(&self) -> Result<Client, Error> {
        let connect = || {
            let uri = self.uri.clone();
            async move {
                let mut options = ClientOptions::parse(uri.expose()).await?;
                options.app_name = Some("viewer".to_owned());
                options.connect_timeout = Some(SELECTION_TIMEOUT);
                options.server_selection_timeout = Some(SELECTION_TIMEOUT);
                options.max_pool_size = Some(CONNECTIONS);
                options.selection_criteria.get_or_insert_with(primary_preferred);
                Client::with_options(options)
            }
        };
        self.client.get(connect).await
    }
}

impl From<LoadPanicked> for Error {
    fn from(panicked: LoadPanicked) -> Self {
        Self::custom(panicked)
    }
}

/// Allows reads from a secondary while there is no primary, for example during an election.
fn primary_preferred() -> SelectionCriteria {
    SelectionCriteria::ReadPreference(ReadPreference::PrimaryPreferred { options: None })
}

/// Runs a query with a time limit. The reason of a failure is logged and not sent to the client.
pub(super) async fn with_timeout<T>(query: impl Future<Output = Result<T, Error>>) -> Result<T, Problem> {
    let Ok(result) = tokio::time::timeout(RESPONSE_TIMEOUT, query).await else {
        tracing::warn!("MongoDB did not answer a query within {RESPONSE_TIMEOUT:?}");
        return Err(Problem::Unavailable(Store::Logs));
    };
    result.map_err(|error| problem(&error))
}

/// Whether the server ended a query at its time limit.
pub(super) fn is_too_slow(error: &Error) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Command(command) if command.code == MAX_TIME_EXPIRED)
}

fn problem(error: &Error) -> Problem {
    if is_too_slow(error) {
        tracing::warn!(%error, "MongoDB ended a query at its time limit");
        Problem::TooSlow(Store::Logs)
    } else {
        tracing::warn!(%error, "MongoDB did not answer a query");
        Problem::Unavailable(Store::Logs)
    }
}
