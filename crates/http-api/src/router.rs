//! Maps paths to handlers.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ingest::{Ingest, Sink};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::body::discard_briefly;
use crate::problem::ProblemJson;
use crate::{batch, grpc_client, openapi_json, single};

/// The HTTP API of one route. Every response has `x-ingest-route`, errors and unknown paths included.
pub fn router<S: Sink>(ingest: Arc<Ingest<S>>) -> Router {
    let route = ingest.route().as_str();
    let route_header = route_header_layer(&ingest);
    // The traffic scripts of the course post to `/`, `/insert` and `/send_data`.
    Router::new()
        .route("/v1/votes", post(single::cast_vote::<S>))
        .route("/v1/votes:batch", post(batch::cast_votes::<S>))
        .route(
            "/",
            post(single::cast_vote::<S>).get(move || async move { format!("dualpath {route}\n") }),
        )
        .route("/insert", post(single::cast_vote::<S>))
        .route("/send_data", post(single::cast_vote::<S>))
        .route("/openapi.json", get(openapi))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(route_header)
        .with_state(ingest)
}

/// Rejects every request. The listener uses it while the limit of requests in flight is reached.
pub fn overload_router<S: Sink>(ingest: Arc<Ingest<S>>) -> Router {
    let route_header = route_header_layer(&ingest);
    Router::new()
        .fallback(reject::<S>)
        .layer(route_header)
        .with_state(ingest)
}

async fn reject<S: Sink>(State(ingest): State<Arc<Ingest<S>>>, request: Request) -> Response {
    discard_briefly(&mut request.into_body()).await;
    ProblemJson::from(&ingest.reject_unread()).into_response()
}

fn route_header_layer<S: Sink>(ingest: &Ingest<S>) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(
        HeaderName::from_static("x-ingest-route"),
        HeaderValue::from_static(ingest.route().as_str()),
    )
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi_json()).into_response()
}

async fn not_found(headers: HeaderMap) -> Response {
    if let Some(response) = grpc_client::unimplemented(&headers) {
        return response;
    }
    ProblemJson::for_status(
        StatusCode::NOT_FOUND,
        "This path does not exist",
        "see /openapi.json for the available paths",
    )
    .into_response()
}

async fn method_not_allowed() -> Response {
    ProblemJson::for_status(
        StatusCode::METHOD_NOT_ALLOWED,
        "This path does not support the method",
        "send votes with POST",
    )
    .into_response()
}
