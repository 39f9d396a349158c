//! The collection of the log: its options and its index.

use mongodb::bson::{Document, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{ClusteredIndex, IndexOptions};
use mongodb::{Collection, Database, IndexModel};

/// The database of the log.
pub const DATABASE: &str = "votes";
/// The collection of the log.
pub const COLLECTION: &str = "logs";

/// The server's error code for a collection that exists with other options.
const NAMESPACE_EXISTS: i32 = 48;

/// How a collection keeps its documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// There is no such collection.
    Missing,
    /// Clustered by [`crate::LogKey`].
    Clustered,
    /// Not clustered: an earlier version created it.
    Earlier,
}

/// Why the log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The collection has the layout of an earlier version.
    #[error(
        "the collection {DATABASE}.{COLLECTION} has the layout of an earlier version: stop all consumers of that version, then \
         run `consumer migrate-log`"
    )]
    Earlier,
    /// MongoDB returned an error.
    #[error(transparent)]
    Mongodb(#[from] Error),
}

/// The layout of a collection.
pub async fn layout(database: &Database, collection: &str) -> Result<Layout, Error> {
    let mut found = database
        .list_collections()
        .filter(doc! { "name": collection })
        .await?;
    if !found.advance().await? {
        return Ok(Layout::Missing);
    }
    // Not decoded as all the options that the driver knows: that takes long to compile.
    let options = found.current().get_document("options");
    let is_clustered = options.is_ok_and(|options| options.get_document("clusteredIndex").is_ok());
    Ok(if is_clustered {
        Layout::Clustered
    } else {
        Layout::Earlier
    })
}

/// Creates the log and its index if they are missing.
pub async fn ensure(database: &Database) -> Result<(), LayoutError> {
    if layout(database, COLLECTION).await? == Layout::Missing {
        match create(database, COLLECTION).await {
            // Another consumer created it meanwhile.
            Err(error) if is_existing(&error) => {}
            created => return Ok(created?),
        }
    }
    match layout(database, COLLECTION).await? {
        Layout::Earlier => Err(LayoutError::Earlier),
        Layout::Missing | Layout::Clustered => Ok(create_index(&database.collection(COLLECTION)).await?),
    }
}

/// Creates an empty collection with the layout and the index of the log.
pub async fn create(database: &Database, collection: &str) -> Result<(), Error> {
    database
        .create_collection(collection)
        .clustered_index(ClusteredIndex::default())
        .await?;
    create_index(&database.collection(collection)).await
}

/// Only the ids that clients chose are in the index. Further indexes would cost much: one by band and time makes inserts a third
/// slower.
async fn create_index(collection: &Collection<Document>) -> Result<(), Error> {
    let unique = IndexOptions::builder()
        .unique(true)
        .partial_filter_expression(doc! { "chosen_id": { "$exists": true } })
        .build();
    let chosen_ids = IndexModel::builder()
        .keys(doc! { "chosen_id": 1 })
        .options(unique)
        .build();
    collection.create_index(chosen_ids).await?;
    Ok(())
}

fn is_existing(error: &Error) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Command(command) if command.code == NAMESPACE_EXISTS)
}
