//! `GET /api/logs/export`: the log as a file, one JSON line per vote, newest first.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use mongodb::Cursor;
use mongodb::bson::{Document, doc};
use mongodb::error::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::filter::Filter;
use super::store::{Logs, RESPONSE_TIMEOUT, with_timeout};
use crate::problem::Problem;
use crate::query::{FromParameters, Parameters, Valid};

const DEFAULT_LIMIT: u32 = 1_000;
const MAX_LIMIT: u32 = 10_000;
/// How long the server may work on a whole export.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// Exports at a time. Each holds a cursor and a connection until its client has read everything.
const MAX_EXPORTS: usize = 4;
/// Votes per chunk of the response.
const CHUNK_VOTES: usize = 100;

/// The parameters of a request.
#[derive(Debug)]
pub(crate) struct ExportQuery {
    filter: Filter,
    limit: u32,
}

/// Limits the exports in progress. Clones share the limit.
#[derive(Clone, Debug)]
pub(crate) struct ExportSlots(Arc<Semaphore>);

/// An export in progress.
struct Export {
    logs: Logs,
    cursor: Cursor<Document>,
    is_done: bool,
    _slot: OwnedSemaphorePermit,
}

impl Default for ExportSlots {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_EXPORTS)))
    }
}

impl FromParameters for ExportQuery {
    fn take(parameters: &mut Parameters) -> Self {
        Self {
            filter: Filter::take(parameters),
            limit: parameters.take_number("limit", 1, MAX_LIMIT, DEFAULT_LIMIT),
        }
    }
}

pub(crate) async fn export(
    State(logs): State<Logs>,
    State(ExportSlots(slots)): State<ExportSlots>,
    Valid(query): Valid<ExportQuery>,
) -> Result<Response, Problem> {
    let slot = slots.try_acquire_owned().map_err(|_| Problem::TooMany {
        detail: "too many exports are in progress",
        retry_after_s: 5,
    })?;
    // Opens the cursor before the response starts: a failure is then an error status and not a truncated file.
    let cursor = with_timeout(open(&logs, &query)).await?;
    let export = Export {
        logs,
        cursor,
        is_done: false,
        _slot: slot,
    };
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CONTENT_DISPOSITION, "attachment; filename=\"votes.ndjson\""),
    ];
    Ok((headers, Body::from_stream(chunks(export))).into_response())
}

async fn open(logs: &Logs, query: &ExportQuery) -> Result<Cursor<Document>, Error> {
    let found = logs.collection().await?;
    found
        .find(query.filter.condition())
        .sort(doc! { "received_at": -1, "_id": -1 })
        .limit(i64::from(query.limit))
        .max_time(EXPORT_TIMEOUT)
        .await
}

/// A failure aborts the transfer, so that the client does not accept a truncated file.
fn chunks(export: Export) -> impl Stream<Item = anyhow::Result<Vec<u8>>> {
    stream::try_unfold(export, |mut export| async move {
        let chunk = tokio::time::timeout(RESPONSE_TIMEOUT, export.next_chunk()).await??;
        Ok(chunk.map(|chunk| (chunk, export)))
    })
}

impl Export {
    async fn next_chunk(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let mut lines = Vec::new();
        for _ in 0..CHUNK_VOTES {
            if self.is_done || !self.cursor.advance().await? {
                self.is_done = true;
                break;
            }
            if let Some(vote) = self.logs.read(self.cursor.current()) {
                serde_json::to_writer(&mut lines, &vote)?;
                lines.push(b'\n');
            }
        }
        Ok((!self.is_done || !lines.is_empty()).then_some(lines))
    }
}
