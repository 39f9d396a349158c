//! The streaming method `StreamVotes`: one result per vote, in the order of the votes.

use std::sync::Arc;

use axum::extract::{Request, State};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use ingest::{IngestError, MAX_VOTE_BYTES, MemoryReservation, Sink, Stage};
use prost::Message;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::body::Body;
use vote::Draft;

use crate::framing::{self, MessageReader};
use crate::methods::Server;
use crate::status;

/// Maximum number of open streams of one process. A stream whose client does not read its results uses two HTTP/2 windows
/// and [`MAX_VOTES_IN_FLIGHT`] votes with their tasks, together about 0.5 MiB.
pub(crate) const MAX_STREAMS: usize = 256;

/// Maximum number of votes in flight on one stream: enough to fill the batches of the Kafka producer, but not all
/// permits of admission.
const MAX_VOTES_IN_FLIGHT: usize = 256;

/// `votes.v1.VoteService/StreamVotes`. The clock of a vote starts when its message has arrived. A drain ends the stream
/// with UNAVAILABLE after the results of the votes that have arrived; the client sends the other votes to another
/// replica. The idle timeout ends the stream with DEADLINE_EXCEEDED.
pub(crate) async fn stream_votes<S: Sink>(
    State(server): State<Arc<Server<S>>>,
    request: Request,
) -> http::Response<Body> {
    let Ok(permit) = Arc::clone(&server.stream_permits).try_acquire_owned() else {
        return framing::error_response(&server.native.reject_unread());
    };
    let messages = match MessageReader::new(request, MAX_VOTE_BYTES, IngestError::VoteTooLarge) {
        Ok(messages) => messages,
        Err(error) => {
            let response = framing::error_response(&error);
            server.native.start_timer().finish(&Err(error));
            return response;
        }
    };
    // A stream alone cannot overload its route.
    let votes_in_flight = MAX_VOTES_IN_FLIGHT.min(server.native.max_in_flight());
    let results = read_votes(Arc::clone(&server), messages).map(move |message| {
        // The closure holds the permit until the response stream is dropped.
        let _ = &permit;
        let server = Arc::clone(&server);
        // Each vote has its own task, so that a client that does not read its results cannot keep votes and permits in
        // flight.
        let vote = AbortOnDropHandle::new(tokio::spawn(stream_vote(server, message)));
        async move {
            vote.await
                .unwrap_or_else(|error| Err(Status::internal(error.to_string())))
        }
    });
    framing::streaming_response(results.buffered(votes_in_flight))
}

async fn stream_vote<S: Sink>(
    server: Arc<Server<S>>,
    message: Result<(Bytes, MemoryReservation), StreamEnd>,
) -> Result<Bytes, Status> {
    let (message, _reservation) = match message {
        Ok(message) => message,
        Err(StreamEnd::Draining) => {
            return Err(Status::unavailable(
                "shutting down; send the votes without a result again",
            ));
        }
        Err(StreamEnd::Idle) => return Err(status::from_error(&IngestError::IdleStream)),
        Err(StreamEnd::Invalid(error)) => {
            let status = status::from_error(&error);
            server.native.start_timer().finish(&Err(error));
            return Err(status);
        }
    };
    let timer = server.native.start_timer();
    let result = match timer.stage(Stage::Decode, || Draft::from_protobuf(&message)) {
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
    messages: MessageReader,
) -> impl Stream<Item = Result<(Bytes, MemoryReservation), StreamEnd>> + Send {
    stream::unfold(Some((server, messages)), |open| async move {
        let (server, mut messages) = open?;
        let mut reservation = server.native.reservation();
        let next = tokio::select! {
            biased;
            () = server.shutdown.cancelled() => Err(StreamEnd::Draining),
            next = timeout(server.idle_timeout, messages.next(&mut reservation)) => match next {
                Ok(next) => next.map_err(StreamEnd::Invalid),
                Err(_) => Err(StreamEnd::Idle),
            }
        };
        match next {
            Ok(Some(message)) => Some((Ok((message, reservation)), Some((server, messages)))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}
