//! The last known state of a sink. A probe writes it; every vote reads it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::SinkError;

/// Whether a sink can be reached. Reading it costs one atomic load while the sink is up.
#[derive(Debug)]
pub struct Availability {
    up: AtomicBool,
    reason: Mutex<String>,
}

impl Default for Availability {
    fn default() -> Self {
        Self {
            up: AtomicBool::new(false),
            reason: Mutex::new("not checked yet".to_owned()),
        }
    }
}

impl Availability {
    /// The state in the form that [`crate::Sink::available`] returns.
    pub fn state(&self) -> Result<(), SinkError> {
        if self.up.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(SinkError::Unavailable(
            self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        ))
    }

    /// Stores the result of a probe; an error is the reason why the sink cannot be reached.
    pub fn set(&self, state: &Result<(), String>) {
        if let Err(reason) = state {
            reason.clone_into(&mut self.reason.lock().unwrap_or_else(PoisonError::into_inner));
        }
        self.up.store(state.is_ok(), Ordering::Release);
    }
}
