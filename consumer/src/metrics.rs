//! What the consumer tells Prometheus. Every series is there, at 0, before the first vote.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{Histogram, IntCounter, IntGauge, IntGaugeVec, Registry};
use service::metrics::{counter, duration_histogram, gauge};
use vote::Route;

use crate::batch::LoggedVote;
use crate::named::Named;

/// The route of a record that cannot be read: it names none.
const UNKNOWN_ROUTE: &str = "unknown";

/// The consumer's metrics, their labels resolved.
#[derive(Clone, Debug)]
pub struct Metrics {
    routes: [RouteMetrics; Route::ALL.len()],
    dead_letters: IntCounter,
    bands: Named,
    albums: Named,
    lag: IntGaugeVec,
    /// Time of a write of one batch to MongoDB.
    pub mongodb_duration: Histogram,
    /// Time of a write of one batch to Redis.
    pub redis_duration: Histogram,
    /// Time of a write of one dead letter to Kafka.
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
    /// Registers all of them.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let votes = counter(
            registry,
            "consumer_votes_total",
            "Votes that left the pipeline: counted, counted before under the same id, or unreadable",
            &["route", "result"],
        )?;
        let end_to_end = duration_histogram(
            registry,
            "consumer_end_to_end_seconds",
            "From a vote's arrival at its route until Redis has counted it",
            &["route"],
        )?;
        let apply = duration_histogram(
            registry,
            "consumer_apply_duration_seconds",
            "Time of one successful write to a store: a batch to redis or mongodb, a dead letter to kafka",
            &["store"],
        )?;
        let lag = gauge(
            registry,
            "consumer_lag_records",
            "Records of a partition that Redis has not counted yet",
            &["partition"],
        )?;
        // Nothing that can be read is a dead letter, and a dead letter has no route: those series stay at 0, but a
        // query over routes and results finds all of them.
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
            bands: Named::new(
                registry,
                "consumer_band_votes_total",
                "Votes counted for a band, of the first bands that this process met; (other): for all others",
                "band",
            )?,
            albums: Named::new(
                registry,
                "consumer_album_votes_total",
                "Votes counted for an album, of the first albums that this process met; (other): for all others",
                "album",
            )?,
            lag,
            mongodb_duration: apply.with_label_values(&["mongodb"]),
            redis_duration: apply.with_label_values(&["redis"]),
            kafka_duration: apply.with_label_values(&["kafka"]),
        })
    }

    /// The votes of a batch, applied now; `duplicates` are indices, ascending, of those that were counted before.
    pub fn applied(&self, votes: &[LoggedVote], duplicates: &[usize]) {
        let now_us = micros_since_epoch();
        for metrics in &self.routes {
            let latency = metrics.end_to_end.local();
            let (mut applied, mut duplicate) = (0, 0);
            let own = votes
                .iter()
                .enumerate()
                .filter(|(_, vote)| vote.event.route == metrics.route);
            for (index, vote) in own {
                if duplicates.binary_search(&index).is_ok() {
                    duplicate += 1;
                    continue;
                }
                applied += 1;
                // Clocks of two machines may differ: a vote does not arrive before it left.
                let waited_us = now_us.saturating_sub(vote.event.received_at_us).max(0);
                latency.observe(waited_us as f64 / 1e6);
            }
            metrics.applied.inc_by(applied);
            metrics.duplicate.inc_by(duplicate);
        }
        self.named(votes, duplicates);
    }

    fn named(&self, votes: &[LoggedVote], duplicates: &[usize]) {
        let mut counts: HashMap<(&str, &str), u64> = HashMap::new();
        for (index, vote) in votes.iter().enumerate() {
            if duplicates.binary_search(&index).is_err() {
                let vote = &vote.event.vote;
                *counts
                    .entry((vote.name.as_str(), vote.album.as_str()))
                    .or_default() += 1;
            }
        }
        for ((band, album), count) in counts {
            self.bands.add(band, count);
            self.albums.add(&format!("{band} - {album}"), count);
        }
    }

    /// A record went to the dead letter topic.
    pub fn dead_letter(&self) {
        self.dead_letters.inc();
    }

    /// The lag of a partition that this consumer now has.
    pub fn lag(&self, partition: i32) -> IntGauge {
        self.lag.with_label_values(&[&partition.to_string()])
    }

    /// The partition went to another consumer, and its lag with it.
    pub fn forget_lag(&self, partition: i32) {
        // Errors only if there is no such series, which is what is wanted.
        let _ = self.lag.remove_label_values(&[&partition.to_string()]);
    }
}

fn micros_since_epoch() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
}
