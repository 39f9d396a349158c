//! The experiment on the command line; `compare --help` says what it does.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Compares the routes by a controlled experiment, and says how sure it is.
///
/// One driver sends the same votes by each route at a constant rate, whatever the answers do (open loop), and measures
/// from the time at which each vote was meant to be sent. Blocks of the routes take turns in an order that is drawn; the
/// first route is measured twice in each round, as its own control. A verdict needs the whole interval of a difference on
/// one side of a margin; where the control differs from itself, there is none.
#[derive(Debug, Parser)]
#[command(name = "compare", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a plan on a stack of its own and judge
    Run(compare::run::RunArgs),
    /// Name the plans that come with the project, with what each is for and how long it takes
    Plans,
    /// Show the report of a run once more, its page or its answers to the course's questions
    Report(compare::report::render::ReportArgs),
    /// Put two runs side by side: what was not the same, and what has moved
    Diff(compare::report::diff::DiffArgs),
    /// Print the JSON schema of report.json
    Schema,
    /// Make the faults of published comparisons on purpose, and show what each does to the verdict
    Confounds(compare::confounds::ConfoundsArgs),
    /// Send one load to an address and print its percentiles, to hold the driver against other tools
    Load(compare::single_load::LoadArgs),
    /// Prove the method: tell nothing apart that is the same, and find a millisecond that was put in
    Prove(compare::prove::ProveArgs),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // One thread: the driver shares the processors with the servers, and a vote that wanders between threads takes more.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("compare: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match command {
            Command::Plans => compare::plans::list(),
            Command::Report(args) => compare::report::render::run(&args),
            Command::Diff(args) => compare::report::diff::run(&args),
            Command::Schema => compare::report::schema::print(),
            Command::Run(args) => compare::run::run(&args).await,
            Command::Load(args) => compare::single_load::run(&args).await,
            Command::Prove(args) => compare::prove::run(&args).await,
            Command::Confounds(args) => compare::confounds::run(&args).await,
        }
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("compare: {error:#}");
        ExitCode::FAILURE
    })
}
