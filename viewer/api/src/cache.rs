//! A short-lived cache for responses, so that the load on a store does not grow with the number of open pages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::problem::Problem;

/// A response is kept for at least this many times the time that the store needed, so that a slow store spends little of
/// its time on this service.
const MIN_REUSE_FACTOR: u32 = 20;

/// The last value. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Cached<T> {
    lifetime: Duration,
    last: Arc<Mutex<Option<Entry<T>>>>,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    valid_until: Instant,
    value: T,
}

impl<T: Clone> Cached<T> {
    /// An empty cache. A value is valid for `lifetime`, or longer if the store needed long.
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            last: Arc::default(),
        }
    }

    /// The cached value, or a new one from `load`. Concurrent callers wait for one `load`. A failure is not cached.
    pub(crate) async fn get<F>(&self, load: impl FnOnce() -> F) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, Problem>>,
    {
        let mut last = self.last.lock().await;
        let started = Instant::now();
        if let Some(entry) = last.as_ref().filter(|entry| started < entry.valid_until) {
            return Ok(entry.value.clone());
        }
        let value = load().await?;
        let loaded = Instant::now();
        let min_reuse = loaded.duration_since(started).saturating_mul(MIN_REUSE_FACTOR);
        *last = Some(Entry {
            valid_until: loaded + self.lifetime.max(min_reuse),
            value: value.clone(),
        });
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn concurrent_callers_share_one_load_and_failures_are_not_cached() {
        let (cached, loads) = (Cached::new(Duration::from_mins(1)), AtomicU32::new(0));
        let count = || async { Ok(loads.fetch_add(1, Ordering::Relaxed)) };
        assert!(cached.get(|| async { Err(Problem::Internal) }).await.is_err());
        let values = tokio::join!(cached.get(count), cached.get(count));
        assert!(matches!(values, (Ok(0), Ok(0))));
    }

    #[tokio::test]
    async fn slow_value_is_cached_for_longer() {
        let (cached, loads) = (Cached::new(Duration::from_millis(500)), AtomicU32::new(0));
        let load = || async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(loads.fetch_add(1, Ordering::Relaxed))
        };
        assert!(matches!(cached.get(load).await, Ok(0)));
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(matches!(cached.get(load).await, Ok(0)));
    }

    #[tokio::test]
    async fn expired_value_is_loaded_again() {
        let cached = Cached::new(Duration::ZERO);
        assert!(matches!(cached.get(|| async { Ok(1) }).await, Ok(1)));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(matches!(cached.get(|| async { Ok(2) }).await, Ok(2)));
    }
}
