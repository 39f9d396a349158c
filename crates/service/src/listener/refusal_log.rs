//! The log of connections that were refused before HTTP: anybody can cause them, so there is one line a second at most.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(1);

/// The log of one listener.
#[derive(Debug, Default)]
pub(super) struct RefusalLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    logged_at: Option<Instant>,
    /// Refusals since then.
    not_logged: u64,
}

impl RefusalLog {
    /// Logs why a connection was refused.
    pub(super) fn record(&self, peer: SocketAddr, error: &io::Error) {
        // The client has disconnected.
        if matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        ) {
            tracing::debug!(%peer, %error, "the client disconnected before its first request");
            return;
        }
        if let Some(not_logged) = self.next(Instant::now()) {
            tracing::warn!(%peer, %error, not_logged, "refused a connection");
        }
    }

    /// The number of refusals that were not logged before this one. None if this one is not logged either.
    fn next(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state
            .logged_at
            .is_some_and(|logged_at| now.saturating_duration_since(logged_at) < INTERVAL)
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
    fn one_refusal_a_second_is_logged_with_the_number_of_others() {
        let (log, start) = (RefusalLog::default(), Instant::now());
        let logged = [0, 10, 990, 1_000, 1_500, 3_000].map(|ms| log.next(start + Duration::from_millis(ms)));
        assert_eq!(logged, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
