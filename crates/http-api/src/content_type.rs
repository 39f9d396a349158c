//! The content types of requests and responses.

use axum::http::{HeaderMap, header};
use ingest::IngestError;

pub(crate) const JSON: &str = "application/json";
pub(crate) const NDJSON: &str = "application/x-ndjson";
pub(crate) const PROTOBUF: &str = "application/x-protobuf";

/// The encoding of a request body. The response to protobuf is protobuf; every other response is JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentType {
    Json,
    Ndjson,
    Protobuf,
}

impl ContentType {
    /// Reads `Content-Type`. A request without it counts as JSON, because many load generators do not send it.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Self, IngestError> {
        let Some(value) = headers.get(header::CONTENT_TYPE) else {
            return Ok(Self::Json);
        };
        let text = value.to_str().map_err(|_| IngestError::UnsupportedMediaType)?;
        let essence = text.split(';').next().unwrap_or_default().trim();
        [
            (JSON, Self::Json),
            (PROTOBUF, Self::Protobuf),
            (NDJSON, Self::Ndjson),
        ]
        .into_iter()
        .find(|(name, _)| essence.eq_ignore_ascii_case(name))
        .map(|(_, content_type)| content_type)
        .ok_or(IngestError::UnsupportedMediaType)
    }
}
