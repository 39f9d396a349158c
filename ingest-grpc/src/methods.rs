//! The unary gRPC methods. Each gets the bytes of its message from tonic, calls the core, and gives tonic the bytes of its
//! reply.

use std::sync::Arc;
use std::time::Duration;

use auth::Identity;
use bytes::Bytes;
use http_body_util::BodyExt;
use ingest::{
    Ingest, IngestError, MAX_BATCH_BYTES, MAX_BATCH_VOTES, MAX_VOTE_BYTES, MemoryReservation, Receipt,
    RequestTimer, Sink, Stage, TracedCall,
};
use prost::Message as _;
use proto::confproto::ReplyInfo;
use proto::votes;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use vote::{Draft, Route, VoteEvent};

use crate::codec::Message;
use crate::request_body::Rules;
use crate::request_bytes::RequestBytes;
use crate::unary::{self, Answered};

type Response = http::Response<Body>;

/// The state that all methods share.
#[derive(Debug)]
pub(crate) struct Server<S> {
    /// Accepts the votes of gRPC clients.
    pub(crate) native: Ingest<S>,
    /// Publishes the events that the bridge forwards.
    pub(crate) forwarded: Ingest<S>,
    /// One permit per open stream.
    pub(crate) stream_permits: Arc<Semaphore>,
    /// How long a stream may wait for its next vote.
    pub(crate) idle_timeout: Duration,
    /// Ends streams when the process drains.
    pub(crate) shutdown: CancellationToken,
}

/// A forwarded call ends this long before the timeout of the bridge. The bridge then receives an error with the reason;
/// its own timeout has none.
const RESPONSE_MARGIN: Duration = Duration::from_millis(200);

/// `votes.v1.VoteService/CastVote`.
pub(crate) async fn cast_vote<S: Sink, B: RequestBytes>(
    server: &Server<S>,
    request: http::Request<B>,
) -> Response {
    let call = TracedCall::Grpc {
        name: "votes.v1.VoteService/CastVote",
    };
    accept_single_vote(&server.native, call, request, encoded_receipt).await
}

/// `confproto.getInfo/returnInfo`, the method of the course assignment. Its request is wire-compatible with a `Vote`
/// without an id.
pub(crate) async fn return_info<S: Sink, B: RequestBytes>(
    server: &Server<S>,
    request: http::Request<B>,
) -> Response {
    let reply = |&Receipt {
                     vote_id, position, ..
                 }: &Receipt| {
        let info = format!(
            "vote {vote_id} is in Kafka: partition {}, offset {}",
            position.partition, position.offset
        );
        ReplyInfo { info }.encode_to_vec().into()
    };
    let call = TracedCall::Grpc {
        name: "confproto.getInfo/returnInfo",
    };
    accept_single_vote(&server.native, call, request, reply).await
}

async fn accept_single_vote<S: Sink, B: RequestBytes>(
    ingest: &Ingest<S>,
    call: TracedCall,
    request: http::Request<B>,
    reply: impl FnOnce(&Receipt) -> Bytes,
) -> Response {
    let mut timer = start_timer(ingest, call, &request);
    http_api::record_timings_if_requested(&mut timer, request.headers());
    let accept = async |message: Message| {
        let draft = timer.stage(Stage::Decode, || Draft::from_protobuf(&message.bytes))?;
        drop(message.bytes);
        ingest.accept(&timer, draft).await
    };
    let answered = unary::serve(request, vote_rules(&timer), ingest.reservation(), accept, reply).await;
    finish(timer, answered)
}

/// `votes.v1.BridgeService/Forward`.
pub(crate) async fn forward<S: Sink, B: RequestBytes>(
    server: &Server<S>,
    request: http::Request<B>,
) -> Response {
    let ingest = &server.forwarded;
    let mut timer = ingest.start_timer();
    let call = TracedCall::Grpc {
        name: "votes.v1.BridgeService/Forward",
    };
    timer.start_span(call, http_api::trace_parent(ingest, request.headers()).as_ref());
    timer.set_client(client(&request));
    if let Some(timeout) = client_timeout(request.headers()) {
        timer.shorten_deadline(timeout.saturating_sub(RESPONSE_MARGIN.min(timeout / 4)));
    }
    let publish = async |message: Message| {
        let event = timer.stage(Stage::Decode, || VoteEvent::decode(&message.bytes));
        drop(message.bytes);
        let event = event.map_err(|error| IngestError::Malformed(error.to_string()))?;
        if event.route != Route::Bridge {
            return Err(IngestError::Malformed(
                "only events of route bridge can be forwarded".to_owned(),
            ));
        }
        ingest.forward(&timer, event).await
    };
    let rules = vote_rules(&timer);
    let answered = unary::serve(request, rules, ingest.reservation(), publish, encoded_receipt).await;
    finish(timer, answered)
}

/// `votes.v1.VoteService/CastVotes`.
pub(crate) async fn cast_votes<S: Sink, B: RequestBytes>(
    server: &Server<S>,
    request: http::Request<B>,
) -> Response {
    let ingest = &server.native;
    let call = TracedCall::Grpc {
        name: "votes.v1.VoteService/CastVotes",
    };
    let timer = start_timer(ingest, call, &request);
    let span = timer.span();
    let rules = Rules {
        limit: MAX_BATCH_BYTES,
        too_large: IngestError::BatchTooLarge,
        unary_deadline: Some(timer.deadline()),
        compresses_reply: true,
    };
    let (mut timer, mut reply_length) = (Some(timer), 0);
    let accept = async |Message { bytes, reservation }: Message| {
        let drafts = ingest.stage(Stage::Decode, span.as_ref(), || {
            Draft::batch_from_protobuf(&bytes, MAX_BATCH_VOTES)
        })?;
        drop(bytes);
        let timers = timer.take().map(|timer| timer.split(drafts.len()));
        let results = ingest.accept_batch(timers.unwrap_or_default(), drafts).await?;
        Ok((results, reservation))
    };
    let reply = |(results, _): &(Vec<_>, _)| {
        let reply = Bytes::from(ingest::batch_response(results).encode_to_vec());
        reply_length = reply.len();
        reply
    };
    let answered = unary::serve(request, rules, ingest.reservation(), accept, reply).await;
    ingest.stage_since(Stage::Reply, span.as_ref(), answered.decided);
    if let Some(span) = &span {
        span.answer(answered.result.as_ref().map(drop));
    }
    match answered.result {
        Ok((_, mut reservation)) => {
            reservation.replace(reply_length);
            answered.response.map(|body| reserved_body(body, reservation))
        }
        Err(error) => {
            if let Some(timer) = timer {
                timer.finish(&Err(error));
            }
            answered.response
        }
    }
}

/// A response body that keeps its memory reservation until the client has received it.
fn reserved_body(body: Body, reservation: MemoryReservation) -> Body {
    Body::new(body.map_frame(move |frame| {
        // The closure holds the reservation until the body is dropped.
        let _ = &reservation;
        frame
    }))
}

fn start_timer<S: Sink, B>(ingest: &Ingest<S>, call: TracedCall, request: &http::Request<B>) -> RequestTimer {
    let mut timer = ingest.start_timer();
    timer.start_span(call, http_api::trace_parent(ingest, request.headers()).as_ref());
    timer.set_client(client(request));
    if let Some(timeout) = client_timeout(request.headers()) {
        timer.shorten_deadline(timeout);
    }
    timer
}

/// Who sent a call, as [`crate::services`] has found out; `None` if authentication is off.
pub(crate) fn client<B>(request: &http::Request<B>) -> Option<Arc<Identity>> {
    request.extensions().get().cloned()
}

fn finish(timer: RequestTimer, answered: Answered<Receipt>) -> Response {
    let mut response = answered.response;
    timer.stage_since(Stage::Reply, answered.decided);
    http_api::add_server_timing_header(&timer, &mut response);
    timer.finish(&answered.result);
    response
}

fn encoded_receipt(receipt: &Receipt) -> Bytes {
    votes::Receipt::from(*receipt).encode_to_vec().into()
}

/// The rules for a request that carries one vote.
fn vote_rules(timer: &RequestTimer) -> Rules {
    Rules {
        limit: MAX_VOTE_BYTES,
        too_large: IngestError::VoteTooLarge,
        unary_deadline: Some(timer.deadline()),
        compresses_reply: false,
    }
}

/// The `grpc-timeout` of the request: at most eight digits and a unit, as the gRPC specification defines it.
fn client_timeout(headers: &http::HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    // `parse` also accepts a plus sign.
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
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
    fn only_digits_with_a_unit_are_a_timeout() {
        let timeout = |text: &str| {
            let mut headers = http::HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            client_timeout(&headers)
        };
        assert_eq!(timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(timeout("5S"), Some(Duration::from_secs(5)));
        assert_eq!(timeout("99999999H"), Some(Duration::from_hours(99_999_999)));
        for text in ["", "5", "m", "-5S", "+5S", "999999999S", "5x", "1.5S"] {
            assert_eq!(timeout(text), None, "{text}");
        }
    }
}
