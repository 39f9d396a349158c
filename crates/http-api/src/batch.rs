//! `POST /v1/votes:batch`: many votes in one request, with a receipt or a problem for each, in order.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ingest::{Ingest, IngestError, MAX_BATCH_VOTES, MemoryReservation, Receipt, Sink, Stage, TracedCall};
use prost::Message;
use serde::Serialize;
use utoipa::ToSchema;
use vote::{Draft, Malformed, drafts_from_json_array, drafts_from_ndjson};

use crate::body::ReservedBody;
use crate::content_type::ContentType;
use crate::problem::ProblemJson;
use crate::request::{BATCH, encode_response};
use crate::single::ReceiptJson;
use crate::trace::trace_parent;

type Drafts = Vec<Result<Draft, Malformed>>;
type Results = Vec<Result<Receipt, IngestError>>;

/// The call in traces.
const CALL: TracedCall = TracedCall::Http {
    name: "POST /v1/votes:batch",
    success: StatusCode::OK.as_u16(),
};

/// The response to a batch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchAnswer)]
pub(crate) struct BatchJson {
    /// Number of votes that are durable in Kafka.
    accepted: usize,
    /// Number of votes that were rejected.
    rejected: usize,
    /// One result per vote, in the order of the votes.
    results: Vec<ResultJson>,
}

/// A receipt, or the problem of a vote.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VoteResult)]
#[serde(untagged)]
pub(crate) enum ResultJson {
    Receipt(ReceiptJson),
    Problem(ProblemJson),
}

pub(crate) async fn cast_votes<S: Sink>(State(ingest): State<Arc<Ingest<S>>>, request: Request) -> Response {
    let mut timer = ingest.start_timer();
    timer.start_span(CALL, trace_parent(&ingest, request.headers()).as_ref());
    let content_type = BATCH.content_type(&ingest, &mut timer, &request);
    let response_type = content_type.as_ref().map_or(ContentType::Json, |&known| known);
    let mut reservation = ingest.reservation();
    let drafts = match BATCH
        .read(content_type, request, &timer, &mut reservation, decode)
        .await
    {
        Ok(drafts) => drafts,
        Err(error) => {
            let response = BATCH.error_response(&error);
            timer.finish(&Err(error));
            return response;
        }
    };
    let span = timer.span();
    let results = ingest.accept_batch(timer.split(drafts.len()), drafts).await;
    let response = ingest.stage(Stage::Reply, span.as_ref(), || match &results {
        Ok(results) => success_response(results, response_type, reservation),
        Err(error) => BATCH.error_response(error),
    });
    if let Some(span) = span {
        span.answer(results.as_ref().map(drop));
    }
    response
}

fn decode(bytes: &[u8], content_type: ContentType, _: &HeaderMap) -> Result<Drafts, IngestError> {
    let drafts = match content_type {
        ContentType::Json => drafts_from_json_array(bytes, MAX_BATCH_VOTES),
        ContentType::Ndjson => drafts_from_ndjson(bytes, MAX_BATCH_VOTES),
        ContentType::Protobuf(_) => Draft::batch_from_protobuf(bytes, MAX_BATCH_VOTES),
    };
    Ok(drafts?)
}

fn success_response(
    results: &Results,
    content_type: ContentType,
    reservation: MemoryReservation,
) -> Response {
    let (content_type, bytes) = encode_response(
        content_type,
        || ingest::batch_response(results).encode_to_vec(),
        || serde_json::to_vec(&BatchJson::from(results)).unwrap_or_default(),
    );
    let body = Body::new(ReservedBody::new(bytes, reservation));
    (StatusCode::OK, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

impl From<&Results> for BatchJson {
    fn from(results: &Results) -> Self {
        let accepted = results.iter().filter(|result| result.is_ok()).count();
        let rejected = results.len() - accepted;
        let results = results.iter().map(|result| match result {
            Ok(receipt) => ResultJson::Receipt((*receipt).into()),
            Err(error) => ResultJson::Problem(error.into()),
        });
        Self {
            accepted,
            rejected,
            results: results.collect(),
        }
    }
}
