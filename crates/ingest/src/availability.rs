//! Whether a sink can be reached, as last seen: written by a probe, read for every vote.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::SinkError;

/// A sink's state. Reading it while the sink is up costs one atomic load.
#[derive(Debug)]
pub struct Availability {
    up: AtomicBool,
    reason: Mutex<String>,
}

impl Default for Availability {
    fn default() -> Self {
        Self {
            up: AtomicBool::new(false),
            reason: Mutex::new("not reached yet".to_owned()),
        }
    }
}

impl Availability {
    /// The state as a sink has to give it.
    pub fn state(&self) -> Result<(), SinkError> {
        if self.up.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(SinkError::Unavailable(
            self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        ))
    }

    /// Notes what a probe saw.
    pub fn set(&self, state: &Result<(), String>) {
        if let Err(reason) = state {
            reason.clone_into(&mut self.reason.lock().unwrap_or_else(PoisonError::into_inner));
        }
        self.up.store(state.is_ok(), Ordering::Release);
    }
}
