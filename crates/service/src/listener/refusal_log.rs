//! The log of connections that were refused before HTTP.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::log_limit::LogLimit;

/// Anybody can cause refusals.
const INTERVAL: Duration = Duration::from_secs(1);

/// The log of one listener.
#[derive(Debug)]
pub(super) struct RefusalLog(LogLimit);

impl Default for RefusalLog {
    fn default() -> Self {
        Self(LogLimit::new(INTERVAL))
    }
}

impl RefusalLog {
    /// Logs why a connection was refused.
    pub(super) fn record(&self, peer: SocketAddr, error: &io::Error) {
        // The client has disconnected.
        if matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
        ) {
            tracing::debug!(%peer, %error, "the client disconnected before its first request");
            return;
        }
        if let Some(not_logged) = self.0.next(Instant::now()) {
            tracing::warn!(%peer, %error, not_logged, "refused a connection");
        }
    }
}
