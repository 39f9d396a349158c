//! The command line of the experiment; see `compare --help`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{confounders, diff, output, plans, prove, run, show_report, single_load};

/// Compares the routes in a controlled experiment and reports a verdict with an interval.
///
/// One load generator sends the same votes over each route at a constant rate that does not depend on answers (open loop),
/// and measures latency from the intended send time of each vote. All variants run at the same time, so that they share the
/// noise of the machine. The first variant is measured twice, as its own control. A route is better if the whole confidence
/// interval of the difference lies outside the margin, and equivalent if it lies within. Otherwise, there is not enough
/// data. If the control differs from the first variant, there is no verdict. The run ends when every measure is decided.
#[derive(Debug, Parser)]
#[command(name = "compare", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a plan on an ephemeral stack and report the verdict
    Run(run::RunArgs),
    /// List the plans in compare/plans with their purpose and duration
    Plans,
    /// Show the report of a run again: its summary, its page, or its answers to the course's questions
    Report(show_report::ReportArgs),
    /// List the conditions and the measures that differ between two runs
    Diff(diff::DiffArgs),
    /// Print the JSON schema of report.json
    Schema,
    /// Demonstrate known faults of published comparisons, and the effect of each on the verdict
    Confounders(confounders::ConfoundersArgs),
    /// Send one load to an address and print its percentiles, to check the load generator against other tools
    Load(single_load::LoadArgs),
    /// Validate the method: equal services must show no difference, and known differences must be found
    Prove(prove::ProveArgs),
}

/// Parses the command line and runs the command to its end.
pub fn main() -> ExitCode {
    let command = Cli::parse().command;
    // One thread: the load generator shares the processors with the servers, and moving a vote between threads costs time.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("compare: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        match command {
            Command::Plans => plans::list(),
            Command::Report(args) => show_report::run(&args),
            Command::Diff(args) => diff::run(&args),
            Command::Schema => output::print_schema(),
            Command::Run(args) => run::run(&args).await,
            Command::Load(args) => single_load::run(&args).await,
            Command::Prove(args) => prove::run(&args).await,
            Command::Confounders(args) => confounders::run(&args).await,
        }
    });
    result.unwrap_or_else(|error| {
        eprintln!("compare: {error:#}");
        ExitCode::FAILURE
    })
}
