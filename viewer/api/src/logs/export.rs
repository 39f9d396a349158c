//! `GET /api/logs/export`: the log as a file, one JSON line per vote, newest first.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use mongodb::bson::RawDocument;
use mongodb::error::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::filter::Filter;
use super::search::Search;
use super::store::{Logs, RESPONSE_TIMEOUT, with_timeout};
use crate::problem::Problem;
use crate::query::{FromParameters, Parameters, Valid};

const DEFAULT_LIMIT: u32 = 1_000;
const MAX_LIMIT: u32 = 10_000;
/// Exports at a time. An export whose filter matches little reads the whole log, which may take a minute.
const MAX_EXPORTS: usize = 4;
/// Maximum number of votes per chunk of the response.
const CHUNK_VOTES: u32 = 500;

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
    search: Search,
    /// Lines that may still be written.
    remaining: u32,
    /// Lines that are not sent yet.
    lines: Vec<u8>,
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
    let mut export = Export {
        logs,
        search: Search::new(query.filter, None),
        remaining: query.limit,
        lines: Vec::new(),
        _slot: slot,
    };
    // Takes one step before the response starts: a failure is then an error status and not a truncated file.
    with_timeout(export.step()).await?;
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"votes.ndjson\""),
    ];
    Ok((headers, Body::from_stream(chunks(export))).into_response())
}

/// A failure aborts the transfer, so that the client does not accept a truncated file.
fn chunks(export: Export) -> impl Stream<Item = anyhow::Result<Vec<u8>>> {
    stream::try_unfold(export, |mut export| async move {
        while export.lines.is_empty() && !export.is_done() {
            tokio::time::timeout(RESPONSE_TIMEOUT, export.step()).await??;
        }
        let lines = std::mem::take(&mut export.lines);
        Ok((!lines.is_empty()).then_some((lines, export)))
    })
}

impl Export {
    fn is_done(&self) -> bool {
        self.search.is_complete() || self.remaining == 0
    }

    /// Takes a step of the search, and writes a line for each vote that it finds.
    async fn step(&mut self) -> Result<(), Error> {
        let Self { logs, lines, .. } = self;
        let mut found = 0;
        let visit = |document: &RawDocument| {
            found += 1;
            if let Some(line) = logs
                .read(document)
                .and_then(|vote| serde_json::to_vec(&vote).ok())
            {
                lines.extend(line);
                lines.push(b'\n');
            }
        };
        let limit = self.remaining.min(CHUNK_VOTES);
        self.search.step(logs, limit, visit).await?;
        self.remaining -= found;
        Ok(())
    }
}
