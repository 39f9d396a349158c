//! Many votes in one request: a receipt or a problem for each, in order.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ingest::{Call, Ingest, MAX_BATCH_BYTES, MAX_BATCH_VOTES, Receipt, Refusal, Reservation, Sink, Stage};
use prost::Message;
use serde::Serialize;
use utoipa::ToSchema;
use vote::{Draft, Malformed, drafts_from_json_array, drafts_from_ndjson};

use crate::body::{self, HeldAnswer};
use crate::media::{JSON, Media, PROTOBUF};
use crate::problem::ProblemJson;
use crate::single::ReceiptJson;

type Drafts = Vec<Result<Draft, Malformed>>;
type Results = Vec<Result<Receipt, Refusal>>;

/// The answer to a batch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchAnswer)]
pub(crate) struct BatchJson {
    /// Votes that are durable in Kafka.
    accepted: usize,
    /// Votes that were refused.
    rejected: usize,
    /// One result per vote, in the order of the votes.
    results: Vec<ResultJson>,
}

/// A receipt, or the problem with a vote.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VoteResult)]
#[serde(untagged)]
pub(crate) enum ResultJson {
    Receipt(ReceiptJson),
    Problem(ProblemJson),
}

pub(crate) async fn cast<S: Sink>(State(ingest): State<Arc<Ingest<S>>>, request: Request) -> Response {
    let call = ingest.begin();
    let mut reservation = ingest.reservation();
    let (media, drafts) = match receive(&call, &mut reservation, request).await {
        Ok(received) => received,
        Err(refusal) => {
            let response = ProblemJson::from(&refusal).into_response();
            call.finish(&Err(refusal));
            return response;
        }
    };
    let results = ingest.accept_batch(call.split(drafts.len()), drafts).await;
    ingest.stage(Stage::Reply, || match results {
        Ok(results) => answer(results, media, reservation),
        Err(refusal) => ProblemJson::from(&refusal).into_response(),
    })
}

async fn receive(
    call: &Call,
    reservation: &mut Reservation,
    request: Request,
) -> Result<(Media, Drafts), Refusal> {
    let media = Media::of(request.headers())?;
    let (head, body) = request.into_parts();
    let bytes = body::read(
        &head.headers,
        body,
        reservation,
        MAX_BATCH_BYTES,
        call.deadline(),
        Refusal::BatchTooLarge,
    )
    .await?;
    let drafts = call.stage(Stage::Decode, || decode(&bytes, media))?;
    Ok((media, drafts))
}

fn decode(bytes: &Bytes, media: Media) -> Result<Drafts, Malformed> {
    match media {
        Media::Json => drafts_from_json_array(bytes, MAX_BATCH_VOTES),
        Media::Ndjson => Ok(drafts_from_ndjson(bytes, MAX_BATCH_VOTES)),
        Media::Protobuf => Draft::batch_from_protobuf(bytes, MAX_BATCH_VOTES),
    }
}

fn answer(results: Results, media: Media, reservation: Reservation) -> Response {
    let (content_type, bytes) = if media == Media::Protobuf {
        (PROTOBUF, ingest::batch_response(&results).encode_to_vec())
    } else {
        (
            JSON,
            serde_json::to_vec(&BatchJson::from(results)).unwrap_or_default(),
        )
    };
    let body = Body::new(HeldAnswer::new(bytes, reservation));
    (StatusCode::OK, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

impl From<Results> for BatchJson {
    fn from(results: Results) -> Self {
        let accepted = results.iter().filter(|result| result.is_ok()).count();
        let rejected = results.len() - accepted;
        let results = results.into_iter().map(|result| match result {
            Ok(receipt) => ResultJson::Receipt(receipt.into()),
            Err(refusal) => ResultJson::Problem((&refusal).into()),
        });
        Self {
            accepted,
            rejected,
            results: results.collect(),
        }
    }
}
