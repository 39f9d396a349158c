//! The answer's shape. A value is null where Prometheus has none: no votes, no latency.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;

use super::source::Span;
use super::to_ms;
use crate::logs::format_time;

/// The routes side by side.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    pub window: &'static str,
    /// Time between two points.
    pub step_s: u64,
    /// Over the whole window.
    pub routes: Vec<Route>,
    /// Point by point.
    pub series: Vec<Series>,
}

/// A route over the whole window.
#[derive(Debug, Serialize)]
#[allow(clippy::struct_field_names, reason = "the API's name")]
pub(crate) struct Route {
    pub route: &'static str,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// Accepted ones.
    pub votes_per_s: Option<f64>,
    /// All others.
    pub errors_per_s: Option<f64>,
    /// Means.
    pub stages_ms: Stages,
}

/// Where the time of a vote goes.
#[derive(Debug, Serialize)]
pub(crate) struct Stages {
    pub decode: Option<f64>,
    pub validate: Option<f64>,
    pub encode: Option<f64>,
    pub publish: Option<f64>,
    pub reply: Option<f64>,
}

/// A route's curves.
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
    /// A point for each step of the span, whether there is data or not. `curves` are the three quantiles and the rate.
    pub(super) fn new(route: &'static str, span: &Span, curves: &[BTreeMap<(String, u64), f64>]) -> Self {
        let value = |curve: usize, at: u64| {
            let key = (route.to_owned(), at);
            curves.get(curve).and_then(|curve| curve.get(&key)).copied()
        };
        let points = span.times().map(|at| Point {
            t: text(at),
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

fn text(seconds: u64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds as i64);
    format_time(time.unwrap_or(OffsetDateTime::UNIX_EPOCH))
}
