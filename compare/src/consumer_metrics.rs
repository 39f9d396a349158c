//! Reads the consumer's metrics: the delay from a vote's arrival at its route until it is counted.

use std::collections::BTreeMap;

use analysis::observations::CountingDelayHistogram;
use anyhow::{Context, Result};
use experiment_model::variant::Route;
use lab::access::Access;
use lab::http_get::http_get_body;
use lab::ports::Port;
use prometheus_parse::{Scrape, Value};

const HISTOGRAM: &str = "consumer_end_to_end_seconds";
const HISTOGRAM_SUM: &str = "consumer_end_to_end_seconds_sum";

/// The metrics endpoint of the consumer.
#[derive(Debug)]
pub struct ConsumerMetrics {
    access: Access,
}

impl ConsumerMetrics {
    /// The consumer of the stack.
    pub fn new(access: &Access) -> Self {
        Self {
            access: access.clone(),
        }
    }

    /// Counting delays of all votes of a route since the start of the consumer.
    pub async fn counting_delays(&self, route: Route) -> Result<CountingDelayHistogram> {
        let mut by_route = self.counting_delays_by_route().await?;
        Ok(by_route.remove(&route).unwrap_or_default())
    }

    /// Counting delays of all votes since the start of the consumer, by route.
    pub async fn counting_delays_by_route(&self) -> Result<BTreeMap<Route, CountingDelayHistogram>> {
        let url = self.access.url(Port::ConsumerAdmin);
        let address = self.access.ports.address(Port::ConsumerAdmin);
        let metrics = http_get_body(&self.access, &address, "/metrics")
            .await
            .with_context(|| format!("reading the metrics of the consumer at {url}"))?;
        parse_counting_delays(&String::from_utf8_lossy(&metrics))
            .with_context(|| format!("parsing the metrics of the consumer at {url}"))
    }
}

/// The histogram of each route. Errors if the text is not in Prometheus' format.
fn parse_counting_delays(metrics: &str) -> Result<BTreeMap<Route, CountingDelayHistogram>> {
    let scrape = Scrape::parse(metrics.lines().map(|line| Ok(line.to_owned())))?;
    let mut by_route: BTreeMap<Route, CountingDelayHistogram> = BTreeMap::new();
    for sample in &scrape.samples {
        let name = sample.labels.get("route");
        let Some(route) = Route::ALL.into_iter().find(|route| name == Some(route.name())) else {
            continue;
        };
        let delays = by_route.entry(route).or_default();
        match (sample.metric.as_str(), &sample.value) {
            (HISTOGRAM, Value::Histogram(buckets)) => {
                let buckets = buckets.iter();
                delays.buckets = buckets
                    .map(|bucket| (bucket.less_than, bucket.count as u64))
                    .collect();
            }
            (HISTOGRAM_SUM, Value::Untyped(sum)) => delays.sum_s = *sum,
            _ => {}
        }
    }
    Ok(by_route)
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
        let read = |text: String| {
            parse_counting_delays(&text)
                .unwrap()
                .remove(&Route::Rest)
                .unwrap()
        };
        let delays = read(metrics(7, 10, 2.5)).since(&read(metrics(2, 4, 1.0)));
        assert_eq!(delays.buckets, [(0.1, 5), (f64::INFINITY, 6)]);
        assert!((delays.sum_s - 1.5).abs() < 1e-9);
    }
}
