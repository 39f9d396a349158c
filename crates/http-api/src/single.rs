//! `POST /v1/votes`: one vote, one receipt.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ingest::{Ingest, IngestError, Receipt, RequestTimer, Sink, Stage, TracedCall};
use prost::Message;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use vote::Draft;

use crate::content_type::ContentType;
use crate::idempotency_key;
use crate::request::{SINGLE, encode_response};
use crate::server_timing::{add_server_timing_header, record_timings_if_requested};
use crate::trace::trace_parent;

/// The call in traces. The paths of the course are other names of it.
const CALL: TracedCall = TracedCall::Http {
    name: "POST /v1/votes",
    success: StatusCode::ACCEPTED.as_u16(),
};

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
    timer.start_span(CALL, trace_parent(&ingest, request.headers()).as_ref());
    let content_type = SINGLE.content_type(&ingest, &mut timer, &request);
    let response_type = content_type.as_ref().map_or(ContentType::Json, |&known| known);
    let result = read_and_accept(&ingest, &timer, content_type, request).await;
    let mut response = timer.stage(Stage::Reply, || match &result {
        Ok(receipt) => success_response(*receipt, response_type),
        Err(error) => SINGLE.error_response(error),
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
    let mut reservation = ingest.reservation();
    let draft = SINGLE
        .read(content_type, request, timer, &mut reservation, decode)
        .await?;
    ingest.accept(timer, draft).await
}

fn decode(bytes: &[u8], content_type: ContentType, headers: &HeaderMap) -> Result<Draft, IngestError> {
    let draft = match content_type {
        ContentType::Json => Draft::from_json(bytes)?,
        ContentType::Protobuf(_) => Draft::from_protobuf(bytes)?,
        ContentType::Ndjson => return Err(IngestError::UnsupportedMediaType),
    };
    idempotency_key::apply(draft, headers)
}

fn success_response(receipt: Receipt, content_type: ContentType) -> Response {
    let (content_type, bytes) = encode_response(
        content_type,
        || proto::votes::Receipt::from(receipt).encode_to_vec(),
        || serde_json::to_vec(&ReceiptJson::from(receipt)).unwrap_or_default(),
    );
    (
        StatusCode::ACCEPTED,
        [(header::CONTENT_TYPE, content_type)],
        bytes,
    )
        .into_response()
}
