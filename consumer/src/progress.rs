//! Where a command stands: a line on standard error now and then. Results go to standard output.

use std::time::{Duration, Instant};

/// Often enough to see that it lives.
const INTERVAL: Duration = Duration::from_secs(2);

/// One step of a command.
#[derive(Debug)]
pub(crate) struct Progress {
    step: String,
    last: Instant,
}

impl Progress {
    /// Begins a step; a short one never says anything.
    pub(crate) fn new(step: impl Into<String>) -> Self {
        Self {
            step: step.into(),
            last: Instant::now(),
        }
    }

    /// Says where the step stands, if it is time to.
    pub(crate) fn at(&mut self, place: impl FnOnce() -> String) {
        if self.last.elapsed() >= INTERVAL {
            self.last = Instant::now();
            eprintln!("{}: {}", self.step, place());
        }
    }
}
