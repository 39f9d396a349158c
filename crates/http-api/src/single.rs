//! `POST /v1/votes`: one vote, one receipt.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ingest::{Ingest, IngestError, MAX_VOTE_BYTES, Receipt, RequestTimer, Sink, Stage};
use prost::Message;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use vote::{Draft, Field, FieldError};

use crate::body;
use crate::content_type::{ContentType, JSON, PROTOBUF};
use crate::problem::ProblemJson;
use crate::server_timing::{add_server_timing_header, record_timings_if_requested};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Confirms that a vote is durable in Kafka.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Receipt)]
pub(crate) struct ReceiptJson {
    /// The identity of the vote.
    vote_id: Uuid,
    /// The route that accepted it: `rest` or `bridge`.
    #[schema(example = "rest")]
    route: &'static str,
    /// The partition of the topic.
    partition: i32,
    /// The offset within the partition.
    offset: i64,
}

impl From<Receipt> for ReceiptJson {
    fn from(receipt: Receipt) -> Self {
        Self {
            vote_id: receipt.vote_id,
            route: receipt.route.as_str(),
            partition: receipt.position.partition,
            offset: receipt.position.offset,
        }
    }
}

pub(crate) async fn cast_vote<S: Sink>(State(ingest): State<Arc<Ingest<S>>>, request: Request) -> Response {
    let mut timer = ingest.start_timer();
    record_timings_if_requested(&mut timer, request.headers());
    let content_type = ContentType::from_headers(request.headers());
    let as_protobuf = content_type == Ok(ContentType::Protobuf);
    let result = read_and_accept(&ingest, &timer, content_type, request).await;
    let mut response = timer.stage(Stage::Reply, || match &result {
        Ok(receipt) => success_response(*receipt, as_protobuf),
        Err(error) => ProblemJson::from(error).into_response(),
    });
    add_server_timing_header(&timer, &mut response);
    timer.finish(&result);
    response
}

async fn read_and_accept<S: Sink>(
    ingest: &Ingest<S>,
    timer: &RequestTimer,
    content_type: Result<ContentType, IngestError>,
    request: Request,
) -> Result<Receipt, IngestError> {
    let content_type = content_type?;
    let (head, body) = request.into_parts();
    let mut reservation = ingest.reservation();
    let bytes = body::read(
        &head.headers,
        body,
        &mut reservation,
        MAX_VOTE_BYTES,
        timer.deadline(),
        IngestError::VoteTooLarge,
    )
    .await?;
    let draft = timer.stage(Stage::Decode, || decode(&bytes, content_type, &head.headers))?;
    // Free the memory now: publishing takes long and does not use it.
    drop((bytes, head));
    ingest.accept(timer, draft).await
}

fn decode(bytes: &Bytes, content_type: ContentType, headers: &HeaderMap) -> Result<Draft, IngestError> {
    let draft = match content_type {
        ContentType::Json => Draft::from_json(bytes)?,
        ContentType::Protobuf => Draft::from_protobuf(bytes)?,
        ContentType::Ndjson => return Err(IngestError::UnsupportedMediaType),
    };
    with_idempotency_key(draft, headers)
}

/// `Idempotency-Key` is another way to give `vote_id`. If a request has both, they must be equal.
fn with_idempotency_key(mut draft: Draft, headers: &HeaderMap) -> Result<Draft, IngestError> {
    let Some(header) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(draft);
    };
    let invalid = |message: &'static str| {
        IngestError::Invalid(vec![FieldError {
            field: "vote_id",
            message: message.into(),
        }])
    };
    let key = header
        .to_str()
        .ok()
        .and_then(|text| Uuid::try_parse(text.trim()).ok());
    let key = key.ok_or_else(|| invalid("must be a UUID (Idempotency-Key)"))?;
    match &draft.vote_id {
        Field::Text(text) if !text.is_empty() && Uuid::try_parse(text.trim()).ok() != Some(key) => {
            Err(invalid("differs from the Idempotency-Key"))
        }
        Field::WrongType(reason) => Err(invalid(reason)),
        Field::Text(_) => {
            draft.vote_id = Field::Text(key.to_string());
            Ok(draft)
        }
    }
}

fn success_response(receipt: Receipt, as_protobuf: bool) -> Response {
    let (content_type, bytes) = if as_protobuf {
        (PROTOBUF, proto::votes::Receipt::from(receipt).encode_to_vec())
    } else {
        (
            JSON,
            serde_json::to_vec(&ReceiptJson::from(receipt)).unwrap_or_default(),
        )
    };
    (
        StatusCode::ACCEPTED,
        [(header::CONTENT_TYPE, content_type)],
        bytes,
    )
        .into_response()
}
