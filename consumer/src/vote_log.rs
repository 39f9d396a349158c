//! The log in MongoDB: one document for each vote, idempotent by its id.
//!
//! To add a column to the log, add a field to [`VoteDocument`] and set it in [`VoteDocument::new`].

use std::future::Future;
use std::time::{Duration, SystemTime};

use mongodb::bson::{DateTime, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{ClientOptions, WriteConcern};
use mongodb::{Client, Collection, IndexModel};
use serde::{Deserialize, Serialize};

use crate::batch::VoteAtOffset;

pub(crate) const DATABASE: &str = "votes";
pub(crate) const COLLECTION: &str = "logs";
const DUPLICATE_KEY: i32 = 11_000;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The driver has no time limit for a server that accepts a command and never responds. Retrying an insert is safe.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// A vote as it is logged: one document, whose fields are the columns of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteDocument {
    /// The vote's id.
    #[serde(rename = "_id")]
    pub vote_id: String,
    /// Band.
    pub name: String,
    /// Album.
    pub album: String,
    /// Year, canonical text.
    pub year: String,
    /// Rank, canonical text.
    pub rank: String,
    /// The route that received the vote.
    pub route: String,
    /// When the route received it.
    pub received_at: DateTime,
    /// When the consumer tried to log the vote for the first time.
    pub consumed_at: DateTime,
    /// The Kafka partition.
    pub partition: i32,
    /// The offset in that partition.
    pub offset: i64,
}

/// The log.
#[derive(Clone, Debug)]
pub struct VoteLog {
    collection: Collection<VoteDocument>,
}

impl VoteLog {
    /// Connects on first use: MongoDB need not be running yet. Errors if `uri` is not a MongoDB URI.
    pub async fn new(uri: &str) -> Result<Self, Error> {
        let mut options = ClientOptions::parse(uri).await?;
        options.app_name = Some("consumer".to_owned());
        options.connect_timeout = Some(CONNECT_TIMEOUT);
        options.server_selection_timeout = Some(CONNECT_TIMEOUT);
        // A vote that is counted must stay in the log even if a server is lost.
        options.write_concern = Some(
            WriteConcern::builder()
                .w(mongodb::options::Acknowledgment::Majority)
                .journal(true)
                .build(),
        );
        let client = Client::with_options(options)?;
        Ok(Self {
            collection: client.database(DATABASE).collection(COLLECTION),
        })
    }

    /// Creates the index by which readers page through the log, newest vote first.
    pub async fn ensure_index(&self) -> Result<(), Error> {
        let newest_first = IndexModel::builder()
            .keys(doc! { "received_at": -1, "_id": -1 })
            .build();
        with_timeout(async { self.collection.create_index(newest_first).await }).await?;
        Ok(())
    }

    /// Checks that MongoDB has a server that accepts writes and responds.
    pub async fn ping(&self) -> Result<(), Error> {
        let database = self.collection.client().database(DATABASE);
        with_timeout(async { database.run_command(doc! { "ping": 1 }).await }).await?;
        Ok(())
    }

    /// Logs documents. A document whose id already exists is not changed. You may retry after any error.
    pub async fn insert(&self, documents: &[VoteDocument]) -> Result<(), Error> {
        if documents.is_empty() {
            return Ok(());
        }
        let inserted =
            with_timeout(async { self.collection.insert_many(documents).ordered(false).await }).await;
        match inserted {
            Err(error) if !is_only_duplicates(&error) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

impl VoteDocument {
    /// The document of a vote that was read from `partition`.
    pub fn new(partition: i32, vote: &VoteAtOffset, consumed_at: SystemTime) -> Self {
        let VoteAtOffset { offset, event } = vote;
        Self {
            vote_id: event.vote_id.to_string(),
            name: event.vote.name.as_str().to_owned(),
            album: event.vote.album.as_str().to_owned(),
            year: event.vote.year.to_string(),
            rank: event.vote.rank.to_string(),
            route: event.route.as_str().to_owned(),
            received_at: DateTime::from_millis(event.received_at_us / 1_000),
            consumed_at: consumed_at.into(),
            partition,
            offset: *offset,
        }
    }
}

async fn with_timeout<T>(operation: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(OPERATION_TIMEOUT, operation).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::custom(format!(
            "MongoDB did not respond within {OPERATION_TIMEOUT:?}"
        ))),
    }
}

fn is_only_duplicates(error: &Error) -> bool {
    match error.kind.as_ref() {
        ErrorKind::InsertMany(failure) => {
            failure.write_concern_error.is_none()
                && failure
                    .write_errors
                    .as_ref()
                    .is_some_and(|errors| errors.iter().all(|error| error.code == DUPLICATE_KEY))
        }
        _ => false,
    }
}
