//! Why the connections of a client fail. The client library only logs it; the error of a request says that no broker responds.

use std::sync::{Arc, Mutex, PoisonError};

/// The facility of the library's log that says why a connection has failed.
const FAILED_CONNECTION: &str = "FAIL";

/// Keeps the last reason, with which others explain a failed request. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionLog(Arc<Mutex<Option<String>>>);

impl ConnectionLog {
    /// Keeps a message of the library's log if it says why a connection has failed.
    pub(crate) fn note(&self, facility: &str, message: &str) {
        if facility == FAILED_CONNECTION {
            self.note_reason(message);
        }
    }

    /// Keeps the reason why no connection is possible.
    pub(crate) fn note_reason(&self, reason: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }

    /// Adds the last reason to that of a failed request.
    pub(crate) fn explain(&self, reason: String) -> String {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(cause) => format!("{reason}: {cause}"),
            None => reason,
        }
    }

    /// Forgets the last reason, because a request has succeeded.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
