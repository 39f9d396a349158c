//! The command line of `consumer reconcile`, which compares the votes in the stores of a stack with a ledger.

use std::path::Path;
use std::process::Stdio;

use anyhow::Result;
use tokio::process::Command;

use crate::endpoints::Endpoints;
use crate::project;

/// The command that compares the stores at `endpoints` with `ledger`, the file in which the senders recorded every vote.
/// The caller reads its output.
pub fn command(endpoints: &Endpoints, ledger: &Path) -> Result<Command> {
    let mut command = Command::new(project::programs()?.join("consumer"));
    command
        .args(["reconcile", "--kafka-brokers", &endpoints.kafka])
        .args(["--redis-url", &endpoints.redis])
        .args(["--mongodb-uri", &endpoints.mongodb])
        .arg("--ledger")
        .arg(ledger)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}
