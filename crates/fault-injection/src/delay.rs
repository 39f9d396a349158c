//! A delay of an exact length. The timer of tokio has steps of 1 ms, which is too coarse.

use std::time::{Duration, Instant};

use tokio::task::{JoinError, spawn_blocking};

/// The last part of a delay, in which the thread polls the clock instead of sleeping. Two wake-ups follow the sleep: of
/// the blocking thread and of the task. Both fit into this time on a machine that is not overloaded.
const SPIN_TIME: Duration = Duration::from_micros(200);

/// Waits until `delay` after `started`, exact to the microsecond if a core is free.
pub(crate) async fn wait(started: Instant, delay: Duration) -> Result<(), JoinError> {
    let sleep = delay.saturating_sub(SPIN_TIME).saturating_sub(started.elapsed());
    // The change of threads alone would take longer than a short delay.
    if !sleep.is_zero() {
        spawn_blocking(move || std::thread::sleep(sleep)).await?;
    }
    while started.elapsed() < delay {
        std::hint::spin_loop();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn delay_is_never_shorter_than_requested() {
        for delay in [
            Duration::ZERO,
            SPIN_TIME,
            Duration::from_millis(1),
            Duration::from_millis(3),
        ] {
            let started = Instant::now();
            wait(started, delay).await.unwrap();
            assert!(started.elapsed() >= delay, "{delay:?}");
        }
    }
}
