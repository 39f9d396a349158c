//! Which address leads where, and what stands before it.

use std::path::Path;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tower::util::MapResponseLayer;
use tower_http::limit::RequestBodyLimitLayer;

use crate::compare::{Metrics, compare};
use crate::follow::{StreamState, stream};
use crate::guard::{self, Limits};
use crate::logs::{Exports, Logs, export, page};
use crate::observe::Requests;
use crate::problem::Problem;
use crate::status::{Stores, status};
use crate::tallies::{Tallies, bands, tallies};
use crate::{pages, reports};

/// No request has a body that anybody reads.
const MAX_BODY_BYTES: usize = 1_024;

/// What the handlers need; each takes its part.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub stores: Stores,
    pub exports: Exports,
    pub streams: StreamState,
}

/// The whole service: for each request from the outside in, the headers of the answer, who asks, the size of the body;
/// for the API also its time, and how often this client asks.
pub(crate) fn router(app: App, web_dir: &Path, requests: &Requests, limits: Limits) -> Router {
    let api = Router::new()
        .route("/api/status", requests.around("status", get(status)))
        .route("/api/logs", requests.around("logs", get(page)))
        .route("/api/logs/export", requests.around("export", get(export)))
        .route("/api/logs/stream", requests.around("stream", get(stream)))
        .route("/api/bands", requests.around("bands", get(bands)))
        .route("/api/tallies", requests.around("tallies", get(tallies)))
        .route("/api/compare", requests.around("compare", get(compare)))
        .route("/api/reports", requests.around("reports", get(reports::list)))
        .route(
            "/reports/{name}/report.html",
            requests.around("report", get(reports::page)),
        )
        .route_layer(from_fn_with_state(limits.clone(), guard::limit_rate));
    Router::new()
        // For the platform's probes, as often as it likes.
        .route("/api/live", get(|| async { "ok" }))
        .merge(api)
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .with_state(app)
        .merge(pages::router(web_dir))
        .layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES))
        .layer(from_fn_with_state(limits, guard::identify))
        .layer(MapResponseLayer::new(guard::be_strict))
}

/// The answer to calls beyond the limit.
pub(crate) fn overflow() -> Router {
    Router::new()
        .fallback(async || Problem::TooMany {
            detail: "too many calls are in progress",
            retry_after_s: 1,
        })
        .layer(MapResponseLayer::new(guard::be_strict))
}

impl FromRef<App> for Stores {
    fn from_ref(app: &App) -> Self {
        app.stores.clone()
    }
}

impl FromRef<App> for Logs {
    fn from_ref(app: &App) -> Self {
        app.stores.logs.clone()
    }
}

impl FromRef<App> for Tallies {
    fn from_ref(app: &App) -> Self {
        app.stores.tallies.clone()
    }
}

impl FromRef<App> for Metrics {
    fn from_ref(app: &App) -> Self {
        app.stores.metrics.clone()
    }
}

impl FromRef<App> for reports::Reports {
    fn from_ref(app: &App) -> Self {
        app.stores.reports.clone()
    }
}

impl FromRef<App> for Exports {
    fn from_ref(app: &App) -> Self {
        app.exports.clone()
    }
}

impl FromRef<App> for StreamState {
    fn from_ref(app: &App) -> Self {
        app.streams.clone()
    }
}
