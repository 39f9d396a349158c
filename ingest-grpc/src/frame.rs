//! gRPC's framing without its decoding: a message comes as bytes and goes as bytes. So every route hands the same
//! thing to the same core, which decodes and encodes it and measures both at the same points.

use std::time::Instant;

use axum::body::{Body as RequestBody, HttpBody};
use axum::extract::Request;
use bytes::{Buf, BufMut, Bytes};
use futures::{Stream, StreamExt, stream};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use ingest::{Collected, Refusal, Reservation};
use tokio::time::timeout_at;
use tonic::Status;
use tonic::body::Body;
use tonic::codec::{
    Codec, DecodeBuf, Decoder, EncodeBody, EncodeBuf, Encoder, SingleMessageCompressionOverride,
};
use tonic::metadata::GRPC_CONTENT_TYPE;

use crate::status;

/// A flag and the message's length.
const HEAD_BYTES: usize = 5;
const UNCOMPRESSED: u8 = 0;
const COMPRESSED: u8 = 1;

/// Reads the one message of a unary call: at most `limit` bytes, before `deadline`, each in `reservation` once it has arrived.
pub(crate) async fn read(
    request: Request,
    reservation: &mut Reservation,
    limit: usize,
    deadline: Instant,
    too_large: Refusal,
) -> Result<Bytes, Refusal> {
    let mut messages = Messages::of(request, limit, too_large)?;
    let read = async {
        let message = messages.next(reservation).await?;
        let message = message.ok_or_else(|| Refusal::Malformed("the call has no message".to_owned()))?;
        // Reading to the end of the request lets the stream close in order.
        match messages.next(reservation).await? {
            None => Ok(message),
            Some(_) => Err(Refusal::Malformed("a unary call has one message".to_owned())),
        }
    };
    let Ok(read) = timeout_at(deadline.into(), read).await else {
        return Err(Refusal::SlowRequest);
    };
    if read.is_err() {
        http_api::discard_briefly(&mut messages.body).await;
    }
    read
}

/// The messages of a request.
#[derive(Debug)]
pub(crate) struct Messages {
    body: RequestBody,
    /// What has arrived and was not asked for yet: less than a frame of HTTP/2.
    unread: Bytes,
    limit: usize,
    too_large: Refusal,
    declares_compression: bool,
}

impl Messages {
    /// Messages of at most `limit` bytes each.
    pub(crate) fn of(request: Request, limit: usize, too_large: Refusal) -> Result<Self, Refusal> {
        if !is_grpc(request.headers()) {
            return Err(Refusal::UnsupportedMediaType);
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
    pub(crate) async fn next(&mut self, reservation: &mut Reservation) -> Result<Option<Bytes>, Refusal> {
        let Some(mut head) = self.take(HEAD_BYTES, reservation).await? else {
            return Ok(None);
        };
        match head.get_u8() {
            UNCOMPRESSED => {}
            COMPRESSED if self.declares_compression => return Err(Refusal::UnsupportedEncoding),
            COMPRESSED => return Err(Refusal::UndeclaredEncoding),
            flag => return Err(Refusal::Malformed(format!("{flag} is no flag of a message"))),
        }
        let length = head.get_u32() as usize;
        if length > self.limit {
            return Err(self.too_large.clone());
        }
        let message = self.take(length, reservation).await?;
        message.map(Some).ok_or_else(ended_within)
    }

    /// Exactly `length` bytes, or `None` where the request has ended.
    async fn take(&mut self, length: usize, reservation: &mut Reservation) -> Result<Option<Bytes>, Refusal> {
        let mut collected = Collected::default();
        loop {
            let missing = length - collected.len();
            let part = self.unread.split_to(missing.min(self.unread.len()));
            if part.len() == length {
                reservation.grow(length)?;
                return Ok(Some(part));
            }
            collected.push(&part, reservation)?;
            if collected.len() == length {
                return Ok(Some(collected.into_vec().into()));
            }
            match self.frame().await? {
                Some(data) => self.unread = data,
                None if collected.is_empty() => return Ok(None),
                None => return Err(ended_within()),
            }
        }
    }

    async fn frame(&mut self) -> Result<Option<Bytes>, Refusal> {
        if self.body.is_end_stream() {
            return Ok(None);
        }
        let Some(frame) = self.body.frame().await else {
            return Ok(None);
        };
        let frame = frame.map_err(|error| http_api::broken_body(&error))?;
        // Trailers of a request mean nothing; what follows them is its end.
        Ok(Some(frame.into_data().unwrap_or_default()))
    }
}

fn ended_within() -> Refusal {
    Refusal::Malformed("the request ended within a message".to_owned())
}

/// `application/grpc`, alone or with a message format or parameters behind it.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    let rest = content_type.and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// The answer to a unary call.
pub(crate) fn answer(message: Bytes) -> http::Response<Body> {
    answers(stream::once(std::future::ready(Ok(message))))
}

/// The answer to a unary call whose bytes are held until the client has taken them.
pub(crate) fn held_answer(message: Bytes, mut reservation: Reservation) -> http::Response<Body> {
    reservation.replace(message.len());
    let message = stream::once(std::future::ready(message));
    answers(message.map(move |message| {
        // The closure lives as long as the answer's body.
        let _ = &reservation;
        Ok(message)
    }))
}

/// The answer to a call that is refused.
pub(crate) fn refuse(refusal: &Refusal) -> http::Response<Body> {
    // To whoever does not speak gRPC, its specification answers in HTTP.
    if *refusal == Refusal::UnsupportedMediaType {
        let mut response = http::Response::new(Body::empty());
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return response;
    }
    status::from_refusal(refusal).into_http()
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
        .insert(header::CONTENT_TYPE, GRPC_CONTENT_TYPE);
    response
}

/// Messages as bytes, for tonic's side of the work.
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
