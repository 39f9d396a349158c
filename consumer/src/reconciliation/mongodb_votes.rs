//! The votes in MongoDB whose records are below the applied offsets, by id.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::{Context, Result};
use mongodb::bson::{Bson, RawDocument, RawDocumentBuf, doc};
use mongodb::options::ClientOptions;
use mongodb::{Client, Collection, Database};
use uuid::Uuid;
use vote::VoteEvent;
use vote_log::{COLLECTION, DATABASE, LogKey};

use super::snapshot::Snapshot;
use super::tally_counts::TallyCounts;
use super::vote_key::{Albums, VoteKey};
use crate::log_writer;
use crate::progress::Progress;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The log in MongoDB, for reading.
#[derive(Clone, Debug)]
pub(crate) struct MongodbLog {
    collection: Collection<RawDocumentBuf>,
}

/// The votes in MongoDB.
#[derive(Debug, Default)]
pub(crate) struct MongodbVotes {
    /// Every vote that must be counted.
    pub(crate) votes: HashMap<Uuid, VoteKey>,
    /// The albums of these votes.
    pub(crate) albums: Albums,
    /// Documents that the consumer does not write, each described by a sentence.
    pub(crate) invalid: Vec<String>,
}

/// The database of the log, for a command. Connects on first use. Errors if `uri` is not a MongoDB URI.
pub(crate) async fn log_database(uri: &str, app_name: &str) -> Result<Database> {
    let mut options = ClientOptions::parse(uri).await.context("--mongodb-uri")?;
    options.app_name = Some(app_name.to_owned());
    options.connect_timeout = Some(CONNECT_TIMEOUT);
    options.server_selection_timeout = Some(CONNECT_TIMEOUT);
    let client = Client::with_options(options).context("--mongodb-uri")?;
    Ok(client.database(DATABASE))
}

impl MongodbLog {
    /// Connects on first use. Errors if `uri` is not a MongoDB URI.
    pub(crate) async fn new(uri: &str) -> Result<Self> {
        let database = log_database(uri, "consumer-reconciliation").await?;
        Ok(Self {
            collection: database.collection(COLLECTION),
        })
    }

    /// Reads every document.
    pub(crate) async fn read(&self, snapshot: &Snapshot) -> Result<MongodbVotes> {
        let context = || format!("reading {DATABASE}.{COLLECTION} from MongoDB");
        let fields =
            doc! { "name": 1, "album": 1, "route": 1, "consumed_at": 1, "partition": 1, "offset": 1 };
        let find = self.collection.find(doc! {}).projection(fields);
        let mut documents = find.await.with_context(context)?;
        let mut votes = MongodbVotes::default();
        let (mut progress, mut documents_read) = (Progress::new("reading MongoDB"), 0_u64);
        while documents.advance().await.with_context(context)? {
            let document = documents.current();
            if votes.add(document, snapshot).is_none() {
                votes.invalid.push(format!(
                    "MongoDB document {} is not a vote",
                    log_writer::display(document)
                ));
            }
            documents_read += 1;
            progress.report(|| format!("{documents_read} documents"));
        }
        Ok(votes)
    }

    /// The ids of those `events` that are logged.
    pub(crate) async fn logged(&self, events: &[&VoteEvent]) -> Result<HashSet<Uuid>> {
        let keys = events.iter().map(|event| log_writer::key(event).into());
        let chosen_ids = events.iter().filter_map(|event| log_writer::chosen_id(event));
        let condition = doc! { "$or": [
            { "_id": { "$in": keys.collect::<Vec<Bson>>() } },
            { "chosen_id": { "$in": chosen_ids.map(Bson::from).collect::<Vec<_>>() } },
        ] };
        let context = "looking up votes in MongoDB";
        let find = self.collection.find(condition).projection(doc! { "_id": 1 });
        let mut documents = find.await.context(context)?;
        let mut logged = HashSet::new();
        while documents.advance().await.context(context)? {
            let key = documents.current().get_binary("_id").context(context)?.bytes;
            logged.extend(LogKey::from_bytes(key).map(|key| key.vote_id()));
        }
        Ok(logged)
    }
}

impl MongodbVotes {
    /// The counts of these votes.
    pub(crate) fn counts(&self) -> TallyCounts {
        self.albums.count(self.votes.values().copied())
    }

    /// None if a field is missing or wrong.
    fn add(&mut self, document: &RawDocument, snapshot: &Snapshot) -> Option<()> {
        let key = LogKey::of(document).ok()?;
        let (name, album) = (document.get_str("name").ok()?, document.get_str("album").ok()?);
        let route = document.get_str("route").ok()?.parse().ok()?;
        let consumed_at = document.get_datetime("consumed_at").ok()?;
        let partition = document.get_i32("partition").ok()?;
        let offset = document.get_i64("offset").ok()?;
        if snapshot.includes(consumed_at.timestamp_millis(), partition, offset) {
            let vote_key = self.albums.vote_key(name, album, route);
            self.votes.insert(key.vote_id(), vote_key);
        }
        Some(())
    }
}
