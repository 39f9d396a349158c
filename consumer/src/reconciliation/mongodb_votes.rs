//! The votes in MongoDB whose records are below the applied offsets, by id.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::{Context, Result};
use mongodb::bson::{Document, doc};
use mongodb::options::ClientOptions;
use mongodb::{Client, Collection};
use uuid::Uuid;

use super::snapshot::Snapshot;
use super::tally_counts::TallyCounts;
use super::vote_key::{Albums, VoteKey};
use crate::progress::Progress;
use crate::vote_log::{COLLECTION, DATABASE};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The log in MongoDB, for reading.
#[derive(Clone, Debug)]
pub(crate) struct MongodbLog {
    collection: Collection<Document>,
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

impl MongodbLog {
    /// Connects on first use. Errors if `uri` is not a MongoDB URI.
    pub(crate) async fn new(uri: &str) -> Result<Self> {
        let mut options = ClientOptions::parse(uri).await.context("--mongodb-uri")?;
        options.app_name = Some("consumer-reconciliation".to_owned());
        options.connect_timeout = Some(CONNECT_TIMEOUT);
        options.server_selection_timeout = Some(CONNECT_TIMEOUT);
        let client = Client::with_options(options).context("--mongodb-uri")?;
        Ok(Self {
            collection: client.database(DATABASE).collection(COLLECTION),
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
            let document = documents.deserialize_current().with_context(context)?;
            if votes.add(&document, snapshot).is_none() {
                votes
                    .invalid
                    .push(format!("MongoDB document {document} is not a vote"));
            }
            documents_read += 1;
            progress.report(|| format!("{documents_read} documents"));
        }
        Ok(votes)
    }

    /// The subset of `ids` that is logged.
    pub(crate) async fn logged(&self, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
        let names: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        let context = "looking up votes in MongoDB";
        let find = self.collection.find(doc! { "_id": { "$in": names } });
        let mut documents = find.projection(doc! { "_id": 1 }).await.context(context)?;
        let mut logged = HashSet::new();
        while documents.advance().await.context(context)? {
            let document = documents.deserialize_current().context(context)?;
            logged.insert(document.get_str("_id")?.parse()?);
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
    fn add(&mut self, document: &Document, snapshot: &Snapshot) -> Option<()> {
        let text = |field| document.get_str(field).ok();
        let id = text("_id")?.parse().ok()?;
        let (band, album, route) = (text("name")?, text("album")?, text("route")?.parse().ok()?);
        let consumed_at = document.get_datetime("consumed_at").ok()?.timestamp_millis();
        let (partition, offset) = (
            document.get_i32("partition").ok()?,
            document.get_i64("offset").ok()?,
        );
        if snapshot.includes(consumed_at, partition, offset) {
            self.votes.insert(id, self.albums.vote_key(band, album, route));
        }
        Some(())
    }
}
