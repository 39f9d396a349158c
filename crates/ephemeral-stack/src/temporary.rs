//! The temporary directory that both kinds of stack use.

use anyhow::{Context, Result};
use lab::progress::Progress;
use lab::project;
use lab::stack::Stack;
use tempfile::TempDir;

/// Creates a temporary directory and opens a stack in it. Starts no server. Dropping the [`TempDir`] removes the
/// directory.
pub(crate) fn create_stack() -> Result<(TempDir, Stack)> {
    let directory = tempfile::Builder::new()
        .prefix("dualpath-stack-")
        .tempdir()
        .context("creating a temporary directory for the stack")?;
    let stack = Stack::open(directory.path(), &project::programs()?, Progress::new())?;
    Ok((directory, stack))
}
