//! The unary methods: each the same straight line from a message's bytes to an answer's.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use bytes::Bytes;
use ingest::{
    Call, Ingest, MAX_BATCH_BYTES, MAX_BATCH_VOTES, MAX_VOTE_BYTES, Receipt, Refusal, Reservation, Sink,
    Stage,
};
use prost::Message;
use proto::confproto::ReplyInfo;
use proto::votes;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use vote::{Draft, Route, VoteEvent};

use crate::frame;

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

/// What is left of the bridge's time for the way back: our verdict says more than its own time-out would.
const ANSWER_TIME: Duration = Duration::from_millis(200);

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
    let mut call = begin(ingest, &request);
    http_api::keep_timing_if_asked(&mut call, request.headers());
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
        let event = call.stage(Stage::Decode, || VoteEvent::decode(&message));
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
    server.native.stage(Stage::Reply, || match results {
        Ok(results) => frame::held_answer(
            ingest::batch_response(&results).encode_to_vec().into(),
            reservation,
        ),
        Err(refusal) => frame::refuse(&refusal),
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
    let mut response = call.stage(Stage::Reply, || match result {
        Ok(receipt) => frame::answer(reply(*receipt).into()),
        Err(refusal) => frame::refuse(refusal),
    });
    http_api::tell_timing(&call, &mut response);
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
