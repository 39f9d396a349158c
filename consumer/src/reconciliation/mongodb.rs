//! The log in MongoDB: the votes that lie below the fences, by id.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use ::mongodb::bson::{Document, doc};
use ::mongodb::options::ClientOptions;
use ::mongodb::{Client, Collection};
use anyhow::{Context, Result};
use uuid::Uuid;

use super::ballot::{Albums, Ballot};
use super::redis::Snapshot;
use super::tallies::Tallies;
use crate::progress::Progress;
use crate::vote_log::{COLLECTION, DATABASE};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// MongoDB, for reading.
#[derive(Clone, Debug)]
pub(crate) struct Mongodb {
    collection: Collection<Document>,
}

/// What MongoDB holds.
#[derive(Debug, Default)]
pub(crate) struct MongodbBook {
    /// Each vote that must be counted.
    pub(crate) votes: HashMap<Uuid, Ballot>,
    /// Their albums.
    pub(crate) albums: Albums,
    /// Documents that are not as the consumer writes them.
    pub(crate) odd: Vec<String>,
}

impl Mongodb {
    /// Connects when first asked. Errors if `uri` is no MongoDB URI.
    pub(crate) async fn new(uri: &str) -> Result<Self> {
        let mut options = ClientOptions::parse(uri).await.context("--mongodb-uri")?;
        options.app_name = Some("consumer-books".to_owned());
        options.connect_timeout = Some(CONNECT_TIMEOUT);
        options.server_selection_timeout = Some(CONNECT_TIMEOUT);
        let client = Client::with_options(options).context("--mongodb-uri")?;
        Ok(Self {
            collection: client.database(DATABASE).collection(COLLECTION),
        })
    }

    /// Reads every document.
    pub(crate) async fn read(&self, snapshot: &Snapshot) -> Result<MongodbBook> {
        let context = || format!("reading {DATABASE}.{COLLECTION} from MongoDB");
        let fields =
            doc! { "name": 1, "album": 1, "route": 1, "consumed_at": 1, "partition": 1, "offset": 1 };
        let find = self.collection.find(doc! {}).projection(fields);
        let mut documents = find.await.with_context(context)?;
        let mut book = MongodbBook::default();
        let (mut progress, mut seen) = (Progress::new("reading MongoDB"), 0_u64);
        while documents.advance().await.with_context(context)? {
            let document = documents.deserialize_current().with_context(context)?;
            if book.add(&document, snapshot).is_none() {
                book.odd.push(format!("MongoDB document {document} is no vote"));
            }
            seen += 1;
            progress.at(|| format!("{seen} documents"));
        }
        Ok(book)
    }

    /// Which of `ids` are logged.
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

impl MongodbBook {
    /// The counts that these votes make.
    pub(crate) fn tallies(&self) -> Tallies {
        self.albums.tallies(self.votes.values().copied())
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
        if snapshot.counts(consumed_at, partition, offset) {
            self.votes.insert(id, self.albums.ballot(band, album, route));
        }
        Some(())
    }
}
