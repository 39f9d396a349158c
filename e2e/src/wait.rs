//! Waiting for a condition, with a time limit.

use std::time::Duration;

use backon::{ConstantBuilder, Retryable};
use tokio::time::timeout;

/// A response that takes longer means that the service hangs.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_mins(1);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until a condition holds, at most [`RESPONSE_TIMEOUT`].
///
/// # Panics
/// If the condition does not hold in time.
pub async fn wait_until(condition: impl AsyncFn() -> bool) {
    assert!(
        holds_within(RESPONSE_TIMEOUT, POLL_INTERVAL, condition).await,
        "the condition did not hold within {RESPONSE_TIMEOUT:?}"
    );
}

/// Checks a condition every `interval`. Returns whether it held within `limit`.
pub async fn holds_within(limit: Duration, interval: Duration, condition: impl AsyncFn() -> bool) -> bool {
    let check = || async { if condition().await { Ok(()) } else { Err(()) } };
    let polling = check.retry(ConstantBuilder::new().with_delay(interval).without_max_times());
    matches!(timeout(limit, polling).await, Ok(Ok(())))
}
