//! A short-lived cache for responses, so that the load on a store does not grow with the number of open pages.
//!
//! Callers that find no valid entry share one load and its result. They also share its failure: if a store does not answer,
//! all callers wait for the same time limit at once. The load runs in a separate task, so a caller that leaves does not
//! cancel it for the others. The cache holds no lock during a load.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use crate::problem::{LoadPanicked, Problem};

/// A response is kept for at least this many times the time that the store needed, so that a slow store spends little of
/// its time on this service.
const MIN_REUSE_FACTOR: u32 = 20;
/// How long a failure is kept: callers that arrive meanwhile do not wait for another time limit.
const FAILURE_LIFETIME: Duration = Duration::from_secs(1);

/// The last result. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Cached<T, E = Problem> {
    lifetime: Duration,
    last: Arc<Mutex<Option<Load<T, E>>>>,
}

/// A load in progress, or its result.
type Load<T, E> = Shared<BoxFuture<'static, Loaded<T, E>>>;

#[derive(Clone, Debug)]
struct Loaded<T, E> {
    result: Result<T, E>,
    valid_until: Instant,
}

impl<T, E> Cached<T, E>
where
    T: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + From<LoadPanicked> + 'static,
{
    /// An empty cache. A value is valid for `lifetime`, or longer if the store needed long.
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            last: Arc::default(),
        }
    }

    /// The cached result, or the result of a `load` that this caller shares with all others.
    pub(crate) async fn get<F>(&self, load: impl Fn() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let asked = Instant::now();
        loop {
            let loaded = self.current(&load).await;
            // If all callers of a load left before its end, its result may be outdated.
            if loaded.valid_until >= asked {
                return loaded.result;
            }
        }
    }

    /// The load in progress or its valid result. Starts a load if there is neither.
    fn current<F>(&self, load: impl Fn() -> F) -> Load<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let reusable = last
            .as_ref()
            .filter(|load| load.peek().is_none_or(|loaded| now < loaded.valid_until));
        match reusable {
            Some(load) => load.clone(),
            None => last.insert(start(load(), self.lifetime)).clone(),
        }
    }
}

fn start<T, E, F>(load: F, lifetime: Duration) -> Load<T, E>
where
    T: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + From<LoadPanicked> + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let task = tokio::spawn(async move {
        let started = Instant::now();
        let result = load.await;
        let loaded = Instant::now();
        let min_reuse = loaded.duration_since(started).saturating_mul(MIN_REUSE_FACTOR);
        let lifetime = match result {
            Ok(_) => lifetime.max(min_reuse),
            Err(_) => FAILURE_LIFETIME,
        };
        Loaded {
            result,
            valid_until: loaded + lifetime,
        }
    });
    let panicked = || Loaded {
        result: Err(LoadPanicked.into()),
        valid_until: Instant::now(),
    };
    task.map(move |joined| joined.unwrap_or_else(|_| panicked()))
        .boxed()
        .shared()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::future::join_all;

    use super::*;

    /// A store that answers after a time, and counts its queries.
    #[derive(Clone, Debug, Default)]
    struct SlowStore(Arc<AtomicU32>);

    impl SlowStore {
        fn query(
            &self,
            duration: Duration,
            is_available: bool,
        ) -> impl Future<Output = Result<u32, Problem>> + Send + use<> {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(duration).await;
                if is_available {
                    Ok(number)
                } else {
                    Err(Problem::Internal)
                }
            }
        }

        fn queries(&self) -> u32 {
            self.0.load(Ordering::Relaxed)
        }
    }

    const SLOW: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn concurrent_callers_share_one_load() {
        let (cached, store) = (Cached::new(Duration::from_mins(1)), SlowStore::default());
        let results = join_all((0..20).map(|_| cached.get(|| store.query(SLOW, true)))).await;
        assert!(results.iter().all(|result| matches!(result, Ok(0))));
        assert_eq!(store.queries(), 1);
    }

    #[tokio::test]
    async fn concurrent_callers_share_one_failure_and_its_time() {
        let (cached, store) = (Cached::new(Duration::from_mins(1)), SlowStore::default());
        let started = Instant::now();
        let results = join_all((0..20).map(|_| cached.get(|| store.query(SLOW, false)))).await;
        assert!(results.iter().all(Result::is_err));
        assert_eq!(store.queries(), 1);
        assert!(started.elapsed() < 3 * SLOW, "{:?}", started.elapsed());
        // Later callers share the failure until FAILURE_LIFETIME has passed.
        assert!(cached.get(|| store.query(SLOW, true)).await.is_err());
        tokio::time::sleep(FAILURE_LIFETIME).await;
        assert!(matches!(cached.get(|| store.query(SLOW, true)).await, Ok(1)));
    }

    #[tokio::test]
    async fn caller_that_leaves_does_not_cancel_the_load() {
        let (cached, store) = (Cached::new(Duration::from_mins(1)), SlowStore::default());
        let first = cached.get(|| store.query(SLOW, true));
        let left = tokio::time::timeout(SLOW / 10, first).await;
        assert!(left.is_err());
        assert!(matches!(cached.get(|| store.query(SLOW, true)).await, Ok(0)));
    }

    #[tokio::test]
    async fn result_that_no_caller_waited_for_expires() {
        let (cached, store) = (Cached::new(Duration::from_millis(1)), SlowStore::default());
        let no_time = Duration::ZERO;
        let load = cached.get(|| store.query(no_time, true));
        assert!(tokio::time::timeout(Duration::ZERO, load).await.is_err());
        tokio::time::sleep(SLOW).await;
        assert!(matches!(cached.get(|| store.query(no_time, true)).await, Ok(1)));
    }

    #[tokio::test]
    async fn panic_is_a_failure_and_the_next_caller_loads_again() {
        let cached: Cached<u32> = Cached::new(Duration::from_mins(1));
        let panicked = cached.get(|| async { panic!("in a test") }).await;
        assert!(matches!(panicked, Err(Problem::Internal)));
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(matches!(cached.get(|| async { Ok(2) }).await, Ok(2)));
    }

    #[tokio::test]
    async fn slow_value_is_cached_for_longer() {
        let (cached, store) = (Cached::new(Duration::from_millis(500)), SlowStore::default());
        assert!(matches!(cached.get(|| store.query(SLOW, true)).await, Ok(0)));
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(matches!(cached.get(|| store.query(SLOW, true)).await, Ok(0)));
    }

    #[tokio::test]
    async fn expired_value_is_loaded_again() {
        let (cached, store) = (Cached::new(Duration::ZERO), SlowStore::default());
        assert!(matches!(
            cached.get(|| store.query(Duration::ZERO, true)).await,
            Ok(0)
        ));
        tokio::time::sleep(SLOW).await;
        assert!(matches!(
            cached.get(|| store.query(Duration::ZERO, true)).await,
            Ok(1)
        ));
    }
}
