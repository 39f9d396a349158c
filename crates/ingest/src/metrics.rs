//! The metrics of every route, measured at the same points and with the same buckets.

use prometheus::{HistogramOpts, IntGauge, IntGaugeVec, Opts, Registry};
use vote::Route;

use crate::sharded_histogram::{ShardedHistogram, ShardedHistogramVec};

/// How a vote ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Durable in Kafka, with a receipt as the response.
    Accepted,
    /// The request was malformed or invalid.
    Invalid,
    /// Authentication is on, and the client is not known or has no permission.
    Denied,
    /// Rejected because a limit of the process or of the client was reached.
    Overloaded,
    /// Kafka could not be reached.
    Unavailable,
    /// Not acknowledged in time.
    Deadline,
    /// The client disconnected before the response.
    Cancelled,
    /// A defect or a misconfiguration.
    Internal,
}

/// A step of a route. The time of a request is the sum of its steps and of the framework's work around them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Parses the bytes of the body into a draft.
    Decode,
    /// Checks the draft.
    Validate,
    /// Serializes the event.
    Encode,
    /// Hands the event to the sink and waits for its acknowledgement.
    Publish,
    /// Serializes the response.
    Reply,
}

impl Outcome {
    const ALL: [Self; 8] = [
        Self::Accepted,
        Self::Invalid,
        Self::Denied,
        Self::Overloaded,
        Self::Unavailable,
        Self::Deadline,
        Self::Cancelled,
        Self::Internal,
    ];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Invalid => "invalid",
            Self::Denied => "denied",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Deadline => "deadline",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

impl Stage {
    pub(crate) const ALL: [Self; 5] = [
        Self::Decode,
        Self::Validate,
        Self::Encode,
        Self::Publish,
        Self::Reply,
    ];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Validate => "validate",
            Self::Encode => "encode",
            Self::Publish => "publish",
            Self::Reply => "reply",
        }
    }
}

/// The metrics of one route. Every label is resolved in advance, so recording a vote takes no lock.
#[derive(Debug)]
pub struct RequestMetrics {
    durations: [ShardedHistogram; Outcome::ALL.len()],
    stages: [ShardedHistogram; Stage::ALL.len()],
    in_flight: IntGauge,
}

impl RequestMetrics {
    /// `ingest_request_duration_seconds`, `ingest_stage_duration_seconds` and `ingest_inflight_requests` of one route;
    /// `buckets` in seconds.
    pub fn for_route(registry: &Registry, buckets: &[f64], route: Route) -> prometheus::Result<Self> {
        Self::register(registry, buckets, "ingest", route, "")
    }

    /// The votes that the bridge forwards to `ingest-grpc`, as `ingest_forward_*`. Under the names of a route, every
    /// bridged vote would count twice.
    pub fn for_forward(registry: &Registry, buckets: &[f64]) -> prometheus::Result<Self> {
        Self::register(
            registry,
            buckets,
            "ingest_forward",
            Route::Bridge,
            " from the bridge",
        )
    }

    fn register(
        registry: &Registry,
        buckets: &[f64],
        prefix: &str,
        route: Route,
        origin: &str,
    ) -> prometheus::Result<Self> {
        let histogram = |name: &str, help: &str, label: &str| {
            let options = HistogramOpts::new(format!("{prefix}_{name}"), help).buckets(buckets.to_vec());
            ShardedHistogramVec::new(&options, &["route", label])
        };
        let durations = histogram(
            "request_duration_seconds",
            &format!(
                "Time from the arrival of a vote{origin} (request head, or its message in a stream) to its response; a batch \
                 counts each vote"
            ),
            "outcome",
        )?;
        let stages = histogram(
            "stage_duration_seconds",
            &format!("Time of one stage of a vote{origin}"),
            "stage",
        )?;
        let in_flight = IntGaugeVec::new(
            Opts::new(
                format!("{prefix}_inflight_requests"),
                format!("Votes{origin} that have arrived and have no response yet"),
            ),
            &["route"],
        )?;
        registry.register(Box::new(durations.clone()))?;
        registry.register(Box::new(stages.clone()))?;
        registry.register(Box::new(in_flight.clone()))?;

        let route = route.as_str();
        Ok(Self {
            durations: Outcome::ALL.map(|outcome| durations.with_label_values(&[route, outcome.as_str()])),
            stages: Stage::ALL.map(|stage| stages.with_label_values(&[route, stage.as_str()])),
            in_flight: in_flight.with_label_values(&[route]),
        })
    }

    pub(crate) fn in_flight(&self) -> &IntGauge {
        &self.in_flight
    }

    pub(crate) fn observe_duration(&self, outcome: Outcome, seconds: f64) {
        if let Some(histogram) = self.durations.get(outcome as usize) {
            histogram.observe(seconds);
        }
    }

    pub(crate) fn observe_stage(&self, stage: Stage, seconds: f64) {
        if let Some(histogram) = self.stages.get(stage as usize) {
            histogram.observe(seconds);
        }
    }
}

/// Registers `ingest_config_info`: a constant 1 whose labels show the version and the configuration of a route.
pub fn register_config_info(
    registry: &Registry,
    route: Route,
    version: &str,
    config_hash: &str,
) -> prometheus::Result<()> {
    let info = IntGaugeVec::new(
        Opts::new(
            "ingest_config_info",
            "Always 1; the labels show the version and the configuration of the route",
        ),
        &["route", "version", "config_hash"],
    )?;
    registry.register(Box::new(info.clone()))?;
    info.with_label_values(&[route.as_str(), version, config_hash])
        .set(1);
    Ok(())
}
