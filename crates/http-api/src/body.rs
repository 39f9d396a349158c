//! A request's body under a size limit and a deadline.

use std::error::Error;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::LengthLimitError;
use ingest::Refusal;
use tokio::time::timeout_at;

/// Reads at most `limit` bytes before `deadline`. A body that announces more is not read at all.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    deadline: Instant,
    too_large: Refusal,
) -> Result<Bytes, Refusal> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large);
    }
    let read = timeout_at(deadline.into(), axum::body::to_bytes(body, limit)).await;
    match read.map_err(|_| Refusal::SlowRequest)? {
        Ok(bytes) => Ok(bytes),
        Err(error) if is_length_limit(&error) => Err(too_large),
        Err(error) => Err(Refusal::Malformed(format!("the body ended early: {error}"))),
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    error.source().is_some_and(<dyn Error>::is::<LengthLimitError>)
}
