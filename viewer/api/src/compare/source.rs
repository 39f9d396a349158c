//! A client for the parts of Prometheus' HTTP API that the comparison needs.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::server::{PrometheusServer, QueryError};
use crate::problem::{Problem, Store};

/// The client.
#[derive(Clone, Debug)]
pub(super) struct Prometheus {
    server: PrometheusServer,
}

/// The times of a curve's points, in s since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    start: u64,
    end: u64,
    step: u64,
}

/// One value per set of labels.
#[derive(Debug, Default)]
pub(super) struct Samples(Vec<(Labels, f64)>);

#[derive(Clone, Debug, Default, Deserialize)]
struct Labels {
    #[serde(default)]
    route: String,
    #[serde(default)]
    stage: Option<String>,
}

#[derive(Deserialize)]
struct Reply<T> {
    data: Data<T>,
}

#[derive(Deserialize)]
struct Data<T> {
    result: Vec<T>,
}

#[derive(Deserialize)]
struct Instant {
    metric: Labels,
    value: Sample,
}

#[derive(Deserialize)]
struct Range {
    metric: Labels,
    values: Vec<Sample>,
}

/// The time in s, and the value as text, which can be `NaN`.
#[derive(Deserialize)]
struct Sample(f64, String);

impl Span {
    /// The window that ends now. All times are multiples of the step, so consecutive responses have the same points.
    pub(super) fn until_now(now: u64, window: u64, step: u64) -> Self {
        let end = now / step * step;
        Self {
            start: end.saturating_sub(window / step * step),
            end,
            step,
        }
    }

    /// All times, ascending.
    pub(super) fn times(&self) -> impl Iterator<Item = u64> {
        (self.start..=self.end).step_by(self.step as usize)
    }
}

impl Samples {
    /// The value with these labels: a route, or a route and a stage.
    pub(super) fn get(&self, labels: &[&str]) -> Option<f64> {
        let found = self.0.iter().find(|(known, _)| {
            let known = [Some(known.route.as_str()), known.stage.as_deref()];
            known.into_iter().flatten().eq(labels.iter().copied())
        });
        found.map(|(_, value)| *value)
    }
}

impl Sample {
    /// None if the value is not finite, such as a quantile of no observations.
    fn value(&self) -> Option<f64> {
        self.1.parse().ok().filter(|value: &f64| value.is_finite())
    }
}

impl Prometheus {
    /// Queries this server.
    pub(super) const fn new(server: PrometheusServer) -> Self {
        Self { server }
    }

    /// Whether Prometheus answers.
    pub(super) async fn ping(&self) -> Result<(), Problem> {
        match self.server.get("-/ready").await {
            Ok(_) => Ok(()),
            Err(error) => Err(problem(&error)),
        }
    }

    /// The current values.
    pub(super) async fn instant(&self, query: String) -> Result<Samples, Problem> {
        let found: Vec<Instant> = self.query("api/v1/query", &[("query", query)]).await?;
        let found = found.into_iter();
        let samples = found.filter_map(|sample| Some((sample.metric, sample.value.value()?)));
        Ok(Samples(samples.collect()))
    }

    /// The values over a span, by route and time.
    pub(super) async fn range(
        &self,
        query: String,
        span: &Span,
    ) -> Result<BTreeMap<(String, u64), f64>, Problem> {
        let form = [
            ("query", query),
            ("start", span.start.to_string()),
            ("end", span.end.to_string()),
            ("step", span.step.to_string()),
        ];
        let found: Vec<Range> = self.query("api/v1/query_range", &form).await?;
        let mut values = BTreeMap::new();
        for series in &found {
            let points = series.values.iter();
            values.extend(points.filter_map(|sample| {
                let at = sample.0.round() as u64;
                Some(((series.metric.route.clone(), at), sample.value()?))
            }));
        }
        Ok(values)
    }

    async fn query<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, String)],
    ) -> Result<Vec<T>, Problem> {
        let body = self
            .server
            .post(path, form)
            .await
            .map_err(|error| problem(&error))?;
        match serde_json::from_slice::<Reply<T>>(&body) {
            Ok(reply) => Ok(reply.data.result),
            Err(error) => {
                tracing::warn!(%error, "the answer of Prometheus to a query is invalid");
                Err(Problem::Unavailable(Store::Metrics))
            }
        }
    }
}

fn problem(error: &QueryError) -> Problem {
    tracing::warn!(%error, "Prometheus did not answer a query");
    match error {
        QueryError::Timeout => Problem::TooSlow(Store::Metrics),
        QueryError::Status(_) | QueryError::Failed(_) => Problem::Unavailable(Store::Metrics),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn span_is_aligned_to_its_step() {
        let times = |now| Span::until_now(now, 60, 20).times().collect::<Vec<_>>();
        assert_eq!(times(1_000), [940, 960, 980, 1_000]);
        assert_eq!(times(1_019), times(1_000));
        assert_eq!(times(1_020), [960, 980, 1_000, 1_020]);
    }

    #[test]
    fn nan_is_not_a_value() {
        let text = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"route":"grpc"},"value":[1.5,"0.25"]},
            {"metric":{"route":"rest","stage":"publish"},"value":[1.5,"2"]},
            {"metric":{"route":"rest"},"value":[1.5,"NaN"]}]}}"#;
        let reply: Reply<Instant> = serde_json::from_str(text).unwrap();
        let found = reply.data.result.into_iter();
        let samples = Samples(
            found
                .filter_map(|sample| Some((sample.metric, sample.value.value()?)))
                .collect(),
        );
        assert_eq!(samples.get(&["grpc"]), Some(0.25));
        assert_eq!(samples.get(&["rest"]), None);
        assert_eq!(samples.get(&["rest", "publish"]), Some(2.0));
    }
}
