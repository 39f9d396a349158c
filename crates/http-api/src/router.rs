//! Paths to handlers.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ingest::{Ingest, Sink};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::body::discard_briefly;
use crate::problem::ProblemJson;
use crate::{batch, openapi_json, single};

/// The HTTP API over one route. Every answer, refusals and unknown paths included, carries `x-ingest-route`.
pub fn router<S: Sink>(ingest: Arc<Ingest<S>>) -> Router {
    let route = ingest.route().as_str();
    let names_route = names_route(&ingest);
    // `/`, `/insert` and `/send_data` are where the course's own traffic scripts post to.
    Router::new()
        .route("/v1/votes", post(single::cast::<S>))
        .route("/v1/votes:batch", post(batch::cast::<S>))
        .route(
            "/",
            post(single::cast::<S>).get(move || async move { format!("dualpath {route}\n") }),
        )
        .route("/insert", post(single::cast::<S>))
        .route("/send_data", post(single::cast::<S>))
        .route("/openapi.json", get(openapi))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(names_route)
        .with_state(ingest)
}

/// Refuses every call: what answers when there is no room for another.
pub fn overflow<S: Sink>(ingest: Arc<Ingest<S>>) -> Router {
    let names_route = names_route(&ingest);
    Router::new()
        .fallback(refuse::<S>)
        .layer(names_route)
        .with_state(ingest)
}

async fn refuse<S: Sink>(State(ingest): State<Arc<Ingest<S>>>, request: Request) -> Response {
    discard_briefly(&mut request.into_body()).await;
    ProblemJson::from(&ingest.refuse_unread()).into_response()
}

fn names_route<S: Sink>(ingest: &Ingest<S>) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(
        HeaderName::from_static("x-ingest-route"),
        HeaderValue::from_static(ingest.route().as_str()),
    )
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi_json()).into_response()
}

async fn not_found() -> Response {
    ProblemJson::of_http(
        StatusCode::NOT_FOUND,
        "There is nothing here",
        "see /openapi.json for the paths",
    )
    .into_response()
}

async fn method_not_allowed() -> Response {
    ProblemJson::of_http(
        StatusCode::METHOD_NOT_ALLOWED,
        "The method is not allowed here",
        "votes are sent by POST",
    )
    .into_response()
}
