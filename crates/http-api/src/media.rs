//! Content types.

use axum::http::{HeaderMap, header};
use ingest::Refusal;

pub(crate) const JSON: &str = "application/json";
pub(crate) const NDJSON: &str = "application/x-ndjson";
pub(crate) const PROTOBUF: &str = "application/x-protobuf";

/// How a request's body is encoded; its answer is encoded alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Ndjson,
    Protobuf,
}

impl Media {
    /// Reads `Content-Type`. A request without one is taken as JSON: many a load generator sends none.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(value) = headers.get(header::CONTENT_TYPE) else {
            return Ok(Self::Json);
        };
        let text = value.to_str().map_err(|_| Refusal::UnsupportedMediaType)?;
        let essence = text.split(';').next().unwrap_or_default().trim();
        [
            (JSON, Self::Json),
            (PROTOBUF, Self::Protobuf),
            (NDJSON, Self::Ndjson),
        ]
        .into_iter()
        .find(|(name, _)| essence.eq_ignore_ascii_case(name))
        .map(|(_, media)| media)
        .ok_or(Refusal::UnsupportedMediaType)
    }
}
