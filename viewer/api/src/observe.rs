//! How long answers take.

use std::convert::Infallible;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::MethodRouter;
use prometheus::{Histogram, HistogramVec, Registry};
use service::metrics;

/// The endpoints' durations.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    durations: HistogramVec,
}

/// Those of one endpoint, by outcome.
#[derive(Clone, Debug)]
struct Outcomes {
    /// There was an answer.
    answered: Histogram,
    /// The request was at fault, or there were too many.
    refused: Histogram,
    /// This service or a store was.
    failed: Histogram,
}

impl Requests {
    /// Registers the metric.
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let durations = metrics::duration_histogram(
            registry,
            "viewer_request_duration_seconds",
            "From the arrival of a request to the API until its answer begins",
            &["endpoint", "outcome"],
        )?;
        Ok(Self { durations })
    }

    /// The handler, timed; its series exist from now on.
    pub(crate) fn around<S: Clone + Send + Sync + 'static>(
        &self,
        endpoint: &str,
        handler: MethodRouter<S, Infallible>,
    ) -> MethodRouter<S, Infallible> {
        let of = |outcome| self.durations.with_label_values(&[endpoint, outcome]);
        let outcomes = Outcomes {
            answered: of("answered"),
            refused: of("refused"),
            failed: of("failed"),
        };
        handler.layer(from_fn_with_state(outcomes, time))
    }
}

async fn time(State(outcomes): State<Outcomes>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let response = next.run(request).await;
    let status = response.status();
    let duration = if status.is_server_error() {
        &outcomes.failed
    } else if status.is_client_error() {
        &outcomes.refused
    } else {
        &outcomes.answered
    };
    duration.observe(started.elapsed().as_secs_f64());
    response
}
