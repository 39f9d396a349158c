//! Retries operations on a store until they succeed, and reports the state of the store to the readiness check.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use prometheus::Histogram;
use service::Check;
use tokio_util::sync::CancellationToken;

const FIRST_DELAY: Duration = Duration::from_millis(50);
/// The longest delay until a store is used again after an outage.
const MAX_DELAY: Duration = Duration::from_secs(3);

/// Retries operations on one store; reports to its readiness check and measures its writes.
#[derive(Clone, Debug)]
pub struct StoreRetry {
    check: Check,
    /// The number of operations that are being retried.
    retrying: Arc<AtomicUsize>,
    duration: Histogram,
}

impl StoreRetry {
    /// For a store that reports to `check`. `duration` observes the time of each successful write.
    pub fn new(check: Check, duration: Histogram) -> Self {
        Self {
            check,
            retrying: Arc::default(),
            duration,
        }
    }

    /// Attempts a write until it succeeds, with exponential backoff and full jitter. None if `stop` is cancelled first. `stop`
    /// does not cancel an attempt in progress, because its result would be unknown.
    pub async fn write<T, E: Display, F: Future<Output = Result<T, E>>>(
        &self,
        stop: &CancellationToken,
        mut attempt: impl FnMut() -> F,
    ) -> Option<T> {
        let timed = || {
            let (started, attempt) = (Instant::now(), attempt());
            async move {
                let value = attempt.await?;
                self.duration.observe(started.elapsed().as_secs_f64());
                Ok::<T, E>(value)
            }
        };
        self.retry(stop, timed).await
    }

    /// Like [`Self::write`], but not measured: for reads.
    pub async fn retry<T, E: Display, F: Future<Output = Result<T, E>>>(
        &self,
        stop: &CancellationToken,
        mut attempt: impl FnMut() -> F,
    ) -> Option<T> {
        let mut failing = None;
        let delays = ExponentialBuilder::new()
            .with_min_delay(FIRST_DELAY)
            .with_max_delay(MAX_DELAY)
            .with_factor(2.0)
            .without_max_times()
            .build();
        // backon's own retry cannot stop between two attempts without cancelling one, and has no full jitter.
        for max_delay in delays {
            match attempt().await {
                Ok(value) => {
                    drop(failing);
                    self.report_probe::<_, E>(Ok(()));
                    return Some(value);
                }
                Err(error) => {
                    failing.get_or_insert_with(|| FailingOperation::begin(&self.retrying));
                    tracing::debug!(%error, "an operation on a store failed; retrying");
                    self.check.fail(error.to_string());
                }
            }
            tokio::select! {
                () = tokio::time::sleep(max_delay.mul_f64(fastrand::f64())) => {}
                () = stop.cancelled() => return None,
            }
        }
        None
    }

    /// Reports the result of a probe. A successful probe does not clear the failure of an operation that is being retried:
    /// a full or read-only store still responds to a ping.
    pub fn report_probe<T, E: Display>(&self, outcome: Result<T, E>) {
        match outcome {
            Err(error) => self.check.fail(error.to_string()),
            Ok(_) if self.retrying.load(Ordering::Acquire) == 0 => self.check.ok(),
            Ok(_) => {}
        }
    }
}

/// Counts an operation as failing until it is dropped.
struct FailingOperation(Arc<AtomicUsize>);

impl FailingOperation {
    fn begin(retrying: &Arc<AtomicUsize>) -> Self {
        retrying.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(retrying))
    }
}

impl Drop for FailingOperation {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (service::Readiness, StoreRetry) {
        let readiness = service::Readiness::default();
        let options = prometheus::HistogramOpts::new("duration", "of a write");
        let store = StoreRetry::new(
            readiness.register("redis"),
            Histogram::with_opts(options).unwrap(),
        );
        (readiness, store)
    }

    #[tokio::test]
    async fn write_is_retried_until_it_succeeds_and_only_the_success_is_measured() {
        let (readiness, store) = store();
        let mut outcomes = [Err("timeout"), Err("timeout"), Ok(7)].into_iter();
        let stop = CancellationToken::new();
        let written = store.write(&stop, || std::future::ready(outcomes.next().unwrap()));
        assert_eq!(written.await, Some(7));
        assert!(readiness.is_ready());
        assert_eq!(store.duration.get_sample_count(), 1);
    }

    #[tokio::test]
    async fn successful_probe_does_not_hide_a_failing_write() {
        let (readiness, store) = store();
        let stop = CancellationToken::new();
        let write = store.write::<(), _, _>(&stop, || std::future::ready(Err("OOM")));
        let observe = async {
            tokio::time::sleep(FIRST_DELAY).await;
            store.report_probe::<_, &str>(Ok(()));
            assert_eq!(readiness.report()["redis"], "OOM");
            stop.cancel();
        };
        assert_eq!(tokio::join!(write, observe).0, None);
        store.report_probe::<_, &str>(Ok(()));
        assert!(readiness.is_ready());
    }
}
