//! `GET /api/logs/export`: the log as a file, a line of JSON for each vote, newest first.

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
use super::{ANSWER_TIME, Logs, in_time};
use crate::problem::Problem;
use crate::query::{FromParameters, Parameters, Valid};

const DEFAULT_LIMIT: u32 = 1_000;
const MAX_LIMIT: u32 = 10_000;
/// What the server may spend on a whole export.
const EXPORT_TIME: Duration = Duration::from_secs(10);
/// Exports at a time: each holds a cursor and a connection for as long as its client takes.
const EXPORTS: usize = 4;
/// Votes that go to the client in one piece.
const PIECE: usize = 100;

/// What a client asks for.
#[derive(Debug)]
pub(crate) struct ExportQuery {
    filter: Filter,
    limit: u32,
}

/// Room for exports.
#[derive(Clone, Debug)]
pub(crate) struct Exports(Arc<Semaphore>);

/// An export under way.
struct Export {
    logs: Logs,
    cursor: Cursor<Document>,
    is_done: bool,
    _room: OwnedSemaphorePermit,
}

impl Default for Exports {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(EXPORTS)))
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
    State(Exports(room)): State<Exports>,
    Valid(query): Valid<ExportQuery>,
) -> Result<Response, Problem> {
    let room = room.try_acquire_owned().map_err(|_| Problem::TooMany {
        detail: "too many exports are in progress",
        retry_after_s: 5,
    })?;
    // The first piece is waited for: a store that is away is still a status then, and not a file that ends early.
    let cursor = in_time(open(&logs, &query)).await?;
    let export = Export {
        logs,
        cursor,
        is_done: false,
        _room: room,
    };
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CONTENT_DISPOSITION, "attachment; filename=\"votes.ndjson\""),
    ];
    Ok((headers, Body::from_stream(pieces(export))).into_response())
}

async fn open(logs: &Logs, query: &ExportQuery) -> Result<Cursor<Document>, Error> {
    let found = logs.collection().await?;
    found
        .find(query.filter.condition())
        .sort(doc! { "received_at": -1, "_id": -1 })
        .limit(i64::from(query.limit))
        .max_time(EXPORT_TIME)
        .await
}

/// A failure breaks the transfer off: a client must not take a part for the whole.
fn pieces(export: Export) -> impl Stream<Item = anyhow::Result<Vec<u8>>> {
    stream::try_unfold(export, |mut export| async move {
        let piece = tokio::time::timeout(ANSWER_TIME, export.piece()).await??;
        Ok(piece.map(|piece| (piece, export)))
    })
}

impl Export {
    async fn piece(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let mut lines = Vec::new();
        for _ in 0..PIECE {
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
