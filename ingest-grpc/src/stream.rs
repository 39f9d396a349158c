//! The streaming method `StreamVotes`: one result per vote, in the order of the votes.

use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use ingest::{IngestError, MAX_VOTE_BYTES, Sink, Stage, TraceParent, TracedCall};
use prost::Message as _;
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
use crate::methods::Server;
use crate::request_body::{RequestBody, Rules};
use crate::request_bytes::RequestBytes;
use crate::{status, unary};

/// Maximum number of open streams of one process. A stream whose client does not read its results uses two HTTP/2 windows
/// and [`MAX_VOTES_IN_FLIGHT`] votes with their tasks, together about 0.5 MiB.
pub(crate) const MAX_STREAMS: usize = 256;

/// Maximum number of votes in flight on one stream: enough to fill the batches of the Kafka producer, but not all
/// permits of admission.
const MAX_VOTES_IN_FLIGHT: usize = 256;

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
    // A stream alone cannot overload its route.
    let votes_in_flight = MAX_VOTES_IN_FLIGHT.min(server.native.max_in_flight());
    let mut start_results = Some(move |messages| {
        let results = read_votes(Arc::clone(&server), messages, arrival).map(move |message| {
            // The closure holds the permit until the response stream is dropped.
            let _ = &permit;
            let (server, parent) = (Arc::clone(&server), parent.clone());
            // Each vote has its own task, so that a client that does not read its results cannot keep votes and permits in
            // flight.
            let vote = AbortOnDropHandle::new(tokio::spawn(stream_vote(server, parent, message)));
            async move {
                vote.await.unwrap_or_else(|error| {
                    tracing::error!(%error, "the task of a vote of a stream failed");
                    Err(Status::internal(error.to_string()))
                })
            }
        });
        results.buffered(votes_in_flight)
    });
    let method = service_fn(move |request: Request<Streaming<Message>>| {
        let results = start_results.take().map(|start| start(request.into_inner()));
        let response = results.ok_or_else(|| Status::internal("a call has exactly one stream of votes"));
        std::future::ready(response.map(Response::new))
    });
    grpc.streaming(method, http::Request::from_parts(head, body))
        .await
}

async fn stream_vote<S: Sink>(
    server: Arc<Server<S>>,
    parent: Option<TraceParent>,
    message: Result<Message, StreamEnd>,
) -> Result<Bytes, Status> {
    let message = match message {
        Ok(message) => message,
        Err(StreamEnd::Draining) => {
            return Err(Status::unavailable(
                "shutting down; send the votes without a result again",
            ));
        }
        Err(StreamEnd::Idle) => return Err(status::from_error(&IngestError::IdleStream)),
        Err(StreamEnd::Invalid(error)) => {
            let status = status::from_error(&error);
            let mut timer = server.native.start_timer();
            timer.start_span(CALL, parent.as_ref());
            timer.finish(&Err(error));
            return Err(status);
        }
    };
    let mut timer = server.native.start_timer();
    timer.start_span(CALL, parent.as_ref());
    let result = match timer.stage(Stage::Decode, || Draft::from_protobuf(&message.bytes)) {
        Ok(draft) => server.native.accept(&timer, draft).await,
        Err(malformed) => Err(malformed.into()),
    };
    let response = timer.stage(Stage::Reply, || ingest::vote_result(&result).encode_to_vec());
    timer.finish(&result);
    Ok(response.into())
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

/// The messages of a stream with their reservations. Ends when the client ends the stream, or after a [`StreamEnd`].
fn read_votes<S: Sink>(
    server: Arc<Server<S>>,
    messages: Streaming<Message>,
    arrival: Arc<Arrival>,
) -> impl Stream<Item = Result<Message, StreamEnd>> + Send {
    stream::unfold(Some((server, messages, arrival)), |open| async move {
        let (server, mut messages, arrival) = open?;
        let next = tokio::select! {
            biased;
            () = server.shutdown.cancelled() => Err(StreamEnd::Draining),
            next = timeout(server.idle_timeout, messages.message()) => match next {
                Ok(next) => next_message(next, &arrival).map_err(StreamEnd::Invalid),
                Err(_) => Err(StreamEnd::Idle),
            }
        };
        match next {
            Ok(Some(message)) => Some((Ok(message), Some((server, messages, arrival)))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
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
