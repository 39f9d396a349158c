//! Creates a collection like another one. It copies whatever options and indexes the server reports, so it needs no
//! change when the layout of the log changes.

use anyhow::Context;
use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};

/// Creates `copy` with the options and indexes of `original`; replaces an existing `copy`.
pub(crate) async fn create(database: &Database, original: &str, copy: &str) -> anyhow::Result<()> {
    database.collection::<Document>(copy).drop().await?;
    let listed = database
        .run_command(doc! { "listCollections": 1, "filter": { "name": original } })
        .await?;
    let description = first_batch(&listed)?
        .into_iter()
        .next()
        .with_context(|| format!("there is no collection {original}"))?;
    let mut create = doc! { "create": copy };
    create.extend(description.get_document("options")?.clone());
    database.run_command(create).await?;

    let listed = database.run_command(doc! { "listIndexes": original }).await?;
    let secondary: Vec<Bson> = first_batch(&listed)?
        .into_iter()
        .filter(is_secondary)
        .map(Bson::Document)
        .collect();
    if !secondary.is_empty() {
        let indexes = doc! { "createIndexes": copy, "indexes": secondary };
        database.run_command(indexes).await?;
    }
    Ok(())
}

fn first_batch(listed: &Document) -> anyhow::Result<Vec<Document>> {
    let batch = listed.get_document("cursor")?.get_array("firstBatch")?;
    let documents = batch.iter().filter_map(Bson::as_document);
    Ok(documents.cloned().collect())
}

/// The server creates the index of `_id`, and that of a clustered collection, with the collection.
fn is_secondary(index: &Document) -> bool {
    let is_clustered = index.get_bool("clustered").unwrap_or(false);
    let is_of_id = index
        .get_document("key")
        .is_ok_and(|key| *key == doc! { "_id": 1 });
    !is_clustered && !is_of_id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_secondary_indexes_are_copied() {
        let by_time = doc! { "v": 2, "key": { "received_at": -1, "_id": -1 }, "name": "newest" };
        let by_id = doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" };
        let clustered =
            doc! { "v": 2, "key": { "_id": 1 }, "name": "log", "unique": true, "clustered": true };
        assert!(is_secondary(&by_time));
        assert!(!is_secondary(&by_id));
        assert!(!is_secondary(&clustered));
    }
}
