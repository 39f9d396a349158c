//! The methods: each the same straight line from a message's bytes to an answer's.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use ingest::{Call, Ingest, MAX_BATCH_BYTES, MAX_BATCH_VOTES, MAX_VOTE_BYTES, Receipt, Refusal, Sink, Stage};
use prost::Message;
use proto::confproto::ReplyInfo;
use proto::votes;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::body::Body;
use vote::{Draft, Event, Route};

use crate::{frame, status};

type Response = http::Response<Body>;

/// What the methods work with.
#[derive(Debug)]
pub(crate) struct Server<S> {
    /// Votes of native gRPC clients.
    pub(crate) native: Ingest<S>,
    /// Events that the bridge forwards.
    pub(crate) hop: Ingest<S>,
    /// Ends streams when the process drains.
    pub(crate) shutdown: CancellationToken,
}

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
    let result = async {
        let message = read_vote(&call, request).await?;
        let draft = call.stage(Stage::Decode, || Draft::from_protobuf(&message))?;
        ingest.accept(&call, draft).await
    }
    .await;
    finish(call, &result, reply)
}

/// `votes.v1.BridgeService/Forward`.
pub(crate) async fn forward<S: Sink>(State(server): State<Arc<Server<S>>>, request: Request) -> Response {
    let call = begin(&server.hop, &request);
    let result = async {
        let message = read_vote(&call, request).await?;
        let event = call.stage(Stage::Decode, || Event::decode(&message));
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
    let received = frame::read(
        request.into_body(),
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
    frame::answer(match results {
        Ok(results) => Ok(ingest::batch_response(&results).encode_to_vec().into()),
        Err(refusal) => Err(status::from_refusal(&refusal)),
    })
}

/// `votes.v1.VoteService/StreamVotes`: a vote's clock starts when its message has arrived, and answers keep the order.
/// A drain ends the stream after the answers to what has arrived, with UNAVAILABLE: the rest goes to another replica.
pub(crate) async fn stream_votes<S: Sink>(
    State(server): State<Arc<Server<S>>>,
    request: Request,
) -> Response {
    let answers = incoming(request, server.shutdown.clone()).map(move |message| {
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
    message: Result<Bytes, Ended>,
) -> Result<Bytes, Status> {
    let message = match message {
        Ok(message) => message,
        Err(Ended::Draining) => return Err(Status::unavailable("shutting down; send the rest again")),
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
    /// The process is told to stop.
    Draining,
}

/// The messages of a stream until its end, its first error, or a drain.
fn incoming(
    request: Request,
    shutdown: CancellationToken,
) -> impl Stream<Item = Result<Bytes, Ended>> + Send {
    let messages = frame::messages(request.into_body(), MAX_VOTE_BYTES);
    stream::unfold(Some((messages, shutdown)), |open| async move {
        let (mut messages, shutdown) = open?;
        let next = tokio::select! {
            biased;
            () = shutdown.cancelled() => Err(Ended::Draining),
            next = messages.message() => {
                next.map_err(|error| Ended::Refused(status::to_refusal(&error, &Refusal::VoteTooLarge)))
            }
        };
        match next {
            Ok(Some(message)) => Some((Ok(message), Some((messages, shutdown)))),
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

async fn read_vote(call: &Call, request: Request) -> Result<Bytes, Refusal> {
    frame::read(
        request.into_body(),
        MAX_VOTE_BYTES,
        call.deadline(),
        Refusal::VoteTooLarge,
    )
    .await
}

fn finish(call: Call, result: &Result<Receipt, Refusal>, reply: impl FnOnce(Receipt) -> Vec<u8>) -> Response {
    let response = call.stage(Stage::Reply, || {
        frame::answer(match result {
            Ok(receipt) => Ok(reply(*receipt).into()),
            Err(refusal) => Err(status::from_refusal(refusal)),
        })
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
