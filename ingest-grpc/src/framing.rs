//! The message framing of gRPC without decoding: messages are read and written as bytes. Every route hands bytes to the
//! same core, which decodes, encodes and measures them at the same points.

use std::time::Instant;

use axum::body::{Body as RequestBody, HttpBody};
use axum::extract::Request;
use bytes::{Buf, BufMut, Bytes};
use futures::{Stream, StreamExt, stream};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use ingest::{BodyBuffer, IngestError, MemoryReservation};
use tokio::time::timeout_at;
use tonic::Status;
use tonic::body::Body;
use tonic::codec::{
    Codec, DecodeBuf, Decoder, EncodeBody, EncodeBuf, Encoder, SingleMessageCompressionOverride,
};
use tonic::metadata::GRPC_CONTENT_TYPE;

use crate::status;

/// The header of a message: a flag (1 byte) and the length of the message (4 bytes).
const HEADER_BYTES: usize = 5;
const UNCOMPRESSED: u8 = 0;
const COMPRESSED: u8 = 1;

/// Reads the message of a unary call: at most `limit` bytes before `deadline`. Every byte counts in `reservation` from
/// its arrival. A larger message fails with `too_large`.
pub(crate) async fn read_message(
    request: Request,
    reservation: &mut MemoryReservation,
    limit: usize,
    deadline: Instant,
    too_large: IngestError,
) -> Result<Bytes, IngestError> {
    let mut messages = MessageReader::new(request, limit, too_large)?;
    let read = async {
        let message = messages.next(reservation).await?;
        let message = message.ok_or_else(|| IngestError::Malformed("the call has no message".to_owned()))?;
        // Read to the end of the request, so that the HTTP/2 stream closes without an error.
        match messages.next(reservation).await? {
            None => Ok(message),
            Some(_) => Err(IngestError::Malformed(
                "a unary call has exactly one message".to_owned(),
            )),
        }
    };
    let Ok(read) = timeout_at(deadline.into(), read).await else {
        return Err(IngestError::SlowRequest);
    };
    if read.is_err() {
        http_api::discard_briefly(&mut messages.body).await;
    }
    read
}

/// Reads the messages of a request one by one.
#[derive(Debug)]
pub(crate) struct MessageReader {
    body: RequestBody,
    /// Bytes that have arrived and belong to later messages: less than one HTTP/2 frame.
    unread: Bytes,
    limit: usize,
    too_large: IngestError,
    declares_compression: bool,
}

impl MessageReader {
    /// A reader for messages of at most `limit` bytes each. A larger message fails with `too_large`.
    pub(crate) fn new(request: Request, limit: usize, too_large: IngestError) -> Result<Self, IngestError> {
        if !is_grpc(request.headers()) {
            return Err(IngestError::UnsupportedMediaType);
        }
        let encoding = request.headers().get("grpc-encoding");
        Ok(Self {
            declares_compression: encoding.is_some_and(|encoding| encoding != "identity"),
            body: request.into_body(),
            unread: Bytes::new(),
            limit,
            too_large,
        })
    }

    /// The next message, or `None` at the end of the request.
    pub(crate) async fn next(
        &mut self,
        reservation: &mut MemoryReservation,
    ) -> Result<Option<Bytes>, IngestError> {
        let Some(mut header) = self.take(HEADER_BYTES, reservation).await? else {
            return Ok(None);
        };
        match header.get_u8() {
            UNCOMPRESSED => {}
            COMPRESSED if self.declares_compression => return Err(IngestError::UnsupportedEncoding),
            COMPRESSED => return Err(IngestError::UndeclaredEncoding),
            flag => {
                return Err(IngestError::Malformed(format!(
                    "{flag} is not a valid compression flag"
                )));
            }
        }
        let length = header.get_u32() as usize;
        if length > self.limit {
            return Err(self.too_large.clone());
        }
        let message = self.take(length, reservation).await?;
        message.map(Some).ok_or_else(truncated_message)
    }

    /// Reads exactly `length` bytes. `None` at the end of the request.
    async fn take(
        &mut self,
        length: usize,
        reservation: &mut MemoryReservation,
    ) -> Result<Option<Bytes>, IngestError> {
        let mut buffer = BodyBuffer::default();
        loop {
            let missing = length - buffer.len();
            let part = self.unread.split_to(missing.min(self.unread.len()));
            if part.len() == length {
                reservation.grow(length)?;
                return Ok(Some(part));
            }
            buffer.push(&part, reservation)?;
            if buffer.len() == length {
                return Ok(Some(buffer.into_vec().into()));
            }
            match self.read_frame().await? {
                Some(data) => self.unread = data,
                None if buffer.is_empty() => return Ok(None),
                None => return Err(truncated_message()),
            }
        }
    }

    async fn read_frame(&mut self) -> Result<Option<Bytes>, IngestError> {
        if self.body.is_end_stream() {
            return Ok(None);
        }
        let Some(frame) = self.body.frame().await else {
            return Ok(None);
        };
        let frame = frame.map_err(|error| http_api::body_error(&error))?;
        // Request trailers have no meaning here. The end of the request follows them.
        Ok(Some(frame.into_data().unwrap_or_default()))
    }
}

fn truncated_message() -> IngestError {
    IngestError::Malformed("the request ended in the middle of a message".to_owned())
}

/// Whether the content type is `application/grpc`, alone or with a message format or parameters.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    let rest = content_type.and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// The response to a unary call.
pub(crate) fn unary_response(message: Bytes) -> http::Response<Body> {
    streaming_response(stream::once(std::future::ready(Ok(message))))
}

/// The response to a unary call. It keeps its memory reservation until the client has received it.
pub(crate) fn reserved_response(message: Bytes, mut reservation: MemoryReservation) -> http::Response<Body> {
    reservation.replace(message.len());
    let message = stream::once(std::future::ready(message));
    streaming_response(message.map(move |message| {
        // The closure holds the reservation until the response body is dropped.
        let _ = &reservation;
        Ok(message)
    }))
}

/// The response to a call that fails with `error`.
pub(crate) fn error_response(error: &IngestError) -> http::Response<Body> {
    // The gRPC specification requires a plain HTTP status for a request that is not gRPC.
    if *error == IngestError::UnsupportedMediaType {
        let mut response = http::Response::new(Body::empty());
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return response;
    }
    status::from_error(error).into_http()
}

/// The response to a streaming call.
pub(crate) fn streaming_response(
    messages: impl Stream<Item = Result<Bytes, Status>> + Send + 'static,
) -> http::Response<Body> {
    let body = EncodeBody::new_server(
        RawBytesCodec,
        messages,
        None,
        SingleMessageCompressionOverride::default(),
        None,
    );
    let mut response = http::Response::new(Body::new(body));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, GRPC_CONTENT_TYPE);
    response
}

/// Passes messages to and from tonic as bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RawBytesCodec;

impl Codec for RawBytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for RawBytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for RawBytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
