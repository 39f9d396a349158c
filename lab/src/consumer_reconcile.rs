//! The command line of `consumer reconcile`, which compares the votes in the stores of a stack with a ledger.

use std::path::Path;
use std::process::Stdio;

use anyhow::Result;
use tokio::process::Command;

use crate::access::Access;
use crate::project;

/// The command that compares the stores of a stack with `ledger`, the file in which the senders recorded every vote. The
/// caller reads its output.
pub fn command(access: &Access, ledger: &Path) -> Result<Command> {
    let mut command = Command::new(project::programs()?.join("consumer"));
    command
        .arg("reconcile")
        .args(access.consumer_options())
        .arg("--ledger")
        .arg(ledger)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}
