//! The handle through which the work of a process uses metrics, readiness and shutdown.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::Registry;
use tokio_util::sync::CancellationToken;

use crate::effective_config::{EffectiveConfig, SharedConfig};
use crate::readiness::Readiness;
use crate::traces::Traces;

/// The metrics, readiness, shutdown signal and failure of a process. [`crate::run`] passes it to the work.
#[derive(Clone, Debug)]
pub struct Process {
    /// The registry for metrics. It already has the standard process metrics.
    pub registry: Registry,
    /// The registry for readiness checks.
    pub readiness: Readiness,
    /// Cancelled at SIGTERM or SIGINT. The work then stops accepting, finishes what is in flight, and returns.
    pub shutdown: CancellationToken,
    /// How long the work may take to return after `shutdown`.
    pub drain_timeout: Duration,
    /// The traces. Off unless the environment turns them on.
    pub traces: Traces,
    configuration: SharedConfig,
    failure: Arc<OnceLock<String>>,
    failed: CancellationToken,
}

impl Process {
    pub(crate) fn new(registry: Registry, drain_timeout: Duration, traces: Traces) -> Self {
        Self {
            registry,
            readiness: Readiness::default(),
            shutdown: CancellationToken::new(),
            drain_timeout,
            traces,
            configuration: Arc::default(),
            failure: Arc::default(),
            failed: CancellationToken::new(),
        }
    }

    /// Logs the effective configuration and publishes it at `/config` of the admin port.
    pub fn announce(&self, effective: EffectiveConfig) {
        effective.log();
        self.configuration.get_or_init(|| effective);
    }

    /// Reports a failure that only a restart repairs. The process drains as after SIGTERM, logs this reason, and exits with
    /// code 1. Only the first reason is kept.
    pub fn fail(&self, reason: String) {
        self.failure.get_or_init(|| reason);
        self.failed.cancel();
    }

    /// The share of a drain in which connections may finish. The rest is left for [`Self::flush_timeout`].
    pub fn connections_timeout(&self) -> Duration {
        self.drain_timeout.mul_f64(0.7)
    }

    /// The share of a drain in which messages handed to the producer may still be acknowledged.
    pub fn flush_timeout(&self) -> Duration {
        self.drain_timeout.mul_f64(0.25)
    }

    pub(crate) fn configuration(&self) -> SharedConfig {
        Arc::clone(&self.configuration)
    }

    /// Returns after the first call of [`Self::fail`].
    pub(crate) async fn failed(&self) {
        self.failed.cancelled().await;
    }

    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }
}
