//! CPU time of an exact length, on the current thread.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Computes until the thread has used `length` of CPU time. Time in which another thread has the core does not count.
pub(crate) fn spend(length: Duration) -> nix::Result<()> {
    let used = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from);
    let end = used()? + length;
    while used()? < end {
        std::hint::spin_loop();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spent_time_is_at_least_as_long_as_requested() {
        let used = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
        let before = used();
        spend(Duration::from_millis(2)).unwrap();
        assert!(used() >= before + Duration::from_millis(2));
    }
}
