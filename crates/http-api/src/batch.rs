//! `POST /v1/votes:batch`: many votes in one request, with a receipt or a problem for each, in order.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ingest::{
    Ingest, IngestError, MAX_BATCH_BYTES, MAX_BATCH_VOTES, MemoryReservation, Receipt, RequestTimer, Sink,
    Stage,
};
use prost::Message;
use serde::Serialize;
use utoipa::ToSchema;
use vote::{Draft, Malformed, drafts_from_json_array, drafts_from_ndjson};

use crate::body::{self, ReservedBody};
use crate::content_type::{ContentType, JSON, PROTOBUF};
use crate::problem::ProblemJson;
use crate::single::ReceiptJson;

type Drafts = Vec<Result<Draft, Malformed>>;
type Results = Vec<Result<Receipt, IngestError>>;

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
    let timer = ingest.start_timer();
    let mut reservation = ingest.reservation();
    let (content_type, drafts) = match read_drafts(&timer, &mut reservation, request).await {
        Ok(drafts) => drafts,
        Err(error) => {
            let response = ProblemJson::from(&error).into_response();
            timer.finish(&Err(error));
            return response;
        }
    };
    let results = ingest.accept_batch(timer.split(drafts.len()), drafts).await;
    ingest.stage(Stage::Reply, || match results {
        Ok(results) => success_response(results, content_type, reservation),
        Err(error) => ProblemJson::from(&error).into_response(),
    })
}

async fn read_drafts(
    timer: &RequestTimer,
    reservation: &mut MemoryReservation,
    request: Request,
) -> Result<(ContentType, Drafts), IngestError> {
    let content_type = ContentType::from_headers(request.headers())?;
    let (head, body) = request.into_parts();
    let bytes = body::read(
        &head.headers,
        body,
        reservation,
        MAX_BATCH_BYTES,
        timer.deadline(),
        IngestError::BatchTooLarge,
    )
    .await?;
    let drafts = timer.stage(Stage::Decode, || decode(&bytes, content_type))?;
    Ok((content_type, drafts))
}

fn decode(bytes: &Bytes, content_type: ContentType) -> Result<Drafts, Malformed> {
    match content_type {
        ContentType::Json => drafts_from_json_array(bytes, MAX_BATCH_VOTES),
        ContentType::Ndjson => Ok(drafts_from_ndjson(bytes, MAX_BATCH_VOTES)),
        ContentType::Protobuf => Draft::batch_from_protobuf(bytes, MAX_BATCH_VOTES),
    }
}

fn success_response(results: Results, request_type: ContentType, reservation: MemoryReservation) -> Response {
    let (content_type, bytes) = if request_type == ContentType::Protobuf {
        (PROTOBUF, ingest::batch_response(&results).encode_to_vec())
    } else {
        (
            JSON,
            serde_json::to_vec(&BatchJson::from(results)).unwrap_or_default(),
        )
    };
    let body = Body::new(ReservedBody::new(bytes, reservation));
    (StatusCode::OK, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

impl From<Results> for BatchJson {
    fn from(results: Results) -> Self {
        let accepted = results.iter().filter(|result| result.is_ok()).count();
        let rejected = results.len() - accepted;
        let results = results.into_iter().map(|result| match result {
            Ok(receipt) => ResultJson::Receipt(receipt.into()),
            Err(error) => ResultJson::Problem((&error).into()),
        });
        Self {
            accepted,
            rejected,
            results: results.collect(),
        }
    }
}
