//! Waiting for a condition, with a time limit and an error that names the condition.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use backon::{ConstantBuilder, Retryable};

/// Time limit for every wait: the start of a server, a rebalance, a recovery.
pub const TIMEOUT: Duration = Duration::from_mins(2);
/// Short enough to measure a recovery, long enough to cause no significant load.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `condition` holds, at most [`TIMEOUT`]. An error of the condition counts as "does not hold yet". If
/// the last check ended with an error, the error after the timeout contains it.
pub async fn wait_until(what: &str, condition: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    let check = || async {
        match condition().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(None),
            Err(error) => Err(Some(error)),
        }
    };
    check
        .retry(
            ConstantBuilder::new()
                .with_delay(POLL_INTERVAL)
                .without_max_times(),
        )
        .when(|_| started.elapsed() <= TIMEOUT)
        .await
        .map_err(|last_error| match last_error {
            Some(error) => error.context(format!("timed out after {TIMEOUT:?} while waiting until {what}")),
            None => anyhow!("timed out after {TIMEOUT:?} while waiting until {what}"),
        })
}
