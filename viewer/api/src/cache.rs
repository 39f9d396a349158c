//! An answer that many clients share for a moment: what a store is asked does not grow with the number of open pages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::problem::Problem;

/// A store that took long is left alone for so many times as long: whatever clients have filled it with, it has time for
/// others.
const REST_FACTOR: u32 = 20;

/// The last answer. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Cached<T> {
    lifetime: Duration,
    last: Arc<Mutex<Option<Answer<T>>>>,
}

#[derive(Clone, Debug)]
struct Answer<T> {
    good_until: Instant,
    value: T,
}

impl<T: Clone> Cached<T> {
    /// Empty; an answer is good for `lifetime`, or longer where it took long.
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            last: Arc::default(),
        }
    }

    /// The last answer, or a new one by `ask`. Whoever comes while it is being asked waits for that one. A failure is not
    /// kept.
    pub(crate) async fn get<F>(&self, ask: impl FnOnce() -> F) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, Problem>>,
    {
        let mut last = self.last.lock().await;
        let asked = Instant::now();
        if let Some(answer) = last.as_ref().filter(|answer| asked < answer.good_until) {
            return Ok(answer.value.clone());
        }
        let value = ask().await?;
        let answered = Instant::now();
        let rest = answered.duration_since(asked).saturating_mul(REST_FACTOR);
        *last = Some(Answer {
            good_until: answered + self.lifetime.max(rest),
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
    async fn many_clients_ask_once_and_failures_are_asked_again() {
        let (cached, asked) = (Cached::new(Duration::from_mins(1)), AtomicU32::new(0));
        let count = || async { Ok(asked.fetch_add(1, Ordering::Relaxed)) };
        assert!(cached.get(|| async { Err(Problem::Internal) }).await.is_err());
        let answers = tokio::join!(cached.get(count), cached.get(count));
        assert!(matches!(answers, (Ok(0), Ok(0))));
    }

    #[tokio::test]
    async fn what_took_long_is_asked_seldom() {
        let (cached, asked) = (Cached::new(Duration::from_millis(500)), AtomicU32::new(0));
        let ask = || async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(asked.fetch_add(1, Ordering::Relaxed))
        };
        assert!(matches!(cached.get(ask).await, Ok(0)));
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(matches!(cached.get(ask).await, Ok(0)));
    }

    #[tokio::test]
    async fn an_old_answer_is_asked_anew() {
        let cached = Cached::new(Duration::ZERO);
        assert!(matches!(cached.get(|| async { Ok(1) }).await, Ok(1)));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(matches!(cached.get(|| async { Ok(2) }).await, Ok(2)));
    }
}
