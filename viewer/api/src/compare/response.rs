//! The response. A value is null if Prometheus has none: without votes there is no latency.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;

use super::source::Span;
use crate::logs::format_time;

/// The comparison of the routes.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    pub window: &'static str,
    /// The time between two points.
    pub step_s: u64,
    /// The values over the whole window.
    pub routes: Vec<Route>,
    /// The values over time.
    pub series: Vec<Series>,
}

/// The values of one route over the whole window.
#[derive(Debug, Serialize)]
#[allow(clippy::struct_field_names, reason = "the name is part of the API")]
pub(crate) struct Route {
    pub route: &'static str,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// Accepted votes.
    pub votes_per_s: Option<f64>,
    /// Requests that were not accepted, for any reason.
    pub errors_per_s: Option<f64>,
    /// Mean durations.
    pub stages_ms: Stages,
}

/// The mean duration of each stage of a request, in ms.
#[derive(Debug, Serialize)]
pub(crate) struct Stages {
    pub decode: Option<f64>,
    pub validate: Option<f64>,
    pub encode: Option<f64>,
    pub publish: Option<f64>,
    pub reply: Option<f64>,
}

/// The values of one route over time.
#[derive(Debug, Serialize)]
pub(crate) struct Series {
    route: &'static str,
    points: Vec<Point>,
}

#[derive(Debug, Serialize)]
struct Point {
    t: String,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    votes_per_s: Option<f64>,
}

impl Series {
    /// One point for each step of the span, with or without data. `curves` has the three quantiles and the rate.
    pub(super) fn new(route: &'static str, span: &Span, curves: &[BTreeMap<(String, u64), f64>]) -> Self {
        let value = |curve: usize, at: u64| {
            let key = (route.to_owned(), at);
            curves.get(curve).and_then(|curve| curve.get(&key)).copied()
        };
        let points = span.times().map(|at| Point {
            t: format_seconds(at),
            p50_ms: value(0, at).map(to_ms),
            p95_ms: value(1, at).map(to_ms),
            p99_ms: value(2, at).map(to_ms),
            votes_per_s: value(3, at),
        });
        Self {
            route,
            points: points.collect(),
        }
    }
}

pub(super) fn to_ms(seconds: f64) -> f64 {
    seconds * 1_000.0
}

fn format_seconds(seconds: u64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds as i64);
    format_time(time.unwrap_or(OffsetDateTime::UNIX_EPOCH))
}
