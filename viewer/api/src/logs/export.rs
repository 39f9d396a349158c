//! `GET /api/logs/export`: the log as a file, one JSON line per vote, newest first.
//!
//! A search for rare votes may find none for a minute or longer. Proxies close a transfer that is silent for so long, so the
//! export sends a space every few seconds. JSON allows spaces around a value: a line therefore stays open until the next
//! vote, and the spaces belong to it. Each line is JSON for every reader; only an export without any vote may have spaces
//! alone.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
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
/// After this time without a byte, a space is sent: proxies close silent transfers, many after a minute.
const MAX_SILENCE: Duration = Duration::from_secs(5);

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
    lines: Lines,
    _slot: OwnedSemaphorePermit,
}

/// Lines of JSON. The last one is open until the next one, so that spaces may follow it.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    is_open: bool,
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
        lines: Lines::default(),
        _slot: slot,
    };
    // Takes one step before the response starts: a failure is then an error status and not a truncated file.
    with_timeout(export.step()).await?;
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"votes.ndjson\""),
    ];
    let chunks = with_spaces(chunks(export), MAX_SILENCE);
    Ok((headers, Body::from_stream(chunks)).into_response())
}

/// A failure aborts the transfer, so that the client does not accept a truncated file.
fn chunks(export: Export) -> impl Stream<Item = anyhow::Result<Vec<u8>>> {
    stream::try_unfold(export, |mut export| async move {
        while export.lines.bytes.is_empty() && !export.is_done() {
            tokio::time::timeout(RESPONSE_TIMEOUT, export.step()).await??;
        }
        if export.is_done() {
            export.lines.close();
        }
        let bytes = std::mem::take(&mut export.lines.bytes);
        Ok((!bytes.is_empty()).then_some((bytes, export)))
    })
}

/// Adds a space whenever `chunks` is silent for `max_silence`.
fn with_spaces<E>(
    chunks: impl Stream<Item = Result<Vec<u8>, E>>,
    max_silence: Duration,
) -> impl Stream<Item = Result<Vec<u8>, E>> {
    stream::unfold(Box::pin(chunks), move |mut chunks| async move {
        let chunk = match tokio::time::timeout(max_silence, chunks.next()).await {
            Ok(chunk) => chunk?,
            Err(_) => Ok(b" ".to_vec()),
        };
        Some((chunk, chunks))
    })
}

impl Lines {
    /// Adds a line, and ends the one before.
    fn add(&mut self, json: Vec<u8>) {
        self.close();
        self.bytes.extend(json);
        self.is_open = true;
    }

    /// Ends the last line.
    fn close(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.bytes.push(b'\n');
        }
    }
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
                lines.add(line);
            }
        };
        let limit = self.remaining.min(CHUNK_VOTES);
        self.search.step(logs, limit, visit).await?;
        self.remaining -= found;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn spaces_of_a_silent_search_belong_to_lines_of_json() {
        let silence = Duration::from_millis(300);
        // Three chunks, each after a silence. The last one ends the last line.
        let chunks = stream::unfold((1, Lines::default()), |(number, mut lines)| async move {
            if number > 3 {
                return None;
            }
            tokio::time::sleep(silence).await;
            match number {
                1 => lines.add(b"[0]".to_vec()),
                2 => {
                    lines.add(b"[1]".to_vec());
                    lines.add(b"[2]".to_vec());
                }
                _ => lines.close(),
            }
            let bytes = std::mem::take(&mut lines.bytes);
            Some((Ok::<_, ()>(bytes), (number + 1, lines)))
        });
        let sent: Vec<_> = with_spaces(chunks, silence / 10).collect().await;
        let sent: Vec<Vec<u8>> = sent.into_iter().map(Result::unwrap).collect();
        assert_eq!(sent[0], b" ", "the first byte does not wait for a vote");
        let text = String::from_utf8(sent.concat()).unwrap();
        assert!(text.contains("[0] ") && text.ends_with('\n'), "{text:?}");
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let values: Vec<Value> = lines.collect();
        assert_eq!(Value::from(values), serde_json::json!([[0], [1], [2]]));
    }

    #[tokio::test]
    async fn search_without_a_pause_sends_no_space() {
        let chunks = stream::iter([Ok::<_, ()>(b"[0]".to_vec()), Ok(b"\n".to_vec())]);
        let sent: Vec<_> = with_spaces(chunks, MAX_SILENCE).collect().await;
        assert_eq!(sent, [Ok(b"[0]".to_vec()), Ok(b"\n".to_vec())]);
    }
}
