//! Prints to the standard output.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use analysis::report::schema;
use anyhow::{Context, Result};

/// Prints a text. A reader that closes the pipe early, such as `| head`, is not an error.
pub fn print(text: &str) -> Result<()> {
    let printed = std::io::stdout().write_all(text.as_bytes());
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("printing"),
        _ => Ok(()),
    }
}

/// Prints the JSON schema of `report.json`.
pub fn print_schema() -> Result<ExitCode> {
    print(&schema::text()?)?;
    Ok(ExitCode::SUCCESS)
}
