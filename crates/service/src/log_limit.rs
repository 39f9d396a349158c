//! At most one log line an interval, for events that anybody can cause.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Limits the lines for one kind of event.
#[derive(Debug)]
pub struct LogLimit {
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    logged_at: Option<Instant>,
    /// Events since then.
    not_logged: u64,
}

impl LogLimit {
    /// At most one line in `interval`.
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            state: Mutex::default(),
        }
    }

    /// Counts an event at `now`. Returns the number of events that were not logged before this one, or None if this one is not
    /// logged either.
    pub fn next(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state
            .logged_at
            .is_some_and(|logged_at| now.saturating_duration_since(logged_at) < self.interval)
        {
            state.not_logged += 1;
            return None;
        }
        state.logged_at = Some(now);
        Some(std::mem::take(&mut state.not_logged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_an_interval_is_logged_with_the_number_of_others() {
        let (limit, start) = (LogLimit::new(Duration::from_secs(1)), Instant::now());
        let logged =
            [0, 10, 990, 1_000, 1_500, 3_000].map(|ms| limit.next(start + Duration::from_millis(ms)));
        assert_eq!(logged, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
