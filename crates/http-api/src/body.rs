//! A request's body under a size limit and a deadline.

use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ingest::Refusal;
use tokio::time::timeout_at;

/// What is taken in and thrown away of a body that is refused for its size, in bytes. A client that is still writing
/// does not read: without this it would get a broken pipe instead of its answer.
const DISCARD_BYTES: usize = 8 * 1024 * 1024;

/// Reads at most `limit` bytes before `deadline`.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    deadline: Instant,
    too_large: Refusal,
) -> Result<Bytes, Refusal> {
    let read = timeout_at(deadline.into(), read_or_discard(headers, body, limit, too_large)).await;
    read.unwrap_or(Err(Refusal::SlowRequest))
}

async fn read_or_discard(
    headers: &HeaderMap,
    mut body: Body,
    limit: usize,
    too_large: Refusal,
) -> Result<Bytes, Refusal> {
    let announced = headers.get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        discard(&mut body).await;
        return Err(too_large);
    }
    match Limited::new(&mut body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            discard(&mut body).await;
            Err(too_large)
        }
        Err(error) => Err(Refusal::Malformed(format!("the body ended early: {error}"))),
    }
}

async fn discard(body: &mut Body) {
    let mut discarded = 0;
    while discarded <= DISCARD_BYTES {
        let Some(Ok(frame)) = body.frame().await else {
            return;
        };
        discarded += frame.data_ref().map_or(0, Bytes::len);
    }
}
