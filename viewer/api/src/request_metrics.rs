//! Durations of the API's responses, as a metric.

use std::convert::Infallible;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::MethodRouter;
use prometheus::{Histogram, HistogramVec, Registry};
use service::metrics;

/// The durations of all endpoints.
#[derive(Clone, Debug)]
pub(crate) struct RequestMetrics {
    durations: HistogramVec,
}

/// The durations of one endpoint, by outcome.
#[derive(Clone, Debug)]
struct EndpointDurations {
    /// The request was answered.
    answered: Histogram,
    /// The request was invalid, or a limit was reached.
    rejected: Histogram,
    /// This service or a store failed.
    failed: Histogram,
}

impl RequestMetrics {
    /// Registers the metric.
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let durations = metrics::duration_histogram(
            registry,
            "viewer_request_duration_seconds",
            "From the arrival of a request to the API until its response begins",
            &["endpoint", "outcome"],
        )?;
        Ok(Self { durations })
    }

    /// Wraps a handler so that its duration is observed. The endpoint's series exist from now on.
    pub(crate) fn observe<S: Clone + Send + Sync + 'static>(
        &self,
        endpoint: &str,
        handler: MethodRouter<S, Infallible>,
    ) -> MethodRouter<S, Infallible> {
        let histogram = |outcome| self.durations.with_label_values(&[endpoint, outcome]);
        let durations = EndpointDurations {
            answered: histogram("answered"),
            rejected: histogram("rejected"),
            failed: histogram("failed"),
        };
        handler.layer(from_fn_with_state(durations, observe_request))
    }
}

async fn observe_request(
    State(durations): State<EndpointDurations>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let response = next.run(request).await;
    let status = response.status();
    let duration = if status.is_server_error() {
        &durations.failed
    } else if status.is_client_error() {
        &durations.rejected
    } else {
        &durations.answered
    };
    duration.observe(started.elapsed().as_secs_f64());
    response
}
