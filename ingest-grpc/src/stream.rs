//! `StreamVotes`: votes in, answers out, in order, for as long as the client has votes.

use std::sync::Arc;

use axum::extract::{Request, State};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use ingest::{MAX_VOTE_BYTES, Refusal, Reservation, Sink, Stage};
use prost::Message;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::body::Body;
use vote::Draft;

use crate::frame::{self, Messages};
use crate::methods::Server;
use crate::status;

/// Streams that may be open in one process. One whose client does not read holds two windows of HTTP/2 and a whole
/// [`STREAM_WINDOW`] of votes with their tasks, together about half a MiB.
pub(crate) const MAX_STREAMS: usize = 256;

/// Votes of one stream that may be in flight: enough to fill Kafka's batches, bounded so that one stream cannot take
/// all of admission.
const STREAM_WINDOW: usize = 256;

/// `votes.v1.VoteService/StreamVotes`: a vote's clock starts when its message has arrived, and answers keep the order.
/// A drain ends the stream after the answers to what has arrived, with UNAVAILABLE: the rest goes to another replica.
/// So does a client that sends no vote for long, with DEADLINE_EXCEEDED.
pub(crate) async fn stream_votes<S: Sink>(
    State(server): State<Arc<Server<S>>>,
    request: Request,
) -> http::Response<Body> {
    let Ok(place) = Arc::clone(&server.streams).try_acquire_owned() else {
        return frame::refuse(&server.native.refuse_unread());
    };
    let messages = match Messages::of(request, MAX_VOTE_BYTES, Refusal::VoteTooLarge) {
        Ok(messages) => messages,
        Err(refusal) => {
            let response = frame::refuse(&refusal);
            server.native.begin().finish(&Err(refusal));
            return response;
        }
    };
    let answers = incoming(Arc::clone(&server), messages).map(move |message| {
        // The closure lives as long as the stream's answers.
        let _ = &place;
        let server = Arc::clone(&server);
        // A task of its own: a client that does not read its answers must not keep a vote, and its place, in flight.
        let vote = AbortOnDropHandle::new(tokio::spawn(stream_vote(server, message)));
        async move {
            vote.await
                .unwrap_or_else(|error| Err(Status::internal(error.to_string())))
        }
    });
    frame::answers(answers.buffered(STREAM_WINDOW))
}

async fn stream_vote<S: Sink>(
    server: Arc<Server<S>>,
    message: Result<(Bytes, Reservation), Ended>,
) -> Result<Bytes, Status> {
    let (message, _held) = match message {
        Ok(message) => message,
        Err(Ended::Draining) => return Err(Status::unavailable("shutting down; send the rest again")),
        Err(Ended::Idle) => return Err(status::from_refusal(&Refusal::IdleStream)),
        Err(Ended::Refused(refusal)) => {
            let answer = status::from_refusal(&refusal);
            server.native.begin().finish(&Err(refusal));
            return Err(answer);
        }
    };
    let call = server.native.begin();
    let result = match call.stage(Stage::Decode, || Draft::from_protobuf(&message)) {
        Ok(draft) => server.native.accept(&call, draft).await,
        Err(malformed) => Err(malformed.into()),
    };
    let answer = call.stage(Stage::Reply, || ingest::vote_result(&result).encode_to_vec());
    call.finish(&result);
    Ok(answer.into())
}

/// Why a stream of votes ends before its client ended it.
enum Ended {
    /// A message that cannot be read.
    Refused(Refusal),
    /// No whole message for long.
    Idle,
    /// The process is told to stop.
    Draining,
}

/// The messages of a stream until its end, its first error, a long silence, or a drain.
fn incoming<S: Sink>(
    server: Arc<Server<S>>,
    messages: Messages,
) -> impl Stream<Item = Result<(Bytes, Reservation), Ended>> + Send {
    stream::unfold(Some((server, messages)), |open| async move {
        let (server, mut messages) = open?;
        let mut reservation = server.native.reservation();
        let next = tokio::select! {
            biased;
            () = server.shutdown.cancelled() => Err(Ended::Draining),
            next = timeout(server.idle_timeout, messages.next(&mut reservation)) => match next {
                Ok(next) => next.map_err(Ended::Refused),
                Err(_) => Err(Ended::Idle),
            }
        };
        match next {
            Ok(Some(message)) => Some((Ok((message, reservation)), Some((server, messages)))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}
