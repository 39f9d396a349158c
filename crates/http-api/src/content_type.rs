//! The content types of requests and responses.

use axum::http::{HeaderMap, header};
use ingest::IngestError;

pub(crate) const JSON: &str = "application/json";
pub(crate) const NDJSON: &str = "application/x-ndjson";
const X_PROTOBUF: &str = "application/x-protobuf";
const PROTOBUF: &str = "application/protobuf";
const VND_PROTOBUF: &str = "application/vnd.google.protobuf";
/// The names of protobuf.
pub(crate) const PROTOBUF_NAMES: [&str; 3] = [X_PROTOBUF, PROTOBUF, VND_PROTOBUF];

/// Every name of a content type that the API reads. Clients use three names for protobuf; the response has the name that the
/// request used.
const NAMES: [(&str, ContentType); 7] = [
    (JSON, ContentType::Json),
    (X_PROTOBUF, ContentType::Protobuf(X_PROTOBUF)),
    (PROTOBUF, ContentType::Protobuf(PROTOBUF)),
    (VND_PROTOBUF, ContentType::Protobuf(VND_PROTOBUF)),
    (NDJSON, ContentType::Ndjson),
    ("application/ndjson", ContentType::Ndjson),
    ("application/jsonl", ContentType::Ndjson),
];

/// The encoding of a request body. The response to protobuf is protobuf; every other response is JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentType {
    Json,
    Ndjson,
    /// Holds the name that the client uses.
    Protobuf(&'static str),
}

impl ContentType {
    /// Reads `Content-Type`. A request without it counts as JSON, because many load generators do not send it. A request
    /// with two content types is malformed: two readers could read it differently.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Self, IngestError> {
        let mut values = headers.get_all(header::CONTENT_TYPE).iter();
        let Some(value) = values.next() else {
            return Ok(Self::Json);
        };
        let text = value.to_str().map_err(|_| IngestError::UnsupportedMediaType)?;
        let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
        if values.next().is_some() || essence.contains(',') {
            return Err(IngestError::Malformed(
                "the request has more than one Content-Type; send one".to_owned(),
            ));
        }
        let essence = essence.trim();
        let content_type = NAMES
            .into_iter()
            .find(|(name, _)| essence.eq_ignore_ascii_case(name))
            .map(|(_, content_type)| content_type)
            .ok_or(IngestError::UnsupportedMediaType)?;
        if matches!(content_type, Self::Json | Self::Ndjson) && !parameters.is_empty() {
            check_charset(parameters)?;
        }
        Ok(content_type)
    }
}

/// Allows the parameter `charset` only for UTF-8 and its subset US-ASCII. Ignores other parameters.
fn check_charset(parameters: &str) -> Result<(), IngestError> {
    let is_other_charset = parameters.split(';').any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, "utf-8"));
        let charset = value.trim().trim_matches('"');
        let is_utf8 = ["utf-8", "utf8", "us-ascii", "ascii"]
            .iter()
            .any(|allowed| charset.eq_ignore_ascii_case(allowed));
        name.trim().eq_ignore_ascii_case("charset") && !is_utf8
    });
    if is_other_charset {
        return Err(IngestError::UnsupportedCharset);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn parse(values: &[&str]) -> Result<ContentType, u16> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                header::CONTENT_TYPE,
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        ContentType::from_headers(&headers).map_err(|error| error.mapping().status)
    }

    #[test]
    fn name_is_read_without_regard_to_case_and_parameters() {
        for (value, expected) in [
            ("application/json", ContentType::Json),
            (" Application/JSON ; Charset=\"UTF-8\"", ContentType::Json),
            ("application/json;charset=us-ascii", ContentType::Json),
            ("application/json;", ContentType::Json),
            ("application/json; charset", ContentType::Json),
            ("application/json; profile=\"a,b;c\"; v=1", ContentType::Json),
            ("application/x-protobuf", ContentType::Protobuf(X_PROTOBUF)),
            (
                "application/protobuf",
                ContentType::Protobuf("application/protobuf"),
            ),
            (
                "APPLICATION/VND.GOOGLE.PROTOBUF; proto=votes.v1.Vote; charset=binary",
                ContentType::Protobuf("application/vnd.google.protobuf"),
            ),
            ("application/x-ndjson", ContentType::Ndjson),
            ("application/jsonl", ContentType::Ndjson),
        ] {
            assert_eq!(parse(&[value]), Ok(expected), "{value}");
        }
        assert_eq!(parse(&[]), Ok(ContentType::Json));
    }

    #[test]
    fn other_types_and_charsets_are_unsupported() {
        for value in [
            "",
            "json",
            "text/json",
            "application/json5",
            "application/x-protobuf-text",
            "text/plain",
            "application/json\u{e9}",
            "application/json; charset=utf-16",
            "application/json; v=1; CHARSET = \"iso-8859-1\"",
            "application/x-ndjson; charset=windows-1252",
            "application/json; charset=",
        ] {
            assert_eq!(parse(&[value]), Err(415), "{value}");
        }
    }

    #[test]
    fn two_content_types_are_malformed_even_if_they_are_equal() {
        for values in [
            ["application/json", "application/x-protobuf"].as_slice(),
            &["application/json", "application/json"],
            &["application/json, application/x-protobuf"],
            &["application/json,"],
        ] {
            assert_eq!(parse(values), Err(400), "{values:?}");
        }
    }
}
