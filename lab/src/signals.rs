//! The signals that ask this program to end.

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

/// Does `work` unless Ctrl-C, SIGTERM or SIGHUP comes first; then it is dropped where it stands, and this errors.
pub async fn unless_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut hangup = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    let name = tokio::select! {
        outcome = work => return outcome,
        _ = interrupt.recv() => "Ctrl-C",
        _ = terminate.recv() => "SIGTERM",
        _ = hangup.recv() => "SIGHUP",
    };
    bail!("interrupted by {name}");
}
