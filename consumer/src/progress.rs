//! Progress of an operator's command: a line on standard error every two seconds. Results go to standard output.

use std::time::{Duration, Instant};

/// Often enough to show that the command is still running.
const INTERVAL: Duration = Duration::from_secs(2);

/// One step of a command.
#[derive(Debug)]
pub(crate) struct Progress {
    step: String,
    last: Instant,
}

impl Progress {
    /// Begins a step. A step shorter than [`INTERVAL`] prints nothing.
    pub(crate) fn new(step: impl Into<String>) -> Self {
        Self {
            step: step.into(),
            last: Instant::now(),
        }
    }

    /// Prints the state of the step if [`INTERVAL`] has passed since the last line.
    pub(crate) fn report(&mut self, state: impl FnOnce() -> String) {
        if self.last.elapsed() >= INTERVAL {
            self.last = Instant::now();
            eprintln!("{}: {}", self.step, state());
        }
    }
}
