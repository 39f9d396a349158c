//! Maps paths to handlers.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ingest::{Ingest, Sink};
use tower::ServiceExt;
use tower_http::cors::CorsLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::body::discard_unless_client_waits;
use crate::content_type::JSON;
use crate::path::normalised_uri;
use crate::problem::ProblemJson;
use crate::{batch, grpc_client, openapi_json, single};

/// The header that names the route in every response.
pub const ROUTE_HEADER: HeaderName = HeaderName::from_static("x-ingest-route");

/// Request headers that the API reads, for CORS. `x-canary` is for the Ingress.
pub const REQUEST_HEADERS: [HeaderName; 8] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-dualpath-timing"),
    HeaderName::from_static(ingest::TRACEPARENT),
    HeaderName::from_static(ingest::TRACESTATE),
    HeaderName::from_static("x-canary"),
];

/// Response headers that the pages of other origins may read, for CORS.
pub const RESPONSE_HEADERS: [HeaderName; 4] = [
    ROUTE_HEADER,
    header::WWW_AUTHENTICATE,
    header::RETRY_AFTER,
    HeaderName::from_static("server-timing"),
];

/// The HTTP API of one route. Every response has `x-ingest-route`, errors and unknown paths included. With `cors`, every
/// response also says which pages may read it.
pub fn router<S: Sink>(ingest: Arc<Ingest<S>>, cors: Option<CorsLayer>) -> Router {
    let route = ingest.route().as_str();
    let route_header = route_header_layer(&ingest);
    let description = Bytes::from(openapi_json());
    // The traffic scripts of the course post to `/`, `/insert` and `/send_data`.
    let paths = Router::new()
        .route("/v1/votes", post(single::cast_vote::<S>))
        .route("/v1/votes:batch", post(batch::cast_votes::<S>))
        .route(
            "/",
            post(single::cast_vote::<S>).get(move || async move { format!("dualpath {route}\n") }),
        )
        .route("/insert", post(single::cast_vote::<S>))
        .route("/send_data", post(single::cast_vote::<S>))
        .route(
            "/openapi.json",
            get(async move || ([(header::CONTENT_TYPE, JSON)], description.clone())),
        )
        .fallback(not_found)
        .method_not_allowed_fallback(other_method)
        .with_state(ingest);
    // Only a path that no handler has is normalised, so that usual requests do not pay for it.
    let normalised_paths = paths.clone();
    let router = paths.fallback(
        async move |request: Request| match normalised_uri(request.uri()) {
            Some(uri) => {
                let (mut head, body) = request.into_parts();
                head.uri = uri;
                let response = normalised_paths.oneshot(Request::from_parts(head, body)).await;
                response.unwrap_or_else(|never| match never {})
            }
            None => not_found(request).await,
        },
    );
    with_cors(router, cors).layer(route_header)
}

/// Rejects every request. The listener uses it while the limit of requests in flight is reached.
pub fn overload_router<S: Sink>(ingest: Arc<Ingest<S>>, cors: Option<CorsLayer>) -> Router {
    let route_header = route_header_layer(&ingest);
    let router = Router::new().fallback(reject::<S>).with_state(ingest);
    with_cors(router, cors).layer(route_header)
}

fn with_cors(router: Router, cors: Option<CorsLayer>) -> Router {
    match cors {
        Some(cors) => router.layer(cors),
        None => router,
    }
}

fn route_header_layer<S: Sink>(ingest: &Ingest<S>) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(ROUTE_HEADER, HeaderValue::from_static(ingest.route().as_str()))
}

async fn reject<S: Sink>(State(ingest): State<Arc<Ingest<S>>>, request: Request) -> Response {
    discard_body(request).await;
    ProblemJson::from(&ingest.reject_unread()).into_response()
}

async fn not_found(request: Request) -> Response {
    // `OPTIONS *` asks about the server as a whole.
    if request.method() == Method::OPTIONS && request.uri().path() == "*" {
        return (StatusCode::NO_CONTENT, [(header::ALLOW, "GET,HEAD,POST")]).into_response();
    }
    let grpc_response = grpc_client::unimplemented(request.headers());
    discard_body(request).await;
    if let Some(response) = grpc_response {
        return response;
    }
    ProblemJson::for_status(
        StatusCode::NOT_FOUND,
        "This path does not exist",
        "send votes to /v1/votes or /v1/votes:batch; see /openapi.json for the whole API",
    )
    .into_response()
}

/// Answers a method that a path does not have. axum adds the header `Allow`.
async fn other_method(request: Request) -> Response {
    if request.method() == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let detail = match request.uri().path() {
        "/openapi.json" => "read this path with GET",
        "/" => "send votes with POST; GET answers with the name of the route",
        _ => "send votes with POST",
    };
    discard_body(request).await;
    ProblemJson::for_status(
        StatusCode::METHOD_NOT_ALLOWED,
        "This path does not support the method",
        detail,
    )
    .into_response()
}

async fn discard_body(request: Request) {
    let (head, mut body) = request.into_parts();
    discard_unless_client_waits(&head.headers, &mut body).await;
}
