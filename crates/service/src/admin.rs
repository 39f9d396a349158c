//! The admin port: `/metrics`, `/livez`, `/readyz`. Apart from the data port, so that a flood of votes cannot starve
//! the probes' listener, and so that it need not be reachable from outside.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{Encoder, Registry, TextEncoder};
use serde::Serialize;

use crate::Readiness;

#[derive(Clone)]
struct Admin {
    registry: Registry,
    readiness: Readiness,
}

#[derive(Serialize)]
struct ReadinessReport {
    ready: bool,
    checks: std::collections::BTreeMap<&'static str, String>,
}

pub(crate) fn router(registry: Registry, readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Admin { registry, readiness })
}

async fn readyz(State(admin): State<Admin>) -> (StatusCode, Json<ReadinessReport>) {
    let ready = admin.readiness.is_ready();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(ReadinessReport {
            ready,
            checks: admin.readiness.report(),
        }),
    )
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let mut text = Vec::with_capacity(32 * 1024);
    match TextEncoder::new().encode(&admin.registry.gather(), &mut text) {
        Ok(()) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
