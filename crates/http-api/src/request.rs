//! The steps from a request to its decoded votes, which single votes and batches share.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use ingest::{
    Ingest, IngestError, MAX_BATCH_BYTES, MAX_VOTE_BYTES, MemoryReservation, RequestTimer, Sink, Stage,
};

use crate::body::{self, BodyLimit};
use crate::content_encoding::{self, ContentEncoding};
use crate::content_type::{ContentType, JSON};
use crate::credentials::{challenge, credentials};
use crate::problem::ProblemJson;

/// What an endpoint reads.
#[derive(Debug)]
pub(crate) struct Endpoint {
    limit: BodyLimit,
    reads_ndjson: bool,
    /// The value of `Accept` in a response to an unsupported content type.
    accepted_types: &'static str,
}

/// Reads one vote.
pub(crate) static SINGLE: Endpoint = Endpoint {
    limit: BodyLimit {
        bytes: MAX_VOTE_BYTES,
        too_large: IngestError::VoteTooLarge,
    },
    reads_ndjson: false,
    accepted_types: "application/json, application/x-protobuf",
};

/// Reads many votes.
pub(crate) static BATCH: Endpoint = Endpoint {
    limit: BodyLimit {
        bytes: MAX_BATCH_BYTES,
        too_large: IngestError::BatchTooLarge,
    },
    reads_ndjson: true,
    accepted_types: "application/json, application/x-ndjson, application/x-protobuf",
};

impl Endpoint {
    /// The content type of a request, if its client may vote and the endpoint reads the type. The timer then has the client.
    pub(crate) fn content_type<S: Sink>(
        &self,
        ingest: &Ingest<S>,
        timer: &mut RequestTimer,
        request: &Request,
    ) -> Result<ContentType, IngestError> {
        timer.set_client(ingest.authenticate(|| credentials(request))?);
        match ContentType::from_headers(request.headers())? {
            ContentType::Ndjson if !self.reads_ndjson => Err(IngestError::UnsupportedMediaType),
            content_type => Ok(content_type),
        }
    }

    /// Reads, decompresses and decodes the body of a request. Frees its bytes before it returns.
    pub(crate) async fn read<T>(
        &self,
        content_type: Result<ContentType, IngestError>,
        request: Request,
        timer: &RequestTimer,
        reservation: &mut MemoryReservation,
        decode: impl FnOnce(&[u8], ContentType, &HeaderMap) -> Result<T, IngestError>,
    ) -> Result<T, IngestError> {
        let (head, mut body) = request.into_parts();
        let encoding = ContentEncoding::from_headers(&head.headers);
        let (content_type, encoding) =
            match content_type.and_then(|content_type| Ok((content_type, encoding?))) {
                Ok(format) => format,
                Err(error) => {
                    body::discard_unless_client_waits(&head.headers, &mut body).await;
                    return Err(error);
                }
            };
        let bytes = body::read(&head.headers, body, reservation, &self.limit, timer.deadline()).await?;
        timer.stage(Stage::Decode, || {
            let bytes = encoding.decode(bytes, &self.limit, reservation)?;
            decode(&bytes, content_type, &head.headers)
        })
    }

    /// The response to an error, with the headers that say what the endpoint reads.
    pub(crate) fn error_response(&self, error: &IngestError) -> Response {
        let mut response = ProblemJson::from(error).into_response();
        let header = match error {
            IngestError::UnsupportedMediaType | IngestError::UnsupportedCharset => {
                Some((header::ACCEPT, HeaderValue::from_static(self.accepted_types)))
            }
            IngestError::UnsupportedEncoding => Some((
                header::ACCEPT_ENCODING,
                HeaderValue::from_static(content_encoding::ACCEPTED),
            )),
            IngestError::Unauthenticated(cause) => Some((header::WWW_AUTHENTICATE, challenge(cause))),
            _ => None,
        };
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// The content type of the response to a request, and its body in that type.
pub(crate) fn encode_response(
    content_type: ContentType,
    as_protobuf: impl FnOnce() -> Vec<u8>,
    as_json: impl FnOnce() -> Vec<u8>,
) -> (&'static str, Vec<u8>) {
    match content_type {
        ContentType::Protobuf(name) => (name, as_protobuf()),
        ContentType::Json | ContentType::Ndjson => (JSON, as_json()),
    }
}
