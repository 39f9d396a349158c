//! The methods: each the same straight line from a message's bytes to an answer's.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use ingest::{
    Call, Ingest, MAX_BATCH_BYTES, MAX_BATCH_VOTES, MAX_VOTE_BYTES, Receipt, Refusal, Reservation, Sink,
    Stage,
};
use prost::Message;
use proto::confproto::ReplyInfo;
use proto::votes;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::body::Body;
use vote::{Draft, Event, Route};

use crate::frame::{self, Messages};
use crate::status;

type Response = http::Response<Body>;

/// What the methods work with.
#[derive(Debug)]
pub(crate) struct Server<S> {
    /// Votes of native gRPC clients.
    pub(crate) native: Ingest<S>,
    /// Events that the bridge forwards.
    pub(crate) hop: Ingest<S>,
    /// Places for open streams.
    pub(crate) streams: Arc<Semaphore>,
    /// How long a stream may wait for its next vote.
    pub(crate) idle_timeout: Duration,
    /// Ends streams when the process drains.
    pub(crate) shutdown: CancellationToken,
}

/// Streams that may be open in one process. One whose client does not read holds two windows of HTTP/2 and a whole
/// [`STREAM_WINDOW`] of votes with their tasks, together about half a MiB.
pub(crate) const MAX_STREAMS: usize = 256;

/// What is left of the bridge's time for the way back: our verdict says more than its own time-out would.
const ANSWER_TIME: Duration = Duration::from_millis(200);

/// Votes of one stream that may be in flight: enough to fill Kafka's batches, bounded so that one stream cannot take
/// all of admission.
const STREAM_WINDOW: usize = 256;

/// `votes.v1.VoteService/CastVote`.
pub(crate) async fn cast_vote<S: Sink>(State(server): State<Arc<Server<S>>>, request: Request) -> Response {
    one_vote(&server.native, request, |receipt| {
        votes::Receipt::from(receipt).encode_to_vec()
    })
    .await
}

/// `confproto.getInfo/returnInfo`: the course's request has the bytes of a `Vote` without id.
pub(crate) async fn return_info<S: Sink>(State(server): State<Arc<Server<S>>>, request: Request) -> Response {
    one_vote(
        &server.native,
        request,
        |Receipt {
             vote_id, position, ..
         }| {
            let info = format!(
                "vote {vote_id} is in Kafka: partition {}, offset {}",
                position.partition, position.offset
            );
            ReplyInfo { info }.encode_to_vec()
        },
    )
    .await
}

async fn one_vote<S: Sink>(
    ingest: &Ingest<S>,
    request: Request,
    reply: impl FnOnce(Receipt) -> Vec<u8>,
) -> Response {
    let call = begin(ingest, &request);
    let mut reservation = ingest.reservation();
    let result = async {
        let message = read_vote(&call, &mut reservation, request).await?;
        let draft = call.stage(Stage::Decode, || Draft::from_protobuf(&message))?;
        drop(message);
        ingest.accept(&call, draft).await
    }
    .await;
    finish(call, &result, reply)
}

/// `votes.v1.BridgeService/Forward`.
pub(crate) async fn forward<S: Sink>(State(server): State<Arc<Server<S>>>, request: Request) -> Response {
    let mut call = server.hop.begin();
    if let Some(time_limit) = client_time_limit(request.headers()) {
        call.limit(time_limit.saturating_sub(ANSWER_TIME.min(time_limit / 4)));
    }
    let mut reservation = server.hop.reservation();
    let result = async {
        let message = read_vote(&call, &mut reservation, request).await?;
        let event = call.stage(Stage::Decode, || Event::decode(&message));
        drop(message);
        let event = event.map_err(|error| Refusal::Malformed(error.to_string()))?;
        if event.route != Route::Bridge {
            return Err(Refusal::Malformed("only the bridge forwards events".to_owned()));
        }
        server.hop.forward(&call, event).await
    }
    .await;
    finish(call, &result, |receipt| {
        votes::Receipt::from(receipt).encode_to_vec()
    })
}

/// `votes.v1.VoteService/CastVotes`.
pub(crate) async fn cast_votes<S: Sink>(State(server): State<Arc<Server<S>>>, request: Request) -> Response {
    let call = begin(&server.native, &request);
    let mut reservation = server.native.reservation();
    let received = frame::read(
        request,
        &mut reservation,
        MAX_BATCH_BYTES,
        call.deadline(),
        Refusal::BatchTooLarge,
    )
    .await;
    let decoded = received.and_then(|message| {
        let drafts = call.stage(Stage::Decode, || {
            Draft::batch_from_protobuf(&message, MAX_BATCH_VOTES)
        })?;
        Ok(drafts)
    });
    let drafts = match decoded {
        Ok(drafts) => drafts,
        Err(refusal) => return finish(call, &Err(refusal), |_| Vec::new()),
    };
    let results = server.native.accept_batch(call.split(drafts.len()), drafts).await;
    match results {
        Ok(results) => frame::held_answer(
            ingest::batch_response(&results).encode_to_vec().into(),
            reservation,
        ),
        Err(refusal) => frame::refuse(&refusal),
    }
}

/// `votes.v1.VoteService/StreamVotes`: a vote's clock starts when its message has arrived, and answers keep the order.
/// A drain ends the stream after the answers to what has arrived, with UNAVAILABLE: the rest goes to another replica.
/// So does a client that sends no vote for long, with DEADLINE_EXCEEDED.
pub(crate) async fn stream_votes<S: Sink>(
    State(server): State<Arc<Server<S>>>,
    request: Request,
) -> Response {
    let Ok(place) = Arc::clone(&server.streams).try_acquire_owned() else {
        return frame::refuse(&server.native.refuse_unread());
    };
    let messages = match Messages::of(request, MAX_VOTE_BYTES, Refusal::VoteTooLarge) {
        Ok(messages) => messages,
        Err(refusal) => return finish(server.native.begin(), &Err(refusal), |_| Vec::new()),
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
            // Between two votes nothing is cut off: the client has ended its stream the short way.
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}

fn begin<S: Sink>(ingest: &Ingest<S>, request: &Request) -> Call {
    let mut call = ingest.begin();
    if let Some(time_limit) = client_time_limit(request.headers()) {
        call.limit(time_limit);
    }
    call
}

async fn read_vote(call: &Call, reservation: &mut Reservation, request: Request) -> Result<Bytes, Refusal> {
    frame::read(
        request,
        reservation,
        MAX_VOTE_BYTES,
        call.deadline(),
        Refusal::VoteTooLarge,
    )
    .await
}

fn finish(call: Call, result: &Result<Receipt, Refusal>, reply: impl FnOnce(Receipt) -> Vec<u8>) -> Response {
    let response = call.stage(Stage::Reply, || match result {
        Ok(receipt) => frame::answer(reply(*receipt).into()),
        Err(refusal) => frame::refuse(refusal),
    });
    call.finish(result);
    response
}

/// `grpc-timeout` as the specification has it: at most eight digits and a unit.
fn client_time_limit(headers: &http::HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_hours(amount)),
        "M" => Some(Duration::from_mins(amount)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_limit_is_digits_and_a_unit() {
        let limit = |text: &str| {
            let mut headers = http::HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            client_time_limit(&headers)
        };
        assert_eq!(limit("250m"), Some(Duration::from_millis(250)));
        assert_eq!(limit("5S"), Some(Duration::from_secs(5)));
        assert_eq!(limit("99999999H"), Some(Duration::from_hours(99_999_999)));
        for text in ["", "5", "m", "-5S", "999999999S", "5x", "1.5S"] {
            assert_eq!(limit(text), None, "{text}");
        }
    }
}
