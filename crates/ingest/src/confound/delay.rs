//! A delay whose length is known: tokio's own timer has steps of 1 ms.

use std::time::{Duration, Instant};

use tokio::task::{JoinError, spawn_blocking};

/// The last part of a delay, in which the thread looks at the clock instead of sleeping: longer than the two wake-ups
/// take that end the sleep, on a machine that is not overloaded.
const SPIN: Duration = Duration::from_micros(200);

/// Waits `delay` from `started`, to the microsecond wherever the thread gets its core.
pub(super) async fn wait(started: Instant, delay: Duration) -> Result<(), JoinError> {
    let sleep = delay.saturating_sub(SPIN).saturating_sub(started.elapsed());
    spawn_blocking(move || std::thread::sleep(sleep)).await?;
    while started.elapsed() < delay {
        std::hint::spin_loop();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_never_shorter() {
        for delay in [
            Duration::ZERO,
            SPIN,
            Duration::from_millis(1),
            Duration::from_millis(3),
        ] {
            let started = Instant::now();
            wait(started, delay).await.unwrap();
            assert!(started.elapsed() >= delay, "{delay:?}");
        }
    }
}
