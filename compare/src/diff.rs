//! `compare diff`: the difference of two runs.

use std::path::PathBuf;
use std::process::ExitCode;

use analysis::report::diff::{diff, text};
use anyhow::Result;

use crate::output::print;
use crate::report_files;

/// Options of `compare diff`.
#[derive(Clone, Debug, clap::Args)]
pub struct DiffArgs {
    /// Folder of the earlier run, or its report.json
    a: PathBuf,

    /// Folder of the later run, or its report.json
    b: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the difference.
pub fn run(args: &DiffArgs) -> Result<ExitCode> {
    let diff = diff(&report_files::read(&args.a)?, &report_files::read(&args.b)?)?;
    let output = if args.json {
        serde_json::to_string_pretty(&diff)?
    } else {
        text(&diff)
    };
    print(&(output + "\n"))?;
    Ok(ExitCode::SUCCESS)
}
