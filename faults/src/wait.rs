//! Waiting for a condition, with a limit and words for what did not come.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long anything may take that must come: a server's start, a rebalance, a recovery.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// Fine enough to measure a recovery by, and no load worth speaking of.
const INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `condition` holds. An error of it counts as no, and is named where the wait was in vain.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    loop {
        let outcome = condition().await;
        if matches!(outcome, Ok(true)) {
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            match outcome {
                Err(error) => bail!("waited {PATIENCE:?} in vain until {what}: {error:#}"),
                Ok(_) => bail!("waited {PATIENCE:?} in vain until {what}"),
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
