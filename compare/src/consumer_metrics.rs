//! Reads the consumer's metrics: the delay from a vote's receipt until it is counted.

use analysis::observations::CountingDelays;
use anyhow::{Context, Result};
use experiment_model::variant::Route;
use lab::endpoints::Endpoints;

/// The metrics endpoint of the consumer.
#[derive(Debug)]
pub struct ConsumerMetrics {
    url: String,
    client: reqwest::Client,
}

impl ConsumerMetrics {
    /// The consumer at these endpoints.
    pub fn new(endpoints: &Endpoints) -> Self {
        Self {
            url: format!("{}/metrics", endpoints.consumer_admin),
            client: reqwest::Client::new(),
        }
    }

    /// Counting delays of all votes of a route since the start of the consumer.
    pub async fn counting_delays(&self, route: Route) -> Result<CountingDelays> {
        let url = &self.url;
        let request = async {
            let answer = self.client.get(url).send().await?;
            answer.error_for_status()?.text().await
        };
        let metrics = request
            .await
            .with_context(|| format!("reading the metrics of the consumer at {url}"))?;
        Ok(parse_counting_delays(&metrics, route))
    }
}

/// The histogram of a route; without buckets if the metrics have none.
fn parse_counting_delays(metrics: &str, route: Route) -> CountingDelays {
    const NAME: &str = "consumer_end_to_end_seconds";
    let label = format!("route=\"{}\"", route.name());
    let mut delays = CountingDelays::default();
    let histogram_lines = metrics.lines().filter_map(|line| line.strip_prefix(NAME));
    for (series, value) in histogram_lines.filter_map(|line| line.rsplit_once(' ')) {
        if !series.contains(&label) {
            continue;
        }
        if series.starts_with("_sum") {
            delays.sum_s = value.parse().unwrap_or_default();
        } else if let Some((_, bound)) = series.split_once("le=\"") {
            let bound = bound.split('"').next().unwrap_or_default();
            // Rust parses "+Inf" as infinity.
            if let (Ok(bound), Ok(votes)) = (bound.parse(), value.parse()) {
                delays.buckets.push((bound, votes));
            }
        }
    }
    delays
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_of_a_block_are_the_difference_of_two_reads() {
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
        let read = |text: String| parse_counting_delays(&text, Route::Rest);
        let delays = read(metrics(7, 10, 2.5)).since(&read(metrics(2, 4, 1.0)));
        assert_eq!(delays.buckets, [(0.1, 5), (f64::INFINITY, 6)]);
        assert!((delays.sum_s - 1.5).abs() < 1e-9);
    }
}
