//! Votes on gRPC streams that stay open, one for each connection. Answers come in the order of the votes, so the oldest
//! vote that waits is the one that an answer is for.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use anyhow::{Result, anyhow};
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, oneshot};

use super::call::grpc_status;
use super::dial::Dial;
use super::frame;
use super::lane::Connections;

/// One stream for each connection.
#[derive(Debug)]
pub struct Streams {
    dial: Dial,
    /// The head of the request that opens a stream.
    head: Request<()>,
    /// Votes that may wait for their answers at a time, on all streams together.
    places: Semaphore,
    each: Vec<Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    votes_in_flight: AtomicUsize,
    /// Held while it is opened again: who comes meanwhile waits for that.
    open: tokio::sync::Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    votes: UnboundedSender<Bytes>,
    waiting: Arc<Waiting>,
}

type Answer = Result<Bytes, String>;

/// Votes without an answer, in the order in which they were sent; `Err` has the reason why the stream has ended.
#[derive(Debug)]
struct Waiting(Mutex<Result<VecDeque<oneshot::Sender<Answer>>, String>>);

impl Streams {
    /// Opens all streams, each by a request with this head on a connection of its own.
    pub async fn open(dial: Dial, head: Request<()>, connections: Connections) -> Result<Self> {
        let streams = Self {
            dial,
            head,
            places: Semaphore::new(connections.count * connections.streams),
            each: (0..connections.count).map(|_| Stream::default()).collect(),
        };
        streams.renew().await?;
        Ok(streams)
    }

    /// Where it connects to.
    pub fn dial(&self) -> &Dial {
        &self.dial
    }

    /// Opens streams again that ended while nothing was sent: no vote shall wait for that.
    pub async fn renew(&self) -> Result<()> {
        for stream in &self.each {
            let mut open = stream.open.lock().await;
            if !open.as_ref().is_some_and(|open| open.waiting.is_open()) {
                *open = Some(self.open_one().await?);
            }
        }
        Ok(())
    }

    /// Sends a message on the stream with the fewest votes in flight, as soon as a place is free, and waits for its
    /// answer.
    pub async fn call(&self, message: Bytes) -> Result<Bytes> {
        let _place = self.places.acquire().await?;
        let in_flight = |stream: &&Stream| stream.votes_in_flight.load(Ordering::Relaxed);
        let stream = self.each.iter().min_by_key(in_flight);
        let stream = stream.ok_or_else(|| anyhow!("no stream"))?;
        stream.votes_in_flight.fetch_add(1, Ordering::Relaxed);
        let _in_flight = InFlight(stream);
        let answer = {
            let mut open = stream.open.lock().await;
            if let Some(answer) = open.as_ref().and_then(|open| open.send(&message)) {
                answer
            } else {
                let opened = open.insert(self.open_one().await?);
                opened
                    .send(&message)
                    .ok_or_else(|| anyhow!("the stream ended when it had just been opened"))?
            }
        };
        answer.await?.map_err(anyhow::Error::msg)
    }

    async fn open_one(&self) -> Result<Open> {
        let (votes, messages) = unbounded_channel();
        let waiting = Arc::new(Waiting(Mutex::new(Ok(VecDeque::new()))));
        let mut connection = self.dial.h2c().await?;
        let response = connection.send_request(self.head.clone().map(|()| Messages(messages)));
        let answered = Arc::clone(&waiting);
        tokio::spawn(async move {
            let end = async { read(response.await?, &answered).await };
            let reason = match end.await {
                Ok(status) => format!("the stream ended with grpc-status {status}"),
                Err(error) => format!("the stream broke: {error:#}"),
            };
            answered.end(&reason);
        });
        Ok(Open { votes, waiting })
    }
}

/// Hands out answers until the stream ends; its status.
async fn read(response: Response<Incoming>, waiting: &Waiting) -> Result<String> {
    let (head, mut body) = response.into_parts();
    let mut bytes = BytesMut::new();
    let mut trailers = None;
    while let Some(part) = body.frame().await {
        match part?.into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(other) => trailers = other.into_trailers().ok(),
        }
        while let Some(message) = frame::next(&mut bytes)? {
            waiting.answer(message)?;
        }
    }
    let status = grpc_status(&head.headers, trailers.as_ref());
    Ok(status.unwrap_or("missing").to_owned())
}

impl Open {
    /// Sends a message; None if the stream has ended.
    fn send(&self, message: &Bytes) -> Option<oneshot::Receiver<Answer>> {
        let (answer, receiver) = oneshot::channel();
        // Under the lock: the order of those who wait is the order on the wire.
        let mut waiting = self.waiting.lock();
        waiting.as_mut().ok()?.push_back(answer);
        // A body that nobody reads any more belongs to a stream that is about to end, which tells all who wait.
        let _ = self.votes.send(message.clone());
        Some(receiver)
    }
}

impl Waiting {
    fn is_open(&self) -> bool {
        self.lock().is_ok()
    }

    fn answer(&self, message: Bytes) -> Result<()> {
        let mut waiting = self.lock();
        let oldest = waiting.as_mut().ok().and_then(VecDeque::pop_front);
        let oldest = oldest.ok_or_else(|| anyhow!("an answer to no vote"))?;
        // Who waited may have given up.
        let _ = oldest.send(Ok(message));
        Ok(())
    }

    fn end(&self, reason: &str) {
        let waiting = std::mem::replace(&mut *self.lock(), Err(reason.to_owned()));
        for vote in waiting.into_iter().flatten() {
            let _ = vote.send(Err(reason.to_owned()));
        }
    }

    /// Nothing panics while it holds the lock.
    fn lock(&self) -> std::sync::MutexGuard<'_, Result<VecDeque<oneshot::Sender<Answer>>, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A vote counts as in flight until this is dropped.
struct InFlight<'a>(&'a Stream);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.votes_in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of a stream's request: messages as they come.
struct Messages(UnboundedReceiver<Bytes>);

impl Body for Messages {
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
