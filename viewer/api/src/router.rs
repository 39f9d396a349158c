//! The addresses of the service, and the middleware in front of each.

use std::path::Path;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tower::util::MapResponseLayer;
use tower_http::limit::RequestBodyLimitLayer;

use crate::client::{self, TrustedProxies};
use crate::compare::{Metrics, compare};
use crate::follow::{StreamState, stream};
use crate::logs::{ExportSlots, Logs, export, page};
use crate::problem::Problem;
use crate::rate_limit::{RateLimit, limit_rate};
use crate::request_metrics::RequestMetrics;
use crate::status::{Stores, status};
use crate::tallies::{Tallies, bands, tallies};
use crate::{reports, security_headers, static_files};

/// Limit for request bodies. No handler reads one.
const MAX_BODY_BYTES: usize = 1_024;

/// The limits on each client.
#[derive(Debug)]
pub(crate) struct Limits {
    pub rate: RateLimit,
    pub trusted_proxies: TrustedProxies,
}

/// The state of all handlers. Each handler extracts its part.
#[derive(Clone, Debug)]
pub(crate) struct AppState {
    pub stores: Stores,
    pub exports: ExportSlots,
    pub streams: StreamState,
}

/// The whole service. Middleware of every request, from the outside in: security headers of the response, identification of
/// the client, limit of the body. The API also has a rate limit and request metrics.
pub(crate) fn router(app: AppState, web_dir: &Path, metrics: &RequestMetrics, limits: Limits) -> Router {
    let api = Router::new()
        .route("/api/status", metrics.observe("status", get(status)))
        .route("/api/logs", metrics.observe("logs", get(page)))
        .route("/api/logs/export", metrics.observe("export", get(export)))
        .route("/api/logs/stream", metrics.observe("stream", get(stream)))
        .route("/api/bands", metrics.observe("bands", get(bands)))
        .route("/api/tallies", metrics.observe("tallies", get(tallies)))
        .route("/api/compare", metrics.observe("compare", get(compare)))
        .route("/api/reports", metrics.observe("reports", get(reports::list)))
        .route(
            "/reports/{name}/report.html",
            metrics.observe("report", get(reports::page)),
        )
        .route_layer(from_fn_with_state(limits.rate, limit_rate));
    Router::new()
        // For probes of the platform: without a rate limit.
        .route("/api/live", get(|| async { "ok" }))
        .merge(api)
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .with_state(app)
        .merge(static_files::router(web_dir))
        .layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES))
        .layer(from_fn_with_state(limits.trusted_proxies, client::identify))
        .layer(MapResponseLayer::new(security_headers::add))
}

/// Answers the requests beyond the listener's limit.
pub(crate) fn overflow() -> Router {
    Router::new()
        .fallback(async || Problem::TooMany {
            detail: "too many requests are in progress",
            retry_after_s: 1,
        })
        .layer(MapResponseLayer::new(security_headers::add))
}

impl FromRef<AppState> for Stores {
    fn from_ref(app: &AppState) -> Self {
        app.stores.clone()
    }
}

impl FromRef<AppState> for Logs {
    fn from_ref(app: &AppState) -> Self {
        app.stores.logs.clone()
    }
}

impl FromRef<AppState> for Tallies {
    fn from_ref(app: &AppState) -> Self {
        app.stores.tallies.clone()
    }
}

impl FromRef<AppState> for Metrics {
    fn from_ref(app: &AppState) -> Self {
        app.stores.metrics.clone()
    }
}

impl FromRef<AppState> for reports::Reports {
    fn from_ref(app: &AppState) -> Self {
        app.stores.reports.clone()
    }
}

impl FromRef<AppState> for ExportSlots {
    fn from_ref(app: &AppState) -> Self {
        app.exports.clone()
    }
}

impl FromRef<AppState> for StreamState {
    fn from_ref(app: &AppState) -> Self {
        app.streams.clone()
    }
}
