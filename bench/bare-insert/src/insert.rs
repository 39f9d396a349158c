//! Reads documents into memory, then inserts them over several connections, and repeats.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use mongodb::bson::{Document, RawDocumentBuf, doc};
use mongodb::{Collection, Cursor};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// How documents are inserted.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Inserts in flight.
    pub(crate) connections: usize,
    /// Documents of one insert.
    pub(crate) batch_size: usize,
    /// Documents that are read at a time.
    pub(crate) documents_in_memory: usize,
}

/// Copies all documents in parts that fit into memory. Returns the number of documents of each part, its seconds, and the
/// CPU seconds of the server.
pub(crate) async fn run(
    log: &Collection<RawDocumentBuf>,
    copy: &Collection<RawDocumentBuf>,
    plan: Plan,
) -> anyhow::Result<Vec<Value>> {
    let mut cursor = log.find(Document::new()).await?;
    let mut parts = Vec::new();
    loop {
        let documents = read(&mut cursor, plan.documents_in_memory).await?;
        if documents.is_empty() {
            return Ok(parts);
        }
        let count = documents.len();
        let cpu_before = server_cpu_seconds(copy).await?;
        let started = Instant::now();
        insert(documents, copy, plan).await?;
        parts.push(json!({
            "documents": count,
            "seconds": started.elapsed().as_secs_f64(),
            "mongodb_cpu_seconds": server_cpu_seconds(copy).await? - cpu_before,
        }));
    }
}

/// User and system time of the server since its start.
async fn server_cpu_seconds(collection: &Collection<RawDocumentBuf>) -> anyhow::Result<f64> {
    let admin = collection.client().database("admin");
    let status = admin.run_command(doc! { "serverStatus": 1 }).await?;
    let times = status.get_document("extra_info")?;
    let micros = times.get_i64("user_time_us")? + times.get_i64("system_time_us")?;
    Ok(micros as f64 / 1e6)
}

async fn read(cursor: &mut Cursor<RawDocumentBuf>, limit: usize) -> anyhow::Result<Vec<RawDocumentBuf>> {
    let mut documents = Vec::new();
    while documents.len() < limit && cursor.advance().await? {
        documents.push(cursor.current().to_owned());
    }
    Ok(documents)
}

async fn insert(
    documents: Vec<RawDocumentBuf>,
    copy: &Collection<RawDocumentBuf>,
    plan: Plan,
) -> anyhow::Result<()> {
    let documents: Arc<[RawDocumentBuf]> = documents.into();
    let next_batch = Arc::new(AtomicUsize::new(0));
    let mut connections = JoinSet::new();
    for _ in 0..plan.connections {
        let (documents, next_batch, copy) = (Arc::clone(&documents), Arc::clone(&next_batch), copy.clone());
        connections.spawn(async move {
            loop {
                let number = next_batch.fetch_add(1, Ordering::Relaxed);
                let Some(batch) = documents.chunks(plan.batch_size).nth(number) else {
                    return mongodb::error::Result::Ok(());
                };
                copy.insert_many(batch).ordered(false).await?;
            }
        });
    }
    while let Some(connection) = connections.join_next().await {
        connection??;
    }
    Ok(())
}
