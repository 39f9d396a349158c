//! gRPC's framing without its decoding: a message comes as bytes and goes as bytes. So every route hands the same
//! thing to the same core, which decodes and encodes it and measures both at the same points.

use std::time::Instant;

use bytes::{Buf, BufMut, Bytes};
use futures::{Stream, stream};
use ingest::Refusal;
use tokio::time::timeout_at;
use tonic::Status;
use tonic::body::Body;
use tonic::codec::{
    Codec, DecodeBuf, Decoder, EncodeBody, EncodeBuf, Encoder, SingleMessageCompressionOverride, Streaming,
};
use tonic::metadata::GRPC_CONTENT_TYPE;

use crate::status;

/// Messages as bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FrameCodec;

impl Codec for FrameCodec {
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

impl Encoder for FrameCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for FrameCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Reads the one message of a unary call: at most `limit` bytes, before `deadline`.
pub(crate) async fn read(
    body: axum::body::Body,
    limit: usize,
    deadline: Instant,
    too_large: Refusal,
) -> Result<Bytes, Refusal> {
    let mut messages = messages(body, limit);
    let read = async {
        let first = messages.message().await?;
        // Reading to the end of the request lets the stream close in order.
        let second = if first.is_some() {
            messages.message().await?
        } else {
            None
        };
        Ok::<_, Status>((first, second))
    };
    match timeout_at(deadline.into(), read).await {
        Ok(Ok((Some(message), None))) => Ok(message),
        Ok(Ok((Some(_), Some(_)))) => Err(Refusal::Malformed("a unary call has one message".to_owned())),
        Ok(Ok((None, _))) => Err(Refusal::Malformed("the call has no message".to_owned())),
        Ok(Err(status)) => Err(status::to_refusal(&status, &too_large)),
        Err(_) => Err(Refusal::SlowRequest),
    }
}

/// A request's messages, each of at most `limit` bytes.
pub(crate) fn messages(body: axum::body::Body, limit: usize) -> Streaming<Bytes> {
    Streaming::new_request(FrameCodec, body, None, Some(limit))
}

/// The answer to a unary call: a message, or a status.
pub(crate) fn answer(result: Result<Bytes, Status>) -> http::Response<Body> {
    match result {
        Ok(message) => answers(stream::once(std::future::ready(Ok(message)))),
        Err(status) => status.into_http(),
    }
}

/// The answer to a streaming call.
pub(crate) fn answers(
    messages: impl Stream<Item = Result<Bytes, Status>> + Send + 'static,
) -> http::Response<Body> {
    let body = EncodeBody::new_server(
        FrameCodec,
        messages,
        None,
        SingleMessageCompressionOverride::default(),
        None,
    );
    let mut response = http::Response::new(Body::new(body));
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, GRPC_CONTENT_TYPE);
    response
}
