//! Bodies: requests under a size limit, a deadline and the process's account of held bytes, and answers that stay in
//! that account until they are sent.

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
use ingest::{Collected, Refusal, Reservation};
use tokio::time::timeout_at;

/// What is taken in and thrown away of a body that is refused unread, in bytes. A client that is still writing does not
/// read: without this it would get a broken pipe instead of its answer.
const DISCARD_BYTES: usize = 8 * 1024 * 1024;
/// How long a client that is refused for overload may go on writing: enough for one that means it well, and the answer
/// still comes at once.
const DISCARD_TIME: Duration = Duration::from_millis(100);

/// Reads at most `limit` bytes before `deadline`; each is in `reservation` as soon as it has arrived.
pub(crate) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    reservation: &mut Reservation,
    limit: usize,
    deadline: Instant,
    too_large: Refusal,
) -> Result<Bytes, Refusal> {
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        return Err(Refusal::UnsupportedEncoding);
    }
    let announced = headers.get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let read = async {
        if announced.is_some_and(|length| length > limit) {
            Err(too_large)
        } else {
            collect(&mut body, reservation, limit, too_large).await
        }
    };
    let refusal = match timeout_at(deadline.into(), read).await {
        Ok(Ok(bytes)) => return Ok(bytes),
        Ok(Err(refusal)) => refusal,
        Err(_) => return Err(Refusal::SlowRequest),
    };
    let patience = match refusal {
        Refusal::VoteTooLarge | Refusal::BatchTooLarge => deadline,
        Refusal::Overloaded => Instant::now() + DISCARD_TIME,
        _ => return Err(refusal),
    };
    // What was collected is gone, and what comes now is not kept.
    reservation.replace(0);
    discard(&mut body, patience).await;
    Err(refusal)
}

async fn collect(
    body: &mut Body,
    reservation: &mut Reservation,
    limit: usize,
    too_large: Refusal,
) -> Result<Bytes, Refusal> {
    let mut collected = Collected::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if collected.len() + data.len() > limit {
            return Err(too_large);
        }
        if collected.is_empty() && body.is_end_stream() {
            reservation.grow(data.len())?;
            return Ok(data);
        }
        collected.push(&data, reservation)?;
    }
    Ok(collected.into_vec().into())
}

/// Lets a client finish that is refused before it has: while it writes it may not read, and what it sends on an HTTP/2
/// stream that is over counts as an error of its connection.
pub async fn discard_briefly(body: &mut Body) {
    discard(body, Instant::now() + DISCARD_TIME).await;
}

async fn discard(body: &mut Body, patience: Instant) {
    let all = async {
        let mut discarded = 0;
        while discarded <= DISCARD_BYTES {
            let Some(Ok(frame)) = body.frame().await else {
                return;
            };
            discarded += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    // The refusal stands, whether or not the client has finished.
    let _ = timeout_at(patience.into(), all).await;
}

/// Why a body broke off: the client wrote what is no HTTP, or it left.
pub fn broken(error: &axum::Error) -> Refusal {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    let mut io_errors = causes.filter_map(|cause| cause.downcast_ref::<io::Error>());
    let is_malformed = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
        )
    };
    match io_errors.find(|error| is_malformed(error)) {
        Some(error) => Refusal::Malformed(format!("the body is malformed: {error}")),
        None => Refusal::ClientLeft,
    }
}

/// An answer whose bytes are held until the client has taken them.
#[derive(Debug)]
pub(crate) struct HeldAnswer {
    bytes: Option<Bytes>,
    _held: Reservation,
}

impl HeldAnswer {
    pub(crate) fn new(bytes: Vec<u8>, mut reservation: Reservation) -> Self {
        reservation.replace(bytes.len());
        Self {
            bytes: Some(bytes.into()),
            _held: reservation,
        }
    }
}

impl HttpBody for HeldAnswer {
    type Data = Bytes;
    type Error = Infallible;

    // There is no `is_end_stream`: the transport asks once more when it has sent all, and until then this lives.
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
