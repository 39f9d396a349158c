//! A unary call, served by tonic.

use std::sync::Arc;
use std::time::Instant;

use axum::BoxError;
use bytes::Bytes;
use http_body::Body as HttpBody;
use ingest::{IngestError, MemoryReservation};
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::server::Grpc;
use tonic::{Code, Request, Response, Status};
use tower::service_fn;

use crate::arrival::Arrival;
use crate::codec::{Message, MessageCodec};
use crate::request_body::{RequestBody, Rules};
use crate::status;

/// A reply of fewer bytes is not compressed: the result would be larger, or not worth the time.
const MIN_COMPRESSED_BYTES: usize = 1024;

/// An answered call.
#[derive(Debug)]
pub(crate) struct Answered<T> {
    /// The response to send.
    pub(crate) response: http::Response<Body>,
    /// What the call achieved, or the error that the response reports.
    pub(crate) result: Result<T, IngestError>,
    /// When the result was known.
    pub(crate) decided: Instant,
}

/// Reads the message of `request` with tonic, calls `answer`, and writes the reply with tonic.
pub(crate) async fn serve<B, T>(
    request: http::Request<B>,
    rules: Rules,
    reservation: MemoryReservation,
    answer: impl AsyncFnOnce(Message) -> Result<T, IngestError>,
    reply: impl FnOnce(&T) -> Bytes,
) -> Answered<T>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let arrival = Arc::new(Arrival::new(reservation));
    let (limit, too_large) = (rules.limit, rules.too_large.clone());
    let compresses_reply = rules.compresses_reply;
    let (head, body) = request.into_parts();
    let body = RequestBody::new(body, &head.headers, rules, Arc::clone(&arrival));
    let request = http::Request::from_parts(head, body);

    let mut outcome = None;
    let mut method = Some((answer, reply, &mut outcome));
    let method = service_fn(move |request: Request<Message>| {
        let method = method.take();
        async move {
            let (answer, reply, outcome) =
                method.ok_or_else(|| Status::internal("a unary call has exactly one message"))?;
            let result = answer(request.into_inner()).await;
            let decided = Instant::now();
            let response = match &result {
                Ok(value) => Ok(response(reply(value), compresses_reply)),
                Err(error) => Err(status::from_error(error)),
            };
            *outcome = Some((result, decided));
            response
        }
    });
    let mut grpc = Grpc::new(MessageCodec::for_unary(Arc::clone(&arrival)))
        .max_decoding_message_size(limit)
        .accept_compressed(CompressionEncoding::Gzip);
    if compresses_reply {
        grpc = grpc.send_compressed(CompressionEncoding::Gzip);
    }
    let response = grpc.unary(method, request).await;
    match outcome {
        Some((result, decided)) => Answered {
            response,
            result,
            decided,
        },
        None => rejected(response, &arrival, too_large),
    }
}

fn response(reply: Bytes, is_compressed: bool) -> Response<Bytes> {
    let is_small = reply.len() < MIN_COMPRESSED_BYTES;
    let mut response = Response::new(reply);
    if is_compressed && is_small {
        response.disable_compression();
    }
    response
}

/// A call whose message tonic could not read.
fn rejected<T>(response: http::Response<Body>, arrival: &Arrival, too_large: IngestError) -> Answered<T> {
    let decided = Instant::now();
    let (response, error) = if let Some(error) = arrival.take_error() {
        (response, error)
    } else {
        let status = response.extensions().get::<Status>();
        let error = decompression_error(status, too_large);
        (status::error_response(&error), error)
    };
    Answered {
        response,
        result: Err(error),
        decided,
    }
}

/// The error for a message that tonic could not decompress. The layer on the body has checked everything else.
pub(crate) fn decompression_error(status: Option<&Status>, too_large: IngestError) -> IngestError {
    match status.map(Status::code) {
        Some(Code::ResourceExhausted) => too_large,
        Some(Code::Internal) => IngestError::Malformed("the message is not valid gzip".to_owned()),
        _ => IngestError::Internal("the message could not be read".to_owned()),
    }
}
