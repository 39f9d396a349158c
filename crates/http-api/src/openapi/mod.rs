//! The OpenAPI 3.1 description, built from the types of the requests and responses. `openapi.json` beside `Cargo.toml` is
//! checked in for readers; a test checks that it is current, and another one that the services answer as it says.

mod components;
mod responses;

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::info::{InfoBuilder, License};
use utoipa::openapi::path::{OperationBuilder, PathItem, PathItemBuilder, PathsBuilder};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{HttpMethod, OpenApiBuilder, Ref, Required, Response};

use self::components::{IDEMPOTENCY_KEY, TIMING, components, parameter};
use self::responses::{binary, success, with_batch_problems, with_vote_problems};
use crate::content_type::PROTOBUF_NAMES;

const ABOUT: &str = "Votes into Kafka. A receipt means: durable in Kafka (acks=all).\n\n\
    Every response names its route in `x-ingest-route`. Every error is a problem document (RFC 9457): a path that does not \
    exist is 404, and a method that a path does not support is 405 with `Allow`. Paths can end with a slash or be \
    percent-encoded.\n\n\
    A body can be compressed with `Content-Encoding: gzip`. Size limits hold before and after decompression. JSON is UTF-8. \
    Protobuf has three names (`application/x-protobuf`, `application/protobuf`, `application/vnd.google.protobuf`), and the \
    response has the one of the request. A request without `Content-Type` is read as JSON.\n\n\
    Where authentication is on, a request names its client by `Authorization: Bearer TOKEN` (a token or a JWT), or by the \
    certificate of its connection.";
const ABOUT_ALIAS: &str = "The same as `POST /v1/votes`, for the clients of the course assignment.";

/// The description as JSON.
pub fn openapi_json() -> String {
    let paths = PathsBuilder::new()
        .path("/v1/votes", post(single("cast_vote", "Send one vote")))
        .path("/v1/votes:batch", post(batch()))
        .path(
            "/",
            PathItemBuilder::new()
                .operation(HttpMethod::Get, get("route", "Name the route", text_response()))
                .operation(HttpMethod::Post, alias("cast_vote_at_root"))
                .build(),
        )
        .path("/insert", post(alias("cast_vote_at_insert")))
        .path("/send_data", post(alias("cast_vote_at_send_data")))
        .path(
            "/openapi.json",
            PathItem::new(
                HttpMethod::Get,
                get("openapi", "Describe the API", json_response()),
            ),
        );
    let info = InfoBuilder::new()
        .title("dualpath votes")
        .description(Some(ABOUT))
        .license(Some(License::new("Apache-2.0")))
        .version(env!("CARGO_PKG_VERSION"));
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components()))
        .build()
        .to_pretty_json()
        .unwrap_or_default()
}

fn post(operation: OperationBuilder) -> PathItem {
    PathItem::new(HttpMethod::Post, operation)
}

fn single(id: &str, summary: &str) -> OperationBuilder {
    let operation = OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(summary))
        .parameter_ref(parameter(IDEMPOTENCY_KEY))
        .parameter_ref(parameter(TIMING))
        .request_body(Some(vote_body()))
        .response(
            "202",
            success("Durable in Kafka", "Receipt", "votes.v1.Receipt", true),
        );
    with_vote_problems(operation)
}

fn alias(id: &str) -> OperationBuilder {
    single(id, "Send one vote (alias)").description(Some(ABOUT_ALIAS))
}

fn batch() -> OperationBuilder {
    let description = "Each vote is accepted or rejected on its own. `Idempotency-Key` has no effect here: give each vote its \
                       `vote_id`.";
    let operation = OperationBuilder::new()
        .operation_id(Some("cast_votes"))
        .summary(Some("Send many votes"))
        .description(Some(description))
        .request_body(Some(batch_body()))
        .response(
            "200",
            success(
                "A receipt or a problem per vote, in order",
                "BatchAnswer",
                "votes.v1.CastVotesResponse",
                false,
            ),
        );
    with_batch_problems(operation)
}

fn get(id: &str, summary: &str, response: Response) -> OperationBuilder {
    OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(summary))
        .response("200", response)
        .response("default", Ref::from_response_name("Problem"))
}

fn vote_body() -> RequestBody {
    let json = ContentBuilder::new().schema(Some(Ref::from_schema_name("Vote")));
    let body = RequestBodyBuilder::new()
        .description(Some("At most 16 KiB: a vote as JSON, or `votes.v1.Vote`"))
        .required(Some(Required::True))
        .content("application/json", json.build());
    with_protobuf(body)
}

fn batch_body() -> RequestBody {
    let votes = ArrayBuilder::new()
        .items(Ref::from_schema_name("Vote"))
        .max_items(Some(ingest::MAX_BATCH_VOTES));
    let lines = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("One vote as JSON per line"));
    let body = RequestBodyBuilder::new()
        .description(Some(
            "At most 1,000 votes and 1 MiB: a JSON array, one vote per line, or `votes.v1.CastVotesRequest`",
        ))
        .required(Some(Required::True))
        .content(
            "application/json",
            ContentBuilder::new().schema(Some(votes)).build(),
        )
        .content(
            "application/x-ndjson",
            ContentBuilder::new().schema(Some(lines)).build(),
        );
    with_protobuf(body)
}

fn with_protobuf(body: RequestBodyBuilder) -> RequestBody {
    PROTOBUF_NAMES
        .into_iter()
        .fold(body, |body, name| body.content(name, binary()))
        .build()
}

fn text_response() -> Response {
    responses::plain("The name of the route", "text/plain", Type::String)
}

fn json_response() -> Response {
    responses::plain("This description", "application/json", Type::Object)
}
