//! A store as the pipeline sees it: retried until it does its work, and honest about its state.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use prometheus::Histogram;
use service::Check;
use tokio_util::sync::CancellationToken;

const FIRST_DELAY: Duration = Duration::from_millis(50);
/// A store that comes back is used again within this time.
const MAX_DELAY: Duration = Duration::from_secs(3);

/// A store's readiness check and the time its writes take.
#[derive(Clone, Debug)]
pub struct Store {
    check: Check,
    /// Operations that have failed and not yet succeeded.
    retrying: Arc<AtomicUsize>,
    duration: Histogram,
}

impl Store {
    /// A store that reports to `check`, and the time of each write that worked to `duration`.
    pub fn new(check: Check, duration: Histogram) -> Self {
        Self {
            check,
            retrying: Arc::default(),
            duration,
        }
    }

    /// Makes attempts until one succeeds, with exponential back-off and full jitter. None if `stop` came first; the
    /// attempt under way is finished, not cut off: its outcome would be unknown.
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

    /// As [`Self::write`], untimed: for reads.
    pub async fn retry<T, E: Display, F: Future<Output = Result<T, E>>>(
        &self,
        stop: &CancellationToken,
        mut attempt: impl FnMut() -> F,
    ) -> Option<T> {
        let mut trouble = None;
        let mut ceiling = FIRST_DELAY;
        loop {
            match attempt().await {
                Ok(value) => {
                    drop(trouble);
                    self.probed::<_, E>(Ok(()));
                    return Some(value);
                }
                Err(error) => {
                    trouble.get_or_insert_with(|| Trouble::begin(&self.retrying));
                    tracing::debug!(%error, "attempt failed");
                    self.check.fail(error.to_string());
                }
            }
            tokio::select! {
                () = tokio::time::sleep(ceiling.mul_f64(fastrand::f64())) => {}
                () = stop.cancelled() => return None,
            }
            ceiling = (ceiling * 2).min(MAX_DELAY);
        }
    }

    /// Reports what a probe saw. A good probe does not hide that an operation is failing: a full or read-only store
    /// still answers a ping.
    pub fn probed<T, E: Display>(&self, outcome: Result<T, E>) {
        match outcome {
            Err(error) => self.check.fail(error.to_string()),
            Ok(_) if self.retrying.load(Ordering::Acquire) == 0 => self.check.ok(),
            Ok(_) => {}
        }
    }
}

/// Counts an operation as failing while it lives.
struct Trouble(Arc<AtomicUsize>);

impl Trouble {
    fn begin(retrying: &Arc<AtomicUsize>) -> Self {
        retrying.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(retrying))
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (service::Readiness, Store) {
        let readiness = service::Readiness::default();
        let options = prometheus::HistogramOpts::new("duration", "of a write");
        let store = Store::new(
            readiness.register("redis"),
            Histogram::with_opts(options).unwrap(),
        );
        (readiness, store)
    }

    #[tokio::test]
    async fn a_write_is_repeated_until_it_succeeds_and_only_the_success_is_timed() {
        let (readiness, store) = store();
        let mut outcomes = [Err("away"), Err("away"), Ok(7)].into_iter();
        let stop = CancellationToken::new();
        let written = store.write(&stop, || std::future::ready(outcomes.next().unwrap()));
        assert_eq!(written.await, Some(7));
        assert!(readiness.is_ready());
        assert_eq!(store.duration.get_sample_count(), 1);
    }

    #[tokio::test]
    async fn a_good_probe_does_not_hide_a_failing_write() {
        let (readiness, store) = store();
        let stop = CancellationToken::new();
        let write = store.write::<(), _, _>(&stop, || std::future::ready(Err("OOM")));
        let observe = async {
            tokio::time::sleep(FIRST_DELAY).await;
            store.probed::<_, &str>(Ok(()));
            assert_eq!(readiness.report()["redis"], "OOM");
            stop.cancel();
        };
        assert_eq!(tokio::join!(write, observe).0, None);
        store.probed::<_, &str>(Ok(()));
        assert!(readiness.is_ready());
    }
}
