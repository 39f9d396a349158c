//! A rate limit for each client.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::client::Client;
use crate::problem::Problem;

/// Size of a burst, in seconds of the rate: a page sends several requests when it opens.
const BURST_S: u32 = 5;
/// Number of requests after which the state of inactive clients is dropped.
const CLEANUP_INTERVAL: u32 = 10_000;

/// The rate limits of all clients. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct RateLimit {
    limiter: Arc<DefaultKeyedRateLimiter<Client>>,
    requests: Arc<AtomicU32>,
}

impl RateLimit {
    /// Allows `rate` requests per second for each client.
    pub(crate) fn new(rate: u32) -> Self {
        let rate = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
        let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_S - 1));
        Self {
            limiter: Arc::new(RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst))),
            requests: Arc::default(),
        }
    }

    fn check(&self, client: Client) -> Result<(), Problem> {
        if self.requests.fetch_add(1, Ordering::Relaxed) % CLEANUP_INTERVAL == CLEANUP_INTERVAL - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter.check_key(&client).map_err(|rejected| {
            let wait = rejected.wait_time_from(DefaultClock::default().now());
            Problem::TooMany {
                detail: "this client sends too many requests",
                retry_after_s: wait.as_secs() + 1,
            }
        })
    }
}

/// Rejects requests beyond the client's limit. Requires [`crate::client::identify`] before it.
pub(crate) async fn limit_rate(State(limit): State<RateLimit>, request: Request, next: Next) -> Response {
    let client = request.extensions().get::<Client>().copied();
    let Some(client) = client else {
        tracing::error!("a request reached the rate limit before its client was identified");
        return Problem::Internal.into_response();
    };
    match limit.check(client) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Client {
        Client::at(text.parse().unwrap())
    }

    #[test]
    fn client_beyond_its_limit_is_rejected_and_others_are_not() {
        let limit = RateLimit::new(1);
        for _ in 0..BURST_S {
            assert!(limit.check(client("192.0.2.1")).is_ok());
        }
        let rejected = limit.check(client("192.0.2.1")).unwrap_err();
        assert!(
            matches!(rejected, Problem::TooMany { retry_after_s: 1, .. }),
            "{rejected:?}"
        );
        assert!(limit.check(client("192.0.2.2")).is_ok());
    }
}
