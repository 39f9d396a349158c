//! `GET /api/compare`: a live comparison of the routes, from Prometheus. It is not a benchmark: `make compare` decides
//! which route is faster.

mod connector;
mod response;
mod server;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use crate::cache::Cached;
use crate::logs::ROUTES;
use crate::problem::{Problem, Store};
use crate::query::{FromParameters, Parameters, Valid};
use response::{Comparison, Route, Series, Stages, to_ms};
pub(crate) use server::{PrometheusArgs, PrometheusServer};
use source::{Prometheus, Samples, Span};

/// The selectable windows: name and length in s.
const WINDOWS: [(&str, u64); 4] = [("1m", 60), ("5m", 300), ("15m", 900), ("1h", 3_600)];
const DEFAULT_WINDOW: usize = 1;
/// Maximum number of points of a curve. With more points, they would be less than two pixels apart on a phone.
const POINTS: u64 = 60;
/// Scrapes that a rate needs, so that one lost scrape leaves no gap.
const MIN_SCRAPES: u64 = 4;
/// How long a response is cached.
const CACHE_LIFETIME: Duration = Duration::from_secs(2);

/// The metrics of the routes in Prometheus.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    prometheus: Option<Prometheus>,
    scrape_interval_s: u64,
    cached: [Cached<Arc<Comparison>>; WINDOWS.len()],
}

/// The parameters of a request: the index of the window in [`WINDOWS`].
#[derive(Debug)]
pub(crate) struct CompareQuery {
    window: usize,
}

impl FromParameters for CompareQuery {
    fn take(parameters: &mut Parameters) -> Self {
        let window = parameters.take("window", |text| {
            let index = WINDOWS.iter().position(|(name, _)| *name == text);
            index.ok_or_else(|| format!("must be one of {}", WINDOWS.map(|(name, _)| name).join(", ")).into())
        });
        Self {
            window: window.unwrap_or(DEFAULT_WINDOW),
        }
    }
}

pub(crate) async fn compare(
    State(metrics): State<Metrics>,
    Valid(query): Valid<CompareQuery>,
) -> Result<Response, Problem> {
    let window = WINDOWS.get(query.window).zip(metrics.cached.get(query.window));
    let (&(name, seconds), cached) = window.ok_or_else(|| {
        tracing::error!(
            window = query.window,
            "no cache for this window of the comparison"
        );
        Problem::Internal
    })?;
    let load = || {
        let metrics = metrics.clone();
        async move { metrics.query(name, seconds).await.map(Arc::new) }
    };
    let response = cached.get(load).await?;
    Ok(Json(&*response).into_response())
}

impl Metrics {
    /// `scrape_interval_s` is how often Prometheus scrapes the services.
    pub(crate) fn new(server: Option<PrometheusServer>, scrape_interval_s: u32) -> Self {
        Self {
            prometheus: server.map(Prometheus::new),
            scrape_interval_s: scrape_interval_s.into(),
            cached: [(); WINDOWS.len()].map(|()| Cached::new(CACHE_LIFETIME)),
        }
    }

    /// Whether Prometheus answers.
    pub(crate) async fn ping(&self) -> Result<(), Problem> {
        self.prometheus()?.ping().await
    }

    fn prometheus(&self) -> Result<&Prometheus, Problem> {
        self.prometheus
            .as_ref()
            .ok_or(Problem::NotConfigured(Store::Metrics))
    }

    async fn query(&self, window: &'static str, window_s: u64) -> Result<Comparison, Problem> {
        let prometheus = self.prometheus()?;
        let step_s = (window_s / POINTS).max(self.scrape_interval_s);
        let span = Span::until_now(now_s(), window_s, step_s);
        // A rate over fewer scrapes has gaps. A rate over less than a step would miss votes between points.
        let rate_s = step_s.max(MIN_SCRAPES * self.scrape_interval_s);
        let totals_s = window_s.max(MIN_SCRAPES * self.scrape_interval_s);
        let (totals, curves, stages) = tokio::try_join!(
            self.totals(prometheus, totals_s),
            curves(prometheus, &span, rate_s),
            prometheus.instant(stages_query(totals_s)),
        )?;
        let stage = |route: &str, stage: &str| stages.get(&[route, stage]).map(to_ms);
        let total = |index: usize, route: &str| totals.get(index).and_then(|found| found.get(&[route]));
        let routes = ROUTES.map(|route| Route {
            route,
            p50_ms: total(0, route).map(to_ms),
            p95_ms: total(1, route).map(to_ms),
            p99_ms: total(2, route).map(to_ms),
            votes_per_s: total(3, route),
            errors_per_s: total(4, route),
            stages_ms: Stages {
                decode: stage(route, "decode"),
                validate: stage(route, "validate"),
                encode: stage(route, "encode"),
                publish: stage(route, "publish"),
                reply: stage(route, "reply"),
            },
        });
        Ok(Comparison {
            window,
            step_s,
            routes: routes.into(),
            series: ROUTES.map(|route| Series::new(route, &span, &curves)).into(),
        })
    }

    /// The quantiles, the rate of votes and the rate of errors, over the whole window.
    async fn totals(&self, prometheus: &Prometheus, window_s: u64) -> Result<Vec<Samples>, Problem> {
        let queries = quantile_queries(window_s)
            .into_iter()
            .chain([votes_query(window_s), errors_query(window_s)]);
        futures::future::try_join_all(queries.map(|query| prometheus.instant(query))).await
    }
}

/// The quantiles and the rate of votes, over time.
async fn curves(
    prometheus: &Prometheus,
    span: &Span,
    rate_s: u64,
) -> Result<Vec<BTreeMap<(String, u64), f64>>, Problem> {
    let queries = quantile_queries(rate_s).into_iter().chain([votes_query(rate_s)]);
    futures::future::try_join_all(queries.map(|query| prometheus.range(query, span))).await
}

fn quantile_queries(rate_s: u64) -> Vec<String> {
    let quantile = |quantile: &str| {
        format!(
            "histogram_quantile({quantile}, sum by (route, le) \
             (rate(ingest_request_duration_seconds_bucket{{outcome=\"accepted\"}}[{rate_s}s])))"
        )
    };
    ["0.5", "0.95", "0.99"].map(quantile).to_vec()
}

fn votes_query(rate_s: u64) -> String {
    format!("sum by (route) (rate(ingest_request_duration_seconds_count{{outcome=\"accepted\"}}[{rate_s}s]))")
}

/// The rate of requests that were not accepted, for any reason.
fn errors_query(rate_s: u64) -> String {
    format!(
        "sum by (route) (rate(ingest_request_duration_seconds_count{{outcome!=\"accepted\"}}[{rate_s}s]))"
    )
}

/// The mean duration of each stage.
fn stages_query(rate_s: u64) -> String {
    let rate =
        |part| format!("sum by (route, stage) (rate(ingest_stage_duration_seconds_{part}[{rate_s}s]))");
    format!("{} / {}", rate("sum"), rate("count"))
}

fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
