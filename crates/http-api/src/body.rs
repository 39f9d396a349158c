//! Bodies of requests and responses. A request body has a size limit and a deadline. Both kinds count against the
//! memory budget of the process: a request while it is read, a batch response until it is sent.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, header};
use http_body::Frame;
use http_body_util::BodyExt;
use ingest::{BodyBuffer, IngestError, MemoryReservation};
use tokio::time::timeout_at;

/// Maximum number of bytes of a rejected body to read and discard. Some clients read no response while they write their
/// request: without the discard they would get a broken pipe instead of the response.
const DISCARD_BYTES: usize = 8 * 1024 * 1024;
/// How long a client that is rejected for overload may continue to write: long enough for usual requests, and short
/// enough for a fast response.
const DISCARD_TIME: Duration = Duration::from_millis(100);

/// The size limit of a request body.
#[derive(Debug)]
pub(crate) struct BodyLimit {
    /// The limit, in bytes.
    pub(crate) bytes: usize,
    /// The error for a larger body.
    pub(crate) too_large: IngestError,
}

/// Reads a body within `limit` before `deadline`. Every byte counts in `reservation` from its arrival.
pub(crate) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    reservation: &mut MemoryReservation,
    limit: &BodyLimit,
    deadline: Instant,
) -> Result<Bytes, IngestError> {
    let content_length = headers.get(header::CONTENT_LENGTH);
    let content_length = content_length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let is_announced_too_large = content_length.is_some_and(|length| length > limit.bytes);
    if is_announced_too_large && waits_for_permission(headers) {
        return Err(limit.too_large.clone());
    }
    let read = async {
        if is_announced_too_large {
            Err(limit.too_large.clone())
        } else {
            read_to_end(&mut body, reservation, limit).await
        }
    };
    let error = match timeout_at(deadline.into(), read).await {
        Ok(Ok(bytes)) => return Ok(bytes),
        Ok(Err(error)) => error,
        Err(_) => return Err(IngestError::SlowRequest),
    };
    let discard_deadline = match error {
        IngestError::VoteTooLarge | IngestError::BatchTooLarge | IngestError::AboveServerLimit(_) => deadline,
        IngestError::Overloaded => Instant::now() + DISCARD_TIME,
        _ => return Err(error),
    };
    // The buffered bytes are freed, and the discarded bytes are not buffered.
    reservation.replace(0);
    discard(&mut body, discard_deadline).await;
    Err(error)
}

async fn read_to_end(
    body: &mut Body,
    reservation: &mut MemoryReservation,
    limit: &BodyLimit,
) -> Result<Bytes, IngestError> {
    let mut buffer = BodyBuffer::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| body_error(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if buffer.len() + data.len() > limit.bytes {
            return Err(limit.too_large.clone());
        }
        if buffer.is_empty() && body.is_end_stream() {
            reservation.grow(data.len())?;
            return Ok(data);
        }
        buffer.push(&data, reservation)?;
    }
    Ok(buffer.into_vec().into())
}

/// Discards the body of a request that is rejected by its head alone. Does not read the body if the client waits for
/// permission to send it: the first read would give the permission.
pub(crate) async fn discard_unless_client_waits(headers: &HeaderMap, body: &mut Body) {
    if !waits_for_permission(headers) {
        discard_briefly(body).await;
    }
}

/// Whether the client waits for `100 Continue` before it sends its body. The transport sends that at the first read.
fn waits_for_permission(headers: &HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Reads and discards the body of a rejected request for a short time. Some clients read no response before they have
/// written their request, and data on a finished HTTP/2 stream counts as an error of its connection.
pub async fn discard_briefly(body: &mut Body) {
    discard(body, Instant::now() + DISCARD_TIME).await;
}

async fn discard(body: &mut Body, deadline: Instant) {
    let discard_all = async {
        let mut discarded = 0;
        while discarded <= DISCARD_BYTES {
            let Some(Ok(frame)) = body.frame().await else {
                return;
            };
            discarded += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    // The request is rejected whether or not the client finishes it.
    let _ = timeout_at(deadline.into(), discard_all).await;
}

/// The error for a body that ended early: the client sent invalid HTTP, or it disconnected.
pub fn body_error(error: &(dyn Error + 'static)) -> IngestError {
    let causes = std::iter::successors(Some(error), |&cause| cause.source());
    let mut io_errors = causes.filter_map(|cause| cause.downcast_ref::<io::Error>());
    let is_malformed = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
        )
    };
    match io_errors.find(|error| is_malformed(error)) {
        Some(error) => IngestError::Malformed(format!("the body is malformed: {error}")),
        None => IngestError::ClientDisconnected,
    }
}

/// A response body that keeps its memory reservation until the client has received it.
#[derive(Debug)]
pub(crate) struct ReservedBody {
    bytes: Option<Bytes>,
    _reservation: MemoryReservation,
}

impl ReservedBody {
    pub(crate) fn new(bytes: Vec<u8>, mut reservation: MemoryReservation) -> Self {
        reservation.replace(bytes.len());
        Self {
            bytes: Some(bytes.into()),
            _reservation: reservation,
        }
    }
}

impl HttpBody for ReservedBody {
    type Data = Bytes;
    type Error = Infallible;

    // `is_end_stream` keeps its default: the transport polls once more after it has sent everything, and then
    // drops the body.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
