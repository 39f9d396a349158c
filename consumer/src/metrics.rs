//! The consumer's Prometheus metrics. Every series exists with value 0 before the first vote.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{Histogram, IntCounter, IntGauge, IntGaugeVec, Registry};
use service::metrics::{counter, duration_histogram, gauge};
use tallies::album_field;
use vote::Route;

use crate::batch::VoteAtOffset;
use crate::bounded_label_counter::BoundedLabelCounter;
use crate::vote_groups::VoteGroups;

/// The route label of a record that cannot be decoded: its route is unknown.
const UNKNOWN_ROUTE: &str = "unknown";

/// The consumer's metrics, with resolved labels.
#[derive(Clone, Debug)]
pub struct Metrics {
    routes: [RouteMetrics; Route::ALL.len()],
    dead_letters: IntCounter,
    bands: BoundedLabelCounter,
    albums: BoundedLabelCounter,
    lag: IntGaugeVec,
    /// Time of a write of one batch to MongoDB.
    pub mongodb_duration: Histogram,
    /// Time of a write of one batch to Redis.
    pub redis_duration: Histogram,
    /// Time of a write of one dead-letter record to Kafka.
    pub kafka_duration: Histogram,
}

#[derive(Clone, Debug)]
struct RouteMetrics {
    route: Route,
    applied: IntCounter,
    duplicate: IntCounter,
    end_to_end: Histogram,
}

impl Metrics {
    /// Registers all metrics.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let votes = counter(
            registry,
            "consumer_votes_total",
            "Votes that left the pipeline: applied, duplicate (the id was already counted), or dead_letter (undecodable)",
            &["route", "result"],
        )?;
        let end_to_end = duration_histogram(
            registry,
            "consumer_end_to_end_seconds",
            "Time from a vote's arrival at its route until Redis has counted it",
            &["route"],
        )?;
        let apply = duration_histogram(
            registry,
            "consumer_apply_duration_seconds",
            "Time of one successful write to a store: a batch to redis or mongodb, a dead-letter record to kafka",
            &["store"],
        )?;
        let lag = gauge(
            registry,
            "consumer_lag_records",
            "Records of a partition that Redis has not counted yet",
            &["partition"],
        )?;
        // These series stay at 0, because the route of a dead-letter record is unknown. They exist so that a query over
        // all routes and results finds every combination.
        for route in Route::ALL {
            votes.with_label_values(&[route.as_str(), "dead_letter"]);
        }
        Ok(Self {
            routes: Route::ALL.map(|route| RouteMetrics {
                route,
                applied: votes.with_label_values(&[route.as_str(), "applied"]),
                duplicate: votes.with_label_values(&[route.as_str(), "duplicate"]),
                end_to_end: end_to_end.with_label_values(&[route.as_str()]),
            }),
            dead_letters: votes.with_label_values(&[UNKNOWN_ROUTE, "dead_letter"]),
            bands: BoundedLabelCounter::new(
                registry,
                "consumer_band_votes_total",
                "Votes counted for a band; (other) sums up all bands after the first 100 of this process",
                "band",
            )?,
            albums: BoundedLabelCounter::new(
                registry,
                "consumer_album_votes_total",
                "Votes counted for an album; (other) sums up all albums after the first 100 of this process",
                "album",
            )?,
            lag,
            mongodb_duration: apply.with_label_values(&["mongodb"]),
            redis_duration: apply.with_label_values(&["redis"]),
            kafka_duration: apply.with_label_values(&["kafka"]),
        })
    }

    /// Counts the votes of a batch that was just applied. `duplicates` are the ascending indices of the votes whose id was
    /// already counted.
    pub(crate) fn applied(&self, votes: &[VoteAtOffset], groups: &VoteGroups, duplicates: &[usize]) {
        for (group, count) in groups.counted(duplicates) {
            self.route(group.route).applied.inc_by(count);
            self.bands.add(group.band, count);
            self.albums.add(&album_field(group.band, group.album), count);
        }
        let duplicate_votes = duplicates.iter().filter_map(|&index| votes.get(index));
        duplicate_votes.for_each(|vote| self.route(vote.event.route).duplicate.inc());
        self.observe_latencies(votes, duplicates);
    }

    fn observe_latencies(&self, votes: &[VoteAtOffset], duplicates: &[usize]) {
        let now_us = micros_since_epoch();
        // Local histograms: the atomic ones are updated once.
        let latencies = self.routes.each_ref().map(|metrics| metrics.end_to_end.local());
        for (index, vote) in votes.iter().enumerate() {
            if !duplicates.is_empty() && duplicates.binary_search(&index).is_ok() {
                continue;
            }
            // The clocks of two machines may differ: never observe a negative latency.
            let latency_us = now_us.saturating_sub(vote.event.received_at_us).max(0);
            let route = self.routes.iter().zip(&latencies);
            let of_route = route.filter(|(metrics, _)| metrics.route == vote.event.route);
            of_route.for_each(|(_, latency)| latency.observe(latency_us as f64 / 1e6));
        }
    }

    fn route(&self, route: Route) -> &RouteMetrics {
        let [first, ..] = &self.routes;
        // Every route has its metrics.
        self.routes
            .iter()
            .find(|metrics| metrics.route == route)
            .unwrap_or(first)
    }

    /// Counts a record that was sent to the dead-letter topic.
    pub fn dead_letter(&self) {
        self.dead_letters.inc();
    }

    /// The lag of a partition that is assigned to this consumer.
    pub fn lag(&self, partition: i32) -> IntGauge {
        self.lag.with_label_values(&[&partition.to_string()])
    }

    /// Removes the lag of a partition that is no longer assigned to this consumer.
    pub fn remove_lag(&self, partition: i32) {
        // Errors only if the series does not exist, and then there is nothing to remove.
        let _ = self.lag.remove_label_values(&[&partition.to_string()]);
    }
}

fn micros_since_epoch() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
}
