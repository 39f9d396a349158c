//! The OpenAPI 3.1 description, generated from the types of the requests and responses. `openapi.json` beside
//! `Cargo.toml` is checked in for readers; a test checks that it is current.

use utoipa::{OpenApi, ToSchema};

use crate::batch::BatchJson;
use crate::problem::ProblemJson;
use crate::single::ReceiptJson;

/// A vote.
#[derive(ToSchema)]
#[schema(as = Vote)]
#[allow(
    dead_code,
    reason = "describes the JSON for readers; the decoder is vote::Draft"
)]
struct VoteJson {
    /// Band: 1 to 200 characters after trimming, no control characters.
    #[schema(example = "Alux Nahual", min_length = 1, max_length = 200)]
    name: String,
    /// Album: as `name`.
    #[schema(example = "Centroamérica", min_length = 1, max_length = 200)]
    album: String,
    /// Year of the album, 1900 to 2100; a string or a number.
    year: YearJson,
    /// Rank, 0 to 100, at most two decimals; a string or a number.
    rank: RankJson,
    /// Optional id; a vote that is repeated with the same id is counted once. Another vote with a used id is answered like a
    /// repeat and is not counted.
    #[schema(format = "uuid")]
    vote_id: Option<String>,
}

/// A year.
#[derive(ToSchema)]
#[schema(as = Year)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the JSON for readers")]
enum YearJson {
    Text(String),
    Number(u16),
}

/// A rank.
#[derive(ToSchema)]
#[schema(as = Rank)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the JSON for readers")]
enum RankJson {
    Text(String),
    Number(f64),
}

#[utoipa::path(
    post,
    path = "/v1/votes",
    request_body(content(
        (VoteJson = "application/json"),
        (Vec<u8> = "application/x-protobuf"),
    ), description = "A vote as JSON, or `votes.v1.Vote`"),
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Another way to give `vote_id`: a UUID"),
        ("x-dualpath-timing" = Option<String>, Header, description = "`1` asks for `server-timing` in the response"),
    ),
    responses(
        (status = 202, description = "Durable in Kafka (acks=all)", body = ReceiptJson, headers(
            ("server-timing" = Option<String>, description = "If requested, also for errors: ms in decode, validate, encode, publish and reply, and the total since the request head"),
        )),
        (status = 400, description = "Malformed", body = ProblemJson, content_type = "application/problem+json"),
        (status = 408, description = "Body incomplete at the deadline", body = ProblemJson, content_type = "application/problem+json"),
        (status = 413, description = "Over 16 KiB", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "Unknown content type, or compressed", body = ProblemJson, content_type = "application/problem+json"),
        (status = 422, description = "Invalid vote", body = ProblemJson, content_type = "application/problem+json"),
        (status = 429, description = "Overloaded; see Retry-After", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "Kafka unavailable; see Retry-After", body = ProblemJson, content_type = "application/problem+json"),
        (status = 504, description = "Kafka did not acknowledge in time", body = ProblemJson, content_type = "application/problem+json"),
    )
)]
#[allow(
    dead_code,
    reason = "carries the description of single::cast_vote, which is generic"
)]
fn cast_vote() {}

#[utoipa::path(
    post,
    path = "/v1/votes:batch",
    request_body(content(
        (Vec<VoteJson> = "application/json"),
        (String = "application/x-ndjson"),
        (Vec<u8> = "application/x-protobuf"),
    ), description = "At most 1,000 votes and 1 MiB: a JSON array, one vote per line, or `votes.v1.CastVotesRequest`"),
    responses(
        (status = 200, description = "A receipt or a problem per vote, in order", body = BatchJson),
        (status = 400, description = "Malformed as a whole", body = ProblemJson, content_type = "application/problem+json"),
        (status = 408, description = "Body incomplete at the deadline", body = ProblemJson, content_type = "application/problem+json"),
        (status = 413, description = "Over 1 MiB or 1,000 votes", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "Unknown content type, or compressed", body = ProblemJson, content_type = "application/problem+json"),
        (status = 429, description = "Not enough capacity for the whole batch; see Retry-After", body = ProblemJson, content_type = "application/problem+json"),
    )
)]
#[allow(
    dead_code,
    reason = "carries the description of batch::cast_votes, which is generic"
)]
fn cast_votes() {}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "dualpath votes",
        description = "Votes into Kafka. A receipt means: durable in Kafka. Every response has its route in `x-ingest-route`.",
        license(name = "Apache-2.0")
    ),
    paths(cast_vote, cast_votes)
)]
struct ApiDoc;

/// The description as JSON.
pub fn openapi_json() -> String {
    ApiDoc::openapi().to_pretty_json().unwrap_or_default()
}
