//! The header `Idempotency-Key`: another way to give `vote_id`.

use axum::http::HeaderMap;
use ingest::IngestError;
use uuid::Uuid;
use vote::{Draft, Field, FieldError};

const HEADER: &str = "idempotency-key";

/// Sets the id of `draft` to the `Idempotency-Key`, if there is one. If a request gives its id more than once, in the header
/// or in the vote, all must be equal.
pub(crate) fn apply(mut draft: Draft, headers: &HeaderMap) -> Result<Draft, IngestError> {
    let Some(key) = read(headers)? else {
        return Ok(draft);
    };
    match &draft.vote_id {
        Field::Text(text) if !text.is_empty() && Uuid::try_parse(text.trim()).ok() != Some(key) => {
            Err(invalid("differs from the Idempotency-Key"))
        }
        Field::WrongType(reason) => Err(invalid(reason)),
        Field::Text(_) => {
            draft.vote_id = Field::Text(key.to_string());
            Ok(draft)
        }
    }
}

/// The key of the request. Proxies join repeated fields into a list with commas.
fn read(headers: &HeaderMap) -> Result<Option<Uuid>, IngestError> {
    let mut common_key = None;
    for value in headers.get_all(HEADER) {
        let list = value.to_str().unwrap_or_default();
        for text in list.split(',') {
            let key = parse(text.trim()).ok_or_else(|| invalid("must be a UUID (Idempotency-Key)"))?;
            if common_key.replace(key).is_some_and(|other| other != key) {
                return Err(invalid(
                    "must be one UUID: the request has different Idempotency-Keys",
                ));
            }
        }
    }
    Ok(common_key)
}

/// Parses a UUID, with or without quotes: the draft of the header's specification makes it a structured string (RFC 9651).
fn parse(text: &str) -> Option<Uuid> {
    let unquoted = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text);
    Uuid::try_parse(unquoted).ok()
}

fn invalid(message: &'static str) -> IngestError {
    IngestError::Invalid(vec![FieldError {
        field: "vote_id",
        message: message.into(),
    }])
}
