//! The streaming method `StreamVotes`: one result per vote, in the order of the votes.
//!
//! The votes that have arrived together are accepted together, by one task: a task, a timer and a lock for each vote would cost
//! more than the vote itself.

use std::sync::Arc;

use auth::Identity;
use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt, stream};
use ingest::{IngestError, MAX_VOTE_BYTES, Sink, Stage, TraceParent, TracedCall};
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::server::Grpc;
use tonic::{Request, Response, Status, Streaming};
use tower::service_fn;
use vote::Draft;

use crate::arrival::Arrival;
use crate::codec::{Message, MessageCodec};
use crate::methods::{self, Server};
use crate::request_body::{RequestBody, Rules};
use crate::request_bytes::RequestBytes;
use crate::{status, unary};

/// Maximum number of open streams of one process. A stream whose client does not read its results uses two HTTP/2 windows
/// and [`MAX_VOTES_IN_FLIGHT`] votes with their tasks, together about 0.5 MiB.
pub(crate) const MAX_STREAMS: usize = 256;

/// Maximum number of votes in flight on one stream: enough to fill the batches of the Kafka producer, but not all
/// permits of admission.
const MAX_VOTES_IN_FLIGHT: usize = 256;

/// Maximum number of votes that are accepted together. The result of the first one waits for all of them.
const MAX_GROUP: usize = 64;

/// The call in traces: one span for each vote of a stream.
const CALL: TracedCall = TracedCall::Grpc {
    name: "votes.v1.VoteService/StreamVotes",
};

/// `votes.v1.VoteService/StreamVotes`. The clock of a vote starts when its message has arrived. A drain ends the stream
/// with UNAVAILABLE after the results of the votes that have arrived; the client sends the other votes to another
/// replica. The idle timeout ends the stream with DEADLINE_EXCEEDED.
pub(crate) async fn stream_votes<S: Sink, B: RequestBytes>(
    server: Arc<Server<S>>,
    request: http::Request<B>,
) -> http::Response<Body> {
    let Ok(permit) = Arc::clone(&server.stream_permits).try_acquire_owned() else {
        return status::error_response(&server.native.reject_unread());
    };
    let arrival = Arc::new(Arrival::new(server.native.reservation()));
    let parent = http_api::trace_parent(&server.native, request.headers());
    let client = methods::client(&request);
    let rules = Rules {
        limit: MAX_VOTE_BYTES,
        too_large: IngestError::VoteTooLarge,
        unary_deadline: None,
        compresses_reply: false,
    };
    let mut grpc = Grpc::new(MessageCodec::for_stream(Arc::clone(&arrival)))
        .max_decoding_message_size(rules.limit)
        .accept_compressed(CompressionEncoding::Gzip);
    let (head, body) = request.into_parts();
    let body = RequestBody::new(body, &head.headers, rules, Arc::clone(&arrival));
    let mut start_results = Some(move |messages| {
        let groups = Groups::new(Arc::clone(&server), messages, arrival);
        let results = groups.into_stream().map(move |group| {
            // The closure holds the permit until the response stream is dropped.
            let _ = &permit;
            let Group { votes, end, permits } = group;
            let sender = Sender {
                client: client.clone(),
                parent: parent.clone(),
            };
            let accepted = accept_group(Arc::clone(&server), sender, votes, end);
            // Each group has its own task, so that a client that does not read its results cannot keep votes and permits in
            // flight.
            AbortOnDropHandle::new(tokio::spawn(accepted)).map(move |results| {
                let results = results.unwrap_or_else(|error| {
                    tracing::error!(%error, "the task of a group of votes of a stream failed");
                    vec![Err(Status::internal(error.to_string()))]
                });
                stream::iter(results).inspect(move |_| {
                    // The closure holds the permits until the response stream has taken the last result.
                    let _ = &permits;
                })
            })
        });
        results.buffered(MAX_VOTES_IN_FLIGHT).flatten()
    });
    let method = service_fn(move |request: Request<Streaming<Message>>| {
        let results = start_results.take().map(|start| start(request.into_inner()));
        let response = results.ok_or_else(|| Status::internal("a call has exactly one stream of votes"));
        std::future::ready(response.map(Response::new))
    });
    grpc.streaming(method, http::Request::from_parts(head, body))
        .await
}

/// Where the votes of a stream come from.
struct Sender {
    /// `None` if authentication is off.
    client: Option<Arc<Identity>>,
    /// `None` if traces are off.
    parent: Option<TraceParent>,
}

/// Votes that have arrived together.
struct Group {
    votes: Vec<Message>,
    /// Set if the server ends the stream after these votes.
    end: Option<StreamEnd>,
    /// One for each vote, at least one.
    permits: OwnedSemaphorePermit,
}

/// The results of a group, in order.
async fn accept_group<S: Sink>(
    server: Arc<Server<S>>,
    sender: Sender,
    votes: Vec<Message>,
    end: Option<StreamEnd>,
) -> Vec<Result<Bytes, Status>> {
    // They count the votes in the memory budget until their results are ready.
    let mut reservations = Vec::with_capacity(votes.len());
    let votes = votes.into_iter().map(|Message { bytes, reservation }| {
        reservations.push(reservation);
        let mut timer = server.native.start_timer();
        timer.start_span(CALL, sender.parent.as_ref());
        timer.set_client(sender.client.clone());
        let draft = timer.stage(Stage::Decode, || Draft::from_protobuf(&bytes));
        (timer, draft)
    });
    let votes = votes.collect();
    let results = server.native.accept_group(votes).await.into_iter();
    let results = results.map(|(timer, result)| {
        let response = timer.stage(Stage::Reply, || ingest::vote_result(&result).encode_to_vec());
        timer.finish(&result);
        Ok(Bytes::from(response))
    });
    let end = end.map(|end| Err(end_of_stream(&server, sender.parent.as_ref(), end)));
    results.chain(end).collect()
}

/// The status of a stream that the server ends.
fn end_of_stream<S: Sink>(server: &Server<S>, parent: Option<&TraceParent>, end: StreamEnd) -> Status {
    match end {
        StreamEnd::Draining => Status::unavailable("shutting down; send the votes without a result again"),
        StreamEnd::Idle => status::from_error(&IngestError::IdleStream),
        StreamEnd::Invalid(error) => {
            let status = status::from_error(&error);
            let mut timer = server.native.start_timer();
            timer.start_span(CALL, parent);
            timer.finish(&Err(error));
            status
        }
    }
}

/// Why the server ends a stream of votes.
enum StreamEnd {
    /// A message is invalid.
    Invalid(IngestError),
    /// No whole message arrived within the idle timeout.
    Idle,
    /// The process shuts down.
    Draining,
}

/// Reads the votes of a stream in groups.
struct Groups<S> {
    server: Arc<Server<S>>,
    messages: Streaming<Message>,
    arrival: Arc<Arrival>,
    /// One for each vote that may be in flight.
    permits: Arc<Semaphore>,
    is_ended: bool,
}

impl<S: Sink> Groups<S> {
    fn new(server: Arc<Server<S>>, messages: Streaming<Message>, arrival: Arc<Arrival>) -> Self {
        // A stream alone cannot overload its route.
        let votes_in_flight = MAX_VOTES_IN_FLIGHT.min(server.native.max_in_flight());
        Self {
            server,
            messages,
            arrival,
            permits: Arc::new(Semaphore::new(votes_in_flight)),
            is_ended: false,
        }
    }

    /// Ends when the client or the server ends the stream.
    fn into_stream(self) -> impl Stream<Item = Group> + Send {
        stream::unfold(self, |mut groups| async move {
            let group = groups.next().await?;
            Some((group, groups))
        })
    }

    /// Waits for a vote, and adds those that have arrived with it.
    async fn next(&mut self) -> Option<Group> {
        if self.is_ended {
            return None;
        }
        // Nothing closes the semaphore.
        let permits = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        let (votes, end) = match self.first_vote().await {
            Ok(vote) => (vec![vote?], None),
            Err(end) => (Vec::new(), Some(end)),
        };
        let mut group = Group { votes, end, permits };
        while group.end.is_none() && !self.is_ended && group.votes.len() < MAX_GROUP {
            let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
                break;
            };
            let Some(next) = self.messages.message().now_or_never() else {
                break;
            };
            match next_message(next, &self.arrival) {
                Ok(Some(vote)) => {
                    group.votes.push(vote);
                    group.permits.merge(permit);
                }
                Ok(None) => self.is_ended = true,
                Err(error) => group.end = Some(StreamEnd::Invalid(error)),
            }
        }
        self.is_ended |= group.end.is_some();
        Some(group)
    }

    /// None if the client has ended the stream.
    async fn first_vote(&mut self) -> Result<Option<Message>, StreamEnd> {
        let next = tokio::select! {
            biased;
            () = self.server.shutdown.cancelled() => return Err(StreamEnd::Draining),
            next = timeout(self.server.idle_timeout, self.messages.message()) => next,
        };
        match next {
            Ok(next) => next_message(next, &self.arrival).map_err(StreamEnd::Invalid),
            Err(_) => Err(StreamEnd::Idle),
        }
    }
}

/// The message that tonic has read, or the reason why it could not.
fn next_message(
    next: Result<Option<Message>, Status>,
    arrival: &Arrival,
) -> Result<Option<Message>, IngestError> {
    match (next, arrival.take_error()) {
        (Ok(Some(message)), None) => Ok(Some(message)),
        // tonic reports no error if the client disconnected.
        (_, Some(error)) => Err(error),
        (Ok(None), None) => Ok(None),
        // The layer on the body has checked everything else.
        (Err(status), None) => Err(unary::decompression_error(
            Some(&status),
            IngestError::VoteTooLarge,
        )),
    }
}
