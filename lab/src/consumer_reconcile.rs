//! The command line of `consumer reconcile`, which compares the votes in the stores of a stack with a ledger.

use std::path::Path;
use std::process::Stdio;

use anyhow::Result;
use tokio::process::Command;

use crate::access::Access;
use crate::endpoints::Endpoints;
use crate::project;

/// The command that compares the stores at `endpoints` with `ledger`, the file in which the senders recorded every vote.
/// The caller reads its output.
pub fn command(endpoints: &Endpoints, ledger: &Path) -> Result<Command> {
    let options = [
        ["--kafka-brokers", &endpoints.kafka],
        ["--redis-url", &endpoints.redis],
        ["--mongodb-uri", &endpoints.mongodb],
    ];
    with_options(options.as_flattened(), ledger)
}

/// Like [`command`], for a stack that may be secured.
pub(crate) fn command_for(access: &Access, ledger: &Path) -> Result<Command> {
    let options = access.consumer_options();
    with_options(&options.iter().map(String::as_str).collect::<Vec<_>>(), ledger)
}

fn with_options(options: &[&str], ledger: &Path) -> Result<Command> {
    let mut command = Command::new(project::programs()?.join("consumer"));
    command
        .arg("reconcile")
        .args(options)
        .arg("--ledger")
        .arg(ledger)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}
