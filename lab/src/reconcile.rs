//! The project's own tool for the books: `consumer reconcile`, asked about the stores of a stack.

use std::path::Path;
use std::process::Stdio;

use anyhow::Result;
use tokio::process::Command;

use crate::endpoints::Endpoints;
use crate::project;

/// The command that compares the stores at `endpoints` with what senders say in `ledger`; what it says is piped.
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
