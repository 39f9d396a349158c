//! The admin port: `/metrics`, `/livez`, `/readyz`, `/config`. Apart from the data port, so that a flood of votes cannot starve
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

use crate::effective_config::Announced;
use crate::{Readiness, environment};

#[derive(Clone)]
struct Admin {
    registry: Registry,
    readiness: Readiness,
    configuration: Announced,
}

#[derive(Serialize)]
struct ReadinessReport {
    ready: bool,
    checks: std::collections::BTreeMap<&'static str, String>,
}

pub(crate) fn router(registry: Registry, readiness: Readiness, configuration: Announced) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/config", get(config))
        .with_state(Admin {
            registry,
            readiness,
            configuration,
        })
}

/// What is in force: settings, under their hash, and what the machine gives. 503 until they are known.
async fn config(State(admin): State<Admin>) -> Response {
    let Some(effective) = admin.configuration.get() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    Json(serde_json::json!({
        "config_hash": effective.hash(),
        "settings": effective.settings(),
        "environment": environment::describe(),
    }))
    .into_response()
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
