//! Votes on long-lived gRPC streams, one stream for each connection. Answers arrive in the order of the votes, so an
//! answer belongs to the oldest unanswered vote of its stream.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use anyhow::{Result, anyhow};
use bytes::{Bytes, BytesMut};
use experiment_model::protocol::Connections;
use experiment_model::sample::WireBytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, oneshot};

use crate::codec::grpc_status;
use crate::connector::Connector;
use crate::grpc_frame;

/// A pool of streams, one for each connection.
#[derive(Debug)]
pub struct StreamPool {
    connector: Connector,
    /// The head of the request that opens a stream.
    head: Request<()>,
    /// One permit for each unanswered vote, on all streams together.
    permits: Semaphore,
    streams: Vec<Stream>,
    /// The number of votes so far, for the rotation.
    next: AtomicUsize,
}

#[derive(Debug, Default)]
struct Stream {
    /// Locked while the stream reopens, so that concurrent votes wait for the new stream.
    open: tokio::sync::Mutex<Option<OpenStream>>,
}

#[derive(Debug)]
struct OpenStream {
    votes: UnboundedSender<Bytes>,
    unanswered: Arc<UnansweredVotes>,
}

type Answer = Result<Bytes, String>;

/// Unanswered votes in the order of sending; `Err` with the reason after the stream has ended.
#[derive(Debug)]
struct UnansweredVotes(Mutex<Result<VecDeque<oneshot::Sender<Answer>>, String>>);

impl StreamPool {
    /// Opens all streams, each by a request with this head on its own connection.
    pub async fn open(connector: Connector, head: Request<()>, connections: Connections) -> Result<Self> {
        let pool = Self {
            connector,
            head,
            permits: Semaphore::new(connections.in_flight),
            streams: (0..connections.count).map(|_| Stream::default()).collect(),
            next: AtomicUsize::new(0),
        };
        pool.reopen_closed().await?;
        Ok(pool)
    }

    /// Bytes on its connections since they were opened.
    pub fn wire_bytes(&self) -> WireBytes {
        self.connector.wire_bytes()
    }

    /// Reopens streams that ended while idle, so that no vote waits for a stream.
    pub async fn reopen_closed(&self) -> Result<()> {
        for stream in &self.streams {
            let mut open = stream.open.lock().await;
            if !open.as_ref().is_some_and(|open| open.unanswered.is_open()) {
                *open = Some(self.open_stream().await?);
            }
        }
        Ok(())
    }

    /// Sends a message on the next stream of the rotation, as soon as a permit is free, and returns its answer.
    pub async fn send(&self, message: Bytes) -> Result<Bytes> {
        let _permit = self.permits.acquire().await?;
        let index = self.next.fetch_add(1, Ordering::Relaxed) % self.streams.len().max(1);
        let stream = self.streams.get(index);
        let stream = stream.ok_or_else(|| anyhow!("the pool has no stream"))?;
        let answer = {
            let mut open = stream.open.lock().await;
            if let Some(answer) = open.as_ref().and_then(|open| open.send(&message)) {
                answer
            } else {
                let opened = open.insert(self.open_stream().await?);
                opened
                    .send(&message)
                    .ok_or_else(|| anyhow!("the stream ended immediately after it was opened"))?
            }
        };
        answer.await?.map_err(anyhow::Error::msg)
    }

    async fn open_stream(&self) -> Result<OpenStream> {
        let (votes, messages) = unbounded_channel();
        let unanswered = Arc::new(UnansweredVotes(Mutex::new(Ok(VecDeque::new()))));
        let mut connection = self.connector.h2c().await?;
        let response = connection.send_request(self.head.clone().map(|()| RequestBody(messages)));
        let votes_to_answer = Arc::clone(&unanswered);
        tokio::spawn(async move {
            let end = async { read_answers(response.await?, &votes_to_answer).await };
            let reason = match end.await {
                Ok(status) => format!("the stream ended with grpc-status {status}"),
                Err(error) => format!("the stream broke: {error:#}"),
            };
            votes_to_answer.fail_all(&reason);
        });
        Ok(OpenStream { votes, unanswered })
    }
}

/// Delivers answers until the stream ends; returns its status.
async fn read_answers(response: Response<Incoming>, unanswered: &UnansweredVotes) -> Result<String> {
    let (head, mut body) = response.into_parts();
    let mut bytes = BytesMut::new();
    let mut trailers = None;
    while let Some(part) = body.frame().await {
        match part?.into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(other) => trailers = other.into_trailers().ok(),
        }
        while let Some(message) = grpc_frame::decode_next(&mut bytes)? {
            unanswered.answer_oldest(message)?;
        }
    }
    let status = grpc_status(&head.headers, trailers.as_ref());
    Ok(status.unwrap_or("missing").to_owned())
}

impl OpenStream {
    /// Sends a message; `None` if the stream has ended.
    fn send(&self, message: &Bytes) -> Option<oneshot::Receiver<Answer>> {
        let (answer, receiver) = oneshot::channel();
        // The lock covers both steps, so that the queue has the same order as the wire.
        let mut unanswered = self.unanswered.lock();
        unanswered.as_mut().ok()?.push_back(answer);
        // If the body's receiver is gone, the stream is about to end and fails all unanswered votes.
        let _ = self.votes.send(message.clone());
        Some(receiver)
    }
}

impl UnansweredVotes {
    fn is_open(&self) -> bool {
        self.lock().is_ok()
    }

    fn answer_oldest(&self, message: Bytes) -> Result<()> {
        let mut unanswered = self.lock();
        let oldest = unanswered.as_mut().ok().and_then(VecDeque::pop_front);
        let oldest = oldest.ok_or_else(|| anyhow!("the server sent an answer without a vote"))?;
        // The sender of the vote may have timed out.
        let _ = oldest.send(Ok(message));
        Ok(())
    }

    fn fail_all(&self, reason: &str) {
        let unanswered = std::mem::replace(&mut *self.lock(), Err(reason.to_owned()));
        for vote in unanswered.into_iter().flatten() {
            let _ = vote.send(Err(reason.to_owned()));
        }
    }

    /// No code panics while it holds the lock, so the lock is never poisoned.
    fn lock(&self) -> std::sync::MutexGuard<'_, Result<VecDeque<oneshot::Sender<Answer>>, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of the request that opens a stream: a stream of messages.
struct RequestBody(UnboundedReceiver<Bytes>);

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(context)
            .map(|message| message.map(|message| Ok(Frame::data(message))))
    }
}
