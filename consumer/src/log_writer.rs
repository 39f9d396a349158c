//! Writes the log in MongoDB: one document for each vote. The crate `vote-log` has the layout.

use std::future::Future;
use std::time::{Duration, SystemTime};

use mongodb::bson::{self, DateTime, Document, RawDocument, RawDocumentBuf, doc};
use mongodb::error::Error;
use mongodb::options::{ClientOptions, WriteConcern};
use mongodb::{Client, Database};
use vote::VoteEvent;
use vote_log::{DATABASE, LayoutError, LogKey, VoteDocument};

use crate::batch::VoteAtOffset;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The driver has no time limit for a server that accepts a command and never responds. Retrying an insert is safe.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// The log.
#[derive(Clone, Debug)]
pub struct LogWriter {
    database: Database,
}

impl LogWriter {
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
            database: client.database(DATABASE),
        })
    }

    /// Creates the collection and its index if they are missing. Errors if an earlier version created the collection.
    pub async fn ensure_collection(&self) -> Result<(), LayoutError> {
        with_timeout(async { vote_log::ensure(&self.database).await }).await
    }

    /// Checks that MongoDB has a server that accepts writes and responds.
    pub async fn ping(&self) -> Result<(), Error> {
        with_timeout(async { self.database.run_command(doc! { "ping": 1 }).await }).await?;
        Ok(())
    }

    /// Runs the inserts of a batch, from [`vote_log::inserts`]. You may retry after any error.
    pub async fn insert(&self, inserts: Vec<RawDocumentBuf>) -> Result<(), Error> {
        for insert in inserts {
            with_timeout(async { vote_log::run_insert(&self.database, insert).await }).await?;
        }
        Ok(())
    }
}

/// The key of a vote's document. A replayed record has the same key as the record that it copies.
pub(crate) fn key(event: &VoteEvent) -> LogKey {
    LogKey::new(received_at(event), event.vote_id)
}

/// The vote's id, if its client chose it.
pub(crate) fn chosen_id(event: &VoteEvent) -> Option<bson::Uuid> {
    event
        .id_from_client
        .then(|| bson::Uuid::from_bytes(event.vote_id.into_bytes()))
}

fn received_at(event: &VoteEvent) -> DateTime {
    DateTime::from_millis(event.received_at_us / 1_000)
}

/// The document of a vote that was read from `partition`.
pub(crate) fn document(partition: i32, vote: &VoteAtOffset, consumed_at: SystemTime) -> VoteDocument<'_> {
    let VoteAtOffset { offset, event, .. } = vote;
    VoteDocument {
        key: key(event),
        chosen_id: chosen_id(event),
        name: event.vote.name.as_str().into(),
        album: event.vote.album.as_str().into(),
        year: event.vote.year.to_string().into(),
        rank: event.vote.rank.to_string().into(),
        route: event.route.as_str().into(),
        received_at: received_at(event),
        consumed_at: consumed_at.into(),
        partition,
        offset: *offset,
    }
}

/// A document as text, for messages.
pub(crate) fn display(document: &RawDocument) -> String {
    match Document::try_from(document) {
        Ok(document) => document.to_string(),
        Err(error) => format!("({error})"),
    }
}

async fn with_timeout<T, E: From<Error>>(operation: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    match tokio::time::timeout(OPERATION_TIMEOUT, operation).await {
        Ok(outcome) => outcome,
        Err(_) => Err(E::from(Error::custom(format!(
            "MongoDB did not respond within {OPERATION_TIMEOUT:?}"
        )))),
    }
}
