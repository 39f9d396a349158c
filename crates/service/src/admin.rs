//! The HTTP API of the admin port: `/metrics`, `/livez`, `/readyz`, `/config`. The port is separate from the data port:
//! probes get a response under overload, and only the data port must be reachable from outside.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{Encoder, Registry, TextEncoder};
use serde::Serialize;

use crate::effective_config::SharedConfig;
use crate::environment;
use crate::readiness::Readiness;

#[derive(Clone)]
struct Admin {
    registry: Registry,
    readiness: Readiness,
    configuration: SharedConfig,
}

#[derive(Serialize)]
struct ReadinessReport {
    ready: bool,
    checks: std::collections::BTreeMap<&'static str, String>,
}

pub(crate) fn router(registry: Registry, readiness: Readiness, configuration: SharedConfig) -> Router {
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

/// The effective settings, their hash, and the limits of the machine. 503 until the process has published its settings.
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
