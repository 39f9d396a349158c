//! The unary gRPC methods. Each reads the bytes of its message, calls the core, and writes the bytes of its response.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use bytes::Bytes;
use ingest::{
    Ingest, IngestError, MAX_BATCH_BYTES, MAX_BATCH_VOTES, MAX_VOTE_BYTES, MemoryReservation, Receipt,
    RequestTimer, Sink, Stage,
};
use prost::Message;
use proto::confproto::ReplyInfo;
use proto::votes;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use vote::{Draft, Route, VoteEvent};

use crate::framing;

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
pub(crate) async fn cast_vote<S: Sink>(State(server): State<Arc<Server<S>>>, request: Request) -> Response {
    accept_single_vote(&server.native, request, |receipt| {
        votes::Receipt::from(receipt).encode_to_vec()
    })
    .await
}

/// `confproto.getInfo/returnInfo`, the method of the course assignment. Its request is wire-compatible with a `Vote`
/// without an id.
pub(crate) async fn return_info<S: Sink>(State(server): State<Arc<Server<S>>>, request: Request) -> Response {
    accept_single_vote(
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

async fn accept_single_vote<S: Sink>(
    ingest: &Ingest<S>,
    request: Request,
    reply: impl FnOnce(Receipt) -> Vec<u8>,
) -> Response {
    let mut timer = start_timer(ingest, &request);
    http_api::record_timings_if_requested(&mut timer, request.headers());
    let mut reservation = ingest.reservation();
    let result = async {
        let message = read_vote(&timer, &mut reservation, request).await?;
        let draft = timer.stage(Stage::Decode, || Draft::from_protobuf(&message))?;
        drop(message);
        ingest.accept(&timer, draft).await
    }
    .await;
    finish(timer, &result, reply)
}

/// `votes.v1.BridgeService/Forward`.
pub(crate) async fn forward<S: Sink>(State(server): State<Arc<Server<S>>>, request: Request) -> Response {
    let mut timer = server.forwarded.start_timer();
    if let Some(timeout) = client_timeout(request.headers()) {
        timer.shorten_deadline(timeout.saturating_sub(RESPONSE_MARGIN.min(timeout / 4)));
    }
    let mut reservation = server.forwarded.reservation();
    let result = async {
        let message = read_vote(&timer, &mut reservation, request).await?;
        let event = timer.stage(Stage::Decode, || VoteEvent::decode(&message));
        drop(message);
        let event = event.map_err(|error| IngestError::Malformed(error.to_string()))?;
        if event.route != Route::Bridge {
            return Err(IngestError::Malformed(
                "only events of route bridge can be forwarded".to_owned(),
            ));
        }
        server.forwarded.forward(&timer, event).await
    }
    .await;
    finish(timer, &result, |receipt| {
        votes::Receipt::from(receipt).encode_to_vec()
    })
}

/// `votes.v1.VoteService/CastVotes`.
pub(crate) async fn cast_votes<S: Sink>(State(server): State<Arc<Server<S>>>, request: Request) -> Response {
    let timer = start_timer(&server.native, &request);
    let mut reservation = server.native.reservation();
    let received = framing::read_message(
        request,
        &mut reservation,
        MAX_BATCH_BYTES,
        timer.deadline(),
        IngestError::BatchTooLarge,
    )
    .await;
    let decoded = received.and_then(|message| {
        let drafts = timer.stage(Stage::Decode, || {
            Draft::batch_from_protobuf(&message, MAX_BATCH_VOTES)
        })?;
        Ok(drafts)
    });
    let drafts = match decoded {
        Ok(drafts) => drafts,
        Err(error) => return finish(timer, &Err(error), |_| Vec::new()),
    };
    let results = server
        .native
        .accept_batch(timer.split(drafts.len()), drafts)
        .await;
    server.native.stage(Stage::Reply, || match results {
        Ok(results) => framing::reserved_response(
            ingest::batch_response(&results).encode_to_vec().into(),
            reservation,
        ),
        Err(error) => framing::error_response(&error),
    })
}

fn start_timer<S: Sink>(ingest: &Ingest<S>, request: &Request) -> RequestTimer {
    let mut timer = ingest.start_timer();
    if let Some(timeout) = client_timeout(request.headers()) {
        timer.shorten_deadline(timeout);
    }
    timer
}

async fn read_vote(
    timer: &RequestTimer,
    reservation: &mut MemoryReservation,
    request: Request,
) -> Result<Bytes, IngestError> {
    framing::read_message(
        request,
        reservation,
        MAX_VOTE_BYTES,
        timer.deadline(),
        IngestError::VoteTooLarge,
    )
    .await
}

fn finish(
    timer: RequestTimer,
    result: &Result<Receipt, IngestError>,
    reply: impl FnOnce(Receipt) -> Vec<u8>,
) -> Response {
    let mut response = timer.stage(Stage::Reply, || match result {
        Ok(receipt) => framing::unary_response(reply(*receipt).into()),
        Err(error) => framing::error_response(error),
    });
    http_api::add_server_timing_header(&timer, &mut response);
    timer.finish(result);
    response
}

/// The `grpc-timeout` of the request: at most eight digits and a unit, as the gRPC specification defines it.
fn client_timeout(headers: &http::HeaderMap) -> Option<Duration> {
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
    fn only_digits_with_a_unit_are_a_timeout() {
        let timeout = |text: &str| {
            let mut headers = http::HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            client_timeout(&headers)
        };
        assert_eq!(timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(timeout("5S"), Some(Duration::from_secs(5)));
        assert_eq!(timeout("99999999H"), Some(Duration::from_hours(99_999_999)));
        for text in ["", "5", "m", "-5S", "999999999S", "5x", "1.5S"] {
            assert_eq!(timeout(text), None, "{text}");
        }
    }
}
