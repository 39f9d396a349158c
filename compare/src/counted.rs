//! How fast votes are counted, as the consumer says on its admin port.

use anyhow::{Context, Result};
use lab::endpoints::Endpoints;

use crate::data::Counted;
use crate::plan::Route;

/// The consumer, to be asked before a block and after it.
#[derive(Debug)]
pub struct Consumer {
    metrics: String,
    client: reqwest::Client,
}

impl Consumer {
    /// The consumer at these endpoints.
    pub fn new(endpoints: &Endpoints) -> Self {
        Self {
            metrics: format!("{}/metrics", endpoints.consumer_admin),
            client: reqwest::Client::new(),
        }
    }

    /// The votes of a route that it has counted since its start, by how long that took.
    pub async fn counted(&self, route: Route) -> Result<Counted> {
        let url = &self.metrics;
        let asking = async {
            let answer = self.client.get(url).send().await?;
            answer.error_for_status()?.text().await
        };
        let metrics = asking
            .await
            .with_context(|| format!("asking the consumer at {url} for its metrics"))?;
        Ok(Counted::read(&metrics, route))
    }
}

impl Counted {
    /// The histogram of a route; without buckets if there is none.
    fn read(metrics: &str, route: Route) -> Self {
        const NAME: &str = "consumer_end_to_end_seconds";
        let labels = format!("route=\"{}\"", route.name());
        let mut counted = Self::default();
        let of_route = metrics.lines().filter_map(|line| line.strip_prefix(NAME));
        for (series, value) in of_route.filter_map(|line| line.rsplit_once(' ')) {
            if !series.contains(&labels) {
                continue;
            }
            if series.starts_with("_sum") {
                counted.sum_s = value.parse().unwrap_or_default();
            } else if let Some((_, bound)) = series.split_once("le=\"") {
                let bound = bound.split('"').next().unwrap_or_default();
                // "+Inf" is infinite to Rust as well.
                if let (Ok(bound), Ok(votes)) = (bound.parse(), value.parse()) {
                    counted.buckets.push((bound, votes));
                }
            }
        }
        counted
    }

    /// What was counted since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let then = |bound: f64| {
            let mut buckets = before.buckets.iter();
            buckets
                .find(|(other, _)| *other >= bound)
                .map_or(0, |(_, votes)| *votes)
        };
        let buckets = self.buckets.iter();
        Self {
            buckets: buckets
                .map(|&(bound, votes)| (bound, votes.saturating_sub(then(bound))))
                .collect(),
            sum_s: (self.sum_s - before.sum_s).max(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_a_difference_of_two_reads() {
        let metrics = |some: u64, all: u64, sum: f64| {
            format!(
                "# TYPE consumer_end_to_end_seconds histogram\n\
                 consumer_end_to_end_seconds_bucket{{route=\"grpc\",le=\"0.1\"}} 99\n\
                 consumer_end_to_end_seconds_bucket{{route=\"rest\",le=\"0.1\"}} {some}\n\
                 consumer_end_to_end_seconds_bucket{{route=\"rest\",le=\"+Inf\"}} {all}\n\
                 consumer_end_to_end_seconds_sum{{route=\"rest\"}} {sum}\n\
                 consumer_end_to_end_seconds_count{{route=\"rest\"}} {all}\n"
            )
        };
        let read = |text: String| Counted::read(&text, Route::Rest);
        let counted = read(metrics(7, 10, 2.5)).since(&read(metrics(2, 4, 1.0)));
        assert_eq!(counted.buckets, [(0.1, 5), (f64::INFINITY, 6)]);
        assert!((counted.sum_s - 1.5).abs() < 1e-9);
    }
}
