//! The responses of the operations. Every problem of every operation is documented; `default` covers the rest.

use crate::content_type::PROTOBUF_NAMES;
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, Ref, Response, ResponseBuilder, SchemaFormat};

/// The problems of every request with a body: status, name of the component, description.
const BODY_PROBLEMS: [(&str, &str, &str); 8] = [
    ("400", "Malformed", "The request is malformed"),
    (
        "401",
        "Unauthenticated",
        "Authentication is on, and the token or the certificate is missing or invalid",
    ),
    (
        "403",
        "Forbidden",
        "Authentication is on, and the client has no identity that may vote",
    ),
    ("408", "Slow", "The body was not complete at the deadline"),
    (
        "413",
        "TooLarge",
        "The body, before or after decompression, or the batch is larger than a limit, which the text names",
    ),
    (
        "415",
        "Unsupported",
        "The content type, its charset or the content encoding is not supported",
    ),
    (
        "429",
        "Overloaded",
        "Too many votes or requests in flight, too many buffered bytes, or more votes than the client may send",
    ),
    ("500", "Internal", "A defect or a misconfiguration"),
];

/// The problems of one vote. In a batch they are in the results.
const VOTE_PROBLEMS: [(&str, &str, &str); 4] = [
    (
        "404",
        "NotInCatalogue",
        "The band or the album is not in the catalogue of the server",
    ),
    ("422", "Invalid", "Fields of the vote are invalid"),
    ("503", "Unavailable", "Kafka is unavailable"),
    ("504", "Deadline", "Kafka did not acknowledge in time"),
];

/// The response of a successful request in JSON and in protobuf.
pub(super) fn success(description: &str, schema: &str, message: &str, has_timing: bool) -> Response {
    let json = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema)));
    let response = with_route(ResponseBuilder::new())
        .description(format!("{description}; in response to protobuf as `{message}`"))
        .content("application/json", json.build());
    let response = PROTOBUF_NAMES
        .into_iter()
        .fold(response, |response, name| response.content(name, binary()));
    let response = if has_timing {
        response.header("server-timing", timing())
    } else {
        response
    };
    response.build()
}

/// A response with content of a basic type.
pub(super) fn plain(description: &str, content_type: &str, schema_type: Type) -> Response {
    let schema = ObjectBuilder::new().schema_type(schema_type);
    with_route(ResponseBuilder::new())
        .description(description)
        .content(content_type, ContentBuilder::new().schema(Some(schema)).build())
        .build()
}

/// The schema of bytes. OpenAPI 3.1 says the same with `contentMediaType`, but generators know this form.
fn binary_schema() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
}

/// Content that is bytes.
pub(super) fn binary() -> Content {
    ContentBuilder::new().schema(Some(binary_schema())).build()
}

/// Adds the problems of a single vote.
pub(super) fn with_vote_problems(operation: OperationBuilder) -> OperationBuilder {
    refer_to(with_batch_problems(operation), &VOTE_PROBLEMS)
}

/// Adds the problems of a batch as a whole.
pub(super) fn with_batch_problems(operation: OperationBuilder) -> OperationBuilder {
    refer_to(operation, &BODY_PROBLEMS).response("default", Ref::from_response_name("Problem"))
}

fn refer_to(operation: OperationBuilder, problems: &[(&str, &str, &str)]) -> OperationBuilder {
    problems.iter().fold(operation, |operation, (status, name, _)| {
        operation.response(*status, Ref::from_response_name(*name))
    })
}

/// The components of all problems, and the names of the components.
pub(super) fn problems() -> Vec<(&'static str, Response)> {
    let other = ("default", "Problem", "Any other problem");
    BODY_PROBLEMS
        .into_iter()
        .chain(VOTE_PROBLEMS)
        .chain([other])
        .map(|(status, name, description)| (name, problem(status, description)))
        .collect()
}

fn problem(status: &str, description: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    let response = with_route(ResponseBuilder::new())
        .description(description)
        .content("application/problem+json", content.build());
    let response = match status {
        "401" => response.header(
            "WWW-Authenticate",
            text("The scheme (Bearer); after an invalid token, also the reason"),
        ),
        "415" => response
            .header("Accept", text("The supported content types"))
            .header("Accept-Encoding", text("The supported content encodings")),
        "429" | "503" => response.header("Retry-After", retry_after()),
        _ => response,
    };
    response.header("server-timing", timing()).build()
}

fn with_route(response: ResponseBuilder) -> ResponseBuilder {
    response.header("x-ingest-route", text("The route: `rest` or `bridge`"))
}

fn timing() -> Header {
    text(
        "If a single vote requests it: ms in decode, validate, encode, publish and reply, and the total since the request head",
    )
}

fn retry_after() -> Header {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    HeaderBuilder::new()
        .schema(Some(seconds))
        .description(Some("Wait for this many seconds before a retry"))
        .build()
}

fn text(description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(description))
        .build()
}
