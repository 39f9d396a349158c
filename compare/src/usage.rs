//! What the services use and how fast votes are counted, as they say themselves on their admin ports.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use lab::endpoints::Endpoints;

use crate::data::{Counted, Usage};
use crate::plan::Route;

/// The services whose CPU time is part of a vote's cost.
#[derive(Debug)]
pub struct Services {
    admins: Vec<(&'static str, String)>,
    consumer: String,
    client: reqwest::Client,
}

/// What each service has used since its start.
#[derive(Clone, Debug, Default)]
pub struct Totals(BTreeMap<String, Usage>);

impl Services {
    /// The services at these endpoints.
    pub fn new(endpoints: &Endpoints) -> Self {
        let admins = [
            ("rest", &endpoints.rest_admin),
            ("grpc", &endpoints.grpc_admin),
            ("bridge", &endpoints.bridge_admin),
            ("consumer", &endpoints.consumer_admin),
        ];
        Self {
            admins: admins.map(|(name, admin)| (name, admin.clone())).to_vec(),
            consumer: endpoints.consumer_admin.clone(),
            client: reqwest::Client::new(),
        }
    }

    /// Asks all of them.
    pub async fn totals(&self) -> Result<Totals> {
        let mut totals = BTreeMap::new();
        for (name, admin) in &self.admins {
            let metrics = self.metrics(name, admin).await?;
            let usage = read(&metrics).with_context(|| format!("{name} shows no process metrics"))?;
            totals.insert((*name).to_owned(), usage);
        }
        Ok(Totals(totals))
    }

    /// The votes of a route that the consumer has counted since its start, by how long that took.
    pub async fn counted(&self, route: Route) -> Result<Counted> {
        let metrics = self.metrics("consumer", &self.consumer).await?;
        Ok(Counted::read(&metrics, route))
    }

    async fn metrics(&self, name: &str, admin: &str) -> Result<String> {
        let url = format!("{admin}/metrics");
        let asking = async {
            let answer = self.client.get(&url).send().await?;
            answer.error_for_status()?.text().await
        };
        asking
            .await
            .with_context(|| format!("asking {name} at {url} for its metrics"))
    }
}

impl Totals {
    /// What was used since `before`.
    pub fn since(&self, before: &Self) -> BTreeMap<String, Usage> {
        let used = self.0.iter().map(|(name, now)| {
            let then = before.0.get(name).copied().unwrap_or_default();
            let usage = Usage {
                // A service that was started again counts from 0.
                cpu_s: (now.cpu_s - then.cpu_s).max(0.0),
                rss_bytes: now.rss_bytes,
            };
            (name.clone(), usage)
        });
        used.collect()
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

fn read(metrics: &str) -> Option<Usage> {
    let value = |name: &str| {
        let mut values = metrics
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        values.next()?.trim().parse::<f64>().ok()
    };
    Some(Usage {
        cpu_s: value("process_cpu_seconds_total")?,
        rss_bytes: value("process_resident_memory_bytes")? as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_from_the_exposition_format() {
        let metrics = "# HELP process_cpu_seconds_total time\nprocess_cpu_seconds_total 1.25\n\
                       process_resident_memory_bytes 17825792\n";
        let usage = read(metrics).unwrap();
        assert_eq!((usage.cpu_s, usage.rss_bytes), (1.25, 17_825_792));
        assert_eq!(read("up 1\n"), None);
    }

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
