//! One vote, one receipt.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ingest::{Call, Ingest, MAX_VOTE_BYTES, Receipt, Refusal, Sink, Stage};
use prost::Message;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use vote::{Draft, Field, FieldError};

use crate::body;
use crate::media::{JSON, Media, PROTOBUF};
use crate::problem::ProblemJson;
use crate::timing::{keep_timing_if_asked, tell_timing};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Where in Kafka a vote lies.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Receipt)]
pub(crate) struct ReceiptJson {
    /// The vote's identity.
    vote_id: Uuid,
    /// The route that took it: `rest` or `bridge`.
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

pub(crate) async fn cast<S: Sink>(State(ingest): State<Arc<Ingest<S>>>, request: Request) -> Response {
    let mut call = ingest.begin();
    keep_timing_if_asked(&mut call, request.headers());
    let media = Media::of(request.headers());
    let as_protobuf = media == Ok(Media::Protobuf);
    let result = receive(&ingest, &call, media, request).await;
    let mut response = call.stage(Stage::Reply, || match &result {
        Ok(receipt) => answer(*receipt, as_protobuf),
        Err(refusal) => ProblemJson::from(refusal).into_response(),
    });
    tell_timing(&call, &mut response);
    call.finish(&result);
    response
}

async fn receive<S: Sink>(
    ingest: &Ingest<S>,
    call: &Call,
    media: Result<Media, Refusal>,
    request: Request,
) -> Result<Receipt, Refusal> {
    let media = media?;
    let (head, body) = request.into_parts();
    let mut reservation = ingest.reservation();
    let bytes = body::read(
        &head.headers,
        body,
        &mut reservation,
        MAX_VOTE_BYTES,
        call.deadline(),
        Refusal::VoteTooLarge,
    )
    .await?;
    let draft = call.stage(Stage::Decode, || decode(&bytes, media, &head.headers))?;
    // What follows takes long, and needs neither.
    drop((bytes, head));
    ingest.accept(call, draft).await
}

fn decode(bytes: &Bytes, media: Media, headers: &HeaderMap) -> Result<Draft, Refusal> {
    let draft = match media {
        Media::Json => Draft::from_json(bytes)?,
        Media::Protobuf => Draft::from_protobuf(bytes)?,
        Media::Ndjson => return Err(Refusal::UnsupportedMediaType),
    };
    with_idempotency_key(draft, headers)
}

/// `Idempotency-Key` is another way to give `vote_id`; given both ways, it must be one id.
fn with_idempotency_key(mut draft: Draft, headers: &HeaderMap) -> Result<Draft, Refusal> {
    let Some(header) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(draft);
    };
    let refuse = |message| {
        Refusal::Invalid(vec![FieldError {
            field: "vote_id",
            message,
        }])
    };
    let key = header
        .to_str()
        .ok()
        .and_then(|text| Uuid::try_parse(text.trim()).ok());
    let key = key.ok_or_else(|| refuse("must be a UUID (Idempotency-Key)"))?;
    match &draft.vote_id {
        Field::Text(text) if !text.is_empty() && Uuid::try_parse(text.trim()).ok() != Some(key) => {
            Err(refuse("differs from the Idempotency-Key"))
        }
        Field::WrongType(reason) => Err(refuse(reason)),
        Field::Text(_) => {
            draft.vote_id = Field::Text(key.to_string());
            Ok(draft)
        }
    }
}

fn answer(receipt: Receipt, as_protobuf: bool) -> Response {
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
