//! The wrapper of the request body, between HTTP and tonic. It gives tonic only whole messages within the size limit, and
//! counts every byte in the memory budget from its arrival. tonic reads, checks and decompresses the messages; on its own
//! it would allocate the announced length of a message before the message arrives.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::BoxError;
use axum::body::Body as AxumBody;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use ingest::{BodyBuffer, IngestError};
use tokio::time::{Sleep, sleep_until};
use tonic::Status;

use crate::arrival::Arrival;
use crate::status;
use crate::web;

/// The prefix of a message: a flag (1 byte) and the length of the message (4 bytes).
const PREFIX_BYTES: usize = 5;
const UNCOMPRESSED: u8 = 0;
const COMPRESSED: u8 = 1;

/// What a request may contain.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Maximum length of a message, in bytes, compressed and decompressed.
    pub(crate) limit: usize,
    /// The error for a longer message.
    pub(crate) too_large: IngestError,
    /// A unary call has exactly one message before this deadline. `None` for a stream: any number of messages, and the
    /// method limits the wait for them.
    pub(crate) unary_deadline: Option<Instant>,
    /// Whether the reply is compressed for clients that accept that. A receipt would only grow.
    pub(crate) compresses_reply: bool,
}

/// The body of a request. Every frame of data has one whole message, or the prefix or the rest of one that has arrived.
pub(crate) struct RequestBody<B> {
    /// `None` after the end of the request.
    body: Option<B>,
    rules: Rules,
    declares_compression: bool,
    arrival: Arc<Arrival>,
    /// Bytes that have arrived and belong to later messages: less than one HTTP/2 frame.
    unread: Bytes,
    prefix: [u8; PREFIX_BYTES],
    /// How many bytes of `prefix` have arrived.
    prefix_length: usize,
    /// The length of the message, once its prefix has arrived.
    message_length: Option<usize>,
    /// The part of the message that has arrived.
    message: BodyBuffer,
    /// A message whose prefix tonic has got.
    queued: Option<Bytes>,
    has_message: bool,
    deadline: Option<Pin<Box<Sleep>>>,
    discard: Option<Discard>,
}

/// Reads and discards the rest of a rejected request, then rejects it.
struct Discard {
    rest: Pin<Box<dyn Future<Output = ()> + Send>>,
    status: Status,
}

impl<B> RequestBody<B> {
    pub(crate) fn new(body: B, headers: &HeaderMap, rules: Rules, arrival: Arc<Arrival>) -> Self {
        let encoding = headers.get("grpc-encoding");
        Self {
            body: Some(body),
            rules,
            declares_compression: encoding.is_some_and(|encoding| encoding != "identity"),
            arrival,
            unread: Bytes::new(),
            prefix: [0; PREFIX_BYTES],
            prefix_length: 0,
            message_length: None,
            message: BodyBuffer::default(),
            queued: None,
            has_message: false,
            deadline: None,
            discard: None,
        }
    }

    /// The next part of a message that has arrived as a whole.
    fn next_part(&mut self) -> Result<Option<Bytes>, IngestError> {
        if let Some(message) = self.queued.take() {
            return Ok(Some(message));
        }
        if self.prefix_length == 0
            && let Some((prefix, _)) = self.unread.split_first_chunk()
        {
            let length = PREFIX_BYTES + self.check(*prefix)?;
            if self.unread.len() >= length {
                self.arrival.reserve(|reservation| reservation.grow(length))?;
                self.has_message = true;
                return Ok(Some(self.unread.split_to(length)));
            }
        }
        self.collect()
    }

    /// Collects a message that arrives in several frames. Returns its prefix when it is complete.
    fn collect(&mut self) -> Result<Option<Bytes>, IngestError> {
        let length = if let Some(length) = self.message_length {
            length
        } else {
            let missing = self.prefix.get_mut(self.prefix_length..).unwrap_or_default();
            let part = self.unread.split_to(missing.len().min(self.unread.len()));
            missing
                .iter_mut()
                .zip(&part)
                .for_each(|(missing, byte)| *missing = *byte);
            self.prefix_length += part.len();
            if self.prefix_length < PREFIX_BYTES {
                return Ok(None);
            }
            *self.message_length.insert(self.check(self.prefix)?)
        };
        let missing = length - self.message.len();
        let part = self.unread.split_to(missing.min(self.unread.len()));
        let message = if part.len() == length {
            self.arrival.reserve(|reservation| reservation.grow(length))?;
            part
        } else {
            let message = &mut self.message;
            self.arrival
                .reserve(|reservation| message.push(&part, reservation))?;
            if message.len() < length {
                return Ok(None);
            }
            std::mem::take(message).into_vec().into()
        };
        self.prefix_length = 0;
        self.message_length = None;
        self.has_message = true;
        self.queued = (!message.is_empty()).then_some(message);
        Ok(Some(Bytes::copy_from_slice(&self.prefix)))
    }

    /// Checks the prefix of a message. Returns the length of the message.
    fn check(&self, prefix: [u8; PREFIX_BYTES]) -> Result<usize, IngestError> {
        if self.has_message && self.rules.unary_deadline.is_some() {
            return Err(IngestError::Malformed(
                "a unary call has exactly one message".to_owned(),
            ));
        }
        let [flag, length @ ..] = prefix;
        match flag {
            UNCOMPRESSED => {}
            COMPRESSED if self.declares_compression => {}
            COMPRESSED => return Err(IngestError::UndeclaredEncoding),
            flag => {
                return Err(IngestError::Malformed(format!(
                    "{flag} is not a valid compression flag"
                )));
            }
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > self.rules.limit {
            return Err(self.rules.too_large.clone());
        }
        Ok(length)
    }

    /// Checks whether the request may end here.
    fn check_end(&self) -> Result<(), IngestError> {
        if self.prefix_length > 0 {
            return Err(IngestError::Malformed(
                "the request ended in the middle of a message".to_owned(),
            ));
        }
        if self.rules.unary_deadline.is_some() && !self.has_message {
            return Err(IngestError::Malformed("the call has no message".to_owned()));
        }
        Ok(())
    }

    /// Ends the request with an error.
    fn fail(&mut self, error: IngestError) -> Status {
        self.body = None;
        self.message = BodyBuffer::default();
        let status = status::from_error(&error);
        self.arrival.fail(error);
        status
    }

    /// Ready at the deadline of a unary call.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.rules.unary_deadline else {
            return Poll::Pending;
        };
        // Most messages arrive with their head, and need no timer.
        let sleep = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep_until(deadline.into())));
        sleep.as_mut().poll(context)
    }
}

impl<B> HttpBody for RequestBody<B>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        loop {
            if let Some(discard) = &mut this.discard {
                ready!(discard.rest.as_mut().poll(context));
                let discard = this.discard.take();
                return Poll::Ready(discard.map(|discard| Err(discard.status)));
            }
            let Some(body) = &mut this.body else {
                return Poll::Ready(None);
            };
            let frame = if this.queued.is_none() && this.unread.is_empty() {
                Pin::new(body).poll_frame(context).map(Some)
            } else {
                Poll::Ready(None)
            };
            match frame {
                Poll::Ready(None) => {}
                // Request trailers have no meaning here. The end of the request follows them.
                Poll::Ready(Some(Some(Ok(frame)))) => {
                    this.unread = frame.into_data().unwrap_or_default();
                }
                Poll::Ready(Some(Some(Err(error)))) => {
                    let error = read_error(&*error.into());
                    return Poll::Ready(Some(Err(this.fail(error))));
                }
                Poll::Ready(Some(None)) => {
                    let end = this.check_end();
                    this.body = None;
                    return Poll::Ready(end.err().map(|error| Err(this.fail(error))));
                }
                Poll::Pending => {
                    ready!(this.poll_deadline(context));
                    return Poll::Ready(Some(Err(this.fail(IngestError::SlowRequest))));
                }
            }
            match this.next_part() {
                Ok(Some(part)) => return Poll::Ready(Some(Ok(Frame::data(part)))),
                Ok(None) => {}
                Err(error) => {
                    let body = this.body.take();
                    let status = this.fail(error);
                    this.discard = body.map(|body| Discard {
                        rest: Box::pin(discard_rest(body)),
                        status,
                    });
                }
            }
        }
    }
}

/// Some clients read no response before they have written their request, and data on a finished HTTP/2 stream counts as an
/// error of its connection.
async fn discard_rest<B>(body: B)
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    http_api::discard_briefly(&mut AxumBody::new(body)).await;
}

fn read_error(error: &(dyn Error + 'static)) -> IngestError {
    web::body_error(error).unwrap_or_else(|| http_api::body_error(error))
}

impl<B> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
